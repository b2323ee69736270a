"""Random numbers of a training: none comes again, however long it goes on, and none is another's."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.form import Form
from jax_port.envs.state import EnvParams
from jax_port.ppo import train_ppo_jax
from jax_port.ppo.fast.program import Program, program_of
from jax_port.ppo.minibatches import group_orders
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import TrainState, init_agents, traced_update
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

SETTINGS = TrainSettings(n_envs=16, n_steps=4, batch_size=32, n_epochs=2).override(pi=(4,), vf=(4,))
CONFIG = EnvConfig.phase1(max_episode_bars=2, window_size=2)
LATE = sorted(
    {*(2**power + more for power in (8, 15, 16, 24, 30) for more in (-1, 0, 1)), 0, 1, 2**31 - 2}
)
"""Updates whose random numbers are held against each other."""


@pytest.fixture(scope="module")
def params() -> EnvParams:
    return env.make_params(stack([prepare(synthetic_bars("ES", days=3, seed=0), CONFIG)]), CONFIG)


@pytest.fixture(scope="module")
def agents(params: EnvParams) -> TrainState:
    """Agents of several seeds, some of which agree in their lower bits."""
    seeds = jnp.array([0, 1, 2**16, 2**30], jnp.int32)
    made: TrainState = jax.jit(partial(init_agents, settings=SETTINGS))(seeds, params)
    return made


@pytest.mark.costly
def test_no_update_draws_what_another_drew(params: EnvParams, agents: TrainState) -> None:
    """Actions, restarts and orders of the same agent at every update are others."""
    one = jax.tree.map(lambda leaf: leaf[0], agents)

    @jax.jit
    def draws(updates: jax.Array) -> tuple[Any, ...]:
        after, _, trace = traced_update(replace(one, updates=updates), hyper_params(), params, SETTINGS)
        return trace.rollout.actions, after.actor.env_state.step_idx, trace.orders

    seen: dict[str, dict[bytes, int]] = {"actions": {}, "starts": {}, "orders": {}}
    for update in LATE:
        found = [np.asarray(leaf) for leaf in draws(jnp.int32(update))]
        assert not np.array_equal(found[2][0], found[2][1])  # nor do two epochs
        for name, drawn in zip(seen, found, strict=True):
            same_as = seen[name].setdefault(drawn.tobytes(), update)
            assert same_as == update, (name, update, same_as)


def test_no_agent_draws_what_another_drew(agents: TrainState) -> None:
    leaves = {
        "weights": agents.learner.params["params"]["policy_0"]["kernel"],
        "other weights": agents.learner.params["params"]["value_0"]["kernel"],
        "starts": agents.actor.env_state.step_idx,
        "keys": agents.key,
    }
    for name, leaf in leaves.items():
        assert len({np.asarray(one).tobytes() for one in leaf}) == len(agents.updates), name


def test_rollout_and_minibatch_orders_have_keys_of_their_own_of_each_update_and_agent(
    params: EnvParams, agents: TrainState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the keys that an update hands on; nothing else of it is computed."""
    handed: dict[str, jax.Array] = {}

    def program(*about: Any) -> Program:
        whole = program_of(*about)

        def collect(state: Any, key: jax.Array, *rest: Any) -> Any:
            handed["rollout"] = jax.random.key_data(key)
            return whole.collect(state, key, *rest)

        return Program(collect, whole.learn)

    def orders(key: jax.Array, settings: TrainSettings) -> jax.Array:
        handed["orders"] = jax.random.key_data(key)
        return group_orders(key, settings)

    monkeypatch.setattr(train_ppo_jax, "program_of", program)
    monkeypatch.setattr(train_ppo_jax, "group_orders", orders)

    @jax.jit
    def keys(agent: TrainState) -> dict[str, jax.Array]:
        traced_update(agent, hyper_params(), params, SETTINGS)
        return dict(handed)

    seen = {np.asarray(key).tobytes(): "an agent's own" for key in agents.key}
    for number in range(len(agents.updates)):
        agent: TrainState = jax.tree.map(lambda leaf, at=number: leaf[at], agents)
        for update in (0, 1, 2, 255, 256, 65_536):
            found = keys(replace(agent, updates=jnp.int32(update)))
            assert found.keys() == {"rollout", "orders"}
            for name, key in found.items():
                place = f"{name} of update {update} of agent {number}"
                same_as = seen.setdefault(np.asarray(key).tobytes(), place)
                assert same_as == place


@pytest.mark.costly
def test_no_key_is_used_twice(params: EnvParams) -> None:
    """JAX follows each key through a whole update, from the seed on, in both forms of the program."""
    forms: tuple[Form, ...] = ("cpu", "gpu")
    for form in forms:

        def update(seeds: jax.Array, form: Form = form) -> Any:
            agent = jax.tree.map(lambda leaf: leaf[0], init_agents(seeds, params, SETTINGS))
            return traced_update(agent, hyper_params(), params, SETTINGS, form=form)[1]

        with jax.debug_key_reuse(True):
            jax.jit(update).lower(jnp.zeros(1, jnp.int32))


def test_a_key_that_is_used_twice_is_found() -> None:
    def twice(seed: jax.Array) -> Any:
        key = jax.random.key(seed)
        first, second = jax.random.split(key)
        return jax.random.bits(first), jax.random.normal(second), jax.random.bits(first, (2,))

    with jax.debug_key_reuse(True), pytest.raises(jax.errors.KeyReuseError):
        jax.jit(twice).lower(jnp.int32(0))
