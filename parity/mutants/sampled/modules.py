"""Which changes are tried: a seeded sample of every module that trains, evaluates or exports."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from foundation.import_closure import closure
from markets import InputError
from parity.mutation.operators import Change
from parity.mutation.sample import draw

BEGINNINGS = (
    "rltrader.train",
    "rltrader.evaluate",
    "rltrader.export",
    "jax_port.export.bundle",
    "jax_port.export.importing",
)
"""The trainer, the evaluation and the exporter: what they import of ours is mutated."""

JUDGES = ("parity/", "legacy_torch/")
"""What judges, and what is judged against: not mutated here."""


def modules(root: Path) -> list[str]:
    """Return the files that are mutated, relative to ``root``, sorted.

    Raises:
        InputError: a module that one of them imports is missing.
    """
    files = closure(root, BEGINNINGS)
    return [name for name in files if not name.startswith(JUDGES) and not name.endswith("__init__.py")]


def changed_modules(root: Path, base: str) -> list[str]:
    """Return the files that are mutated, known to git and differ from a commit, committed or not.

    Args:
        root: the checkout.
        base: commit or branch, as git names it.

    Raises:
        InputError: git knows no such commit.
    """
    command = ["git", "diff", "--name-only", "--relative", base, "--"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["git says nothing"])[-1]
        raise InputError(f"--changed {base}: {reason}; name a commit that is here (git fetch)")
    return sorted(set(done.stdout.splitlines()) & set(modules(root)))


def draw_changes(root: Path, count: int, seed: int, only: Sequence[str] = ()) -> list[Change]:
    """Return changes sampled by module, as :func:`parity.mutation.sample.draw`.

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
        raise InputError(
            f"{unknown[0]}: no file that a training, an evaluation or an export imports; name "
            "one that they do"
        )
    return draw({name: (root / name).read_bytes() for name in only or names}, count, seed)
