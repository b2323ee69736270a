"""A check at the trainer's own sizes finds bits, draws and orders with one fault each, and names it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.envs.fast_rng import below, spread_bits
from jax_port.ppo.minibatches import permutations
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
