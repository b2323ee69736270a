"""A seeded sample of changes, the same number from every file, and its parts for several machines."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from foundation.errors import InputError
from parity.mutation.operators import Change, Slips, changes_of, is_valid


def draw(
    sources: Mapping[str, bytes], count: int, seed: int, slips: Slips = "of one token"
) -> list[Change]:
    """Return changes sampled by file: each gives as many, as far as it has them.

    A larger count with the same seed begins with the same changes of each file.

    Args:
        sources: bytes of each file by name.
        count: how many, at least one a file.
        seed: of the sample.
        slips: which operators are tried.
    """
    every = {name: changes_of(name, source, slips) for name, source in sources.items()}
    drawn: list[Change] = []
    for changes in rounds(every, seed, lambda change: is_valid(change, sources[change.file])):
        drawn += changes
        if len(drawn) >= count:
            break
    return drawn[: max(count, len(sources))]


def rounds(
    changes: Mapping[str, Sequence[Change]],
    seed: int,
    wanted: Callable[[Change], bool] = lambda change: True,
) -> Iterator[list[Change]]:
    """Give the next wanted change of every file that has one left, each file's in an order of its own.

    Args:
        changes: all of each file, by its name.
        seed: of the orders.
        wanted: whether a change counts; asked no earlier than needed.
    """
    waiting: dict[str, Iterator[Change]] = {}
    for name, some in changes.items():
        shuffled = list(some)
        random.Random(f"{seed} {name}").shuffle(shuffled)
        waiting[name] = filter(wanted, shuffled)
    while waiting:
        drawn = {name: next(left, None) for name, left in waiting.items()}
        waiting = {name: waiting[name] for name, change in drawn.items() if change is not None}
        yield [change for change in drawn.values() if change is not None]


def shard(drawn: Sequence[Change], number: int, of: int) -> list[Change]:
    """Return one of several parts of a sample, counted from 1.

    Raises:
        InputError: there is no such part.
    """
    if not 1 <= number <= of:
        raise InputError(f"--shard {number}/{of}: give a part such as 1/4, from 1")
    return list(drawn[number - 1 :: of])
