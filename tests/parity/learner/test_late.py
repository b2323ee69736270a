"""A state late in a run is a matter of its seed and of the weights' shapes alone."""

from __future__ import annotations

import jax
import numpy as np

from parity.learner.late import Late, late_state

WEIGHTS = {
    "b.weight": np.zeros((3, 4), np.float32),
    "a.weight": np.zeros((4, 2), np.float32),
    "a.bias": np.zeros(4, np.float32),
}
FEATURES = np.random.default_rng(0).normal(size=(50, 11)).astype(np.float32)


def test_weights_may_come_in_any_order() -> None:
    """A file of tensors holds them by name, a network by layer."""
    late = Late(500, 10_000, seed=3)
    one = late_state(late, WEIGHTS, FEATURES, 2, 27, 96, ("b",))
    other = late_state(late, dict(sorted(WEIGHTS.items())), FEATURES, 2, 27, 96, ("b",))
    for ours, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not one.first["b.weight"].any()
    assert one.first["a.weight"].any()
    another = late_state(Late(500, 10_000, seed=4), WEIGHTS, FEATURES, 2, 27, 96)
    assert (another.first["a.bias"] != one.first["a.bias"]).all()
