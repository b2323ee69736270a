"""What either form of the program takes from the settings."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh

from jax_port.envs.form import Form
from jax_port.ppo.fast import program
from jax_port.ppo.fast.program import network_of, program_of
from jax_port.ppo.fast.scale_out import AXIS, BY_ENVIRONMENT, EVERYWHERE
from jax_port.ppo.minibatches import ONE_DEVICE, Layout, group_orders, in_turn
from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.running_statistics import RewardNormalizer
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.sharding import make_layout
from jax_port.ppo.train_ppo_jax import TrainState, init_agent
from parity.engine.jaxprs import equations
from tests.jax_port.ppo.fast.made_transitions import make_world

SETTINGS = TrainSettings(n_envs=4, n_steps=3, batch_size=4, norm_reward=False).override(
    pi=(4,), vf=(4,)
)


@pytest.mark.parametrize("form", ["cpu", "gpu"])
def test_rewards_that_are_not_scaled_leave_their_statistics_as_they_were(form: Form) -> None:
    """Of the rollout no more is computed than those, which takes no step."""
    params = make_world()
    shapes = jax.eval_shape(partial(init_agent, settings=SETTINGS), jnp.int32(0), params)
    with jax.enable_x64(True):  # of which the moments are
        made: TrainState = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), shapes)
    collect = program_of(form, SETTINGS, 3, params.obs_size).collect

    @jax.jit
    def after(agent: TrainState) -> RewardNormalizer:
        weights, key = agent.learner.params, jax.random.key(1)
        return collect(agent.actor, key, weights, params, jnp.float32(0.75))[0].rewards

    before = jax.tree.leaves(made.actor.rewards)
    for found, given in zip(jax.tree.leaves(after(made)), before, strict=True):
        np.testing.assert_array_equal(found, given)


class Handed(NamedTuple):
    """What a program's parts were called with.

    Attributes:
        calls: arguments by name of the part.
        program: whose halves were called.
        layout: over devices.
    """

    calls: dict[str, Any]
    program: Any
    layout: Layout


def handed(form: Form, devices: int, groups: int, monkeypatch: pytest.MonkeyPatch) -> Handed:
    """Call both halves of a program whose parts only remember what they are called with."""
    calls: dict[str, Any] = {}

    def note(name: str, result: Any) -> Any:
        def called(*given: Any, **named: Any) -> Any:
            assert name not in calls
            assert not named
            calls[name] = given
            return result

        return called

    def each(function: Any, *divided: Any) -> Any:
        calls["each"] = divided
        return function

    parts = {"network_of": "network", "choices_alone": "asked where there is a choice"}
    parts |= {"cpu_gradients": "gradients", "gather_from": "gathered", "collect": "collected"}
    parts |= {"run_epochs": "learnt"}
    for name, result in parts.items():
        monkeypatch.setattr(program, name, note(name, result))
    packed = SimpleNamespace(pack=lambda weights: f"packed {weights}")
    monkeypatch.setattr(program, "gpu_network", note("gpu_network", packed))
    monkeypatch.setattr(program.gpu_rollout, "collect", note("collect", "collected"))
    monkeypatch.setattr(program.gpu_update, "run_epochs", note("run_epochs", "learnt"))
    monkeypatch.setattr(program, "on_each_device", each)
    settings = HANDED.override(order_groups=groups)
    layout = make_layout(AbstractMesh((devices,), (AXIS,)))  # type: ignore[arg-type]
    made: Any = program_of(form, settings, 6, 77, layout)
    assert made.collect("state", "key", "weights", "params", "gamma") == "collected"
    own = groups // devices if groups > 1 else 1  # a device's own groups
    orders = group_orders(jax.random.key(0), settings)[:, :own]
    learnt = made.learn("learner", orders, "rollout", "advantages", "returns", "params", "hyper")
    assert learnt == "learnt"
    calls["orders"] = orders
    return Handed(calls, packed, layout)


HANDED = TrainSettings(
    n_envs=8, n_steps=3, batch_size=16, norm_reward=False, layer_lr=(("policy_0", 0.5),)
)


@pytest.mark.parametrize(("devices", "groups"), [(1, 1), (1, 4), (4, 1), (4, 8)])
@pytest.mark.parametrize("form", ["cpu", "gpu"])
def test_both_halves_of_a_program_are_called_with_all_that_was_asked_for(
    form: Form, devices: int, groups: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices learn each from its own transitions where they have groups of their own."""
    found = handed(form, devices, groups, monkeypatch)
    calls, layout, settings = found.calls, found.layout, HANDED.override(order_groups=groups)
    shared = devices > 1 and groups > 1
    size = 4 if shared else 16
    mesh, axis = (layout.mesh, AXIS) if shared else (None, None)
    around = ONE_DEVICE if shared else layout
    names = [EVERYWHERE if name == "scales" else BY_ENVIRONMENT for name in Rollout._fields]
    split, whole = BY_ENVIRONMENT, EVERYWHERE
    assert calls["each"] == (mesh, (whole, split, Rollout(*names), split, split, whole, whole), whole)  # type: ignore[arg-type]
    epochs = list(calls["run_epochs"])
    order = epochs.pop(1)
    np.testing.assert_array_equal(order, in_turn(calls["orders"], size))
    if form == "cpu":
        alone = "asked where there is a choice" if devices == 1 else None
        assert calls["network_of"] == (settings, 6)
        assert calls.get("choices_alone") == (("network",) if devices == 1 else None)
        assert calls["collect"] == (
            *("state", "key", "weights", "network", "params", 3, "gamma", False, alone, mesh),
        )
        assert calls["gather_from"] == ("rollout", "advantages", "returns", "params", around)
        assert calls["cpu_gradients"] == ("network", axis)
        wanted = ["learner", "gathered", size, "gradients", "hyper", settings.layer_lr, axis]
    else:
        assert calls["gpu_network"] == (settings, 6, 77)
        assert calls["collect"] == (
            *("state", "key", "packed weights", found.program, "params", 3, "gamma", False, mesh),
        )
        wanted = ["learner", "rollout", "advantages", "returns", "params", size, found.program]
        wanted += ["hyper", settings.layer_lr, around, axis]
    assert epochs == wanted


def test_the_cpu_s_network_is_in_the_precision_that_was_asked_for_or_the_user_s_own() -> None:
    """Only in float32 is it the one whose gradients are arranged for a CPU."""
    obs = jnp.linspace(-1.0, 1.0, 10).reshape(2, 5)
    layers = {"policy_0": (5, 4), "action_head": (4, 6), "value_0": (5, 3), "value_head": (3, 1)}
    rng = np.random.default_rng(0)
    weights: Any = {
        "params": {
            name: {
                "kernel": jnp.asarray(rng.normal(size=shape), jnp.float32),
                "bias": jnp.asarray(rng.normal(size=shape[1:]), jnp.float32),
            }
            for name, shape in layers.items()
        }
    }
    base = TrainSettings().override(pi=(4,), vf=(3,), activation="tanh")
    for precision, wanted, arranged in (
        ("float32", jnp.float32, True),
        ("tf32", jnp.float32, False),
        ("bf16", jnp.bfloat16, False),
    ):
        network = network_of(replace(base, precision=precision), 6)
        for part, outputs in ((network.policy, (2, 6)), (network.value, (2,))):
            traced = jax.make_jaxpr(part)(weights, obs)
            assert traced.out_avals[0].shape == outputs
            assert traced.out_avals[0].dtype == jnp.float32
            assert ("custom_vjp" in str(traced)) == arranged
            products = [one for one in equations(traced) if one.primitive.name == "dot_general"]
            assert len(products) == 2  # of its own half alone
            factors = {factor.aval.dtype for one in products for factor in one.invars}
            assert factors == {jnp.dtype(wanted)}

    def run(tree: Any, x: jax.Array) -> Any:
        return x[:, :6] * tree["a"], x[:, 0] + tree["a"]

    own = OwnNetwork("Mine", lambda key, obs: {"a": jnp.float32(0.0)}, run)
    mine = network_of(replace(TrainSettings(), own=own), 6)
    wide = jnp.arange(14.0).reshape(2, 7)
    assert mine.policy({"a": jnp.float32(2.0)}, wide).tolist() == (2 * wide[:, :6]).tolist()
    assert mine.value({"a": jnp.float32(2.0)}, wide).tolist() == [2.0, 9.0]
