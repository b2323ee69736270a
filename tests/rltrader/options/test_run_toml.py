"""A run is asked for again by its own ``run.toml``, contracts of one's own included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from foundation.errors import InputError
from jax_port.ppo.policy import load_policy
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from jax_port.runs.plan import Plan
from jax_port.runs.training_advice import TrainingAdvice
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, contracts, contracts_file
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.contracts import Contract
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from rltrader.options.config_file import to_toml
from rltrader.options.run_toml import register_contracts_of, texts_of
from rltrader.train import train
from tests.rltrader.options.plans import plan_of
from tests.sentences import check_error

CRUDE = """
[contract.CL]
name = "Crude Oil"
tick_size = 0.25
tick_value_cents = 1000
slippage_ticks = 1
commission_cents = 250
"""
READER = {"format": "csv", "timezone": "America/New_York", "snap": True, "stamped": "close"}
SETTINGS = TrainSettings(
    n_envs=8, n_steps=16, batch_size=64, learning_rate=1e-5, clip_range_vf=0.3, anneal=True,
    norm_reward=False, seed=7, precision="bf16", layer_lr=(("policy_0", 0.0), ("value_0", 0.1)),
    network=NetworkSpec(pi=(8,), vf=(16, 8), activation="tanh"),
)  # fmt: skip
RULES = EnvConfig.phase2().override(max_episode_bars=60, session="all", hold_penalty=-0.25)
FILES = TrainingData(
    (Source("ES", "/a b.csv", reader=READER), Source("MNQ", "/ü.csv", reader=READER)),
    "2025-01-02",
    "2025-03-04",
)
AS_PHASE1 = replace(EnvConfig.phase1(), phase=2)
"""A Phase 2 whose every rule is Phase 1's."""
PLANS = {
    "plain": Plan(TrainSettings(), TrainingData((Source("ES", "/a.csv"),)), EnvConfig.phase1()),
    "rules of the other phase": Plan(
        TrainSettings(), TrainingData((Source("ES", "/a.csv"),)), AS_PHASE1
    ),
    "all of it": Plan(SETTINGS, FILES, RULES, ({}, {}, {}), 3, 7),
    "two agents, and zero for what is usually none": Plan(
        TrainSettings(seed=0, vf_coef=0.0, gae_lambda=0.0, norm_reward=False),
        TrainingData((Source("ES", kind="pattern", days=5, seed=0),), last="2025-03-04"),
        EnvConfig.phase1().override(hold_penalty=0.0, floor_lock_dollars=0.0),
        ({}, {}),
    ),
    "synthetic": Plan(
        SETTINGS, TrainingData((Source("NQ", kind="synthetic", days=5, seed=3),)), EnvConfig.phase1()
    ),
    "pattern": Plan(
        SETTINGS, TrainingData((Source("ES", kind="pattern", days=5),)), EnvConfig.phase1()
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_and_its_file_are_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(texts_of(PLANS[name])["run.toml"])
    assert plan_of(tmp_path / "run.toml") == PLANS[name]


def test_a_command_s_file_asks_for_the_same_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    for folder in (here, elsewhere):
        folder.mkdir()
    for name in ("bars.csv", "policy.safetensors", "agents.csv"):
        (here / name).write_text("seed\n3\n")
    words = (
        *("--data", "bars.csv", "--symbol", "ES", "--agents", "agents.csv", "--advice", "rules"),
        *("--config", "more.toml", "--out", "nowhere"),
    )
    (here / "more.toml").write_text("steps = 1000")
    for option in ("--from", "--from-policy"):
        monkeypatch.chdir(here)
        with train.make_context("train", [*words, option, "policy.safetensors"]) as context:
            (elsewhere / "run.toml").write_text(to_toml(context))
        monkeypatch.chdir(elsewhere)
        with train.make_context("train", ["--config", "run.toml", "--out", "nowhere"]) as again:
            assert again.params["bar_file"] == (here / "bars.csv",)
            assert again.params["agents"] == here / "agents.csv"
            assert again.params["tables"] == (here / "rules",)
            named = {again.params["first"], again.params["initial"]} - {"", None}
        assert named == {here / "policy.safetensors"}


@pytest.mark.parametrize(
    "changed",
    [
        {"agents": ({"gamma": 0.9}, {})},
        {"schedules": {"learning_rate": [1e-3] * 20}},
        {"data": TrainingData((Source("ES", "/a.csv"), Source("ES", "/b.csv", reader=READER)))},
        {"data": TrainingData((Source("ES", "/a.csv", reader={"use_features": True}),))},
        {"data": TrainingData((Source("ES", "/a.csv", name="b.csv"),))},
        {"data": TrainingData((Source("ES", kind="pattern", days=5, strength=0.5),))},
        {
            "data": TrainingData(
                (Source("ES", "/a.csv"), Source("ES", "/b.csv", reader=READER), Source("ES", "/c.csv"))
            )
        },
        {
            "data": TrainingData(
                (Source("ES", "/a.csv"),),
                advice=TrainingAdvice(
                    AdviceUse("prior", FusionSettings(), "rules", "made", "", "", "never"), ("/rules",)
                ),
            )
        },
        {"data": TrainingData((Source("ES", "/a.csv", contract=Contract("ES", "", 1, 1, 1, 1)),))},
    ],
)
def test_what_options_cannot_say_has_no_file(changed: dict[str, Any]) -> None:
    assert texts_of(replace(PLANS["plain"], **changed)) == {}


@pytest.fixture
def own_table(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Forget contracts of other tests; return what forgets those of this one."""

    def forget() -> None:
        monkeypatch.setattr(contracts, "_TABLE", {s: contracts._TABLE[s] for s in contracts.SYMBOLS})
        monkeypatch.setattr(contracts_file, "_files", {})

    forget()
    return forget


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def crude_bars(folder: Path) -> Path:
    crude = Contract("CL", "Crude Oil", 0.25, 1000, 1, 250)
    contracts.register_contract(crude, overwrite=True)
    return write_bars(replace(synthetic_bars("ES", days=3, seed=0), contract=crude), folder / "CL.csv")


@pytest.mark.slow
def test_a_run_on_one_s_own_contract_is_made_again_by_its_own_file(
    own_table: Any, tmp_path: Path
) -> None:
    data = crude_bars(tmp_path)
    own_table()
    (tmp_path / "cl.toml").write_text(
        "symbol = 'CL'\nenvs = 4\nn_steps = 16\nbatch_size = 32\nepochs = 1\nsteps = 64\npi = [8]"
        f"\nvf = [8]\ndata = '{data}'\n{CRUDE}{CRUDE.replace('CL', 'GC')}"
    )
    first, again = tmp_path / "first", tmp_path / "again"
    assert run("train", "--config", tmp_path / "cl.toml", "--ungated", "--out", first).exit_code == 0
    text = (first / "run.toml").read_text()
    assert "[contract.CL]" in text
    assert "[contract.GC]" not in text  # described beside it, and not used
    own_table()
    assert run("train", "--config", first / "run.toml", "--ungated", "--out", again).exit_code == 0
    one, other = (load_policy(out / "policy-0.safetensors") for out in (first, again))
    assert one.about["data"] == other.about["data"]
    assert (again / "run.toml").read_text() == text
    own_table()
    (first / "finished.json").unlink()  # as if it were cut off at the end
    resumed = run("train", "--out", first, "--resume", "--ungated")
    assert resumed.exit_code == 0, resumed.exception
    own_table()
    told = ("--data", data, "--symbol", "CL", "--allow-overlap")
    bare = run("evaluate", first, *told, "--out", tmp_path / "e")
    check_error(bare.exception)
    judged = run("--contracts", first / "run.toml", "evaluate", first, *told, "--out", tmp_path / "e")
    assert judged.exit_code == 0, judged.exception


def test_contracts_of_a_run_are_registered_from_its_folder(own_table: Any, tmp_path: Path) -> None:
    register_contracts_of(tmp_path)  # of a run that has no such file
    (tmp_path / "run.toml").write_text("symbol = 'ES'")
    register_contracts_of(tmp_path)
    assert "CL" not in contracts._TABLE
    (tmp_path / "run.toml").write_text(f"symbol = 'CL'\n{CRUDE}")
    register_contracts_of(tmp_path)
    assert contracts.get_contract("CL").tick_value_cents == 1000


def test_evaluate_takes_a_contract_from_its_configuration(own_table: Any, tmp_path: Path) -> None:
    (tmp_path / "e.toml").write_text(f"symbol = 'CL'\ndata = 'none.csv'\n{CRUDE}")
    for command in (("evaluate", tmp_path), ("walk-forward", "--train", "3d", "--test", "2d")):
        own_table()
        found = run(*command, "--config", tmp_path / "e.toml", "--out", tmp_path / "out")
        assert "unknown symbol" not in str(found.exception)
        assert contracts.get_contract("CL").tick_value_cents == 1000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("contract = 3", "contract is no option of train"),
        ("[contract]\nCL = 3", "CL"),
        ("[contract.CL]\nname = 'Crude'", "tick_size, tick_value_cents"),
        (CRUDE.replace("CL", "ES"), "ES is built in"),
        (CRUDE.replace("1000", "500"), "has other numbers than"),
    ],
)
def test_a_contract_that_is_not_right_is_one_sentence(
    own_table: Any, tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "mine.toml").write_text(CRUDE)
    (tmp_path / "run.toml").write_text(text)
    words = ("--contracts", tmp_path / "mine.toml", "train", "--config", tmp_path / "run.toml")
    refused = run(*words, "--out", tmp_path / "out").exception
    assert isinstance(refused, InputError)
    assert "run.toml" in str(refused)
    assert reason in str(refused)
