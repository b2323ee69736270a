"""The declaration of a pair: two sides, the states they may be in, and accepted differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.harness.fields import Domain, Rule
from parity.harness.sides.adapters import (
    functional_side,
    gymnasium_side,
    gymnax_side,
    state_api_side,
)
from parity.harness.sides.batched import BatchedSide
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.side import Side
from parity.harness.trees import Array, Fields

Where = Callable[[Fields, Fields, Fields], Array]
"""(state before, action, reference's fields after), each of N rows -> bool (N,)."""


Draw = Callable[[np.random.Generator, int], tuple[Fields, Any]]
"""(generator, count) -> fields of a state, (count, ...) each, and as many actions."""


FUNCTIONS = {
    "possible": "states",
    "legal": "states and actions",
    "draw": "a generator and a count",
    "policy": "a generator, observations and states",
    "describe": "a state",
    "command": "a state",
}
"""Parts of a pair that are functions, and of what."""


class Reference:
    """The side that is right by definition; each method makes one from an environment of a kind."""

    gymnasium = staticmethod(gymnasium_side)
    gymnax = staticmethod(gymnax_side)
    functional = staticmethod(functional_side)
    state_api = staticmethod(state_api_side)
    mutable = staticmethod(MutableSide)


class Port(Reference):
    """The side that is put to the test; each method makes one from an environment of a kind."""

    batched = staticmethod(BatchedSide)


@dataclass(frozen=True)
class Accepted:
    """A difference that is known, with the reason; it is counted and shown, and does not fail the pair.

    Attributes:
        what: names of fields, or one question of the contract.
        reason: why it is accepted.
        where: for fields, which cases it covers; all by default.
    """

    what: str | tuple[str, ...]
    reason: str
    where: Where | None = None

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise InputError(
                f"an accepted difference ({self.what}) has no reason; say why it is accepted"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """The fields, or the question."""
        return (self.what,) if isinstance(self.what, str) else tuple(self.what)


EPISODE_ENDS = "an episode ends"
"""What has to be seen of every pair that is not endless."""


@dataclass(frozen=True)
class Pair:
    """Two sides that claim to be the same environment.

    Attributes:
        name: for reports.
        reference, port: the two sides, made by :class:`Reference` and :class:`Port`.
        state: domain of each state field that cases are generated of; a field without one keeps the
            values that it has in visited states.
        rules: how far apart each field may be: "obs", "reward" and fields of the state. By default
            whole numbers and flags are equal, numbers with a fraction equal but for rounding.
        action: domain of the action; by default, the reference's action space.
        possible: state fields (N,) -> which of the states can occur, bool (N,); all by default.
        legal: (state fields, actions) of N rows -> which actions are legal there; all by default.
        branches: by name, what must have been seen at least once: as :data:`Where`.
        accepted: known differences.
        draw: (generator, count) -> state fields and actions of ``count`` cases of one's own, for states
            that hang together too closely for domains; half of the drawn cases are these.
        policy: (generator, observation, state) of N lanes -> actions; draws from the action space, in
            stretches of the same, by default.
        describe: state of one case, values by name -> words for it, such as a board drawn as text, by
            name; shown with the smallest cases.
        endless: whether no episode ever ends, so that no end must have been seen; one that is seen is
            compared all the same.
        command: (state, action) of one case, plain values -> the command line that shows it again; by
            default ``envparity case`` where the pair's place is known.
    """

    name: str
    reference: Side
    port: Side
    state: Mapping[str, Domain] = field(default_factory=dict)
    rules: Mapping[str, Rule] = field(default_factory=dict)
    action: Domain | None = None
    possible: Callable[[Fields], Array] | None = None
    legal: Callable[[Fields, Fields], Array] | None = None
    branches: Mapping[str, Where] = field(default_factory=dict)
    accepted: tuple[Accepted, ...] = ()
    draw: Draw | None = None
    policy: Callable[[Any, Fields, Fields], Any] | None = None
    describe: Callable[[dict[str, Any]], Mapping[str, Any]] | None = None
    command: Callable[[dict[str, Any], Any], str] | None = None
    endless: bool = False

    def __post_init__(self) -> None:
        for side in ("reference", "port"):
            if not hasattr(getattr(self, side), "transition"):
                kind = type(getattr(self, side)).__name__
                raise InputError(
                    f"{self.name}: the {side} is of type {kind}; make it with "
                    f"{side.title()}.gymnasium(...), "
                    ".gymnax(...), .functional(...), .state_api(...) or .mutable(...)"
                )
        if EPISODE_ENDS in self.branches:
            raise InputError(
                f"{self.name}: a branch is named {EPISODE_ENDS!r}, which is counted of every pair; "
                "name it otherwise, or leave it out"
            )
        functions = {name: getattr(self, name) for name in FUNCTIONS} | dict(self.branches)
        for name, function in functions.items():
            if not callable(function) and (function is not None or name in self.branches):
                kind, wanted = (
                    type(function).__name__,
                    FUNCTIONS.get(name, "states, actions and states after"),
                )
                raise InputError(f"{self.name}: {name} is of type {kind}; give a function of {wanted}")
        domains = dict(self.state) | ({} if self.action is None else {"action": self.action})
        for name, domain in domains.items():
            if not isinstance(domain, Domain):
                raise InputError(
                    f"{self.name}: {name} has a {type(domain).__name__}; give real(...) or integer(...)"
                )
        if not isinstance(self.accepted, tuple | list) or not all(
            isinstance(one, Accepted) for one in self.accepted
        ):
            raise InputError(
                f"{self.name}: accepted is {self.accepted!r}; give a tuple of them, such as "
                "(Accepted('reward', 'why it differs'),)"
            )
        for name, rule in self.rules.items():
            if not isinstance(rule, Rule):
                raise InputError(f"{self.name}: {name} has {rule!r}; give exact(), close() or angle()")
        for one, other in ((self.reference, self.port), (self.port, self.reference)):
            one.partner = other
