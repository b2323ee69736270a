"""Reports of compiled programs as tables, as JSON and as a section of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from markupsafe import escape
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_program.analysis import Report
from benchmarks.gpu_program.model import (
    CAPTURED_SECONDS,
    GRAPH_KERNELS,
    LAUNCH_SECONDS,
    READ_SECONDS,
)

SCHEMA = 2
COLUMNS = (
    "program", "kernels", "host-read loops", "launched", "bytes", "products", "model", "wall",
)  # fmt: skip
HEAVY_COLUMNS = ("line", "kind", "launches", "bytes", "products", "share")


def to_json(reports: Sequence[Report], settings: dict[str, Any]) -> dict[str, Any]:
    """Return all reports as plain values."""
    return {
        "schema": SCHEMA,
        "benchmark": "gpu_program",
        "model": {
            "captured_seconds": CAPTURED_SECONDS,
            "launch_seconds": LAUNCH_SECONDS,
            "host_read_seconds": READ_SECONDS,
        },
        "settings": settings,
        "versions": {name: version(name) for name in ("jax", "jaxlib")},
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


def row_of(part: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a part's cells, its name left out."""
    loops = ", ".join(str(kernels) for kernels in part["host_loops"])
    return (
        str(part["kernels"]),
        f"{len(part['host_loops'])} (of {loops})" if loops else "0",
        f"{part['launches']:,.0f}",
        short(part["bytes"], "B"),
        short(part["flops"], "FLOP") if part["flops"] else "",
        seconds(part["seconds"]),
        part["wall"],
    )


def rows_of(program: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the cells of a program: the whole, then one turn of its parts."""
    whole = (f"{program['name']}, {program['card']}", *row_of(program["whole"]))
    return [whole, *((f"  one {part['name']}", *row_of(part)) for part in program["parts"])]


def heavy_row(heavy: Mapping[str, Any], whole_seconds: float) -> tuple[str, ...]:
    """Return the cells of a source line."""
    return (
        heavy["where"],
        heavy["kind"],
        f"{heavy['launches']:,.0f}",
        short(heavy["bytes"], "B"),
        short(heavy["flops"], "FLOP") if heavy["flops"] else "",
        f"{100 * heavy['seconds'] / whole_seconds:.1f} %",
    )


def speed_of(program: Mapping[str, Any]) -> str:
    """Return one sentence: what the model expects, and what was measured."""
    expected = short(program["model_steps_per_second"])
    text = f"{program['name']} on {program['card']}: {expected} steps/s by the model"
    if program["measured_steps_per_second"]:
        ratio = program["measured_over_model_seconds"]
        rate = short(program["measured_steps_per_second"])
        text += f", {rate} measured ({ratio:.2f} times the model's time)"
    return "; ".join([text, *program["notes"]])


def show(programs: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print tables: all programs, then each one's heaviest source lines."""
    table = Table(*COLUMNS, title="compiled programs, one turn each")
    table.columns[0].no_wrap = True
    for column in table.columns[1:-1]:
        column.justify = "right"
    for program in programs:
        for cells in rows_of(program):
            table.add_row(*cells)
        table.add_section()
    console.print(table)
    for program in programs:
        console.print(speed_of(program), highlight=False)
    for program in programs:
        title = f"{program['name']}, {program['card']}: heaviest source lines"
        heavy = Table(*HEAVY_COLUMNS, title=title)
        for column in heavy.columns[2:]:
            column.justify = "right"
        for line in program["heaviest"]:
            heavy.add_row(*heavy_row(line, program["whole"]["seconds"]))
        console.print(heavy)


def show_kernels(programs: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print every kernel of every part in the order in which they run, a loop inside after its own."""
    for program in programs:
        for part in program["parts"]:
            console.print(f"\n{program['name']}, {program['card']}, one {part['name']}:")
            loop = ""
            for kernel in part["list"]:
                if kernel["loop"] != loop:
                    loop = kernel["loop"]
                    console.print(f"  {loop}", highlight=False)
                products = sum(kernel["flops"].values())
                console.print(
                    f"    {kernel['kind']:15} {short(kernel['read_bytes'], 'B'):>9} in "
                    f"{short(kernel['written_bytes'], 'B'):>9} out "
                    f"{short(products, 'FLOP') if products else '':>11}  {kernel['where']}  "
                    f"[dim]{kernel['name']}[/]",
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


def html_section(programs: Sequence[Mapping[str, Any]]) -> str:
    """Return a section for a page: tables, what the model expects, heaviest lines folded away.

    Args:
        programs: those of :func:`to_json`'s values.
    """
    parts = [
        "<section id='gpu-program'><h2>What a GPU would run</h2>",
        "<p>Compiled by XLA for each card's description, without a card. Kernels are what one turn "
        f"launches. The model gives each {CAPTURED_SECONDS * 1e6:.1f} µs where {GRAPH_KERNELS} or more "
        f"are launched at once, {LAUNCH_SECONDS * 1e6:.1f} µs where the host launches them one by one, "
        f"and each value that the host must read {READ_SECONDS * 1e6:.1f} µs; bytes and products come "
        "on top, at the rates that such a card reaches.</p>",
        html_table(COLUMNS, [cells for program in programs for cells in rows_of(program)]),
        "<ul>" + "".join(f"<li>{escape(speed_of(program))}</li>" for program in programs) + "</ul>",
    ]
    for program in programs:
        rows = [heavy_row(line, program["whole"]["seconds"]) for line in program["heaviest"]]
        parts.append(
            f"<details><summary>{escape(program['name'])}, {escape(program['card'])}: heaviest source "
            f"lines</summary>{html_table(HEAVY_COLUMNS, rows)}</details>"
        )
    return "\n".join([*parts, "</section>"])
