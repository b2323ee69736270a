"""Which changes are tried: a seeded sample of what trains, evaluates or exports, or of what proves."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from foundation.import_closure import closure
from markets import InputError
from parity.mutation.operators import Change, Slips
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
"""What judges, and what is judged against: not mutated among these."""

PROOF_BEGINNINGS = (
    *("rltrader.parity", "rltrader.export_verify", "rltrader.live.replay"),
    *("parity.__main__", "parity.admission", "parity.fusion.__main__"),
)
"""The gate, the harness and every other proof, of which what stands in ``parity`` is mutated."""

MUTATION = ("parity/mutants/", "parity/mutation/")
"""What mutates."""


def modules(root: Path, proof: bool = False) -> list[str]:
    """Return the files that are mutated, relative to ``root``, sorted.

    Args:
        root: the folder that holds the packages.
        proof: what proves, in place of what trains, evaluates and exports.

    Raises:
        InputError: a module that one of them imports is missing.
    """
    files = closure(root, PROOF_BEGINNINGS if proof else BEGINNINGS)
    return [
        name
        for name in files
        if name.startswith("parity/") == proof
        and not name.startswith(MUTATION if proof else JUDGES)
        and not name.endswith("__init__.py")
    ]


def changed_modules(root: Path, base: str, proof: bool = False) -> list[str]:
    """Return the files that are mutated, known to git and differ from a commit, committed or not.

    Args:
        root: the checkout.
        base: commit or branch, as git names it.
        proof: as for :func:`modules`.

    Raises:
        InputError: git knows no such commit.
    """
    command = ["git", "diff", "--name-only", "--relative", base, "--"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["git says nothing"])[-1]
        raise InputError(f"--changed {base}: {reason}; name a commit that is here (git fetch)")
    return sorted(set(done.stdout.splitlines()) & set(modules(root, proof)))


def draw_changes(
    root: Path,
    count: int,
    seed: int,
    only: Sequence[str] = (),
    proof: bool = False,
    slips: Slips = "of one token",
) -> list[Change]:
    """Return changes sampled by module, as :func:`parity.mutation.sample.draw`.

    Args:
        root: the folder that holds the packages.
        count: how many, at least one a module.
        seed: of the sample.
        only: files to draw from instead of all.
        proof: as for :func:`modules`.
        slips: which operators are tried.

    Raises:
        InputError: one of ``only`` is not among the modules.
    """
    names = modules(root, proof)
    if unknown := sorted(set(only) - set(names)):
        what = "a proof" if proof else "a training, an evaluation or an export"
        raise InputError(f"{unknown[0]}: no file that {what} imports; name one that is")
    return draw({name: (root / name).read_bytes() for name in only or names}, count, seed, slips)
