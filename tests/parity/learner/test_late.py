"""A state late in a run is a matter of its seed and of the weights' shapes alone."""

from __future__ import annotations

import jax
import numpy as np

from parity.learner.drawn import LATE
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


def test_a_late_state_has_the_market_s_spread_and_as_many_observations_as_it_is_late() -> None:
    """Moments of both kinds are drawn by themselves, and the second are positive."""
    features = FEATURES * 3 + np.float32(2)
    features[7, 4] = np.nan
    state = late_state(Late(500, 10_000, seed=3), WEIGHTS, features, 2, 27, 96)
    sound = np.delete(features, 7, axis=0).astype(np.float64)
    np.testing.assert_allclose(state.obs_mean, [*sound.mean(0), *sound.mean(0), *[0] * 5])
    np.testing.assert_allclose(state.obs_var, [*sound.var(0), *sound.var(0), *[1] * 5])
    assert state.seen == 500 * 96 + 1e-4
    for name, first in state.first.items():
        second = state.second[name]
        assert first.shape == second.shape == WEIGHTS[name].shape
        assert first.dtype == second.dtype == np.float32
        assert (second > 0).all()
        assert not np.isclose(second, first**2, rtol=1e-3, atol=1e-9).any()


def test_drawn_cases_begin_after_few_steps_and_beyond_what_16_bits_count() -> None:
    """Adam's correction is large still before its thousandth step, and gone after 10,000 of them."""
    steps = sorted(one.adam_steps for one in LATE)
    assert steps[0] < 1_000 <= steps[1] <= 2**16 - 1 < steps[-1]
    assert len({one.updates for one in LATE}) == len(LATE)
    assert all(one.updates > 0 for one in LATE)


def test_a_frozen_layer_s_moments_are_zero_by_its_whole_name() -> None:
    names = ("mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net", "action_net.0")
    weights = {
        f"{name}.{kind}": np.zeros(3, np.float32) for name in names for kind in ("weight", "bias")
    }
    frozen = ("mlp_extractor.policy_net.2", "action_net")
    state = late_state(Late(500, 10_000, seed=3), weights, FEATURES, 2, 27, 96, frozen)
    for name in weights:
        zero = name.rsplit(".", 1)[0] in frozen
        for moments in (state.first[name], state.second[name]):
            assert (moments == 0).all() == zero, name
            assert moments.any() != zero, name


def test_returns_have_a_mean_and_a_spread_of_their_seed() -> None:
    states = [late_state(Late(500, 1, seed), WEIGHTS, FEATURES, 2, 27, 96) for seed in range(20)]
    for values in ([one.return_mean for one in states], [one.return_var for one in states]):
        assert len(set(values)) == 20
    assert all(0.5 <= one.return_var < 4 for one in states)
    assert min(one.return_mean for one in states) < 0 < max(one.return_mean for one in states)
    again = late_state(Late(500, 1, 7), WEIGHTS, FEATURES, 2, 27, 96)
    assert (again.return_mean, again.return_var) == (states[7].return_mean, states[7].return_var)
