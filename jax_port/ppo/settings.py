"""What the trainer is asked for: sizes, network, precision and the learner's numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from jax_port.ppo.layer_lr import LayerRates, checked
from jax_port.ppo.networks import ACTIVATIONS
from markets import InputError

Precision = Literal["float32", "tf32", "bf16"]
PRECISIONS = ("float32", "tf32", "bf16")

RATES = (
    "learning_rate",
    "gamma",
    "gae_lambda",
    "clip_range",
    "clip_range_vf",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
    "target_kl",
)
"""Settings that are numbers inside the compiled program, so that agents may differ in them."""


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """Shape of the actor-critic.

    Attributes:
        pi, vf: hidden sizes of the policy's and the value's tower.
        activation: "relu" or "tanh".
    """

    pi: tuple[int, ...] = (256, 256)
    vf: tuple[int, ...] = (256, 256)
    activation: str = "relu"

    def __post_init__(self) -> None:
        for name in ("pi", "vf"):
            sizes = tuple(getattr(self, name))
            object.__setattr__(self, name, sizes)
            if not sizes or not all(type(size) is int and size > 0 for size in sizes):
                raise InputError(f"{name} is {sizes}; give at least one whole number above zero")
        if self.activation not in ACTIVATIONS:
            raise InputError(
                f"activation is {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}"
            )

    @property
    def towers(self) -> dict[str, tuple[str, ...]]:
        """Names of the policy's and of the value's layers, input first, head last."""
        return {
            "policy": (*(f"policy_{n}" for n in range(len(self.pi))), "action_head"),
            "value": (*(f"value_{n}" for n in range(len(self.vf))), "value_head"),
        }

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of all layers, hidden ones first."""
        policy, value = self.towers.values()
        return (*policy[:-1], *value[:-1], policy[-1], value[-1])


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """What a run is trained with; the names are MaskablePPO's. Steps are environment steps.

    Attributes:
        n_envs: environments of each agent, stepped together.
        n_steps: steps of each environment in a rollout.
        batch_size: transitions in a minibatch.
        n_epochs: passes over a rollout.
        total_timesteps: at least this many steps, rounded up to whole rollouts.
        learning_rate: of Adam.
        gamma: discount, of the returns and of the reward normaliser.
        gae_lambda: of generalised advantage estimation.
        clip_range: of the probability ratio.
        clip_range_vf: of the value; None for none.
        ent_coef: weight of the entropy.
        vf_coef: weight of the value loss.
        max_grad_norm: gradients are scaled down to this norm.
        target_kl: an update ends above 1.5 times this; None for never.
        anneal: lower the learning rate and the clip range linearly to zero.
        norm_reward: normalise rewards, as VecNormalize does; observations always are.
        seed: of weights, sampling and environments of the first agent; the next has the next seed.
        network: the actor-critic.
        precision: of matrix products: "float32", "tf32" where the device has it, or "bf16" with
            float32 sums. Weights are float32 always.
        layer_rates: factors on the learning rate of single layers, such as ("policy_0", 0.1); a
            factor of zero freezes the layer.
    """

    n_envs: int = 1024
    n_steps: int = 128
    batch_size: int = 4096
    n_epochs: int = 4
    total_timesteps: int = 2_000_000
    learning_rate: float = 3e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_vf: float | None = None
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float | None = None
    anneal: bool = False
    norm_reward: bool = True
    seed: int = 0
    network: NetworkSpec = field(default_factory=NetworkSpec)
    precision: Precision = "float32"
    layer_rates: LayerRates = ()

    def __post_init__(self) -> None:
        for name in ("n_envs", "n_steps", "batch_size", "n_epochs", "total_timesteps"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(f"{name} is {value!r}; it must be a whole number, at least 1")
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise InputError(f"seed is {self.seed!r}; it must be a whole number from 0 to 2^31 - 1")
        for name in RATES:
            check_rate(name, getattr(self, name))
        if self.batch_size < 2 or self.rollout_size % self.batch_size == 1:
            raise InputError(
                f"a rollout of {self.n_envs} x {self.n_steps} steps in batches of {self.batch_size} "
                "has a batch of one, whose advantages cannot be normalised; choose another batch_size"
            )
        if self.rollout_size >= 2**31:
            raise InputError(
                f"a rollout of {self.n_envs} x {self.n_steps} steps has more than 2^31 transitions; "
                "choose fewer environments or steps"
            )
        if self.precision not in PRECISIONS:
            raise InputError(f"precision is {self.precision!r}; choose one of {', '.join(PRECISIONS)}")
        object.__setattr__(self, "layer_rates", checked(self.layer_rates, self.network.layers))

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
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainSettings:
        """Rebuild settings from :meth:`to_dict`'s values.

        Raises:
            InputError: a name is unknown or a value is not valid.
        """
        return cls().override(**values)

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
            network = NetworkSpec(**network)
        shape = {name: overrides.pop(name) for name in inner & set(overrides)}
        return replace(self, network=replace(network, **shape), **overrides)


LIMITS = {"gamma": 1.0, "gae_lambda": 1.0}
OPTIONAL = ("clip_range_vf", "target_kl")
MAY_BE_ZERO = ("ent_coef", "vf_coef", "learning_rate", "gamma", "gae_lambda")


def check_rate(name: str, value: float | None) -> None:
    """Refuse a number that the learner can't use.

    Raises:
        InputError: it is not finite, is negative, or is above its limit.
    """
    if value is None and name in OPTIONAL:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or value is None or not math.isfinite(value):
        raise InputError(f"{name} is {value!r}; it must be a finite number")
    most = LIMITS.get(name, math.inf)
    if value < 0 or (value == 0 and name not in MAY_BE_ZERO) or value > most:
        least = "at least 0" if name in MAY_BE_ZERO else "above 0"
        upper = f" and at most {most:g}" if math.isfinite(most) else ""
        raise InputError(f"{name} is {value!r}; it must be {least}{upper}")
