"""Either form of the trainer's program does what the settings and the bars ask for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.form import Form
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import init_agent, traced_update, update
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars


@pytest.mark.costly
def test_a_policy_with_a_prior_is_trained_by_the_form_that_knows_it() -> None:
    """Whatever form is asked for: the GPU's would leave the prior out."""
    settings = TrainSettings(n_envs=2, n_steps=4, batch_size=8, n_epochs=1).override(pi=(4,), vf=(4,))
    config = EnvConfig.phase1(max_episode_bars=5)
    market = prepare(synthetic_bars("ES", days=2, seed=0), config)
    texts = {}
    for advised in (False, True):
        prior = np.zeros((len(market), 3), np.float32) if advised else None
        own = replace(market, advised="prior" if advised else "", prior=prior)
        params = env.make_params(stack([own]), config)
        agent = jax.jit(init_agent, static_argnums=2)(jnp.int32(0), params, settings)
        for form in ("cpu", "gpu"):
            program = jax.jit(partial(update, settings=settings, form=form))
            texts[advised, form] = program.lower(agent, hyper_params(), params).as_text()
    assert texts[True, "gpu"] == texts[True, "cpu"]
    assert texts[False, "gpu"] != texts[False, "cpu"]


@pytest.mark.costly
@pytest.mark.parametrize("form", ["cpu", "gpu"])
def test_rewards_are_normalised_only_where_that_is_asked_for(form: Form) -> None:
    config = EnvConfig.phase1(max_episode_bars=5, hold_penalty=-0.25)
    params = env.make_params(stack([prepare(synthetic_bars("ES", days=2, seed=0), config)]), config)
    found = {}
    for norm_reward in (False, True):
        settings = TrainSettings(
            n_envs=2, n_steps=4, batch_size=8, n_epochs=1, norm_reward=norm_reward
        ).override(pi=(4,), vf=(4,))
        agent = init_agent(jnp.int32(0), params, settings)
        program = jax.jit(partial(traced_update, settings=settings, form=form))
        _, _, trace = program(agent, hyper_params(gamma=0.0), params)
        found[norm_reward] = np.asarray(trace.rollout.rewards)
    assert not np.allclose(found[True], found[False])
    config_penalty = np.float32(-0.25)
    assert (found[False] == config_penalty).any()
