"""One step of the learner by hand: what it clips, when it stops, and which transitions it takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.losses import LossTerms
from jax_port.ppo.optimizer import adam
from jax_port.ppo.settings import HyperParams, hyper_params
from jax_port.ppo.update import (
    LearnerState,
    clip_gradients,
    count_minibatches,
    init_learner_state,
    minibatch_step,
    run_epochs,
)

WEIGHTS = {"a": np.float32([1.0, -2.0]), "b": np.float32([[3.0]])}
GRADS = {"a": np.float32([3.0, 0.0]), "b": np.float32([[-4.0]])}
"""Of norm 5."""
HYPER = {"learning_rate": 0.125, "max_grad_norm": 2.5}


def terms(approx_kl: float, loss: float = 0.0) -> LossTerms:
    return LossTerms(*(jnp.float32(x) for x in (loss, 1.0, 2.0, 3.0, approx_kl, 4.0)))


def step(approx_kl: float, stopped: bool = False, **numbers: Any) -> Any:
    """Take a step of the gradients above from fresh moments."""
    hyper = hyper_params(**{**HYPER, **numbers})
    state = init_learner_state(jax.tree.map(jnp.asarray, WEIGHTS))
    asked: list[Any] = []

    def gradients(*given: Any) -> Any:
        asked.append(given)
        return jax.tree.map(jnp.asarray, GRADS), terms(approx_kl)

    numbers_of = jnp.array([4, 2, 9], jnp.int32)
    source: Any = object()
    moved, ended, record = minibatch_step(
        state, jnp.bool_(stopped), numbers_of, source, gradients, hyper
    )
    ((params, taken, gather, handed),) = asked
    assert params is state.params
    assert (taken.tolist(), gather is source, handed is hyper) == ([4, 2, 9], True, True)
    return moved, bool(ended), record


def test_gradients_of_a_norm_above_the_limit_are_scaled_to_it_and_others_stay() -> None:
    """One norm over all weights; a millionth is added to it, which counts where it is as small."""
    for limit, factor in ((2.5, 0.5), (5.0, 1.0), (7.0, 1.0), (0.05, 0.01)):
        found = clip_gradients(GRADS, jnp.float32(limit))
        for name, grad in GRADS.items():
            np.testing.assert_allclose(found[name], factor * grad, rtol=1e-6)
    tiny = {"a": np.float32([3e-6, 0.0])}
    np.testing.assert_allclose(clip_gradients(tiny, jnp.float32(1e-6))["a"], [0.75e-6, 0], rtol=1e-6)
    zeros = {"a": np.zeros(2, np.float32)}
    assert clip_gradients(zeros, jnp.float32(0.5))["a"].tolist() == [0.0, 0.0]


def test_a_step_moves_by_adam_of_the_clipped_gradients_and_records_the_whole_ones() -> None:
    """The first step of Adam is the learning rate in the gradient's direction, less what eps takes."""
    moved, ended, record = step(0.3)
    assert not ended
    assert bool(record.applied)
    for name, grad in GRADS.items():
        clipped = 0.5 * grad
        expected = WEIGHTS[name] - 0.125 * clipped / (np.abs(clipped) + adam.EPS)
        np.testing.assert_allclose(moved.params[name], expected, rtol=1e-6)
        np.testing.assert_allclose(moved.opt_state.mu[name], 0.1 * clipped, rtol=1e-5)
        np.testing.assert_allclose(moved.opt_state.nu[name], 0.001 * clipped**2, rtol=1e-4)
        np.testing.assert_array_equal(record.gradients[name], grad)
    assert int(moved.opt_state.count) == 1
    assert [float(x) for x in record.terms] == [float(x) for x in terms(0.3)]


@pytest.mark.parametrize(
    ("approx_kl", "before", "stops"),
    [(0.1875, False, False), (0.1876, False, True), (-9.0, False, False), (0.0, True, True)],
    ids=["at the limit", "above it", "far below zero", "stopped before"],
)
def test_an_update_ends_above_one_and_a_half_times_its_target(
    approx_kl: float, before: bool, stops: bool
) -> None:
    """And takes no step then: neither weights nor moments nor their count."""
    moved, ended, record = step(approx_kl, before, target_kl=0.125)
    assert (ended, bool(record.applied)) == (stops, not stops)
    assert (int(moved.opt_state.count) == 0) == stops
    moments = (*jax.tree.leaves(moved.opt_state.mu), *jax.tree.leaves(moved.opt_state.nu))
    assert any(np.asarray(leaf).any() for leaf in moments) != stops
    assert all((moved.params[name] == value).all() for name, value in WEIGHTS.items()) == stops
    assert bool(step(1e30)[2].applied)  # without a target none is too far


@pytest.mark.parametrize(
    ("size", "batch_size", "counts"), [(8, 8, (1, 0)), (8, 3, (2, 2)), (8, 9, (0, 8)), (9, 3, (3, 0))]
)
def test_an_epoch_has_whole_minibatches_and_one_of_the_rest(
    size: int, batch_size: int, counts: tuple[int, int]
) -> None:
    orders = jnp.zeros((2, size), jnp.int32)
    assert count_minibatches(orders, batch_size) == counts


def test_a_last_minibatch_of_one_transition_is_refused() -> None:
    with pytest.raises(AssertionError, match="one transition"):
        count_minibatches(jnp.zeros((2, 10), jnp.int32), 3)


@pytest.mark.parametrize(("batch_size", "sizes"), [(3, [3, 3, 2]), (4, [4, 4]), (9, [8])])
def test_every_epoch_takes_its_own_order_minibatch_by_minibatch(
    batch_size: int, sizes: list[int]
) -> None:
    """Each from what the one before has left; an update that was ended stays so in the next epoch."""
    orders = np.array([[4, 0, 7, 2, 6, 1, 3, 5], [5, 3, 1, 6, 2, 7, 0, 4]], np.int32)
    sums = [
        [float((order[at : at + batch_size] + 1).sum()) for at in range(0, 8, batch_size)]
        for order in orders
    ]
    assert [len(one) for one in sums] == [len(sizes)] * 2

    def gradients(
        params: Any, numbers: jax.Array, gather: Any, hyper: HyperParams
    ) -> tuple[Any, LossTerms]:
        loss = jnp.sum(gather(numbers).astype(jnp.float32))
        size, seen = jnp.float32(len(numbers)), params["w"]
        found = LossTerms(loss, size, seen, hyper.ent_coef, loss, hyper.vf_coef)
        return {"w": jnp.full((), -1.0)}, found

    def learn(target_kl: float | None) -> Any:
        hyper = hyper_params(
            learning_rate=1.0, max_grad_norm=9.0, ent_coef=0.25, vf_coef=0.75, target_kl=target_kl
        )
        state = LearnerState({"w": jnp.float32(0.0)}, adam.init({"w": jnp.float32(0.0)}))
        with jax.disable_jit():
            return run_epochs(state, jnp.asarray(orders), lambda n: n + 1, batch_size, gradients, hyper)

    state, records = learn(None)
    assert records.terms.loss.tolist() == sums
    assert records.terms.policy_loss.tolist() == [sizes, sizes]
    assert records.applied.all()
    count = 2 * len(sizes)
    seen = np.asarray(records.terms.value_loss).ravel()
    np.testing.assert_allclose(seen, np.arange(count), rtol=1e-4)  # a constant gradient's step is one
    assert float(state.params["w"]) == pytest.approx(count, rel=1e-4)
    assert (float(records.terms.entropy_loss[0, 0]), float(records.terms.clip_fraction[1, -1])) == (
        0.25,
        0.75,
    )
    assert int(state.opt_state.count) == count
    # The sum of the first minibatch is within 1.5 times the target, a later one is beyond.
    flat = [one for epoch in sums for one in epoch]
    limit = flat[0]
    taken = next((n for n, one in enumerate(flat) if one > limit), count)
    state, records = learn(limit / 1.5)
    assert records.applied.ravel().tolist() == [n < taken for n in range(count)]
    assert int(state.opt_state.count) == taken
