"""What the quality report says in words: problems, warnings, and how to mend each.

A *problem* would poison training; a *warning* is worth a look. Each is described in ``docs/data.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from markets.bars import OFF_GRID_LIMIT
from markets.config import EnvConfig
from markets.contracts import Contract
from markets.impossible_rows import column_order_mend, negative_volume_mend, not_positive_mend
from markets.quality import measurements as checks
from markets.quality.clock_fault import clock
from markets.quality.contents.problems import content_problems
from markets.quality.contents.warnings import content_warnings
from markets.quality.facts import HALF_DAY_BARS, Facts, Rows
from markets.quality.finding import Finding, plural
from markets.quality.time_zone import unjudged_opening
from markets.spacing import MINUTE, SECOND, longer_than_a_minute, usual_step
from markets.time_order import order_mend

THIN_DAY = 0.10
"""A day with less than this share of the median day's volume is thin."""


LEAST_PRICES, COARSE = 20, 4
"""Different prices that tell a grid, and how many ticks apart they must not all be; exchanges have
halved a tick, so that twice is no sign."""


def scale_problems(close: NDArray[np.float64], contract: Contract) -> Iterator[Finding]:
    """Yield that every close lies on a grid much coarser than the contract's, as scaled prices do."""
    for prices in (close[:3000], close[:30_000], close[:300_000], close):  # the first rows clear most
        finite = prices[np.isfinite(prices) & (prices > 0)] / contract.tick_size
        ticks = np.unique(np.rint(finite[finite < 2.0**52]).astype(np.int64))
        if len(ticks) < LEAST_PRICES and len(prices) < len(close):
            continue
        step = int(np.gcd.reduce(ticks)) if len(ticks) >= LEAST_PRICES else 1
        if step < COARSE:
            return
    yield Finding(
        "coarse_prices",
        len(close),
        f"every close is a whole multiple of {step} ticks of {contract.symbol} "
        f"({step * contract.tick_size:.10g} points), as prices that were multiplied are, or another "
        "contract's",
        "give prices in points as the exchange quotes them, or pass the right --symbol",
    )


def problems(rows: Rows) -> Iterator[Finding]:
    """Yield what would poison training, causes before their consequences."""
    total = len(rows.ns)

    def of_rows(kind: str, mask: NDArray[np.bool_], what: str, mend: str) -> Iterator[Finding]:
        count = int(mask.sum())
        if count:
            yield Finding(
                kind, count, f"{what} in {count:,} of {total:,} rows (first {rows.first(mask)})", mend
            )

    values, counts = np.unique(rows.scale[rows.scale != 0], return_counts=True)
    if len(values):
        power = int(values[np.argmax(counts)])
        factor = 10 ** abs(power)
        was, do = ("divided", "multiply") if power < 0 else ("multiplied", "divide")
        yield from of_rows(
            "wrong_scale",
            rows.scale != 0,
            f"prices look {was} by {factor}",
            f"{do} the prices of these rows by {factor}, or remove the rows",
        )
    else:
        yield from scale_problems(rows.prices[:, 3], rows.contract)
    yield from of_rows(
        "missing_values", rows.missing, "a price or volume is missing or infinite", "remove these rows"
    )
    yield from of_rows(
        "non_positive",
        rows.non_positive,
        "a price is not above zero or volume is negative",
        _mend_non_positive(rows),
    )
    yield from of_rows(
        "impossible",
        rows.impossible,
        "high is below, or low above, another price",
        column_order_mend(rows.prices),
    )
    yield from of_rows(
        "bad_prints",
        rows.bad_prints,
        f"the price leaves its neighbours by more than {checks.BAD_PRINT:.0%}",
        "remove these rows, or adjust prices for contract rolls",
    )
    again = order_mend(rows.ns, rows.prices) if rows.duplicates.any() else ""
    yield from of_rows("duplicates", rows.duplicates, "a time occurs again", again)
    yield from of_rows(
        "out_of_order", rows.backwards, "time runs backwards", "sort the rows by timestamp"
    )
    off = int(rows.off_grid.sum())
    if off > OFF_GRID_LIMIT * rows.prices.size:
        yield Finding(
            "off_grid",
            off,
            f"{off:,} of {rows.prices.size:,} prices are off the {rows.contract.symbol} grid of "
            f"{rows.contract.tick_size:.10g} points (first {rows.first(rows.off_grid.any(axis=1))})",
            "pass the right symbol, or ask for snapping with --snap",
        )
    yield from _length_problems(rows)
    step = usual_step(rows.steps)
    yield from content_problems(rows.contents, judge_clock=step <= MINUTE and step != SECOND)


def _mend_non_positive(rows: Rows) -> str:
    least = rows.prices[~rows.missing].min(axis=1, initial=np.inf)
    if (least > 0).all():
        return negative_volume_mend(rows.volume[~rows.missing])
    return not_positive_mend(least)


def _length_problems(rows: Rows) -> Iterator[Finding]:
    total = len(rows.ns)
    step = usual_step(rows.steps)
    within = rows.ns % MINUTE != 0
    if longer_than_a_minute(rows.steps):
        yield Finding(
            "bar_length", total, f"bars are {step / MINUTE:g} minutes long", "export one-minute bars"
        )
    elif within.any() and step != SECOND:
        count = int(within.sum())
        yield Finding(
            "bar_length",
            count,
            f"{count:,} of {total:,} bars do not begin on a whole minute (first {rows.first(within)})",
            "export one-minute bars stamped by their open",
        )


def warnings(rows: Rows, facts: Facts) -> Iterator[Finding]:
    """Yield what is worth a look."""
    total = len(rows.ns)
    if usual_step(rows.steps) == SECOND:
        yield Finding(
            "second_bars", total, "bars are one second long", "use them to evaluate, minutes to train"
        )
    need = _bars_for_one_episode()
    if facts.regular_rows < need and usual_step(rows.steps) != SECOND:
        yield Finding(
            "too_short",
            facts.regular_rows,
            f"{plural(facts.regular_rows, 'bar')} in the regular session; one episode needs {need}",
            "give a longer file",
        )
    opening = unjudged_opening(rows.ns[rows.order], rows.file, rows.volume[rows.order])
    if opening is not None:
        yield Finding(
            "opening",
            total,
            f"bars begin at {clock(opening)} New York time, neither at 09:30 nor at 18:00, as those "
            "of another time zone or with shifted timestamps do; days and volume are too few to tell",
            "check the time zone, which end of a minute its time is, and whether all timestamps are "
            "some minutes late or early; or give more days",
        )
    busiest = checks.busiest_outside(rows.ns[rows.order], rows.volume[rows.order])
    if busiest is not None:
        yield Finding(
            "busiest_hour",
            total,
            f"the busiest half hour begins at {busiest // 60:02d}:{busiest % 60:02d} New York time, "
            "outside 09:30 to 16:00",
            "check the time zone, and pass the right one with --tz",
        )
    closed = int(rows.closed.sum())
    if closed:
        yield Finding(
            "closed_hours",
            closed,
            f"{plural(closed, 'bar')} in the daily halt or the weekend (first "
            f"{rows.first(rows.closed)})",
            "remove them, unless the exchange kept other hours then",
        )
    off = facts.off_grid
    if 0 < off <= OFF_GRID_LIMIT * rows.prices.size:
        yield Finding(
            "off_grid",
            off,
            f"{plural(off, 'price')} off the grid (first {rows.first(rows.off_grid.any(axis=1))})",
            "do nothing: so few are snapped",
        )
    yield from content_warnings(rows.contents)
    yield from _thin_warnings(rows, facts)


def _thin_warnings(rows: Rows, facts: Facts) -> Iterator[Finding]:
    """Yield warnings about minutes, days and trades that are few or absent."""
    if facts.regular_missing_minutes:
        worst = facts.largest_gaps[0]
        yield Finding(
            "gaps",
            facts.regular_missing_minutes,
            f"09:30 to 16:59 lacks {plural(facts.regular_missing_minutes, 'minute')} in "
            f"{plural(facts.regular_gaps, 'gap')} (longest {worst.regular_minutes}, from "
            f"{worst.start})",
            "fill long gaps from another source; a minute without a trade has none to fill",
        )
    short = [day for day, bars in facts.day_bars.items() if bars < HALF_DAY_BARS]
    if short:
        yield Finding(
            "short_days",
            len(short),
            f"{plural(len(short), 'day')} with under {HALF_DAY_BARS} regular bars ({_some(short)})",
            "drop these days, or fill them from another source"
            if len(short) < len(facts.day_bars)
            else "check the time zone and what was exported: no day has a whole regular session",
        )
    if facts.absent_days:
        yield Finding(
            "absent_days",
            len(facts.absent_days),
            f"{plural(len(facts.absent_days), 'weekday')} without a regular bar "
            f"({_some(facts.absent_days)})",
            "check that these are holidays",
        )
    limit = THIN_DAY * facts.median_volume
    thin = [day for day, volume in facts.day_volume.items() if volume < limit]
    if thin:
        yield Finding(
            "thin_days",
            len(thin),
            f"{plural(len(thin), 'day')} with under {THIN_DAY:.0%} of the median day's volume "
            f"({_some(thin)})",
            "use the contract only while it is the front month",
        )
    for kind, mask, what, mend in (
        (
            "zero_volume",
            rows.volume == 0,
            "without volume",
            "check whether the vendor fills minutes without a trade",
        ),
        (
            "too_few_trades",
            rows.few,
            "with fewer contracts than different prices, which no trading makes",
            "check whether the vendor fills or smooths bars",
        ),
        (
            "spikes",
            rows.spikes,
            f"reaching {checks.SPIKE_RANGES:g} usual ranges beyond their neighbours and back",
            "compare them with another source",
        ),
    ):
        count = int(mask.sum())
        if count:
            yield Finding(
                kind, count, f"{plural(count, 'bar')} {what} (first {rows.first(mask)})", mend
            )


def _some(days: Sequence[str]) -> str:
    """Return up to three days in words; of more, the first and the last."""
    return ", ".join(days) if len(days) <= 3 else f"the first {days[0]}, the last {days[-1]}"


def _bars_for_one_episode() -> int:
    config = EnvConfig.phase1()
    return config.warmup_bars + config.window_size + config.max_episode_bars + 1
