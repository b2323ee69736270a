"""The measure of what advice costs: the ways are played in turns, and each does what it says."""

from __future__ import annotations

import pytest

from benchmarks.suites import advice_cost


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
