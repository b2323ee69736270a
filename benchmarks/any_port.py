"""What checking a port costs: a verification of a shipped pair, again after everything is compiled.

    python -m benchmarks.any_port

Processor seconds are counted, of which a busy machine takes nothing away; a verification runs both
sides from the same states, in their own and in double precision, plays a free run and asks every
question of the contract.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import jax

from foundation import provenance
from foundation.errors import run_command
from foundation.files import write_json
from parity.command.foreign import their_errors
from parity.harness.pair import Pair
from parity.harness.places import load_pair
from parity.harness.report import Report
from parity.harness.verify import VERSIONED, verify

MOST_SECONDS = 30.0
"""Processor seconds that 20,000 transitions of CartPole may take."""


def measured(pair: Pair, transitions: int) -> tuple[Report, dict[str, float]]:
    """Verify a pair; return the report, and the processor and wall seconds that it took."""
    wall, processor = time.perf_counter(), time.process_time()
    report = verify(pair, transitions=transitions)
    seconds = {"processor": time.process_time() - processor, "wall": time.perf_counter() - wall}
    return report, {name: round(value, 2) for name, value in seconds.items()}


def cost_of(pair: Pair, transitions: int) -> dict[str, Any]:
    """Return what a verification costs the first time, and again with the same seed.

    Raises:
        InputError: the pair cannot be compared.
    """
    _, first = measured(pair, transitions)
    report, again = measured(pair, transitions)
    return {
        "format": 1,
        "pair": report.pair,
        "verdict": report.verdict,
        "transitions": transitions,
        "cases": dict(report.cases),
        "double": not any("double precision" in text for text in report.unchecked),
        "with compiling": first,
        "compiled": again,
        "machine": provenance.machine_info(VERSIONED, jax.devices(), jax.config),
    }


@click.command()
@click.option("--pair", "place", default="examples.pairs.cartpole:pair", show_default=True)
@click.option("--transitions", default=20_000, show_default=True, type=click.IntRange(min=32))
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports/any_port/any_port.json"))
def main(place: str, transitions: int, out: Path) -> None:
    """Time the verification of a pair; exit code 1: over half a minute of processor time."""
    with their_errors():
        values = cost_of(load_pair(place), transitions)
    write_json(out, values)
    cost = values["compiled"]
    click.echo(
        f"{values['pair']}: {values['verdict']}; {sum(values['cases'].values()):,} cases, double "
        f"precision {'included' if values['double'] else 'left out'}: {cost['processor']} processor "
        f"seconds, {cost['wall']} on the clock; with compiling "
        f"{values['with compiling']['processor']}"
    )
    if cost["processor"] > MOST_SECONDS:
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
