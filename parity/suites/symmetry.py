"""No look-ahead, and mirror symmetry: two properties that no single run can show.

Source: section 7 of ``docs/environment.md``. Each is checked on each side against itself, on bars
made for the purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from markets import Bars, EnvConfig
from markets.bars import FEATURES, PRICE_COLUMNS
from parity.engine.compare import Array, Comparison
from parity.engine.pair import Case
from parity.engine.record import Recording, record_actions, record_cases
from parity.engine.replay import Replay, replay
from parity.engine.verify import CheckResult, Mismatch
from parity.pairs.trading import FLAGS, World, trading_pair

CUTS = 6
"""How many bars the future is changed after."""


def other_future(bars: Bars, cut: int, seed: int) -> Bars:
    """Return the same bars up to and with number ``cut``, and different ones after it.

    Prices move by whole ticks and volumes double, so the bars stay valid. So do features of the file's
    own: after the cut they grow by a share of their own a bar.
    """
    rng = np.random.default_rng([seed, cut])
    later = slice(cut + 1, None)
    ticks = _ticks(bars)
    count = len(bars) - cut - 1
    steps = rng.integers(-8, 9, count).cumsum()
    steps = np.maximum(steps, 1 - ticks["low"][later])
    volume = bars.frame["volume"].to_numpy(copy=True)
    volume[later] *= 2.0
    for price in ticks.values():
        price[later] += steps
    features = bars.precomputed
    if features is not None:
        grown = features.to_numpy(np.float64, copy=True)
        grown[later] = grown[later] * rng.uniform(1.1, 2.0, (count, 1)) + rng.uniform(
            0.1, 1.0, (count, 1)
        )
        features = pd.DataFrame(grown, index=features.index, columns=features.columns)
    return _remade(bars, ticks, volume, features, "another future")


def _ticks(bars: Bars) -> dict[str, NDArray[np.int64]]:
    return {name: bars.contract.to_ticks(bars.frame[name]) for name in PRICE_COLUMNS}


def _remade(
    bars: Bars,
    ticks: Mapping[str, NDArray[np.int64]],
    volume: NDArray[np.float64],
    features: pd.DataFrame | None,
    what: str,
) -> Bars:
    """Return bars of other prices and volumes, with all else that they had."""
    columns = {name: bars.contract.to_points(price) for name, price in ticks.items()}
    return Bars.from_frame(
        pd.DataFrame({**columns, "volume": volume}, index=bars.frame.index),
        bars.contract,
        source=f"{bars.source}, {what}",
        precomputed=features,
        bar_seconds=bars.bar_seconds,
    )


def check_blindness(
    world: World, config: EnvConfig, cases: Sequence[Case], seed: int
) -> list[CheckResult]:
    """Check that a step at t and the market part of its observation see no later bar.

    Cases are stepped on the bars as they are, and on bars that differ after a cut: what happened at
    or before the cut, and windows that end at it, must not change by a bit.

    Args:
        world: the bars, already cut to the session.
        config: the configuration.
        cases: generated cases of this world; the bars of the first six are cut after.
        seed: of the other futures.
    """
    cases = [replace(case, world=0, state={**case.state, "market": 0}) for case in cases]
    truth = _both(world, config, cases)
    window = config.window_size * len(FEATURES)
    steps = np.array([case.state["step_idx"] for case in cases])
    results = [CheckResult(f"no look-ahead, {side}", world.name, 0) for side in SIDES]
    for number, step in enumerate(steps[:CUTS]):
        cut = int(step) - number % 2  # at the case's own bar, and just before it
        later = World(world.name, other_future(world.bars, cut, seed), world.options)
        again = _both(later, config, cases)
        for result, then, now in zip(results, truth, again, strict=True):
            sees = steps <= cut + 1  # their windows end at the cut or before
            acts = steps <= cut
            result.compared += int(sees.sum())
            windows = now.before["obs"][:, :window] == then.before["obs"][:, :window]
            _note(result, "market part of obs", windows, sees)
            _note(result, "masks", now.before["masks"] == then.before["masks"], acts)
            for name, value in now.after.items():
                before_cut = acts
                if name == "obs":  # its position part looks at the next bar's close
                    same = value[:, 0, :window] == then.after[name][:, 0, :window]
                else:
                    same = value == then.after[name]
                if name == "masks":  # a mask of Phase 2 looks at the next bar's close too
                    before_cut = steps < cut
                _note(result, name, same, before_cut)
    return results


SIDES = ("reference", "port")
Sides = tuple[Recording | Replay, Recording | Replay]


def _both(world: World, config: EnvConfig, cases: Sequence[Case]) -> Sides:
    pair = trading_pair([world], config)
    recording = record_cases(pair, cases)
    return recording, replay(pair, recording)


def _note(result: CheckResult, name: str, same: Array, must: Array) -> None:
    """Count where two runs of one side agree, among the lanes (N,) or steps (N, L) that must."""
    flat = same.reshape(*must.shape, -1)[must]
    stats = Comparison("identical", int(flat.size), int((~flat).sum()))
    if stats.mismatches and result.first is None:
        lane, *step = (int(i) for i in np.argwhere(must)[np.argmin(flat.all(1))])
        result.first = Mismatch(lane, step[0] if step else 0, name, (), 1.0, 0.0)
    result.fields.setdefault(name, Comparison("identical")).merge(stats)


def mirrored(bars: Bars) -> Bars:
    """Return bars whose every price move is negated, between the same lowest and highest price.

    So no price becomes negative, however far the market went. Features of the file's own are kept: of
    them the account knows the ATR alone, which a mirror does not change.
    """
    ticks = _ticks(bars)
    about = int(ticks["low"].min() + ticks["high"].max())
    source = {"open": "open", "high": "low", "low": "high", "close": "close"}
    turned = {name: about - ticks[other] for name, other in source.items()}
    return _remade(bars, turned, bars.frame["volume"].to_numpy(), bars.precomputed, "mirrored")


NEGATED = frozenset({"position"})
MIRRORED = (
    *("position", "balance", "highest_balance", "trailing_dd_level", "total_pnl"),
    *("num_trades", "winning_trades", "losing_trades", "position_entry_step"),
    *("trade_pnl", "exit_code", "done_reason", "terminated", "truncated", "reward"),
)


def check_mirror(
    world: World, config: EnvConfig, recording: Recording, played: Replay
) -> list[CheckResult]:
    """Check that negated price moves and swapped actions mirror positions and keep PnL.

    Args:
        world: the bars, already cut to the session.
        config: the configuration.
        recording, played: a replay of episodes on this world, both sides.
    """
    pair = trading_pair([World(world.name, mirrored(world.bars), world.options)], config)
    swapped = np.array([0, 2, 1, 3, 4, 5], np.int32)[recording.actions]
    mirror = record_actions(pair, 0, recording.starts, swapped)
    again = replay(pair, mirror)
    results = []
    before: Sides = recording, played
    after: Sides = mirror, again
    for side, then, now in zip(SIDES, before, after, strict=True):
        result = CheckResult(f"mirror, {side}", world.name, recording.transitions)
        if (mirror.lengths != recording.lengths).any():
            lane = int(np.argmax(mirror.lengths != recording.lengths))
            lengths = float(recording.lengths[lane]), float(mirror.lengths[lane])
            result.first = Mismatch(lane, -1, "steps in the episode", (), *lengths)
        for name in (*MIRRORED, *(flag for flag in FLAGS if flag in then.after)):
            sign = -1 if name in NEGATED else 1
            same = now.after[name] * sign == then.after[name]
            _note(result, name, same, recording.valid)
        results.append(result)
    return results
