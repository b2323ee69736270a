"""A rollout replayed step by step in NumPy, and one step's account by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.typing import NDArray

from jax_port.envs import env_phase1_jax as env
from jax_port.envs.phase import Transition
from jax_port.envs.state import EnvParams, EnvState, Outcome
from jax_port.ppo.fast import gpu_rollout
from jax_port.ppo.fast.gpu_network import GpuNetwork
from jax_port.ppo.networks import Network
from jax_port.ppo.rollout import RolloutState, _account, collect, count_codes, init_rollout_state
from jax_port.ppo.running_statistics import RewardNormalizer, RunningMoments

Real = NDArray[np.float64]


class Moments:
    """Mean and variance of all that was seen, in NumPy (Chan, Golub and LeVeque 1979)."""

    def __init__(self, moments: RunningMoments) -> None:
        self.mean, self.var, self.count = (
            np.asarray(x, np.float64) for x in (moments.mean, moments.var, moments.count)
        )

    def see(self, batch: Real) -> None:
        size, apart = len(batch), batch.mean(0) - self.mean
        total = self.count + size
        spread = self.var * self.count + batch.var(0) * size
        self.mean = self.mean + apart * size / total
        self.var = (spread + apart**2 * self.count * size / total) / total
        self.count = total

    def scaled(self, x: Real) -> Real:
        return np.clip((x - self.mean) / np.sqrt(self.var + 1e-8), -10.0, 10.0)

    def holds(self, moments: RunningMoments) -> None:
        for ours, its in ((moments.mean, self.mean), (moments.var, self.var)):
            assert ours.dtype == np.float64
            np.testing.assert_allclose(ours, its, rtol=1e-9, atol=1e-12)
        assert float(moments.count) == pytest.approx(float(self.count), rel=1e-12)


ENDED = np.array([False, True, True, False, True, True])
BEFORE = [0.5, -1.0, 2.0, 4.0, 0.25, -8.0]
REWARDS = [1.0, 2.0, -4.0, 0.5, 8.0, 16.0]


def _state(**known: list[int]) -> EnvState:
    return EnvState(
        **{one.name: jnp.array(known.get(one.name, [0] * 6), jnp.int32) for one in fields(EnvState)}
    )


def _moved() -> Transition:
    """Six environments: two go on, and of the others each ends for a reason of its own."""
    reasons = jnp.array([0, 1, 2, 0, 3, 4], jnp.int32)
    nothing = jnp.zeros(6, jnp.int32)
    outcome = Outcome(
        reward=jnp.array(REWARDS, jnp.float32),
        terminated=jnp.array([False, True, True, False, False, False]),
        truncated=jnp.array([False, False, False, False, True, True]),
        exit_code=nothing + 1,
        done_reason=reasons,
        trade_pnl=nothing + 7,
        violation=nothing > 1,
        forbidden=nothing > 1,
    )
    final = _state(
        step_idx=[100, 203, 305, 407, 511, 613],
        episode_start=[90, 200, 300, 400, 500, 600],
        balance=[10_000, 9_000, 8_500, 7_000, 12_000, 20_000],
        highest_balance=[90_000, 9_100, 8_700, 80_000, 12_400, 20_800],
        total_pnl=[1, 20, 300, 4_000, 50_000, -600_000],
        num_trades=[1, 2, 4, 8, 16, 32],
        winning_trades=[1, 1, 3, 7, 9, 30],
    )
    begun = _state(
        step_idx=[100, 7, 8, 407, 9, 10],
        episode_start=[90, 7, 8, 400, 9, 10],
        balance=[10_000, 5, 5, 7_000, 5, 5],
        highest_balance=[90_000, 50, 50, 80_000, 50, 50],
    )
    obs = jnp.array([[1.0, 2], [3, 5], [7, 11], [13, 17], [19, 23], [29, 31]])
    return Transition(obs, begun, outcome, obs + 1000.0, final)


@pytest.mark.parametrize("norm_reward", [False, True])
def test_a_step_s_account_by_hand(norm_reward: bool) -> None:
    moved = _moved()
    with jax.enable_x64(True):
        seen = RunningMoments(jnp.array([10.0, -3.0]), jnp.array([4.0, 9.0]), jnp.float64(3.0))
        of_returns = RunningMoments(jnp.float64(0.5), jnp.float64(2.0), jnp.float64(5.0))
        returns = jnp.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    actor = RolloutState(
        env_state=_state(),
        moments=seen,
        rewards=RewardNormalizer(returns, of_returns),
        episode_start=jnp.array([True, False, False, False, False, True]),
        episode_reward=jnp.array(BEFORE, jnp.float32),
    )
    after, rewards, ends = jax.jit(_account, static_argnums=3)(
        actor, moved, jnp.float32(0.5), norm_reward
    )

    assert (float(ends.reward), float(ends.pnl)) == (1.0 - 2.0 + 8.25 + 8.0, -549_680.0)
    assert (int(ends.episodes), int(ends.length), float(ends.drawdown)) == (4, 32, 1_500.0)
    assert (int(ends.trades), int(ends.wins), ends.reasons.tolist()) == (54, 43, [0, 1, 1, 1, 1])
    assert ends.actions.shape == (0,)

    for one in fields(EnvState):
        assert getattr(after.env_state, one.name).tolist() == getattr(moved.state, one.name).tolist()
    observed = Moments(seen)
    observed.see(np.asarray(moved.obs, np.float64))
    observed.holds(after.moments)
    assert after.episode_start.tolist() == ENDED.tolist()
    assert after.episode_reward.tolist() == [1.5, 0.0, 0.0, 4.5, 0.0, 0.0]

    normal = Moments(of_returns)
    if norm_reward:
        discounted = np.arange(1.0, 7.0) * 0.5 + REWARDS
        normal.see(discounted)
        expected = np.clip(np.array(REWARDS) / np.sqrt(normal.var + 1e-8), -10.0, 10.0)
        np.testing.assert_allclose(rewards, expected, rtol=1e-6)
        assert after.rewards.returns.tolist() == np.where(ENDED, 0.0, discounted).tolist()
    else:
        assert rewards.tolist() == REWARDS
        assert after.rewards.returns.tolist() == returns.tolist()
    assert rewards.dtype == jnp.float32
    normal.holds(after.rewards.moments)


def test_codes_are_counted_over_every_axis() -> None:
    codes = jnp.array([[0, 3, 3], [4, 0, 3]], jnp.int8)
    assert count_codes(codes, 5).tolist() == [2, 0, 0, 3, 1]
    assert count_codes(codes[0, :1], 2).tolist() == [1, 0]


ENVS, STEPS, GAMMA, LIMIT = 120, 7, 0.75, 3


@pytest.fixture(scope="module")
def params(small_market: Callable[..., EnvParams]) -> EnvParams:
    """Two markets, with advice that leans to one action or another at every bar."""
    made = small_market("ES", "RTY", max_episode_bars=LIMIT, window_size=2, hold_penalty=-0.03)
    rows = made.market.features.shape[0]
    prior = np.random.default_rng(5).normal(size=(rows, 3)).astype(np.float32)
    return replace(made, market=replace(made.market, prior=jnp.asarray(prior)))


def _weights(size: int) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        "policy": (rng.normal(size=(size, 3)) / 9).astype(np.float32),
        "value": (rng.normal(size=size) * 3).astype(np.float32),
    }


LINEAR = Network(policy=lambda w, obs: obs * jnp.nan, value=lambda w, obs: obs @ w["value"])


def _same(x: Any) -> Any:
    return x


def _both(weights: Any, x: jax.Array) -> jax.Array:
    return jnp.concatenate([x @ weights["policy"], (x @ weights["value"])[:, None]], axis=1)


def _ask(weights: Any, obs: jax.Array, masks: jax.Array) -> jax.Array:
    return obs @ weights["policy"]


def _never(*given: Any) -> Any:
    raise LookupError("a rollout has no gradients")


GPU_LINEAR = GpuNetwork(_same, _same, _same, _same, _both, _never, _never, 1)


class Went(NamedTuple):
    """A rollout of either form of the program.

    Attributes:
        params: of the environment; the GPU's form knows no advice.
        fresh, begun: the environments, reset, and where the rollout began: some in an episode's midst.
        after, earlier: all that it returned, and one before it.
    """

    params: EnvParams
    fresh: RolloutState
    begun: RolloutState
    after: Any
    earlier: Any


@pytest.fixture(scope="module", params=["cpu", "gpu"])
def went(request: pytest.FixtureRequest, params: EnvParams) -> Went:

    weights = _weights(params.obs_size)
    reset, first, second = jax.random.split(jax.random.key(3), 3)
    if request.param == "gpu":
        params = replace(params, market=replace(params.market, prior=None))
    fresh = jax.jit(init_rollout_state, static_argnums=2)(reset, params, ENVS)

    @jax.jit
    def go(actor: RolloutState, key: jax.Array) -> Any:
        gamma = jnp.float32(GAMMA)
        if request.param == "gpu":
            return gpu_rollout.collect(actor, key, weights, GPU_LINEAR, params, STEPS, gamma)
        return collect(actor, key, weights, LINEAR, params, STEPS, gamma, True, _ask)

    earlier = go(fresh, first)
    later, new = earlier[0], np.arange(ENVS) % 3 == 0

    def some(one: Any, other: Any) -> Any:
        return jax.tree.map(lambda x, y: jnp.where(new, x, y), one, other)

    begun = replace(
        later,
        env_state=some(fresh.env_state, later.env_state),
        episode_start=some(fresh.episode_start, later.episode_start),
        episode_reward=some(fresh.episode_reward, later.episode_reward),
    )
    return Went(params, *jax.tree.map(np.asarray, (fresh, begun, go(begun, second), earlier)))


def test_environments_begin_with_their_first_observations(went: Went) -> None:
    params, fresh = went.params, went.fresh
    obs = np.asarray(jax.jit(jax.vmap(env.observe, in_axes=(0, None)))(fresh.env_state, params))
    seen = Moments(
        RunningMoments(*map(np.asarray, (np.zeros(obs.shape[1]), np.ones(obs.shape[1]), 1e-4)))  # type: ignore[arg-type]
    )
    seen.see(obs.astype(np.float64))
    seen.holds(fresh.moments)
    assert fresh.episode_start.all()
    assert not fresh.episode_reward.any()
    assert not fresh.rewards.returns.any()
    assert fresh.rewards.returns.shape == (ENVS,)
    of_rewards = fresh.rewards.moments
    assert (of_rewards.mean, of_rewards.var, of_rewards.count) == (0.0, 1.0, 1e-4)
    assert len(set(fresh.env_state.step_idx.tolist())) > ENVS // 2


def test_a_rollout_is_what_its_steps_come_to(went: Went) -> None:
    """Every array of it, replayed with its own actions and restarts, of all steps and environments."""
    params, begun, (actor, rollout, last_values, ends) = went.params, went.begun, went.after
    weights = _weights(params.obs_size)
    features = np.asarray(params.market.features)
    prior = np.zeros((len(features), 3))
    if params.market.prior is not None:
        prior = np.asarray(params.market.prior)
    starts = np.asarray(params.market.starts)[:, 0]
    replays = jax.jit(
        lambda state, action: (
            *jax.vmap(env.advance, in_axes=(0, 0, None))(state, action, params),
            jax.vmap(env.observe_position, in_axes=(0, None))(state, params),
            jax.vmap(env.action_masks, in_axes=(0, None))(state, params),
        )
    )
    begins = jax.jit(jax.vmap(env.reset_at, in_axes=(0, None)))

    def raw(bars: Any, position: Any) -> Real:
        windows = np.stack([features[bar - 2 : bar].ravel() for bar in bars])
        return np.concatenate([windows, position], axis=1).astype(np.float64)

    state, total = begun.env_state, begun.episode_reward.astype(np.float64)
    seen, of_rewards = Moments(begun.moments), Moments(begun.rewards.moments)
    returns, first = begun.rewards.returns, begun.episode_start
    sums = dict.fromkeys(("episodes", "reward", "pnl", "length", "drawdown", "trades", "wins"), 0.0)
    assert len({*first.tolist()}) == 2  # some begin with the rollout, some went on
    cut_off, largest = 0, 0.0
    for t in range(STEPS):
        np.testing.assert_array_equal(rollout.step_idx[t], state.step_idx)
        np.testing.assert_array_equal(rollout.episode_starts[t], first)
        action = rollout.actions[t].astype(np.int32)
        moved, outcome, position, masks = (
            jax.tree.map(np.asarray, tree) for tree in replays(state, action)
        )
        np.testing.assert_array_equal(rollout.position[t], position)
        np.testing.assert_array_equal(rollout.masks[t], masks)
        high, low, inv = (np.asarray(x[t], np.float64) for x in rollout.scales)
        np.testing.assert_allclose(high + low, seen.mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(inv, 1 / np.sqrt(seen.var + 1e-8), rtol=1e-6)
        obs = seen.scaled(raw(state.step_idx, position))
        np.testing.assert_allclose(rollout.values[t], obs @ weights["value"], rtol=1e-4, atol=5e-4)
        logits = obs @ weights["policy"] + prior[state.step_idx]
        logits = np.where(masks, logits, -np.inf)
        chances = np.exp(logits - logits.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        taken = chances[np.arange(ENVS), action]
        assert (taken > 0).all()
        np.testing.assert_allclose(rollout.log_probs[t], np.log(taken), rtol=1e-4, atol=5e-4)

        done = outcome.terminated | outcome.truncated
        total = total + outcome.reward
        for name, value in {
            "episodes": np.ones(ENVS),
            "reward": total,
            "pnl": moved.total_pnl,
            "length": moved.step_idx - moved.episode_start,
            "drawdown": moved.highest_balance - moved.balance,
            "trades": moved.num_trades,
            "wins": moved.winning_trades,
        }.items():
            sums[name] += float(value[done].sum())
        returns = returns * GAMMA + outcome.reward
        of_rewards.see(returns)
        reward = np.clip(outcome.reward / np.sqrt(of_rewards.var + 1e-8), -10.0, 10.0)
        returns, total, first = np.where(done, 0.0, returns), np.where(done, 0.0, total), done
        following = rollout.step_idx[t + 1] if t + 1 < STEPS else actor.env_state.step_idx
        fresh = begins(np.searchsorted(starts, following) % len(starts), params)
        state = jax.tree.map(lambda new, old: np.where(done, new, old), fresh, moved)  # noqa: B023
        places = np.asarray(replays(state, action)[2])
        seen.see(raw(state.step_idx, places))
        ended_at = np.asarray(replays(moved, action)[2])
        lost = seen.scaled(raw(moved.step_idx, ended_at)) @ weights["value"]
        reward = reward + np.where(outcome.truncated, GAMMA * lost, 0.0)
        np.testing.assert_allclose(rollout.rewards[t], reward, rtol=1e-4, atol=5e-4)
        cut_off += int(outcome.truncated.sum())
        largest = max(largest, np.abs(reward).max())
    assert cut_off > ENVS
    assert largest > 15.0  # beyond what a reward itself is clipped to
    for name, value in sums.items():
        assert float(getattr(ends, name)) == pytest.approx(value, rel=1e-5, abs=1e-3), name
    assert int(ends.reasons.sum()) == sums["episodes"]
    assert int(ends.reasons[3:].sum()) == cut_off
    assert ends.actions.tolist() == [(rollout.actions == one).sum() for one in range(3)]
    assert min(ends.actions.tolist()) > 5

    for one in fields(EnvState):
        np.testing.assert_array_equal(
            getattr(actor.env_state, one.name), getattr(state, one.name), one.name
        )
    seen.holds(actor.moments)
    of_rewards.holds(actor.rewards.moments)
    np.testing.assert_allclose(actor.rewards.returns, returns, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(actor.episode_start, first)
    np.testing.assert_allclose(actor.episode_reward, total, rtol=1e-5, atol=1e-6)
    last = seen.scaled(raw(state.step_idx, places)) @ weights["value"]
    np.testing.assert_allclose(last_values, last, rtol=1e-4, atol=5e-4)


def test_steps_draw_actions_and_restarts_of_their_own(went: Went) -> None:
    """Where nothing is open, a step's actions are no repetition of those of the step before."""
    rollout = went.after[1]
    free = rollout.masks.all(axis=-1)
    both = free[1:] & free[:-1]
    assert both.sum() > 20
    assert (rollout.actions[1:] == rollout.actions[:-1])[both].mean() < 0.8
    begins = rollout.step_idx[1:][rollout.episode_starts[1:]]
    assert len(set(begins.tolist())) > len(begins) // 2


def test_where_an_episode_begins_says_nothing_of_the_action_before(went: Went) -> None:
    """The noise of actions and the restarts are made of other random numbers."""
    actions, begins = [], []
    for actor, rollout, *_ in (went.earlier, went.after):
        following = np.concatenate([rollout.step_idx[1:], actor.env_state.step_idx[None]])
        ended = np.concatenate([rollout.episode_starts[1:], actor.episode_start[None]])
        chosen = rollout.masks.all(axis=-1) & ended
        actions.append(rollout.actions[chosen])
        begins.append(following[chosen])
    taken, places = np.concatenate(actions), np.concatenate(begins)
    assert len(taken) > 90
    for action in range(3):
        assert abs(np.corrcoef(taken == action, places)[0, 1]) < 0.33, action
