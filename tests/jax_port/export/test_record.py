"""What is written down of an episode is what the environment does, up to its end and no further."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.data.features import compute_features, compute_ticks
from jax_port.envs.registry import phase_of
from jax_port.export.record import record
from jax_port.export.stages import in_float64, lead
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


def test_what_is_wanted_taken_and_opened_is_the_policys_the_masks_and_the_rules() -> None:
    bars = synthetic_bars("ES", days=2, seed=5)
    market = prepare(bars, CONFIG)
    policy = make_policy(market, CONFIG, seed=3)
    starts = np.array([0, 40, 111], np.int64)
    plays = [record(policy, market, starts, explore=share, seed=seed)
             for share, seed in ((0.0, 1), (0.5, 1), (0.5, 1), (0.5, 2))]  # fmt: skip
    np.testing.assert_array_equal(plays[0].taken, plays[0].wanted)
    np.testing.assert_array_equal(plays[1].taken, plays[2].taken)
    assert (plays[1].taken != plays[3].taken).any()
    ticks = compute_ticks(bars.session("rth"), compute_features(bars.session("rth")), CONFIG)
    for seen in plays:
        alive = seen.alive
        assert (alive[1:] <= alive[:-1]).all()  # what has ended stays so
        assert not ((seen.entered != 0) | seen.exited)[~alive].any()
        assert seen.exited.sum(axis=0).tolist() == (seen.entered != 0).sum(axis=0).tolist()
        np.testing.assert_array_equal(seen.row[0], market.starts[starts])
        assert np.take_along_axis(seen.masks, seen.taken[..., None], axis=2)[..., 0][alive].all()
        exact = in_float64(policy, seen.obs[alive], seen.masks[alive])
        clear = lead(exact["action_head"], seen.masks[alive]) > 1e-4
        np.testing.assert_array_equal(exact["action"][clear], seen.wanted[alive][clear])
        opened = seen.entered != 0
        assert opened.sum() > 3
        rows, side = seen.row[opened], seen.entered[opened].astype(np.int64)
        np.testing.assert_array_equal(side, np.where(seen.taken[opened] == 1, 1, -1))
        assert np.isin(seen.taken[opened], (1, 2)).all()
        slippage = market.contract.slippage_ticks
        entry = ticks.close[rows] + side * slippage
        np.testing.assert_array_equal(seen.entry[opened], entry)
        np.testing.assert_array_equal(seen.stop[opened], entry - side * ticks.stop[rows])
        np.testing.assert_array_equal(seen.target[opened], entry + side * ticks.target[rows])
        for name in ("entry", "stop", "target"):
            assert not getattr(seen, name)[~opened].any()
    explored = plays[3].taken != plays[3].wanted
    assert 0.03 < explored[plays[3].alive].mean() < 0.5  # mostly one action is allowed


def test_a_lead_is_that_of_the_best_allowed_over_the_next_allowed() -> None:
    logits = np.array(
        [[1.0, 5.0, 3.5], [1.0, 5.0, 3.5], [1.0, 5.0, 3.5], [-2e9, 2.0, 2.0], [7, 1, -3e9]]
    )
    masks = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 1, 1]], bool)
    assert lead(logits, masks).tolist() == [1.5, 2.5, np.inf, 0.0, 3e9 + 1]
