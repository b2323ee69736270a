"""Worlds judged one by one: one fault of the port is one finding over all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parity.engine.diverge import Divergence, findings
from parity.engine.pair import Pair
from parity.suites.scenarios import Request, make_scenarios
from parity.suites.trading import Judge
from parity.suites.worlds import judge_world, record_world

SMALL = Request(
    episodes=4,
    cases=200,
    days=2,
    symbols=("ES", "MNQ"),
    workers=0,
    configurations=False,
    learner=False,
    seed=5,
)


def with_commission(pair: Pair, cents: int) -> Pair:
    """Return the pair whose port takes so many cents more."""
    params = pair.port.params
    market = params.market.replace(commission=params.market.commission + cents)
    return replace(pair, port=replace(pair.port, params=params.replace(market=market)))


@pytest.mark.slow
@pytest.mark.parametrize("cents", [0, 1])
def test_a_cent_of_commission_is_one_finding_on_two_symbols(cents: int) -> None:
    scenario = next(one for one in make_scenarios(SMALL) if one.name == "symbols")
    judge = Judge(SMALL, [scenario])
    pair = judge._pair("symbols")
    divergences: list[Divergence] = []
    for number, market in enumerate(judge.markets("symbols")):
        recorded = record_world(scenario, pair, number, SMALL.seed)
        wrong = with_commission(pair, cents)
        judged = judge_world(scenario, wrong, market, number, recorded, SMALL.seed)
        divergences += judged.divergences
    if not cents:
        assert divergences == []
        return
    assert len(divergences) == 4
    [found] = findings(divergences)
    assert "balance" in found.fields
    assert found.worlds == ["ES synthetic", "MNQ synthetic"]
    assert found.checks == ["replay", "generated"]
    assert found.smallest.looks_like == "logic"
    assert found.to_dict()["command"].startswith("rltrader parity case ")
