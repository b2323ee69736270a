"""The page of a pair's mutants: its score first, nothing cut, nothing asked for outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parity.mutation.page import render, summarize
from parity.mutation.recorder import NOTHING, ROUNDING
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED
from parity.mutation.trial import KILLED
from tests.foundation.report.layout import layout_faults, needs_browser, outside_requests

LONG = "environment.transition(state, action_that_was_clipped, parameters.of_the_whole_episode)"


def _mutant(number: int, outcome: str) -> dict[str, Any]:
    return {
        "path": "some_package/environments/classic_control/mountain_car_continuous.py",
        "line": 10 + number,
        "start": number,
        "operator": ["constant", "comparison", "argument order"][number % 3],
        "old": LONG if number % 2 else "0.5",
        "new": LONG.replace("state, ", "") if number % 2 else "0.5000001",
        "outcome": outcome,
        "by": "field velocity: logic" if outcome == KILLED else "",
    }


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    outcomes = [KILLED, SURVIVED, ROUNDING, NOTHING, UNJUDGED, CRASHED] * 3
    lines = [_mutant(number, outcome) for number, outcome in enumerate(outcomes)]
    return {
        **summarize(lines),
        "pair": "MountainCarContinuous-v0, Gymnasium and gymnax",
        "in_all": 240,
        "never_run": 40,
        "modules": ["gymnax.environments.classic_control.continuous_mountain_car"],
        "settings": {"place": "examples.pairs.mountain_car_continuous:pair", "seed": 0, "sample": 18},
        "made": {"when": "2026-11-27T12:00:00", "device": "a device", "versions": {"jax": "0.10.2"}},
    }


def test_the_score_comes_first_and_survivors_are_named(report: dict[str, Any]) -> None:
    page = render(report)
    assert page.index("6 of 9 mutants killed") < page.index("Survivors") < page.index("By kind of")
    assert "mountain_car_continuous.py:11" in page
    assert outside_requests(page) == []
    assert render(report) == page


@needs_browser
def test_nothing_is_cut_on_a_screen_or_a_phone(report: dict[str, Any], tmp_path: Path) -> None:
    assert layout_faults(render(report), tmp_path) == []
