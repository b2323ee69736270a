"""The measure of what advice costs: the ways are played in turns, and each does what it says."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.suites import advice_cost
from markets.advice.fusion import FusionSettings


@pytest.mark.slow
def test_ways_take_turns_and_are_compared_with_the_bare_policy() -> None:
    found = advice_cost.measure(days=2, episodes=8, turns=2)
    assert {name: len(some) for name, some in found["processor_seconds"].items()} == {
        "bare": 2,
        "fused": 2,
        "prior": 2,
    }
    best = {name: min(some) for name, some in found["processor_seconds"].items()}
    assert found["ratios"]["fused"]["of_the_best"] == best["fused"] / best["bare"]
    assert found["episodes"] == 8


def test_the_rules_advise_on_every_bar_after_the_warm_up() -> None:
    from jax_port.data.data_loader import prepare
    from markets.synthetic.pattern import pattern_bars

    market = prepare(pattern_bars(days=2, seed=1), advice_cost.CONFIG)
    bars = advice_cost.of_rules(market)
    assert bars.given.sum() == len(market) - advice_cost.CONFIG.warmup_bars
    assert (bars.known[:-1] == range(1, len(market))).all()
    assert bars.advice.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_turns_after_the_first_are_counted_and_compared_with_the_bare_policy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    played: list[Any] = []
    market = SimpleNamespace(starts=list(range(10)))
    takes = {"bare": iter([9.0, 4.0, 2.0, 3.0]), "fused": iter([9.0, 6.0, 5.0, 8.0])}
    takes["prior"] = iter([9.0, 3.0, 7.0, 2.0])
    clock = [0.0]

    def evaluate(policy: Any, seen: Any, rows: Any, advice: Any = None) -> None:
        played.append((policy, seen, rows, advice))
        way = "fused" if advice else "prior" if isinstance(policy, tuple) else "bare"
        clock[0] += next(takes[way])

    monkeypatch.setattr(advice_cost, "prepare", lambda bars, config: market)
    monkeypatch.setattr(advice_cost, "of_rules", lambda market: "answers")
    monkeypatch.setattr(advice_cost, "made_policy", lambda market: "policy")
    monkeypatch.setattr(advice_cost, "replace", lambda policy, advice: (policy, advice))
    monkeypatch.setattr(advice_cost, "with_advice", lambda market, bars, use: ("advised", bars, use))
    monkeypatch.setattr(advice_cost, "evaluate", evaluate)
    monkeypatch.setattr(advice_cost, "time", SimpleNamespace(process_time=lambda: clock[0]))
    found = advice_cost.measure(2, 4, 3)
    assert found["processor_seconds"] == {
        "bare": [4.0, 2.0, 3.0], "fused": [6.0, 5.0, 8.0], "prior": [3.0, 7.0, 2.0],
    }  # fmt: skip
    assert found["ratios"] == {
        "fused": {"of_the_best": 2.5, "of_the_medians": 2.0},
        "prior": {"of_the_best": 1.0, "of_the_medians": 1.0},
    }
    assert (found["episodes"], found["turns"], found["most"]) == (4, 3, 1.1)
    assert len(played) == 12
    assert {tuple(rows) for _, _, rows, _ in played} == {(0, 2, 4, 6)}
    (bare, fused, (own, use)), seen = [one[0] for one in played[:3]], [one[1] for one in played[:3]]
    assert (bare, fused, own, use.way) == ("policy", "policy", "policy", "prior")
    assert seen == [market, market, ("advised", "answers", use)]
    advised = played[1][3]
    assert (advised.bars, advised.settings) == ("answers", FusionSettings())


@pytest.mark.parametrize(("best", "code"), [(1.1, 0), (1.11, 1), (0.9, 0)])
def test_advice_may_cost_a_tenth_more_and_no_more(
    best: float, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, ...]] = []
    ratios = {"fused": {"of_the_best": 1.0, "of_the_medians": 2.0}}
    ratios["prior"] = {"of_the_best": best, "of_the_medians": 1.0}
    found = {"ratios": ratios, "turns": 3, "episodes": 1234}
    monkeypatch.setattr(advice_cost, "measure", lambda *given: asked.append(given) or found)
    out = tmp_path / "cost.json"
    words = ["--days", "5", "--episodes", "6", "--turns", "7", "--out", str(out)]
    done = CliRunner().invoke(advice_cost.main, words)
    assert (done.exit_code, asked) == (code, [(5, 6, 7)])
    assert json.loads(out.read_text()) == found
    assert done.output.splitlines()[0] == (
        "fused: 1.000 times the bare policy's processor time at best, 2.000 between the medians, of 3 "
        "turns of 1,234 episodes"
    )
