"""All that a training leaves, and what ``rltrader train --resume`` asks of a run without a proof."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.core import ParameterSource
from click.testing import CliRunner
from rich.console import Console

from foundation.signals import StopRequest
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import plan, run_file
from jax_port.runs.gate import UNGATED
from jax_port.runs.plan import Plan
from jax_port.runs.training_advice import TrainingAdvice
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from parity import admission
from rltrader import train
from rltrader.options.train_plan import prove
from rltrader.options.training_advice import remark
from tests.commands import telling_bar
from tests.sentences import refuses
from tests.snapshots import Snapshot

PLAN = Plan(TrainSettings(), TrainingData((Source("ES", "/a.csv"),)), EnvConfig.phase1())


class ProofAskedForError(Exception):
    """Carries the options."""


@pytest.mark.parametrize(("shown", "ungated"), [(UNGATED, True), ({"verdict": "same"}, False)])
def test_what_cannot_be_proved_any_more_is_not_proved_again(
    shown: Any, ungated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prove(_: Any, options: dict[str, Any], console: Any) -> None:
        raise ProofAskedForError(options["ungated"])

    monkeypatch.setattr(train, "_resumed_plan", lambda *_: PLAN)
    monkeypatch.setattr(run_file, "shown_proof", lambda _: shown)
    monkeypatch.setattr(train, "prove", prove)
    done = CliRunner().invoke(train.train, ["--out", str(tmp_path), "--resume"])
    assert isinstance(done.exception, ProofAskedForError), done.output
    assert done.exception.args == (ungated,)


class TrainedError(Exception):
    """Carries what a run is asked for."""


def test_a_run_is_gone_on_with_under_the_proof_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its plan keeps the one that it began under; what is trained from now on stands under another."""

    def run(plan: Any, folder: Path, *_: Any, **more: Any) -> None:
        raise TrainedError(plan, folder, more["certificate"], more["begin"])

    began = replace(PLAN, certificate={"verdict": "same", "when": "then"})
    now = {"verdict": "same", "when": "now"}
    monkeypatch.setattr(train, "_resumed_plan", lambda *_: began)
    monkeypatch.setattr(run_file, "shown_proof", lambda _: began.certificate)
    monkeypatch.setattr(train, "prove", lambda *_: now)
    monkeypatch.setattr("jax_port.runs.run.run", run)
    done = CliRunner().invoke(train.train, ["--out", str(tmp_path), "--resume"])
    assert isinstance(done.exception, TrainedError), done.output
    assert done.exception.args == (began, tmp_path, now, False)


OF_THE_MACHINE = {"distributed", "coordinator", "processes", "process_id", "loggers"}
OF_THE_PROOF = {"certificate", "ungated", "least", "require_key"}


def test_only_where_and_how_a_run_goes_on_may_be_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is the run's own, such as its length, would be passed over in silence."""
    monkeypatch.setattr(plan, "read_plan", lambda _: PLAN)

    def resume_with(name: str, source: ParameterSource = ParameterSource.COMMANDLINE) -> None:
        ctx = click.Context(train.train)
        ctx.set_parameter_source(name, source)
        assert train._resumed_plan(ctx, tmp_path, {}) == PLAN

    names = {str(param.name) for param in train.train.params}
    taken = set()
    for name in names:
        try:
            resume_with(name)
        except InputError:
            continue
        taken.add(name)
    assert taken == {"out", "resume", *OF_THE_MACHINE, *OF_THE_PROOF} < names
    for source in ParameterSource:
        if source is ParameterSource.DEFAULT:
            resume_with("total_timesteps", source)
            continue
        resume_with("certificate", source)
        with refuses():  # also from the environment, and from a file of --config
            resume_with("total_timesteps", source)


@pytest.mark.parametrize("asked", [None, "public.pem"])
def test_what_is_asked_of_a_proof_is_asked(asked: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    def admit_nothing(path: Path, training: Any, demand: Any, _: Any) -> None:
        raise ProofAskedForError(path, training.config, demand)

    monkeypatch.setattr(admission, "admit", admit_nothing)
    key = None if asked is None else Path(asked)
    options = {"least": "full", "require_key": key, "certificate": Path("c.json"), "ungated": False}
    with pytest.raises(ProofAskedForError) as found:
        prove(PLAN, options, Console(quiet=True))
    assert found.value.args == (Path("c.json"), PLAN.config, admission.Demand("full", key))


PROVED = {"verdict": "same", "strength": "full", "counts": {"numbers_compared": 1_234_567}}
MORE = {"numbers": 9_876, "seconds": 90.0, "because": ["its bars", "its settings"]}


@pytest.mark.parametrize(
    ("proof", "said"),
    [
        (PROVED, "parity: same, strength full, 1,234,567 numbers compared"),
        ({**PROVED, "signed_by": None}, "parity: same, strength full, 1,234,567 numbers compared"),
        (
            {**PROVED, "signed_by": "0123456789abcdef0123", "data_at_hand": MORE, "sources": {}},
            "parity: same, strength full, 1,234,567 numbers compared, signed by 0123456789abcdef; "
            "9,876 more here, in 1.5 min, for its bars; its settings",
        ),
        (UNGATED, "ungated: no proof of parity; every artifact will say so"),
    ],
)
def test_how_strong_a_proof_is_is_said(proof: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the advice may have looked ahead."""
    monkeypatch.setattr(admission, "admit", lambda *_: proof)
    use = AdviceUse("columns", FusionSettings(), "chat", "m", "", "", "2025-06-01")
    advised = replace(PLAN, data=replace(PLAN.data, advice=TrainingAdvice(use, ())))
    options = {"least": "full", "require_key": None, "certificate": Path("c.json")}
    for plan_, lines in ((PLAN, 1), (advised, 2)):
        out = io.StringIO()
        found = prove(plan_, {**options, "ungated": proof == UNGATED}, Console(file=out, width=400))
        told = out.getvalue().splitlines()
        assert (told[0], len(told)) == (said, lines)
        assert told[1:] == [remark(plan_.data)] * (lines - 1)
    kept = {"verdict", "strength", "counts", "signed_by", "data_at_hand"}
    assert found == (proof if proof == UNGATED else {n: proof[n] for n in proof if n in kept})


@pytest.mark.costly
def test_a_whole_training_with_all_that_can_be_asked(tmp_path: Path, snapshot: Snapshot) -> None:
    """Three agents, two files, dates, a frozen layer, and a rate that falls; then gone on with."""
    files = [
        write_bars(synthetic_bars(name, days=4, seed=3), tmp_path / f"{name}.parquet")
        for name in ("NQ", "RTY")
    ]
    (tmp_path / "agents.csv").write_text("seed,gamma,ent_coef\n5,0.9,0.02\n0,0.95,0.01\n7,0.99,0\n")
    words = [
        *("--data", str(files[0]), "--symbol", "NQ", "--data", str(files[1]), "--symbol", "RTY"),
        *("--from", "2025-01-07", "--to", "2025-01-08", "--phase", "2", "--set", "contracts=2"),
        *("--set", "max_episode_bars=25", "--agents", str(tmp_path / "agents.csv"), "--anneal"),
        *("--freeze", "value_0", "--layer-rate", "policy_0=0.5", "--pi", "8,4", "--vf", "6"),
        *("--envs", "6", "--n-steps", "7", "--batch-size", "16", "--epochs", "2", "--steps", "150"),
        *("--clip-range-vf", "0.3", "--activation", "tanh", "--checkpoint-every", "3"),
        *("--updates-per-call", "1", "--no-norm-reward"),
    ]
    out = tmp_path / "out"
    done = CliRunner().invoke(train.train, [*words, "--ungated", "--out", str(out)])
    assert done.exit_code == 0, (done.output, done.exception)
    snapshot("out", out, within=1e-3)
    again = CliRunner().invoke(train.train, ["--resume", "--out", str(out)])
    assert again.exit_code == 0, again.output
    snapshot("again", again.output)


def test_a_run_that_goes_on_knows_its_own_contracts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before its proof is asked for, which reads its bars."""
    told: list[Path] = []

    def prove(*_: Any) -> None:
        raise ProofAskedForError(*told)

    monkeypatch.setattr(plan, "read_plan", lambda _: PLAN)
    monkeypatch.setattr(run_file, "shown_proof", lambda _: UNGATED)
    monkeypatch.setattr(train, "register_contracts_of", told.append)
    monkeypatch.setattr(train, "prove", prove)
    done = CliRunner().invoke(train.train, ["--out", str(tmp_path), "--resume"])
    assert isinstance(done.exception, ProofAskedForError), done.output
    assert done.exception.args == (tmp_path,)


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        ([0.0, 100.0, None], "$50 an episode"),
        ([0.0], "$0 an episode"),
        ([-100.0, 0.0, 0.0, 0.0], "\N{MINUS SIGN}$25 an episode"),
        ([None], ""),
    ],
)
def test_progress_shows_the_mean_of_all_that_ended(
    made: list[float | None], shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(train, "ReportedProgress", telling_bar(told))

    def shown_last() -> dict[str, Any]:
        return {name: value for _, fields in told for name, value in fields.items()}

    with train.progress(Console(quiet=True), PLAN) as tell:
        tell(3, [])  # gone on with after three updates
        seen = shown_last()
        assert (seen["total"], seen["completed"]) == (PLAN.settings.num_updates, 3)
        tell(4, [{"steps_per_second": 1234.0, "episode_pnl_dollars": one} for one in made])
    seen = shown_last()
    assert (seen["completed"], seen["rate"], seen["pnl"]) == (4, "1,234 steps/s", shown)


def test_a_signal_is_answered_once_there_is_an_update_to_save() -> None:
    asked, told = StopRequest(), []
    asked.install = lambda: told.append("answers")
    tell = train.answering(asked, lambda updates, records: told.append((updates, len(records))))
    tell(5, [])  # what a run that goes on begins with
    tell(6, [{}])
    tell(7, [{}])
    assert told == [(5, 0), "answers", (6, 1), (7, 1)]
