"""A prior on the logits: the same sum in acting and in the loss, however its gradients are found."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.advised_market import with_advice
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.ppo.fast.cpu_gradients import cpu_gradients
from jax_port.ppo.losses import Batch, ppo_loss
from jax_port.ppo.networks import Network, log_prob, masked_log_probs
from jax_port.ppo.prior import prior_at
from jax_port.ppo.settings import hyper_params
from jax_port.ppo.update import loss_gradients
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.learner.advice import drawn_advice

SIZE, ACTIONS = 96, 3
LINEAR = Network(
    policy=lambda w, obs: obs @ w["policy"], value=lambda w, obs: (obs @ w["value"])[..., 0]
)
HYPER = hyper_params(
    learning_rate=1e-3,
    gamma=0.99,
    gae_lambda=0.95,
    clip_range=0.1,
    clip_range_vf=None,
    ent_coef=0.02,
    vf_coef=0.7,
    max_grad_norm=0.5,
    target_kl=None,
)


def batch_of(prior: jax.Array | None) -> Batch:
    keys = jax.random.split(jax.random.key(1), 5)
    masks = (jax.random.uniform(keys[0], (SIZE, ACTIONS)) < 0.7).at[:, 0].set(True)
    return Batch(
        obs=jax.random.normal(keys[1], (SIZE, 4)),
        actions=jnp.zeros(SIZE, jnp.int32),
        masks=masks,
        log_probs=jnp.where(masks[:, 1:].any(axis=1), -0.9, 0.0),  # a forced action is certain
        values=jax.random.normal(keys[2], (SIZE,)),
        advantages=jax.random.normal(keys[3], (SIZE,)),
        returns=jax.random.normal(keys[4], (SIZE,)),
        prior=prior,
    )


def weights() -> dict[str, jax.Array]:
    first, second = jax.random.split(jax.random.key(5))
    return {
        "policy": jax.random.normal(first, (4, ACTIONS)),
        "value": jax.random.normal(second, (4, 1)),
    }


@pytest.mark.costly
def test_every_way_to_the_gradients_takes_the_prior_in() -> None:
    prior = 3 * jax.random.normal(jax.random.key(2), (SIZE, ACTIONS))
    batch, numbers = batch_of(prior), jnp.arange(SIZE)

    def gather(rows: jax.Array) -> Batch:
        return jax.tree.map(lambda x: x[rows], batch)

    ways = (loss_gradients(LINEAR), cpu_gradients(LINEAR))
    (whole, terms), (quick, others) = jax.jit(
        lambda w: tuple(way(w, numbers, gather, HYPER) for way in ways)
    )(weights())
    chex.assert_trees_all_close(whole, quick, atol=1e-5)
    chex.assert_trees_all_close(terms, others, atol=1e-5)
    # The loss is that of a policy whose own logits are the shifted ones.
    moved = Network(lambda w, obs: obs @ w["policy"] + prior, LINEAR.value)
    loss, bare = jax.jit(
        lambda w: tuple(ppo_loss(w, one, batch_of(None), HYPER)[0] for one in (moved, LINEAR))
    )(weights())
    assert abs(float(loss - terms.loss)) < 1e-5
    assert abs(float(bare - loss)) > 1e-2
    logs = masked_log_probs(batch.obs @ weights()["policy"] + prior, batch.masks)
    change = log_prob(logs, batch.actions) - batch.log_probs
    assert abs(float(terms.approx_kl - jnp.mean(jnp.exp(change) - 1 - change))) < 1e-5


def test_actions_on_an_open_trade_share_holds_prior() -> None:
    config = EnvConfig.phase2(max_episode_bars=30)
    bars = synthetic_bars("ES", days=2, seed=3)
    market = prepare(bars, config)
    told = with_advice(market, *drawn_advice(bars.session(config.session), "prior"))
    params: Any = phase_of(config).make_params(stack([told, told]), config)
    rows = jnp.array([150, 151, len(market) + 150])
    found = np.asarray(prior_at(rows, 6, params))
    assert told.prior is not None
    assert found.tolist() == told.prior[[150, 151, 150]][:, [0, 1, 2, 0, 0, 0]].tolist()
    assert np.unique(found).size > 3
    bare = phase_of(config).make_params(stack([market]), config)
    assert prior_at(rows, 6, bare) is None
