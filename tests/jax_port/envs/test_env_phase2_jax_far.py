"""Phase 2's flags, masks and stops in whole numbers, however far prices lie apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import CLOSE, TRAIL
from jax_port.envs import env_phase2_jax as phase2
from jax_port.envs.state import bar_at

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
