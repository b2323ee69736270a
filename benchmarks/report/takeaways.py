"""Takeaways of the report's sections: two sentences each, computed from the section's numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import singledispatch

from benchmarks.harness import reports
from benchmarks.harness.reports import SectionReport
from benchmarks.harness.rows import EnvironmentRow, RateRow, ShareRow, TrainingRow
from benchmarks.harness.statistics import Summary, paired_ratio
from benchmarks.report.targets import best, best_vectorised, with_observations
from foundation.report.format import byte_size, duration, short_rate


@singledispatch
def takeaway(report: SectionReport) -> str:
    """Return a section's two sentences; what was not measured is said to be so."""
    raise TypeError(f"no takeaway of a {type(report).__name__}")


def times(ratio: Summary | None) -> str:
    """Return a ratio with its quartiles, such as "3.1 times (2.9 to 3.3)"."""
    if ratio is None:
        return "an unknown number of times"
    low, high = ratio.quartiles
    return f"{_digits(ratio.median)} times ({_digits(low)} to {_digits(high)})"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _times(numerator: RateRow, denominator: RateRow) -> str:
    return times(paired_ratio(numerator.rate, denominator.rate))


def base_row(rows: Sequence[EnvironmentRow]) -> EnvironmentRow | None:
    """Return the port's row with observations that others are compared with."""
    return next((row for row in rows if row.name == "port, obs" and row.rate), None)


@takeaway.register
def _env(report: reports.EnvReport) -> str:
    rows = report.rows
    base, vec = base_row(rows), best_vectorised(rows)
    if base is None:
        return "The port's own row failed. See the table for why."
    first = f"At {base.envs:,} environments the port makes {short_rate(base.median or 0)} steps/s with"
    first += " every (N, 225) observation written"
    if vec is not None:
        first += f", {_times(base, vec)} the best SubprocVecEnv"
    numpy = best(row for row in rows if row.side == "NumPy")
    top = best(with_observations(rows)) or base
    second = f"Its best number of environments is {top.envs:,}, with {short_rate(top.median or 0)}"
    if numpy is not None:
        second += f"; against the same rules in NumPy it is {_times(base, numpy)} as fast"
    return f"{first}. {second}."


@takeaway.register
def _train(report: reports.TrainReport) -> str:
    rows = [row for row in report.rows if isinstance(row, TrainingRow)]
    epochs = max((row.epochs for row in rows if row.rate), default=None)
    by_side = {
        side: best(row for row in rows if row.epochs == epochs and row.side == side)
        for side in ("port", "reference", "baseline")
    }
    port, reference, baseline = by_side.values()
    if port is None:
        return "The port's trainer failed. See the table for why."
    first = f"At {epochs} epochs the port trains {short_rate(port.median or 0)} steps/s"
    if reference is not None:
        first += f", {_times(port, reference)} the best MaskablePPO"
    second = "No other JAX trainer was measured"
    if baseline is not None:
        masks = "masks" if baseline.masks else "no masks"
        second = f"The fastest other JAX trainer is {baseline.name}, which has {masks}: the port is"
        second += f" {_times(port, baseline)} as fast"
    failed = [row.name for row in report.rows if row.error]
    if failed:
        second += f"; {len(failed)} row{'s' if len(failed) > 1 else ''} failed and say so"
    return f"{first}. {second}."


def _nearest(shares: Sequence[ShareRow], side: str) -> tuple[ShareRow, float] | None:
    """Return the largest share of a side, and its median."""
    medians = [(row, row.share.median) for row in shares if row.share and row.name.startswith(side)]
    return max(medians, key=lambda pair: pair[1], default=None)


@takeaway.register
def _roofline(report: reports.RooflineReport) -> str:
    port, reference = _nearest(report.shares, "port"), _nearest(report.shares, "reference")
    if port is None:
        return "No share could be computed. See the table for why."
    row, share = port
    first = f"Nearest to what the machine allows is {row.name}: {share:.0%} of its {row.description}"
    if share > 1:
        first += ", so that limit was measured too low, or not all that it counts was done"
    if reference is None:
        return f"{first}. The reference was not measured here."
    row, share = reference
    return f"{first}. The reference comes no nearer than {share:.2g} ({row.name})."


@takeaway.register
def _scaling(report: reports.ScalingReport) -> str:
    rows = [
        row for row in report.rows if row.rate and row.series == "environment over devices"
    ]  # fmt: skip
    rows.sort(key=lambda row: row.axes["devices"])
    if len(rows) > 1:
        ratio = _times(rows[-1], rows[0])
        first = f"{rows[-1].axes['devices']} devices step environments {ratio} as fast as one"
    else:
        first = "There was one device only, so nothing is said of several"
    if not report.compile:
        return f"{first}. Compile time was not measured."
    seconds = [statistics.mean(row.seconds) for row in report.compile]
    envs = [row.environments for row in report.compile]
    steps = [row.steps for row in report.compile]
    second = f"Compiling takes {min(seconds):.2f} to {max(seconds):.2f} s over"
    second += f" {min(envs):,} to {max(envs):,} environments and {min(steps):,} to {max(steps):,} steps"
    return f"{first}. {second}."


@takeaway.register
def _latency(report: reports.LatencyReport) -> str:
    medians = {row.name: row.median_us for row in report.rows if row.median_us is not None}
    if not medians:
        return "No runtime could be measured. See the table for why."
    fastest, slowest = min(medians, key=medians.__getitem__), max(medians, key=medians.__getitem__)
    return (
        f"The fastest decision is {fastest}'s with {medians[fastest]:.0f} µs, the slowest "
        f"{slowest}'s with {medians[slowest]:.0f} µs. A decision is due once a minute bar, so "
        "any of them is fast enough."
    )


@takeaway.register
def _memory(report: reports.MemoryReport) -> str:
    sizes = [(row, row.bytes) for row in report.rows if row.bytes is not None]
    loops = [(row, size) for row, size in sizes if row.form]
    if not loops:
        return "The port's loop could not be compiled. See the table for why."
    parts = [f"{byte_size(size)} {row.name.split(', ')[1]}" for row, size in loops[-2:]]
    first = f"An environment of the port takes {' and '.join(parts)}"
    workers = [size for row, size in sizes if "SubprocVecEnv" in row.name]
    if workers:
        first += f"; a worker process of the reference takes {byte_size(min(workers))}"
    shares = [(row, row.cpu_share) for row in report.utilisation if row.cpu_share is not None]
    if not shares:
        return f"{first}. Utilisation was not measured."
    busiest, share = max(shares, key=lambda pair: pair[1])
    second = f"Of {busiest.cores} cores, {busiest.name} keeps {share:.0%} busy"
    alone = next((share for row, share in shares if row.name == "reference"), None)
    second += f", the bare reference {alone:.0%}" if alone is not None else ""
    return f"{first}. {second}."


@takeaway.register
def _time_to_return(report: reports.ReturnReport) -> str:
    seconds: dict[str, list[float]] = {}
    for row in report.rows:
        if not row.error:
            took = math.inf if row.seconds is None else row.seconds
            seconds.setdefault(row.name, []).append(took)
    middle = {name: statistics.median_high(runs) for name, runs in seconds.items()}
    arrived = sorted((name for name in middle if middle[name] < math.inf), key=middle.__getitem__)
    if not arrived:
        return "No trainer reached the return within its limit. The curves show how far each came."
    runs = seconds[arrived[0]]
    first = f"{arrived[0]} is first, after {duration(middle[arrived[0]])} of training"
    if len(runs) > 1:
        ends = [duration(end) if end < math.inf else "never" for end in (min(runs), max(runs))]
        first += f", the median of {len(runs)} seeds ({ends[0]} to {ends[1]})"
    if len(arrived) == 1:
        return f"{first}. Nobody else got there."
    second = f"{arrived[-1]} is the last to get there, after {duration(middle[arrived[-1]])}"
    missing = len(seconds) - len(arrived)
    if missing:
        second += f", and {missing} did not within the limit"
    earlier = [name for name in arrived[1:] if min(seconds[name]) < max(runs)]
    if len(runs) > 1 and earlier:
        second += f". With some seed {' and '.join(earlier)} came before the slowest of the first"
    return f"{first}. {second}."
