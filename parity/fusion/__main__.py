"""Prove that JAX, PyTorch and C# fuse as the reference does: python -m parity.fusion [--count N]."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from foundation.errors import run_command
from parity.export_chain.csharp import compile_checker, missing
from parity.fusion.sides import Fuse, csharp_side, jax_side, torch_side
from parity.fusion.verify import verify


@click.command()
@click.option("--count", type=click.IntRange(1), default=100_000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
def main(count: int, seed: int) -> None:
    """Compare fused decisions on random inputs; exit code 1 means a difference."""
    sides: dict[str, Fuse] = {"JAX": jax_side, "PyTorch": torch_side}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if (lacking := missing()) is None:
            sides["C#"] = csharp_side(compile_checker(scratch / "ParityCheck.exe"), scratch)
        else:
            click.echo(f"C#: {lacking}")
        agreements = verify(sides, count, seed)
    for name, agreement in agreements.items():
        click.echo(
            f"{name}: {agreement.decisions:,} decisions, {agreement.actions} other actions, "
            f"{agreement.outside} outside the mask, {agreement.not_bare} not bare at weight 0, "
            f"probabilities within {agreement.largest:.2g}"
            + (f"; first: {agreement.first}" if agreement.first else "")
        )
    if not all(agreement.same for agreement in agreements.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
