"""A network of the user's own put in its place: as the project's, where it computes the same."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from foundation.errors import InputError
from jax_port.envs.registry import phase_of
from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.own.structure import as_mlps
from jax_port.ppo.policy import Policy, save_policy
from jax_port.ppo.running_statistics import init_moments
from jax_port.ppo.settings import TrainSettings
from jax_port.runs.plan import DRAWN
from markets import EnvConfig
from markets.bars import FEATURES

SHAPES = ("pi", "vf", "activation", "network")


def refuse_shapes(given: dict[str, object]) -> None:
    """Refuse settings of the project's network beside a network of the user's own.

    Raises:
        InputError: naming the setting.
    """
    if both := sorted(set(SHAPES) & set(given)):
        raise InputError(f"{both[0]} and network are both given; the network has its own sizes")


def placed(
    own: OwnNetwork, config: EnvConfig, settings: TrainSettings, drawn: Path
) -> tuple[TrainSettings, Path | None]:
    """Return settings with the network in its place, and a file of first weights if one is needed.

    One that computes what MaskablePPO's MLPs compute is trained as the project's network of that
    shape, from weights that its own initialisers draw: certificates cover it, and it can be exported.
    Any other is trained as it is, which no certificate covers.

    Args:
        own: the network.
        config: the environment's rules.
        settings: of the training.
        drawn: where to write first weights.

    Raises:
        InputError: the network is not fit to be trained on this environment.
    """
    phase = phase_of(config)
    size = config.window_size * len(FEATURES) + phase.position_features
    mlps = as_mlps(own, size, phase.num_actions)
    if mlps is None:
        return settings.override(own=own), None
    obs = jnp.zeros((1, size), jnp.float32)
    weights = mlps.weights(own.init(jax.random.key(settings.seed), obs))
    moments = init_moments((size,))
    statistics = {
        name: np.asarray(getattr(moments, name), np.float64) for name in ("mean", "var", "count")
    }
    save_policy(drawn, Policy(mlps.spec, weights, statistics, config, {DRAWN: True, "from": own.name}))
    return settings.override(network=mlps.spec), drawn
