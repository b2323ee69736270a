"""Boundary states: generated states that sit on the edges of the specification.

Source: sections 4 to 6 of ``docs/environment.md``. Uniformly drawn states miss faults that only show
on an edge (a price exactly on the stop, equity exactly on the floor), so every case aims at one. What
Phase 2 adds is in :mod:`parity.pairs.corners_phase2`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from jax_port.data.data_loader import CLOSE, HIGH, LOW, MINUTE, STOP, TARGET, PreparedMarket
from jax_port.data.features import first_defined
from jax_port.envs.registry import phase_of
from markets import EnvConfig
from markets.config import dollars_to_cents
from markets.limits import INT32_MAX
from parity.engine.pair import Case, Choices

NEAR = (0, -1, 1)
"""On the edge, one short of it, one past it."""

BARS = ("any", "last entry minute", "flat by", "entry open", "end of data", "wide", "clock change")
STAKES = (
    "plain",
    "floor if held",
    "floor if stopped",
    "floor if reached",
    "floor if entered",
    "new high",
    "lock",
)
TRADES = ("flat", "flat", "free", "on the stop", "on the target", "on both", "at entry")


@dataclass(frozen=True)
class MarketSurvey:
    """What a world's cases are built on.

    Attributes:
        bars: int32 (T, 8), as the port prepares them.
        places: by name, the bars (int64) that a kind of case may happen on.
        tick, slippage: cents of one tick of all contracts; ticks.
        commission: cents per side of all contracts.
        initial, drawdown, lock: cents.
        reach: ticks between the highest and the lowest price.
        longest: bars of an episode.
        actions: number of actions.
    """

    bars: NDArray[np.int32]
    places: dict[str, NDArray[np.int64]]
    tick: int
    slippage: int
    commission: int
    initial: int
    drawdown: int
    lock: int
    reach: int
    longest: int
    actions: int


def usable_bars(market: PreparedMarket, config: EnvConfig) -> range:
    """Return the bars with a whole window of defined features before them and a bar after them."""
    return range(first_defined(market.features, config) + config.window_size, len(market) - 1)


def survey_market(market: PreparedMarket, config: EnvConfig) -> MarketSurvey:
    """Find the bars of a market that lie on a boundary.

    Args:
        market: the prepared market.
        config: entry window, flat_by, account.
    """
    minute = market.bars[:, MINUTE]
    size = len(minute)
    allowed = usable_bars(market, config)
    usable = np.zeros(size, bool)
    usable[allowed] = True

    def near(*edges: int) -> NDArray[np.int64]:
        hit = np.isin(minute, [edge + by for edge in edges for by in NEAR])
        return np.flatnonzero(hit & usable)

    span = market.bars[:, HIGH] - market.bars[:, LOW]
    wide = usable & (span >= np.quantile(span[allowed.start :], 0.98))
    hours = market.timestamps_ns // 3_600_000_000_000
    offset = (minute - (market.timestamps_ns // 60_000_000_000)) % 1440
    changed = np.flatnonzero(np.diff(offset, prepend=offset[:1]))
    days = hours // 24
    clock = usable & np.isin(days, [days[i] + by for i in changed for by in NEAR])
    places = {
        "any": np.flatnonzero(usable),
        "last entry minute": near(config.entry_close_minute - 1, config.entry_close_minute),
        "flat by": near(config.flat_by_minute),
        "entry open": near(config.entry_open_minute),
        "end of data": np.arange(size - 4, size - 1),
        "wide": np.flatnonzero(wide),
        "clock change": np.flatnonzero(clock),
    }
    account, contract = config.account, market.contract
    return MarketSurvey(
        bars=market.bars,
        places={name: bars for name, bars in places.items() if len(bars)},
        tick=contract.tick_value_cents * account.contracts,
        slippage=contract.slippage_ticks,
        commission=contract.commission_cents * account.contracts,
        initial=dollars_to_cents("initial_balance_dollars", account.initial_balance_dollars),
        drawdown=dollars_to_cents("trailing_drawdown_dollars", account.trailing_drawdown_dollars),
        lock=dollars_to_cents("floor_lock_dollars", account.floor_lock_dollars),
        reach=int(market.bars[:, HIGH].max() - market.bars[:, LOW].min()),
        longest=config.max_episode_bars,
        actions=phase_of(config).num_actions,
    )


class Scene(NamedTuple):
    """A trade on a bar, or none, and what may be done about it.

    Attributes:
        trade: the state's fields that a trade is made of.
        actions: to choose from.
        corners: what was aimed at.
    """

    trade: dict[str, int]
    actions: tuple[int, ...]
    corners: tuple[str, ...]


SetScene = Callable[[Choices, MarketSurvey, list[int], int], Scene]
"""(choices, survey, the bar's row, its number) -> a scene."""


def phase1_scene(choices: Choices, survey: MarketSurvey, row: list[int], step: int) -> Scene:
    """Place a trade, or none, and offer Phase 1's actions."""
    kind = choices.aim(TRADES)
    trade = _trade(choices, survey, row, step, kind)
    odd = (survey.actions, -1)  # no actions at all
    actions = (0, 0, 0, 1, 2, *odd) if trade["position"] else (0, 1, 2, 1, 2, 1, 2, *odd)
    return Scene(trade, actions, (kind,))


def build_case(
    choices: Choices, survey: MarketSurvey, world: int, set_scene: SetScene = phase1_scene
) -> Case:
    """Build one state and action.

    The account is kept consistent (section 7's first two invariants hold); where the floor must be
    touched exactly it is the floor that moves.
    """
    place = choices.aim([name for name in BARS if name in survey.places])
    bars = survey.places[place]
    step = int(bars[choices.integer(0, len(bars) - 1)])
    row = [int(x) for x in survey.bars[step]]
    trade, actions, corners = set_scene(choices, survey, row, step)
    limit = choices.pick((1, 2, survey.longest, survey.longest - 1, survey.longest // 2))
    oldest = step - trade["position_entry_step"] if trade["position"] else 0
    age = max(min(limit, survey.longest) - 1, oldest)
    wins, losses = choices.integer(0, 20), choices.integer(0, 20)
    pnl = choices.integer(-20_000, 20_000) * choices.pick((0, 1, 25))
    is_open = int(trade["position"] != 0)
    balance = survey.initial + pnl - is_open * survey.commission
    action = choices.pick(actions)
    stake = choices.aim(STAKES)
    high, floor = _stake(choices, survey, row, trade, balance, stake)
    if max(abs(high), abs(floor)) > INT32_MAX:  # a stop so far away that no episode gets there
        high, floor = _stake(choices, survey, row, trade, balance, STAKES[0])
    state = {
        **trade,
        "step_idx": step,
        "episode_start": step - age,
        "balance": balance,
        "highest_balance": high,
        "trailing_dd_level": floor,
        "num_trades": wins + losses + is_open,
        "winning_trades": wins,
        "losing_trades": losses,
        "total_pnl": pnl,
        "market": world,
    }
    return Case(world, state, action, (place, *corners, stake))


def _trade(
    choices: Choices, survey: MarketSurvey, row: list[int], step: int, kind: str
) -> dict[str, int]:
    """Place a trade's stop and target around the bar; all zero when flat."""
    if kind == "flat":
        names = ("position", "entry_price", "sl_price", "tp_price", "position_entry_step")
        return dict.fromkeys(names, 0)
    side = choices.pick((1, -1))
    # The bar seen from the trade: the edge that hurts and the edge that helps.
    worst, best = (row[LOW], row[HIGH]) if side > 0 else (row[HIGH], row[LOW])
    far = 4 * (row[TARGET] + row[HIGH] - row[LOW] + 2)
    stop, target = worst - side * far, best + side * far
    if kind in ("on the stop", "on both"):
        stop = worst + side * choices.pick(NEAR)
    if kind in ("on the target", "on both"):
        target = best + side * choices.pick(NEAR)
    near = min(row[STOP] + 2, survey.reach)  # further from no price of the market
    entry = row[CLOSE] + choices.integer(-near, near)
    if kind == "at entry":  # the smallest wins and losses, zero among them
        stop, entry = worst, worst + side * choices.integer(-3, 3)
    return {
        "position": side,
        "entry_price": entry,
        "sl_price": stop,
        "tp_price": target,
        "position_entry_step": step - choices.pick((1, 2, 30, 60, 0)),
    }


def _stake(
    choices: Choices,
    survey: MarketSurvey,
    row: list[int],
    trade: dict[str, int],
    balance: int,
    stake: str,
) -> tuple[int, int]:
    """Return the equity high and the floor, in cents, with the edge that ``stake`` names."""
    side = trade["position"]

    def worth(price: int) -> int:
        return balance + side * (price - trade["entry_price"]) * survey.tick

    held = worth(row[CLOSE])
    entered = balance - survey.commission - survey.slippage * survey.tick
    equity: dict[str, Callable[[], int]] = {
        "floor if held": lambda: held,
        "floor if stopped": lambda: worth(trade["sl_price"]) - survey.commission,
        "floor if reached": lambda: worth(trade["tp_price"]) - survey.commission,
        "floor if entered": lambda: entered,
    }
    locked = survey.initial + survey.lock
    if stake in equity:
        floor = equity[stake]() + choices.pick((*NEAR, -survey.commission, survey.commission))
        return floor + survey.drawdown, floor
    if stake == "new high":
        high = held - choices.pick((0, 1, -1, survey.tick))
        return high, min(high - survey.drawdown, locked)
    if stake == "lock":
        high = locked + survey.drawdown + choices.pick((*NEAR, 10 * survey.tick))
        return high, min(high - survey.drawdown, locked) - choices.pick((0, 1, survey.tick))
    high = max(survey.initial, held) + choices.pick((0, 1, 40)) * survey.tick
    return high, min(high - survey.drawdown, locked)
