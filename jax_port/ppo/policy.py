"""A trained policy as one file, and what it decides.

``policy-K.safetensors`` holds agent K's weights by layer name and its observation statistics in
float64; the header's JSON holds the network's shape, the environment's configuration and what the
policy was made from. A policy that sees raw observations, as one that was trained without a
VecNormalize does, has no statistics, and its header says ``"normalised": false``.
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

from foundation.errors import reason_of
from foundation.files import json_digest, write_bytes
from foundation.json_reading import Artifact, Count, Int32, Struct, convert, decode_json
from jax_port.data.array_digest import array_digest
from jax_port.envs.env_phase1_jax import NUM_ACTIONS
from jax_port.envs.registry import phase_of
from jax_port.ppo.networks import ActorCritic, Network, Params, masked_log_probs, mode
from jax_port.ppo.own.module import OwnModule, OwnNetwork
from jax_port.ppo.running_statistics import RunningMoments, Scale, normalize, scale_of
from jax_port.ppo.settings import OWN, NetworkSpec
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse

FORMAT = 2
OLDER = 1
"""Files of this format carry no checksum, and are read still."""
RAW = 3
"""Of a policy that sees raw observations; earlier versions refuse it, since they would normalise."""
ADVISED = 4
"""Of a policy that was trained with advice; earlier versions refuse it, since they know none."""
_STATISTICS = ("mean", "var", "count")
Module = ActorCritic | OwnModule
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

    network: dict[str, Any]
    env_config: dict[str, Any]
    made: dict[str, Any]
    checksum: str = ""
    normalised: bool = True
    advice: dict[str, Any] | None = None


@dataclass(frozen=True)
class Policy:
    """A network with its weights and the scale of what it sees.

    Attributes:
        spec: shape of the network.
        params: weights, a Flax pytree of float32 arrays; by name, where the network is the user's.
        statistics: mean (D,), var (D,) and count () of raw observations, float64 NumPy arrays; None
            where the network sees raw observations, neither normalised nor clipped.
        config: rules of the environment it was trained in.
        about: what it was made from: versions, data, settings, seed, certificate.
        own: a network of the user's own, which has the place of ``spec``'s; None for none.
        advice: how it was trained with advice, without which it decides nothing; None for without.
    """

    spec: NetworkSpec
    params: Params
    statistics: Mapping[str, NDArray[np.float64]] | None
    config: EnvConfig
    about: Mapping[str, Any] = field(default_factory=dict)
    own: OwnNetwork | None = None
    advice: AdviceUse | None = None

    @property
    def network(self) -> Module:
        """The module of the weights, in float32."""
        if self.own is not None:
            return OwnModule(self.own, phase_of(self.config).num_actions)
        return make_network(self.spec, num_actions=phase_of(self.config).num_actions)

    @property
    def observation_size(self) -> int:
        """How many numbers the network takes."""
        if self.statistics is not None:
            return int(self.statistics["mean"].shape[0])
        return int(self.params["params"]["policy_0"]["kernel"].shape[0])

    @property
    def moments(self) -> RunningMoments:
        """Statistics of raw observations, on the device.

        Raises:
            InputError: there are none, since the network sees raw observations.
        """
        if self.statistics is None:
            raise InputError(
                "this policy sees raw observations and has no statistics to normalise them by; give "
                "one that was trained behind a VecNormalize"
            )
        with jax.enable_x64(True):
            arrays = {name: jnp.asarray(self.statistics[name], jnp.float64) for name in _STATISTICS}
        return RunningMoments(**arrays)

    @property
    def scale(self) -> Scale | None:
        """What observations are normalised with; None where the network sees them raw."""
        return None if self.statistics is None else scale_of(self.moments)


def make_network(spec: NetworkSpec, dtype: Any = None, num_actions: int = NUM_ACTIONS) -> ActorCritic:
    """Return the Flax module of a shape; ``dtype`` is that of its matrix products."""
    return ActorCritic(num_actions, spec.pi, spec.vf, spec.activation, dtype)


def functions_of(module: Module) -> Network:
    """Return a module's policy and value as functions of weights and normalised observations."""

    def policy(weights: Any, obs: jax.Array) -> jax.Array:
        logits: Any = module.apply(weights, obs, part="policy")
        return logits

    def value(weights: Any, obs: jax.Array) -> jax.Array:
        values: Any = module.apply(weights, obs, part="value")
        return values

    return Network(policy, value)


def decide(
    network: Module, params: Params, scale: Scale | None, obs: jax.Array, masks: jax.Array
) -> jax.Array:
    """Return the likeliest allowed action of each raw observation: int32 (N,).

    Matrix products are float32 on every device, so that all who ask a policy get one answer.

    Args:
        network: from :func:`make_network`.
        params: its weights.
        scale: of the observations; None for a network that sees them raw.
        obs: float32 (N, D), as the environment gives them.
        masks: bool (N, A).
    """
    with jax.default_matmul_precision("highest"):
        logits: Any = network.apply(params, normalize(scale, obs), part="policy")
    return mode(masked_log_probs(logits, masks))


def save_policy(path: Path, policy: Policy) -> None:
    """Write a policy as one file, whole or not at all.

    Raises:
        WriteError: it cannot be written there.
    """
    arrays = {
        name: np.ascontiguousarray(value, np.float32) for name, value in _named_arrays(policy).items()
    }
    if policy.statistics is not None:
        arrays |= {
            f"statistics.{name}": np.asarray(policy.statistics[name], np.float64)
            for name in _STATISTICS
        }
    about: dict[str, Any] = {
        "format": _format_of(policy),
        "network": asdict(policy.spec) if policy.own is None else policy.own.to_dict(),
        "env_config": policy.config.to_dict(),
        "made": dict(policy.about),
    }
    if policy.statistics is None:
        about["normalised"] = False
    if policy.advice is not None:
        about["advice"] = policy.advice.to_dict()
    about["checksum"] = _checksum(arrays, about)
    write_bytes(path, save(arrays, metadata={"rltrader": json.dumps(about, sort_keys=True)}))


def _format_of(policy: Policy) -> int:
    if policy.advice is not None:
        return ADVISED
    return RAW if policy.statistics is None else FORMAT


def _named_arrays(policy: Policy) -> dict[str, Any]:
    """Return weights by their names in a file."""
    if policy.own is not None:
        return {f"{OWN}.{name}": value for name, value in policy.params.items()}
    return {
        f"{layer}.{kind}": value
        for layer, kinds in policy.params["params"].items()
        for kind, value in kinds.items()
    }


def _checksum(arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> str:
    """Return a SHA-256 over a policy's numbers and all else that its header says, in hex."""
    return json_digest({**about, "checksum": array_digest(arrays)})


def load_policy(path: Path, own: OwnNetwork | None = None, *, advised: bool = False) -> Policy:
    """Read what :func:`save_policy` wrote.

    Args:
        path: of the file.
        own: the network, where it is the user's own; a file holds its weights alone, and runs no code.
        advised: whether the caller has advice for a policy that was trained with it.

    Raises:
        InputError: there is no such file, it is damaged, it is not a policy of this format, its
            network is another than the one given, or it was trained with advice and the caller has
            none.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a policy that `rltrader train` wrote")
    try:
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {})["rltrader"]
            names = file.keys()
            arrays = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a policy of this program ({reason_of(error)}); {MEND}") from None
    version = decode_json(header, _Format, HEADER, where=path).format
    if version not in (OLDER, FORMAT, RAW, ADVISED):
        raise InputError(
            f"{path}: policy format {version!r} is not from {OLDER} to {ADVISED}; use the version that "
            "wrote it, or train it anew"
        )
    about = decode_json(header, _Header, HEADER, where=path)
    if version != OLDER and about.checksum != _checksum(arrays, json.loads(header)):
        raise InputError(f"{path}: damaged (its checksum differs); {MEND}")
    spec, config = _described(path, about, own is not None)
    if about.normalised == (version == RAW):
        raise InputError(
            f"{path}: its format and what it says of normalised observations differ; {MEND}"
        )
    statistics = None
    try:
        if about.normalised:
            statistics = {name: arrays.pop(f"statistics.{name}") for name in _STATISTICS}
    except KeyError as error:
        raise InputError(f"{path}: damaged ({error} is missing); {MEND}") from None
    _check_numbers(path, arrays, statistics)
    advice = _advice(path, about, version, advised)
    if own is not None:
        prefix = f"{OWN}."
        weights = {name.removeprefix(prefix): value for name, value in arrays.items()}
        policy = Policy(spec, weights, statistics, config, about.made, own, advice)
        _check_own(path, policy, own)
        return policy
    wanted = [name for mlp in spec.mlps.values() for name in mlp]
    try:
        layers = {
            name: {kind: arrays.pop(f"{name}.{kind}") for kind in ("kernel", "bias")} for name in wanted
        }
    except KeyError as error:
        raise InputError(f"{path}: damaged ({error} is missing); {MEND}") from None
    if arrays:
        raise InputError(
            f"{path}: {sorted(arrays)[0]} is no weight of its network; copy it again, or train it anew"
        )
    policy = Policy(spec, {"params": layers}, statistics, config, about.made, advice=advice)
    _check_shapes(path, policy)
    return policy


def _described(path: Path, about: _Header, own: bool) -> tuple[NetworkSpec, EnvConfig]:
    """Return a policy's network and rules, as its header describes them."""
    named = about.network.get(OWN)
    if named is not None and not own:
        raise InputError(
            f"{path}: its network is {named!r}, the user's own code, of which a file holds the weights "
            "alone; load it in Python with rltrader.MaskablePPO.load(FILE, network=...); a command "
            "cannot use it, and it cannot be exported"
        )
    if named is None and own:
        raise InputError(f"{path}: its network is the project's own; leave network= out")
    try:
        config = EnvConfig.from_dict(about.env_config)
        if own:
            return NetworkSpec(), config
        shape = convert(about.network, _Network, HEADER, where=path)
        return NetworkSpec(tuple(shape.pi), tuple(shape.vf), shape.activation), config
    except InputError as error:
        words = str(error)
        raise InputError(words if words.startswith(str(path)) else f"{path}: {words}") from None


def _advice(path: Path, about: _Header, version: int, advised: bool) -> AdviceUse | None:
    """Return how a policy was trained with advice; refuse one whose caller has none."""
    if version != ADVISED:
        if about.advice is not None:
            raise InputError(f"{path}: its format and what it says of advice differ; {MEND}")
        return None
    try:
        advice = AdviceUse.from_dict(about.advice or {})
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if not advised:
        raise InputError(
            f"{path}: trained with advice ({advice.advisor}, {advice.model}) as {advice.way}, and "
            "decides nothing without; `rltrader evaluate --advice TABLE` plays it, and `rltrader "
            "export` takes one with a prior to a live strategy"
        )
    return advice


def _check_numbers(
    path: Path,
    weights: Mapping[str, NDArray[Any]],
    statistics: Mapping[str, NDArray[np.float64]] | None,
) -> None:
    """Refuse what is no number or one of another type, and a variance below zero."""
    arrays = {**{f"statistics.{name}": value for name, value in (statistics or {}).items()}, **weights}
    for name, value in arrays.items():
        if value.dtype != (np.float32 if name in weights else np.float64):
            raise InputError(f"{path}: {name} is of {value.dtype}, as no policy is; {MEND}")
    bad = [name for name, value in arrays.items() if not np.isfinite(value).all()]
    if statistics is not None and (statistics["var"] < 0).any():
        bad.append("statistics.var")
    if bad:
        raise InputError(
            f"{path}: {bad[0]} holds what is no number, or a variance below zero; go back to an "
            "earlier checkpoint, or train it anew"
        )


def _check_own(path: Path, policy: Policy, own: OwnNetwork) -> None:
    """Refuse weights that are not those of the network that was handed in."""
    if policy.statistics is None:
        raise InputError(f"{path}: a network of one's own has statistics, and this has none; {MEND}")
    size = policy.statistics["mean"].shape
    if len(size) != 1 or policy.statistics["var"].shape != size:
        raise InputError(f"{path}: statistics.var does not fit statistics.mean; {MEND}")
    if policy.statistics["count"].shape != ():
        raise InputError(f"{path}: statistics.count is no single number; {MEND}")
    wanted = own.sizes(size[0], phase_of(policy.config).num_actions)
    shapes = {name: tuple(value.shape) for name, value in policy.params.items()}
    if other := sorted(set(wanted.items()) ^ set(shapes.items())):
        name = other[0][0]
        raise InputError(
            f"{path}: {name} is {shapes.get(name, 'missing')} in the file and "
            f"{wanted.get(name, 'missing')} in network {own.name}; give the network that was trained"
        )


def _check_shapes(path: Path, policy: Policy) -> None:
    """Refuse statistics and layers that do not fit each other."""
    layers, statistics = policy.params["params"], policy.statistics
    size, bad = layers["policy_0"]["kernel"].shape[:1], []
    if statistics is not None:
        size = statistics["mean"].shape
        bad = [] if len(size) == 1 and statistics["var"].shape == size else ["statistics.var"]
        bad += [] if statistics["count"].shape == () else ["statistics.count"]
    for mlp in policy.spec.mlps.values():
        width = size
        for name in mlp:
            kernel, bias = layers[name]["kernel"].shape, layers[name]["bias"].shape
            if kernel != (*width, *bias) or len(bias) != 1 or (name == "value_head" and bias != (1,)):
                bad.append(name)
            width = bias
    if bad:
        raise InputError(
            f"{path}: {bad[0]} does not fit what comes before it; copy it again, or train it anew"
        )
