"""The report's plots as SVG to stand in a page, drawn as the parity report's are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.harness.statistics import median_of
from benchmarks.suites.env_throughput import short
from benchmarks.suites.memory import size_words
from parity.engine.plots import COLOURS, STYLE, plain_axes, to_svg

Values = Mapping[str, Any]

INKS = {
    "port": COLOURS["port"],
    "port, phase 2": COLOURS["bar"],
    "reference": COLOURS["reference"],
    "NumPy": COLOURS["optional"],
    "CartPole": COLOURS["optional"],
    "rival": COLOURS["optional"],
    "machine": COLOURS["muted"],
}
"""Colours by side."""
WIDE = 7.2
"""Inches of a plot as wide as the page."""
ROW = 0.2
"""Inches of one bar and its gap."""
BESIDE: Values = {"xytext": (6, 0), "va": "center"}
BELOW: Values = {"xytext": (0, -7), "va": "top", "ha": "center"}
"""Where the name of a point stands."""


def _log_ticks(axes: Axes, which: str, words: Any = short) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_formatter(NullFormatter())


def _quartiles(row: Values) -> tuple[float, float]:
    timed = row.get("steps_per_second") or row["rate"]
    low, high = timed["quartiles"]
    return float(low), float(high)


def envs_plot(report: Values) -> Markup:
    """Draw steps a second over the number of environments, both axes logarithmic."""
    rows = [row for row in report["rows"] if median_of(row)]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, 3.6))
        axes = plain_axes(figure, (0.07, 0.11, 0.72, 0.86))
        axes.set_xscale("log")
        axes.set_yscale("log")
        forms = {"none": "port, no observations", "obs": "port, observations"}
        for form, words in forms.items():
            some = [
                row
                for row in rows
                if row.get("side") == "port" and row.get("form") == form and row.get("devices") == 1
            ]
            some.sort(key=lambda row: float(row["envs"]))
            if not some:
                continue
            sizes, medians = [row["envs"] for row in some], [median_of(row) or 0 for row in some]
            spread = np.array([_quartiles(row) for row in some]).T
            ink = COLOURS["port" if form == "obs" else "bar"]
            axes.fill_between(sizes, *spread, color=ink, alpha=0.25, linewidth=0)
            axes.plot(
                sizes, np.array(medians, float), color=ink, linewidth=1.6, marker="o", markersize=3.5
            )
            _label(axes, sizes[-1], medians[-1], words, ink)
        flat = [row for row in rows if row.get("side") in ("NumPy", "CartPole", "reference")]
        for row in flat:
            ink = INKS[row["side"]]
            axes.plot([row["envs"]], np.array([median_of(row)], float), "s", color=ink, markersize=5)
        named: dict[str, Any] = {}
        for row in sorted(flat, key=lambda row: float(row["envs"])):  # the last of a kind has room
            named[row["name"].partition("(")[0].split(", 1,")[0]] = row
        for kind, row in named.items():
            # CartPole is about as fast as the port, whose line would run through a name beside it.
            placed = BELOW if row["side"] == "CartPole" else BESIDE
            _label(axes, row["envs"], median_of(row) or 0, kind, COLOURS["muted"], placed)
        axes.grid(axis="x", color=COLOURS["line"], linewidth=0.6)
        for which in ("x", "y"):
            _log_ticks(axes, which)
        axes.set_xlabel("environments")
        said = "; ".join(f"{row['name']} {short(median_of(row) or 0)}" for row in rows)
        return to_svg(figure, "envs", f"steps a second over environments: {said}")


def _label(
    axes: Axes, x: float, y: float, words: str, ink: str, placed: Mapping[str, Any] = BESIDE
) -> None:
    axes.annotate(words, (x, y), textcoords="offset points", fontsize=7, color=ink, **placed)


def bars_plot(
    name: str, rows: Sequence[Values], unit: str, words: Any = short, log: bool = True
) -> Markup:
    """Draw one bar a row: ``label``, ``value``, ``side``, and ``low``, ``high`` or an ``error``.

    Args:
        name: of the figure.
        rows: at least one.
        unit: under the axis.
        words: how a value is written.
        log: scale of the axis.
    """
    values = [float(row["value"]) for row in rows if row.get("value") is not None]
    with matplotlib.rc_context(STYLE):
        inches = ROW * len(rows) + 0.42
        figure = Figure(figsize=(WIDE, inches))
        axes = plain_axes(figure, (0.47, 0.36 / inches, 0.43, 1 - 0.38 / inches), "x")
        if log and values:
            axes.set_xscale("log")
            start = 10 ** np.floor(np.log10(min(values)) - 0.2)
            axes.set_xlim(start, 1.15 * max(values))
        else:
            start = 0.0
            axes.set_xlim(0, 1.1 * max(values, default=1.0))
        for at, row in enumerate(rows):
            value = row.get("value")
            if value is None:
                axes.text(
                    0.01,
                    at,
                    f"failed: {row['error'][:70]}",
                    transform=axes.get_yaxis_transform(),
                    va="center",
                    fontsize=7,
                    color=COLOURS["bad"],
                )
                continue
            axes.barh(at, value - start, 0.62, left=start, color=INKS.get(row["side"], INKS["rival"]))
            if "low" in row:
                axes.plot([row["low"], row["high"]], [at, at], color=COLOURS["muted"], linewidth=1.1)
            axes.text(
                1.012,
                at,
                words(value),
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=7,
                color=COLOURS["ink"],
            )
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [row["label"] for row in rows])
        axes.tick_params(axis="y", labelcolor=COLOURS["ink"])
        if log:
            _log_ticks(axes, "x", words)
        else:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
        axes.set_xlabel(unit)
        said = "; ".join(
            f"{row['label']} {'failed' if row.get('value') is None else words(row['value'])}"
            for row in rows
        )
        return to_svg(figure, name, f"{unit}: {said}")


def train_plot(report: Values) -> Markup:
    """Draw every trainer's steps a second, by epochs, the fastest first."""
    rows = [row for row in report["rows"] if row.get("epochs")]
    rows.sort(key=lambda row: (-row["epochs"], -(median_of(row) or 0)))
    return bars_plot("train", [rate_bar(row) for row in rows], "training steps a second")


def rate_bar(row: Values) -> dict[str, Any]:
    """Return the bar of a row with a rate."""
    bar = {"label": row["name"], "side": row.get("side", "machine"), "value": median_of(row)}
    if bar["value"] is None:
        return {**bar, "error": row.get("error", "no word")}
    low, high = _quartiles(row)
    return {**bar, "low": low, "high": high}


def memory_plot(report: Values) -> Markup:
    """Draw bytes per environment and per market on a logarithmic axis."""
    rows = [_bar(row, row["side"], "bytes") for row in report["rows"]]
    return bars_plot("memory", rows, "bytes per environment, or of a market", size_words)


def busy_plot(report: Values) -> Markup:
    """Draw the share of all cores that each rival keeps busy."""
    rows = [_bar(row, row["side"], "cpu_share") for row in report["utilisation"]]
    return bars_plot("busy", rows, "share of all cores", lambda share: f"{share:.0%}", log=False)


def latency_plot(report: Values) -> Markup:
    """Draw the median latency of one decision."""
    rows = [
        _bar(row, "reference" if row["name"].startswith("MaskablePPO") else "port", "median_us")
        for row in sorted(report["rows"], key=lambda row: float(row.get("median_us", np.inf)))
    ]
    return bars_plot("latency", rows, "microseconds, median", lambda value: f"{value:,.0f} µs")


def _bar(row: Values, side: str, key: str) -> dict[str, Any]:
    """Return the bar of a row with one number, or with an error."""
    return {
        "label": row["name"],
        "side": side,
        "value": row.get(key),
        "error": row.get("error", ""),
    }


def floors_plot(report: Values) -> Markup:
    """Draw the attained shares on a logarithmic axis."""
    rows = []
    for floor in report["floors"]:
        side = next(
            (side for side in ("port", "NumPy") if floor["rival"].startswith(side)), "reference"
        )
        row = {"label": f"{floor['rival']} / {floor['floor']}", "side": side, "value": None}
        if floor["share"]:
            low, high = floor["share"]["quartiles"]
            row |= {"value": floor["share"]["median"], "low": low, "high": high}
        rows.append({**row, "error": "a row that it needs failed"})
    return bars_plot("floors", rows, "attained share", percent)


def percent(share: float) -> str:
    """Return a share as a percentage with two figures."""
    return f"{100 * share:,.0f}%" if share >= 0.1 else f"{100 * share:.2g}%"


def return_plot(report: Values) -> Markup:
    """Draw return over seconds of training: a curve for every seed, a kind of line for a trainer."""
    dashes: list[Any] = ["-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3))]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDE, 3.3))
        axes = plain_axes(figure, (0.085, 0.12, 0.9, 0.85))
        names = list(dict.fromkeys(row["name"] for row in report["rows"]))
        drawn = [row for row in report["rows"] if row["curve"]]
        lines: dict[str, Any] = {}
        shortest = [p[0] for row in drawn for p in row["curve"] if p[0] > 0]
        for row in drawn:
            at = names.index(row["name"])
            ours, theirs = row["name"].startswith("port"), "MaskablePPO" in row["name"]
            ink = INKS["port" if ours else "reference" if theirs else "rival"]
            style = dashes[0] if ours or theirs else dashes[at % len(dashes)]
            points = np.array(row["curve"], float)
            (line,) = axes.plot(
                points[:, 0], points[:, 2], color=ink, linewidth=2.0 if ours else 1.5, linestyle=style
            )
            axes.plot(points[-1:, 0], points[-1:, 2], "o", color=ink, markersize=3.5)
            lines.setdefault(row["name"], line)
        # All end at the return to reach, where there is no room for so many names.
        axes.legend(
            lines.values(), lines, loc="lower right", frameon=False, fontsize=7, handlelength=3.5
        )
        if shortest and max(shortest) > 20 * min(shortest):
            axes.set_xscale("symlog", linthresh=max(min(shortest), 1e-3))
        for target in {row["target_return"] for row in drawn if row.get("target_return") is not None}:
            axes.axhline(target, color=COLOURS["muted"], linewidth=0.8, dashes=(4, 3))
            axes.text(
                0.01,
                target,
                "the return to reach",
                transform=axes.get_yaxis_transform(),
                va="bottom",
                fontsize=7,
                color=COLOURS["muted"],
            )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${value:,.0f}"))
        axes.margins(x=0.12)
        axes.set_xlabel("seconds of training")
        return to_svg(figure, "return", f"return over seconds of training: {', '.join(names)}")


def line_plot(
    name: str, title: str, points: Sequence[tuple[float, float]], words: Any = short
) -> Markup:
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
        said = ", ".join(f"{short(x)}: {words(value)}" for x, value in points)
        return to_svg(figure, name, f"{title}: {said}")


def scaling_plots(report: Values) -> list[dict[str, Any]]:
    """Return the small plots of scaling: title and SVG."""
    found: list[dict[str, Any]] = []
    rows = [row for row in report["rows"] if median_of(row)]

    def add(title: str, axis: str, points: Sequence[tuple[float, float]], words: Any = short) -> None:
        if len(points) > 1:
            svg = line_plot(f"scaling{len(found)}", axis, points, words)
            found.append({"title": title, "svg": svg})

    training = [row for row in rows if row["what"] == "training"]
    base = training[0]["axes"] if training else {}
    titles = {"environments": "environments", "steps": "steps in a rollout", "minibatch": "minibatch"}
    for axis, words in titles.items():
        others = [key for key in titles if key != axis]
        same = [row for row in training if all(row["axes"][key] == base[key] for key in others)]
        points = [(row["axes"][axis], median_of(row) or 0) for row in same]
        add("Training steps/s", words, points)
    for what in dict.fromkeys(row["what"] for row in rows if row["what"] != "training"):
        some = [row for row in rows if row["what"] == what]
        axis = "devices" if "devices" in some[0]["axes"] else "days"
        title, _, over = what.partition(" over ")
        points = [(row["axes"][axis], median_of(row) or 0) for row in some]
        add(f"{title.capitalize()} steps/s", "days of data" if over == "data" else over, points)
    for axis in ("environments", "steps"):
        other = "steps" if axis == "environments" else "environments"
        first = report["compile"][0][other] if report["compile"] else None
        points = [
            (row[axis], sum(row["seconds"]) / len(row["seconds"]))
            for row in report["compile"]
            if row[other] == first
        ]
        add("Seconds to compile the loop", axis, points, lambda value: f"{value:.2g}")
    days = [(row["days"], row["device_bytes"]) for row in report["loading"]]
    add("Bytes of a market", "days of data", days, size_words)
    return found
