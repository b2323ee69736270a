"""Agents on the pattern market: which bars they see, their curve, and what they are judged by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.baselines import pattern_agents
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.synthetic.pattern import pattern_bars

CONFIG = EnvConfig.phase1()


@pytest.mark.parametrize(("days", "judged"), [(24, 6), (16, 4), (9, 4)])
def test_they_are_judged_on_a_quarter_of_the_days_of_another_seed(days: int, judged: int) -> None:
    held_out = pattern_agents.make_held_out(CONFIG, days, 0.5, 40)
    bars = pattern_bars("ES", days=judged, seed=99, strength=0.5)
    assert held_out.bars.digest == bars.digest
    count = len(prepare(bars, CONFIG).starts)
    assert held_out.config == CONFIG
    assert held_out.starts.dtype == np.int64
    assert len(held_out.starts) == 40
    assert (np.diff(held_out.starts) >= 0).all()
    assert 0 <= held_out.starts[0] < held_out.starts[-1] < count
    again = pattern_agents.make_held_out(CONFIG, days, 0.5, 40)
    np.testing.assert_array_equal(held_out.starts, again.starts)
    assert len(pattern_agents.make_held_out(CONFIG, 4, 0.5, 10**6).starts) <= 4 * 450


def test_they_are_trained_on_all_days_of_the_first_seed() -> None:
    params = pattern_agents.make_params(CONFIG, 3, 0.5)
    market = prepare(pattern_bars("ES", days=3, seed=1, strength=0.5), CONFIG)
    np.testing.assert_array_equal(np.asarray(params.market.features)[: len(market)], market.features)


def test_the_curve_is_each_update_s_mean_of_what_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    pnl = [[[100.0, 0.0]], [[900.0, -300.0]], [[50.0, 700.0]]]
    ended = [[[1, 0]], [[3, 2]], [[0, 7]]]
    told: list[Any] = []
    clock = iter([0.0, 10.0, 15.0])

    def program(agent: Any, hyper: Any, params: Any) -> Any:
        number = agent.number
        assert (hyper, params) == ("hyper", "params")
        ends = SimpleNamespace(pnl=jnp.array(pnl[number]), episodes=jnp.array(ended[number]))
        return SimpleNamespace(number=number + 1, updates=agent.updates), SimpleNamespace(ends=ends)

    settings: Any = "settings"
    monkeypatch.setattr(pattern_agents, "agents_hyper", lambda *given: told.append(given) or "hyper")
    monkeypatch.setattr(pattern_agents, "make_train", lambda *given: told.append(given) or program)
    monkeypatch.setattr(pattern_agents, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    agent: Any = SimpleNamespace(number=0, updates=np.zeros(2))
    seen: list[Any] = []
    params: Any = "params"
    trained, curve, seconds = pattern_agents.train(
        agent, params, settings, 3, lambda number, now: seen.append((number, now.number))
    )
    assert told == [("settings", 2), ("settings", 1, 2)]
    assert (trained.number, seconds) == (3, 5.0)
    assert seen == [(1, 1), (2, 2), (3, 3)]
    assert curve.dtype == np.float64
    np.testing.assert_allclose(curve, [[1.0, 0.0], [3.0, -1.5], [0.5, 1.0]])


def test_a_policy_s_return_is_the_mean_over_all_parts_in_dollars(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = [(SimpleNamespace(pnl=np.array(each)), "more") for each in ([100, 300], [500, -100, 1200])]
    held_out: Any = SimpleNamespace(params="params", starts="starts")
    told: list[Any] = []
    monkeypatch.setattr(pattern_agents, "play", lambda *given: told.append(given) or parts)
    policy: Any = "policy"
    assert pattern_agents.policy_return(policy, held_out) == 4.0
    assert told == [("policy", "params", "starts", 0)]
