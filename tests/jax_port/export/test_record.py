"""What is written down of an episode is what the environment does, up to its end and no further."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.export.record import record
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.made_policy import make_policy

CONFIG = EnvConfig.phase2(
    window_size=2, warmup_bars=30, max_episode_bars=60, trailing_drawdown_dollars=300.0
)
EPISODES = 24


@pytest.mark.costly
def test_an_episode_is_alive_up_to_the_step_that_ends_it() -> None:
    """Some episodes break the floor and some reach their last bar; both are replayed step by step."""
    market = prepare(synthetic_bars("ES", days=2, seed=5), CONFIG)
    starts = np.arange(EPISODES, dtype=np.int64) * 5
    seen = record(make_policy(market, CONFIG, seed=3), market, starts, explore=1.0, seed=1)
    params = phase_of(CONFIG).make_params(stack([market]), CONFIG)
    phase = phase_of(CONFIG)
    advance = jax.jit(jax.vmap(phase.advance, in_axes=(0, 0, None)))
    state = jax.vmap(phase.reset_at, in_axes=(0, None))(jnp.asarray(starts, jnp.int32), params)
    alive, terminated_ones, truncated_ones = np.ones(EPISODES, bool), 0, 0
    for step in range(CONFIG.max_episode_bars):
        np.testing.assert_array_equal(seen.alive[step], alive)
        np.testing.assert_array_equal(seen.row[step][alive], np.asarray(state.step_idx)[alive])
        after, outcome = advance(state, jnp.asarray(seen.taken[step]), params)
        opened = alive & np.asarray(after.num_trades > state.num_trades)
        np.testing.assert_array_equal(seen.entered[step] != 0, opened)
        closed = alive & np.asarray(outcome.exit_code > 0)
        np.testing.assert_array_equal(seen.exited[step], closed)
        for name, price in (("entry", "entry_price"), ("target", "tp_price")):
            held = opened & ~closed
            ticks = np.asarray(getattr(after, price))
            np.testing.assert_array_equal(getattr(seen, name)[step][held], ticks[held])
            assert not getattr(seen, name)[step][~opened].any()
        state = after
        terminated_ones += int((alive & np.asarray(outcome.terminated)).sum())
        truncated_ones += int((alive & np.asarray(outcome.truncated)).sum())
        alive &= ~np.asarray(outcome.terminated | outcome.truncated)
    assert terminated_ones > 2
    assert truncated_ones > 2
    assert not alive.any()
    assert seen.entered.any()
