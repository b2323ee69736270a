"""Layers that learn slower, or not at all, against torch's Adam with a parameter group for each."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jax_port.ppo.losses import LossTerms
from jax_port.ppo.optimizer import adam
from jax_port.ppo.optimizer.layer_lr import checked, factors, without_frozen
from jax_port.ppo.settings import NetworkSpec, TrainSettings, hyper_params
from jax_port.ppo.update import LearnerState, minibatch_step
from tests.sentences import refuses

NAMES = NetworkSpec((8,), (8,)).layers
RATES = (("policy_0", 0.0), ("value_head", 0.25))
RATE, NORM, STEPS = 1e-2, 0.5, 20
HYPER = hyper_params(learning_rate=RATE, max_grad_norm=NORM)


def _tree(rng: np.random.Generator) -> dict[str, Any]:
    shapes = {"kernel": (6, 8), "bias": (8,)}
    return {
        "params": {
            name: {kind: rng.normal(size=size).astype(np.float32) for kind, size in shapes.items()}
            for name in NAMES
        }
    }


def test_weights_move_as_with_torchs_parameter_groups() -> None:
    rng = np.random.default_rng(0)
    start, gradients = _tree(rng), [_tree(rng) for _ in range(STEPS)]
    known = dict(RATES)
    theirs = jax.tree.map(lambda x: torch.nn.Parameter(torch.tensor(x)), start)
    groups = [
        {"params": list(kinds.values()), "lr": RATE * known.get(name, 1.0)}
        for name, kinds in theirs["params"].items()
        if known.get(name) != 0.0
    ]
    optimizer = torch.optim.Adam(groups, eps=adam.EPS)
    learning = [weight for group in groups for weight in group["params"]]

    @jax.jit
    def step(state: LearnerState, grads: Any) -> LearnerState:
        terms = LossTerms(*(jnp.float32(0.0) for _ in LossTerms._fields))
        moved, _, _ = minibatch_step(
            state,
            jnp.bool_(False),
            jnp.arange(2),
            lambda numbers: None,
            lambda params, numbers, gather, hyper: (grads, terms),
            HYPER,
            RATES,
        )
        return moved

    state = LearnerState(jax.tree.map(jnp.asarray, start), adam.init(start))
    for grads in gradients:
        state = step(state, grads)
        for name, kinds in theirs["params"].items():
            for kind, weight in kinds.items():
                weight.grad = torch.tensor(grads["params"][name][kind])
        torch.nn.utils.clip_grad_norm_(learning, NORM)
        optimizer.step()
    for name, kinds in theirs["params"].items():
        for kind, weight in kinds.items():
            found, before = state.params["params"][name][kind], start["params"][name][kind]
            np.testing.assert_allclose(found, weight.detach().numpy(), rtol=1e-6, atol=1e-6)
            if name == "policy_0":
                np.testing.assert_array_equal(found, before)
            else:
                assert np.abs(found - before).max() > 0.01


def test_settings_know_their_networks_layers() -> None:
    spec = NetworkSpec((8,), (8, 8))
    settings = TrainSettings(network=spec, layer_lr=(("value_1", 0.5), ("action_head", 0)))  # type: ignore[arg-type]
    assert settings.layer_lr == (("action_head", 0.0), ("value_1", 0.5))
    assert TrainSettings.from_dict(settings.to_dict()) == settings
    for end in (3.4028234e38, 1.1754944e-38):
        assert TrainSettings(network=spec, layer_lr=(("value_1", end),)).layer_lr == (("value_1", end),)
    every = tuple((name, 0.5 * (name == "value_head")) for name in sorted(spec.layers))
    assert TrainSettings(network=spec, layer_lr=every).layer_lr == every  # one of all learns


@pytest.mark.parametrize(
    "rates",
    [
        [("policy_1", 0.5)],
        [("policy_0", -1.0)],
        [("policy_0", float("nan"))],
        [("policy_0", 1.0), ("value_head", float("inf"))],
        [("policy_0", 1.0), ("value_head", 3.4028236e38)],
        [("value_head", 10**400)],
        [("value_head", 1.17549e-38)],
        [("policy_0", True)],
        [("policy_0", 0.0), ("policy_0", 1.0)],
        [(name, 0.0) for name in NAMES],
    ],
    ids=lambda rates: str(rates)[:90],
)
def test_bad_rates_are_refused(rates: list[tuple[str, float]]) -> None:
    with refuses():
        TrainSettings(network=NetworkSpec((8,), (8,)), layer_lr=tuple(rates))


def test_factors_and_gradients_of_every_layer() -> None:
    """A layer that is not named has a factor of one; a rate of zero takes all of its gradients."""
    tree = _tree(np.random.default_rng(1))
    rates = (("action_head", 0.0), ("value_0", 2.5), ("value_head", 0.0))
    wanted = {"policy_0": 1.0, "action_head": 0.0, "value_0": 2.5, "value_head": 0.0}
    found = factors(tree, rates)["params"]
    assert {name: {kind: float(x) for kind, x in kinds.items()} for name, kinds in found.items()} == {
        name: {"kernel": rate, "bias": rate} for name, rate in wanted.items()
    }
    assert {x.dtype for x in jax.tree.leaves(found)} == {jnp.dtype("float32")}
    held = without_frozen(tree, rates)["params"]
    assert held.keys() == tree["params"].keys()
    for name, kinds in tree["params"].items():
        for kind, x in kinds.items():
            np.testing.assert_array_equal(held[name][kind], x * (wanted[name] != 0))


def test_a_mapping_is_as_good_as_pairs() -> None:
    names = ("b", "a", "c")
    assert checked({"b": 2, "a": 0}, names) == checked([("b", 2), ["a", 0]], names)
    assert checked({"b": 2, "a": 0}, names) == (("a", 0.0), ("b", 2.0))
    assert checked((), names) == ()
