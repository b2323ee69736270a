"""The quality report as a trader reads it in a terminal."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from foundation.errors import printable
from markets.contracts import Contract
from markets.quality.facts import FULL_DAY_BARS, HALF_DAY_BARS
from markets.quality.finding import Finding
from markets.quality.inspection import QualityReport
from markets.quality.time_zone import CLOSED_LIMIT

BAR_WIDTH = 30
"""Characters of the longest line of the days' histogram."""
_COLOURS = {"ok": "green", "look": "yellow", "MEND": "bold red"}


def show(report: QualityReport, contract: Contract, file_format: str, console: Console) -> None:
    """Print a report: what the file is, every check with its number, the days, the gaps, what to do."""
    block = "█" if console.encoding.lower().startswith("utf") else "#"
    parts: list[RenderableType] = [
        _file(report, contract, file_format),
        Text(),
        _checks(report),
        Text(),
    ]
    parts += [_days(report, block), Text()]
    if report.largest_gaps:
        parts += [_gaps(report), Text()]
    for title, colour, findings in (
        ("Problems: mend these before training", "bold red", report.problems),
        ("Worth a look", "yellow", report.warnings),
    ):
        if findings:
            parts += [_findings(title, colour, findings), Text()]
    parts.append(_verdict(report))
    colour = "green" if report.ok else "red"
    console.print(
        Panel(
            Group(*parts),
            title=Text(printable(f"{report.symbol}  {report.source}")),
            border_style=colour,
            padding=(1, 2),
        )
    )


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    return grid


def _file(report: QualityReport, contract: Contract, file_format: str) -> Table:
    tick_dollars = contract.tick_value_cents / 100
    grid = _grid()
    grid.add_row("contract", f"{contract.name}, tick {contract.tick_size:.10g} = ${tick_dollars:,.2f}")
    grid.add_row("format", file_format)
    grid.add_row("span", f"{report.first}  to  {report.last}  New York")
    grid.add_row(
        "bars",
        f"{report.rows:,}, of which {report.regular_rows:,} from 09:30 to 16:59; {_step(report)}",
    )
    grid.add_row("volume", f"{report.median_volume:,.0f} contracts on the median day")
    return grid


def _step(report: QualityReport) -> str:
    if report.step_seconds == 60:
        return "one a minute"
    return f"{report.step_seconds:g} seconds apart"


def _checks(report: QualityReport) -> Table:
    """Return one line a check; the word beside it does not lean on colour."""
    kinds = {finding.kind: "look" for finding in report.warnings}
    kinds |= {finding.kind: "MEND" for finding in report.problems}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("check")
    table.add_column("found", justify="right")
    table.add_column("")
    table.add_column("limit", style="dim")
    share = f"{report.off_grid:,} ({report.off_grid_share:.2%})"
    zero = f"{report.zero_volume:,} ({report.zero_volume_share:.2%})"
    for name, value, limit, *about in (
        ("prices off by a power of ten", f"{report.wrong_scale:,}", "none", "wrong_scale"),
        ("missing values", f"{report.missing_values:,}", "none", "missing_values"),
        ("price or volume below zero", f"{report.non_positive:,}", "none", "non_positive"),
        ("impossible bars (high below low, ...)", f"{report.impossible:,}", "none", "impossible"),
        ("bad prints (over 10% away)", f"{report.bad_prints:,}", "none", "bad_prints"),
        ("duplicate times", f"{report.duplicates:,}", "none", "duplicates"),
        ("rows out of order", f"{report.out_of_order:,}", "none", "out_of_order"),
        ("prices off the tick grid", share, "0.1%", "off_grid"),
        (
            "bars while the exchange is closed",
            f"{report.closed:,}",
            f"{CLOSED_LIMIT:.0%} a season",
            "time_zone",
            "closed_hours",
        ),
        ("minutes missing, 09:30 to 16:59", f"{report.regular_missing_minutes:,}", "", "gaps"),
        ("minutes missing, all hours", f"{report.missing_minutes:,}", "", ""),
        ("bars without volume", zero, "", "zero_volume"),
        ("bars not made of trades", f"{report.too_few_trades:,}", "", "too_few_trades"),
        ("spikes", f"{report.spikes:,}", "", "spikes"),
    ):
        states = [kinds[kind] for kind in about if kind in kinds]
        state = max(states, key=list(_COLOURS).index) if states else "ok"
        table.add_row(name, value, Text(state, style=_COLOURS[state]), limit)
    return table


def _days(report: QualityReport, block: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("days")
    table.add_column("", justify="right")
    table.add_column("")
    table.add_column("bars from 09:30 to 16:59", style="dim")
    most = max(report.days.values(), default=0)
    words = {
        "full": f"{FULL_DAY_BARS} or more",
        "half": f"{HALF_DAY_BARS} to {FULL_DAY_BARS - 1}",
        "short": f"fewer than {HALF_DAY_BARS}",
    }
    for kind, count in report.days.items():
        width = -(-BAR_WIDTH * count // most) if most else 0
        table.add_row(kind, f"{count:,}", Text(block * width, style="cyan"), words[kind])
    return table


def _gaps(report: QualityReport) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("longest gaps, from (New York)")
    table.add_column("minutes", justify="right")
    table.add_column("of 09:30 to 16:59", justify="right")
    for gap in report.largest_gaps:
        table.add_row(gap.start, f"{gap.minutes:,}", f"{gap.regular_minutes:,}")
    return table


def _findings(title: str, colour: str, findings: tuple[Finding, ...]) -> Group:
    lines: list[RenderableType] = [Text(title, style=colour)]
    for finding in findings:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=1)
        grid.add_column()
        grid.add_row("-", Text(finding.message))
        grid.add_row("", Text(f"{finding.mend[0].upper()}{finding.mend[1:]}.", style="dim"))
        lines.append(grid)
    return Group(*lines)


def _verdict(report: QualityReport) -> Text:
    if not report.ok:
        return Text(f"Not fit to train on: {_count(report.problems, 'problem')}.", style="bold red")
    if any(finding.kind == "second_bars" for finding in report.warnings):
        more = _count(report.warnings, "warning")
        return Text(f"Fit to evaluate on, not to train on, with {more}.", style="bold green")
    if report.warnings:
        return Text(f"Fit to train on, with {_count(report.warnings, 'warning')}.", style="bold green")
    return Text("Fit to train on.", style="bold green")


def _count(findings: tuple[Finding, ...], noun: str) -> str:
    return f"{len(findings)} {noun}" + ("" if len(findings) == 1 else "s")
