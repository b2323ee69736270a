"""Agents of Phase 2 with and without Phase 1's weights: how long each is trained and judged."""

from __future__ import annotations

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
from benchmarks.suites import transfer_gain
from benchmarks.suites.transfer_gain import Curve, TransferReport, compare, main


@pytest.mark.slow
def test_the_study_runs(tmp_path: Path) -> None:
    """Tiny: 2 seeds and one rollout a phase; what is gained in earnest is in the committed report."""
    sizes = {"agents": 2, "first": 1, "second": 1, "days": 3, "starts": 40, "points": 1}
    options = [part for name, value in sizes.items() for part in (f"--{name}", str(value))]
    result = CliRunner().invoke(main, [*options, "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    written = (tmp_path / "transfer_gain.json").read_bytes()
    report = msgspec.json.decode(written, type=TransferReport)
    size = SETTINGS.rollout_size
    assert report.phase_1.steps == report.transferred.steps == (size,)
    assert report.scratch.steps == (size, 2 * size)
    assert np.isfinite(report.scratch.pnl_dollars).all()
    assert np.shape(report.transferred.pnl_dollars) == (1, 2)


def test_the_comparison_is_at_equal_steps() -> None:
    ours = Curve(steps=(10, 20), pnl_dollars=((100.0, 50.0), (200.0, 150.0)))
    theirs = Curve(steps=(10, 20, 30), pnl_dollars=((0.0, 60.0), (190.0, 160.0), (300.0, 100.0)))
    on_the_way, equal_phase_2, equal_in_all = compare(ours, theirs, 20).values()
    assert on_the_way.transferred == (150.0, 100.0)
    assert on_the_way.scratch == (95.0, 110.0)
    assert on_the_way.better_in == 1
    assert equal_phase_2.scratch == (190.0, 160.0)
    assert equal_in_all.scratch == (300.0, 100.0)
    assert equal_in_all.better_in == 1


SIZE = SETTINGS.rollout_size


@pytest.mark.parametrize(
    ("first", "second", "points", "before", "every", "after"),
    [
        (3 * SIZE, 7 * SIZE, 2, 3, 3, 6),
        (2 * SIZE + 1, 4 * SIZE + 1, 2, 3, 2, 4),
        (1, 2 * SIZE, 5, 1, 1, 2),
    ],
)
def test_who_begins_from_nothing_is_trained_as_long_as_the_other_in_both_phases(
    first: int, second: int, points: int, before: int, every: int, after: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told: list[Any] = []

    def train(agent: Any, params: Any, settings: Any, updates: int, on_update: Any) -> Any:
        told.append((agent, params, settings, updates))
        for number in range(1, updates + 1):
            on_update(number, SimpleNamespace(updates=np.zeros(3), name=agent[0]))
        return ("trained", *agent), "curve", 1.0

    agents = transfer_gain.pattern_agents
    monkeypatch.setattr(agents, "make_params", lambda config, *more: (f"params {config.phase}", *more))
    monkeypatch.setattr(
        agents, "make_held_out", lambda config, *more: SimpleNamespace(config=config, more=more)
    )
    monkeypatch.setattr(agents, "train", train)
    monkeypatch.setattr(agents, "policy_return", lambda policy, held_out: (*policy, held_out.more))
    monkeypatch.setattr(
        transfer_gain, "policy_of", lambda agent, number, config, _: (agent.name, number, config.phase)
    )
    monkeypatch.setattr(transfer_gain, "fresh_agents", lambda *given: ("fresh", *given))
    monkeypatch.setattr(transfer_gain, "begin_with_each", lambda *given: ("begun", *given))
    monkeypatch.setattr(transfer_gain, "compare", lambda *given: given)
    monkeypatch.setattr(transfer_gain, "TransferReport", lambda **values: SimpleNamespace(**values))
    options = {"agents": 3, "days": 9, "starts": 40, "first": first, "second": second, "points": points}
    report: Any = transfer_gain.measure(options)
    one = replace(SETTINGS, total_timesteps=before * SIZE)
    two = replace(SETTINGS, total_timesteps=(before + after) * SIZE)
    params = [(f"params {phase}", 9, 1.0) for phase in (1, 2)]
    fresh = ("fresh", params[0], one, 3)
    new = ("fresh", params[1], two, 3)
    assert told == [
        (fresh, params[0], one, before),
        (("begun", new, ("trained", *fresh), params[1], two.network), params[1], two, after),
        (new, params[1], two, before + after),
    ]
    assert (report.steps_phase_1, report.steps_phase_2) == (before * SIZE, after * SIZE)
    judged = (9, 1.0, 40)

    def curve(name: str, phase: int, updates: range) -> Curve:
        each: Any = tuple((name, number, phase, judged) for number in range(3))
        steps = tuple(number * SIZE for number in updates)
        return Curve(steps=steps, pnl_dollars=(each,) * len(steps))

    assert report.phase_1 == curve("fresh", 1, range(before, before + 1))
    assert report.transferred == curve("begun", 2, range(every, after + 1, every))
    assert report.scratch == curve("fresh", 2, range(every, before + after + 1, every))
    assert report.gain == (report.transferred, report.scratch, after * SIZE)
    assert report.settings == {name: str(value) for name, value in options.items()}


def test_what_each_gained_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    gain = transfer_gain.Gain(transferred=(1500.0, 500.0), scratch=(-4.0, 10.0), better_in=1)
    report: Any = SimpleNamespace(gain={"at_equal_steps_dollars": gain})
    transfer_gain.show(report, Console(width=120))
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "mean PnL of an episode, $ from Phase 1 from scratch better in",
        "at equal steps 1,000 (500 to 1,500) 3 (-4 to 10) 1 of 2",
    ]


@pytest.mark.parametrize("name", ["agents", "first", "second", "points"])
def test_a_study_of_nothing_is_refused(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(main, [f"--{name}", "0", "--out", str(tmp_path)])
    assert "must be at least 1" in str(done.exception)
