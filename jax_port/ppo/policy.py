"""A trained policy as one file, and what it decides.

``policy-K.safetensors`` holds agent K's weights by layer name and its observation statistics in
float64; the header's JSON holds the network's shape, the environment's configuration and what the
policy was made from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from foundation.files import json_digest, write_bytes
from foundation.json_reading import Artifact, Count, Int32, Struct, decode_json
from jax_port.data.array_digest import array_digest
from jax_port.envs.env_phase1_jax import NUM_ACTIONS
from jax_port.envs.registry import phase_of
from jax_port.ppo.networks import ActorCritic, Params, masked_log_probs, mode
from jax_port.ppo.running_statistics import RunningMoments, Scale, normalize, scale_of
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse

FORMAT = 2
OLDER = 1
"""Files of this format carry no checksum, and are read still."""
ADVISED = 3
"""Format of a policy that was trained with advice: a program that knows none refuses it."""
_STATISTICS = ("mean", "var", "count")
MEND = "copy it again, or train it anew"
HEADER = Artifact("policy of this program", MEND)


class _Format(Struct):
    format: Int32


class _Network(Struct):
    pi: list[Count]
    vf: list[Count]
    activation: str


class _Header(Struct):
    """What the header of a policy's file says of it."""

    network: _Network
    env_config: dict[str, Any]
    made: dict[str, Any]
    checksum: str = ""
    advice: dict[str, Any] | None = None


@dataclass(frozen=True)
class Policy:
    """A network with its weights and the scale of what it sees.

    Attributes:
        spec: shape of the network.
        params: weights, a Flax pytree of float32 arrays.
        statistics: mean (D,), var (D,) and count () of raw observations, float64 NumPy arrays.
        config: rules of the environment it was trained in.
        about: what it was made from: versions, data, settings, seed, certificate.
        advice: how it was trained with advice, without which it decides nothing; None for without.
    """

    spec: NetworkSpec
    params: Params
    statistics: Mapping[str, NDArray[np.float64]]
    config: EnvConfig
    about: Mapping[str, Any] = field(default_factory=dict)
    advice: AdviceUse | None = None

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
    """Write a policy as one file, whole or not at all.

    Raises:
        WriteError: it cannot be written there.
    """
    arrays = {
        f"{layer}.{kind}": np.ascontiguousarray(value, np.float32)
        for layer, kinds in policy.params["params"].items()
        for kind, value in kinds.items()
    }
    arrays |= {
        f"statistics.{name}": np.asarray(policy.statistics[name], np.float64) for name in _STATISTICS
    }
    about = {
        "format": FORMAT if policy.advice is None else ADVISED,
        "network": asdict(policy.spec),
        "env_config": policy.config.to_dict(),
        "made": dict(policy.about),
    }
    if policy.advice is not None:
        about["advice"] = policy.advice.to_dict()
    about["checksum"] = _checksum(arrays, about)
    write_bytes(path, save(arrays, metadata={"rltrader": json.dumps(about, sort_keys=True)}))


def _checksum(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> str:
    """Return a SHA-256 over a policy's numbers and all else that its header says, in hex."""
    return json_digest({**about, "checksum": array_digest(arrays)})


def load_policy(path: Path, *, advised: bool = False) -> Policy:
    """Read what :func:`save_policy` wrote.

    Args:
        path: the file.
        advised: whether the caller has advice for a policy that was trained with it.

    Raises:
        InputError: there is no such file, it is damaged, it is not a policy of this format, or it
            was trained with advice and the caller has none.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a policy that `rltrader train` wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {})["rltrader"]
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path}: not a policy of this program ({type(error).__name__}); {MEND}"
        ) from None
    version = decode_json(header, _Format, HEADER, where=path).format
    if version not in (FORMAT, OLDER, ADVISED):
        raise InputError(
            f"{path}: policy format {version!r} is not {FORMAT}; use the version that wrote it, or "
            "train it anew"
        )
    about = decode_json(header, _Header, HEADER, where=path)
    if version != OLDER and about.checksum != _checksum(arrays, json.loads(header)):
        raise InputError(f"{path}: damaged (its checksum differs); {MEND}")
    try:
        spec = NetworkSpec(tuple(about.network.pi), tuple(about.network.vf), about.network.activation)
        config = EnvConfig.from_dict(about.env_config)
        advice = None if version != ADVISED else AdviceUse.from_dict(about.advice or {})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if advice is not None and not advised:
        raise InputError(
            f"{path}: trained with advice ({advice.advisor}, {advice.model}) as {advice.way}, and "
            "decides nothing without; `rltrader evaluate --advice TABLE` plays it, and nothing else can"
        )
    wanted = [name for mlp in spec.mlps.values() for name in mlp]
    try:
        statistics = {name: arrays.pop(f"statistics.{name}") for name in _STATISTICS}
        layers = {
            name: {kind: arrays.pop(f"{name}.{kind}") for kind in ("kernel", "bias")} for name in wanted
        }
    except KeyError as error:
        raise InputError(f"{path}: damaged ({error} is missing); {MEND}") from None
    if arrays:
        raise InputError(
            f"{path}: {sorted(arrays)[0]} is no weight of its network; copy it again, or train it anew"
        )
    _check_numbers(path, statistics, layers)
    policy = Policy(spec, {"params": layers}, statistics, config, about.made, advice)
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
    for mlp in policy.spec.mlps.values():
        width = size
        for name in mlp:
            kernel, bias = layers[name]["kernel"].shape, layers[name]["bias"].shape
            if kernel != (*width, *bias):
                bad.append(name)
            width = bias
    if bad:
        raise InputError(
            f"{path}: {bad[0]} does not fit what comes before it; copy it again, or train it anew"
        )
