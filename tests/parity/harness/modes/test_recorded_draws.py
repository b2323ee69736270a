"""Draws that are handed over one after another, and what cannot be handed over."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from parity.harness.modes.recorded_draws import KINDS, Draws, Handed, recording


def handed(count: int) -> Handed:
    numbers = np.arange(count) / 16
    return Handed({"uniform": numbers, "whole": np.arange(count), "normal": numbers - 1})


def test_every_number_is_handed_over_once_and_in_order() -> None:
    given, key = handed(12), jax.random.PRNGKey(0)
    with given.in_place():
        assert jax.random.uniform(key, (3,)).tolist() == [0, 1 / 16, 2 / 16]
        assert jax.random.uniform(key, (2,), minval=1.0, maxval=3.0).tolist() == [1 + 6 / 16, 1.5]
        assert jax.random.bernoulli(key, 0.3, (2,)).tolist() == [False, False]
        assert jax.random.uniform(key).tolist() == 7 / 16
        assert jax.random.randint(key, (3,), 5, 9).tolist() == [5, 6, 7]
        assert jax.random.randint(key, (), 2, 9).tolist() == 5
        assert jax.random.normal(key, (2, 1)).tolist() == [[-1], [-15 / 16]]
        assert jax.random.normal(key).tolist() == -14 / 16
    assert given.used == {"uniform": 8, "whole": 4, "normal": 3}
    assert not given.others


@pytest.mark.parametrize("name", ["choice", "permutation", "exponential", "truncated_normal", "bits"])
def test_any_other_draw_of_jax_is_named(name: str) -> None:
    given, key = handed(4), jax.random.PRNGKey(0)
    arguments = {"choice": (4,), "permutation": (4,), "truncated_normal": (0.0, 1.0)}.get(name, ())
    with given.in_place():
        getattr(jax.random, name)(key, *arguments)
    assert given.others >= {f"jax.random.{name}"}


def test_what_splits_keys_draws_nothing() -> None:
    given = handed(1)
    with given.in_place():
        jax.random.fold_in(jax.random.split(jax.random.PRNGKey(0))[0], 3)
    assert not given.others
    assert given.used == dict.fromkeys(KINDS, 0)


@pytest.mark.parametrize("low", [0, 1, -3])
def test_whole_numbers_are_noted_from_the_lowest(low: int) -> None:
    draws = Draws()
    with recording(draws):
        rng = np.random.default_rng(0)
        first = rng.integers(low, low + 9, 5)
        second = rng.integers(9, size=5)
        third = rng.integers(low, low + 9, 5, endpoint=True)
    expected = [*(first - low), *second, *(third - low)]
    assert draws.numbers["whole"] == expected
