"""What an update says of itself, from what it went through, in NumPy and float64."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.state import EnvParams
from jax_port.ppo.losses import LossTerms
from jax_port.ppo.metrics import summarize
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import init_agent, traced_update
from jax_port.ppo.update import StepRecord
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

SETTINGS = TrainSettings(n_envs=32, n_steps=24, batch_size=100, n_epochs=2).override(pi=(4,), vf=(4,))
CONFIG = EnvConfig.phase1(
    max_episode_bars=9, trailing_drawdown_dollars=60.0, sl_atr_mult=0.75, tp_sl_ratio=0.5
)
HYPER = {"target_kl": 1e-4, "learning_rate": 0.01, "ent_coef": 0.02, "vf_coef": 0.7}
"""So that an update ends among its minibatches, and only those that were taken count."""


@pytest.fixture(scope="module")
def params() -> EnvParams:
    return env.make_params(stack([prepare(synthetic_bars("ES", days=3, seed=0), CONFIG)]), CONFIG)


@pytest.fixture(scope="module", params=["cpu", "gpu"])
def went(request: pytest.FixtureRequest, params: EnvParams) -> Any:
    """Two updates of one agent, in a form: the second begins in the midst of episodes."""
    form = request.param

    @jax.jit
    def two(seed: jax.Array) -> Any:
        agent = init_agent(seed, params, SETTINGS)
        middle, _, _ = traced_update(agent, hyper_params(**HYPER), params, SETTINGS, form=form)
        return middle, *traced_update(middle, hyper_params(**HYPER), params, SETTINGS, form=form)

    return jax.tree.map(np.asarray, two(jnp.int32(3)))


@pytest.mark.costly
def test_means_are_of_the_minibatches_that_were_taken(went: Any) -> None:
    _, _, metrics, trace = went
    records = trace.records
    taken = records.applied
    assert 0 < taken.sum() < taken.size
    terms = {
        name: np.asarray(getattr(records.terms, name), np.float64)[taken].mean()
        for name in records.terms._fields
    }
    for name in ("loss", "policy_loss", "value_loss", "approx_kl", "clip_fraction"):
        assert getattr(metrics, name) == pytest.approx(terms[name], rel=1e-4, abs=1e-7), name
    assert metrics.entropy == pytest.approx(-terms["entropy_loss"], rel=1e-5)
    assert metrics.minibatches == taken.sum()
    assert metrics.learning_rate == np.float32(HYPER["learning_rate"])
    whole = (terms["policy_loss"], 0.02 * terms["entropy_loss"], 0.7 * terms["value_loss"])
    assert metrics.loss == pytest.approx(sum(whole), rel=1e-5)
    returns = np.asarray(trace.returns, np.float64)
    apart = returns - np.asarray(trace.rollout.values, np.float64)
    assert metrics.explained_variance == pytest.approx(1 - apart.var() / returns.var(), abs=1e-4)


@pytest.mark.costly
def test_sums_of_episodes_are_those_of_the_same_actions_taken_one_by_one(
    went: Any, params: EnvParams
) -> None:
    """Each environment takes the rollout's actions; a new episode begins where it began there."""
    begun, _, metrics, trace = went
    rollout, ends = trace.rollout, metrics.ends
    step = jax.jit(jax.vmap(env.advance, in_axes=(0, 0, None)))
    state, total = begun.actor.env_state, np.asarray(begun.actor.episode_reward, np.float64)
    sums = dict.fromkeys(("episodes", "reward", "pnl", "length", "drawdown", "trades", "wins"), 0.0)
    reasons = np.zeros(5, int)
    for t in range(SETTINGS.n_steps):
        np.testing.assert_array_equal(state.step_idx, rollout.step_idx[t])
        after, outcome = jax.tree.map(
            np.asarray, step(state, jnp.asarray(rollout.actions[t], jnp.int32), params)
        )
        done = outcome.terminated | outcome.truncated
        total = total + outcome.reward
        sums["episodes"] += done.sum()
        sums["reward"] += total[done].sum()
        sums["pnl"] += after.total_pnl[done].sum()
        sums["length"] += (after.step_idx - after.episode_start)[done].sum()
        sums["drawdown"] += (after.highest_balance - after.balance)[done].sum()
        sums["trades"] += after.num_trades[done].sum()
        sums["wins"] += after.winning_trades[done].sum()
        reasons += np.bincount(outcome.done_reason[done], minlength=5)
        total = np.where(done, 0.0, total)
        if t + 1 < SETTINGS.n_steps:
            starts = np.asarray(params.market.starts)[:, 0]
            number = np.searchsorted(starts, rollout.step_idx[t + 1])
            fresh = jax.vmap(env.reset_at, in_axes=(0, None))(jnp.asarray(number % len(starts)), params)
            state = jax.tree.map(lambda new, old: np.where(done, new, old), fresh, after)  # noqa: B023
    for name, value in sums.items():
        assert getattr(ends, name) == pytest.approx(value, rel=1e-5, abs=1e-3), name
        assert value > 0 or name in ("reward", "pnl")
    assert ends.reasons.tolist() == [0, *reasons[1:]]
    assert (reasons[1:] > 0).sum() > 1
    assert ends.actions.tolist() == [(rollout.actions == action).sum() for action in range(3)]


@pytest.mark.parametrize("refused", [np.inf, -np.inf, np.nan, 3e38])
def test_nothing_of_a_minibatch_that_was_refused_is_in_a_mean(refused: float) -> None:
    """The step that target_kl refuses has the largest numbers of all, infinite ones among them."""
    terms = LossTerms(*(jnp.float32([[n, n + 1, refused]]) for n in range(6)))
    records = StepRecord(terms, {}, jnp.array([[True, True, False]]))
    nothing: Any = SimpleNamespace(values=jnp.zeros(4))
    shown = summarize(records, nothing, nothing, jnp.arange(4.0), hyper_params(**HYPER))
    for number, name in enumerate(LossTerms._fields):
        mean = -shown.entropy if name == "entropy_loss" else getattr(shown, name)
        assert mean == number + 0.5, name
    assert shown.minibatches == 2
    assert shown.learning_rate == np.float32(HYPER["learning_rate"])
    assert shown.explained_variance == 0.0


def test_what_is_explained_of_returns_is_of_all_steps_and_environments() -> None:
    """By values that are off by other amounts; a shift of all of them explains no less."""
    returns = np.array([[1.0, 5.0, -2.0], [4.0, 0.5, 8.0]])
    values = np.array([[2.5, 4.0, -1.0], [7.0, 1.5, 9.5]])
    terms = LossTerms(*(jnp.zeros((1, 2)) for _ in LossTerms._fields))
    records = StepRecord(terms, {}, jnp.array([[False, False]]))
    ends: Any = object()
    wanted = 1 - np.var(returns - values) / np.var(returns)
    for shift in (0.0, 10.0):
        rollout: Any = SimpleNamespace(values=jnp.asarray(values + shift, jnp.float32))
        shown = summarize(
            records, ends, rollout, jnp.asarray(returns, jnp.float32), hyper_params(**HYPER)
        )
        assert float(shown.explained_variance) == pytest.approx(wanted, rel=1e-4)
        assert shown.ends is ends
    # No minibatch was taken: nothing is divided by none.
    assert (int(shown.minibatches), float(shown.loss), float(shown.entropy)) == (0, 0.0, 0.0)
    same: Any = SimpleNamespace(values=jnp.full((2, 2), 3.0))
    flat = summarize(records, ends, same, jnp.full((2, 2), 7.0), hyper_params())
    assert float(flat.explained_variance) == 1.0
