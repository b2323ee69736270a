"""Plots of the benchmark report: rates, shares, sizes and latencies as bars, and curves over sizes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

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
from benchmarks.harness.rows import EnvironmentRow, ReturnRow, Row, Side, TrainingRow
from foundation.report.bars import Bar, Scale, draw_bars
from foundation.report.format import byte_size, dollars_short, percent_figures, short_rate
from foundation.report.svg import BACKED, COLOURS, NARROW, TEXT, Size, axes_in, draw, figure_of

Words = Callable[[float], str]
Points = Sequence[tuple[float, float]]

COLOUR: Mapping[Side, str] = {
    "port": "port",
    "port, phase 2": "bar",
    "reference": "reference",
    "NumPy": "optional",
    "CartPole": "optional",
    "baseline": "optional",
    "machine": "muted",
}
"""Names of the page's colours by side."""
DASHES: Sequence[Any] = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))
"""Kinds of line, by trainer."""
STEPS = "steps a second"
ABOVE_LIMIT = (
    "A share above 100% means that the machine's own rate was measured too low in those rounds, or "
    "that not all that is counted as needed was done."
)
BESIDE: Mapping[str, Any] = {"xytext": (6, 0), "va": "center"}
BELOW: Mapping[str, Any] = {"xytext": (0, -7), "va": "top", "ha": "center"}
"""Where the name of a point stands."""


def _log_ticks(axes: Axes, which: str, words: Words = short_rate) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_formatter(NullFormatter())


@dataclass(frozen=True)
class Plot:
    """A figure of the page: its title, its SVG, and what a reader needs beside it."""

    title: str
    svg: Markup
    note: str = ""


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
            above = any(row.share and row.share.median > 1 for row in report.shares)
            return [Plot(title, roofline_plot(report), ABOVE_LIMIT if above else "")]
        case LatencyReport():
            return [Plot("One raw observation in, one action out", latency_plot(report))]
        case MemoryReport():
            busy = Plot("How busy each keeps the machine", busy_plot(report))
            return [Plot("Memory of an environment, and of a market", memory_plot(report)), busy]
        case ReturnReport():
            return [Plot("Mean PnL of an episode on unseen bars", return_plot(report))]
        case ScalingReport():
            return []


def envs_plot(report: EnvReport) -> Markup:
    """Draw steps a second over the number of environments, both axes logarithmic."""

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 520 if size.wide else 430)
        axes = axes_in(
            figure,
            44,
            40 if size.wide else 194,
            210 if size.wide else 12,
            grid="xy",
            x="environments stepped at once, log scale",
            y="steps a second, log scale",
        )
        axes.set_xscale("log")
        axes.set_yscale("log")
        _port_line(axes, report, "none", "port, no observations", COLOURS["bar"], size)
        _port_line(axes, report, "obs", "port, observations", COLOURS["port"], size)
        _other_points(axes, [row for row in report.rows if row.side != "port" and row.rate], size)
        if not size.wide:
            _legend_below(figure)
        for which in ("x", "y"):
            _log_ticks(axes, which)
        return figure

    rates = "; ".join(f"{row.name} {short_rate(row.median)}" for row in report.rows if row.median)
    return draw("envs", f"steps a second over environments: {rates}", paint)


def _legend_below(figure: Figure, **options: Any) -> None:
    """Name the lines and points beneath the axes, where a narrow figure has room for names."""
    figure.legend(loc="lower left", bbox_to_anchor=(0, 0), frameon=False, fontsize=TEXT, **options)


def _port_line(axes: Axes, report: EnvReport, form: str, label: str, ink: str, size: Size) -> None:
    """Draw the port's medians and quartiles over the number of environments."""
    rows = [row for row in report.rows if row.side == "port" and row.devices == 1]
    points = sorted((row.envs, row.rate) for row in rows if row.form == form and row.rate)
    if not points:
        return
    sizes, rates = [envs for envs, _ in points], [samples for _, samples in points]
    medians = np.array([samples.median for samples in rates])
    low, high = np.array([samples.quartiles for samples in rates]).T
    axes.fill_between(sizes, low, high, color=ink, alpha=0.25, linewidth=0)
    axes.plot(sizes, medians, color=ink, linewidth=2.4, marker="o", markersize=5, label=label)
    if size.wide:
        _label(axes, sizes[-1], float(medians[-1]), label, ink)


def _other_points(axes: Axes, rows: Sequence[EnvironmentRow], size: Size) -> None:
    """Draw a point for every other program, and the name of the last of each kind."""
    kinds: dict[str, list[EnvironmentRow]] = {}
    for row in sorted(rows, key=lambda row: row.envs):
        kinds.setdefault(row.name.partition("(")[0].split(", 1,")[0], []).append(row)
    for (kind, some), marker in zip(kinds.items(), "sD^vPX*" * len(kinds), strict=False):
        sizes, rates = [row.envs for row in some], [row.median or 0 for row in some]
        ink = COLOURS[COLOUR[some[0].side]]
        axes.plot(sizes, rates, marker, color=ink, markersize=7, label=kind)
        if size.wide:  # the last of a kind has room
            # CartPole is about as fast as the port, whose line would run through a name beside it.
            placed = BELOW if some[0].side == "CartPole" else BESIDE
            _label(axes, sizes[-1], rates[-1], kind, COLOURS["muted"], placed)


def _label(
    axes: Axes, x: float, y: float, words: str, ink: str, placed: Mapping[str, Any] = BESIDE
) -> None:
    axes.annotate(words, (x, y), textcoords="offset points", color=ink, **placed)


def bar_of(
    row: Row,
    side: Side,
    value: float | None,
    words: Words,
    interval: tuple[float, float] | None = None,
    label: str = "",
) -> Bar:
    """Return the bar of a row's value, or of the reason why it has none."""
    name = label or row.name
    if value is None:
        return Bar(name, None, f"failed: {(row.error or 'no reason was given')[:70]}", "bad", "bad")
    return Bar(name, value, words(value), COLOUR[side], interval=interval)


def bars_plot(name: str, bars: Sequence[Bar], scale: Scale) -> Markup:
    """Draw bars from top to bottom, with their values in the figure's label."""
    spoken = "; ".join(f"{bar.label} {bar.text}" for bar in bars)
    return draw_bars(name, f"{scale.name}: {spoken}", bars, scale)


def train_plot(report: TrainReport) -> Markup:
    """Draw every trainer's steps a second, by epochs, the fastest first."""
    rows = [row for row in report.rows if isinstance(row, TrainingRow)]
    rows.sort(key=lambda row: (-row.epochs, -(row.median or 0)))
    bars = [
        bar_of(row, row.side, row.median, short_rate, row.rate.quartiles if row.rate else None)
        for row in rows
    ]
    return bars_plot("train", bars, Scale("training steps a second, log scale", short_rate))


def memory_plot(report: MemoryReport) -> Markup:
    """Draw bytes per environment and per market on a logarithmic axis."""
    bars = [bar_of(row, row.side, row.bytes, byte_size) for row in report.rows]
    scale = Scale("bytes of an environment or a market, log scale", byte_size, base=32)
    return bars_plot("memory", bars, scale)


def busy_plot(report: MemoryReport) -> Markup:
    """Draw the share of all cores that each program keeps busy."""

    def words(share: float) -> str:
        return f"{share:.0%}"

    bars = [bar_of(row, row.side, row.cpu_share, words) for row in report.utilisation]
    return bars_plot("busy", bars, Scale("share of all cores' time", words, log=False))


def latency_plot(report: LatencyReport) -> Markup:
    """Draw the median latency of one decision."""

    def words(microseconds: float) -> str:
        return f"{microseconds:,.0f} µs"

    def side(name: str) -> Side:
        return "reference" if name.startswith("MaskablePPO") else "port"

    rows = sorted(report.rows, key=lambda row: row.median_us or np.inf)
    bars = [bar_of(row, side(row.name), row.median_us, words) for row in rows]
    scale = Scale("median time of a decision (µs, microseconds), log scale", words)
    return bars_plot("latency", bars, scale)


def roofline_plot(report: RooflineReport) -> Markup:
    """Draw the attained shares on a logarithmic axis."""
    sides = {row.name: row.side for row in report.rows}
    bars = [
        bar_of(
            row,
            sides[row.name],
            row.share.median if row.share else None,
            percent_figures,
            row.share.quartiles if row.share else None,
            f"{row.name} / {row.limit}",
        )
        for row in report.shares
    ]
    scale = Scale("attained share of the machine's rate, log scale", percent_figures)
    return bars_plot("roofline", bars, scale)


def return_plot(report: ReturnReport) -> Markup:
    """Draw return over seconds of training: a curve for every seed, a kind of line for a trainer."""
    drawn = [row for row in report.rows if row.curve]
    names = list(dict.fromkeys(row.name for row in drawn))
    shortest = [p.seconds for row in drawn for p in row.curve if p.seconds > 0]
    long = bool(shortest) and max(shortest) > 20 * min(shortest)

    def paint(size: Size) -> Figure:
        labels = ["\n".join(textwrap.wrap(name, 44)) for name in names]
        under = 0 if size.wide else 17 * "\n".join(labels).count("\n") + 24 * len(names)
        figure = figure_of(size.width, 480 if size.wide else 320 + under)
        scale = ", log scale" if long else ""
        x = f"seconds of training{scale}"
        axes = axes_in(figure, 56, 40 + under, x=x, y="mean PnL of an episode ($)")
        lines: dict[str, Any] = {}
        for row in drawn:
            lines.setdefault(row.name, _curve(axes, row, names.index(row.name)))
        # All end at the return to reach, where there is no room for so many names.
        if size.wide:
            axes.legend(lines.values(), lines, loc="lower right", frameon=False, handlelength=3.5)
        else:
            _legend_below(figure, handles=list(lines.values()), labels=labels, handlelength=3)
        if long:
            axes.set_xscale("symlog", linthresh=max(min(shortest), 1e-3))
        returns = {row.target_return_dollars for row in drawn}
        for goal in sorted(value for value in returns if value is not None):
            axes.axhline(goal, color=COLOURS["muted"], linewidth=1, dashes=(4, 3))
            axes.text(
                0.01,
                goal,
                "the return to reach",
                transform=axes.get_yaxis_transform(),
                va="bottom",
                color=COLOURS["muted"],
                bbox=BACKED,
            )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        axes.margins(x=0.12 if size.wide else 0.03)
        return figure

    return draw("return", f"return over seconds of training: {', '.join(names)}", paint)


def _curve(axes: Axes, row: ReturnRow, number: int) -> Any:
    """Draw one training and return its line; ``number`` is the trainer's among all."""
    port, reference = row.trainer == "port", row.trainer == "maskable"
    ink = COLOURS["port" if port else "reference" if reference else COLOUR["baseline"]]
    style = DASHES[0] if port or reference else DASHES[number % len(DASHES)]
    seconds = [point.seconds for point in row.curve]
    earned = [point.dollars for point in row.curve]
    (line,) = axes.plot(seconds, earned, color=ink, linewidth=2.8 if port else 2, linestyle=style)
    axes.plot(seconds[-1:], earned[-1:], "o", color=ink, markersize=5)
    return line


def line_plot(name: str, x: str, y: str, points: Points, words: Words = short_rate) -> Markup:
    """Draw a small plot of values over a logarithmic axis; ``x`` and ``y`` name the axes."""
    points = sorted(points)

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 220)
        left = 16 + 6.2 * max(len(words(value)) for _, value in points)
        axes = axes_in(figure, left, right=16, x=x, y=y)
        axes.set_xscale("log")
        axes.plot(*zip(*points, strict=True), color=COLOURS["port"], marker="o", markersize=5)
        axes.set_ylim(0, 1.2 * max(value for _, value in points))
        axes.set_xticks([at for at, _ in points], [short_rate(at) for at, _ in points])
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
        return figure

    values = ", ".join(f"{short_rate(at)}: {words(value)}" for at, value in points)
    return draw(name, f"{y} over {x}: {values}", paint, NARROW)


def scaling_plots(report: ScalingReport) -> list[Plot]:
    """Return the small plots of scaling; an axis of one point has none."""
    plots: list[Plot] = []
    for title, unit, axis, points, words in _scaling_series(report):
        if len(points) > 1:
            svg = line_plot(f"scaling{len(plots)}", f"{axis}, log scale", unit, points, words)
            plots.append(Plot(f"{title}, by {axis}", svg))
    return plots


def _scaling_series(report: ScalingReport) -> list[tuple[str, str, str, Points, Words]]:
    """Return title, unit, name of the axis, points and form of the values of every small plot."""
    rated = [(row, row.rate) for row in report.rows if row.rate]
    training = [(row, samples) for row, samples in rated if row.series == "training"]
    base = training[0][0].axes if training else {}
    titles = {"environments": "environments", "steps": "steps in a rollout", "minibatch": "minibatch"}
    series: list[tuple[str, str, str, Points, Words]] = []
    for axis, words in titles.items():
        others = [key for key in titles if key != axis]
        same = [
            (row.axes[axis], samples.median)
            for row, samples in training
            if all(row.axes[key] == base[key] for key in others)
        ]
        series.append(("Training", STEPS, words, same, short_rate))
    for name in dict.fromkeys(row.series for row, _ in rated if row.series != "training"):
        some = [(row, samples) for row, samples in rated if row.series == name]
        axis = "devices" if "devices" in some[0][0].axes else "days"
        title, _, over = name.partition(" over ")
        points = [(row.axes[axis], samples.median) for row, samples in some]
        label = "days of data" if over == "data" else over
        series.append((title.capitalize(), STEPS, label, points, short_rate))
    for axis, other in (("environments", "steps"), ("steps", "environments")):
        first = getattr(report.compile[0], other) if report.compile else None
        rows = [row for row in report.compile if getattr(row, other) == first]
        points = [(getattr(row, axis), sum(row.seconds) / len(row.seconds)) for row in rows]
        series.append(("Compiling the loop", "seconds", axis, points, lambda value: f"{value:.2g}"))
    days = [(row.days, row.device_bytes) for row in report.loading]
    series.append(("Memory of a market", "bytes", "days of data", days, byte_size))
    return series
