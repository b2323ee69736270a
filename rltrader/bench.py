"""Command ``rltrader bench``: compare reports of benchmarks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from foundation.command_line.numbers import Number
from foundation.files import to_json
from rltrader.consoles import report_console

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
@click.option(
    "--margin", type=Number(), default=0.05, show_default=True, help="Share that is no change."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def compare(before: Path, after: Path, margin: float, as_json: bool) -> None:
    """Say which rows of AFTER are slower or faster than in BEFORE, and which changes are noise.

    Takes two reports of one benchmark, or two benchmarks.json. Exit code 0 means that nothing got
    slower, 1 that something did or is gone, 2 bad input.
    """
    from benchmarks.harness.output import WIDTH, numeric_table
    from benchmarks.harness.reports import read_report
    from benchmarks.report.compare import compare as compare_reports
    from foundation.report.format import short_rate

    comparison = compare_reports(read_report(before), read_report(after), margin)
    if as_json:
        click.echo(to_json(comparison.to_dict(), indent=2))  # which has no infinity
        raise SystemExit(1 if comparison.regressed else 0)
    console = report_console(WIDTH)
    table = numeric_table("row", "before", "after", "ratio", "interval", "verdict")
    table.columns[0].no_wrap = False
    for change in comparison.changes:
        table.add_row(
            change.name,
            short_rate(change.before),
            f"{short_rate(change.after)} {change.unit}",
            f"{change.ratio:.3f}",
            f"{change.low:.3f} to {change.high:.3f}" if change.high < float("inf") else "one sample",
            f"{change.verdict} (machine)" if change.machine else change.verdict,
            style=STYLES[change.verdict],
        )
    for name in comparison.missing:
        table.add_row(name, "", "", "", "", "gone", style="bold red")
    for name in comparison.new:
        table.add_row(name, "", "", "", "", "new")
    console.print(table)
    for name, (one, two) in comparison.different.items():
        console.print(f"{name} differs: {one} and {two}", style="yellow")
    counts = Counter(change.verdict for change in comparison.changes if not change.machine)
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    console.print(
        f"{summary or 'no row in both'}; {len(comparison.missing)} gone, {len(comparison.new)} new"
    )
    if comparison.machine != 1:
        console.print(f"the machine's own rates: {comparison.machine:.3f} of before")
    raise SystemExit(1 if comparison.regressed else 0)
