"""Several expiries of a contract in one file: mixed row by row, or one after the other at a roll.

Two expiries are a fraction of a percent apart. Mixed, the price jumps there and back within sessions,
and each jump takes back the one before; at a roll it jumps once, between two sessions of the weeks in
which index futures roll, further than it moves between its other sessions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from markets.contracts import contract_of
from markets.quality.contents.arrays import Contents, Floats, Ints
from markets.quality.finding import Finding, plural
from markets.quality.measurements import trading_days
from markets.quality.pieces import far_steps
from markets.quality.sessions import BREAK_MINUTES
from markets.spacing import MINUTE

JUMP_RANGES, JUMP_SHARE = 5.0, 0.001
"""Usual ranges of a bar, and share of the price, beyond which the next bar opens far away."""
LOOKED_AT = 20_000
"""Bars, spread over the file, whose range is the usual one."""
FEWEST_JUMPS = 10
"""Such jumps within sessions from which they are no news."""
TAKEN_BACK, MOST_LEFT = 0.7, 0.25
"""Share of the jumps that the next one takes back, and how much of one may be left for that."""
KNOWN_ROLL_SHARE = 0.0005
"""Share of the price that a move takes at a roll which the file itself names."""
ROLL_SHARES, ROLL_FACTOR = (0.003, 0.005), 6.0
"""Share of the price over a night or a weekend, and usual moves, from which one may be a roll's."""
AROUND = 30
"""Sessions to both sides whose moves are the usual ones."""
LARGEST_WITHIN = 10
"""Sessions to both sides among which a roll's move is the largest."""
BEFORE, AFTER = 12, 3
"""Days around the expiry, the third Friday of March, June, September and December, to roll in."""


def mixed_expiries(bars: Contents) -> Iterator[Finding]:
    """Yield that rows of two contracts are mixed, as symbols say or jumps back and forth."""
    own = [text for text in bars.file.contracts if contract_of(text) == bars.contract.symbol]
    if len(own) > 1 and bars.file.turns >= max(len(bars.file.contracts), bars.file.different):
        yield Finding(
            "two_contracts",
            bars.file.turns,
            f"its column of symbols goes back and forth between {', '.join(own[:3])}, "
            f"{bars.file.turns:,} times",
            "keep the rows of one contract",
        )
        return
    if len(bars) < FEWEST_JUMPS:
        return
    middle = bars.close[len(bars) // 2]
    sample = slice(None, None, max(len(bars) // LOOKED_AT, 1))
    usual = float(np.median(bars.high[sample] - bars.low[sample]))
    far = max(JUMP_RANGES * usual, JUMP_SHARE * float(middle))
    at = far_steps(bars.close, bars.open, far)
    at = at[bars.ns[at + 1] - bars.ns[at] <= BREAK_MINUTES * MINUTE]
    if len(at) < FEWEST_JUMPS:
        return
    jumps = bars.open[at + 1] - bars.close[at]
    left = np.abs(jumps[1:] + jumps[:-1])
    back = left <= MOST_LEFT * np.maximum(np.abs(jumps[1:]), np.abs(jumps[:-1]))
    if back.mean() >= TAKEN_BACK:
        yield Finding(
            "two_contracts",
            len(at),
            f"within sessions the price jumps by about {float(np.median(np.abs(jumps))):.4g} points "
            f"and back, {len(at):,} times, as where rows of two contracts (expiries) are mixed",
            "keep the rows of one contract",
        )


def roll_warnings(bars: Contents) -> Iterator[Finding]:
    """Yield that the price jumps where contracts roll, so that it is not adjusted for rolls."""
    if bars.file.turn_ns:
        yield from _known_rolls(bars)
        return
    after = far_steps(bars.ns, bars.ns, BREAK_MINUTES * MINUTE) + 1
    if len(after) < 3:
        return
    moves = np.log(bars.open[after] / bars.close[after - 1])
    weekend = bars.ns[after] - bars.ns[after - 1] > 26 * 60 * MINUTE
    rolled = [
        int(index)
        for index in np.flatnonzero(in_roll_weeks(trading_days(bars.ns[after])))
        if _stands_out(int(index), np.abs(moves), weekend)
    ]
    if rolled:
        yield _roll(bars, after[rolled], "when contracts roll")


def _known_rolls(bars: Contents) -> Iterator[Finding]:
    """Yield the rolls that the file's symbols or instrument ids show, where the price jumps there."""
    after = np.searchsorted(bars.ns, np.array(bars.file.turn_ns, np.int64))
    after = after[(after > 0) & (after < len(bars))]
    moves = np.log(bars.open[after] / bars.close[after - 1])
    rolled = after[np.abs(moves) >= KNOWN_ROLL_SHARE]
    if len(rolled):
        yield _roll(bars, rolled, "where the file goes over to another contract")


def _roll(bars: Contents, rolled: Ints, when: str) -> Finding:
    first = int(rolled[0])
    points = float(bars.open[first] - bars.close[first - 1])
    day = trading_days(bars.ns[first : first + 1]).astype("datetime64[D]")[0]
    more = f" (and at {plural(len(rolled) - 1, 'later roll')})" if len(rolled) > 1 else ""
    return Finding(
        "roll",
        len(rolled),
        f"on {day}, {when}, the price jumps by {points:+.10g} points from one bar to the next{more}, "
        "as unadjusted prices do at a roll",
        "adjust prices for the roll, or keep one contract; else an episode across it holds a move that "
        "nobody could trade",
    )


def in_roll_weeks(days: Ints) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Return which days since 1970 lie in the weeks in which index futures roll."""
    inside = np.zeros(len(days), bool)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    for month in np.unique(np.concatenate([months, months + 1])):
        if month % 12 in (2, 5, 8, 11):
            first = int(np.datetime64(int(month), "M").astype("datetime64[D]").astype(np.int64))
            expiry = first + (4 - (first + 3) % 7) % 7 + 14
            inside |= (days >= expiry - BEFORE) & (days <= expiry + AFTER)
    return inside


def _stands_out(index: int, sizes: Floats, weekend: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    """Return whether a session's move is far beyond those of the sessions around it."""
    wide = np.arange(max(index - AROUND, 0), min(index + AROUND + 1, len(sizes)))
    others = wide[wide != index]
    alike = others[weekend[others] == weekend[index]]
    if not len(alike):
        return False
    largest = sizes[alike][np.abs(alike - index) <= LARGEST_WITHIN].max(initial=0.0)
    least = max(largest, ROLL_FACTOR * np.median(sizes[alike]), ROLL_SHARES[int(weekend[index])])
    return bool(sizes[index] >= least)
