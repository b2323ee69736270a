"""Golden values and C# features, from raw bars to observation, against the reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jax_port.export.golden import GOLDEN
from jax_port.export.golden_file import Golden, GoldenCase, read_golden
from jax_port.export.stages import in_float64, lead
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import CLIP
from legacy_torch.features import add_features
from legacy_torch.phases import ENVIRONMENTS
from markets import Bars, Contract, InputError
from markets.bars import COLUMNS, FEATURES
from parity.engine.compare import Tolerance
from parity.export_chain.comparison import EQUAL, FEATURE, FLOAT64, Board
from parity.export_chain.csharp import Checker
from parity.export_chain.day import DISTANCES
from parity.export_chain.decisions import NEAR_TIE

GOLDEN_HOP = "golden.json against the reference"
CSHARP_HOP = "C# from raw bars"
DAY_HOP = "C# over a whole day of bars"
MEASURED = {"features": "features", "observation": "cases", "logits": "cases", "far_logits": "far"}
"""What the checker measures, and what it counts of each."""
FROM_BARS = Tolerance(1e-6, 1e-6)
OBSERVED = Tolerance(1e-9, 4 * 2.0**-23)
"""Observations are float32: a few units in the last place."""


def compare_golden(board: Board, folder: Path, policy: Policy, contract: Contract) -> dict[str, int]:
    """Follow golden.json's episodes in the reference's environment and compare all that it states.

    Returns:
        How many bars, features, decisions and cases it holds.
    """
    golden = read_golden(folder, policy)
    bars = golden_bars(golden, contract)
    session_bars = bars.session(policy.config.session)
    table = add_features(session_bars.frame, contract.tick_size, policy.config)
    stated = golden.features
    at = session_bars.frame.index.get_indexer(_index([entry.time for entry in stated]))
    if (at < 0).any():
        raise InputError(
            f"{folder / GOLDEN}: features[{int(np.argmin(at))}] is of a bar outside the session; "
            "export the policy anew"
        )
    values = np.array([entry.values for entry in stated])
    for number, name in enumerate(FEATURES):
        theirs = table[name].to_numpy(np.float64)[at]
        board.at(GOLDEN_HOP, f"features: {name}", FEATURE).update(theirs, values[:, number])
    for name in DISTANCES:
        board.at(GOLDEN_HOP, name).update(
            table[name].to_numpy()[at], np.array([getattr(entry, name) for entry in stated])
        )
    _follow(board, golden, policy, bars)
    return {
        "bars": len(bars),
        "features": len(stated),
        "decisions": sum(len(episode) for episode in golden.episodes),
        "cases": len(golden.cases),
    }


def golden_bars(golden: Golden, contract: Contract) -> Bars:
    """Return the raw bars of golden values.

    Raises:
        InputError: they can't be bars of the contract.
    """
    columns = {name: np.array(getattr(golden.bars, name)) for name in COLUMNS}
    frame = pd.DataFrame(columns, index=_index(golden.bars.time))
    return Bars.from_frame(frame, contract, source=GOLDEN)


def _index(seconds: list[int]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(np.array(seconds, np.int64) * 1_000_000_000, tz="UTC", name="timestamp")


def _follow(board: Board, golden: Golden, policy: Policy, bars: Bars) -> None:
    """Step the reference with what was taken; compare observations, masks, fills, logits, actions."""
    env = ENVIRONMENTS[policy.config.phase](bars, policy.config)
    cases = {(case.episode, case.step): case for case in golden.cases}
    decisions: list[tuple[Any, Any, GoldenCase]] = []
    entries, entry_sides, closings, times, ends = [], [], [], [], []
    every: list[tuple[Any, Any, int]] = []
    for number, episode in enumerate(golden.episodes):
        start = env.df.index.get_indexer(_index([episode[0].time]))[0]
        obs, _ = env.reset(options={"start_index": int(start)})
        for place, step in enumerate(episode):
            mask, trades, closed = env.action_masks(), env.num_trades, len(env.trade_history)
            times.append((int(env.bars.timestamps_ns[env.step_idx]) // 1_000_000_000, step.time))
            every.append((obs, mask, step.wanted))
            if (number, place) in cases:
                decisions.append((obs, mask, cases[number, place]))
            obs, _, terminated, truncated, _ = env.step(step.taken)
            over = terminated or truncated
            ends.append((over, place == len(episode) - 1))
            opened = env.num_trades > trades
            filled = env.entry_price or (env.trade_history[-1]["entry_price"] if opened else 0.0)
            price = 0.0 if step.entered is None else step.entered.price
            entries.append((filled if opened else 0.0, price))
            side = (1 if step.taken == 1 else -1) if opened else 0
            entry_sides.append((side, 0 if step.entered is None else step.entered.side))
            closings.append((len(env.trade_history) > closed, step.exited))
            if over:  # whatever is said to follow was not followed, and says so by its end
                break
    for name, pairs in (
        ("times of steps", times),
        ("ends of episodes", ends),
        ("entries", entries),
        ("sides of entries", entry_sides),
        ("exits", closings),
    ):
        board.at(GOLDEN_HOP, name).update(*np.array(pairs, np.float64).T)
    _compare_wanted(board, policy, every)
    if len(decisions) < len(golden.cases):  # some are of steps that no episode has
        board.at(GOLDEN_HOP, "observation", OBSERVED).update(np.zeros(len(golden.cases)), np.zeros(0))
        return
    theirs = np.array([obs for obs, _, _ in decisions])
    stated = np.array([case.observation for *_, case in decisions], np.float32)
    masks = np.array([case.mask for *_, case in decisions])
    board.at(GOLDEN_HOP, "observation", OBSERVED).update(theirs, stated)
    board.at(GOLDEN_HOP, "mask").update(np.array([mask for _, mask, _ in decisions]), masks)
    exact = in_float64(policy, stated, masks)
    logits = np.array([case.logits for *_, case in decisions])
    board.at(GOLDEN_HOP, "action_head", FLOAT64).update(exact["action_head"], logits)
    actions = np.array([case.action for *_, case in decisions])
    board.at(GOLDEN_HOP, "action").update(exact["action"], actions)
    far = golden.far
    obs = np.array([case.observation for case in far], np.float32)
    exact = in_float64(policy, obs, np.array([case.mask for case in far]))
    reached = np.abs(exact["clipped"]).max(axis=1)
    beyond = reached > CLIP if policy.statistics is None else reached == CLIP
    board.at(GOLDEN_HOP, "beyond the clip").update(np.ones(len(far), bool), beyond)
    logits = np.array([case.logits for case in far])
    board.at(GOLDEN_HOP, "beyond the clip: action_head", FLOAT64).update(exact["action_head"], logits)
    actions = np.array([case.action for case in far])
    board.at(GOLDEN_HOP, "beyond the clip: action").update(exact["action"], actions)


def _compare_wanted(board: Board, policy: Policy, every: list[tuple[Any, Any, int]]) -> None:
    """Compare what the policy is said to want at every step, near-ties of float32 left out."""
    obs, masks = (np.array(values) for values in list(zip(*every, strict=True))[:2])
    exact = in_float64(policy, obs.astype(np.float32), masks)
    stated = np.array([wanted for *_, wanted in every])
    ties = lead(exact["action_head"], masks) < NEAR_TIE
    board.at(GOLDEN_HOP, "wanted").update(exact["action"], np.where(ties, exact["action"], stated))


def compare_csharp_golden(board: Board, checker: Checker) -> dict[str, Any]:
    """Let the checker go from golden.json's raw bars to actions, and take down what it measured."""
    measurements = checker.golden()
    _take_down(board, CSHARP_HOP, measurements, MEASURED)
    return measurements


def compare_csharp_day(
    board: Board, checker: Checker, bars: Bars, day: dict[str, Any]
) -> dict[str, Any]:
    """Let the checker go through a whole day of raw bars, every bar of it stated.

    Args:
        board: is told every distance.
        checker: of the bundle.
        bars: the market, before its session is cut.
        day: what :func:`parity.export_chain.day.make_day` says of one of its days.

    Returns:
        The day, its bars, decisions, and how many trades were opened.
    """
    measurements = checker.day(bars, day)
    measured = {name: count for name, count in MEASURED.items() if count != "far"}
    _take_down(board, DAY_HOP, measurements, measured)
    stated = {"features": "features", "decisions": "cases"}  # every bar, every step
    for count, name in stated.items():
        board.at(DAY_HOP, f"{count} made").update([len(day[name])], [measurements[count]])
    steps = [step for episode in day["episodes"] for step in episode]
    return {
        "day": day["day"],
        "bars": len(day["features"]),
        "decisions": len(steps),
        "trades": sum("entered" in step for step in steps),
    }


def _take_down(board: Board, hop: str, measurements: dict[str, Any], measured: dict[str, str]) -> None:
    for stage, count in measured.items():
        comparison = board.at(hop, stage, FEATURE if stage == "features" else FROM_BARS)
        comparison.compared = measurements[count]
        comparison.max_abs = measurements.get(f"{stage}_difference", float("inf"))
        comparison.share = measurements.get(f"{stage}_share_of_limit", float("inf"))
        if not comparison.share <= 1:
            comparison.mismatches = comparison.compared
            comparison.first = {
                "expected": "within the limit",
                "found": measurements.get(f"{stage}_first", "nothing"),
            }
    for stage, differ, count in (
        ("distances", "distances_differ", "features"),
        ("mask", "masks_differ", "cases"),
        ("action", "actions_differ", "decisions"),
    ):
        comparison = board.at(hop, stage, EQUAL)
        comparison.compared, comparison.mismatches = measurements[count], measurements[differ]
        comparison.max_abs = float(measurements[differ] > 0)
        comparison.share = float("inf") if measurements[differ] else 0.0  # nothing is allowed there


def compare_stream(board: Board, checker: Checker, policy: Policy, bars: Bars) -> None:
    """Compare the features that C# streams over a whole file with the reference's."""
    session_bars = bars.session(policy.config.session)
    table = add_features(session_bars.frame, bars.contract.tick_size, policy.config)
    measurements = checker.features(bars)
    hop = "C# features over the whole file"
    if len(measurements) != len(table):
        board.at(hop, "bars of the session").update([len(table)], [len(measurements)])
        return
    for number, name in enumerate(FEATURES):
        theirs = table[name].to_numpy(np.float64)
        defined = np.isfinite(theirs)
        board.at(hop, f"{name}: where it is defined").update(
            defined, np.isfinite(measurements[:, number])
        )
        board.at(hop, name, FEATURE).update(theirs[defined], measurements[defined, number])
    for number, name in enumerate(DISTANCES):
        board.at(hop, name).update(table[name].to_numpy(np.float64), measurements[:, 11 + number])
