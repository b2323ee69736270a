"""Tables of the report's page: every row of every section, failures included."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import singledispatch

from benchmarks.harness import reports
from benchmarks.harness.reports import SectionReport
from benchmarks.harness.rows import EnvironmentRow, RateRow, Row, TrainingRow
from benchmarks.harness.statistics import block_scatter, paired_ratio, summarise
from benchmarks.report.takeaways import base_row, times
from benchmarks.report.targets import best
from foundation.report.format import byte_size, duration, percent_figures, short_rate

DASH = "–"


@dataclass(frozen=True)
class TableRow:
    """Cells of one row; an error stands in place of the cells after the first."""

    cells: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True)
class PageTable:
    """Table of the page.

    Attributes:
        title: above it.
        columns: headings.
        words: the first so many columns hold words, the rest numbers.
        rows: in order.
    """

    title: str
    columns: tuple[str, ...]
    words: int = 1
    rows: list[TableRow] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """Append a row."""
        self.rows.append(TableRow(cells))

    def add_failure(self, row: Row) -> None:
        """Append a row that says why it was not measured."""
        self.rows.append(TableRow((row.name,), row.error or "no reason was given"))


@singledispatch
def section_tables(report: SectionReport) -> list[PageTable]:
    """Return the tables of a section."""
    raise TypeError(f"no tables of a {type(report).__name__}")


def _scatter(medians: Sequence[float]) -> str:
    """Return how far the medians of blocks scatter, in words."""
    scatter = block_scatter(medians)
    return DASH if scatter is None else f"±{scatter:.1%}"


def rate_table(
    rows: Sequence[RateRow], title: str, compared_with: Callable[[RateRow], RateRow | None]
) -> PageTable:
    """Return a table of rates.

    Args:
        rows: of the section.
        title: of the table.
        compared_with: row to the port's row that it is compared with; None for no comparison.
    """
    columns = ("", "environments", "median", "quartiles", "between blocks", "ready in", "port / this")
    table = PageTable(title, columns)
    for row in rows:
        if row.rate is None:
            table.add_failure(row)
            continue
        low, high = row.rate.quartiles
        port = compared_with(row)
        ratio = None if port is None or port is row else paired_ratio(port.rate, row.rate)
        table.add(
            row.name,
            f"{row.envs:,}",
            f"{short_rate(row.rate.median)} {row.unit}",
            f"{short_rate(low)} to {short_rate(high)}",
            _scatter([summarise(block).median for block in row.rate.blocks if block]),
            f"{row.prepare_seconds or 0:.2f} s",
            DASH if ratio is None else times(ratio).replace(" times", "x"),
        )
    return table


def _no_comparison(row: RateRow) -> None:
    return None


@section_tables.register
def env_tables(report: reports.EnvReport) -> list[PageTable]:
    """Return the rows of environment steps, compared with the port's with observations."""
    port = base_row(report.rows)
    return [rate_table(report.rows, "Every row", lambda row: None if row.side == "port" else port)]


@section_tables.register
def train_tables(report: reports.TrainReport) -> list[PageTable]:
    """Return the rows of training steps, compared with the port's best of as many epochs."""

    def port_row(row: RateRow) -> RateRow | None:
        if row.side.startswith("port"):
            return None
        if isinstance(row, TrainingRow):
            trainers = [other for other in report.rows if isinstance(other, TrainingRow)]
            same = [other for other in trainers if other.epochs == row.epochs]
            return best(other for other in same if other.side == "port")
        environments = [other for other in report.rows if isinstance(other, EnvironmentRow)]
        return best(other for other in environments if other.side == "port")

    tables = [rate_table(report.rows, "Every row", port_row)]
    baselines = [row for row in report.rows if isinstance(row, TrainingRow) and row.baseline]
    if baselines:
        differences = PageTable("The other JAX trainers", ("", "masks", "what differs"), 3)
        for row in baselines:
            differences.add(row.name, _yes_or_no(row.masks), row.note)
        tables.append(differences)
    return tables


def _yes_or_no(value: bool | None) -> str:
    return "yes" if value else "no"


@section_tables.register
def roofline_tables(report: reports.RooflineReport) -> list[PageTable]:
    """Return shares, counted bytes, and rates."""
    shares = PageTable("Attained shares", ("", "of", "needs per step", "share", "quartiles"), 2)
    for row in report.shares:
        if row.share is None:
            shares.add_failure(row)
            continue
        low, high = row.share.quartiles
        shares.add(
            row.name,
            row.description,
            short_rate(row.needs_per_step),
            percent_figures(row.share.median),
            f"{percent_figures(low)} to {percent_figures(high)}",
        )
    counted = PageTable("Bytes of one environment step, counted", ("", "bytes"))
    for name, size in report.bytes_per_step.items():
        counted.add(name, f"{size:,}")
    counted.add("in all", f"{sum(report.bytes_per_step.values()):,}")
    for name, number in report.xla_per_step.items():
        counted.add(f"XLA's own count: {name}", f"{number:,.0f}")
    return [shares, counted, rate_table(report.rows, "Rates", _no_comparison)]


@section_tables.register
def scaling_tables(report: reports.ScalingReport) -> list[PageTable]:
    """Return the points, compile times and loading."""
    compiling = PageTable("Compiling the loop", ("environments", "steps", "seconds"), 0)
    for row in report.compile:
        seconds = ", ".join(f"{x:.2f}" for x in row.seconds)
        compiling.add(f"{row.environments:,}", f"{row.steps:,}", seconds)
    loading = PageTable("Length of data", ("days", "bars", "on the device", "prepared in"), 0)
    for market in report.loading:
        loading.add(
            f"{market.days:,}",
            f"{market.bars:,}",
            byte_size(market.device_bytes),
            f"{market.prepare_seconds:.2f} s",
        )
    return [rate_table(report.rows, "Every point", _no_comparison), compiling, loading]


@section_tables.register
def memory_tables(report: reports.MemoryReport) -> list[PageTable]:
    """Return bytes and utilisation."""
    sizes = PageTable("Memory", ("", "per", "how", "bytes", "parts", "shared by all"), 3)
    for row in report.rows:
        if row.bytes is None:
            sizes.add_failure(row)
            continue
        parts = [f"{name} {byte_size(size)}" for name, size in row.parts.items()]
        parts += [byte_size(size) for size in row.worker_bytes]
        shared = DASH if row.shared_bytes is None else byte_size(row.shared_bytes)
        sizes.add(row.name, row.per, row.how, byte_size(row.bytes), ", ".join(parts) or DASH, shared)
    busy = PageTable("Utilisation", ("", "share of all cores", "CPU seconds", "seconds", "GPU"))
    for used in report.utilisation:
        if used.cpu_share is None:
            busy.add_failure(used)
            continue
        busy.add(
            used.name,
            f"{used.cpu_share:.0%} of {used.cores}",
            f"{used.cpu_seconds:.1f}",
            f"{used.wall_seconds:.1f}",
            used.gpu_reason if used.gpu_share is None else percent_figures(used.gpu_share),
        )
    return [sizes, busy]


@section_tables.register
def latency_tables(report: reports.LatencyReport) -> list[PageTable]:
    """Return the latency of every runtime."""
    table = PageTable("Every runtime", ("", "median", "99th percentile", "between blocks"))
    for row in report.rows:
        if row.median_us is None or row.p99_us is None:
            table.add_failure(row)
            continue
        scatter = _scatter(row.block_medians_us)
        table.add(row.name, f"{row.median_us:,.1f} µs", f"{row.p99_us:,.1f} µs", scatter)
    return [table]


@section_tables.register
def return_tables(report: reports.ReturnReport) -> list[PageTable]:
    """Return every trainer's time to the return."""
    columns = (
        "",
        "masks",
        "what differs",
        "reached after",
        "steps",
        "best return",
        "compiling",
        "limit",
    )
    table = PageTable("Every trainer", columns, 3)
    for row in report.rows:
        if row.error:
            table.add_failure(row)
            continue
        best_return = row.best_return_dollars
        table.add(
            row.name,
            _yes_or_no(row.masks),
            row.note,
            "not reached" if row.seconds is None else duration(row.seconds),
            f"{row.steps:,}",
            DASH if best_return is None else f"${best_return:,.0f}",
            duration(row.compile_seconds or 0.0),
            duration(row.limit_seconds),
        )
    return [table]
