"""A policy's file: read as it was written, and whatever else is signed as one is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.policy import Policy, _checksum, decide, load_policy, save_policy
from jax_port.ppo.running_statistics import CLIP, EPSILON
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from parity.engine.jaxprs import equations
from tests.jax_port.made_policy import OTHER
from tests.sentences import refuses

SPEC = NetworkSpec((5, 4), (3,), "tanh")
USE = AdviceUse("prior", FusionSettings(), "rules", "a", "", "", "never")
Change = Callable[[dict[str, Any], dict[str, Any]], object]
"""Changes arrays by name, and what the header says, in place."""


def drawn(phase: int = 1, seed: int = 0) -> Policy:
    """Return a policy no number of which is another's, under rules that are all others."""
    rules = EnvConfig.phase1(**OTHER) if phase == 1 else EnvConfig.phase2(**OTHER)
    size, actions = (3 * 11 + 5, 3) if phase == 1 else (3 * 11 + 8, 6)
    rng = np.random.default_rng(seed)

    def layers(sizes: tuple[int, ...], names: list[str]) -> dict[str, Any]:
        pairs = zip(sizes, sizes[1:], names, strict=False)
        return {
            name: {
                "kernel": rng.normal(size=(one, other)).astype(np.float32),
                "bias": rng.normal(size=other).astype(np.float32),
            }
            for one, other, name in pairs
        }

    params = {
        **layers((size, 5, 4, actions), ["policy_0", "policy_1", "action_head"]),
        **layers((size, 3, 1), ["value_0", "value_head"]),
    }
    statistics = {
        "mean": rng.normal(size=size),
        "var": rng.uniform(0.5, 2, size=size),
        "count": np.array(12_345.0001),
    }
    return Policy(SPEC, {"params": params}, statistics, rules, {"seed": 3, "data": {"symbol": "ES"}})


def same(one: Policy, other: Policy) -> bool:
    """Whether two policies are the same in every field, every array in its last bit and its type."""

    def arrays(policy: Policy) -> dict[str, Any]:
        layers = policy.params["params"]
        named = {f"{name}.{kind}": x for name, kinds in layers.items() for kind, x in kinds.items()}
        every = {**named, **(policy.statistics or {})}
        return {name: (x.dtype, x.shape, x.tobytes()) for name, x in every.items()}

    rest = [
        (p.spec, p.config, dict(p.about), p.own, p.advice, p.statistics is None) for p in (one, other)
    ]
    return arrays(one) == arrays(other) and rest[0] == rest[1]


@pytest.mark.parametrize("phase", [1, 2])
def test_a_policy_is_read_as_it_was_written(tmp_path: Path, phase: int) -> None:
    whole = drawn(phase)
    for policy in (whole, replace(whole, statistics=None), replace(whole, advice=USE)):
        save_policy(path := tmp_path / "p.safetensors", policy)
        assert same(load_policy(path, advised=policy.advice is not None), policy)
        assert not same(policy, drawn(phase, seed=1))
    assert (
        whole.observation_size == replace(whole, statistics=None).observation_size == 33 + 2 + 3 * phase
    )
    assert replace(whole, statistics=None).scale is None
    with refuses():
        _ = replace(whole, statistics=None).moments


def test_a_policy_s_scale_is_its_statistics_own() -> None:
    policy = drawn()
    assert policy.statistics is not None
    scale, moments = policy.scale, policy.moments
    assert scale is not None
    mean, var = policy.statistics["mean"], policy.statistics["var"]
    assert {np.asarray(x).dtype for x in (moments.mean, moments.var, moments.count)} == {np.dtype("f8")}
    both = np.asarray(scale.mean_high, np.float64) + np.asarray(scale.mean_low, np.float64)
    np.testing.assert_allclose(both, mean, rtol=1e-13)
    np.testing.assert_allclose(scale.inv_std, 1 / np.sqrt(var + 1e-8), rtol=1e-6)
    assert (CLIP, EPSILON) == (10.0, 1e-8)


def rewritten(path: Path, change: Change, sign: bool = True) -> None:
    """Change a policy's file, and sign it anew as whoever changes files may."""
    with safe_open(path, framework="numpy") as file:
        about = json.loads(file.metadata()["rltrader"])
    arrays = load_file(path)
    change(arrays, about)
    if sign:
        about["checksum"] = _checksum(arrays, about)
    path.write_bytes(save(arrays, metadata={"rltrader": json.dumps(about)}))


def put(name: str, value: Any) -> Change:
    """Return what puts an array in the place of another."""
    return lambda arrays, _: arrays.update({name: np.asarray(value)})


def say(**values: Any) -> Change:
    """Return what lets the header say something else."""
    return lambda _, about: about.update(values)


CHANGES: dict[str, Change] = {
    "a format of the future": say(format=5),
    "raw, with statistics": say(format=3),
    "normalised as none": say(normalised=False),
    "advice that is none": say(format=4),
    "an activation of another": say(network={"pi": [5, 4], "vf": [3], "activation": "gelu"}),
    "one layer less": say(network={"pi": [5], "vf": [3], "activation": "tanh"}),
    "one layer more": say(network={"pi": [5, 4, 4], "vf": [3], "activation": "tanh"}),
    "a rule that is none": say(env_config={"phase": 1, "window": 3}),
    "no variance": lambda arrays, _: arrays.pop("statistics.var"),
    "no bias of the last layer": lambda arrays, _: arrays.pop("value_head.bias"),
    "a weight too many": put("policy_2.bias", np.zeros(3, np.float32)),
    "a mean of another size": put("statistics.mean", np.zeros(37)),
    "a mean of two axes": put("statistics.mean", np.zeros((2, 19))),
    "a variance of another size": put("statistics.var", np.ones(37)),
    "a count for each number": put("statistics.count", np.ones(38)),
    "a variance below zero": put("statistics.var", [*np.ones(37), -1e-30]),
    "a mean that is none": put("statistics.mean", [*np.zeros(37), np.nan]),
    "an infinite weight": put("value_head.bias", np.float32([np.inf])),
    "a first layer of the value of another size": put("value_0.kernel", np.zeros((37, 3), np.float32)),
    "a hidden layer that does not fit": put("policy_1.kernel", np.zeros((4, 4), np.float32)),
    "a bias that does not fit": put("value_0.bias", np.zeros(4, np.float32)),
    "two values": lambda arrays, _: arrays.update(
        {"value_head.kernel": np.zeros((3, 2), np.float32), "value_head.bias": np.zeros(2, np.float32)}
    ),
    "weights of 64 bits": put("value_head.bias", np.zeros(1)),
    "a mean of 32 bits": put("statistics.mean", np.zeros(38, np.float32)),
    "whole numbers": put("policy_0.bias", np.zeros(5, np.int32)),
    "a head that does not fit": put("action_head.kernel", np.zeros((5, 3), np.float32)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_no_whole_policy_is_refused_though_it_is_signed(tmp_path: Path, change: Change) -> None:
    save_policy(path := tmp_path / "p.safetensors", drawn())
    rewritten(path, lambda arrays, about: None)
    assert same(load_policy(path), drawn())
    rewritten(path, change)
    with refuses():
        load_policy(path)


KINDS: dict[str, dict[str, Any]] = {
    "normalised": {},
    "raw": {"statistics": None},
    "advised": {"advice": USE},
}
"""What differs between the kinds of policies, each of which has a format of its own."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "change",
    [
        say(made={"seed": 4}),
        say(env_config=EnvConfig.phase1(**{**OTHER, "contracts": 8}).to_dict()),
        put("statistics.count", np.array(12_346.0001)),
        put("value_head.bias", np.float32([0.5])),
        lambda arrays, about: about.pop("checksum"),
    ],
    ids=["what it was made from", "a rule", "a statistic", "a weight", "no checksum"],
)
def test_what_was_changed_and_not_signed_is_damaged(tmp_path: Path, change: Change, kind: str) -> None:
    """In every format but the first, which carries no checksum."""
    save_policy(path := tmp_path / "p.safetensors", replace(drawn(), **KINDS[kind]))
    rewritten(path, lambda arrays, about: None, sign=False)
    load_policy(path, advised=True)
    rewritten(path, change, sign=False)
    with refuses():
        load_policy(path, advised=True)


def test_a_policy_with_advice_is_read_by_those_alone_that_have_some(tmp_path: Path) -> None:
    save_policy(path := tmp_path / "p.safetensors", replace(drawn(), advice=USE))
    with refuses():
        load_policy(path)
    assert load_policy(path, advised=True).advice == USE
    rewritten(path, say(format=2))  # an earlier version would take it for one without
    with refuses():
        load_policy(path, advised=True)


def test_a_decision_multiplies_in_float32_whatever_is_usual_around_it() -> None:
    """So that a GPU, which would round factors to 10 bits, decides as the exported bundle does."""
    policy = drawn()
    obs, masks = jnp.zeros((2, policy.observation_size)), jnp.ones((2, 3), bool)
    with jax.default_matmul_precision("bfloat16"):
        program = jax.make_jaxpr(lambda *given: decide(policy.network, *given))(
            policy.params, policy.scale, obs, masks
        )
    products = [one for one in equations(program) if one.primitive.name == "dot_general"]
    assert len(products) == 3  # two hidden layers and the action head
    for product in products:
        assert product.params["precision"] == (jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)


OWN_SIZES = {"a": (38, 3), "b": (4,)}


def own_policy(**statistics: Any) -> tuple[Policy, OwnNetwork]:
    """Return a policy of a network of one's own, of 38 numbers and three actions."""

    def run(tree: Any, obs: jax.Array) -> Any:
        return obs @ tree["a"], obs[:, 0] + tree["b"][0]

    def draw(key: jax.Array, obs: jax.Array) -> Any:
        return {name: jnp.zeros(shape) for name, shape in OWN_SIZES.items()}

    own = OwnNetwork("Mine", draw, run)
    rng = np.random.default_rng(3)
    params = {name: rng.normal(size=shape).astype(np.float32) for name, shape in OWN_SIZES.items()}
    whole = drawn()
    assert whole.statistics is not None
    return replace(whole, params=params, own=own, statistics={**whole.statistics, **statistics}), own


def test_a_policy_of_one_s_own_network_is_read_with_that_network_alone(tmp_path: Path) -> None:
    policy, own = own_policy()
    save_policy(path := tmp_path / "p.safetensors", policy)
    read = load_policy(path, own)
    assert (read.own, read.config, dict(read.about)) == (own, policy.config, dict(policy.about))
    assert read.params.keys() == OWN_SIZES.keys()
    for name, value in policy.params.items():
        np.testing.assert_array_equal(read.params[name], value)
    assert read.statistics is not None
    assert policy.statistics is not None
    for name, value in policy.statistics.items():
        np.testing.assert_array_equal(read.statistics[name], value)
    with pytest.raises(InputError, match="its network is 'Mine', the user's own code"):
        load_policy(path)
    save_policy(other := tmp_path / "other.safetensors", drawn())
    with pytest.raises(InputError, match="its network is the project's own; leave network= out"):
        load_policy(other, own)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda arrays, _: arrays.pop("own.a"), "a is missing in the file and"),
        (put("own.c", np.zeros(2, np.float32)), "c is .* in the file and missing in network Mine"),
        (put("own.b", np.zeros(5, np.float32)), "b is"),
        (put("statistics.mean", np.zeros((2, 19))), "statistics.var does not fit statistics.mean"),
        (put("statistics.var", np.ones(37)), "statistics.var does not fit statistics.mean"),
        (put("statistics.count", np.ones(38)), "statistics.count is no single number"),
    ],
    ids=["a weight less", "a weight more", "another shape", "two axes", "variance", "counts"],
)
def test_what_does_not_fit_one_s_own_network_is_refused(
    change: Change, told: str, tmp_path: Path
) -> None:
    policy, own = own_policy()
    save_policy(path := tmp_path / "p.safetensors", policy)
    rewritten(path, change)
    with pytest.raises(InputError, match=told):
        load_policy(path, own)
    save_policy(path, replace(policy, statistics=None))
    with pytest.raises(InputError, match="a network of one's own has statistics, and this has none"):
        load_policy(path, own)


def test_the_likeliest_allowed_action_is_decided_on_normalised_observations() -> None:
    """Raw ones as they are; of two equal ones the first; each row by its own mask."""
    policy = drawn()
    assert policy.statistics is not None
    rng = np.random.default_rng(8)
    mean, var = policy.statistics["mean"], policy.statistics["var"]
    obs = (mean + np.sqrt(var) * rng.normal(size=(40, 38)) * 4).astype(np.float32)
    masks = rng.random((40, 3)) < 0.6
    masks[:, 0] |= ~masks.any(axis=1)

    def by_hand(x: np.ndarray) -> list[int]:
        layers = policy.params["params"]
        for name in ("policy_0", "policy_1"):
            x = np.tanh(x @ layers[name]["kernel"] + layers[name]["bias"])
        logits = x @ layers["action_head"]["kernel"] + layers["action_head"]["bias"]
        found: list[int] = np.where(masks, logits, -np.inf).argmax(axis=1).tolist()
        return found

    scaled = np.clip((obs - mean) / np.sqrt(var + 1e-8), -10, 10)
    found = [
        decide(policy.network, policy.params, scale, jnp.asarray(obs), jnp.asarray(masks)).tolist()
        for scale in (policy.scale, None)
    ]
    assert found == [by_hand(scaled), by_hand(obs)]
    assert found[0] != found[1]
    head = policy.params["params"]["action_head"]
    head["kernel"][:], head["bias"][:] = 0.0, [1.0, 2.0, 2.0]
    first = decide(policy.network, policy.params, None, jnp.asarray(obs[:2]), jnp.ones((2, 3), bool))
    assert (first.tolist(), first.dtype) == ([1, 1], jnp.int32)
