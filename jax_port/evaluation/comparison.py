"""Several policies on the same days: a table, a plot, and whether one is better than luck makes it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from foundation.files import finite, write_files
from foundation.provenance import now
from foundation.report.format import count, dollars, dollars_short
from foundation.report.html import templates
from foundation.report.parts import Verdict
from foundation.report.svg import COLOURS, Size, axes_in, draw, figure_of
from jax_port.evaluation.report import EVERY_FILE
from jax_port.evaluation.resampling import FEWEST_DAYS, RESAMPLES, percentiles, too_few
from jax_port.evaluation.sheet.plots import day_ticks, room
from jax_port.evaluation.sheet.tear_sheet import TearSheet
from jax_port.runs.run import made_with

FORMAT = 1
FILES = ("comparison.html", "comparison.json")
LINES = ("port", "good", "loss", "warn", "reference", "muted")
"""Colours of the curves; the seventh is the first again, dashed."""


@dataclass(frozen=True)
class Compared:
    """One policy's part of a comparison.

    Attributes:
        name: unique among them, and its folder beside the page.
        values: of its evaluation, as ``report.to_values`` returns them.
        sheet: its tear sheet.
    """

    name: str
    values: Mapping[str, Any]
    sheet: TearSheet


def unique_names(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each policy's file: its stem, with its folder's name where stems meet."""
    stems = [path.stem for path in paths]
    names = [
        stem if stems.count(stem) == 1 else f"{path.resolve().parent.name}-{stem}"
        for stem, path in zip(stems, paths, strict=True)
    ]
    made: list[str] = []
    for name in names:
        own, number = name, 0
        while own in made or (names.count(name) > 1 and own in names):
            number += 1
            own = f"{name}-{number}"
        made.append(own)
    return made


def compare_policies(policies: Sequence[Compared]) -> dict[str, Any]:
    """Return the numbers of a comparison, the policy with the highest PnL on the common days first.

    Keys: days (that all have), first, last, and policies: a row each with name, pnl, mean_day and
    sharpe_day of the common days (dollars), behind (mean of a day below the first's) with its 95%
    interval ``behind_between`` (days drawn anew, the same for both), better (share of the draws in
    which it is ahead of the first; both NaN with fewer than five days), and max_drawdown, trades,
    win_rate, profit_factor of all its days.
    """
    made = _day_by_day(policies).dropna()
    days = len(made)
    table: NDArray[np.float64] = made.to_numpy(np.float64)
    order = np.argsort(-table.sum(axis=0), kind="stable")
    drawn = np.random.default_rng(0).integers(max(days, 1), size=(RESAMPLES, max(days, 1)))
    rows = []
    for place in order:
        one = policies[int(place)]
        gap = table[:, order[0]] - table[:, place]
        low, high, better = math.nan, math.nan, math.nan
        if days >= FEWEST_DAYS and place != order[0]:
            means = gap[drawn].mean(axis=1)
            low, high = np.percentile(means, percentiles(days)) / 100
            better = float((means < 0).mean())
        performance = one.values["performance"]
        own = table[:, place]
        spread = float(own.std(ddof=1)) if days > 1 else 0.0
        rows.append(
            {
                "name": one.name,
                "path": one.values["policy"]["path"],
                "sha256": one.values["policy"]["sha256"],
                "phase": one.values["policy"]["config"]["phase"],
                "pnl": round(float(own.sum())) / 100,
                "mean_day": float(own.mean()) / 100 if days else math.nan,
                "sharpe_day": float(own.mean()) / spread if spread else math.nan,
                "behind": float(gap.mean()) / 100 if days else math.nan,
                "behind_between": [float(low), float(high)],
                "better": better,
                "max_drawdown": performance["account"]["max_drawdown"],
                "trades": performance["trades"]["trades"],
                "win_rate": performance["trades"]["win_rate"],
                "profit_factor": performance["trades"]["profit_factor"],
                "held_out": one.values["held_out"]["status"],
            }
        )
    index = pd.DatetimeIndex(made.index)
    values = {
        "format": FORMAT,
        "units": "money in US dollars, days in New York",
        "made": {"when": now(), **made_with()},
        "data": policies[0].values["data"],
        "days": days,
        "first": f"{index[0]:%Y-%m-%d}" if days else None,
        "last": f"{index[-1]:%Y-%m-%d}" if days else None,
        "policies": rows,
    }
    return dict(finite(values))


def _day_by_day(policies: Sequence[Compared]) -> pd.DataFrame:
    """Return each policy's cents of each day as a column, NaN on days that are not its own."""
    return pd.DataFrame(
        {
            one.name: pd.Series(one.sheet.pnl, index=pd.DatetimeIndex(one.sheet.days["day"]))
            for one in policies
        }
    )


def verdict(values: Mapping[str, Any]) -> Verdict:
    """Return which policy made most, and whether the days tell it from the next one."""
    rows, days = values["policies"], count(values["days"], "day")
    if not values["days"]:
        return Verdict("bad", "The policies have no day in common.", "Evaluate them on the same days.")
    first, second = rows[0], rows[1]
    made = "made the most" if first["pnl"] >= 0 else "lost the least"
    headline = f"{first['name']} {made}: {dollars(abs(first['pnl']))} in {days}."
    low, high = second["behind_between"]
    if low is None:
        return Verdict("warn", headline, too_few(values["days"]))
    gap = f"Its lead over {second['name']} is {dollars(second['behind'])} a day, 95% interval"
    interval = f"{dollars(low)} to {dollars(high)}"
    if low <= 0:
        return Verdict("warn", headline, f"{gap} {interval}: {days} do not tell it from luck.")
    many = (
        f" It was chosen from {len(rows)} by these very days, so expect less of it on new ones."
        if len(rows) > 2
        else ""
    )
    return Verdict("good", headline, f"{gap} {interval}.{many}")


def curves_plot(policies: Sequence[Compared], order: Sequence[str]) -> Markup:
    """Draw the profit at each day's end of every policy, the first of ``order`` strongest.

    On the days that all have, as they are compared; where there is none, on all days.
    """
    table = _day_by_day(policies)
    made = table.fillna(0.0) if table.dropna().empty else table.dropna()
    curves = {name: np.concatenate([[0.0], np.cumsum(made[name].to_numpy()) / 100]) for name in order}
    everything = np.concatenate(list(curves.values()))

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 360 if size.wide else 300)
        left = room(float(everything.min()), float(everything.max()))
        axes = axes_in(figure, left, x="New York date", y="profit at the day's end ($)")
        axes.axhline(0, color=COLOURS["muted"], linewidth=0.8)
        for place, name in reversed(list(enumerate(order))):
            style: dict[str, Any] = {"linewidth": 2.2 if place == 0 else 1.4}
            if place >= len(LINES):
                style["dashes"] = (4, 2)
            axes.plot(curves[name], color=COLOURS[LINES[place % len(LINES)]], **style)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.yaxis.set_major_formatter(FuncFormatter(dollars_short))
        axes.set_xlim(0, max(len(made), 2) * 1.005)
        day_ticks(axes, list(made.index), 10 if size.wide else 4)
        return figure

    totals = ", ".join(f"{name} {dollars(float(curve[-1]), 0)}" for name, curve in curves.items())
    return draw("curves", f"profit day by day: {totals}", paint)


def render(values: Mapping[str, Any], policies: Sequence[Compared]) -> str:
    """Return the page of a comparison; it asks for nothing outside, and links each policy's own."""
    order = [row["name"] for row in values["policies"]]
    return (
        templates("jax_port.evaluation")
        .get_template("comparison.html.j2")
        .render(
            v=values,
            verdict=verdict(values),
            rows=values["policies"],
            curves=curves_plot(policies, order),
            legend=[
                (LINES[place % len(LINES)], name + (" (dashed)" if place >= len(LINES) else ""))
                for place, name in enumerate(order)
            ],
        )
    )


def write(folder: Path, values: Mapping[str, Any], policies: Sequence[Compared]) -> None:
    """Write :data:`FILES` into a folder, beside the folders of the policies.

    Files of one policy's evaluation that an earlier run left there are removed.

    Raises:
        WriteError: the folder cannot be written to.
    """
    page, numbers = FILES
    write_files(folder, {numbers: values, page: render(values, policies)}, replaces=EVERY_FILE)
