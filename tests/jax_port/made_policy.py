"""A policy that trades, for tests: random weights, an action head that takes sides, real statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.data.data_loader import PreparedMarket
from jax_port.envs.registry import phase_of
from jax_port.ppo.policy import Policy, make_network
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig

SPEC = NetworkSpec((16, 16), (8,))

OTHER: dict[str, Any] = {
    "window_size": 3,
    "warmup_bars": 31,
    "session": "all",
    "sl_atr_mult": 1.25,
    "tp_sl_ratio": 2.5,
    "trail_atr_mult": 0.75,
    "entry_open_minute": 601,
    "entry_close_minute": 933,
    "flat_by_minute": 1003,
    "max_episode_bars": 77,
    "initial_balance_dollars": 12_345.67,
    "trailing_drawdown_dollars": 2_222.25,
    "floor_lock_dollars": -33.5,
    "contracts": 7,
    "hold_penalty": -0.03,
    "patience_reward": 0.002,
    "pnl_divisor_dollars": 50.0,
    "violation_penalty": -7.0,
    "invalid_action_penalty": -0.5,
    "trail_win_bonus": 0.25,
}
"""A value of every rule that is neither phase's default."""


def make_policy(
    market: PreparedMarket,
    config: EnvConfig,
    *,
    seed: int = 0,
    spread: float = 1.0,
    spec: NetworkSpec | None = None,
    **about: object,
) -> Policy:
    """Return a policy with normal weights and logits about ``spread`` apart; NumPy compiles nothing."""
    phase = phase_of(config)
    size = config.window_size * market.features.shape[1] + phase.position_features
    rng = np.random.default_rng(seed)

    def fill(leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        scale = (2 / leaf.shape[0]) ** 0.5 if leaf.ndim == 2 else 0.0
        return (scale * rng.normal(size=leaf.shape)).astype(np.float32)

    network = make_network(spec or SPEC, num_actions=phase.num_actions)
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros(size))
    params = jax.tree.map(fill, shapes)
    params["params"]["action_head"]["kernel"] *= np.float32(spread)
    bars = market.features[config.warmup_bars :].astype(np.float64)
    flags = [0.5] * (phase.position_features - 5)
    position = ([0.0, 1.0, 0.0, 0.0, 0.0, *flags], [1.0, 1e-6, 4.0, 40.0, 0.1, *flags])
    mean, var = (
        np.concatenate([np.tile(of_bars, config.window_size), of_position])
        for of_bars, of_position in zip((bars.mean(0), bars.var(0)), position, strict=True)
    )
    statistics = {"mean": mean, "var": var, "count": np.array(1000.0)}
    return Policy(spec or SPEC, params, statistics, config, about)


def one_action_policy(market: PreparedMarket, config: EnvConfig, action: int) -> Policy:
    """Return a policy that wants the same action at every bar, whatever it sees."""
    policy = make_policy(market, config, spread=0.0)
    policy.params["params"]["action_head"]["bias"][action] = 1.0
    return policy


MOST_LIVE = [
    ("contracts", 100, 101),
    ("sl_atr_mult", 100.0, 100.5),
    ("tp_sl_ratio", 100.0, 100.5),
    ("trail_atr_mult", 100.0, 100.5),
    ("flat_by_minute", 1439, 1440),
]
"""Of each rule that a live strategy bounds, the most that it takes, and a value beyond."""


def drawn_layers(
    names: Mapping[str, Sequence[str]], sizes: Mapping[str, Sequence[int]], rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """Return float32 kernels and biases of every layer of some MLPs, normally distributed.

    Args:
        names: of each MLP's layers.
        sizes: of each MLP's input and layers.
        rng: what draws them.
    """
    return {
        name: {
            "kernel": rng.normal(size=(one, other)).astype(np.float32),
            "bias": rng.normal(size=other).astype(np.float32),
        }
        for part in sizes
        for name, (one, other) in zip(names[part], pairwise(sizes[part]), strict=True)
    }
