"""A trained policy as one file, and what it decides.

``policy-K.safetensors`` holds agent K's weights by layer name and its observation statistics in
float64; the header's JSON holds the network's shape, the environment's configuration and what the
policy was made from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jax_port.envs.env_phase1_jax import NUM_ACTIONS
from jax_port.envs.registry import phase_of
from jax_port.ppo.networks import ActorCritic, masked_log_probs, mode
from jax_port.ppo.running_statistics import RunningMoments, Scale, normalize, scale_of
from jax_port.ppo.settings import NetworkSpec
from jax_port.ppo.update import Params
from markets import EnvConfig, InputError

FORMAT = 1
_STATISTICS = ("mean", "var", "count")


@dataclass(frozen=True)
class Policy:
    """A network with its weights and the scale of what it sees.

    Attributes:
        spec: shape of the network.
        params: weights, a Flax pytree of float32 arrays.
        statistics: mean (D,), var (D,) and count () of raw observations, float64 NumPy arrays.
        config: rules of the environment it was trained in.
        about: what it was made from: versions, data, settings, seed, certificate.
    """

    spec: NetworkSpec
    params: Params
    statistics: Mapping[str, NDArray[np.float64]]
    config: EnvConfig
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> ActorCritic:
        """The Flax module of the weights, in float32."""
        return make_network(self.spec, num_actions=phase_of(self.config).num_actions)

    @property
    def moments(self) -> RunningMoments:
        """Statistics of raw observations, on the device."""
        with jax.enable_x64(True):
            found = {name: jnp.asarray(self.statistics[name], jnp.float64) for name in _STATISTICS}
        return RunningMoments(**found)

    @property
    def scale(self) -> Scale:
        """What observations are normalised with."""
        return scale_of(self.moments)


def make_network(spec: NetworkSpec, dtype: Any = None, num_actions: int = NUM_ACTIONS) -> ActorCritic:
    """Return the Flax module of a shape; ``dtype`` is that of its matrix products."""
    return ActorCritic(num_actions, spec.pi, spec.vf, spec.activation, dtype)


def decide(
    network: ActorCritic, params: Params, scale: Scale, obs: jax.Array, masks: jax.Array
) -> jax.Array:
    """Return the likeliest allowed action of each raw observation: int32 (N,).

    Args:
        network: from :func:`make_network`.
        params: its weights.
        scale: of the observations.
        obs: float32 (N, D), as the environment gives them.
        masks: bool (N, A).
    """
    logits: Any = network.apply(params, normalize(scale, obs), part="policy")
    return mode(masked_log_probs(logits, masks))


def save_policy(path: Path, policy: Policy) -> None:
    """Write a policy beside its place and rename it."""
    arrays = {
        f"{layer}.{kind}": np.ascontiguousarray(value, np.float32)
        for layer, kinds in policy.params["params"].items()
        for kind, value in kinds.items()
    }
    arrays |= {
        f"statistics.{name}": np.asarray(policy.statistics[name], np.float64) for name in _STATISTICS
    }
    about = {
        "format": FORMAT,
        "network": asdict(policy.spec),
        "env_config": policy.config.to_dict(),
        "made": dict(policy.about),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    save_file(arrays, beside, metadata={"rltrader": json.dumps(about, sort_keys=True)})
    beside.replace(path)


def load_policy(path: Path) -> Policy:
    """Read what :func:`save_policy` wrote.

    Raises:
        InputError: there is no such file, it is damaged, or it is not a policy of this format.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a policy that `rltrader train` wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            about = dict(json.loads((file.metadata() or {})["rltrader"]))
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: not a policy of this program ({type(error).__name__}); copy it again, or train "
            "it anew"
        ) from None
    if about.get("format") != FORMAT:
        raise InputError(
            f"{path}: policy format {about.get('format')!r} is not {FORMAT}; use the version that "
            "wrote it, or train it anew"
        )
    try:
        shape, config, made = about["network"], dict(about["env_config"]), dict(about["made"])
        spec = NetworkSpec(tuple(shape["pi"]), tuple(shape["vf"]), shape["activation"])
        wanted = [name for tower in spec.towers.values() for name in tower]
        statistics = {name: arrays.pop(f"statistics.{name}") for name in _STATISTICS}
        layers = {
            name: {kind: arrays.pop(f"{name}.{kind}") for kind in ("kernel", "bias")} for name in wanted
        }
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{path}: damaged ({type(error).__name__}: {error}); copy it again, or train it anew"
        ) from None
    if arrays:
        raise InputError(
            f"{path}: {sorted(arrays)[0]} is no weight of its network; copy it again, or train it anew"
        )
    _check_numbers(path, statistics, layers)
    policy = Policy(spec, {"params": layers}, statistics, EnvConfig.from_dict(config), made)
    _check_shapes(path, policy)
    return policy


def _check_numbers(
    path: Path,
    statistics: Mapping[str, NDArray[Any]],
    layers: Mapping[str, Mapping[str, NDArray[Any]]],
) -> None:
    """Refuse what is no number, and a variance below zero."""
    arrays = {f"statistics.{name}": value for name, value in statistics.items()}
    for layer, kinds in layers.items():
        arrays |= {f"{layer}.{kind}": value for kind, value in kinds.items()}
    bad = [name for name, value in arrays.items() if not np.isfinite(value).all()]
    if (statistics["var"] < 0).any():
        bad.append("statistics.var")
    if bad:
        raise InputError(
            f"{path}: {bad[0]} holds what is no number, or a variance below zero; go back to an "
            "earlier checkpoint, or train it anew"
        )


def _check_shapes(path: Path, policy: Policy) -> None:
    """Refuse statistics and layers that do not fit each other."""
    size, layers = policy.statistics["mean"].shape, policy.params["params"]
    bad = [] if len(size) == 1 and policy.statistics["var"].shape == size else ["statistics.var"]
    for tower in policy.spec.towers.values():
        width = size
        for name in tower:
            kernel, bias = layers[name]["kernel"].shape, layers[name]["bias"].shape
            if kernel != (*width, *bias):
                bad.append(name)
            width = bias
    if bad:
        raise InputError(
            f"{path}: {bad[0]} does not fit what comes before it; copy it again, or train it anew"
        )
