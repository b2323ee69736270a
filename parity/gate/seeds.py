"""Count false alarms of the gate: all of it with one seed after another, both sides being the same.

``python -m parity.gate.seeds --runs 50``. Every seed draws its own bars, configurations, networks,
episodes and cases. The gate's default strength is what is counted; ``rltrader parity run
--thorough`` is ten of these runs in one report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click
import jax
import numpy as np
from rich.console import Console

from foundation import provenance
from foundation.errors import InputError, run_command
from foundation.files import file_digest, finite, json_digest, write_json
from foundation.json_reading import Artifact
from foundation.loaded_code import loaded_digests
from foundation.progress import progress_bar
from parity.engine.measure import share_of
from parity.engine.report import SAME, Report, versions
from parity.mutation.by_seed import Ledger, Line, counted
from parity.mutation.by_seed import judge_seeds as judge_by_seed
from parity.suites.rounds import command_of
from parity.suites.scenarios import Request
from parity.suites.trading import MODULES, run

OUT = Path("reports/gate_seeds")
LINES, NUMBERS = "seeds.jsonl", "seeds.json"
LINE = Artifact("line of a count of the gate's false alarms", "remove the file to begin anew")

Progress = Callable[[str, int, int], None]
"""(what was done last, seeds judged, in all), those of earlier calls too."""


def judge_seeds(
    request: Request, seeds: range, out: Path, progress: Progress | None = None
) -> dict[str, Any]:
    """Run the gate with every seed that has not been tried yet; return what all of them came to.

    Args:
        request: how each run is asked for; its own seed is passed over.
        seeds: which.
        out: folder for seeds.jsonl and seeds.json; what lies there of the same code counts.
        progress: called after every seed.

    Returns:
        "runs", "alarms" (lines that are not the same), "at_most" (upper end of a one-sided 95% interval
        of the chance of an alarm), "closest" (largest share of a limit that an error took, None where
        one was no finite number), "transitions", "numbers", "seconds", and versions and device.

    Raises:
        InputError: the folder holds runs of other code or other settings, a process died, or a seed
            draws what can't be carried out.
    """
    out.mkdir(parents=True, exist_ok=True)

    def told(line: Line, done: int, of: int) -> None:
        if progress is not None:
            progress(f"seed {line['seed']}: {line['verdict']}", done, of)

    with TemporaryDirectory() as compiled:

        def judge(seed: int) -> dict[str, Any]:
            asked = replace(request, seed=seed)
            try:
                return line_of(run(asked, compiled=compiled), asked)
            except InputError as error:
                raise InputError(f"seed {seed}: {error}") from None

        ledger = Ledger(out / LINES, LINE, _asked(request))
        lines = judge_by_seed(ledger, seeds, judge, told)
    alarms = [line for line in lines if line["verdict"] != SAME]
    shares = [line["closest"] for line in lines]
    result = {
        "format": 1,
        **counted(lines, alarms),
        "closest": None if None in shares else max(shares, default=0.0),
        **{what: sum(line[what] for line in lines) for what in ("transitions", "numbers")},
        "made": {
            "when": provenance.now(),
            "versions": versions(),
            "device": provenance.device_name(jax.devices()),
        },
    }
    write_json(out / NUMBERS, result)
    return result


def line_of(report: Report, request: Request) -> dict[str, Any]:
    """Return what is kept of one run: its verdict, what failed, and how near to a limit it came."""
    summary = report.summary()
    errors = summary["relative_errors"].values()
    shares = [share_of(one["largest"], one["limit"]) for one in errors]
    return {
        "verdict": report.verdict,
        "missing": report.missing,
        "failed": [f"{one.check}, {one.world}" for one in report.checks if not one.passed],
        "transitions": summary["replayed_transitions"] + summary["generated_transitions"],
        "numbers": summary["numbers_compared"],
        "closest": finite(float(np.max(shares, initial=0.0))),
        "seconds": round(report.seconds, 1),
        "again": command_of(request),
    }


def _asked(request: Request) -> dict[str, Any]:
    """Return what a line is about: the code, the versions, and how much a run compares."""
    names = ("episodes", "cases", "days", "symbols", "configurations", "learner", "symbol", "reader")
    return {
        **{name: getattr(request, name) for name in names},
        "data": request.data and file_digest(request.data),
        "code": json_digest(loaded_digests(MODULES)),
        "versions": versions(),
    }


@click.command()
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first.")
@click.option("--runs", type=click.IntRange(1), default=50, show_default=True)
@click.option("--workers", type=click.IntRange(0), default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def main(seed: int, runs: int, workers: int, out: Path) -> None:
    """Run the gate with RUNS seeds and count how often it calls the same two sides different.

    Exit code 0 means no alarm, 1 an alarm or too little seen, 2 bad input.
    """
    console = Console(stderr=True)
    with progress_bar("seeds", "{task.fields[last]}", console=console) as bar:
        task = bar.add_task("", total=runs, last="starting")
        result = judge_seeds(
            Request(workers=workers),
            range(seed, seed + runs),
            out,
            lambda last, done, of: bar.update(task, completed=done, total=of, last=last),
        )
    for line in result["alarms"]:
        what = "; ".join([*line["failed"][:3], *line["missing"][:3]])
        console.print(f"seed {line['seed']}: {line['verdict']} ({what}); again: {line['again']}")
    console.print(
        f"{len(result['alarms'])} alarms in {result['runs']} runs: at most {result['at_most']:.1%} of "
        f"runs alarm, with 95% confidence; {out / NUMBERS}"
    )
    if result["alarms"]:
        raise SystemExit(1)


if __name__ == "__main__":
    run_command(main)
