"""Wrong shapes and dtypes are refused where the learner's functions are entered, while tracing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.ppo.gae import gae, standardize
from jax_port.ppo.losses import Batch, check_batch, clipped_values
from jax_port.ppo.networks import entropy, log_prob, masked_log_probs
from jax_port.ppo.prior import shifted
from jax_port.ppo.running_statistics import init_moments, update_moments
from jax_port.ppo.settings import hyper_params
from jax_port.ppo.update import minibatch_step, run_epochs

T, N, B, D, A = 5, 4, 6, 7, 3
STEPS, ROW, COLUMN = jnp.zeros((T, N)), jnp.zeros(N), jnp.zeros(B)
BATCH = Batch(
    obs=jnp.zeros((B, D)),
    actions=jnp.zeros(B, jnp.int32),
    masks=jnp.ones((B, A), bool),
    log_probs=COLUMN,
    values=COLUMN,
    advantages=COLUMN,
    returns=COLUMN,
    prior=jnp.zeros((B, A)),
)
LOGITS, MASKS = jnp.zeros((B, A)), jnp.ones((B, A), bool)


def gae_of(**wrong: jax.Array) -> object:
    given = {
        "rewards": STEPS,
        "values": STEPS,
        "episode_starts": jnp.zeros((T, N), bool),
        "last_values": ROW,
        "last_dones": jnp.zeros(N, bool),
    }
    return gae(**(given | wrong), gamma=jnp.float32(0.9), gae_lambda=jnp.float32(0.9))


def step_of(numbers: jax.Array, stopped: jax.Array) -> object:
    state: Any = None
    return minibatch_step(state, stopped, numbers, refused, refused, hyper_params())


def refused(*given: object) -> Any:
    raise LookupError("the contract did not stop this call")


WRONG: dict[str, Callable[[], object]] = {
    "gae, values of one step more": lambda: gae_of(values=jnp.zeros((T + 1, N))),
    "gae, last values of one environment less": lambda: gae_of(last_values=jnp.zeros(N - 1)),
    "gae, starts as numbers": lambda: gae_of(episode_starts=STEPS),
    "gae, rewards in whole numbers": lambda: gae_of(rewards=jnp.zeros((T, N), jnp.int32)),
    "gae, ends as numbers": lambda: gae_of(last_dones=ROW),
    "standardize, a matrix": lambda: standardize(STEPS),
    "standardize, whole numbers": lambda: standardize(jnp.zeros(B, jnp.int32)),
    "masked_log_probs, masks as numbers": lambda: masked_log_probs(LOGITS, LOGITS),
    "masked_log_probs, masks of one row": lambda: masked_log_probs(LOGITS, MASKS[0]),
    "log_prob, actions as numbers with a point": lambda: log_prob(LOGITS, COLUMN),
    "log_prob, actions of one row less": lambda: log_prob(LOGITS, BATCH.actions[1:]),
    "entropy, masks as numbers": lambda: entropy(LOGITS, LOGITS),
    "shifted, a prior of one row": lambda: shifted(LOGITS, LOGITS[0]),
    "clipped_values, a column": lambda: clipped_values(COLUMN[:, None], COLUMN, jnp.float32(1)),
    "update_moments, of other observations": lambda: update_moments(init_moments((D + 1,)), BATCH.obs),
    "update_moments, whole numbers": lambda: update_moments(init_moments(), BATCH.actions),
    "minibatch_step, a matrix of numbers": lambda: step_of(jnp.zeros((2, B), int), jnp.bool_(False)),
    "minibatch_step, numbers with a point": lambda: step_of(COLUMN, jnp.bool_(False)),
    "minibatch_step, a flag for each": lambda: step_of(BATCH.actions, MASKS[:, 0]),
    "run_epochs, orders of no epoch": lambda: run_epochs(
        None,  # type: ignore[arg-type]
        BATCH.actions,
        refused,
        2,
        refused,
        hyper_params(),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arrays_are_refused(name: str) -> None:
    with pytest.raises(AssertionError):
        jax.eval_shape(WRONG[name])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("obs", jnp.zeros((B, D), jnp.int32)),
        ("obs", COLUMN),
        ("actions", COLUMN),
        ("actions", jnp.zeros(B + 1, jnp.int32)),
        ("masks", jnp.zeros((B, A))),
        ("masks", jnp.ones((B - 1, A), bool)),
        ("log_probs", COLUMN[:, None]),
        ("values", jnp.zeros(1)),
        ("advantages", jnp.zeros(B, bool)),
        ("returns", jnp.zeros(B, jnp.int32)),
        ("prior", jnp.zeros((B, 1))),
        ("prior", jnp.zeros((B, A), jnp.int32)),
    ],
)
def test_a_minibatch_of_wrong_arrays_is_refused(field: str, value: jax.Array) -> None:
    with pytest.raises(AssertionError, match=r"shape|rank|type"):
        check_batch(BATCH._replace(**{field: value}))


def test_right_arrays_pass() -> None:
    check_batch(BATCH)
    check_batch(BATCH._replace(prior=None))
    advantages, returns = jax.eval_shape(gae_of)  # type: ignore[misc]
    assert advantages.shape == returns.shape == (T, N)
