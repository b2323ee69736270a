"""Single episodes over price: entries, exits, and where stop and target stood at every bar.

Source: section 6 of ``docs/environment.md``. What stands after a step is what the next bar is held
against, so a stop that was moved at bar t is drawn from bar t + 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from foundation.report.format import count, dollars
from foundation.report.svg import COLOURS, Size, axes_in, draw, figure_of
from jax_port.data.data_loader import CLOSE, HIGH, LOW, PreparedMarket
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.metrics import daily

Floats = NDArray[np.float64]

STOP_MOVED, TRADED, ANY = "a stop was moved", "a trade was opened", ""
"""Of which days the plotted ones are chosen: the first of these that any day has."""


TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360)
"""Minutes that times on the axis may be apart."""


@dataclass(frozen=True)
class Trace:
    """One daily episode, K bars of it. Prices in points; NaN when flat.

    Attributes:
        rank: "best", "median" or "worst".
        day: New York date.
        pnl: dollars, an open trade marked at the end.
        end: why the episode ended, in words.
        times: New York times of the bars' opens, length K.
        high, low, close: shape (K,).
        position, entry, stop, target: before each bar and after the last, shape (K + 1,).
        trades: the closed ones, as ``Evaluation.trades``; steps count from the episode's first bar.
    """

    rank: str
    day: pd.Timestamp
    pnl: float
    end: str
    times: pd.DatetimeIndex
    high: Floats
    low: Floats
    close: Floats
    position: NDArray[np.int64]
    entry: Floats
    stop: Floats
    target: Floats
    trades: pd.DataFrame

    @property
    def stop_moves(self) -> int:
        """How often the stop of an open trade was moved."""
        return _stop_moves(self.position, self.stop)


def choose(result: Evaluation, market: PreparedMarket) -> tuple[str, list[Trace]]:
    """Return the best, the median and the worst day of those in which most is to be seen.

    Args:
        result: of the market.
        market: its bars.

    Returns:
        What the days have in common (:data:`STOP_MOVED`, :data:`TRADED` or :data:`ANY`), and at most
        three episodes by falling PnL; fewer where there are fewer days.
    """
    days = daily(result)
    episodes = result.episodes[result.episodes["daily"]].reset_index(drop=True)
    rows = dict(iter(result.equity.groupby("episode")))
    moved = [
        _stop_moves(rows[number]["position"].to_numpy(), rows[number]["stop"].to_numpy()) > 0
        for number in episodes["episode"]
    ]
    pools = {STOP_MOVED: np.array(moved), TRADED: episodes["trades"].to_numpy() > 0}
    common = next((words for words, pool in pools.items() if pool.any()), ANY)
    pool = np.flatnonzero(pools.get(common, np.ones(len(days), bool)))
    ranked = pool[np.argsort(-days["pnl"].to_numpy()[pool], kind="stable")]
    places = {"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}
    if len(ranked) == 2:
        del places["median"]
    by_place = {place: rank for rank, place in reversed(places.items())}  # one day alone is the best
    traces = []
    for place, rank in sorted(by_place.items()):
        number = ranked[place]
        episode, day = episodes.iloc[number], days.iloc[number]
        steps = rows[episode["episode"]].sort_values("step")
        traces.append(_trace(rank, episode, day, steps, result.trades, market))
    return common, traces


def _trace(
    rank: str,
    episode: pd.Series[Any],
    day: pd.Series[Any],
    rows: pd.DataFrame,
    trades: pd.DataFrame,
    market: PreparedMarket,
) -> Trace:
    start = int(episode["start"])
    span = slice(start, start + int(episode["steps"]))
    points = market.contract.to_points(market.bars[span][:, [HIGH, LOW, CLOSE]])
    own = trades[trades["episode"] == episode["episode"]]
    own = own.assign(entry_step=own["entry_step"] - start, exit_step=own["exit_step"] - start)
    times = pd.DatetimeIndex(market.timestamps_ns[span], tz="UTC").tz_convert("America/New_York")
    high, low, close = points.T
    position, entry, stop, target = (
        rows[name].to_numpy() for name in ("position", "entry", "stop", "target")
    )
    return Trace(
        rank,
        pd.Timestamp(day["day"]),
        float(day["pnl"]),
        str(day["end"]),
        times,
        high,
        low,
        close,
        position,
        entry,
        stop,
        target,
        own.reset_index(drop=True),
    )


def _stop_moves(position: NDArray[Any], stop: NDArray[Any]) -> int:
    """Count changes of the stop between two bars of one trade; trades have a flat bar between them."""
    held = (position[1:] != 0) & (position[:-1] != 0)
    return int((held & (stop[1:] != stop[:-1])).sum())


def episode_plot(trace: Trace) -> Markup:
    """Draw an episode over price."""

    def paint(size: Size) -> Figure:
        figure = figure_of(size.width, 380 if size.wide else 290)
        left = 12 + 6.4 * len(f"{trace.high.max():,.2f}")
        axes = axes_in(figure, left, right=6, x="New York time", y="price (points)")
        _draw_price(axes, trace)
        _draw_levels(axes, trace)
        _draw_trades(axes, trace, 64.0 if size.wide else 28.0)
        _draw_clock(axes, trace, 9 if size.wide else 4)
        axes.set_xlim(-0.01 * len(trace.close) - 0.5, 1.01 * len(trace.close) - 0.5)
        axes.margins(y=0.04)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        return figure

    return draw(trace.rank, describe(trace), paint)


def describe(trace: Trace) -> str:
    """Return an episode in words."""
    moves = trace.stop_moves
    title = f"{trace.rank} day, {trace.day.date()}: {dollars(trace.pnl)}, {_trades_of(trace)}"
    return f"{title}, stop moved {count(moves, 'time')}" if moves else title


def caption(trace: Trace) -> tuple[str, str]:
    """Return what stands above an episode's plot: the day with its PnL, and the rest."""
    lead = f"{trace.rank.capitalize()}: {trace.day.day} {trace.day:%B %Y}, {dollars(trace.pnl)}"
    moves = trace.stop_moves
    words = [_trades_of(trace)]
    if moves:
        words.append(f"stop moved {count(moves, 'time')}")
    return lead, ", ".join([*words, f"ended by {trace.end}"])


def _trades_of(trace: Trace) -> str:
    closed = count(len(trace.trades), "trade")
    return f"{closed} closed, one left open" if trace.position[-1] else closed


def _draw_price(axes: Axes, trace: Trace) -> None:
    bars = np.arange(len(trace.close))
    edges = np.repeat(bars, 2) + np.tile([-0.5, 0.5], len(bars))
    low, high = np.repeat(trace.low, 2), np.repeat(trace.high, 2)
    axes.fill_between(edges, low, high, color=COLOURS["muted"], alpha=0.3, linewidth=0)
    axes.plot(bars, trace.close, color=COLOURS["port"], linewidth=1.3)


def _draw_levels(axes: Axes, trace: Trace) -> None:
    """Draw stop and target as steps, and between them what is at risk, locked in and hoped for."""
    edges, stop = _stretch(trace.stop[:-1])
    entry, target = (_stretch(levels[:-1])[1] for levels in (trace.entry, trace.target))
    side = _stretch(trace.position[:-1].astype(np.float64))[1]
    at_risk = side * (stop - entry) < 0
    washes = (
        (stop, at_risk, "loss", 0.16),
        (stop, side * (stop - entry) > 0, "bar", 0.3),
        (target, np.isfinite(target), "bar", 0.1),
    )
    for level, where, paint, alpha in washes:
        axes.fill_between(
            edges, entry, level, where=where, color=COLOURS[paint], alpha=alpha, linewidth=0
        )
    axes.plot(edges, target, color=COLOURS["bar"], linewidth=1.4, dashes=(3, 1.6))
    axes.plot(edges, stop, color=COLOURS["loss"], linewidth=1.7, solid_joinstyle="miter")


def _stretch(levels: Floats) -> tuple[Floats, Floats]:
    """Return x and y of a step line over bars, broken where a level is NaN; x in bars."""
    bars = np.arange(len(levels))
    return np.repeat(bars, 2) + np.tile([-0.5, 0.5], len(bars)), np.repeat(levels, 2)


def _draw_trades(axes: Axes, trace: Trace, size: float) -> None:
    """Mark entries at the end of their bar, since they fill at its close, and exits on theirs."""
    trades = trace.trades
    bars = trades["entry_step"].to_numpy() + 0.5
    prices = trades["entry_price"].to_numpy()
    sides = np.where(trades["side"] == "long", 1, -1)
    if trace.position[-1]:
        opened = np.flatnonzero(trace.position == 0)[-1]  # before this bar it was flat
        bars = np.append(bars, opened + 0.5)
        prices, sides = np.append(prices, trace.entry[-1]), np.append(sides, trace.position[-1])
    edge: dict[str, Any] = {"linewidths": 0.9, "edgecolors": COLOURS["card"], "zorder": 4}
    for side, marker in ((1, "^"), (-1, "v")):
        kept = sides == side
        axes.scatter(bars[kept], prices[kept], s=size, marker=marker, color=COLOURS["ink"], **edge)
    for won, paint in ((True, "bar"), (False, "loss")):
        kept = (trades["pnl"] > 0).to_numpy() == won
        exits = trades[kept]
        axes.scatter(
            exits["exit_step"], exits["exit_price"], s=size, marker="o", color=COLOURS[paint], **edge
        )


def _draw_clock(axes: Axes, trace: Trace, most: int) -> None:
    """Name round times in New York, about ``most``, and the date where the next day begins."""
    times = trace.times
    apart = next((minutes for minutes in TICKS if len(times) <= most * minutes), TICKS[-1])
    full = np.flatnonzero((times.hour * 60 + times.minute) % apart == 0).tolist()
    ticks = {bar: f"{times[bar]:%H:%M}" for bar in full}
    days = times.normalize()
    for bar in (np.flatnonzero(days[1:] != days[:-1]) + 1).tolist():
        axes.axvline(bar - 0.5, color=COLOURS["muted"], linewidth=0.9, dashes=(2, 2))
        near = [tick for tick in ticks if abs(tick - bar) < 0.5 * len(times) / most]
        for tick in near:
            del ticks[tick]
        ticks[bar] = f"{times[bar].day} {times[bar]:%b}"
    last = len(times) - 1
    shown = {bar: label for bar, label in ticks.items() if 0.03 * last <= bar <= 0.97 * last}
    axes.set_xticks(list(shown), list(shown.values()))
