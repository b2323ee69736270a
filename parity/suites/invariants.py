"""Invariants that must hold on each side by itself.

Source: section 7 of ``docs/environment.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from markets import Contract, EnvConfig
from markets.config import dollars_to_cents
from parity.engine.compare import Comparison
from parity.engine.pair import Case, Fields, Pair
from parity.engine.record import Recording, record_cases
from parity.engine.replay import Replay, Shape, replay, shape_of
from parity.engine.verify import CheckResult, Mismatch, compare_fields, shifted
from parity.pairs.trading import FLAGS

Broken = dict[str, NDArray[np.bool_]]


def account(before: Fields, after: Fields, config: EnvConfig, contract: Contract) -> Broken:
    """Return where the account's invariants are broken.

    Args:
        before, after: fields of shape (N, L), from the recording or the replay.
        config, contract: what the account is kept by.

    Returns:
        By invariant, bool (N, L), True where it is broken.
    """
    initial = dollars_to_cents("initial_balance_dollars", config.account.initial_balance_dollars)
    lock = dollars_to_cents("floor_lock_dollars", config.account.floor_lock_dollars)
    entry_side = contract.commission_cents * config.account.contracts
    is_open = after["position"] != 0
    total = after["winning_trades"] + after["losing_trades"] + is_open
    same_trade = (
        is_open
        & (before["position"] == after["position"])
        & (before["position_entry_step"] == after["position_entry_step"])
    )
    moved = (after["sl_price"] - before["sl_price"]) * after["position"]
    numbers = np.stack([np.isfinite(after["reward"]), np.isfinite(after["obs"]).all(-1)]).all(0)
    flags = {f"{name} only while open": after[name] & ~is_open for name in FLAGS if name in after}
    return {
        **flags,
        "balance = initial + total_pnl - entry commission": (
            after["balance"] != initial + after["total_pnl"] - is_open * entry_side
        ),
        "num_trades = winning + losing + open": after["num_trades"] != total,
        "a terminated episode ends flat": after["terminated"] & is_open,
        "the floor never falls": after["trailing_dd_level"] < before["trailing_dd_level"],
        "the floor never exceeds its lock": after["trailing_dd_level"] > initial + lock,
        "an open trade's stop never moves against it": same_trade & (moved < 0),
        "no number is NaN or infinite": ~numbers,
        "time moves one bar": after["step_idx"] != before["step_idx"] + 1,
        "hold is always allowed": ~after["masks"][..., 0],
    }


def _result(name: str, world: str, broken: Broken, valid: NDArray[np.bool_]) -> CheckResult:
    """Turn broken invariants into a check result; the statistics take the place of fields."""
    result = CheckResult(name, world, int(valid.sum()))
    for text, where in broken.items():
        bad = where & valid
        result.fields[text] = Comparison("holds", int(valid.sum()), int(bad.sum()))
        if bad.any() and result.first is None:
            lane, step = (int(i) for i in np.argwhere(bad)[0])
            result.first = Mismatch(lane, step, text, (), 1.0, 0.0)
    return result


def check_account(
    recording: Recording, played: Replay, world: str, config: EnvConfig, contract: Contract
) -> list[CheckResult]:
    """Check the account's invariants on both sides of a replay."""
    results = []
    for side, before, after in (
        ("reference", recording.before, recording.after),
        ("port", played.before, played.after),
    ):
        broken = account(shifted(before, after), after, config, contract)
        results.append(_result(f"invariants, {side}", world, broken, recording.valid))
    return results


INDIFFERENT = ("reward", "forbidden")
"""Outcomes that a forbidden action may change."""


def check_forbidden(
    pair: Pair,
    cases: Sequence[Case],
    recording: Recording,
    played: Replay,
    most: int = 2000,
    shape: Shape | None = None,
) -> list[CheckResult]:
    """Check that a forbidden action changes nothing that hold would have done, reward aside.

    Args:
        pair: the pair.
        cases: generated cases.
        recording, played: of these cases, both sides.
        most: how many forbidden cases to repeat with hold.
        shape: of the program, see :func:`parity.engine.replay.replay`; by default the cases' own.
    """
    lanes = np.flatnonzero(recording.after["forbidden"][:, 0])[:most]
    if not len(lanes):
        return []
    held = record_cases(pair, [replace(cases[lane], action=0) for lane in lanes])
    again = replay(pair, held, shape=shape or shape_of(recording))
    every = np.ones((len(lanes), 1), bool)
    results = []
    for side, forbidden, hold in (
        ("reference", recording.after, held.after),
        ("port", played.after, again.after),
    ):
        names = [name for name in forbidden if name not in INDIFFERENT]
        stats, firsts = compare_fields(
            pair.rules,
            {name: hold[name][: len(lanes)] for name in names},
            {name: forbidden[name][lanes] for name in names},
            every,
        )
        name, world = f"forbidden is hold, {side}", pair.worlds[cases[0].world]
        first = replace(firsts[0], lane=int(lanes[firsts[0].lane])) if firsts else None
        results.append(CheckResult(name, world, len(lanes), stats, first))
    return results
