"""A check at the trainer's own sizes finds bits, draws and orders with one fault each, and names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs.fast_rng import below, spread_bits
from jax_port.ppo.minibatches import permutations
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
