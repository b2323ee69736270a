"""Which changes are tried: a seeded sample of every module that trains, evaluates or exports."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from foundation.import_closure import closure
from markets import InputError
from parity.mutation.operators import Change, changes_of, is_valid

BEGINNINGS = (
    "rltrader.train",
    "rltrader.evaluate",
    "rltrader.export",
    "jax_port.export.bundle",
    "jax_port.export.importing",
)
"""The trainer, the evaluation and the exporter: what they import of ours is mutated."""

JUDGES = ("parity/", "legacy_torch/", "rltrader/", "foundation/report/")
"""What judges, what is judged against, and what only composes or draws: not mutated here."""


def modules(root: Path) -> list[str]:
    """Return the files that are mutated, relative to ``root``, sorted.

    Raises:
        InputError: a module that one of them imports is missing.
    """
    files = closure(root, BEGINNINGS)
    return [name for name in files if not name.startswith(JUDGES) and not name.endswith("__init__.py")]


def draw(root: Path, count: int, seed: int, only: Sequence[str] = ()) -> list[Change]:
    """Return changes sampled by module: each gives as many, as far as it has them.

    A larger count with the same seed begins with the same changes of each module.

    Args:
        root: the folder that holds the packages.
        count: how many, at least one a module.
        seed: of the sample.
        only: files to draw from instead of all.

    Raises:
        InputError: one of ``only`` is not among the modules.
    """
    names = modules(root)
    if unknown := sorted(set(only) - set(names)):
        raise InputError(f"{unknown[0]}: no file that a training, an evaluation or an export imports")
    every: dict[str, Iterator[Change]] = {}
    for name in only or names:
        source = (root / name).read_bytes()
        changes = changes_of(name, source)
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
    return drawn[: max(count, len(only or names))]


def shard(drawn: Sequence[Change], number: int, of: int) -> list[Change]:
    """Return one of several parts of a sample, counted from 1.

    Raises:
        InputError: there is no such part.
    """
    if not 1 <= number <= of:
        raise InputError(f"--shard {number}/{of}: give a part such as 1/4, from 1")
    return list(drawn[number - 1 :: of])
