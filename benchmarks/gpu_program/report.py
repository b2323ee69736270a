"""Reports of compiled programs as tables, as JSON and as a section of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import escape
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_program.analysis import Heavy, Part, Report, where
from benchmarks.gpu_program.model import LAUNCH_SECONDS, READ_SECONDS

SCHEMA = 1
COLUMNS = (
    "program", "kernels", "host-read loops", "launched", "bytes", "products", "model", "wall",
)  # fmt: skip
HEAVY_COLUMNS = ("line", "kind", "launches", "bytes", "products", "share")


def to_json(reports: Sequence[Report], settings: dict[str, Any]) -> dict[str, Any]:
    """Return all reports as plain values."""
    return {
        "schema": SCHEMA,
        "benchmark": "gpu_program",
        "model": {"launch_seconds": LAUNCH_SECONDS, "host_read_seconds": READ_SECONDS},
        "settings": settings,
        "programs": [report.to_dict() for report in reports],
    }


def short(number: float, unit: str = "") -> str:
    """Return a number with three figures and its unit's prefix, such as "3.41 M"."""
    for size, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {name}{unit}"
    return f"{number:.3g} {unit}".rstrip()


def seconds(value: float) -> str:
    """Return a time with three figures, such as "24.1 µs"."""
    for size, name in ((1.0, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value / 1e-6:.3g} µs"


def row_of(part: Part) -> tuple[str, ...]:
    """Return a part's cells, its name left out."""
    loops = ", ".join(str(kernels) for kernels in part.host_loops)
    cost = part.cost
    return (
        str(part.kernels),
        f"{len(part.host_loops)} (of {loops})" if part.host_loops else "0",
        f"{cost.launches:,.0f}",
        short(cost.bytes, "B"),
        short(cost.flops, "FLOP") if cost.flops else "",
        seconds(cost.seconds),
        cost.wall,
    )


def rows_of(report: Report) -> list[tuple[str, ...]]:
    """Return the cells of a report: the whole program, then its parts."""
    return [
        (name, *row_of(part))
        for name, part in (
            (report.name, report.whole),
            *((f"  one {part.name}", part) for part in report.parts),
        )
    ]


def heavy_row(heavy: Heavy, whole_seconds: float) -> tuple[str, ...]:
    """Return the cells of a source line."""
    return (
        heavy.where,
        heavy.kind,
        f"{heavy.launches:,.0f}",
        short(heavy.bytes, "B"),
        short(heavy.flops, "FLOP") if heavy.flops else "",
        f"{100 * heavy.seconds / whole_seconds:.1f} %",
    )


def speed_of(report: Report) -> str:
    """Return one sentence: what the model expects, and what was measured."""
    text = f"{report.name} on {report.card}: {short(report.steps_per_second)} steps/s by the model"
    if report.measured_seconds:
        ratio = report.measured_seconds / report.whole.cost.seconds
        rate = short(report.steps / report.measured_seconds)
        text += f", {rate} measured ({ratio:.2f} times the model's time)"
    return "; ".join([text, *report.notes])


def show(reports: Sequence[Report], console: Console, heaviest: bool = True) -> None:
    """Print tables: all programs, then each one's heaviest source lines."""
    table = Table(*COLUMNS, title="compiled programs, one turn each")
    table.columns[0].no_wrap = True
    for column in table.columns[1:-1]:
        column.justify = "right"
    for report in reports:
        for cells in rows_of(report):
            table.add_row(*cells)
        table.add_section()
    console.print(table)
    for report in reports:
        console.print(speed_of(report), highlight=False)
    for report in reports if heaviest else ():
        heavy = Table(*HEAVY_COLUMNS, title=f"{report.name}, {report.card}: heaviest source lines")
        for column in heavy.columns[2:]:
            column.justify = "right"
        for line in report.heaviest:
            heavy.add_row(*heavy_row(line, report.whole.cost.seconds))
        console.print(heavy)


def show_kernels(reports: Sequence[Report], console: Console) -> None:
    """Print every kernel of every part in the order in which they run, a loop inside after its own."""
    for report in reports:
        for part in report.parts:
            console.print(f"\n{report.name}, {report.card}, one {part.name}:", highlight=False)
            for block in part.block.walk():
                turns = "turns as the host reads" if block.host_reads else f"{block.trips} turns"
                console.print(f"  {block.name}, {turns}, {len(block.kernels)} kernels")
                for kernel in block.kernels:
                    products = short(sum(kernel.flops.values()), "FLOP") if kernel.flops else ""
                    console.print(
                        f"    {kernel.kind:15} {short(kernel.read_bytes, 'B'):>9} in "
                        f"{short(kernel.written_bytes, 'B'):>9} out {products:>11}  {where(kernel)}  "
                        f"[dim]{kernel.name}[/]",
                        highlight=False,
                        soft_wrap=True,
                    )


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of plain cells."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def html_section(reports: Sequence[Report]) -> str:
    """Return a section for a page: tables, what the model expects, heaviest lines folded away."""
    parts = [
        "<section id='gpu-program'><h2>What a GPU would run</h2>",
        "<p>Compiled by XLA for each card's description, without a card. Kernels are what one turn "
        f"launches; the model gives each {LAUNCH_SECONDS * 1e6:.0f} µs and each value that the host "
        f"must read {READ_SECONDS * 1e6:.0f} µs, and takes bytes and products at the card's rates.</p>",
        html_table(
            ("card", *COLUMNS),
            [(report.card, *cells) for report in reports for cells in rows_of(report)],
        ),
        "<ul>" + "".join(f"<li>{escape(speed_of(report))}</li>" for report in reports) + "</ul>",
    ]
    for report in reports:
        rows = [heavy_row(line, report.whole.cost.seconds) for line in report.heaviest]
        parts.append(
            f"<details><summary>{escape(report.name)}, {escape(report.card)}: heaviest source lines"
            f"</summary>{html_table(HEAVY_COLUMNS, rows)}</details>"
        )
    return "\n".join([*parts, "</section>"])
