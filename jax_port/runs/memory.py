"""Memory that a training takes at the least, from its sizes alone; one that cannot fit is refused.

Counted is what the compiled program cannot do without: weights, Adam's two moments and a gradient of
every agent; one rollout with its advantages, returns and order; one observation of every environment;
the metrics of one call. What XLA plans is more, so what is refused could never have run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import jax

from foundation.memory import require_memory
from jax_port.envs.registry import phase_of
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import EnvConfig
from markets.bars import FEATURES

FLOAT = 4
COPIES = 4
"""Of the weights: themselves, Adam's two moments, a gradient."""
STATE = 64
"""Bytes of an environment's state, at the least."""
METRICS = 100
"""Bytes of the metrics of one update of one agent, at the least."""


def require_training_memory(
    settings: TrainSettings, config: EnvConfig, agents: int, updates_per_call: int, columns: int = 0
) -> None:
    """Refuse a training that needs more memory than each of its devices has.

    Args:
        settings, config, agents, updates_per_call: of the training.
        columns: that advice adds to the features of a bar.

    Raises:
        InputError: names the estimate, the largest part, and the options to lower.
    """
    parts = training_bytes(settings, config, agents, updates_per_call, columns, _memories())
    also = ", or train fewer agents (--seeds, or rows of --agents)" if agents > 1 else ""
    lower = {
        "weights": f"--pi and --vf{also}",
        "the rollout": f"--envs or --n-steps{also}",
        "environments": f"--envs{also}",
        "metrics": f"--updates-per-call{also}",
    }
    require_memory("this training", parts, lower, _device_memory())


def training_bytes(
    settings: TrainSettings,
    config: EnvConfig,
    agents: int,
    updates_per_call: int,
    columns: int = 0,
    memories: int = 1,
) -> Mapping[str, float]:
    """Return the least bytes of each part of a training in one device's memory, of all agents together.

    Environments are split over devices; so is the rollout where each device orders its own transitions.

    Args:
        settings, config, agents, updates_per_call: of the training.
        columns: that advice adds to the features of a bar.
        memories: of devices, that it is split over.
    """
    phase = phase_of(config)
    observation = config.window_size * (len(FEATURES) + columns) + phase.position_features
    weights = (
        _weights(settings.network, observation, phase.num_actions)
        if settings.own is None
        else settings.own.count(observation, phase.num_actions)
    )
    # A transition: bar, position, mask, action, log-probability, value, reward, start; then its
    # advantage, return and place in the order.
    transition = 4 * FLOAT + phase.position_features * FLOAT + phase.num_actions + 2 + 3 * FLOAT
    shares = memories if settings.order_groups > 1 else 1
    return {
        "weights": float(agents * COPIES * FLOAT * weights),
        "the rollout": float(agents * settings.rollout_size * transition) / shares,
        "environments": float(agents * settings.n_envs * (STATE + FLOAT * observation)) / memories,
        "metrics": float(agents * updates_per_call * METRICS),
    }


def _weights(sizes: NetworkSpec, observation: int, actions: int) -> int:
    return sum(
        (one + 1) * other
        for hidden, outputs in ((sizes.pi, actions), (sizes.vf, 1))
        for one, other in itertools.pairwise((observation, *hidden, outputs))
    )


def _memories() -> int:
    """Return how many memories JAX's devices have: CPU devices of one process have one."""
    return jax.process_count() if jax.devices()[0].platform == "cpu" else jax.device_count()


def _device_memory() -> int | None:
    """Return the bytes of JAX's default device; None where it is the machine's own memory."""
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    return int(stats["bytes_limit"]) if stats and "bytes_limit" in stats else None
