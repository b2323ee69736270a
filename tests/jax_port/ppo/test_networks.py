import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo import networks
from jax_port.ppo.networks import (
    ActorCritic,
    entropy,
    log_prob,
    masked_log_probs,
    mode,
    orthogonal,
    sample,
)
from tests.jax_port.made_policy import drawn_layers

LOGITS = jnp.array([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]])
MASKS = jnp.array([[True, False, True], [True, True, True]])


def test_masked_probabilities_against_literal_values() -> None:
    probabilities = jnp.exp(masked_log_probs(LOGITS, MASKS))
    expected = [[1 / (1 + np.e**2), 0.0, np.e**2 / (1 + np.e**2)], [1 / 3] * 3]
    np.testing.assert_allclose(probabilities, expected, rtol=1e-6)


def test_entropy_counts_allowed_actions_alone() -> None:
    p = 1 / (1 + np.e**2)
    expected = [-(p * np.log(p) + (1 - p) * np.log(1 - p)), np.log(3)]
    np.testing.assert_allclose(entropy(masked_log_probs(LOGITS, MASKS), MASKS), expected, rtol=1e-6)


def test_gradients_stay_finite_where_actions_are_forbidden() -> None:
    def loss(logits: jax.Array) -> jax.Array:
        log_probs = masked_log_probs(logits, MASKS)
        return jnp.sum(entropy(log_probs, MASKS)) + jnp.sum(log_prob(log_probs, jnp.array([0, 1])))

    grads = jax.grad(loss)(LOGITS)
    assert np.isfinite(grads).all()
    assert grads[0, 1] == 0.0


def test_forbidden_actions_are_never_drawn() -> None:
    log_probs = masked_log_probs(jnp.array([[0.0, 50.0, 0.0]]), jnp.array([[True, False, True]]))
    keys = jax.random.split(jax.random.key(0), 500)
    drawn = np.asarray(jax.vmap(sample, in_axes=(0, None))(keys, log_probs)).ravel()
    assert set(drawn) == {0, 2}


def test_mode_is_the_first_of_equals() -> None:
    assert mode(masked_log_probs(LOGITS, MASKS)).tolist() == [2, 0]


@pytest.mark.costly
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_network_shapes_names_and_init(activation: str) -> None:
    network = ActorCritic(3, (16, 8), (12, 8), activation)
    params = network.init(jax.random.key(0), jnp.zeros(5))["params"]
    assert set(params) == {"policy_0", "policy_1", "value_0", "value_1", "action_head", "value_head"}
    assert all(not layer["bias"].any() for layer in params.values())
    kernel = params["policy_0"]["kernel"]  # 5 x 16: orthogonal rows, gain sqrt(2)
    np.testing.assert_allclose(kernel @ kernel.T, 2 * np.eye(5), atol=1e-5)
    head = params["action_head"]["kernel"]  # 8 x 3: orthogonal columns, gain 0.01
    np.testing.assert_allclose(head.T @ head, 1e-4 * np.eye(3), atol=1e-9)
    logits, value = network.apply({"params": params}, jnp.ones((7, 5)))
    assert (logits.shape, value.shape, logits.dtype) == ((7, 3), (7,), jnp.float32)


def test_every_layer_begins_with_its_own_gain_and_no_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told by what the initialiser is asked for, which is not drawn here."""

    def constant(gain: float) -> object:
        return lambda key, shape, dtype=jnp.float32: jnp.full(shape, gain, dtype)

    monkeypatch.setattr(networks, "orthogonal", constant)
    params = ActorCritic(3, (6, 4), (5, 7, 2)).init(jax.random.key(0), jnp.zeros((1, 8)))["params"]
    hidden = {"policy_0": (8, 6), "policy_1": (6, 4)}
    hidden |= {"value_0": (8, 5), "value_1": (5, 7), "value_2": (7, 2)}
    shapes = {**hidden, "action_head": (4, 3), "value_head": (2, 1)}
    gains = {**dict.fromkeys(hidden, 2**0.5), "action_head": 0.01, "value_head": 1.0}
    assert params.keys() == shapes.keys()
    for name, shape in shapes.items():
        np.testing.assert_array_equal(params[name]["kernel"], np.full(shape, gains[name], np.float32))
        np.testing.assert_array_equal(params[name]["bias"], np.zeros(shape[1:], np.float32))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_logits_and_values_are_those_of_two_mlps_in_numpy(activation: str) -> None:
    """Of other depths and sizes, with one part asked for or both, and observations of more axes."""
    rng = np.random.default_rng(2)
    sizes = {"policy": (5, 6, 4, 3), "value": (5, 7, 1)}
    names = {"policy": ("policy_0", "policy_1", "action_head"), "value": ("value_0", "value_head")}
    params = drawn_layers(names, sizes, rng)
    obs = rng.normal(size=(2, 3, 5)).astype(np.float32)

    def by_hand(part: str) -> np.ndarray:
        x = obs.astype(np.float64)
        for name in names[part]:
            x = x @ params[name]["kernel"] + params[name]["bias"]
            if not name.endswith("head"):
                x = np.maximum(x, 0) if activation == "relu" else np.tanh(x)
        return x

    network = ActorCritic(3, (6, 4), (7,), activation)
    logits, values = network.apply({"params": params}, obs)
    np.testing.assert_allclose(logits, by_hand("policy"), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(values, by_hand("value")[..., 0], rtol=1e-4, atol=1e-5)
    for part, both in (("policy", logits), ("value", values)):
        alone = network.apply({"params": params}, obs, part=part)
        np.testing.assert_array_equal(alone, both)
    half = ActorCritic(3, (6, 4), (7,), activation, jnp.bfloat16)
    whole, rounded = network.apply({"params": params}, obs), half.apply({"params": params}, obs)
    for one, other in zip(whole, rounded, strict=True):
        assert one.dtype == other.dtype == jnp.float32
        assert 1e-4 < np.abs(one - other).max() < 0.3


@pytest.mark.costly
def test_bfloat16_products_keep_float32_weights_and_outputs() -> None:
    network = ActorCritic(3, (8, 8), (8, 8), dtype=jnp.bfloat16)
    params = network.init(jax.random.key(0), jnp.zeros(5))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    logits, value = network.apply(params, jnp.ones((2, 5)))
    assert logits.dtype == value.dtype == jnp.float32


def qr_ranks(init: object) -> set[int]:
    """Return the ranks of all matrices that a vmapped initialiser decomposes."""
    keys = jax.random.split(jax.random.key(0), 3)
    jaxpr = jax.make_jaxpr(jax.vmap(lambda key: init(key, (6, 4), jnp.float32)))(keys)
    ranks: set[int] = set()

    def walk(inner: jax.extend.core.Jaxpr) -> None:
        for equation in inner.eqns:
            if "qr" in equation.primitive.name:
                ranks.add(equation.invars[0].aval.ndim)
            for value in equation.params.values():
                if hasattr(value, "jaxpr"):
                    walk(value.jaxpr)
                elif hasattr(value, "eqns"):
                    walk(value)

    walk(jaxpr.jaxpr)
    return ranks


def test_orthogonal_weights_of_several_seeds_take_no_batched_qr() -> None:
    ours, theirs = orthogonal(2**0.5), jax.nn.initializers.orthogonal(2**0.5)
    assert qr_ranks(theirs) == {3}  # what can wait for ever on two cores
    assert qr_ranks(ours) == {2}
    keys = jax.random.split(jax.random.key(1), 3)
    made = jax.jit(jax.vmap(lambda key: ours(key, (6, 4))))(keys)
    one_by_one = [theirs(key, (6, 4)) for key in keys]
    np.testing.assert_array_equal(made, np.array(one_by_one))
