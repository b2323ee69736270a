"""An array for each action says what one array of all says."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo import networks
from jax_port.ppo.fast import columns

ROWS, ACTIONS = 64, 4


def _logits_and_masks() -> tuple[jax.Array, jax.Array]:
    logits = 3.0 * jax.random.normal(jax.random.key(0), (ROWS, ACTIONS))
    masks = jax.random.uniform(jax.random.key(1), (ROWS, ACTIONS)) < 0.6
    return logits, masks.at[:, 0].set(True)


def test_probabilities_and_entropy_are_those_of_one_array() -> None:
    logits, masks = _logits_and_masks()
    theirs = networks.masked_log_probs(logits, masks)
    apart = columns.columns_of(masks)
    ours = columns.masked_log_probs(columns.columns_of(logits), apart)
    assert len(ours) == ACTIONS
    np.testing.assert_allclose(jnp.stack(ours, axis=1), theirs, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        columns.entropy(ours, apart), networks.entropy(theirs, masks), rtol=1e-5, atol=1e-6
    )
    actions = jnp.arange(ROWS, dtype=jnp.int32) % ACTIONS
    np.testing.assert_allclose(
        columns.log_prob(ours, actions), networks.log_prob(theirs, actions), rtol=1e-6, atol=1e-6
    )


def test_actions_are_drawn_as_often_as_probabilities_say() -> None:
    """Of 200,000 draws; five deviations of the rarest allowed action are 0.3 percentage points."""
    size = 200_000
    chances = np.array([0.5, 0.08, 0.0, 0.42])
    allowed = jnp.asarray(chances > 0)
    logits = jnp.where(allowed, jnp.log(jnp.maximum(chances, 1e-9)), 5.0).astype(jnp.float32)
    masks = [jnp.broadcast_to(one, (size,)) for one in allowed]
    log_probs = columns.masked_log_probs([jnp.broadcast_to(one, (size,)) for one in logits], masks)
    one, other = (
        np.asarray(columns.sample(jnp.array([3, word], jnp.uint32), log_probs)) for word in (4, 5)
    )
    shares = np.bincount(one, minlength=ACTIONS) / size
    assert shares[2] == 0
    np.testing.assert_allclose(shares, chances, atol=0.006)
    # Other words draw others, and a row's draw says nothing of the next one's.
    assert np.mean(one == other) < 0.6
    both = np.mean((one[1:] == 0) & (one[:-1] == 0))
    assert abs(both - 0.25) < 0.006


@pytest.mark.parametrize("word", [0, 1, 511, 2**31, 2**32 - 512, 2**32 - 1])
def test_no_random_word_makes_a_forbidden_action_likely(
    word: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its noise is finite, at either end of what words there are."""

    def words(given: jax.Array, size: int, begin: int) -> jax.Array:
        return jnp.full(size, 0 if begin == 0 else word, jnp.uint32)

    monkeypatch.setattr(columns, "spread_words", words)
    allowed, forbidden = jnp.zeros(5), jnp.full(5, networks.FORBIDDEN_LOGIT)
    chosen = columns.sample(jnp.zeros(2, jnp.uint32), [allowed, forbidden])
    np.testing.assert_array_equal(chosen, 0)
