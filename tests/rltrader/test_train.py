"""What ``rltrader train --resume`` asks of a run that has no proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.core import ParameterSource
from click.testing import CliRunner
from rich.console import Console

from jax_port.ppo.settings import TrainSettings
from jax_port.runs import plan, run_file
from jax_port.runs.gate import UNGATED
from jax_port.runs.plan import Plan
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, InputError
from parity import admission
from rltrader import train
from rltrader.options.train_plan import prove
from tests.sentences import refuses

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


OF_THE_MACHINE = {"distributed", "coordinator", "processes", "process_id", "loggers"}
OF_THE_PROOF = {"certificate", "ungated", "least", "require_key"}


def test_only_where_and_how_a_run_goes_on_may_be_said_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is the run's own, such as its length, would be passed over in silence."""
    monkeypatch.setattr(plan, "read_plan", lambda _: PLAN)

    def resume_with(name: str) -> None:
        ctx = click.Context(train.train)
        ctx.set_parameter_source(name, ParameterSource.COMMANDLINE)
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
    with refuses():
        resume_with("total_timesteps")


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
