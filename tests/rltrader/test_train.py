"""What ``rltrader train --resume`` asks of a run that has no proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jax_port.ppo.settings import TrainSettings
from jax_port.runs import run_file
from jax_port.runs.gate import UNGATED
from jax_port.runs.plan import Plan
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from rltrader import train

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
