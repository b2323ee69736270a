"""Declaration of a pair: how to drive and read each side, and by which tolerance fields must agree.

A pair is data about where to look. Logic of what is compared belongs to either side, never here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from numpy.typing import DTypeLike

from parity.engine.compare import Array, Tolerance

Fields = dict[str, Any]
"""One moment of one side in common units: field name to NumPy number or array, or a Python number."""


class Choices(Protocol):
    """Decisions from which a case is built: seeded numbers, or Hypothesis when shrinking."""

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included; smaller magnitudes are simpler."""
        ...

    def pick(self, options: Sequence[Any]) -> Any:
        """Return one of the options; earlier ones are simpler."""
        ...

    def aim(self, options: Sequence[str]) -> str:
        """Return which boundary to aim at; when shrinking, the one that the failure aimed at."""
        ...


@dataclass(frozen=True)
class Case:
    """One injected state and one action.

    Attributes:
        world: number of the world (market, level) it happens in.
        state: every field of a state, in common units.
        action: the action taken.
        corner: what :meth:`Choices.aim` chose, in order.
    """

    world: int
    state: Mapping[str, Any]
    action: Any
    corner: tuple[str, ...] = ()


@dataclass(frozen=True)
class MutableSide:
    """The reference: an object that is stepped and changes.

    Attributes:
        make: world number -> a fresh environment.
        reset: (env, start) -> obs; begin an episode at a start (the pair's own numbering).
        inject: (env, state fields) -> None; put the environment into a state.
        read: env -> state fields in common units, native dtypes converted without loss.
        observe: env -> observation.
        masks: env -> action mask.
        step: (env, action) -> obs and outcome fields in common units, "terminated" and "truncated"
            among them.
        dtypes: of fields that ``read`` and ``step`` give as Python numbers: the dtype they are written
            in. What a dtype of whole numbers does not hold raises ValueError when it is recorded.
    """

    make: Callable[[int], Any]
    reset: Callable[[Any, int], Array]
    inject: Callable[[Any, Mapping[str, Any]], None]
    read: Callable[[Any], Fields]
    observe: Callable[[Any], Array]
    masks: Callable[[Any], Array]
    step: Callable[[Any, Any], Fields]
    dtypes: Mapping[str, DTypeLike] = field(default_factory=dict)


class BatchStep(NamedTuple):
    """What the port's step returns for N environments, each leaf with a leading axis of N.

    Attributes:
        obs, state: after any restart.
        final_obs, final_state: before any restart.
        outcome: reward, terminated, truncated and the rest, by field name.
    """

    obs: jax.Array
    state: Any
    final_obs: jax.Array
    final_state: Any
    outcome: dict[str, jax.Array]


@dataclass(frozen=True)
class FunctionalSide:
    """The port: pure functions over a batch, in the very form that a trainer runs.

    Attributes:
        params: passed to every function as an argument, never closed over.
        begin: (worlds (N,), starts (N,), params) -> state.
        inject: (worlds (N,), state fields of shape (N,), params) -> state.
        step: (key, state, actions (N,), params) -> :class:`BatchStep`, restarting where done.
        observe: (state, params) -> (N, obs).
        masks: (state, params) -> (N, actions).
        read: (state, params) -> state fields in common units.
        form: the compiled form in words, for the certificate.
    """

    params: Any
    begin: Callable[[jax.Array, jax.Array, Any], Any]
    inject: Callable[[jax.Array, dict[str, jax.Array], Any], Any]
    step: Callable[[jax.Array, Any, jax.Array, Any], BatchStep]
    observe: Callable[[Any, Any], jax.Array]
    masks: Callable[[Any, Any], jax.Array]
    read: Callable[[Any, Any], dict[str, jax.Array]]
    form: str


Policy = Callable[[np.random.Generator, Array, Array], Any]
"""(generator, masks, obs) -> a valid action."""


@dataclass(frozen=True)
class Pair:
    """Two sides that claim to be the same environment.

    Attributes:
        name: for reports.
        worlds: name of each world.
        reference, port: the two sides.
        rules: how far apart each field may be; every field that a side reads must have one.
        starts: starts of each world, any integer array.
        begun: fields of N fresh episodes -> the worlds (N,) and starts (N,) they began at.
        max_steps: no episode is longer.
        policies: by name, how to choose valid actions in a replay.
        case: (choices, world) -> one injected state and action.
        coverage: (before, actions, after) -> how often each branch was taken, by name.
        required: branches without which the gate has not seen enough.
        describe: (world, state) -> what there is to know about that moment, for a report.
        command: (case) -> a command line that reproduces one case.
        max_deviation: largest relative deviation of an episode's reward.
    """

    name: str
    worlds: Sequence[str]
    reference: MutableSide
    port: FunctionalSide
    rules: Mapping[str, Tolerance]
    starts: Sequence[Array]
    begun: Callable[[Fields], tuple[Array, Array]]
    max_steps: int
    policies: Mapping[str, Policy]
    case: Callable[[Choices, int], Case]
    coverage: Callable[[Fields, Array, Fields], dict[str, int]]
    required: frozenset[str]
    describe: Callable[[int, Mapping[str, Any]], dict[str, Any]]
    command: Callable[[Case], str]
    max_deviation: float = 0.05
