"""Phase 1 of the trading environment: hold, buy or sell one bar at a time, with a stop and a target.

Source: sections 4 to 6 of ``docs/environment.md``; the numbers in the comments are section 6's.
Prices are float64 points snapped to the tick grid, money is float64 dollars rounded to the cent
where it is booked.
"""

from __future__ import annotations

import operator
from typing import Any, ClassVar, SupportsIndex

import gymnasium
import numpy as np
import pandas as pd
from gymnasium import spaces
from numpy.typing import NDArray

from foundation.errors import InputError
from legacy_torch.episodes import find_starts, require_bars
from legacy_torch.features import observed_and_traded
from legacy_torch.outcome import DoneReason, ExitCode, Outcome
from markets.bars import FEATURES, Bars
from markets.config import EnvConfig
from markets.limits import check_int32

HOLD, BUY, SELL = 0, 1, 2


def to_cent(dollars: float) -> float:
    """Return dollars rounded to the cent."""
    return round(float(dollars), 2)


class TradingEnvPhase1(gymnasium.Env[NDArray[np.float32], np.int64]):
    """A futures account that trades one contract's bars.

    The whole state is in plain attributes, which may be set from outside between steps.

    Attributes:
        bars: the bars of the session, T of them.
        df: T rows: high, low, close (points), minute, atr_ticks, stop_ticks, target_ticks,
            trail_ticks.
        features: T rows of the eleven features, float32.
        valid_starts: int64, sorted: the indices at which an episode may start.
        step_idx: t, the index of the current bar.
        episode_start: index at which the episode started.
        position: -1 short, 0 flat, 1 long.
        entry_price, sl_price, tp_price: fill, stop and target in points, 0 when flat.
        position_entry_step: index of the bar that opened the trade, 0 when flat.
        balance, highest_balance, trailing_dd_level: account, equity high and floor, in dollars.
        num_trades, winning_trades, losing_trades: trades opened, won and lost in the episode.
        total_pnl: sum of the closed trades' PnL, in dollars.
        trade_history: one dict for each trade closed in the episode.
    """

    metadata = gymnasium.Env.metadata | {"render_modes": ["ansi"], "render_fps": 1}

    phase: ClassVar[int] = 1
    n_actions: ClassVar[int] = 3
    n_position_features: ClassVar[int] = 5
    outcome_class: ClassVar[type[Outcome]] = Outcome

    def __init__(
        self,
        bars: Bars | None = None,
        config: EnvConfig | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Prepare features and find the possible starts.

        Args:
            bars: the market, which has to be given; the configuration's session is cut out of it.
            config: the rules; the phase's defaults when None.
            render_mode: None or "ansi".

        Raises:
            InputError: there are no bars, or the configuration is for another phase, could overflow, or
                leaves no start.
        """
        market = require_bars(bars, type(self).__name__, self.phase)
        self.config = self._default_config() if config is None else config
        if self.config.phase != self.phase:
            raise InputError(
                f"{type(self).__name__} was given a configuration of phase {self.config.phase}; "
                f"use EnvConfig.phase{self.phase}()"
            )
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise InputError(f"render_mode is {render_mode!r}; it must be None or 'ansi'")
        self.render_mode = render_mode
        self.bars = market.session(self.config.session)
        check_int32(self.bars, self.config)

        contract, contracts = self.bars.contract, self.config.account.contracts
        self.tick_size = contract.tick_size
        self.tick_value = contract.tick_value_cents / 100 * contracts
        self.commission = contract.commission_cents / 100 * contracts
        self.slippage = contract.slippage_ticks * contract.tick_size

        self.features, self.df = observed_and_traded(self.bars, self.config)
        self.valid_starts = find_starts(self.features, self.df["minute"], self.config, self.bars.source)

        size = self.config.window_size * len(FEATURES) + self.n_position_features
        self.observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self.action_space = spaces.Discrete(self.n_actions)
        self._start_episode(int(self.valid_starts[0]))

    @classmethod
    def _default_config(cls) -> EnvConfig:
        return EnvConfig.phase1()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode with a flat account.

        Args:
            seed: reseeds the environment's own generator.
            options: ``{"start_index": i}`` starts at i instead of drawing from ``valid_starts``.

        Returns:
            The observation and an info dict with the keys of :meth:`step`'s.

        Raises:
            InputError: an unknown option, or an index at which no episode may start.
        """
        super().reset(seed=seed)
        given = dict(options or {})
        start = given.pop("start_index", None)
        if given:
            raise InputError(
                f"unknown reset option {', '.join(map(str, given))}; the only one is start_index"
            )
        if start is None:
            start = self.np_random.choice(self.valid_starts)
        elif not np.isin(start, self.valid_starts):
            raise InputError(
                f"{self.bars.source}: no episode may start at index {start!r}; choose one of the "
                f"{len(self.valid_starts)} in valid_starts "
                f"({self.valid_starts[0]} to {self.valid_starts[-1]})"
            )
        self._start_episode(int(start))
        return self.observe(), self._info(self.outcome_class(equity=self.balance))

    def _start_episode(self, start: int) -> None:
        account = self.config.account
        self.step_idx = start
        self.episode_start = start
        self._clear_position()
        self.balance = to_cent(account.initial_balance_dollars)
        self.highest_balance = self.balance
        self.trailing_dd_level = self._floor_below(self.highest_balance)
        self.num_trades = 0
        self.winning_trades = 0
        self.losing_trades = 0
        self.total_pnl = 0.0
        self.trade_history: list[dict[str, Any]] = []

    def _clear_position(self) -> None:
        self.position = 0
        self.entry_price = 0.0
        self.sl_price = 0.0
        self.tp_price = 0.0
        self.position_entry_step = 0

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which actions are allowed now, shape (3,): hold, buy, sell (section 5)."""
        flat = self.position == 0
        return np.array([True, flat, flat])

    def observe(self) -> NDArray[np.float32]:
        """Return the observation at ``step_idx`` (section 5): float32, (225,) by default."""
        account = self._position_features(self._bar())
        return np.concatenate([self._window(), np.array(account, np.float32)])

    def _window(self) -> NDArray[np.float32]:
        t = self.step_idx
        return self.features.iloc[t - self.config.window_size : t].to_numpy().ravel()

    def _position_features(self, bar: pd.Series[float]) -> list[float]:
        if self.position == 0:
            return [0.0, 1.0, 0.0, 0.0, 0.0]
        close, atr_ticks = bar["close"], bar["atr_ticks"]
        return [
            float(self.position),
            self.entry_price / close,
            abs(self._ticks(self.sl_price - close)) / atr_ticks,
            abs(self._ticks(self.tp_price - close)) / atr_ticks,
            (self.step_idx - self.position_entry_step) / self.config.max_episode_bars,
        ]

    def step(
        self, action: SupportsIndex
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Trade the current bar and move on to the next (section 6).

        Args:
            action: 0 hold, 1 buy, 2 sell; anything the mask forbids becomes hold.

        Returns:
            Observation at the new bar, reward, terminated, truncated, and an info dict: exit_code
            and done_reason (int), trade_pnl (dollars, 0 if none closed), violation, forbidden,
            equity (dollars, what was held against the floor).

        Raises:
            InputError: the action is not a whole number, or the bars are used up.
        """
        if self.step_idx >= len(self.df) - 1:
            raise InputError(f"{self.bars.source}: no bar follows {self.step_idx}; call reset() first")
        bar = self._bar()
        outcome = self.outcome_class()
        legal, outcome.forbidden = self._legal(action)  # 1
        was_flat = self.position == 0
        self._check_exits(bar, outcome)  # 2
        self._check_late(bar, outcome)  # 3
        self._apply_action(legal, bar, was_flat)  # 4
        self._trail(bar)  # 5
        self._mark_to_market(bar, outcome)  # 6
        reward = self._reward(outcome)  # 8
        self.step_idx += 1  # 9
        terminated = outcome.done_reason != DoneReason.RUNNING
        truncated = not terminated and self._out_of_time(outcome)
        return self.observe(), reward, terminated, truncated, self._info(outcome)

    def _bar(self) -> pd.Series[float]:
        return self.df.iloc[self.step_idx]

    def _legal(self, action: SupportsIndex) -> tuple[int, bool]:
        """Return the action to carry out, and whether the one given was forbidden."""
        try:
            number = operator.index(action)
        except TypeError:
            raise InputError(f"action is {action!r}; it must be a whole number") from None
        masks = self.action_masks()
        if 0 <= number < len(masks) and masks[number]:
            return number, False
        return HOLD, True

    def _exit_reached(self, bar: pd.Series[float]) -> ExitCode:
        """Say which of stop and target the bar reaches. The stop is looked at first."""
        if self.position == 0 or self.position_entry_step >= self.step_idx:
            return ExitCode.NONE
        if self.position > 0:
            stopped, on_target = bar["low"] <= self.sl_price, bar["high"] >= self.tp_price
        else:
            stopped, on_target = bar["high"] >= self.sl_price, bar["low"] <= self.tp_price
        if stopped:
            return ExitCode.STOP
        return ExitCode.TARGET if on_target else ExitCode.NONE

    def _check_exits(self, bar: pd.Series[float], outcome: Outcome) -> None:
        """Close at the stop, or at the target, if the bar reaches it."""
        reached = self._exit_reached(bar)
        if reached == ExitCode.STOP:
            self._close(self.sl_price, reached, outcome)
        elif reached == ExitCode.TARGET:
            self._close(self.tp_price, reached, outcome)

    def _check_late(self, bar: pd.Series[float], outcome: Outcome) -> None:
        """Close what is still open once everything must be flat."""
        if self.position == 0 or bar["minute"] < self.config.flat_by_minute:
            return
        self._close(self._market_price(bar, -self.position), ExitCode.LATE, outcome)
        outcome.violation = True
        outcome.done_reason = DoneReason.LATE_CLOSE

    def _apply_action(self, action: int, bar: pd.Series[float], was_flat: bool) -> None:
        """Carry out a legal action; ``was_flat`` as of before this step."""
        if was_flat and action in (BUY, SELL) and self._in_entry_window(bar):
            self._open(1 if action == BUY else -1, bar)

    def _in_entry_window(self, bar: pd.Series[float]) -> bool:
        return bool(self.config.entry_open_minute <= bar["minute"] < self.config.entry_close_minute)

    def _trail(self, bar: pd.Series[float]) -> None:
        """Move a trailing stop. Phase 1 has none; Phase 2 does."""

    def _open(self, side: int, bar: pd.Series[float]) -> None:
        """Buy (side 1) or sell (side -1) at the market and set stop and target off the fill."""
        self.position = side
        self.entry_price = self._market_price(bar, side)
        self.sl_price = self._snap(self.entry_price - side * bar["stop_ticks"] * self.tick_size)
        self.tp_price = self._snap(self.entry_price + side * bar["target_ticks"] * self.tick_size)
        self.position_entry_step = self.step_idx
        self.balance = to_cent(self.balance - self.commission)
        self.num_trades += 1

    def _close(self, price: float, code: ExitCode, outcome: Outcome) -> None:
        """Close the trade at a price in points and book it (7)."""
        gross = self._gross(price)
        pnl = to_cent(gross - 2 * self.commission)
        self.balance = to_cent(self.balance + gross - self.commission)
        self.total_pnl = to_cent(self.total_pnl + pnl)
        if pnl > 0:
            self.winning_trades += 1
        else:
            self.losing_trades += 1
        self.trade_history.append(
            {
                "side": "long" if self.position > 0 else "short",
                "entry_step": self.position_entry_step,
                "entry_time": self.df.index[self.position_entry_step],
                "entry_price": self.entry_price,
                "exit_step": self.step_idx,
                "exit_time": self.df.index[self.step_idx],
                "exit_price": price,
                "exit_code": int(code),
                "pnl": pnl,
            }
        )
        self._clear_position()
        outcome.closed = True
        outcome.trade_pnl = pnl
        outcome.exit_code = code

    def _mark_to_market(self, bar: pd.Series[float], outcome: Outcome) -> None:
        """Raise the high and the floor, then hold the equity against the floor."""
        outcome.equity = self._equity_at(bar["close"])
        self._raise_high(outcome.equity)
        if outcome.equity < self.trailing_dd_level:
            if self.position != 0:
                self._close(self._market_price(bar, -self.position), ExitCode.LIQUIDATED, outcome)
            outcome.violation = True
            outcome.done_reason = DoneReason.DRAWDOWN

    def _equity_at(self, price: float) -> float:
        """Return the account's worth in dollars with the open trade, if any, at a price in points."""
        return to_cent(self.balance + self._gross(price))

    def _raise_high(self, equity: float) -> None:
        """Raise the high to an equity in dollars, and the floor with it; neither ever falls."""
        self.highest_balance = max(self.highest_balance, equity)
        self.trailing_dd_level = max(self.trailing_dd_level, self._floor_below(self.highest_balance))

    def _floor_below(self, high: float) -> float:
        account = self.config.account
        lock = account.initial_balance_dollars + account.floor_lock_dollars
        return to_cent(min(high - account.trailing_drawdown_dollars, lock))

    def _reward(self, outcome: Outcome) -> float:
        """Return the step's reward; the position is the one at the end of the step."""
        terms = self.config.reward
        reward = outcome.trade_pnl / terms.pnl_divisor_dollars
        if self.position != 0:
            reward += terms.hold_penalty
        elif not outcome.closed:
            reward += terms.patience_reward
        if outcome.violation:
            reward += terms.violation_penalty
        if outcome.forbidden:
            reward += terms.invalid_action_penalty
        return reward

    def _out_of_time(self, outcome: Outcome) -> bool:
        """Say whether the new bar truncates the episode, and note why."""
        if self.step_idx == len(self.df) - 1:
            outcome.done_reason = DoneReason.END_OF_DATA
        elif self.step_idx - self.episode_start >= self.config.max_episode_bars:
            outcome.done_reason = DoneReason.BAR_LIMIT
        return outcome.done_reason != DoneReason.RUNNING

    def _info(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "exit_code": int(outcome.exit_code),
            "done_reason": int(outcome.done_reason),
            "trade_pnl": outcome.trade_pnl,
            "violation": outcome.violation,
            "forbidden": outcome.forbidden,
            "equity": outcome.equity,
        }

    def _market_price(self, bar: pd.Series[float], side: int) -> float:
        """Return the fill of a market order at the close, in points; side 1 buys, -1 sells."""
        return self._snap(bar["close"] + side * self.slippage)

    def _gross(self, price: float) -> float:
        """Return the open trade's worth at a price, in dollars before commission; 0 when flat."""
        return to_cent(self.position * self._ticks(price - self.entry_price) * self.tick_value)

    def _ticks(self, points: float) -> int:
        return round(float(points) / self.tick_size)

    def _snap(self, points: float) -> float:
        return self._ticks(points) * self.tick_size

    def render(self) -> str | None:
        """Return the account in one line when ``render_mode`` is "ansi"."""
        if self.render_mode is None:
            return None
        side = {-1: "short", 0: "flat", 1: "long"}[self.position]
        held = (
            f" {self.entry_price:.10g} stop {self.sl_price:.10g} target {self.tp_price:.10g}"
            if self.position
            else ""
        )
        return (
            f"{self.df.index[self.step_idx]:%Y-%m-%d %H:%M} UTC close {self._bar()['close']:.10g} "
            f"{side}{held} balance ${self.balance:,.2f} floor ${self.trailing_dd_level:,.2f} "
            f"trades {self.num_trades}"
        )
