import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.networks import (
    ActorCritic,
    entropy,
    log_prob,
    masked_log_probs,
    mode,
    orthogonal,
    sample,
)

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
