"""A check at the trainer's own sizes finds bits, draws and orders with one fault each, and names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.envs.fast_rng import below, spread_bits
from jax_port.ppo.minibatches import permutations
from parity.engine.compare import Array
from parity.engine.verify import CheckResult, Mismatch
from parity.suites import scale


def orders(change: Callable[[jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    return lambda key, settings: change(permutations(key, settings))


FAULTS: dict[str, tuple[str, Callable[..., Any], str]] = {
    "orders of 16 bits": ("permutations", orders(lambda x: x % 2**16), "every transition once"),
    "orders that are numbered from 1": (
        "permutations",
        orders(lambda x: x + 1),
        "every transition once",
    ),
    "a transition that comes twice": (
        "permutations",
        orders(lambda x: x.at[:, 0].set(x[:, 1])),
        "every transition once",
    ),
    "the second order of one that is whole": (
        "permutations",
        orders(lambda x: x.at[1:].set(0)),
        "every transition once",
    ),
    "a second order that is none": (
        "permutations",
        orders(lambda x: x.at[1].set(jnp.arange(x.shape[1]))),
        ", order 2, from place ",
    ),
    "orders that are sorted in their second halves": (
        "permutations",
        orders(lambda x: x.at[:, x.shape[1] // 2 :].set(jnp.sort(x[:, x.shape[1] // 2 :], axis=1))),
        ", from place ",
    ),
    "an order that is none below 2^16": (
        "permutations",
        orders(lambda x: jnp.sort(x, axis=1) if x.shape[1] == 257 * 255 else x),
        "257 x 255, order ",
    ),
    "bits of 255 environments": (
        "spread_bits",
        lambda key, count: jnp.tile(spread_bits(key, min(count, 255)), count // 255 + 1)[:count],
        "own bits",
    ),
    "draws from the low 16 bits": ("below", lambda bits, bound: below(bits & 0xFFFF, bound), "below "),
    "draws one too high": ("below", lambda bits, bound: below(bits, bound) + 1, "below "),
}


def test_what_is_right_passes() -> None:
    checks = (scale._check_words(0), scale._check_bounds(0), scale._check_orders(0))
    assert all(one.passed for one in checks)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found_and_named(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, faulty, words = FAULTS[fault]
    monkeypatch.setattr(scale, name, faulty)
    check = {
        "permutations": scale._check_orders,
        "spread_bits": scale._check_words,
        "below": scale._check_bounds,
    }[name](0)
    assert not check.passed
    assert check.first is not None
    assert words in check.first.field


def test_one_that_does_not_hold_is_enough_and_the_first_is_told() -> None:
    result = CheckResult("made", "environments", 5)
    scale._holds(result, "right", 0, 7)
    assert result.passed
    assert result.first is None
    scale._holds(result, "once wrong", 1, 9)
    scale._holds(result, "twice wrong", 2, 11)
    assert (result.passed, result.compared) == (False, 32)
    assert result.first == Mismatch(0, -1, "once wrong", (), 0.0, 1.0)
    told = {name: (one.compared, one.mismatches) for name, one in result.fields.items()}
    assert told == {"right": (7, 0), "once wrong": (9, 1), "twice wrong": (11, 2)}


@pytest.mark.parametrize("bad", [None, *scale.ENVIRONMENTS])
def test_bits_are_looked_at_at_every_number_of_environments(
    bad: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spread(key: jax.Array, count: int) -> Array:
        words = np.arange(count, dtype=np.uint32)[::-1].copy()
        if count == bad:
            words[-1:] = words[0]
        return words

    monkeypatch.setattr(scale, "spread_bits", spread)
    result = scale._check_words(3)
    assert (result.check, result.world) == ("random bits at scale", "environments")
    names = {count: f"{count:,} environments: own bits" for count in scale.ENVIRONMENTS}
    assert {name: (one.compared, one.mismatches) for name, one in result.fields.items()} == {
        name: (count, int(count == bad)) for count, name in names.items()
    }
    assert result.compared == sum(scale.ENVIRONMENTS)
    wrong = None if bad is None else Mismatch(0, -1, names[bad], (), 0.0, 1.0)
    assert result.first == wrong


EDGES = (0, 1, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1)


@pytest.mark.parametrize("bound", scale.BOUNDS)
def test_draws_are_looked_at_below_every_bound_at_every_edge(
    bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is off below one bound alone, of one word alone or of those that are large."""
    seen: list[Array] = []

    def faulty(where: Callable[[Array], Array]) -> Callable[[jax.Array, int], Array]:
        def draw(bits: jax.Array, limit: int) -> Array:
            words = np.asarray(bits)
            seen.append(words)
            drawn = (words.astype(np.uint64) * np.uint64(limit)) >> np.uint64(32)
            return drawn.astype(np.int64) + (where(words) if limit == bound else 0)

        return draw

    name = f"below {bound:,}"
    for edge in EDGES:
        monkeypatch.setattr(scale, "below", faulty(lambda words, edge=edge: words == edge))
        result = scale._check_bounds(5)
        assert result.first == Mismatch(0, -1, name, (), 0.0, 1.0)
        told = {one: stats.mismatches for one, stats in result.fields.items()}
        assert told == {f"below {one:,}": int(one == bound) for one in scale.BOUNDS}
    assert result.compared == len(scale.BOUNDS) * seen[0].size == len(scale.BOUNDS) * (4096 + 7)
    monkeypatch.setattr(scale, "below", faulty(lambda words: words >= 3 * 2**30))
    wrong = scale._check_bounds(5).fields[name].mismatches
    assert 900 < wrong < 1150  # a quarter of the drawn words lies there
    monkeypatch.setattr(scale, "below", faulty(lambda words: words < 0))
    assert scale._check_bounds(5).passed


@pytest.mark.parametrize("bad", range(len(scale.ROLLOUTS)))
@pytest.mark.parametrize("number", [0, 1])
def test_orders_are_looked_at_at_every_size_and_in_every_epoch(
    bad: int, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that leaves out the last transition alone."""
    asked: list[tuple[int, int, int, int]] = []

    def drawn(key: jax.Array, settings: Any) -> Array:
        size = settings.rollout_size
        asked.append((settings.n_envs, settings.n_steps, settings.n_epochs, settings.batch_size))
        orders = np.stack([np.random.default_rng([size, n]).permutation(size) for n in (0, 1)])
        if (settings.n_envs, settings.n_steps) == scale.ROLLOUTS[bad]:
            orders[number][orders[number] == size - 1] = 0
        return orders

    monkeypatch.setattr(scale, "permutations", drawn)
    result = scale._check_orders(0)
    names = [f"{one:,} x {steps:,}: every transition once" for one, steps in scale.ROLLOUTS]
    sizes = [one * steps for one, steps in scale.ROLLOUTS]
    assert asked == [(*pair, 2, size) for pair, size in zip(scale.ROLLOUTS, sizes, strict=True)]
    told = {name: (one.compared, one.mismatches) for name, one in result.fields.items()}
    spread = told.pop("independent draws")
    assert told == {
        name: (2 * size, int(n == bad)) for n, (name, size) in enumerate(zip(names, sizes, strict=True))
    }
    assert spread == (3 * 2 * 3 * 8, 0)  # sizes beyond 2^10, orders, places and eighths
    assert result.compared == 2 * sum(sizes)
    assert result.first == Mismatch(0, -1, names[bad], (), 0.0, 1.0)
    assert set(result.notes) == {"least_chance"}
