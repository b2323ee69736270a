"""``golden.json``: raw bars and what the policy makes of them, for any consumer to check itself with.

Bars are synthetic, of every hour, so that a consumer must cut the session itself. Episodes list what
was done and filled at each bar, so that it can follow the position; cases say what it must see and
decide at a few hundred of these steps. Market data rarely reaches the clip, so a few more observations
are made to; where a policy clips nothing, they lie as far out. Prices are points, times UTC bar opens
in seconds since 1970.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.data.features import compute_features, compute_ticks
from jax_port.export.record import Recording, record
from jax_port.export.stages import in_float64
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import CLIP, EPSILON
from markets import SYMBOLS, Bars, Contract
from markets.synthetic.bars import synthetic_bars

GOLDEN = "golden.json"
CASES = 300
"""Steps at which everything is stated."""
FAR = 30
"""Observations with numbers beyond the clip."""
EPISODES = 8
EXPLORE = 0.15
RTH_BARS = 450


def golden_bars(policy: Policy, contract: Contract, seed: int = 1) -> Bars:
    """Return synthetic bars of a contract, nights included, long enough for a few episodes."""
    config = policy.config
    need = config.warmup_bars + config.window_size + config.max_episode_bars
    days = 2 + -(-need // RTH_BARS)
    symbol = contract.symbol if contract.symbol in SYMBOLS else "ES"
    bars = synthetic_bars(symbol, days=days, seed=seed, session="all")
    if bars.contract == contract:
        return bars
    frame = bars.frame.copy()
    prices = ["open", "high", "low", "close"]
    frame[prices] = contract.to_points(bars.contract.to_ticks(frame[prices].to_numpy()))
    return Bars.from_frame(frame, contract, source=f"{bars.source} as {contract.symbol}")


def make_golden(
    policy: Policy, contract: Contract, cases: int = CASES, seed: int = 1
) -> dict[str, Any]:
    """Return golden values, ready for JSON.

    Args:
        policy: what is exported.
        contract: what it trades.
        cases: steps at which everything is stated.
        seed: of bars, exploring and the choice of steps.
    """
    bars = golden_bars(policy, contract, seed)
    market = prepare(bars, policy.config)
    rng = np.random.default_rng(seed)
    count = min(EPISODES, len(market.starts))
    starts = np.unique(np.linspace(0, len(market.starts) - 1, count).astype(np.int64))
    seen = record(policy, market, starts, explore=EXPLORE, seed=seed)
    steps = np.argwhere(seen.alive.T)  # (episode, step), episode by episode
    chosen = steps[np.sort(rng.choice(len(steps), min(cases, len(steps)), replace=False))]
    frame = bars.frame
    return {
        "about": "bars are stamped by their open; a decision at a bar is taken at its close, from the "
        "bars before it and the position at it; logits are computed in 64-bit floats",
        "source": bars.source,
        "bars": {
            "time": (bars.timestamps_ns // 1_000_000_000).tolist(),
            **{name: frame[name].tolist() for name in ("open", "high", "low", "close", "volume")},
        },
        "features": _features(bars, policy, cases, rng),
        "episodes": [_episode(seen, market, number) for number in range(len(starts))],
        "cases": _cases(policy, seen, chosen),
        "far": _far(policy, seen, chosen, rng),
    }


def _features(bars: Bars, policy: Policy, count: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the features of some bars of the session in float64, and their distances in ticks."""
    session = bars.session(policy.config.session)
    wide = compute_features(session)
    ticks = compute_ticks(session, wide, policy.config)
    warm = np.arange(policy.config.warmup_bars, len(session))
    rows = np.sort(rng.choice(warm, min(count, len(warm)), replace=False))
    return [
        {
            "time": int(session.timestamps_ns[row] // 1_000_000_000),
            "values": wide[row].tolist(),
            "stop_ticks": int(ticks.stop[row]),
            "target_ticks": int(ticks.target[row]),
            "trail_ticks": int(ticks.trail[row]),
        }
        for row in rows
    ]


def _episode(seen: Recording, market: PreparedMarket, number: int) -> list[dict[str, Any]]:
    """Return the steps of an episode: time of the bar, what was wanted, taken and filled."""
    points = market.contract.to_points
    steps = []
    for at in np.flatnonzero(seen.alive[:, number]):
        step: dict[str, Any] = {
            "time": int(market.timestamps_ns[seen.row[at, number]] // 1_000_000_000),
            "wanted": int(seen.wanted[at, number]),
            "taken": int(seen.taken[at, number]),
        }
        if seen.entered[at, number]:
            step["entered"] = {
                "side": int(seen.entered[at, number]),
                "price": float(points(seen.entry[at, number])),
            }
        if seen.exited[at, number]:
            step["exited"] = True
        steps.append(step)
    return steps


def _cases(policy: Policy, seen: Recording, chosen: NDArray[np.int64]) -> list[dict[str, Any]]:
    episodes, steps = chosen.T
    stated = _stated(policy, seen.obs[steps, episodes], seen.masks[steps, episodes])
    return [
        {
            **case,
            "episode": int(episodes[n]),
            "step": int(steps[n]),
            "action": int(seen.wanted[steps[n], episodes[n]]),
        }
        for n, case in enumerate(stated)
    ]


def _far(
    policy: Policy, seen: Recording, chosen: NDArray[np.int64], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return observations in which one number in eight lies beyond the clip, and their decisions."""
    apart = np.linspace(0, len(chosen) - 1, min(FAR, len(chosen))).astype(np.int64)  # of all episodes
    episodes, steps = chosen[apart].T
    obs = seen.obs[steps, episodes].astype(np.float64)
    mean, spread = center(policy, obs)
    away = rng.choice([-1.0, 1.0], obs.shape) * rng.uniform(1.1 * CLIP, 3 * CLIP, obs.shape) * spread
    far = np.where(rng.random(obs.shape) < 1 / 8, mean + away, obs)
    return _stated(policy, far.astype(np.float32), seen.masks[steps, episodes])


def center(policy: Policy, obs: NDArray[np.float64]) -> tuple[Any, Any]:
    """Return mean and deviation (D,) of observations: a policy's, or else those of (N, D) at hand."""
    if policy.statistics is None:
        return obs.mean(axis=0), obs.std(axis=0)
    return policy.statistics["mean"], np.sqrt(policy.statistics["var"] + EPSILON)


def _stated(policy: Policy, obs: NDArray[np.float32], masks: NDArray[np.bool_]) -> list[dict[str, Any]]:
    exact = in_float64(policy, obs, masks)
    return [
        {
            "observation": [float(str(x)) for x in obs[n]],  # as few digits as bring the float32 back
            "mask": masks[n].tolist(),
            "logits": exact["action_head"][n].tolist(),
            "action": int(exact["action"][n]),
        }
        for n in range(len(obs))
    ]
