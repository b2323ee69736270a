"""Settings out of a sweep count as chosen from all of its trials; others from as many as are said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jax_port.evaluation.walk_forward.tried import Tried, settings_tried
from tests.sentences import refuses

ROWS = [{"sharpe_day": 0.5}, {"sharpe_day": None}, {"sharpe_day": 0.0}, {"sharpe_day": -0.25}]
"""A trial that never traded has a ratio of zero, one that failed has none."""


@pytest.mark.parametrize("place", ["best/run.toml", "trials/0007/run.toml"])
def test_a_trial_s_own_file_counts_all_trials(tmp_path: Path, place: str) -> None:
    (tmp_path / "sweep.json").write_text(json.dumps({"trials": ROWS}))
    found = settings_tried(tmp_path / place)
    assert found == Tried(4, (0.5, 0.0, -0.25), str(tmp_path / "sweep.json"))
    assert settings_tried(tmp_path / place, 50).trials == 50


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"trials": 3}', '{"trials": [{}]}', '{"trials": ["x"]}']
)
def test_a_damaged_account_of_a_sweep_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep.json").write_text(text)
    with refuses():
        settings_tried(tmp_path / "best" / "run.toml")


def test_where_there_is_no_sweep_one_was_tried(tmp_path: Path) -> None:
    assert settings_tried(tmp_path / "best" / "run.toml") == Tried()
    assert settings_tried(None) == Tried()
    assert settings_tried(None, 7) == Tried(7)


@pytest.mark.parametrize("named", ["", "sweep.json"], ids=["folder", "file"])
def test_a_sweep_that_is_named_goes_before_the_one_above_the_file(tmp_path: Path, named: str) -> None:
    for name, rows in (("above", ROWS[:1]), ("named", ROWS)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sweep.json").write_text(json.dumps({"trials": rows}))
    config, sweep = tmp_path / "above" / "best" / "run.toml", tmp_path / "named" / named
    expected = Tried(4, (0.5, 0.0, -0.25), str(tmp_path / "named" / "sweep.json"))
    assert settings_tried(config, sweep=sweep) == expected
    assert settings_tried(None, 7, sweep) == expected._replace(trials=7)


def test_a_sweep_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with refuses():
        settings_tried(None, sweep=tmp_path)
