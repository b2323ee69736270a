"""A fair rival on the CPU: Phase 1 for thousands of environments at once in NumPy, written for speed.

Source: sections 4 to 6 of ``docs/environment.md``. What someone does who wants to leave Gymnasium but
not NumPy: whole ticks and cents, arrays over environments, work only where something happens, windows
copied out of one contiguous array. The parity engine compares it with the reference, too.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from jax_port.data.data_loader import ATR, CLOSE, HIGH, LOW, MINUTE, STOP, TARGET, PreparedMarket, stack
from jax_port.envs.env_phase1_jax import make_params
from markets import EnvConfig

HOLD, BUY, SELL = 0, 1, 2
FIELDS = (
    "step_idx",
    "position",
    "entry_price",
    "sl_price",
    "tp_price",
    "position_entry_step",
    "balance",
    "highest_balance",
    "trailing_dd_level",
    "num_trades",
    "winning_trades",
    "losing_trades",
    "total_pnl",
    "episode_start",
)
"""The state, in ticks, cents and bars; int32 arrays of shape (N,)."""

Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]


class NumpyEnvs:
    """N environments on one market.

    Attributes:
        state: the arrays of :data:`FIELDS`, changed in place.
        obs: float32 (N, window x 11 + 5), written by :meth:`observe`.
    """

    def __init__(self, market: PreparedMarket, config: EnvConfig, num_envs: int, seed: int = 0) -> None:
        """Lay out the market's columns.

        Args:
            market: prepared with the configuration.
            config: rules of Phase 1.
            num_envs: N.
            seed: of the starts that are drawn.
        """
        self.rng = np.random.default_rng(seed)
        self.state: dict[str, Ints] = {name: np.zeros(num_envs, np.int32) for name in FIELDS}
        columns = {"high": HIGH, "low": LOW, "close": CLOSE, "stop": STOP, "target": TARGET}
        self._bar = {
            name: market.bars[:, i].copy() for name, i in {**columns, "minute": MINUTE}.items()
        }
        self._atr = market.bars[:, ATR].copy().view(np.float32)
        self._starts, self._last = market.starts, len(market) - 1
        self._window = config.window_size
        rows, width = market.features.shape
        self._features = np.ascontiguousarray(market.features)
        self._windows = as_strided(
            self._features,
            (rows - self._window + 1, self._window * width),
            self._features.strides,
            writeable=False,
        )
        self.obs = np.empty((num_envs, self._window * width + 5), np.float32)
        contract, contracts = market.contract, config.account.contracts
        self._tick = np.int32(contract.tick_value_cents * contracts)
        self._commission = np.int32(contract.commission_cents * contracts)
        self._slippage = np.int32(contract.slippage_ticks)
        self._rules = _rules(market, config)

    def reset(self) -> NDArray[np.float32]:
        """Start every environment anew and return observations (N, D)."""
        self._begin(np.arange(len(self.obs)))
        return self.observe()

    def step(self, actions: NDArray[Any]) -> tuple[NDArray[np.float32], dict[str, NDArray[Any]]]:
        """Step all environments; where an episode ended, another begins.

        Returns:
            Observations (N, D), the same array every time, and the outcome by name.
        """
        outcome = self.advance(actions)
        done = np.flatnonzero(outcome["terminated"] | outcome["truncated"])
        if done.size:
            self._begin(done)
        return self.observe(), outcome

    def advance(self, actions: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Move every environment one bar forward, without restarting: the outcome by name."""
        s, rules, t = self.state, self._rules, self.state["step_idx"]
        close, minute = self._bar["close"][t], self._bar["minute"][t]
        flat = s["position"] == 0
        forbidden = (actions < HOLD) | (actions > SELL) | ((actions != HOLD) & ~flat)
        trade_pnl, exit_code = np.zeros_like(t), np.zeros_like(t)
        late = self._exits(np.flatnonzero(~flat), close, minute, trade_pnl, exit_code)

        in_window = (minute >= rules["entry_open"]) & (minute < rules["entry_close"])
        self._enter(np.flatnonzero(flat & in_window & ~forbidden & (actions != HOLD)), actions, close)

        equity = s["balance"] + s["position"] * (close - s["entry_price"]) * self._tick
        np.maximum(s["highest_balance"], equity, out=s["highest_balance"])
        raised = np.minimum(s["highest_balance"] - rules["drawdown"], rules["locked"])
        np.maximum(s["trailing_dd_level"], raised, out=s["trailing_dd_level"])
        breached = equity < s["trailing_dd_level"]
        sold = np.flatnonzero(breached & (s["position"] != 0))
        if sold.size:
            trade_pnl[sold] = self._close(sold, close[sold] - s["position"][sold] * self._slippage)
            exit_code[sold] = 4

        violation = breached | late
        is_open = s["position"] != 0
        units = trade_pnl * rules["cent"]
        units += np.where(is_open, rules["hold"], np.where(exit_code > 0, 0, rules["patience"]))
        units += violation * rules["violation"] + forbidden * rules["forbidden"]
        reward = units.astype(np.float32) / np.float32(rules["unit"])

        t += 1
        at_end = t >= self._last
        at_limit = t - s["episode_start"] >= rules["longest"]
        reason = np.where(at_limit, np.int32(4), np.int32(0))
        reason[at_end], reason[late], reason[breached] = 3, 2, 1
        return {
            "reward": reward,
            "terminated": violation,
            "truncated": ~violation & (at_end | at_limit),
            "exit_code": exit_code,
            "done_reason": reason,
            "trade_pnl": trade_pnl,
            "violation": violation,
            "forbidden": forbidden,
        }

    def observe(self) -> NDArray[np.float32]:
        """Write and return the observations, (N, D)."""
        s, t, obs = self.state, self.state["step_idx"], self.obs
        size = self._windows.shape[1]
        obs[:, :size] = self._windows[t - self._window]
        obs[:, size:] = (0.0, 1.0, 0.0, 0.0, 0.0)
        rows = np.flatnonzero(s["position"])
        bar = t[rows]
        close, atr = self._bar["close"][bar], self._atr[bar]
        tail = obs[:, size:]
        tail[rows, 0] = s["position"][rows]
        tail[rows, 1] = s["entry_price"][rows].astype(np.float32) / close.astype(np.float32)
        tail[rows, 2] = np.abs(s["sl_price"][rows] - close).astype(np.float32) / atr
        tail[rows, 3] = np.abs(s["tp_price"][rows] - close).astype(np.float32) / atr
        held = (bar - s["position_entry_step"][rows]).astype(np.float32)
        tail[rows, 4] = held / np.float32(self._rules["longest"])
        return obs

    def action_masks(self) -> Flags:
        """Return which of hold, buy, sell are allowed: bool (N, 3)."""
        flat = self.state["position"] == 0
        return np.stack([np.ones_like(flat), flat, flat], axis=1)

    def _exits(self, rows: Any, close: Ints, minute: Ints, pnl: Ints, code: Ints) -> Flags:
        """Close at the stop, the target or the bell: fill in PnL and code, return who was late."""
        s = self.state
        bar, side = s["step_idx"][rows], s["position"][rows]
        earlier = s["position_entry_step"][rows] < bar
        long = side > 0
        low, high = self._bar["low"][bar], self._bar["high"][bar]
        stop, target = s["sl_price"][rows], s["tp_price"][rows]
        stopped = earlier & np.where(long, low <= stop, high >= stop)
        reached = earlier & np.where(long, high >= target, low <= target) & ~stopped
        tardy = (minute[rows] >= self._rules["flat_by"]) & ~stopped & ~reached
        price = np.where(stopped, stop, np.where(reached, target, close[rows] - side * self._slippage))
        which = np.where(stopped, 1, np.where(reached, 2, 3))
        closing = stopped | reached | tardy
        some = rows[closing]
        if some.size:
            pnl[some] = self._close(some, price[closing])
            code[some] = which[closing]
        late = np.zeros(len(pnl), bool)
        late[rows[tardy]] = True
        return late

    def _close(self, rows: Any, price: Ints) -> Ints:
        """Close trades at prices in ticks and return their PnL in cents."""
        s = self.state
        gross = s["position"][rows] * (price - s["entry_price"][rows]) * self._tick
        pnl = gross - 2 * self._commission
        s["balance"][rows] += gross - self._commission
        s["total_pnl"][rows] += pnl
        s["winning_trades"][rows] += pnl > 0
        s["losing_trades"][rows] += pnl <= 0
        for name in ("position", "entry_price", "sl_price", "tp_price", "position_entry_step"):
            s[name][rows] = 0
        return np.asarray(pnl, np.int32)

    def _enter(self, rows: Any, actions: NDArray[Any], close: Ints) -> None:
        s = self.state
        bar = s["step_idx"][rows]
        side = np.where(actions[rows] == BUY, 1, -1).astype(np.int32)
        fill = close[rows] + side * self._slippage
        s["position"][rows] = side
        s["entry_price"][rows] = fill
        s["sl_price"][rows] = fill - side * self._bar["stop"][bar]
        s["tp_price"][rows] = fill + side * self._bar["target"][bar]
        s["position_entry_step"][rows] = bar
        s["balance"][rows] -= self._commission
        s["num_trades"][rows] += 1

    def _begin(self, rows: Any) -> None:
        """Start episodes at uniformly drawn starts."""
        s, rules = self.state, self._rules
        start = self._starts[self.rng.integers(0, len(self._starts), len(rows))]
        for name in FIELDS:
            s[name][rows] = 0
        s["step_idx"][rows] = s["episode_start"][rows] = start
        s["balance"][rows] = s["highest_balance"][rows] = rules["initial"]
        s["trailing_dd_level"][rows] = min(rules["initial"] - rules["drawdown"], rules["locked"])


class NumpyRival:
    """:class:`NumpyEnvs` in the throughput benchmark, with random valid actions.

    Args:
        market, config: as for :class:`NumpyEnvs`.
        envs: environments.
        steps: steps of all of them in one portion.
        seed: of starts and actions.
    """

    def __init__(
        self, market: PreparedMarket, config: EnvConfig, *, envs: int, steps: int, seed: int
    ) -> None:
        self.name, self.envs = "NumPy, obs", envs
        self._market, self._config, self._steps, self._seed = market, config, steps, seed

    def prepare(self) -> float:
        """Lay out the market and reset."""
        began = time.perf_counter()
        self._envs = NumpyEnvs(self._market, self._config, self.envs, self._seed)
        self._envs.reset()
        self._rng = np.random.default_rng(self._seed)
        return time.perf_counter() - began

    def run(self) -> int:
        """Take a portion of steps."""
        for _ in range(self._steps):
            drawn = self._rng.integers(HOLD, SELL + 1, self.envs, np.int32)
            self._envs.step(np.where(self._envs.state["position"] == 0, drawn, HOLD))
        return self._steps * self.envs

    def close(self) -> None:
        """Forget the arrays."""
        del self._envs


def _rules(market: PreparedMarket, config: EnvConfig) -> dict[str, Any]:
    """Return the configuration in whole cents, minutes, bars and units of reward."""
    params = make_params(stack([market]), config)
    names = {
        "initial": params.initial_balance,
        "drawdown": params.trailing_drawdown,
        "locked": params.initial_balance + params.floor_lock,
        "entry_open": params.entry_open,
        "entry_close": params.entry_close,
        "flat_by": params.flat_by,
        "longest": params.max_episode_bars,
        "unit": params.reward_unit,
        "cent": params.cent_reward,
        "hold": params.hold_penalty,
        "patience": params.patience_reward,
        "violation": params.violation_penalty,
        "forbidden": params.invalid_action_penalty,
    }
    return {name: np.int32(value) for name, value in names.items()}
