"""The NumPy environments follow the same rules: the parity engine drives them as it drives the port."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.baselines.numpy_env import FIELDS, NumpyEnvs
from jax_port.data.data_loader import PreparedMarket, prepare
from markets import EnvConfig
from markets.synthetic.stress import stress_bars
from parity.engine.generate import seeded_cases
from parity.engine.pair import BatchStep, FunctionalSide, Pair
from parity.engine.record import record_cases, record_episodes
from parity.engine.replay import replay
from parity.engine.verify import CheckResult, judge_cases, judge_replay
from parity.pairs.trading import World, trading_pair
from parity.suites.scenarios import ODD

INTS = ("exit_code", "done_reason", "trade_pnl")
FLAGS = ("terminated", "truncated", "violation", "forbidden")
Make = Callable[[PreparedMarket, EnvConfig, int], NumpyEnvs]


def _side(market: PreparedMarket, config: EnvConfig, make: Make) -> FunctionalSide:
    """Return the NumPy environments as the engine drives a port; every call goes out to NumPy."""
    size = config.window_size * 11 + 5
    one = make(market, config, 1)  # here, since a callback must not call JAX
    one.reset()
    first = {name: int(one.state[name][0]) for name in FIELDS}

    def fill(state: dict[str, Any]) -> NumpyEnvs:
        envs = copy(one)
        envs.state = {name: np.array(state[name]) for name in FIELDS}
        envs.obs = np.empty((len(envs.state["step_idx"]), size), np.float32)
        return envs

    def like(state: dict[str, Any]) -> dict[str, Any]:
        return {name: jax.ShapeDtypeStruct(state[name].shape, jnp.int32) for name in FIELDS}

    def step(key: Any, state: Any, actions: Any, params: Any) -> BatchStep:
        def out(state: Any, actions: Any) -> Any:
            envs = fill(state)
            outcome = envs.advance(np.asarray(actions))
            final = {name: envs.state[name].copy() for name in FIELDS}
            final_obs = envs.observe().copy()
            done = np.flatnonzero(outcome["terminated"] | outcome["truncated"])
            envs._begin(done)
            return envs.observe(), envs.state, final_obs, final, outcome

        count = actions.shape[0]
        obs = jax.ShapeDtypeStruct((count, size), jnp.float32)
        outcome = {
            "reward": jax.ShapeDtypeStruct((count,), jnp.float32),
            **{name: jax.ShapeDtypeStruct((count,), jnp.int32) for name in INTS},
            **{name: jax.ShapeDtypeStruct((count,), jnp.bool_) for name in FLAGS},
        }
        shapes = (obs, like(state), obs, like(state), outcome)
        return BatchStep(*jax.pure_callback(out, shapes, state, actions))

    def read(name: str, shape: tuple[int, ...], dtype: Any) -> Callable[[Any, Any], Any]:
        def ask(state: Any, params: Any) -> Any:
            count = state["step_idx"].shape[0]
            shapes = jax.ShapeDtypeStruct((count, *shape), dtype)
            return jax.pure_callback(lambda s: getattr(fill(s), name)(), shapes, state)

        return ask

    def begin(worlds: Any, starts: Any, params: Any) -> Any:
        start = {name: jnp.full_like(starts, value) for name, value in first.items()}
        return {**start, "step_idx": starts, "episode_start": starts}

    return FunctionalSide(
        params=jnp.zeros(()),
        begin=begin,
        inject=lambda worlds, fields, params: {name: fields[name] for name in FIELDS},
        step=step,
        observe=read("observe", (size,), jnp.float32),
        masks=read("action_masks", (3,), jnp.bool_),
        read=lambda state, params: {**state, "market": jnp.zeros_like(state["step_idx"])},
        form="NumPy",
    )


def _results(config: EnvConfig, make: Make = NumpyEnvs) -> list[CheckResult]:
    world = World("ES stress", stress_bars("ES", seed=3), "")
    market = prepare(world.bars, config)
    pair: Pair = trading_pair([world], config, [market])
    pair = replace(pair, port=_side(market, config, make))
    episodes = record_episodes(pair, 0, 6, np.random.default_rng(1))
    cases = seeded_cases(pair, 0, 1500, np.random.default_rng(2))
    transitions = record_cases(pair, cases)
    results = judge_replay(pair, episodes, replay(pair, episodes))
    return [*results, judge_cases(pair, transitions, replay(pair, transitions))]


@pytest.mark.costly
@pytest.mark.parametrize("settings", [{"max_episode_bars": 120}, ODD], ids=["defaults", "odd"])
def test_it_is_the_reference(settings: dict[str, Any]) -> None:
    results = _results(EnvConfig.phase1(**settings))
    assert [result.first for result in results if not result.passed] == []
    assert sum(result.compared for result in results) > 1800


@pytest.mark.costly
def test_a_planted_fault_is_seen() -> None:
    class Cheap(NumpyEnvs):
        def _close(self, rows: Any, price: Any) -> Any:
            self.state["balance"][rows] += self._commission
            return super()._close(rows, price)

    results = _results(EnvConfig.phase1(max_episode_bars=120), Cheap)
    assert not all(result.passed for result in results)


def test_a_trade_that_gains_nothing_is_lost() -> None:
    """Section 6, step 7: of a tick more, of what the commission costs exactly, and of a tick less."""
    config = EnvConfig.phase1()
    market = prepare(stress_bars("ES", seed=3), config)
    envs = NumpyEnvs(market, config, 3, seed=1)
    envs.reset()
    envs._commission, envs._tick = 625, 1250
    envs.state["position"][:], envs.state["entry_price"][:] = [1, -1, 1], [100, 100, 100]
    pnl = envs._close(np.arange(3), np.array([102, 99, 100]))
    assert pnl.tolist() == [1250, 0, -1250]
    assert envs.state["winning_trades"].tolist() == [1, 0, 0]
    assert envs.state["losing_trades"].tolist() == [0, 1, 1]
    assert envs.state["total_pnl"].tolist() == [1250, 0, -1250]


def test_episodes_begin_anew_by_themselves() -> None:
    config = EnvConfig.phase1(max_episode_bars=30)
    market = prepare(stress_bars("ES", seed=3), config)
    envs = NumpyEnvs(market, config, 64, seed=1)
    obs = envs.reset()
    assert obs.shape == (64, 225)
    rng, ended = np.random.default_rng(0), 0
    for _ in range(70):
        actions = np.where(envs.state["position"] == 0, rng.integers(0, 3, 64), 0)
        obs, outcome = envs.step(actions)
        done = outcome["terminated"] | outcome["truncated"]
        ended += int(done.sum())
        fresh = envs.state["step_idx"][done]
        assert np.isin(fresh, market.starts).all()
        assert (envs.state["balance"][done] == 5_000_000).all()
        assert np.isfinite(obs).all()
    assert ended >= 128


BREACHED = {"max_episode_bars": 60, "trailing_drawdown_dollars": 150.0}
"""An account so small that open trades are sold because of it."""
LATE = {"max_episode_bars": 60, "sl_atr_mult": 50.0, "flat_by_minute": 700}
"""Stops out of reach, and a bell that rings while trades are still opened."""


@pytest.mark.parametrize(
    "settings",
    [{"max_episode_bars": 60}, ODD, BREACHED, LATE],
    ids=["defaults", "odd", "breached", "late"],
)
def test_every_step_is_the_reference_s(settings: dict[str, Any]) -> None:
    """Three environments side by side, each at its own place, with forbidden actions among them."""
    config = EnvConfig.phase1(**settings)
    world = World("ES stress", stress_bars("ES", seed=3), "")
    market = prepare(world.bars, config)
    side: Any = trading_pair([world], config, [market]).reference
    envs, lanes = NumpyEnvs(market, config, 3, seed=1), [side.make(0) for _ in range(3)]
    obs, rng, seen = envs.reset(), np.random.default_rng(2), np.zeros(3, int)

    def begin(rows: Any) -> None:
        for row in rows:
            side.reset(lanes[row], int(envs.state["step_idx"][row]))

    begin(range(3))
    for _ in range(250):
        actions = rng.choice([0, 1, 2], size=3, p=[0.6, 0.2, 0.2])
        outcome = envs.advance(actions)
        obs = envs.observe()
        for row, lane in enumerate(lanes):
            theirs, reward, terminated, truncated, _ = lane.step(int(actions[row]))
            np.testing.assert_allclose(obs[row], theirs, rtol=1e-5, atol=1e-5)
            assert outcome["reward"][row] == pytest.approx(reward, abs=1e-5)
            assert (outcome["terminated"][row], outcome["truncated"][row]) == (terminated, truncated)
            told = side.read(lane)
            assert {name: int(envs.state[name][row]) for name in FIELDS} == {
                name: int(told[name]) for name in FIELDS
            }
        seen += [outcome["forbidden"].sum(), (outcome["trade_pnl"] != 0).sum(), 0]
        done = np.flatnonzero(outcome["terminated"] | outcome["truncated"])
        seen[2] += len(done)
        envs._begin(done)
        begin(done)
    assert (seen > [20, 10, 2]).all()
