"""What the trainer is asked for: sizes, network, precision and the learner's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import struct

from foundation.json_reading import require_names
from jax_port.ppo.networks import ACTIVATIONS
from jax_port.ppo.optimizer.hyperparameters import (
    ACTIVATION,
    HIDDEN,
    HYPERPARAMETERS,
    PRECISION,
    SEED,
)
from jax_port.ppo.optimizer.layer_lr import LayerLearningRates, checked
from jax_port.ppo.own.module import OwnNetwork
from markets import InputError

Precision = Literal["float32", "tf32", "bf16"]
PRECISIONS = ("float32", "tf32", "bf16")

OWN = "own"
"""Key under which files name a network of the user's own."""

OFF = float("inf")
"""Value of ``clip_range_vf`` or ``target_kl`` in the compiled program that switches it off."""


BY_NAME = {one.name: one for one in HYPERPARAMETERS}

RATES = tuple(one.name for one in HYPERPARAMETERS if one.vmapped)
"""Settings that are numbers inside the compiled program, so that agents may differ in them."""


@struct.dataclass
class HyperParams:
    """The numbers of :data:`RATES` inside the compiled program: float32 scalars, which can be vmapped.

    ``clip_range_vf`` and ``target_kl`` are :data:`OFF` where there is none.
    """

    learning_rate: jax.Array
    gamma: jax.Array
    gae_lambda: jax.Array
    clip_range: jax.Array
    clip_range_vf: jax.Array
    ent_coef: jax.Array
    vf_coef: jax.Array
    max_grad_norm: jax.Array
    target_kl: jax.Array


def hyper_params(**values: float | None) -> HyperParams:
    """Return numbers as arrays; those that are not given have their defaults.

    Raises:
        InputError: a name is not one of :data:`RATES`.
    """
    if unknown := sorted(set(values) - set(RATES)):
        raise InputError(f"{unknown[0]!r} is no number of the learner; choose from {', '.join(RATES)}")
    given = {name: values.get(name, BY_NAME[name].default) for name in RATES}
    return HyperParams(
        **{name: jnp.float32(OFF if value is None else value) for name, value in given.items()}
    )


def check_rate(name: str, value: float | None) -> None:
    """Refuse a number that the learner can't use.

    Raises:
        InputError: it is not finite, is negative, or is above its limit.
    """
    BY_NAME[name].check(value)


def check_schedule(name: str, values: Sequence[float]) -> None:
    """Refuse a schedule, one value an update, of which the learner can't use one.

    Raises:
        InputError: it is of no number of :data:`RATES`, or a value is not finite or beyond its limits;
            a clip range may come down to 0, as SB3's linear schedule ends.
    """
    if name not in RATES:
        raise InputError(f"{name} follows no schedule; {', '.join(RATES)} do")
    for value in values:
        if name != "clip_range" or value != 0.0:
            check_rate(name, value)


def _default(name: str) -> Any:
    return BY_NAME[name].default


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Shape of the actor-critic.

    Attributes:
        pi, vf: hidden sizes of the policy's and the value's MLP.
        activation: "relu" or "tanh".
    """

    pi: tuple[int, ...] = HIDDEN
    vf: tuple[int, ...] = HIDDEN
    activation: str = ACTIVATION

    def __post_init__(self) -> None:
        for name in ("pi", "vf"):
            sizes = tuple(getattr(self, name))
            object.__setattr__(self, name, sizes)
            if not sizes or not all(type(size) is int and size > 0 for size in sizes):
                raise InputError(f"{name} is {sizes}; give at least one whole number above zero")
        if self.activation not in tuple(ACTIVATIONS):  # also what is no text
            raise InputError(
                f"activation is {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}"
            )

    @property
    def mlps(self) -> dict[str, tuple[str, ...]]:
        """Names of the policy's and of the value's layers, input first, head last."""
        return {
            "policy": (*(f"policy_{n}" for n in range(len(self.pi))), "action_head"),
            "value": (*(f"value_{n}" for n in range(len(self.vf))), "value_head"),
        }

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers, hidden ones first."""
        policy, value = self.mlps.values()
        return (*policy[:-1], *value[:-1], policy[-1], value[-1])


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What a run is trained with; the names are MaskablePPO's. Steps are environment steps.

    Attributes:
        n_envs, n_steps, ..., norm_reward: as :data:`HYPERPARAMETERS` says.
        seed: of weights, sampling and environments of the first agent; the next has the next seed.
        network: the actor-critic.
        precision: of matrix products: "float32", "tf32" where the device has it, or "bf16" with
            float32 sums. Weights are float32 always.
        layer_lr: factors on the learning rate of single layers, such as ("policy_0", 0.1); a
            factor of zero freezes the layer.
        own: a network of the user's own, trained instead of ``network``.
    """

    n_envs: int = _default("n_envs")
    n_steps: int = _default("n_steps")
    batch_size: int = _default("batch_size")
    n_epochs: int = _default("n_epochs")
    total_timesteps: int = _default("total_timesteps")
    order_groups: int = _default("order_groups")
    learning_rate: float = _default("learning_rate")
    gamma: float = _default("gamma")
    gae_lambda: float = _default("gae_lambda")
    clip_range: float = _default("clip_range")
    clip_range_vf: float | None = _default("clip_range_vf")
    ent_coef: float = _default("ent_coef")
    vf_coef: float = _default("vf_coef")
    max_grad_norm: float = _default("max_grad_norm")
    target_kl: float | None = _default("target_kl")
    anneal: bool = _default("anneal")
    norm_reward: bool = _default("norm_reward")
    seed: int = SEED
    network: NetworkSpec = field(default_factory=NetworkSpec)
    precision: Precision = PRECISION
    layer_lr: LayerLearningRates = ()
    own: OwnNetwork | None = None

    def __post_init__(self) -> None:
        for one in HYPERPARAMETERS:
            one.check(getattr(self, one.name))
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed!r}; it must be a whole number from 0 to 2^31 - 1")
        if self.batch_size < 2 or self.rollout_size % self.batch_size == 1:
            raise InputError(
                f"a rollout of {self.n_envs} x {self.n_steps} steps in batches of {self.batch_size} "
                "has a batch of one, whose advantages cannot be normalised; choose another batch_size"
            )
        if self.rollout_size >= 2**31:
            raise InputError(
                f"a rollout of {self.n_envs} x {self.n_steps} steps has more than 2^31 - 1 "
                "transitions; choose fewer environments or steps"
            )
        if self.num_updates >= 2**31:
            raise InputError(
                f"{self.total_timesteps} steps in rollouts of {self.rollout_size} are more than "
                "2^31 - 1 updates; ask for fewer steps, or for larger rollouts"
            )
        for name in ("n_envs", "batch_size"):
            if (count := getattr(self, name)) % self.order_groups:
                raise InputError(
                    f"{name} {count} can't be shared evenly by {self.order_groups} order_groups; "
                    f"choose a multiple of {self.order_groups}"
                )
        if self.precision not in PRECISIONS:
            raise InputError(f"precision is {self.precision!r}; choose one of {', '.join(PRECISIONS)}")
        if self.own is not None and not isinstance(self.own, OwnNetwork):
            raise InputError(f"own is {type(self.own).__name__}; give MaskablePPO a module as network=")
        if self.own is not None and (self.precision != "float32" or self.layer_lr):
            raise InputError("precision and layer_lr are for the project's own network; leave them out")
        object.__setattr__(self, "layer_lr", checked(self.layer_lr, self.network.layers))

    @property
    def rollout_size(self) -> int:
        """Transitions in one update of one agent."""
        return self.n_envs * self.n_steps

    @property
    def num_updates(self) -> int:
        """Updates that ``total_timesteps`` needs."""
        return -(-self.total_timesteps // self.rollout_size)

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        values = asdict(replace(self, own=None))
        del values["own"]
        return values if self.own is None else {**values, "network": self.own.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainSettings:
        """Rebuild settings from :meth:`to_dict`'s values.

        Raises:
            InputError: a name is missing or unknown, or a value is not valid.
        """
        named = {item.name for item in fields(cls)} - {"own"}  # which no file holds
        whole = dict(require_names(values, named, "the training's settings"))
        shape = whole["network"]
        if not (isinstance(shape, Mapping) and OWN in shape):
            require_names(shape, NetworkSpec.__dataclass_fields__, "its network")
        return cls().override(**whole)

    def override(self, **overrides: Any) -> TrainSettings:
        """Return a copy with settings replaced; the network's may be given by name too.

        Raises:
            InputError: a name is unknown or a value is not valid.
        """
        own = {item.name for item in fields(TrainSettings)}
        inner = {item.name for item in fields(NetworkSpec)}
        if unknown := sorted(set(overrides) - own - inner):
            raise InputError(
                f"unknown training setting {', '.join(unknown)}: choose from "
                f"{', '.join(sorted((own | inner) - {'network'}))}"
            )
        network = overrides.pop("network", self.network)
        if isinstance(network, Mapping):
            if OWN in network:
                raise InputError(f"network {network[OWN]!r} is the user's own code, in no file")
            network = NetworkSpec(**network)
        shape = {name: overrides.pop(name) for name in inner & set(overrides)}
        return replace(self, network=replace(network, **shape), **overrides)
