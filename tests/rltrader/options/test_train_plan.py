"""Every option of ``rltrader train`` reaches the plan of the run, with its own value and no other's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from foundation.files import file_digest
from jax_port.runs.plan import Plan
from jax_port.runs.training_advice import TrainingAdvice
from markets.advice.by_bar import AdviceUse
from rltrader.options.fusion import fusion_settings
from rltrader.options.training_advice import remark
from rltrader.train import train
from tests.sentences import refuses

Look = Callable[[Plan], Any]
BASE = ("--out", "no-such-run")


def setting(name: str) -> Look:
    return lambda plan: getattr(plan.settings, name)


def source(name: str) -> Look:
    return lambda plan: getattr(plan.data.sources[0], name)


CHANGED: dict[str, tuple[tuple[str, ...], Look, Any]] = {
    "--symbol": (("--symbol", "NQ"), source("symbol"), "NQ"),
    "--synthetic": (("--synthetic", "6"), source("days"), 6),
    "--pattern": (("--pattern", "7"), source("kind"), "pattern"),
    "--data-seed": (("--data-seed", "9"), source("seed"), 9),
    "--from": (("--from", "2025-01-07"), lambda plan: plan.data.first, "2025-01-07"),
    "--to": (("--to", "2025-01-08"), lambda plan: plan.data.last, "2025-01-08"),
    "--phase": (("--phase", "2"), lambda plan: plan.config.phase, 2),
    "--set": (("--set", "max_episode_bars=33"), lambda plan: plan.config.max_episode_bars, 33),
    "--freeze": (("--freeze", "policy_0"), setting("layer_lr"), (("policy_0", 0.0),)),
    "--layer-rate": (("--layer-rate", "value_0=0.5"), setting("layer_lr"), (("value_0", 0.5),)),
    "--pi": (("--pi", "8,4"), lambda plan: plan.settings.network.pi, (8, 4)),
    "--vf": (("--vf", "6"), lambda plan: plan.settings.network.vf, (6,)),
    "--activation": (("--activation", "tanh"), lambda plan: plan.settings.network.activation, "tanh"),
    "--envs": (("--envs", "96"), setting("n_envs"), 96),
    "--n-steps": (("--n-steps", "48"), setting("n_steps"), 48),
    "--batch-size": (("--batch-size", "512"), setting("batch_size"), 512),
    "--epochs": (("--epochs", "3"), setting("n_epochs"), 3),
    "--steps": (("--steps", "123456"), setting("total_timesteps"), 123456),
    "--order-groups": (("--order-groups", "4"), setting("order_groups"), 4),
    "--learning-rate": (("--learning-rate", "0.0123"), setting("learning_rate"), 0.0123),
    "--gamma": (("--gamma", "0.91"), setting("gamma"), 0.91),
    "--gae-lambda": (("--gae-lambda", "0.82"), setting("gae_lambda"), 0.82),
    "--clip-range": (("--clip-range", "0.13"), setting("clip_range"), 0.13),
    "--clip-range-vf": (("--clip-range-vf", "0.27"), setting("clip_range_vf"), 0.27),
    "--ent-coef": (("--ent-coef", "0.031"), setting("ent_coef"), 0.031),
    "--vf-coef": (("--vf-coef", "0.71"), setting("vf_coef"), 0.71),
    "--max-grad-norm": (("--max-grad-norm", "0.6"), setting("max_grad_norm"), 0.6),
    "--target-kl": (("--target-kl", "0.02"), setting("target_kl"), 0.02),
    "--anneal": (("--anneal",), setting("anneal"), True),
    "--no-norm-reward": (("--no-norm-reward",), setting("norm_reward"), False),
    "--seed": (("--seed", "17"), setting("seed"), 17),
    "--precision": (("--precision", "bf16"), setting("precision"), "bf16"),
    "--seeds": (("--seeds", "3"), lambda plan: len(plan.agents), 3),
    "--updates-per-call": (("--updates-per-call", "5"), lambda plan: plan.updates_per_call, 5),
    "--checkpoint-every": (("--checkpoint-every", "7"), lambda plan: plan.checkpoint_every, 7),
}
"""Option -> what is given, where it must arrive, and as what."""

ELSEWHERE = {
    "test_config_file.py": {"--config", "--schema"},
    "tests/markets/readers, tests/rltrader/test_data.py": {
        *("--data", "--format", "--tz", "--snap", "--instrument", "--stamped", "--accept-problems"),
    },
    "test_agents.py": {"--agents"},
    "test_training_advice.py": {"--advice", "--advice-as", "--fusion", "--fusion-set", "--latency"},
    "tests/parity/test_admission.py": {"--certificate", "--least", "--require-key", "--ungated"},
    "test_processes.py": {"--distributed", "--coordinator", "--processes", "--process-id"},
    "tests/jax_port/runs/logs/test_loggers.py": {"--logger"},
    "test_interrupted.py": {"--out", "--resume"},
    "the test below": {"--from-policy"},
}
"""Options whose content has tests of its own, and where."""


class Planned(Exception):
    """Stops the command once it knows what to train."""


def plan_of(*arguments: str) -> Plan:
    """Return the plan that the command would prove and train."""

    def stop(plan: Plan, *_: Any) -> None:
        raise Planned(plan)

    bars = () if {"--synthetic", "--pattern"} & set(arguments) else ("--synthetic", "5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rltrader.train.prove", stop)
        with pytest.raises(Planned) as planned:
            train.main([*BASE, *bars, *arguments], standalone_mode=False)
    plan: Plan = planned.value.args[0]
    return plan


def test_every_option_is_looked_at_once() -> None:
    names = {name for param in train.params for name in param.opts}
    elsewhere = [name for some in ELSEWHERE.values() for name in some]
    assert names == set(CHANGED) | set(elsewhere)
    assert len(elsewhere) == len(set(elsewhere))
    assert not set(elsewhere) & set(CHANGED)


@pytest.fixture(scope="module")
def usual() -> Plan:
    return plan_of()


@pytest.mark.parametrize("name", CHANGED)
def test_an_option_arrives_and_changes_nothing_else(name: str, usual: Plan) -> None:
    given, look, wanted = CHANGED[name]
    plan = plan_of(*given)
    assert look(plan) == wanted
    assert look(usual) != wanted
    alike = {"--freeze", "--layer-rate"}, {"--synthetic", "--pattern"}, {"--seed", "--seeds"}
    apart = next((some for some in alike if name in some), {name})
    for other in set(CHANGED) - apart:
        seen = CHANGED[other][1]
        assert seen(plan) == seen(usual), other


def test_updates_are_called_together_where_a_gpu_would_wait_for_calls(
    usual: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert usual.updates_per_call == 1
    monkeypatch.setattr("jax_port.envs.form.default_form", lambda: "gpu")
    assert plan_of().updates_per_call == 8


def test_a_policy_to_begin_with_arrives(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    path.write_bytes(b"read when the training begins")
    initial = plan_of("--from-policy", str(path)).initial
    assert initial == {"path": str(path), "sha256": file_digest(path)}
    for words in (("--from", "2025-01-07", "--from-policy", str(path)), ("--from", str(path))):
        plan = plan_of(*words)
        assert plan.initial == initial
        assert plan.data.first == ("2025-01-07" if len(words) > 2 else "")
    with refuses():
        train.main([*BASE, "--from", str(path), "--from-policy", str(path)], standalone_mode=False)


def test_a_policy_that_is_named_from_a_folder_is_found_from_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run says where it lies, and may be gone on with elsewhere."""
    path = tmp_path / "policy.safetensors"
    path.write_bytes(b"read when the training begins")
    monkeypatch.chdir(tmp_path)
    for name in ("policy.safetensors", "./policy.safetensors", str(path)):
        assert plan_of("--from-policy", name).initial["path"] == str(path)


def test_every_layer_that_is_named_has_its_rate() -> None:
    words = ("--freeze", "policy_0", "--freeze", "value_1", "--layer-rate", "value_0=0.5")
    assert dict(plan_of(*words, "--layer-rate", "policy_1=0").settings.layer_lr) == {
        "policy_0": 0.0,
        "value_1": 0.0,
        "value_0": 0.5,
        "policy_1": 0.0,
    }


def test_a_date_in_another_form_is_the_same_plan_and_an_advisor_s_cutoff_is_before_it(
    usual: Plan,
) -> None:
    use = AdviceUse("columns", fusion_settings("gated", ()), "chat", "m", "", "", "2025-06-01")
    for given, said in (("2025-06-02", False), ("2025-06-01", True), ("2025-05-30", True)):
        day = date.fromisoformat(given)
        for text in (given, day.strftime("%Y%m%d"), day.strftime("%G-W%V-%u")):
            data = plan_of("--from", text, "--to", text).data
            assert (data.first, data.last) == (given, given)
            advised = replace(data, advice=TrainingAdvice(use, ()))
            assert bool(remark(advised)) is said


def test_no_sizes_and_no_policy_are_not_what_is_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for option in ("--pi", "--vf", "--from-policy"):
        with refuses():
            train.main([*BASE, "--synthetic", "5", option, ""], standalone_mode=False)


def test_every_row_of_a_table_of_agents_counts_into_the_memory(tmp_path: Path) -> None:
    table = tmp_path / "agents.csv"
    table.write_text("seed\n" + "".join(f"{seed}\n" for seed in range(5_000)))
    assert len(plan_of("--agents", str(table), "--envs", "16", "--batch-size", "512").agents) == 5_000
    large = ("--synthetic", "5", "--agents", str(table), "--envs", "131072")
    with refuses(r"there are [\d.,]+ \w+"):
        train.main([*BASE, *large], standalone_mode=False)
