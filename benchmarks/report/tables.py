"""The report's tables: every row of every section, failures included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.harness.statistics import median_of
from benchmarks.report.merge import block_spread, pair_rows
from benchmarks.report.plots import percent
from benchmarks.report.takeaways import base_row, times
from benchmarks.report.targets import best, duration
from benchmarks.suites.env_throughput import short
from benchmarks.suites.memory import size_words

Values = Mapping[str, Any]
DASH = "–"


def table(title: str, columns: list[str], words: int = 1) -> dict[str, Any]:
    """Return an empty table; the first ``words`` columns hold words, the rest numbers."""
    return {"title": title, "columns": columns, "words": words, "rows": []}


def add(into: dict[str, Any], *cells: str, error: str = "") -> None:
    """Append a row; one with an error shows it in place of the cells after the first."""
    into["rows"].append({"cells": list(cells), "error": error})


def rates(report: Values, title: str, base: Callable[[Values], Values | None]) -> dict[str, Any]:
    """Return a table of rows with rates.

    Args:
        report: of the section.
        title: of the table.
        base: row to the port's row that it is compared with; None for no comparison.
    """
    columns = ["", "environments", "median", "quartiles", "between blocks", "ready in", "port / this"]
    made = table(title, columns)
    for row in report["rows"]:
        if median_of(row) is None:
            add(made, row["name"], error=row.get("error", "no word"))
            continue
        timed = row.get("steps_per_second") or row["rate"]
        low, high = timed["quartiles"]
        scatter, ours = block_spread(row), base(row)
        ratio = None if ours is None or ours is row else pair_rows(ours, row)
        add(
            made,
            row["name"],
            f"{row['envs']:,}",
            f"{short(timed['median'])} {row.get('unit', 'steps/s')}",
            f"{short(low)} to {short(high)}",
            DASH if scatter is None else f"±{scatter:.1%}",
            f"{row['prepare_seconds']:.2f} s",
            DASH if ratio is None else times(ratio).replace(" times", "x"),
        )
    return made


def env_tables(report: Values) -> list[dict[str, Any]]:
    """Return the rows of environment steps, compared with the port's with observations."""
    ours = base_row(report["rows"])
    return [rates(report, "Every row", lambda row: None if row["name"].startswith("port") else ours)]


def train_tables(report: Values) -> list[dict[str, Any]]:
    """Return the rows of training steps, compared with the port's best of as many epochs."""

    def ours(row: Values) -> Values | None:
        if row["side"].startswith("port"):
            return None
        return best(
            other
            for other in report["rows"]
            if other["side"] == "port" and other.get("epochs") == row.get("epochs")
        )

    made = [rates(report, "Every row", ours)]
    notes = {row["name"]: row for row in report["rows"] if row.get("rival")}
    if notes:
        about = table("The other JAX trainers", ["", "masks", "what differs"], 3)
        for name, row in notes.items():
            add(about, name, "yes" if row.get("masks") else "no", row.get("note", ""))
        made.append(about)
    return made


def floors_tables(report: Values) -> list[dict[str, Any]]:
    """Return shares, counted bytes, and rates."""
    shares = table("Attained shares", ["", "of", "needs per step", "share", "quartiles"], 2)
    for floor in report["floors"]:
        if not floor["share"]:
            add(shares, floor["rival"], error=f"{floor['words']}: a row that it needs failed")
            continue
        low, high = floor["share"]["quartiles"]
        add(
            shares,
            floor["rival"],
            floor["words"],
            short(floor["per_step"]),
            percent(floor["share"]["median"]),
            f"{percent(low)} to {percent(high)}",
        )
    counted = table("Bytes of one environment step, counted", ["", "bytes"])
    for name, size in report["bytes_per_step"].items():
        add(counted, name, f"{size:,}")
    add(counted, "in all", f"{sum(report['bytes_per_step'].values()):,}")
    for name, number in report["xla_per_step"].items():
        add(counted, f"XLA's own count: {name}", f"{number:,.0f}")
    return [shares, counted, rates(report, "Rates", lambda row: None)]


def scaling_tables(report: Values) -> list[dict[str, Any]]:
    """Return the points, compile times and loading."""
    compiling = table("Compiling the loop", ["environments", "steps", "seconds"], 0)
    for row in report["compile"]:
        seconds = ", ".join(f"{x:.2f}" for x in row["seconds"])
        add(compiling, f"{row['environments']:,}", f"{row['steps']:,}", seconds)
    loading = table("Length of data", ["days", "bars", "on the device", "prepared in"], 0)
    for row in report["loading"]:
        size = size_words(row["device_bytes"])
        add(loading, f"{row['days']:,}", f"{row['bars']:,}", size, f"{row['prepare_seconds']:.2f} s")
    return [rates(report, "Every point", lambda row: None), compiling, loading]


def memory_tables(report: Values) -> list[dict[str, Any]]:
    """Return bytes and utilisation."""
    sizes = table("Memory", ["", "per", "how", "bytes", "parts", "shared by all"], 3)
    for row in report["rows"]:
        if "bytes" not in row:
            add(sizes, row["name"], error=row["error"])
            continue
        parts = [f"{name} {size_words(size)}" for name, size in row.get("parts", {}).items()]
        parts += [size_words(size) for size in row.get("each", ())]
        shared = size_words(row["shared"]) if "shared" in row else DASH
        said = ", ".join(parts) or DASH
        add(sizes, row["name"], row["per"], row["how"], size_words(row["bytes"]), said, shared)
    busy = table("Utilisation", ["", "share of all cores", "CPU seconds", "seconds", "GPU"])
    for row in report["utilisation"]:
        if "cpu_share" not in row:
            add(busy, row["name"], error=row["error"])
            continue
        gpu = row["gpu_reason"] if row["gpu_share"] is None else percent(row["gpu_share"])
        seconds = f"{row['cpu_seconds']:.1f}", f"{row['wall_seconds']:.1f}"
        add(busy, row["name"], f"{row['cpu_share']:.0%} of {row['cores']}", *seconds, gpu)
    return [sizes, busy]


def latency_tables(report: Values) -> list[dict[str, Any]]:
    """Return the latency of every rival."""
    made = table("Every rival", ["", "median", "99th percentile", "between blocks"])
    for row in report["rows"]:
        if "median_us" not in row:
            add(made, row["name"], error=row["error"])
            continue
        scatter = block_spread(row)
        said = DASH if scatter is None else f"±{scatter:.1%}"
        add(made, row["name"], f"{row['median_us']:,.1f} µs", f"{row['p99_us']:,.1f} µs", said)
    return [made]


def return_tables(report: Values) -> list[dict[str, Any]]:
    """Return every trainer's time to the return."""
    columns = [
        "",
        "masks",
        "what differs",
        "reached after",
        "steps",
        "best return",
        "compiling",
        "limit",
    ]
    made = table("Every trainer", columns, 3)
    for row in report["rows"]:
        if row.get("error"):
            add(made, row["name"], error=row["error"])
            continue
        reached = "not reached" if row["seconds"] is None else duration(row["seconds"])
        money = "–" if row["best_return"] is None else f"${row['best_return']:,.0f}"
        masks = "yes" if row["masks"] else "no"
        compiling, limit = duration(row["compile_seconds"]), duration(row["limit_seconds"])
        steps, note = f"{row['steps']:,}", row.get("note", "")
        add(made, row["name"], masks, note, reached, steps, money, compiling, limit)
    return [made]


TABLES: Mapping[str, Callable[[Values], list[dict[str, Any]]]] = {
    "env": env_tables,
    "train": train_tables,
    "floors": floors_tables,
    "scaling": scaling_tables,
    "latency": latency_tables,
    "memory": memory_tables,
    "time_to_return": return_tables,
}
