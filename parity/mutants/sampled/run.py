"""Measure how many mutants of the port, the learner and the exporter, or of the proof, are killed.

``python -m parity.mutants.sampled.run``. Each mutant is a line of JSON, written as soon as it is
judged, so a run that was cut off goes on where it was; shards of one sample can run on several
machines.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from foundation.command_line.numbers import Number
from foundation.errors import run_command
from foundation.files import file_digest, write_json
from foundation.import_closure import PACKAGES, PACKAGES_ROOT
from foundation.json_lines import adding_lines
from foundation.progress import EACH_TASK, progress_bar
from markets import InputError
from parity.mutants.run import ControlFailed, make_all, pass_control
from parity.mutants.sampled.equivalents import EQUIVALENT
from parity.mutants.sampled.executed import ExecutedLines, read_executed_lines
from parity.mutants.sampled.judges import Judges, tests_environment
from parity.mutants.sampled.modules import changed_modules, draw_changes
from parity.mutants.sampled.summary import read_judged, summarize
from parity.mutants.sampled.warm import warm
from parity.mutants.sandbox import Sandbox, snapshot
from parity.mutation.lines import LINES, is_settled, key_of
from parity.mutation.operators import Change, Slips
from parity.mutation.sample import shard
from parity.mutation.score import UNJUDGED

OUT = Path("reports/mutation_sample")
SUMMARY = "score.json"
SHOWN = 200
"""Characters kept of what a judge said."""


@click.command()
@click.option("--count", default=500, show_default=True, type=click.IntRange(1), help="Mutants in all.")
@click.option("--seed", default=0, show_default=True, help="Of the sample.")
@click.option("--shard", "part", default="1/1", show_default=True, help="Which part, such as 2/8.")
@click.option("--file", "files", multiple=True, help="Only this file; may be repeated.")
@click.option("--changed", metavar="COMMIT", help="Only files that differ from this commit.")
@click.option(
    "--proof",
    is_flag=True,
    help="Change what proves (the gate, the harness, the chain of exports), judged by the tests alone.",
)
@click.option(
    "--wiring",
    is_flag=True,
    help="Slips of whoever puts parts together: the first of several alone, a step or an argument left "
    "out, another variable; instead of a token changed.",
)
@click.option(
    "--patience",
    type=Number(0, min_open=True),
    default=300.0,
    show_default=True,
    help="Seconds for the tests of one mutant.",
)
@click.option(
    "--executed",
    type=click.Path(path_type=Path),
    help="Coverage database with contexts: a mutant is shown to the tests that execute its line alone.",
)
@click.option(
    "--tests-first",
    is_flag=True,
    help="Ask the gate only about what the tests let live: sooner done, and the gate's share unknown.",
)
@click.option("--most", type=click.IntRange(1), help="Judge only so many now; the rest next time.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def command(
    count: int,
    seed: int,
    part: str,
    files: tuple[str, ...],
    changed: str | None,
    proof: bool,
    wiring: bool,
    patience: float,
    executed: Path | None,
    tests_first: bool,
    most: int | None,
    out: Path,
) -> None:
    """Try a seeded sample of mutants by module; write mutants.jsonl and score.json.

    Mutants whose tests took longer than an earlier run's patience are judged again where there is more.
    Exit code 0 whatever survives, 1 if the unchanged port does not pass, 2 bad input.
    """
    number, of = _part(part)
    if changed is not None:
        files = tuple(changed_modules(PACKAGES_ROOT, changed, proof))
        if not files:
            Console().print(f"no file that is mutated differs from {changed}", markup=False)
            return
    slips: Slips = "of wiring" if wiring else "of one token"
    chosen = shard(draw_changes(PACKAGES_ROOT, count, seed, files, proof, slips), number, of)
    out.mkdir(parents=True, exist_ok=True)
    lines = [line for line in read_judged(out / LINES) if not is_stale(PACKAGES_ROOT, line)]
    known = {key_of(line) for line in lines if is_settled(line, patience)}
    waiting = [change for change in chosen if key_of(change) not in known][:most]
    anew = set(map(key_of, waiting))
    lines = [line for line in lines if key_of(line) not in anew]
    console = Console()
    if waiting:
        asked = None
        if executed is not None:
            mutated = sorted({change.file for change in waiting})
            asked = read_executed_lines(executed, PACKAGES_ROOT, mutated)
        lines += _judge(waiting, patience, asked, tests_first, out / LINES, lines, console)
    asked_for = {key_of(change) for change in chosen}  # the file may hold other samples' too
    summary = summarize([line for line in lines if key_of(line) in asked_for], EQUIVALENT)
    write_json(out / SUMMARY, {"seed": seed, "count": count, "shard": part, **summary})
    show(console, summary)


def is_stale(root: Path, line: Mapping[str, Any]) -> bool:
    """Say whether a mutant was judged in a file that is another one now, or gone."""
    file = root / str(line["file"])
    return "source" in line and (not file.is_file() or line["source"] != file_digest(file))


def _part(text: str) -> tuple[int, int]:
    first, _, second = text.partition("/")
    if not (first.isdigit() and second.isdigit()):
        raise InputError(f"--shard {text!r}: give a part such as 1/4")
    return int(first), int(second)


def _judge(
    waiting: Sequence[Change],
    patience: float,
    executed: ExecutedLines | None,
    tests_first: bool,
    path: Path,
    before: Sequence[dict[str, Any]],
    console: Console,
) -> list[dict[str, Any]]:
    """Judge changes one after another, each written down at once."""
    judged = []
    with (
        tempfile.TemporaryDirectory(prefix="rltrader-mutation-") as folder,
        progress_bar(EACH_TASK, "{task.fields[done]}", console=console, transient=False) as bar,
        adding_lines(path, before) as add,
    ):
        task = bar.add_task("mutation", total=len(waiting), done="recording the reference")
        sandbox = Sandbox(Path(folder))
        snapshot(sandbox.sources)
        make_all(sandbox.recordings)
        try:
            pass_control(sandbox)
        except ControlFailed as error:
            console.print(str(error), style="bold red", markup=False)
            raise SystemExit(1) from None
        with warm(tests_environment(sandbox.folder, sandbox.compiled), sandbox.folder) as pytest:
            judges = Judges(PACKAGES_ROOT, sandbox, patience, executed, pytest, tests_first)
            sources = stamps(PACKAGES_ROOT)
            for number, change in enumerate(waiting):
                fate = judges.judge(change, number)
                require_unchanged(PACKAGES_ROOT, sources)
                shown, made = change.shown((PACKAGES_ROOT / change.file).read_bytes())
                line = {**asdict(change), "before": shown, "after": made}
                line |= {"outcome": fate.outcome, "by": fate.by[:SHOWN]}
                line["source"] = file_digest(PACKAGES_ROOT / change.file)
                if fate.outcome == UNJUDGED:
                    line["patience"] = patience
                add(line)
                judged.append(line)
                bar.update(task, advance=1, done=f"{change.file}:{change.line} {fate.outcome}")
    return judged


def stamps(root: Path) -> dict[Path, tuple[int, int]]:
    """Return when each file of our packages was written last, in nanoseconds, and its size."""
    files = (file for name in PACKAGES for file in (root / name).rglob("*.py"))
    return {file: (stat.st_mtime_ns, stat.st_size) for file in files for stat in (file.stat(),)}


def require_unchanged(root: Path, before: Mapping[Path, tuple[int, int]]) -> None:
    """Require that the checkout is as it was: a mutant is judged against it.

    Raises:
        InputError: a file was written meanwhile, by a test with the mutant or by someone else.
    """
    now = stamps(root)
    for file in sorted(before.keys() | now.keys()):
        if before.get(file) != now.get(file):
            raise InputError(
                f"{file}: changed while mutants were judged, by one of their tests or by hand; put it "
                "back, mend the test, and run again"
            )


def show(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the score of each module that has survivors, and of all."""
    table = Table("module", "killed by gate", "by tests", "crashed", "survived", "score", box=None)
    for file, one in [*summary["by_module"].items(), ("all", summary["all"])]:
        if one["survived"] or file == "all":
            counts = (str(one[name]) for name in ("gate", "tests", "crashed", "survived"))
            low, high = one["interval"] or (0.0, 0.0)
            score = "-" if one["score"] is None else f"{one['score']:.1%} ({low:.0%} to {high:.0%})"
            table.add_row(file, *counts, score)
    console.print(table)


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()
