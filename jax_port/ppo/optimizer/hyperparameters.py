"""The learner's hyperparameters: names, defaults, limits and help, without JAX.

A command's ``--help`` shows all of them, so this module imports nothing that takes long.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from foundation.errors import InputError

HIDDEN = (256, 256)
"""Hidden sizes of the policy's and of the value's MLP, by default."""
ACTIVATION = "relu"
"""Of hidden layers, by default."""
PRECISION: Literal["float32"] = "float32"
"""Of matrix products, by default."""
SEED = 0
"""Of the first agent, by default."""
LARGEST = (2 - 2**-23) * 2.0**127
"""Of the numbers of float32, in which the learner has them; a larger one would be infinite there."""
SMALLEST = 2.0**-126
"""Above zero on a device, where what is smaller is zero."""


@dataclass(frozen=True)
class Hyperparameter:
    """One setting of the learner: all that is said of it anywhere.

    Attributes:
        name: MaskablePPO's.
        default: of :class:`TrainSettings`.
        help: one line.
        kind: "count" for a whole number, "number" for a real one, "switch" for a bool.
        least, most: limits.
        above: whether the least itself is refused.
        optional: whether None is allowed, and switches it off.
        vmapped: whether it is a number inside the compiled program, so that agents may differ in it.
    """

    name: str
    default: Any
    help: str
    kind: Literal["count", "number", "switch"] = "number"
    least: float = 0.0
    most: float = math.inf
    above: bool = False
    optional: bool = False
    vmapped: bool = False

    def check(self, value: Any) -> None:
        """Refuse a value that the learner can't use.

        Raises:
            InputError: it is of another kind, not finite, or outside its limits.
        """
        if value is None and self.optional:
            return
        if self.kind == "switch":
            if not isinstance(value, bool):
                raise InputError(f"{self.name} is {value!r}; it must be true or false")
        elif self.kind == "count":
            if type(value) is not int or not self.least <= value:
                raise InputError(
                    f"{self.name} is {value!r}; it must be a whole number, at least {self.least:g}"
                )
        else:
            self._check_number(value)

    def _check_number(self, value: Any) -> None:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not abs(value) < math.inf:  # nor what is no number
            raise InputError(f"{self.name} is {value!r}; it must be a finite number")
        if value < self.least or (self.above and value == self.least) or value > self.most:
            least = f"{'above' if self.above else 'at least'} {self.least:g}"
            upper = f" and at most {self.most:g}" if math.isfinite(self.most) else ""
            raise InputError(f"{self.name} is {value!r}; it must be {least}{upper}")
        if value > LARGEST:
            raise InputError(f"{self.name} is {value!r}; it must be at most {LARGEST:g}")
        if self.above and 0 < value < SMALLEST:
            raise InputError(
                f"{self.name} is {value!r}, which is 0 in float32; give at least {SMALLEST:g}"
            )


def _count(name: str, default: int, about: str) -> Hyperparameter:
    return Hyperparameter(name, default, about, "count", least=1)


HYPERPARAMETERS: tuple[Hyperparameter, ...] = (
    _count("n_envs", 1024, "Environments of each agent, stepped together."),
    _count("n_steps", 128, "Steps of each environment in a rollout."),
    _count("batch_size", 4096, "Transitions in a minibatch."),
    _count("n_epochs", 4, "Passes over a rollout."),
    _count("total_timesteps", 2_000_000, "At least so many steps, rounded up to whole rollouts."),
    _count("order_groups", 1, "Groups of environments that give each minibatch equal shares."),
    Hyperparameter("learning_rate", 3e-4, "Of Adam.", vmapped=True),
    Hyperparameter(
        "gamma", 0.99, "Discount, of returns and of the reward normaliser.", most=1.0, vmapped=True
    ),
    Hyperparameter("gae_lambda", 0.95, "Of generalised advantage estimation.", most=1.0, vmapped=True),
    Hyperparameter("clip_range", 0.2, "Of the probability ratio.", above=True, vmapped=True),
    Hyperparameter(
        "clip_range_vf",
        None,
        "Of the value, about the old one; none by default.",
        above=True,
        optional=True,
        vmapped=True,
    ),
    Hyperparameter("ent_coef", 0.01, "Weight of the entropy.", vmapped=True),
    Hyperparameter("vf_coef", 0.5, "Weight of the value loss.", vmapped=True),
    Hyperparameter(
        "max_grad_norm", 0.5, "Gradients are scaled down to this norm.", above=True, vmapped=True
    ),
    Hyperparameter(
        "target_kl",
        None,
        "An update ends above 1.5 times this; never by default.",
        above=True,
        optional=True,
        vmapped=True,
    ),
    Hyperparameter(
        "anneal", False, "Lower the learning rate and the clip range linearly to zero.", "switch"
    ),
    Hyperparameter(
        "norm_reward",
        True,
        "Normalise rewards, as VecNormalize does; observations always are.",
        "switch",
    ),
)
"""Every setting of the learner that is a number or a switch, in the order of :class:`TrainSettings`."""
