"""``rltrader bench``: what to do with reports of benchmarks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import click
from rich.table import Table

STYLES = {
    "slower": "bold red",
    "worse": "bold red",
    "faster": "green",
    "better": "green",
    "same": "",
    "unclear": "yellow",
}


@click.group()
def bench() -> None:
    """Work with reports of benchmarks."""


@bench.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--margin", default=0.05, show_default=True, help="Share that is no change.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def compare(before: Path, after: Path, margin: float, as_json: bool) -> None:
    """Say which rows of AFTER are slower or faster than in BEFORE, and which changes are noise.

    Takes two reports of one benchmark, or two benchmarks.json. Exit code 0 means that nothing got
    slower, 1 that something did or is gone, 2 bad input.
    """
    from benchmarks.harness.measure import wide_console
    from benchmarks.report.compare import compare as compare_reports
    from benchmarks.report.compare import read_report
    from benchmarks.suites.env_throughput import short

    found = compare_reports(read_report(before), read_report(after), margin)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
        raise SystemExit(1 if found.regressed else 0)
    console = wide_console()
    table = Table("row", "before", "after", "ratio", "interval", "verdict", box=None)
    for column in table.columns[1:5]:
        column.justify = "right"
    for change in found.changes:
        table.add_row(
            change.name,
            short(change.before),
            f"{short(change.after)} {change.unit}",
            f"{change.ratio:.3f}",
            f"{change.low:.3f} to {change.high:.3f}" if change.high < float("inf") else "one sample",
            f"{change.verdict} (machine)" if change.machine else change.verdict,
            style=STYLES[change.verdict],
        )
    for name in found.missing:
        table.add_row(name, "", "", "", "", "gone", style="bold red")
    for name in found.new:
        table.add_row(name, "", "", "", "", "new")
    console.print(table)
    for name, (one, two) in found.different.items():
        console.print(f"{name} differs: {one} and {two}", style="yellow", markup=False)
    counts = Counter(change.verdict for change in found.changes if not change.machine)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    console.print(f"{told or 'no row in both'}; {len(found.missing)} gone, {len(found.new)} new")
    if found.machine != 1:
        console.print(f"the machine's own rates: {found.machine:.3f} of before")
    raise SystemExit(1 if found.regressed else 0)
