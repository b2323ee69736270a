"""Compiled programs as plain values: what the model needs of them, so that it can be asked again later.

A report of a card holds what was measured; the programs that were measured are held beside it, either
in the report's own rows or, for reports made before those had them, compiled again for the same card.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from benchmarks.gpu_program.kernels import Block, Kernel

Values = Mapping[str, Any]
SIZES = ("n_envs", "n_steps", "batch_size", "n_epochs", "precision")
"""What tells one training program from another, beside the phase and the form."""


def block_to_dict(block: Block) -> dict[str, Any]:
    """Return a block as plain values: its kernels, those that are alike once with their number."""
    alike = Counter(
        (kernel.kind, kernel.read_bytes, kernel.written_bytes, tuple(sorted(kernel.flops.items())))
        for kernel in block.kernels
    )
    return {
        "trips": block.trips,
        "is_branch": block.is_branch,
        "kernels": [
            [kind, number, read, written, *([dict(flops)] if flops else [])]
            for (kind, read, written, flops), number in alike.items()
        ],
        "inside": [block_to_dict(inner) for inner in block.inside],
    }


def block_of(values: Values, name: str = "entry") -> Block:
    """Return the block that :func:`block_to_dict` made values of; names and source lines are gone."""
    kernels: list[Kernel] = []
    for kind, number, read, written, *rest in values["kernels"]:
        kernels += [Kernel("", kind, read, written, dict(rest[0]) if rest else {}, ())] * number
    inside = [block_of(inner, f"{name}.{number}") for number, inner in enumerate(values["inside"])]
    return Block(name, values["trips"], values["is_branch"], kernels, inside)


def about_of(row: Values) -> dict[str, Any]:
    """Return what names the program of a report's row: the environment's form, or training's sizes."""
    if "form" in row and "batch_size" not in row:
        steps = row["steps_per_call"] // row["envs"]
        return {"form": row["form"], "phase": row["phase"], "envs": row["envs"], "steps": steps}
    return {**{name: row[name] for name in SIZES}, "form": row.get("form", "gpu")}
