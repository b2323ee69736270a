"""Draws that are handed over one after another, and what cannot be handed over."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from parity.harness.modes.recorded_draws import KINDS, Draws, Handed, recording
from parity.harness.modes.replayed_draws import Given, replaying


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


@pytest.mark.parametrize("low", [0, 1, -3, -9])  # of which the last ends at 0
def test_whole_numbers_are_noted_from_the_lowest(low: int) -> None:
    draws = Draws()
    with recording(draws):
        rng = np.random.default_rng(0)
        first = rng.integers(low, low + 9, 5)
        second = rng.integers(9, size=5)
        third = rng.integers(low, low + 9, 5, endpoint=True)
    expected = [*(first - low), *second, *(third - low)]
    assert draws.numbers["whole"] == expected


def all_draws(rng: np.random.Generator) -> list[Any]:
    """Draw in every way that can be handed over, and return what came."""
    out, normals = np.zeros((2, 2)), np.zeros(3)
    return [
        rng.random(),
        rng.random(3),
        rng.random((2, 2)),
        rng.random(2, dtype=np.float64),
        rng.random(out=out).copy(),
        rng.uniform(),
        rng.uniform(-2.0, 3.0),
        rng.uniform(-2.0, 3.0, 4),
        rng.uniform([1.0, 10.0], [2.0, 30.0]),
        rng.uniform(low=5.0, high=6.0, size=(2, 2)),
        rng.integers(7),
        rng.integers(3, 9),
        rng.integers(3, 9, 5),
        rng.integers(-4, -1, size=(2, 3)),
        rng.integers([1, 100], [4, 400]),
        rng.integers(5, size=4, endpoint=True),
        rng.integers(2, 6, size=3, dtype=np.int32, endpoint=True),
        rng.standard_normal(),
        rng.standard_normal(3),
        rng.standard_normal(out=normals).copy(),
        rng.normal(),
        rng.normal(5.0, 0.25),
        rng.normal(5.0, 0.25, 3),
        rng.normal([1.0, -1.0], [3.0, 0.5]),
    ]


UNIFORM, WHOLE, NORMAL = (
    1 + 3 + 4 + 2 + 4 + 1 + 1 + 4 + 2 + 4,
    1 + 1 + 5 + 6 + 2 + 4 + 3,
    1 + 3 + 3 + 1 + 1 + 3 + 2,
)


def assert_alike(one: list[Any], two: list[Any]) -> None:
    for a, b in zip(one, two, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        assert np.allclose(a, b, rtol=1e-15, atol=1e-15)
        assert np.ndim(a) == 0 or len(np.unique(a)) > 1


def test_what_is_recorded_is_what_numpy_draws_and_leads_to_it_again_where_it_is_handed_over() -> None:
    plain, draws = all_draws(np.random.default_rng(3)), Draws()
    with recording(draws):
        assert_alike(all_draws(np.random.default_rng(3)), plain)
    assert draws.counts == {"uniform": UNIFORM, "whole": WHOLE, "normal": NORMAL}
    assert not draws.others
    assert all(0 <= share < 1 for share in draws.numbers["uniform"])
    given = Given(draws.numbers)
    with replaying(given):
        assert_alike(all_draws(np.random.default_rng(99)), plain)
        rng = np.random.default_rng(0)
        assert (rng.random(), rng.normal(2.0, 3.0), rng.integers(4, 9)) == (0.0, 2.0, 4)  # none is left
    assert given.used == {"uniform": UNIFORM + 1, "whole": WHOLE + 1, "normal": NORMAL + 1}
    assert not given.others


@pytest.mark.parametrize("name", ["choice", "permutation", "exponential", "shuffle"])
def test_any_other_draw_of_numpy_is_named_on_either_way(name: str) -> None:
    draws, given = Draws(), Given({kind: [] for kind in KINDS})
    arguments = {"exponential": ()}.get(name, (np.arange(4),))
    for within, others in ((recording(draws), draws.others), (replaying(given), given.others)):
        with within:
            getattr(np.random.default_rng(0), name)(*arguments)
        assert any(other.endswith(f".{name}") for other in others)


def test_a_number_at_a_chance_itself_is_not_below_it() -> None:
    given, key = handed(12), jax.random.PRNGKey(0)
    with given.in_place():
        drawn = jax.random.bernoulli(key, 4 / 16, (6,))
    assert drawn.tolist() == [True] * 4 + [False] * 2


def wide_draws(rng: np.random.Generator) -> list[Any]:
    """Draw between ends of which one alone is an array, in other widths, and into arrays."""
    first, second = np.zeros(3, np.float32), np.zeros((2, 2))
    rng.random(out=first, dtype=np.float32)
    rng.standard_normal(out=second)
    return [
        rng.uniform(2.0, [3.0, 50.0, 900.0]),
        rng.uniform([[1.0], [2.0]], [3.0, 4.0]),
        rng.normal(5.0, [1.0, 20.0]),
        rng.normal([1.0, 2.0, 3.0], 0.5),
        rng.integers([1, 100, 5], 4000),
        rng.integers(0, [4, 4000]),
        rng.integers([7, 9000]),
        rng.integers(9, size=6, dtype=np.uint8),
        rng.random(np.int64(4)),
        rng.random(4, dtype=np.float32),
        rng.standard_normal(4, dtype=np.float32),
        rng.standard_normal(np.int32(3)),
        first,
        second,
    ]


def test_ends_of_which_one_is_an_array_and_other_widths_are_recorded_and_handed_over() -> None:
    plain, draws = wide_draws(np.random.default_rng(5)), Draws()
    with recording(draws):
        assert_alike(wide_draws(np.random.default_rng(5)), plain)
    assert draws.counts == {
        "uniform": 3 + 3 + 4 + 4 + 4,
        "whole": 3 + 2 + 2 + 6,
        "normal": 4 + 2 + 3 + 4 + 3,
    }
    given = Given(draws.numbers)
    with replaying(given):
        assert_alike(wide_draws(np.random.default_rng(99)), plain)
    assert given.used == draws.counts
    assert not given.others
    assert not draws.others


def test_generators_of_gymnasium_and_those_made_of_others_are_watched_and_no_more_afterwards() -> None:
    from gymnasium.utils import seeding

    plain, number = seeding.np_random(7)
    expected = plain.random()
    assert number == 7
    draws = Draws()
    with recording(draws):
        generator, used = seeding.np_random(7)
        assert (generator.random(), used) == (expected, 7)
        again = np.random.default_rng(generator)
        assert again is generator
        assert again.integers(3, 9) in range(3, 9)
        other, chosen = seeding.np_random()
        assert isinstance(chosen, int)
        other.normal()
    assert draws.counts == {"uniform": 1, "whole": 1, "normal": 1}
    assert draws.numbers["uniform"] == [expected]
    given = Given(draws.numbers)
    with replaying(given):
        generator, used = seeding.np_random(8)
        assert (generator.random(), used) == (expected, 8)
    assert given.used == {"uniform": 1, "whole": 0, "normal": 0}
    assert type(seeding.np_random(7)[0]) is type(np.random.default_rng(0)) is np.random.Generator


def test_what_jax_is_handed_has_the_shape_and_dtype_that_was_asked_for() -> None:
    given, key = handed(12), jax.random.PRNGKey(0)
    with given.in_place():
        chances = jax.random.bernoulli(key, np.array([0.5, 0.0, 0.2]))
        wide = jax.random.uniform(key, (2,), np.float16, minval=np.array([1.0, 10.0]), maxval=20.0)
        whole = jax.random.randint(key, (2, 2), np.array([[0, 10], [20, 30]]), 99, np.int8)
        bell = jax.random.normal(key, (2,), np.float16)
    assert chances.tolist() == [True, False, True]
    assert (wide.tolist(), wide.dtype) == ([1 + 19 * 3 / 16, 12.5], np.float16)
    assert (whole.tolist(), whole.dtype) == ([[0, 11], [22, 33]], np.int8)
    assert (bell.tolist(), bell.dtype) == ([-1, -15 / 16], np.float16)
    assert given.used == {"uniform": 5, "whole": 4, "normal": 2}


def test_where_no_numbers_are_left_the_last_is_handed_over_again_and_zeros_where_there_are_none() -> (
    None
):
    given, key = handed(2), jax.random.PRNGKey(0)
    none = Handed({kind: np.zeros(0) for kind in KINDS})
    with given.in_place():
        assert jax.random.uniform(key, (4,)).tolist() == [0, 1 / 16, 1 / 16, 1 / 16]
        assert jax.random.randint(key, (), 5, 9).tolist() == 5
        assert jax.random.randint(key, (3,), 5, 9).tolist() == [6, 6, 6]
    assert given.used == {"uniform": 4, "whole": 4, "normal": 0}
    with none.in_place():
        assert jax.random.normal(key, (2, 3)).tolist() == [[0.0] * 3] * 2
        jax.random.gamma(key, 1.0)
        jax.random.laplace(key)
    assert none.used == {"uniform": 0, "whole": 0, "normal": 6}
    assert none.others >= {"jax.random.gamma", "jax.random.laplace"}
    asked = Given({"uniform": [0.25], "whole": [3.0, 4.0], "normal": []})
    assert asked.next("uniform", None) == 0.25
    assert asked.next("uniform", (2, 1)).tolist() == [[0.0], [0.0]]
    assert asked.next("whole", 3).tolist() == [3.0, 4.0, 0.0]
    assert asked.next("normal", ()).tolist() == 0.0
    assert asked.used == {"uniform": 3, "whole": 3, "normal": 1}


@pytest.mark.parametrize("size", [0, (0,), (2, 0), (), 1, (1, 2), np.int64(0)])
def test_shapes_of_no_number_and_of_one_are_those_that_numpy_draws(size: Any) -> None:
    def shapes() -> list[Any]:
        rng = np.random.default_rng(3)
        drawn = [
            rng.random(size),
            rng.uniform(size=size),
            rng.uniform(-2.0, 3.0, size),
            rng.integers(3, 9, size),
            rng.standard_normal(size),
            rng.normal(size=size),
            rng.normal(5.0, 0.25, size),
            rng.uniform([], []),
            rng.normal([], 1.0),
        ]
        return [(type(one), one.dtype, one.shape) for one in drawn]

    plain, draws = shapes(), Draws()
    with recording(draws):
        assert shapes() == plain
    count = int(np.prod(size))
    assert draws.counts == {"uniform": 3 * count, "whole": count, "normal": 3 * count}
    given = Given(draws.numbers)
    with replaying(given):
        assert shapes() == plain
    assert given.used == draws.counts


def test_what_a_spawned_generator_draws_is_recorded_and_handed_over_too() -> None:
    def draw() -> list[Any]:
        rng = np.random.default_rng(3)
        first, second = rng.spawn(2)
        (third,) = second.spawn(1)
        return [rng.random(), first.random(2), third.normal(2.0, 3.0), second.integers(4, 9, 3)]

    plain, draws = draw(), Draws()
    with recording(draws):
        assert_alike(draw(), plain)
    assert draws.counts == {"uniform": 3, "whole": 3, "normal": 1}
    assert draws.numbers["uniform"] == [plain[0], *plain[1]]
    given = Given(draws.numbers)
    with replaying(given):
        assert_alike(draw(), plain)
        np.random.default_rng(1).spawn(1)[0].shuffle([1, 2])
    assert given.used == draws.counts
    assert given.others == {"numpy's Generator.shuffle"}
    assert not draws.others
