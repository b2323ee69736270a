"""The loss of single transitions, an array for each output, is the definition's, of either phase."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast.gpu_update import standard_of
from jax_port.ppo.fast.row_losses import MASK, as_word, numbers_of, row_gradients
from jax_port.ppo.losses import Batch, ppo_loss
from jax_port.ppo.networks import Network
from jax_port.ppo.settings import hyper_params

ROWS = 96


@pytest.mark.parametrize("actions", [3, 6])
@pytest.mark.parametrize("clip_range_vf", [None, 0.25])
def test_terms_and_gradients_are_the_definition_s(actions: int, clip_range_vf: float | None) -> None:
    """Every action is taken, also those that Phase 2 adds; ratios and values clip."""
    rng = np.random.default_rng(actions)
    logits, values = rng.normal(size=(ROWS, actions)), rng.normal(size=ROWS)
    action = np.arange(ROWS) % actions
    masks = rng.random((ROWS, actions)) < 0.6
    masks[np.arange(ROWS), action] = True
    reals = [rng.normal(size=ROWS) * scale - shift for scale, shift in ((0.4, 1.5), *[(1, 0)] * 3)]
    log_probs, before, advantages, returns = (jnp.asarray(x, jnp.float32) for x in reals)
    hyper = hyper_params(clip_range_vf=clip_range_vf, ent_coef=0.3, vf_coef=0.7)
    outputs = jnp.asarray(np.concatenate([logits, values[:, None]], axis=1), jnp.float32)
    batch = Batch(
        obs=jnp.zeros((ROWS, 1)),
        actions=jnp.asarray(action, jnp.int32),
        masks=jnp.asarray(masks),
        log_probs=log_probs,
        values=before,
        advantages=advantages,
        returns=returns,
    )
    network = Network(lambda out, _: out[:, :-1], lambda out, _: out[:, -1])
    of_outputs, terms = jax.grad(ppo_loss, has_aux=True)(outputs, network, batch, hyper)
    flags = action + (masks.astype(np.int64) << (MASK + np.arange(actions))).sum(axis=1)
    nothing = jnp.zeros(ROWS, jnp.int32)
    words = [nothing, jnp.asarray(flags, jnp.int32), nothing]
    words += [as_word(x) for x in (log_probs, before, advantages, returns)]
    numbers = numbers_of(*standard_of(advantages), hyper)
    found, each = row_gradients(tuple(outputs.T), words, numbers)
    np.testing.assert_allclose(jnp.stack(found, axis=1) / ROWS, of_outputs, rtol=1e-4, atol=1e-7)
    for name, rows in each._asdict().items():
        assert float(rows.mean()) == pytest.approx(float(getattr(terms, name)), rel=1e-4), name
    assert 0 < float(terms.clip_fraction) < 1
