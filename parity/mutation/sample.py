"""A seeded sample of changes, the same number from every file, and its parts for several machines."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from foundation.errors import InputError
from parity.mutation.operators import Change, changes_of, is_valid


def draw(sources: Mapping[str, bytes], count: int, seed: int, further: bool = False) -> list[Change]:
    """Return changes sampled by file: each gives as many, as far as it has them.

    A larger count with the same seed begins with the same changes of each file.

    Args:
        sources: bytes of each file by name.
        count: how many, at least one a file.
        seed: of the sample.
        further: whether :mod:`parity.mutation.further_operators` are tried too.
    """
    every: dict[str, Iterator[Change]] = {}
    for name, source in sources.items():
        changes = changes_of(name, source, further)
        random.Random(f"{seed} {name}").shuffle(changes)
        every[name] = filter(partial(is_valid, source=source), changes)
    drawn: list[Change] = []
    while every and len(drawn) < count:
        for name in list(every):
            change = next(every[name], None)
            if change is None:
                del every[name]
            else:
                drawn.append(change)
    return drawn[: max(count, len(sources))]


def shard(drawn: Sequence[Change], number: int, of: int) -> list[Change]:
    """Return one of several parts of a sample, counted from 1.

    Raises:
        InputError: there is no such part.
    """
    if not 1 <= number <= of:
        raise InputError(f"--shard {number}/{of}: give a part such as 1/4, from 1")
    return list(drawn[number - 1 :: of])
