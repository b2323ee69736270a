"""Random numbers of a training: none comes again, however long it goes on, and none is another's."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
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
from jax_port.ppo.gae import gae
from jax_port.ppo.minibatches import ONE_DEVICE, group_orders, in_turn
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


def test_an_agent_s_weights_environments_and_later_draws_have_keys_of_their_own(
    params: EnvParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its network the sizes and actions that were asked for; nothing is drawn here."""
    asked: dict[str, Any] = {}

    def make_network(spec: Any, num_actions: int) -> Any:
        def init(key: jax.Array, obs: jax.Array) -> dict[str, jax.Array]:
            asked["weights"] = jax.random.key_data(key)
            assert (obs.shape, obs.dtype) == ((1, params.obs_size), jnp.float32)
            return {"w": jnp.arange(3.0)}

        assert (spec, num_actions) == (SETTINGS.network, 3)
        return SimpleNamespace(init=init)

    def reset(key: jax.Array, *rest: Any) -> str:
        asked["environments"] = jax.random.key_data(key)
        assert rest == (params, SETTINGS.n_envs)
        return "environments"

    monkeypatch.setattr(train_ppo_jax, "make_network", make_network)
    monkeypatch.setattr(train_ppo_jax, "init_rollout_state", reset)
    agent: Any = train_ppo_jax.init_agent(jnp.int32(7), params, SETTINGS)
    wanted = jax.random.key_data(jax.random.split(jax.random.key(7), 3)).tolist()
    assert [x.tolist() for x in (asked["weights"], asked["environments"], agent.key)] == wanted
    assert (agent.actor, int(agent.updates), agent.updates.dtype) == ("environments", 0, jnp.int32)
    assert agent.learner.params["w"].tolist() == [0.0, 1.0, 2.0]
    assert not any(leaf.any() for leaf in jax.tree.leaves(agent.learner.opt_state))


def test_an_update_hands_on_what_it_was_given_and_what_it_collected(
    params: EnvParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tenth of twelve, annealed: told by what its two halves are called with."""
    settings = replace(
        SETTINGS, n_envs=2, batch_size=4, total_timesteps=12 * 8, anneal=True, order_groups=2
    )
    rng = np.random.default_rng(3)
    rewards, values = (jnp.asarray(rng.normal(size=(4, 2)), jnp.float32) for _ in range(2))
    starts = jnp.array([[1, 1], [0, 0], [1, 0], [0, 0]], bool)
    after: Any = SimpleNamespace(episode_start=jnp.array([False, True]))
    before: Any = SimpleNamespace(episode_start=jnp.array([True, False]))
    last = jnp.array([0.5, -2.0], jnp.float32)
    rollout: Any = SimpleNamespace(rewards=rewards, values=values, episode_starts=starts)
    seen: dict[str, Any] = {}

    def collect(*given: Any) -> Any:
        seen["collected"] = given
        return after, rollout, last, "ends"

    def learn(*given: Any) -> Any:
        seen["learnt"] = given
        return "learner after", "records"

    def program(*given: Any) -> Program:
        seen["program"] = given
        return Program(collect, learn)

    def summed(*given: Any) -> Any:
        seen["summed"] = given
        return "metrics"

    monkeypatch.setattr(train_ppo_jax, "program_of", program)
    monkeypatch.setattr(train_ppo_jax, "summarize", summed)
    learner: Any = SimpleNamespace(params="weights")
    key = jax.random.key_data(jax.random.key(11))
    agent = TrainState(learner, before, key, jnp.int32(9))
    hyper = hyper_params(learning_rate=0.5, clip_range=0.25, gamma=0.75, gae_lambda=0.5)
    layout: Any = "layout"
    form: Form = "gpu"
    found, metrics, trace = traced_update(agent, hyper, params, settings, layout, form)

    assert seen["program"] == ("gpu", settings, 3, params.obs_size, "layout")
    state, first, weights, world, gamma = seen["collected"]
    mine, orders_key = jax.random.split(jax.random.fold_in(jax.random.key(11), 9))
    assert jax.random.key_data(first).tolist() == jax.random.key_data(mine).tolist()
    assert (state, weights, world, float(gamma)) == (before, "weights", params, 0.75)
    own, orders, given, advantages, returns, around, numbers = seen["learnt"]
    assert (own, given, around) == (learner, rollout, params)
    np.testing.assert_array_equal(orders, group_orders(orders_key, settings))
    wanted, worth = gae(rewards, values, starts, last, after.episode_start, gamma, jnp.float32(0.5))
    np.testing.assert_array_equal(advantages, wanted)
    np.testing.assert_array_equal(returns, worth)
    # Two of twelve rollouts are left after this one.
    left = {"learning_rate": 0.5 / 6, "clip_range": 0.25 / 6, "gamma": 0.75, "ent_coef": 0.01}
    assert {name: float(getattr(numbers, name)) for name in left} == pytest.approx(left)
    records, ends, summed_of, of_returns, used = seen["summed"]
    assert (records, ends, metrics) == ("records", "ends", "metrics")
    assert (summed_of is rollout, of_returns is returns, used is numbers) == (True, True, True)
    assert (found.learner, found.actor, int(found.updates)) == ("learner after", after, 10)
    assert found.key.tolist() == key.tolist()
    np.testing.assert_array_equal(trace.orders, in_turn(orders, 4))
    assert (trace.rollout, trace.records) == (rollout, "records")
    assert (trace.last_values is last, trace.advantages is advantages, trace.returns is returns) == (
        True,
        True,
        True,
    )


def test_a_prior_is_known_to_the_cpu_s_form_alone(
    params: EnvParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Asked(Exception):
        pass

    def program(form: Form, *rest: Any) -> Program:
        raise Asked(form)

    monkeypatch.setattr(train_ppo_jax, "program_of", program)
    agent, hyper = SimpleNamespace(), hyper_params()
    advised = replace(params, market=replace(params.market, prior=jnp.zeros((2, 3))))
    for world, wanted in ((advised, "cpu"), (params, "gpu")):
        with pytest.raises(Asked, match=wanted):
            train_ppo_jax.update(agent, hyper, world, SETTINGS, form="gpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("agents", [1, 3])
@pytest.mark.parametrize("form", [None, "gpu"])
def test_each_agent_is_updated_with_its_own_numbers_as_often_as_a_call_holds(
    agents: int, form: Form | None, params: EnvParams, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the settings' precision, in the parameters' form where none is asked for."""
    seen: set[Any] = set()

    def update(agent: Any, hyper: Any, world: EnvParams, *rest: Any) -> Any:
        assert agent.shape == hyper.shape == ()
        seen.add((*rest, world.window_size, jax.config.jax_default_matmul_precision))
        return 10 * agent + hyper, {"before": agent}

    monkeypatch.setattr(train_ppo_jax, "update", update)
    settings, layout = replace(SETTINGS, precision="tf32"), ONE_DEVICE._replace(mesh=None)
    train: Any = train_ppo_jax.make_train(settings, 4, agents, layout, None, form)
    first, hyper = jnp.arange(1, agents + 1), jnp.arange(agents) + 5
    found, metrics = train(first.copy(), hyper, params)
    steps = [np.arange(1, agents + 1)]
    for _ in range(4):
        steps.append(10 * steps[-1] + np.arange(agents) + 5)
    assert found.tolist() == steps[-1].tolist()
    assert metrics["before"].tolist() == [one.tolist() for one in steps[:-1]]
    assert seen == {(settings, layout, form or params.form, params.window_size, "default")}
