"""Offline side of a live replay: a log's bars out of a file, and the port's rules on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from foundation.files import file_digest
from jax_port.data.data_loader import PreparedMarket, stack
from jax_port.data.features import compute_features, compute_ticks
from jax_port.envs import env_phase2_jax as phase2
from jax_port.envs.account import enter, find_exit
from jax_port.envs.registry import phase_of
from jax_port.envs.state import bar_at
from jax_port.export.advised import load_network
from jax_port.export.bundle import POLICY
from jax_port.export.manifest import MANIFEST, read_manifest
from jax_port.export.stages import in_float64
from jax_port.ppo.policy import Policy
from markets import Bars, Contract, InputError
from markets.advice.fusion import FusionSettings, Situation, fuse
from parity.live_replay.decision_log import FUSION_NUMBERS, LiveLog

NS_PER_MINUTE = 60_000_000_000


@dataclass(frozen=True)
class Held:
    """An open trade, or none: side 0. Prices are ticks, ``entry_bar`` is the number of the bar."""

    side: int = 0
    entry: int = 0
    stop: int = 0
    target: int = 0
    entry_bar: int = 0
    trailing: bool = False


@dataclass(frozen=True)
class Seen:
    """Observations and decisions on K bars: see :class:`parity.live_replay.decision_log.LiveLog`."""

    observed: NDArray[np.float32]
    mask: NDArray[np.bool_]
    logits: NDArray[np.float64]
    action: NDArray[np.int64]


def open_bundle(folder: Path, log: LiveLog) -> tuple[Policy, Contract, FusionSettings | None]:
    """Return the policy that made a log, what it trades, and what its decisions are fused with.

    Raises:
        InputError: there is no bundle, or it is not the log's.
    """
    manifest = read_manifest(folder)
    fusion = FusionSettings.from_dict(manifest["fusion"]) if "fusion" in manifest else None
    path = folder / POLICY
    policy, _ = load_network(path)
    digest = file_digest(path)
    if digest != manifest["files"].get(POLICY):
        raise InputError(f"{path}: not the file that {MANIFEST} was written for; copy the bundle again")
    if digest != log.header["policy_sha256"]:
        raise InputError(
            f"{log.path}: made by another policy than {path} (SHA-256 "
            f"{log.header['policy_sha256'][:12]} and {digest[:12]}); give the strategy's own bundle "
            "with --bundle"
        )
    try:
        contract = Contract(**manifest["contract"])
    except TypeError as error:
        raise InputError(
            f"{folder}: its contract is not one ({error}); export the policy anew"
        ) from None
    stated = {
        "symbol": contract.symbol,
        "phase": policy.config.phase,
        "session": policy.config.session,
        "window": policy.config.window_size,
        "contracts": policy.config.account.contracts,
    }
    for name, value in stated.items():
        if log.header[name] != value:
            raise InputError(
                f"{log.path}: its {name} is {log.header[name]!r} and the bundle's {value!r}; give the "
                "strategy's own bundle with --bundle"
            )
    if log.fusion != _spoken(fusion):
        raise InputError(
            f"{log.path}: its decisions are {_words(log.fusion)} and the bundle's are "
            f"{_words(_spoken(fusion))}; give the strategy's own bundle with --bundle"
        )
    return policy, contract, fusion


def _spoken(fusion: FusionSettings | None) -> tuple[str, tuple[float, ...]] | None:
    """Return settings as a log's header tells them."""
    if fusion is None:
        return None
    return fusion.rule, tuple(float(np.float32(getattr(fusion, name))) for name in FUSION_NUMBERS)


def _words(fusion: tuple[str, tuple[float, ...]] | None) -> str:
    if fusion is None:
        return "a bare policy's"
    rule, numbers = fusion
    told = (f"{name} {x:g}" for name, x in zip(FUSION_NUMBERS, numbers, strict=True))
    return f"fused ({rule}: {', '.join(told)})"


def cut(bars: Bars, log: LiveLog, policy: Policy) -> tuple[Bars, str | None]:
    """Return a file's bars from a log's first to its last, and the time of the first that live had not.

    The bars end before such a one.

    Raises:
        InputError: the file lacks a bar of the log.
    """
    session = bars.session(policy.config.session)
    have = session.timestamps_ns
    lacking = log.time_ns[~np.isin(log.time_ns, have)]
    if len(lacking):
        raise InputError(
            f"{bars.source}: no bar at {_utc(lacking[0])}, which the log has ({len(lacking)} of its "
            f"{len(log)} are missing); give a file that covers {_utc(log.time_ns[0])} to "
            f"{_utc(log.time_ns[-1])}, with its zone in --tz if its times carry none"
        )
    within = (have >= log.time_ns[0]) & (have <= log.time_ns[-1])
    more = have[within & ~np.isin(have, log.time_ns)]
    if len(more):
        within &= have < more[0]
    return session.select(within), _utc(more[0]) if len(more) else None


class Offline:
    """The port on T bars of a file.

    Attributes:
        bars: float64 (T, 5): open, high, low, close (points) and volume.
        features: float64 (T, 11).
        minute: int64 (T,), in New York.
        close: int64 (T,) ticks.
        distances: int64 (T, 3) ticks: stop, target, trail.
        opened: int64 (T,), minutes since 1970.
    """

    def __init__(self, policy: Policy, bars: Bars, fusion: FusionSettings | None = None) -> None:
        self.policy, self.config, self.fusion = policy, policy.config, fusion
        self.opened = bars.timestamps_ns // NS_PER_MINUTE
        self.contract = bars.contract
        self.bars = bars.frame.to_numpy(np.float64)
        self.features = compute_features(bars)
        ticks = compute_ticks(bars, self.features, self.config)
        self.minute = ticks.minute.astype(np.int64)
        self.close = ticks.close.astype(np.int64)
        self.distances = np.stack([ticks.stop, ticks.target, ticks.trail], axis=1).astype(np.int64)
        market = PreparedMarket(
            features=self.features.astype(np.float32),
            bars=np.stack([*ticks[:-1], ticks.atr.view(np.int32)], axis=1),
            starts=np.zeros(1, np.int32),
            timestamps_ns=bars.timestamps_ns,
            contract=bars.contract,
            source=bars.source,
            digest="",
        )
        self._phase = phase_of(self.config)
        self._params = self._phase.make_params(stack([market]), self.config)
        self._blank = self._phase.reset_at(jnp.int32(0), self._params)

    def __len__(self) -> int:
        return len(self.bars)

    def may_enter(self, t: int) -> bool:
        """Say whether a trade may be opened on a bar."""
        return self.config.entry_open_minute <= int(self.minute[t]) < self.config.entry_close_minute

    def late(self, t: int) -> bool:
        """Say whether everything must be flat on a bar."""
        return int(self.minute[t]) >= self.config.flat_by_minute

    def market_price(self, t: int, side: int) -> int:
        """Return ticks at which a market order on a bar is filled; side 1 buys, -1 sells."""
        return int(self.close[t]) + side * self.contract.slippage_ticks

    def entered(self, t: int, side: int, fill: int | None = None) -> Held:
        """Return the trade that is opened on a bar, at the rules' own price or at a fill in ticks."""
        after = _enter(self._state(t, Held()), self._params, np.int32(side))
        moved = 0 if fill is None else fill - int(after.entry_price)
        prices = after.entry_price, after.sl_price, after.tp_price
        entry, stop, target = (int(price) + moved for price in prices)
        return Held(side, entry, stop, target, entry_bar=t)

    def exit_price(self, t: int, held: Held) -> tuple[str, int] | None:
        """Return why and at how many ticks an earlier bar's trade is closed within a bar, or None."""
        stopped, reached = _exit(self._state(t, held), self._params)
        if stopped:
            return "stop", held.stop
        return ("target", held.target) if reached else None

    def managed(self, t: int, held: Held, action: int) -> Held:
        """Return an open trade after an action at a bar's close."""
        if self.config.phase == 1 or not held.side:
            return held
        after = _manage(self._state(t, held), self._params, np.int32(action))
        return replace(held, stop=int(after.sl_price), trailing=bool(after.trailing))

    def see(self, rows: NDArray[np.int64], held: list[Held], log: LiveLog) -> Seen:
        """Return what is seen and decided on bars, with the position and the advice at each."""

        def column(name: str, dtype: Any = np.int32) -> NDArray[Any]:
            return np.array([getattr(trade, name) for trade in held], dtype)

        batch: Any = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (len(rows),)), self._blank)
        batch = _filled(batch, rows.astype(np.int32), column)
        obs = np.asarray(_look(self._phase.observe, batch, self._params))
        mask = np.asarray(_look(self._phase.action_masks, batch, self._params))
        stages = in_float64(self.policy, obs, mask)
        position = obs[:, -self._phase.position_features :]
        logits, action = stages["action_head"], stages["action"].astype(np.int64)
        if self.fusion is not None:
            action = self._fused(self.fusion, rows, logits, mask, log)
        return Seen(position, mask, logits, action)

    def _fused(
        self,
        fusion: FusionSettings,
        rows: NDArray[np.int64],
        logits: NDArray[np.float64],
        mask: NDArray[np.bool_],
        log: LiveLog,
    ) -> NDArray[np.int64]:
        """Return the fused actions on bars, with the advice that a log tells of and its age."""
        asked = log.asked[rows]
        age = self.opened[rows] - asked - 1
        left = fusion.freshness()
        known = (asked >= 0) & (age >= 0) & (age <= fusion.most_age)
        fresh = np.where(known, left[np.clip(age, 0, fusion.most_age)], np.float32(0))
        count = len(rows)
        given = Situation(
            logits,
            mask,
            log.advice[rows],
            log.confidence[rows],
            fresh,
            np.zeros(count, np.int32),
            np.ones(count, np.float32),
        )
        return fuse(given, fusion).action.astype(np.int64)

    def _state(self, t: int, held: Held) -> Any:
        return _filled(
            self._blank, np.int32(t), lambda name, dtype=np.int32: dtype(getattr(held, name))
        )


def _filled(state: Any, step_idx: Any, column: Any) -> Any:
    """Return a state, or a batch of them, on given bars and with given positions."""
    more = {"trailing": column("trailing", np.bool_)} if hasattr(state, "trailing") else {}
    return replace(
        state,
        step_idx=step_idx,
        position=column("side"),
        entry_price=column("entry"),
        sl_price=column("stop"),
        tp_price=column("target"),
        position_entry_step=column("entry_bar"),
        **more,
    )


@partial(jax.jit, static_argnums=0)
def _look(look: Any, states: Any, params: Any) -> jax.Array:
    return jax.vmap(look, in_axes=(0, None))(states, params)


@jax.jit
def _enter(state: Any, params: Any, side: jax.Array) -> Any:
    return enter(state, params, bar_at(params, state.step_idx), side)


@jax.jit
def _exit(state: Any, params: Any) -> Any:
    return find_exit(state, bar_at(params, state.step_idx))


@jax.jit
def _manage(state: Any, params: Any, action: jax.Array) -> Any:
    return phase2.manage(state, params, bar_at(params, state.step_idx), action)[0]


def _utc(ns: np.int64) -> str:
    return f"{np.datetime64(int(ns), 'ns').astype('datetime64[s]')}Z"
