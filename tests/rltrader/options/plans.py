"""What a configuration file asks ``rltrader train`` for, without training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from jax_port.runs.plan import Plan, read_plan
from rltrader.options.bars import _collect
from rltrader.options.train_plan import make_plan
from rltrader.train import train


def plan_of(file: Path) -> Plan:
    """Return the plan of ``rltrader train --config FILE``."""
    context = train.make_context("train", ["--config", str(file), "--out", "nowhere"])
    options = dict(context.params)
    bars = _collect(options)
    return make_plan(bars, options)


def assert_made_again(run: Path) -> None:
    """Assert that a run's own ``run.toml`` asks for the run, all of it but its proof."""
    made = read_plan(run)
    assert replace(plan_of(run / "run.toml"), certificate=made.certificate) == made
