"""Parameters, flags and stops are exact whole numbers at every value, however odd or far apart."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import CLOSE, TRAIL
from jax_port.envs import env_phase2_jax as phase2
from jax_port.envs.registry import phase_of
from jax_port.envs.state import bar_at, quotient
from markets import EnvConfig
from markets.limits import SHAPING, reward_scale


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("divisor", [0.01, 1.0, 100.0, 12.5])
def test_reward_terms_are_exact_whole_units(world: Callable[..., Any], divisor: float) -> None:
    """Also of 0.29, which in floats is 28.999999999999996 hundredths; of each term, and below zero."""
    market = world().params.market
    base = {"window_size": 2, "warmup_bars": 20, "session": "all", "max_episode_bars": 10}
    for number, thousandths in enumerate(range(-1_000, 1_000, 3)):
        name = SHAPING[number % len(SHAPING)]
        value = thousandths / 1_000
        config = EnvConfig.phase1(**base, pnl_divisor_dollars=divisor, **{name: value})
        made = phase_of(config).make_params(market, config)
        scale = reward_scale(config.reward)
        unit = int(Decimal(str(divisor)) * 100) * scale
        assert (int(made.reward_unit), int(made.cent_reward)) == (unit, scale)
        for term in SHAPING:
            exact = Decimal(str(getattr(config.reward, term))) * unit
            assert int(getattr(made, term)) == exact == exact.to_integral_value(), (term, value)


def test_amounts_are_exact_cents(world: Callable[..., Any]) -> None:
    market = world().params.market
    base = {"window_size": 2, "warmup_bars": 20, "session": "all", "max_episode_bars": 10}
    for cents in [*range(1, 2_000, 7), 2**24 + 1, 2**30 + 1, 123_456_789]:
        config = EnvConfig.phase2(
            **base,
            initial_balance_dollars=cents / 100,
            trailing_drawdown_dollars=(cents + 3) / 100,
            floor_lock_dollars=-(cents + 1) / 100,
        )
        made = phase_of(config).make_params(market, config)
        found = [
            int(np.asarray(getattr(made, name)))
            for name in ("initial_balance", "trailing_drawdown", "floor_lock")
        ]
        assert found == [cents, cents + 3, -cents - 1]


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_quotient_is_the_float32_nearest_to_the_exact_one(dtype: type) -> None:
    """Of whole numbers of 31 bits, by one of 24 or fewer; shared or not, also where it is widened."""
    rng = np.random.default_rng(2)
    divisors = [1, 3, 7, 390, 10_000, 2**24 - 1, *rng.integers(1, 2**24, 200).tolist()]
    tops = [0, 1, -1, 2**31 - 1, 1 - 2**31, 2**24 + 1, *rng.integers(1 - 2**31, 2**31, 200).tolist()]
    a = np.array([tops[number % len(tops)] for number in range(len(divisors))], np.int32)
    b = np.array(divisors, np.int32).astype(dtype)
    found = np.asarray(jax.jit(quotient)(a, b))
    assert found.dtype == np.float32
    for top, divisor, near in zip(a.tolist(), b.tolist(), found, strict=True):
        exact = Fraction(top) / Fraction(divisor)
        apart = abs(Fraction(float(near)) - exact)
        for other in (np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf))):
            assert apart <= abs(Fraction(float(other)) - exact), (top, divisor)
    shared = jax.jit(jax.vmap(quotient, in_axes=(0, None)))(a, b[3])
    np.testing.assert_array_equal(shared, (a.astype(np.float64) / 390).astype(np.float32))
    with jax.enable_x64(True):
        widened = jax.jit(lambda a, b: quotient(a, b).astype(jnp.float64))(a, b)
    np.testing.assert_array_equal(widened, found.astype(np.float64))


@pytest.mark.parametrize(("phase", "more"), [(1, 5), (2, 8)])
def test_an_observation_is_as_long_as_its_features_and_window_make_it(
    world: Callable[..., Any], phase: int, more: int
) -> None:
    """With advice a bar has fifteen; gymnax asks for the length of an episode by its own name."""
    params = world(phase=phase, window_size=3, max_episode_bars=9).params
    assert (params.obs_size, int(params.max_steps_in_episode)) == (3 * 11 + more, 9)
    advice = jnp.arange(4 * len(params.market.bars), dtype=jnp.float32).reshape(-1, 4)
    wide = jnp.concatenate([params.market.features, advice], axis=1)
    advised = params.replace(market=params.market.replace(features=wide))
    assert advised.obs_size == 3 * 15 + more
    state = phase_of(params).reset_at(jnp.int32(0), advised)
    obs = phase_of(params).observe(state, advised)
    start = int(state.step_idx)
    np.testing.assert_array_equal(obs[:45], wide[start - 3 : start].reshape(-1))
    assert obs.shape == (45 + more,)


POWERS = [2**power + more for power in (0, 8, 15, 16, 23) for more in (-1, 0, 1)]
FAR = sorted({sign * ticks for sign in (-1, 1) for ticks in POWERS})
"""Ticks between two prices."""


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("trailing", [False, True])
def test_flags_masks_and_stops_are_those_of_plain_integers(
    world: Callable[..., Any], side: int, trailing: bool
) -> None:
    w = world(phase=2)
    fresh = w.reset()
    bar = np.asarray(bar_at(w.params, fresh.step_idx))
    close, trail = int(bar[CLOSE]), int(bar[TRAIL])
    entries, stops = (grid.ravel() for grid in np.meshgrid(FAR, FAR))
    entries, stops = close + entries, close + stops
    count = len(entries)
    state = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (count,)), fresh).replace(
        position=jnp.full(count, side, jnp.int32),
        entry_price=jnp.asarray(entries, jnp.int32),
        sl_price=jnp.asarray(stops, jnp.int32),
        trailing=jnp.full(count, trailing),
    )
    locked = side * (stops - entries) >= 0
    ahead = side * (close - entries) > 0
    assert 0 < locked.sum() < count
    assert 0 < (ahead & locked).sum() < count
    np.testing.assert_array_equal(jax.vmap(phase2.at_break_even)(state), locked)
    masks = np.asarray(phase2.batch_action_masks(state, w.params))
    expected = [
        np.ones(count, bool),
        np.zeros(count, bool),
        np.zeros(count, bool),
        ahead & ~locked,
        ahead & locked & (not trailing),
        np.full(count, trailing),
    ]
    np.testing.assert_array_equal(masks, np.stack(expected, axis=1))
    flags = np.asarray(jax.vmap(phase2.observe_position, in_axes=(0, None))(state, w.params))[:, 5:]
    np.testing.assert_array_equal(
        flags, np.stack([np.zeros(count), locked, np.full(count, trailing)], axis=1)
    )
    for action in range(phase2.NUM_ACTIONS):
        after, _ = jax.vmap(phase2.manage, in_axes=(0, None, None, None))(
            state, w.params, jnp.asarray(bar), jnp.int32(action)
        )
        wanted = entries + side if action == phase2.BREAK_EVEN else stops
        trails = (trailing or action == phase2.TRAIL_ON) and action != phase2.TRAIL_OFF
        candidate = close - side * trail
        if trails:
            wanted = np.maximum(wanted, candidate) if side > 0 else np.minimum(wanted, candidate)
        np.testing.assert_array_equal(after.sl_price, wanted)
        assert np.asarray(after.trailing).all() == trails
