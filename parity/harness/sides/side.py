"""What every side can do, whatever it is written in: reset, and step from given states or its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from foundation.errors import InputError
from parity.harness.spaces import Space
from parity.harness.trees import Array, Fields, as_numbers, join, take

OUTCOME = ("reward", "terminated", "truncated")
"""Names of what a step returns beside state and observation."""


@dataclass
class Moments:
    """N moments of a side: fields of the state, and of the observation (named "obs...")."""

    state: Fields
    obs: Fields


@dataclass
class Steps:
    """What N steps led to.

    Attributes:
        state, obs: fields after the step, before any restart.
        outcome: reward, terminated and truncated, (N,).
        final: bool (N,), whether state and observation are truly those before a restart; a side that
            restarts by itself and hands out no final state has False, and zeros, where one ended.
        restart: what a side that restarts by itself handed out instead, None for one that does not.
        info: names of further values.
        told: those of them that are numbers, flags or arrays of them in every step, by flattened name.
        at_times: such that only some steps told, as at an end: in which, bool (N,), and the values,
            zeros in the others.
        final_obs: bool (N,), the same of the observation alone, where that is handed out and the state
            is not; None for ``final``.
    """

    state: Fields
    obs: Fields
    outcome: Fields
    final: Array
    restart: Moments | None = None
    info: frozenset[str] = frozenset()
    told: Fields = field(default_factory=dict)
    final_obs: Array | None = None
    at_times: dict[str, tuple[Array, Array]] = field(default_factory=dict)

    def rows(self, rows: Any) -> Steps:
        """Return some of the steps, without what a restart handed out."""
        state, obs, outcome = (take(part, rows) for part in (self.state, self.obs, self.outcome))
        told, shown = take(self.told, rows), self.final_of("obs")[rows]
        some = Steps(state, obs, outcome, self.final[rows], info=self.info, told=told, final_obs=shown)
        some.at_times = {name: (when[rows], of[rows]) for name, (when, of) in self.at_times.items()}
        return some

    def told_of(self, name: str) -> tuple[Array, Array] | None:
        """Return in which steps a number was told, bool (N,), and its values; None if in none."""
        if name in self.told:
            return np.ones(len(self.final), bool), self.told[name]
        return self.at_times.get(name)

    def final_of(self, name: str) -> Array:
        """Return where a field is truly the one before a restart: bool (N,)."""
        if name in OUTCOME:
            return np.ones(len(self.final), bool)
        of_observation = name.partition(".")[0] == "obs" and self.final_obs is not None
        return np.asarray(self.final_obs) if of_observation else self.final

    @property
    def fields(self) -> Fields:
        """All fields of the moment after the step."""
        return {**self.state, **self.obs, **self.outcome}

    @property
    def of_the_step(self) -> Fields:
        """All fields, without what was handed out of an end after a restart: zeros in its place, since
        that may be of the next episode, whose start is drawn."""
        if self.final_obs is None or np.array_equal(self.final_obs, self.final):
            return self.fields
        shown = {
            name: np.where(self.ended.reshape(-1, *(1,) * (value.ndim - 1)), 0, value)
            for name, value in self.obs.items()
        }
        return {**self.fields, **shown}

    @property
    def ended(self) -> Array:
        """Where an episode ended: bool (N,)."""
        return any_flag(self.outcome["terminated"]) | any_flag(self.outcome["truncated"])


def any_flag(values: Array) -> Array:
    """Return which of N rows have a flag set, whatever their form: bool (N,)."""
    return np.asarray((values != 0).reshape(len(values), -1).any(axis=1))


def outcome_of(given: Mapping[str, Any]) -> Fields:
    """Return the outcome of N steps as a number and two flags a step, where it plainly is that.

    An array of one element is its element, 0 and 1 are a flag, and a flag as a reward is a number. What
    is anything else is left as it is: the judge does not compare it, and fails it.

    Raises:
        InputError: a part holds something else than numbers and flags.
    """
    outcome = {}
    for name, raw in given.items():
        value = as_numbers(name, raw)
        if value.size == len(value):
            value = value.reshape(len(value))
        if name == "reward":
            value = value.astype(np.int64) if value.dtype == bool else value
        elif ((value == 0) | (value == 1)).all():
            value = value.astype(bool)
        outcome[name] = value
    return outcome


def join_steps(parts: list[Steps]) -> Steps:
    """Return several sets of steps, one after another."""
    restarts = [part.restart for part in parts if part.restart is not None]
    told = set.intersection(*(set(part.told) for part in parts))
    return Steps(
        state=join([part.state for part in parts]),
        obs=join([part.obs for part in parts]),
        outcome=join([part.outcome for part in parts]),
        final=np.concatenate([part.final for part in parts]),
        restart=join_moments(restarts) if len(restarts) == len(parts) else None,
        info=frozenset().union(*(part.info for part in parts)),
        told=join([{name: part.told[name] for name in sorted(told)} for part in parts]),
        final_obs=np.concatenate([part.final_of("obs") for part in parts]),
        at_times=_at_times(parts, told),
    )


def _at_times(parts: list[Steps], told: set[str]) -> dict[str, tuple[Array, Array]]:
    """Return what some of the steps told, but for what all did, where it always had one shape."""
    names = {name for part in parts for name in (*part.told, *part.at_times)} - told
    found = {}
    for name in sorted(names):
        given = [part.told_of(name) for part in parts]
        values = [one[1] for one in given if one is not None]
        if len({value.shape[1:] for value in values}) != 1:
            continue
        lack = [np.zeros((len(part.final), *values[0].shape[1:]), values[0].dtype) for part in parts]
        when = [
            np.zeros(len(none), bool) if one is None else one[0]
            for one, none in zip(given, lack, strict=True)
        ]
        of = [none if one is None else one[1] for one, none in zip(given, lack, strict=True)]
        found[name] = (np.concatenate(when), np.concatenate(of))
    return found


def join_moments(parts: list[Moments]) -> Moments:
    """Return several sets of moments, one after another."""
    return Moments(join([part.state for part in parts]), join([part.obs for part in parts]))


def take_moments(moments: Moments, rows: Any) -> Moments:
    """Return some of the moments."""
    return Moments(take(moments.state, rows), take(moments.obs, rows))


class Lanes(Protocol):
    """Episodes that run side by side, each from the state it has come to by itself."""

    def advance(self, actions: Fields, seeds: Array) -> Steps:
        """Take one step in every lane; a lane that has ended goes on as the side lets it."""
        ...


class Side(Protocol):
    """One side of a pair; its ``partner`` is the other, set by the pair.

    Every method takes ``double``: whether numbers with a fraction are handed over, and if the side can,
    computed, in double precision.
    """

    partner: Side | None

    @property
    def language(self) -> str:
        """What it is, in a word or two."""
        ...

    @property
    def can_write(self) -> bool:
        """Whether it can be put in a state."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """Modules that its code lies in, for the certificate."""
        ...

    def environment(self) -> object:
        """Return an object whose class the environment is defined in; None if there is none."""
        ...

    def native(self) -> Mapping[str, np.dtype[Any]]:
        """Return the dtype of every state field, as the side holds it in mid-episode."""
        ...

    def spaces(self) -> Mapping[str, Space | None]:
        """Return the declared spaces "action" and "obs"; None where it declares none."""
        ...

    def nest(self) -> Any:
        """Return how the declared action space nests its parts; None where it declares none."""
        ...

    def reset(self, seeds: Array, double: bool = False) -> Moments:
        """Return what episodes begun with seeds (N,) show."""
        ...

    def transition(self, state: Fields, actions: Fields, seeds: Array, double: bool = False) -> Steps:
        """Put the side in N states and take one step in each."""
        ...

    def lanes(self, seeds: Array, state: Fields | None, double: bool = False) -> Lanes:
        """Begin an episode for each seed, in given states or where the seeds lead."""
        ...


def named(fields: Mapping[str, Any]) -> None:
    """Refuse names of state fields that an outcome or the observation has.

    Raises:
        InputError: one is taken.
    """
    for name in fields:
        if name in OUTCOME or name == "obs" or name.startswith("obs."):
            raise InputError(f"a field of the state is called {name}, which a step returns; rename it")


def require_fields(names: Iterable[str], state: Fields) -> None:
    """Require that a state has all fields that a side holds.

    Raises:
        InputError: it lacks some.
    """
    missing = sorted(set(names) - set(state))
    if missing:
        raise InputError(f"the other side's state has no field {', '.join(missing)}")


def nests_for(fields: Fields, *sides: Side | None) -> list[Any]:
    """Return how the sides' action spaces nest these fields of actions, for :func:`action_tree`."""
    lone = list(fields) == ["action"]
    return [] if lone else [side.nest() for side in sides if side is not None]


def action_tree(fields: Fields, row: Any, *nests: Any) -> Any:
    """Return the action of one row (or of all, for ``row = slice(None)``) as its space nests it: a
    copy, since a side may change it in place.

    Args:
        fields: of actions (N, ...).
        row: which.
        nests: of spaces, as :func:`parity.harness.spaces.nest_of` returns them, None for one that is
            not known; the first that has these fields counts. Without one, names tell: parts that are
            numbered are a tuple's.
    """
    if list(fields) == ["action"]:
        return fields["action"][row].copy()
    for nest in nests:
        if nest is not None and sorted(_names_in(nest)) == sorted(fields):
            return _filled(nest, fields, row)
    tree: dict[str, Any] = {}
    for name, values in fields.items():
        place = tree
        *above, last = name.split(".")[1:]
        for part in above:
            place = place.setdefault(part, {})
        place[last] = values[row].copy()
    return _tuples(tree)


def _tuples(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    parts = {name: _tuples(part) for name, part in tree.items()}
    if all(name.isdigit() for name in parts):
        return tuple(parts[name] for name in sorted(parts, key=int))
    return parts


def _names_in(nest: Any) -> list[str]:
    if isinstance(nest, str):
        return [nest]
    parts = nest.values() if isinstance(nest, dict) else nest
    return [name for part in parts for name in _names_in(part)]


def _filled(nest: Any, fields: Fields, row: Any) -> Any:
    if isinstance(nest, str):
        return fields[nest][row].copy()
    if isinstance(nest, dict):
        return {key: _filled(part, fields, row) for key, part in nest.items()}
    return tuple(_filled(part, fields, row) for part in nest)
