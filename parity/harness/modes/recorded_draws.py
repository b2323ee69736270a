"""Random numbers of an object, recorded, and handed to pure functions in place of their own.

Numbers are held by what they are drawn as: from 0 up to 1, whole numbers counted from the lowest, and
standard normal ones. So one draw of a reference stands for one of a port, whatever ends it is stretched
to.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np

KINDS = ("uniform", "whole", "normal")
"""From 0 up to 1; whole numbers from 0; standard normal."""
FROM = {"integers": "whole", "standard_normal": "normal"}
SILENT = frozenset({"bit_generator", "spawn"})
NOT_DRAWS = frozenset(
    {"PRNGKey", "key", "split", "fold_in", "key_data", "wrap_key_data", "key_impl", "clone"}
)
"""Functions of ``jax.random`` that draw nothing."""


@dataclass
class Draws:
    """What was drawn: numbers by kind, in order, and the names of draws that cannot be handed over."""

    numbers: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    others: set[str] = field(default_factory=set)

    @property
    def counts(self) -> dict[str, int]:
        """How many numbers of each kind there are."""
        return {kind: len(values) for kind, values in self.numbers.items()}

    def note(self, kind: str, values: Any) -> None:
        """Add numbers of a kind."""
        self.numbers[kind] += np.asarray(values, np.float64).reshape(-1).tolist()


def shape_of(size: Any, *ends: Any) -> Any:
    """Return the shape that is drawn: the one asked for, or that of the ends; None for one number."""
    return (np.broadcast(*ends).shape or None) if size is None else size


def between(low: Any, high: Any, share: Any) -> Any:
    """Return numbers between two ends, from draws from 0 up to 1: an array, or a float from a float."""
    values = np.asarray(low + (np.asarray(high) - low) * share)
    return values if isinstance(share, np.ndarray) else float(values)


def around(loc: Any, scale: Any, drawn: Any) -> Any:
    """Return normal numbers, from standard normal draws: an array, or a float from a float."""
    values = np.asarray(loc + np.asarray(scale) * drawn)
    return values if isinstance(drawn, np.ndarray) else float(values)


class RecordingGenerator(np.random.Generator):
    """NumPy's generator, which notes what it draws; one that it spawns is of its class, and does so."""

    draws: Draws

    def random(self, *arguments: Any, **options: Any) -> Any:
        """Draw from 0 up to 1."""
        values = super().random(*arguments, **options)
        self.draws.note("uniform", values)
        return values

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        """Draw between two ends."""
        share = super().random(shape_of(size, low, high))
        self.draws.note("uniform", share)
        return between(low, high, share)

    def integers(self, low: Any, high: Any = None, *arguments: Any, **options: Any) -> Any:
        """Draw whole numbers."""
        values = super().integers(low, high, *arguments, **options)
        self.draws.note("whole", np.asarray(values) - (0 if high is None else low))
        return values

    def standard_normal(self, *arguments: Any, **options: Any) -> Any:
        """Draw from the standard normal distribution."""
        values = super().standard_normal(*arguments, **options)
        self.draws.note("normal", values)
        return values

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:
        """Draw from a normal distribution."""
        drawn = super().standard_normal(shape_of(size, loc, scale))
        self.draws.note("normal", drawn)
        return around(loc, scale, drawn)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name[0] != "_" and name not in HANDED_OVER and callable(found):
            self.draws.others.add(f"np_random.{name}")
        return found


HANDED_OVER = (
    frozenset({"random", "uniform", "integers", "standard_normal", "normal", "draws", "given"}) | SILENT
)


@contextmanager
def generators(made: Callable[[Any], np.random.Generator]) -> Iterator[None]:
    """Have ``made(bits)`` make the generators that are asked of NumPy or Gymnasium within."""
    from gymnasium.utils import seeding

    new, gymnasium = np.random.default_rng, seeding.np_random

    def default_rng(seed: Any = None) -> Any:
        if isinstance(seed, np.random.Generator):
            return seed
        return made(new(seed).bit_generator)

    def np_random(seed: Any = None) -> Any:
        generator, used = gymnasium(seed)
        return made(generator.bit_generator), used

    with (
        patch.object(np.random, "default_rng", default_rng),
        patch.object(seeding, "np_random", np_random),
    ):
        yield


def recording(draws: Draws) -> AbstractContextManager[None]:
    """Have generators that are made within note their draws: NumPy's own and Gymnasium's."""

    class Recording(RecordingGenerator):
        pass

    Recording.draws = draws
    return generators(Recording)


class Handed:
    """Functions in the place of those of ``jax.random``, which return numbers that were recorded.

    Args:
        numbers: by kind, (N,); may be traced.
    """

    def __init__(self, numbers: dict[str, Any]) -> None:
        self._numbers = numbers
        self.used = dict.fromkeys(KINDS, 0)
        self.others: set[str] = set()

    def _next(self, kind: str, shape: Any) -> Any:
        size, first = math.prod(shape), self.used[kind]
        self.used[kind] = first + size
        held = self._numbers[kind]
        places = np.minimum(np.arange(first, first + size), max(held.shape[0] - 1, 0))
        return held[places].reshape(shape) if held.shape[0] else jnp.zeros(shape)

    def uniform(
        self,
        key: Any,
        shape: Any = (),
        dtype: Any = None,
        minval: Any = 0.0,
        maxval: Any = 1.0,
        **_: Any,
    ) -> Any:
        """Stand in for ``jax.random.uniform``."""
        share = self._next("uniform", shape)
        return jnp.asarray(minval + share * (jnp.asarray(maxval) - minval), dtype)

    def randint(
        self, key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = None, **_: Any
    ) -> Any:
        """Stand in for ``jax.random.randint``."""
        return jnp.asarray(minval + self._next("whole", shape), dtype or int)

    def normal(self, key: Any, shape: Any = (), dtype: Any = None, **_: Any) -> Any:
        """Stand in for ``jax.random.normal``."""
        return jnp.asarray(self._next("normal", shape), dtype)

    def bernoulli(self, key: Any, p: Any = 0.5, shape: Any = None, **_: Any) -> Any:
        """Stand in for ``jax.random.bernoulli``."""
        return self._next("uniform", jnp.shape(p) if shape is None else shape) < p

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Stand in for ``jax.random`` while functions are traced that have not been before."""
        with ExitStack() as stack:
            for name in dir(jax.random):
                original = getattr(jax.random, name)
                if name.startswith("_") or name in NOT_DRAWS or not callable(original):
                    continue
                own = getattr(self, name, None)
                new = own if own is not None else self._noted(name, original)
                stack.enter_context(patch.object(jax.random, name, new))
            yield

    def _noted(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def call(*arguments: Any, **options: Any) -> Any:
            self.others.add(f"jax.random.{name}")
            return original(*arguments, **options)

        return call
