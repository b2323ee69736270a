"""Rows of the study: one file a trained seed, ``rows-ARM/SEED.json``, whole or not there."""

from __future__ import annotations

import ast
import math
import platform
import time
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from foundation import provenance
from foundation.files import json_digest, write_json
from foundation.import_closure import PACKAGES_ROOT, closure
from foundation.json_reading import Artifact, Count, Int32, Struct, convert, read_json
from markets import InputError
from parity.learning_study.design import ARMS, FORMAT, Design

PACKAGES = {
    "sb3": ("gymnasium", "numpy", "pandas", "sb3-contrib", "stable-baselines3", "torch"),
    "jax": ("flax", "jax", "jaxlib", "numpy", "optax", "pandas"),
}
"""Packages whose version a row of each arm depends on, beside Python's."""

Row = dict[str, Any]


def path_of(folder: Path, arm: str, seed: int) -> Path:
    """Return where a row lies."""
    return folder / f"rows-{arm}" / f"{seed}.json"


def train_row(design: Design, arm: str, seed: int) -> Row:
    """Train one seed of an arm and return its row.

    Raises:
        InputError: the learning curve is not finite: the agent diverged.
    """
    began, cpu = time.perf_counter(), time.process_time()
    curve = [
        float(x) for x in import_module(f"parity.learning_study.{arm}_arm").learning_curve(design, seed)
    ]
    if not all(map(math.isfinite, curve)):
        raise InputError(f"seed {seed} of arm {arm} diverged: its learning curve is not finite")
    return {
        "format": FORMAT,
        "design": design.digest,
        "arm": arm,
        "seed": seed,
        "curve": curve,
        "steps": design.settings.rollout_size * len(curve),
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "code": code_of(arm),
        "versions": provenance.versions(PACKAGES[arm]),
        "machine": f"{platform.machine()}, {provenance.cores()} cores",
        "when": provenance.now(),
    }


@lru_cache
def code_of(arm: str) -> str:
    """Return a SHA-256 over what all source files that an arm imports do.

    Comments, docstrings and layout don't count. It is taken once a process, when the arm is imported.
    """
    files = closure(PACKAGES_ROOT, (f"parity.learning_study.{arm}_arm",))
    meanings = {name: _meaning(path.read_text(encoding="utf-8")) for name, path in files.items()}
    return json_digest(meanings)


def _meaning(source: str) -> str:
    """Return a source file's syntax tree as text, without docstrings."""
    return ast.dump(_WithoutTexts().visit(ast.parse(source)))


class _WithoutTexts(ast.NodeTransformer):
    """Drops statements that are nothing but a constant."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        return None if isinstance(node.value, ast.Constant) else node


def write_row(folder: Path, row: Mapping[str, Any]) -> None:
    """Write a row in its place."""
    write_json(path_of(folder, row["arm"], row["seed"]), row)


def read_rows(folder: Path, design: Design) -> dict[str, list[Row]]:
    """Return the rows of both arms, by seed; seeds beyond the design's are left out.

    Raises:
        InputError: a row is damaged, or of another design.
    """
    rows_by_arm: dict[str, list[Row]] = {}
    for arm in ARMS:
        seeds = range(design.seeds)
        paths = [path for seed in seeds if (path := path_of(folder, arm, seed)).exists()]
        rows_by_arm[arm] = [read_row(path, design, arm) for path in paths]
    return rows_by_arm


ROW_FILE = Artifact("row", "delete it and run the study again")


class _RowFields(Struct):
    format: Int32
    design: str
    arm: str
    seed: Count
    curve: list[float]
    seconds: float
    cpu_seconds: float
    code: str
    versions: dict[str, str]
    machine: str


def read_row(path: Path, design: Design, arm: str) -> Row:
    """Return one row.

    Raises:
        InputError: it is damaged, or of another design.
    """
    row: Row = read_json(path, dict[str, Any], ROW_FILE)
    fields = convert(row, _RowFields, ROW_FILE, where=path)
    if (fields.arm, fields.seed) != (arm, int(path.stem)):
        raise ROW_FILE.damaged(path, "of another arm or seed")
    for name, found, own in (
        ("design", fields.design, design.digest),
        ("format", str(fields.format), str(FORMAT)),
    ):
        if found != own:
            raise InputError(
                f"{path}: this row is of {name} {found[:12]}, not of {own[:12]}; choose another folder "
                "with --out, or delete the rows"
            )
    if len(fields.curve) != design.settings.num_updates:
        raise ROW_FILE.damaged(
            path, f"its curve has {len(fields.curve)} numbers, not {design.settings.num_updates}"
        )
    return row


def missing(folder: Path, design: Design, arm: str, seeds: int) -> list[int]:
    """Return which of the first ``seeds`` seeds have no row made by the code at hand.

    Raises:
        InputError: a row is damaged, or of another design.
    """
    code = code_of(arm)
    have = {row["seed"] for row in read_rows(folder, design)[arm] if row["code"] == code}
    return [seed for seed in range(seeds) if seed not in have]
