"""Agents on a market with an edge and without: how they are trained, judged and compared."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks.baselines.pattern_agents import SETTINGS
from benchmarks.suites import it_learns
from benchmarks.suites.it_learns import LearningReport, LearningRow, main


@pytest.mark.slow
def test_the_study_runs_and_the_oracle_is_best(tmp_path: Path) -> None:
    """Tiny: 3 days and one rollout; what is learned in earnest is in the committed report."""
    options = [
        "--agents",
        "1",
        "--steps",
        "100",
        "--days",
        "3",
        "--starts",
        "40",
        "--out",
        str(tmp_path),
    ]
    result = CliRunner().invoke(main, options, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = (tmp_path / "it_learns.json").read_bytes()
    rows = msgspec.json.decode(written, type=LearningReport).rows
    assert [(row.strength, row.precision) for row in rows] == [
        (1.0, "float32"),
        (1.0, "bf16"),
        (0.0, "float32"),
    ]
    others = rows[0].baselines_pnl_dollars
    assert others["never trades"] == 0.0
    assert others["oracle"] == max(others.values()) > 300
    assert rows[2].baselines_pnl_dollars["oracle"] < 0


def test_agents_of_one_market_are_trained_judged_and_held_to_the_baselines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Any] = []
    curve = np.array([[1.234, 2.0, 3.0], [4.0, 5.0, 6.789]])

    def train(*given: Any) -> Any:
        told.append(given)
        return "trained", curve, 7.5

    monkeypatch.setattr(it_learns, "make_params", lambda *given: ("params", *given))
    monkeypatch.setattr(it_learns, "make_held_out", lambda *given: ("held out", *given))
    monkeypatch.setattr(it_learns, "fresh_agents", lambda *given: ("fresh", *given))
    monkeypatch.setattr(it_learns, "train", train)
    monkeypatch.setattr(it_learns, "policy_of", lambda agents, number, *more: (agents, number, *more))
    monkeypatch.setattr(it_learns, "policy_return", lambda policy, held_out: (*policy, held_out))
    monkeypatch.setattr(it_learns, "baseline_returns", lambda held_out: {"of": held_out})
    settings = replace(SETTINGS, total_timesteps=5 * SETTINGS.rollout_size, precision="bf16")
    row: Any = it_learns.learn(settings, 0.5, {"agents": 3, "days": 9, "starts": 40})
    params = ("params", it_learns.CONFIG, 9, 0.5)
    held_out = ("held out", it_learns.CONFIG, 9, 0.5, 40)
    assert told == [(("fresh", params, settings, 3), params, settings, 5)]
    assert (row.name, row.strength, row.precision, row.seconds) == (
        "strength 0.5, bf16",
        0.5,
        "bf16",
        7.5,
    )
    assert row.agents_pnl_dollars == tuple(
        ("trained", number, it_learns.CONFIG, settings.network, held_out) for number in range(3)
    )
    assert row.baselines_pnl_dollars == {"of": held_out}
    assert row.training_pnl_dollars == ((1.23, 2.0, 3.0), (4.0, 5.0, 6.79))


def made(name: str, strength: float, precision: Any, oracle: float) -> LearningRow:
    return LearningRow(
        name=name, strength=strength, precision=precision, agents_pnl_dollars=(500.0, -250.0),
        baselines_pnl_dollars={"oracle": oracle, "random": -1250.0}, seconds=1.0,
        training_pnl_dollars=((1.0, 2.0),),
    )  # fmt: skip


def test_each_kind_of_market_is_trained_on_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def learn(settings: Any, strength: float, options: Any) -> LearningRow:
        told.append((settings, strength, options))
        return made(f"row {len(told)}", strength, settings.precision, 1000.0)

    monkeypatch.setattr(it_learns, "learn", learn)
    words = ["--agents", "3", "--steps", "77", "--days", "9", "--starts", "40", "--out", str(tmp_path)]
    assert CliRunner().invoke(main, words).exit_code == 0
    options = {"agents": 3, "steps": 77, "days": 9, "starts": 40}
    base = replace(SETTINGS, total_timesteps=77)
    kinds: Any = (("float32", 1.0), ("bf16", 1.0), ("float32", 0.0))
    assert told == [
        (replace(base, precision=precision), strength, options) for precision, strength in kinds
    ]
    report = json.loads((tmp_path / "it_learns.json").read_text())
    assert [row["name"] for row in report["rows"]] == ["row 1", "row 2", "row 3"]
    assert report["trainer_settings"]["total_timesteps"] == 77
    assert report["settings"] == {name: str(value) for name, value in options.items()}


@pytest.mark.parametrize("oracle", [1000.0, 0.0, -5.0])
def test_who_earned_what_is_shown_beside_the_oracle(
    oracle: float, capsys: pytest.CaptureFixture[str]
) -> None:
    it_learns.show(made("strength 1", 1.0, "float32", oracle), Console(width=100))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    shares = ["50%", "-25%", "100%", "-125%"] if oracle > 0 else [""] * 4
    earned = ["$500", "$-250", f"${oracle:,.0f}", "$-1,250"]
    names = ["agent 0", "agent 1", "oracle", "random"]
    rows = [" ".join(row).strip() for row in zip(names, earned, shares, strict=True)]
    assert lines == ["strength 1", "policy PnL of an episode of the oracle's", *rows]


def test_who_learns_nothing_acts_alone_or_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    signals = np.array([0, 2, 1], np.int8)
    session: Any = SimpleNamespace(session=lambda name: ("bars", name))
    held_out: Any = SimpleNamespace(bars=session, params="params", starts="starts")
    state: Any = SimpleNamespace(position=np.zeros(5), step_idx=np.array([2, 1, 1, 0, 2]))

    def follow(actions: Any, params: str, starts: str) -> Any:
        assert (params, starts) == ("params", "starts")
        return np.asarray(actions(it_learns.jax.random.key(0), state)).tolist()

    monkeypatch.setattr(it_learns, "follow", follow)
    monkeypatch.setattr(
        it_learns, "oracle_signals", lambda bars: signals if bars == ("bars", "rth") else None
    )
    found: dict[str, Any] = it_learns.baseline_returns(held_out)
    assert set(found.pop("random")) <= {0, 1, 2}
    assert found == {"oracle": [1, 2, 2, 0, 1], "never trades": [0] * 5, "always long": [1] * 5}
