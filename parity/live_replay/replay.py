"""Live replay: the first bar, and the stage, at which a decision log and the port disagree.

Offline is the port on the bars of a file: its features, observation, masks and network in float64. Only
fills are taken from the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jax_port.export.manifest import ACTIONS, POSITION
from jax_port.ppo.policy import Policy
from jax_port.runs.run import made_with
from markets import Bars
from markets.advice.fusion import FusionSettings
from markets.bars import COLUMNS, FEATURES
from parity.engine.compare import Tolerance
from parity.export_chain.comparison import EQUAL, FLOAT32, StageComparison
from parity.export_chain.comparison import FEATURE as FEATURE_LIMIT
from parity.export_chain.market import OBSERVED
from parity.live_replay import fills as live_fills
from parity.live_replay.decision_log import DISTANCES, HELD, LiveLog, NothingDecidedError
from parity.live_replay.fills import Difference, Followed, follow
from parity.live_replay.offline import Held, Offline, Seen, cut
from parity.live_replay.quality import account_fills, fill_costs, fill_quality, modes_of

GIVEN = Tolerance(0.0, 1e-12)
"""Prices of bars: a host may compute 6500.1 in another way than a file spells it."""

Numbers = NDArray[Any]
Stage = tuple[int, str, Tolerance, Sequence[str], Numbers, Numbers, Numbers]
"""Place in the causal order, name, limit, names of values, rows, and what live and offline have."""


def replay_log(
    log: LiveLog,
    bars: Bars,
    policy: Policy,
    fill_ticks: float = 0.0,
    fusion: FusionSettings | None = None,
) -> dict[str, Any]:
    """Return a report, ready for JSON; its "verdict" is "same" or "different".

    Args:
        log: what live saw and did.
        bars: a file of the same market, before its session is cut; its contract is the bundle's.
        policy: of the log's bundle, from :func:`parity.live_replay.offline.open_bundle`.
        fill_ticks: how many ticks a fill may lie from the rules' own price.
        fusion: of the bundle; the advice is the log's.

    Raises:
        NothingDecidedError: the strategy has decided nothing.
        InputError: log and bars don't belong together.
    """
    kept, unseen = cut(bars, log, policy)
    offline = Offline(policy, kept, fusion)
    followed = follow(log, offline, fill_ticks)
    rows = np.flatnonzero(log.decided[: len(offline)])
    seen = offline.see(rows, [followed.held[row] for row in rows], log) if len(rows) else None
    stages = _stages(log, offline, followed, rows, seen)
    differences = [*followed.differences, *filter(None, map(_first, stages))]
    if unseen is not None:
        differences.append(
            Difference(len(offline), live_fills.BAR, "bar", "bar", "none", f"one at {unseen}")
        )
    differences.sort(key=lambda difference: (difference.bar, difference.order))
    first = differences[0] if differences else None
    if first is None and not len(rows):
        raise NothingDecidedError(
            f"{log.path}: the strategy has decided nothing in its {len(log)} bars, so there is nothing "
            "to compare; give a log of a later time"
        )
    other = next((one for one in differences if one.stage != "fill" and not one.given_up), None)
    end = len(offline) if other is None else other.bar
    before = differences if other is None else differences[: differences.index(other)]
    given_up = Counter(one.live for one in before if one.given_up)
    fills = [fill for fill in followed.fills if fill.bar < end]
    filled, contract = account_fills(fills, offline.minute), offline.contract
    tick_dollars = contract.tick_value_cents / 100
    ticks = [fill.apart for fill in fills]
    return {
        "verdict": "same" if first is None else "different",
        "first": _told(first, log),
        "first_beside_fills": _told(other, log),
        "compared": {
            "bars": end,
            "decisions": int((rows < end).sum()),
            "fills": len(ticks),
        },
        "largest": {stage[1]: _largest(stage, end) for stage in stages if stage[2] is not EQUAL},
        "fills": {
            "differ": sum(one.stage == "fill" for one in before),
            "price_apart": sum(x > 0 for x in ticks),
            "largest_ticks": max(ticks, default=0.0),
            "allowed_ticks": fill_ticks,
        },
        "given_up": {why: given_up[why] for why in live_fills.GIVEN_UP if given_up[why]},
        "modes": modes_of(log),
        "account_fills": filled,
        "live_fills": fill_quality(filled),
        "fill_costs": fill_costs(filled, tick_dollars, contract.slippage_ticks),
        "log": {
            "file": log.path.name,
            "last_line_cut_off": log.torn,
            "bars": len(log),
            "decisions": int(log.decided.sum()),
            "fusion": None if fusion is None else fusion.to_dict(),
            "with_advice": int((log.decided & (log.asked >= 0)).sum()),
            **{name: log.header[name] for name in ("symbol", "phase", "policy_sha256", "contracts")},
        },
        "data": {"source": bars.source, "sha256": bars.digest},
        "made": made_with(),
    }


def _stages(
    log: LiveLog, offline: Offline, followed: Followed, rows: Numbers, seen: Seen | None
) -> list[Stage]:
    """Return what is compared, but for fills."""
    size = len(offline)
    every = np.arange(size)
    position, actions = len(log.header["position"]), len(log.header["actions"])

    def whole(held: Held) -> list[int]:
        return [int(getattr(held, name)) for name in HELD]

    held = np.array([whole(trade) for trade in followed.held], np.int64).reshape(size, len(HELD))
    at = live_fills
    minutes = log.minute[:size, None], offline.minute[:, None]
    features = log.features[:size], offline.features
    stages: list[Stage] = [
        (at.BAR, "bar", GIVEN, COLUMNS, every, log.ohlcv[:size], offline.bars),
        (at.BAR, "bar", EQUAL, ("minute",), every, *minutes),
        (at.FEATURE, "feature", FEATURE_LIMIT, FEATURES, every, *features),
        (at.FEATURE, "feature", EQUAL, DISTANCES, every, log.distances[:size], offline.distances),
        (at.OBSERVATION, "observation", EQUAL, HELD, every, log.held[:size], held),
    ]
    if seen is not None:
        names = ACTIONS[:actions]
        observed = log.observed[rows], seen.observed
        taken = log.action[rows, None], seen.action[:, None]
        early = (log.asked[rows] < offline.opened[rows])[:, None]
        stages += [
            (at.OBSERVATION, "observation", OBSERVED, POSITION[:position], rows, *observed),
            (at.MASK, "mask", EQUAL, names, rows, log.mask[rows], seen.mask),
            (at.LOGITS, "logits", FLOAT32, names, rows, log.logits[rows], seen.logits),
            (at.ADVICE, "advice", EQUAL, ("asked before",), rows, early, np.ones_like(early)),
            (at.ACTION, "action", EQUAL, ("action",), rows, *taken),
        ]
    return stages


def _compare(stage: Stage, end: int) -> StageComparison:
    """Compare a stage's rows before a bar; where neither side has a number, they agree."""
    _, name, limit, _, rows, live, offline = stage
    few = rows < end
    sides = [side[few].astype(np.float64) for side in (offline, live)]
    neither = np.isnan(sides[0]) & np.isnan(sides[1])
    values = [np.where(neither, 0.0, side) for side in sides]
    return StageComparison.of("replay", name, limit).update(*values)


def _largest(stage: Stage, end: int) -> float:
    return _compare(stage, end).max_abs


def _first(stage: Stage) -> Difference | None:
    """Return a stage's first value that is too far off."""
    order, name, limit, names, rows, live, offline = stage
    first = _compare(stage, int(1e18)).first
    if not first:
        return None
    row, (column,) = first["row"], first["place"]
    one, other = live[row, column], offline[row, column]
    if name == "action":
        one, other = (ACTIONS[int(x)] for x in (one, other))
        return Difference(int(rows[row]), order, name, "action", one, other)
    kind = bool if name == "mask" else int if limit is EQUAL else float
    apart = abs(float(one) - float(other))
    allowed = float(limit.allowed(np.abs(np.array(float(other)))))
    return Difference(
        int(rows[row]), order, name, names[column], kind(one), kind(other), apart, allowed
    )


def _told(found: Difference | None, log: LiveLog) -> dict[str, Any] | None:
    """Return a difference as plain values, with the time of its bar."""
    if found is None:
        return None
    values = asdict(found)
    values.pop("order")
    time = None
    if found.bar < len(log):
        time = f"{np.datetime64(int(log.time_ns[found.bar]), 'ns').astype('datetime64[s]')}Z"
    for name in ("live", "offline", "apart"):
        if isinstance(values[name], float) and not np.isfinite(values[name]):
            values[name] = None
    return {**values, "time": time}


def words(found: dict[str, Any]) -> str:
    """Say in one sentence where live and offline disagree."""
    live, offline = (_spelt(found[name]) for name in ("live", "offline"))
    apart = ""
    if found["apart"] is not None and not isinstance(found["live"], bool):
        apart = f" ({found['apart']:.6g} apart, {found['allowed']:.3g} allowed)"
    return (
        f"bar {found['time']}, number {found['bar']}: {found['stage']}, {found['name']}: "
        f"live has {live}, offline {offline}{apart}"
    )


def advice_words(log: Mapping[str, Any]) -> str:
    """Say what decisions are fused with, and how many had an answer; "" for those of a bare policy.

    Args:
        log: of a report, also of several logs together.
    """
    fusions = log["fusion"] if isinstance(log["fusion"], list) else [log["fusion"]]
    if fusions == [None]:
        return ""
    rules = sorted({"none" if one is None else one["rule"] for one in fusions})
    return (
        f"fused with advice (rule {' or '.join(rules)}): {log['with_advice']:,} decisions had an "
        f"answer of the service, {log['decisions'] - log['with_advice']:,} had none"
    )


def _spelt(value: Any) -> str:
    if value is None:
        return "no number"
    return repr(value) if isinstance(value, float) else str(value)
