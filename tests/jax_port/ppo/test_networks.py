import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.networks import ActorCritic, entropy, log_prob, masked_log_probs, mode, sample

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


def test_bfloat16_products_keep_float32_weights_and_outputs() -> None:
    network = ActorCritic(3, (8, 8), (8, 8), dtype=jnp.bfloat16)
    params = network.init(jax.random.key(0), jnp.zeros(5))
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    logits, value = network.apply(params, jnp.ones((2, 5)))
    assert logits.dtype == value.dtype == jnp.float32
