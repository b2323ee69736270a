"""Plots of the benchmark report as SVG, drawn as the parity report's are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.harness.output import percent, short, size_words
from benchmarks.harness.reports import (
    EnvReport,
    LatencyReport,
    MemoryReport,
    ReturnReport,
    RooflineReport,
    ScalingReport,
    SectionReport,
    TrainReport,
)
from benchmarks.harness.rows import EnvironmentRow, RateRow, ReturnRow, Side, TrainingRow
from parity.engine.plots import COLOURS, STYLE, plain_axes, to_svg

Words = Callable[[float], str]
Points = Sequence[tuple[float, float]]

INKS: Mapping[Side, str] = {
    "port": COLOURS["port"],
    "port, phase 2": COLOURS["bar"],
    "reference": COLOURS["reference"],
    "NumPy": COLOURS["optional"],
    "CartPole": COLOURS["optional"],
    "baseline": COLOURS["optional"],
    "machine": COLOURS["muted"],
}
"""Colours by side."""
DASHES: Sequence[Any] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""Kinds of line, by trainer."""
WIDE = 7.2
"""Inches of a plot as wide as the page."""
ROW = 0.2
"""Inches of one bar and its gap."""
BESIDE: Mapping[str, Any] = {"xytext": (6, 0), "va": "center"}
BELOW: Mapping[str, Any] = {"xytext": (0, -7), "va": "top", "ha": "center"}
"""Where the name of a point stands."""


def _log_ticks(axes: Axes, which: str, words: Words = short) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_formatter(NullFormatter())


@dataclass(frozen=True)
class Plot:
    """A figure of the page: its title and its SVG."""

    title: str
    svg: Markup


@dataclass(frozen=True)
class Bar:
    """One bar: its label and side, and a value with an interval, or an error."""

    label: str
    side: Side
    value: float | None
    interval: tuple[float, float] | None = None
    error: str = ""


def section_plots(report: SectionReport) -> list[Plot]:
    """Return the wide plots of a section."""
    match report:
        case EnvReport():
            title = "Steps a second over environments; bands are quartiles"
            return [Plot(title, envs_plot(report))]
        case TrainReport():
            return [Plot("Training steps a second; lines are quartiles", train_plot(report))]
        case RooflineReport():
            title = "What each reaches of what the machine gave in the same rounds"
            return [Plot(title, roofline_plot(report))]
        case LatencyReport():
            return [Plot("One raw observation in, one action out", latency_plot(report))]
        case MemoryReport():
            busy = Plot("How busy each keeps the machine", busy_plot(report))
            return [Plot("Bytes", memory_plot(report)), busy]
        case ReturnReport():
            return [Plot("Mean dollars an episode on unseen bars", return_plot(report))]
        case ScalingReport():
            return []


def envs_plot(report: EnvReport) -> Markup:
    """Draw steps a second over the number of environments, both axes logarithmic."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, 3.6))
        axes = plain_axes(figure, (0.07, 0.11, 0.72, 0.86))
        axes.set_xscale("log")
        axes.set_yscale("log")
        _port_line(axes, report, "none", "port, no observations", COLOURS["bar"])
        _port_line(axes, report, "obs", "port, observations", COLOURS["port"])
        _other_points(axes, [row for row in report.rows if row.side != "port" and row.rate])
        axes.grid(axis="x", color=COLOURS["line"], linewidth=0.6)
        for which in ("x", "y"):
            _log_ticks(axes, which)
        axes.set_xlabel("environments")
        rates = "; ".join(f"{row.name} {short(row.median)}" for row in report.rows if row.median)
        return to_svg(figure, "envs", f"steps a second over environments: {rates}")


def _port_line(axes: Axes, report: EnvReport, form: str, label: str, ink: str) -> None:
    """Draw the port's medians and quartiles over the number of environments."""
    rows = [row for row in report.rows if row.side == "port" and row.devices == 1]
    points = sorted((row.envs, row.rate) for row in rows if row.form == form and row.rate)
    if not points:
        return
    sizes, rates = [envs for envs, _ in points], [rate for _, rate in points]
    medians = np.array([rate.median for rate in rates])
    low, high = np.array([rate.quartiles for rate in rates]).T
    axes.fill_between(sizes, low, high, color=ink, alpha=0.25, linewidth=0)
    axes.plot(sizes, medians, color=ink, linewidth=1.6, marker="o", markersize=3.5)
    _label(axes, sizes[-1], float(medians[-1]), label, ink)


def _other_points(axes: Axes, rows: Sequence[EnvironmentRow]) -> None:
    """Draw a point for every other program, and the name of the last of each kind."""
    named: dict[str, EnvironmentRow] = {}
    for row in sorted(rows, key=lambda row: row.envs):  # the last of a kind has room
        axes.plot([row.envs], [row.median or 0], "s", color=INKS[row.side], markersize=5)
        named[row.name.partition("(")[0].split(", 1,")[0]] = row
    for kind, row in named.items():
        # CartPole is about as fast as the port, whose line would run through a name beside it.
        placed = BELOW if row.side == "CartPole" else BESIDE
        _label(axes, row.envs, row.median or 0, kind, COLOURS["muted"], placed)


def _label(
    axes: Axes, x: float, y: float, words: str, ink: str, placed: Mapping[str, Any] = BESIDE
) -> None:
    axes.annotate(words, (x, y), textcoords="offset points", fontsize=7, color=ink, **placed)


def bars_plot(
    name: str, bars: Sequence[Bar], unit: str, words: Words = short, log: bool = True
) -> Markup:
    """Draw bars from top to bottom.

    Args:
        name: of the figure.
        bars: at least one.
        unit: under the axis.
        words: how a value is written.
        log: scale of the axis.
    """
    values = [bar.value for bar in bars if bar.value is not None]
    with matplotlib.rc_context(STYLE):
        inches = ROW * len(bars) + 0.42
        figure = Figure(figsize=(WIDE, inches))
        axes = plain_axes(figure, (0.47, 0.36 / inches, 0.43, 1 - 0.38 / inches), "x")
        if log and values:
            axes.set_xscale("log")
            start = float(10 ** np.floor(np.log10(min(values)) - 0.2))
            axes.set_xlim(start, 1.15 * max(values))
        else:
            start = 0.0
            axes.set_xlim(0, 1.1 * max(values, default=1.0))
        for at, bar in enumerate(bars):
            _draw_bar(axes, at, bar, start, words)
        axes.set_ylim(len(bars) - 0.4, -0.6)
        axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
        axes.tick_params(axis="y", labelcolor=COLOURS["ink"])
        if log:
            _log_ticks(axes, "x", words)
        else:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
        axes.set_xlabel(unit)
        spoken = [f"{bar.label} {'failed' if bar.value is None else words(bar.value)}" for bar in bars]
        return to_svg(figure, name, f"{unit}: {'; '.join(spoken)}")


def _draw_bar(axes: Axes, at: int, bar: Bar, start: float, words: Words) -> None:
    if bar.value is None:
        _beside_axis(axes, 0.01, at, f"failed: {bar.error[:70]}", COLOURS["bad"])
        return
    axes.barh(at, bar.value - start, 0.62, left=start, color=INKS[bar.side])
    if bar.interval is not None:
        axes.plot(bar.interval, [at, at], color=COLOURS["muted"], linewidth=1.1)
    _beside_axis(axes, 1.012, at, words(bar.value), COLOURS["ink"])


def _beside_axis(axes: Axes, x: float, y: float, text: str, ink: str, va: str = "center") -> None:
    """Write at a share of the axis' width and a value of the other axis."""
    axes.text(x, y, text, transform=axes.get_yaxis_transform(), va=va, fontsize=7, color=ink)


def _rate_bar(row: RateRow) -> Bar:
    if row.rate is None:
        return Bar(row.name, row.side, None, error=row.error or "no reason was given")
    return Bar(row.name, row.side, row.rate.median, row.rate.quartiles)


def train_plot(report: TrainReport) -> Markup:
    """Draw every trainer's steps a second, by epochs, the fastest first."""
    rows = [row for row in report.rows if isinstance(row, TrainingRow)]
    rows.sort(key=lambda row: (-row.epochs, -(row.median or 0)))
    return bars_plot("train", [_rate_bar(row) for row in rows], "training steps a second")


def memory_plot(report: MemoryReport) -> Markup:
    """Draw bytes per environment and per market on a logarithmic axis."""
    bars = [Bar(row.name, row.side, row.bytes, error=row.error or "") for row in report.rows]
    return bars_plot("memory", bars, "bytes per environment, or of a market", size_words)


def busy_plot(report: MemoryReport) -> Markup:
    """Draw the share of all cores that each program keeps busy."""
    bars = [Bar(row.name, row.side, row.cpu_share, error=row.error or "") for row in report.utilisation]
    return bars_plot("busy", bars, "share of all cores", lambda share: f"{share:.0%}", log=False)


def latency_plot(report: LatencyReport) -> Markup:
    """Draw the median latency of one decision."""
    rows = sorted(report.rows, key=lambda row: row.median_us or np.inf)
    bars = [
        Bar(
            row.name,
            "reference" if row.name.startswith("MaskablePPO") else "port",
            row.median_us,
            error=row.error or "",
        )
        for row in rows
    ]
    return bars_plot("latency", bars, "microseconds, median", lambda value: f"{value:,.0f} µs")


def roofline_plot(report: RooflineReport) -> Markup:
    """Draw the attained shares on a logarithmic axis."""
    sides = {row.name: row.side for row in report.rows}
    bars = [
        Bar(
            f"{row.name} / {row.limit}",
            sides[row.name],
            row.share.median if row.share else None,
            row.share.quartiles if row.share else None,
            row.error or "",
        )
        for row in report.shares
    ]
    return bars_plot("roofline", bars, "attained share", percent)


def return_plot(report: ReturnReport) -> Markup:
    """Draw return over seconds of training: a curve for every seed, a kind of line for a trainer."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, 3.3))
        axes = plain_axes(figure, (0.085, 0.12, 0.9, 0.85))
        names = list(dict.fromkeys(row.name for row in report.rows))
        drawn = [row for row in report.rows if row.curve]
        lines: dict[str, Any] = {}
        for row in drawn:
            lines.setdefault(row.name, _curve(axes, row, names.index(row.name)))
        # All end at the return to reach, where there is no room for so many names.
        axes.legend(
            lines.values(), lines, loc="lower right", frameon=False, fontsize=7, handlelength=3.5
        )
        shortest = [p.seconds for row in drawn for p in row.curve if p.seconds > 0]
        if shortest and max(shortest) > 20 * min(shortest):
            axes.set_xscale("symlog", linthresh=max(min(shortest), 1e-3))
        returns = {row.target_return_dollars for row in drawn}
        for dollars in sorted(value for value in returns if value is not None):
            axes.axhline(dollars, color=COLOURS["muted"], linewidth=0.8, dashes=(4, 3))
            _beside_axis(axes, 0.01, dollars, "the return to reach", COLOURS["muted"], "bottom")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${value:,.0f}"))
        axes.margins(x=0.12)
        axes.set_xlabel("seconds of training")
        return to_svg(figure, "return", f"return over seconds of training: {', '.join(names)}")


def _curve(axes: Axes, row: ReturnRow, number: int) -> Any:
    """Draw one training and return its line; ``number`` is the trainer's among all."""
    port, reference = row.trainer == "port", row.trainer == "maskable"
    ink = INKS["port" if port else "reference" if reference else "baseline"]
    style = DASHES[0] if port or reference else DASHES[number % len(DASHES)]
    seconds = [point.seconds for point in row.curve]
    dollars = [point.dollars for point in row.curve]
    (line,) = axes.plot(seconds, dollars, color=ink, linewidth=2.0 if port else 1.5, linestyle=style)
    axes.plot(seconds[-1:], dollars[-1:], "o", color=ink, markersize=3.5)
    return line


def line_plot(name: str, title: str, points: Points, words: Words = short) -> Markup:
    """Draw a small plot of values over a logarithmic axis."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.1, 1.9))
        axes = plain_axes(figure, (0.17, 0.2, 0.79, 0.76))
        axes.set_xscale("log")
        points = sorted(points)
        axes.plot(*zip(*points, strict=True), color=COLOURS["port"], marker="o", markersize=3.5)
        axes.set_ylim(0, 1.2 * max(value for _, value in points))
        axes.set_xticks([x for x, _ in points], [short(x) for x, _ in points])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
        axes.set_xlabel(title)
        values = ", ".join(f"{short(x)}: {words(value)}" for x, value in points)
        return to_svg(figure, name, f"{title}: {values}")


def scaling_plots(report: ScalingReport) -> list[Plot]:
    """Return the small plots of scaling; an axis of one point has none."""
    plots: list[Plot] = []
    for title, axis, points, words in _scaling_series(report):
        if len(points) > 1:
            svg = line_plot(f"scaling{len(plots)}", axis, points, words)
            plots.append(Plot(title, svg))
    return plots


def _scaling_series(report: ScalingReport) -> list[tuple[str, str, Points, Words]]:
    """Return title, name of the axis, points and form of the values of every small plot."""
    rates = [(row, row.rate) for row in report.rows if row.rate]
    training = [(row, rate) for row, rate in rates if row.series == "training"]
    base = training[0][0].axes if training else {}
    titles = {"environments": "environments", "steps": "steps in a rollout", "minibatch": "minibatch"}
    series: list[tuple[str, str, Points, Words]] = []
    for axis, words in titles.items():
        others = [key for key in titles if key != axis]
        same = [
            (row.axes[axis], rate.median)
            for row, rate in training
            if all(row.axes[key] == base[key] for key in others)
        ]
        series.append(("Training steps/s", words, same, short))
    for name in dict.fromkeys(row.series for row, _ in rates if row.series != "training"):
        some = [(row, rate) for row, rate in rates if row.series == name]
        axis = "devices" if "devices" in some[0][0].axes else "days"
        title, _, over = name.partition(" over ")
        points = [(row.axes[axis], rate.median) for row, rate in some]
        label = "days of data" if over == "data" else over
        series.append((f"{title.capitalize()} steps/s", label, points, short))
    for axis, other in (("environments", "steps"), ("steps", "environments")):
        first = getattr(report.compile[0], other) if report.compile else None
        rows = [row for row in report.compile if getattr(row, other) == first]
        points = [(getattr(row, axis), sum(row.seconds) / len(row.seconds)) for row in rows]
        series.append(("Seconds to compile the loop", axis, points, lambda value: f"{value:.2g}"))
    days = [(row.days, row.device_bytes) for row in report.loading]
    series.append(("Bytes of a market", "days of data", days, size_words))
    return series
