"""A side that is one object for many copies of an environment: EnvPool, Gymnasium's vectors, NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.restarting import Restarts, final_in, final_rows, restarted_within
from parity.harness.sides.side import (
    Lanes,
    Moments,
    Side,
    Steps,
    action_tree,
    any_flag,
    join_moments,
    named,
    nests_for,
    outcome_of,
    require_fields,
)
from parity.harness.sides.wide_actions import raised, refusal_of_wide, widened
from parity.harness.spaces import Space, describe_space, nest_of
from parity.harness.trees import (
    Array,
    Fields,
    as_numbers,
    cast,
    flatten,
    numbers_in,
    rebuild,
    rows_of,
    take,
)

BATCH = 256
"""Copies that are stepped in one call; fewer rows are filled up."""


def _reset(env: Any, seeds: Array) -> Any:
    """Begin an episode in every copy as Gymnasium's vector environments do."""
    shown = env.reset(seed=[int(seed) for seed in seeds])
    return shown[0] if isinstance(shown, tuple) else shown


@dataclass(eq=False)
class BatchedSide:
    """An environment of many copies, which are stepped together and may restart by themselves.

    Attributes:
        make: number of copies -> an environment of so many.
        read: environment -> its state, any tree of arrays (copies, ...).
        write: (environment, state of the form that ``read`` returns) -> None.
        reset_all: (environment, seeds (copies,)) -> first observations (copies, ...); by default
            ``env.reset(seed=[...])``, as of Gymnasium's vector environments.
        step_all: (environment, actions (copies, ...)) -> observation, reward, terminated, truncated,
            info, arrays with a leading axis of the copies; by default ``env.step(actions)``.
        restarts: when a copy whose episode ended begins another one.
        final: info -> final observations (copies, ...), None where they are not handed out; by default
            "final_obs" or "final_observation".
        reseed: (environment, seeds (copies,)) -> None; sets what draws within a step come from.
        action_space, observation_space: environment -> the space of one copy, None if there is none.
        make_double: as ``make``, for the environment that computes in double precision, where the one
            of ``make`` does not when its state is.
        language: what it is, in a word or two.
        sources: modules that its code lies in.
        batch: copies that are stepped in one call.
        partner: the other side of the pair, whose action space counts where this one has none.
    """

    make: Callable[[int], Any]
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], None] | None = None
    reset_all: Callable[[Any, Array], Any] = _reset
    step_all: Callable[[Any, Any], Any] = lambda env, actions: env.step(actions)
    restarts: Restarts = "same step"
    final: Callable[[Mapping[str, Any]], Any] = final_in
    reseed: Callable[[Any, Array], None] | None = None
    action_space: Callable[[Any], Any] | None = None
    observation_space: Callable[[Any], Any] | None = None
    make_double: Callable[[int], Any] | None = None
    language: str = "batched object"
    sources: tuple[str, ...] = ()
    batch: int = BATCH
    _envs: dict[bool, Any] = field(default_factory=dict, init=False)
    _native: dict[str, np.dtype[Any]] = field(default_factory=dict, init=False)
    _form: Any = field(default=None, init=False)
    _is_of_a_step: bool = field(default=False, init=False)
    _refusal: str | None = field(default=None, init=False)
    partner: Side | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("make", "read", "reset_all", "step_all"):
            if not callable(getattr(self, name)):
                kind = type(getattr(self, name)).__name__
                raise InputError(f"{name} of a batched side is of type {kind}; give a function")
        if self.restarts not in ("same step", "next step", "never"):
            raise InputError(
                f"restarts is {self.restarts!r}; say when a copy begins another episode: 'same step', "
                "'next step' or 'never'"
            )

    @property
    def can_write(self) -> bool:
        """Whether it can be put in a state."""
        return self.write is not None

    def new(self, copies: int, double: bool = False) -> Any:
        """Return an environment of some copies, reset with seed 0."""
        env = (self.make_double if double and self.make_double is not None else self.make)(copies)
        self.reset_all(env, np.zeros(copies, np.int64))
        return env

    def _env(self, double: bool) -> Any:
        if double not in self._envs:
            self._envs[double] = self.new(self.batch, double)
        return self._envs[double]

    def environment(self) -> object:
        """Return the environment."""
        return self._env(False)

    def spaces(self) -> Mapping[str, Space | None]:
        """Return the declared spaces of one copy."""
        readers = {"action": self.action_space, "obs": self.observation_space}
        return {
            name: None if read is None else describe_space(read(self._env(False)), name)
            for name, read in readers.items()
        }

    def nest(self) -> Any:
        """Return how the action space nests its parts; None where there is none."""
        return self.action_space and nest_of(self.action_space(self._env(False)), "action")

    def state_of(self, env: Any, copies: int) -> Fields:
        """Return the state of all copies as named arrays (copies, ...).

        Raises:
            InputError: a field has another number of rows.
        """
        fields = flatten(self.read(env))
        named(fields)
        return _with_rows("state", fields, copies)

    def native(self, action: Any = None, state: Fields | None = None) -> dict[str, np.dtype[Any]]:
        """Return the dtype of every state field as the environment holds it; after a step with an
        action, once one is given: one that may be taken at first, or in a state (copies, ...)."""
        env = self._env(False)
        if not self._native:
            self._held(env)
        if action is not None and not self._is_of_a_step:
            self._is_of_a_step = True
            if state is None:
                self.step_all(env, action)
            elif raised(lambda: self.step_all(env, action)):
                self.reset_all(env, np.zeros(self.batch, np.int64))
                if raised(lambda: self._step_from(env, state, action)):
                    return self._native
            self._held(env)
        return self._native

    def _step_from(self, env: Any, state: Fields, action: Any) -> None:
        self.put(env, state, False)
        self.step_all(env, action)

    def _held(self, env: Any) -> None:
        self._form = self.read(env)
        self._native = {name: value.dtype for name, value in self.state_of(env, self.batch).items()}

    def put(self, env: Any, state: Fields, double: bool) -> None:
        """Put every copy in a state, fields (copies, ...), in the environment's own dtypes.

        Raises:
            InputError: there is no way to, a field is missing, or a whole number does not fit.
        """
        if self.write is None:
            raise InputError("this side cannot be put in a state; give it a way to write one")
        native, wide = self.native(), np.dtype(np.float64)
        require_fields(native, state)
        ready = {
            name: cast(name, state[name], wide if double and dtype.kind == "f" else dtype)
            for name, dtype in native.items()
        }
        self.write(env, rebuild(self._form, lambda name, _: ready[name].copy()))

    def reset(self, seeds: Array, double: bool = False) -> Moments:
        """Return what episodes begun with seeds (N,) show."""
        env, parts = self._env(double), []
        for rows, size in _chunks(len(seeds), self.batch):
            obs = _with_rows(
                "observation", flatten(self.reset_all(env, seeds[rows]), "obs"), self.batch
            )
            state = self.state_of(env, self.batch)
            parts.append(Moments(_first(state, size), _first(obs, size)))
        return join_moments(parts)

    def transition(self, state: Fields, actions: Fields, seeds: Array, double: bool = False) -> Steps:
        """Put the copies in N states and take one step in each."""
        env, parts = self._env(double), []
        actions = self.handed_over(actions, double)
        nests = nests_for(actions, self, self.partner)
        first = np.zeros(self.batch, int)
        tree = action_tree(take(actions, first), slice(None), *nests)
        self.native(tree, take(state, first))
        for rows, size in _chunks(rows_of(actions), self.batch):
            self.reset_all(env, seeds[rows])  # clears what is remembered of ends; restarts draw anew
            self.put(env, take(state, rows), double)
            parts.append(self.stepped(env, take(actions, rows), seeds[rows], size))
        return _joined(parts, self.restarts)

    def handed_over(self, actions: Fields, double: bool) -> Fields:
        """Return actions (N, ...) in the precision that the copies are handed them in."""
        return widened(actions) if double and not self.why_not_wide(actions) else actions

    def why_not_wide(self, actions: Fields) -> str:
        """Return why the copies take no actions in double precision, or nothing: see
        :func:`refusal_of_wide`."""

        def step(given: Fields, row: int) -> None:
            tree = action_tree(
                take(given, np.full(self.batch, row)),
                slice(None),
                *nests_for(given, self, self.partner),
            )
            self.step_all(self.new(self.batch, True), tree)

        if self._refusal is None:
            self._refusal = refusal_of_wide(actions, step)
        return self._refusal

    def stepped(self, env: Any, actions: Fields, seeds: Array, size: int) -> _Part:
        """Take one step in every copy and return what the first ``size`` of them handed out."""
        copies = len(seeds)
        if self.reseed is not None:
            self.reseed(env, seeds)
        tree = action_tree(actions, slice(None), *nests_for(actions, self, self.partner))
        seen, reward, terminated, truncated, info = self.step_all(env, tree)
        outcome = _with_rows(
            "step", {"reward": reward, "terminated": terminated, "truncated": truncated}, copies
        )
        obs = _with_rows("observation", flatten(seen, "obs"), copies)
        for name in ("terminated", "truncated"):
            outcome[name] = outcome[name].astype(bool)
        ended = any_flag(outcome["terminated"]) | any_flag(outcome["truncated"])
        final = final_rows(obs, ended, self.final(info))
        told = {
            name: value
            for name, value in numbers_in(info).items()
            if value.shape[:1] == (copies,) and not name.startswith(("_", "final_"))
        }
        names = frozenset(name for name in info if not name.startswith("_"))
        return _Part(
            _first(self.state_of(env, copies), size),
            _first(obs, size),
            _first(outcome_of(outcome), size),
            None if final is None else _first(final, size),
            _first(told, size),
            names,
        )

    def lanes(self, seeds: Array, state: Fields | None, double: bool = False) -> Lanes:
        """Begin an episode for each seed, in given states or where the seeds lead."""
        env = self.new(len(seeds), double)
        obs = _with_rows(
            "observation", flatten(self.reset_all(env, np.asarray(seeds)), "obs"), len(seeds)
        )
        if state is not None:
            self.native()
            self.put(env, state, double)
        start = Moments(_first(self.state_of(env, len(seeds)), len(seeds)), _first(obs, len(seeds)))
        return BatchedLanes(self, env, double, start)

    def one(self) -> MutableSide:
        """Return the side that is an environment of a single copy."""

        def first(tree: Any) -> Any:
            return rebuild(tree, lambda _, leaf: np.asarray(leaf)[0])

        def batch_of_one(tree: Any) -> Any:
            return rebuild(tree, lambda _, leaf: np.asarray(leaf)[None])

        def put(env: Any, state: Any) -> None:
            assert self.write is not None
            self.write(env, batch_of_one(state))

        def step(env: Any, action: Any) -> Any:
            obs, *outcome, info = self.step_all(env, batch_of_one(action))
            final = self.final(info)
            told = {} if final is None else {"final_obs": first(final)}
            return first(obs), *(np.asarray(value)[0] for value in outcome), told

        wide = self.make_double

        def reseed(env: Any, seed: int) -> None:
            assert self.reseed is not None
            self.reseed(env, np.array([seed]))

        single = MutableSide(
            make=lambda: self.make(1),
            read=lambda env: first(self.read(env)),
            reset_one=lambda env, seed: first(self.reset_all(env, np.array([seed]))),
            step_one=step,
            write=None if self.write is None else put,
            reseed=None if self.reseed is None else reseed,
            make_double=None if wide is None else functools.partial(wide, 1),
            hands_out_final=self.restarts != "same step",
            action_space=self.action_space,
        )
        single.partner = self.partner
        return single


@dataclass
class _Part:
    """What some copies handed out of a step."""

    state: Fields
    obs: Fields
    outcome: Fields
    final: Fields | None
    told: Fields
    info: frozenset[str]


class BatchedLanes:
    """The copies of one environment, each in an episode of its own.

    Attributes:
        restarts: when a copy begins another episode, as of the side.
        start: what they begin in.
    """

    def __init__(self, side: BatchedSide, env: Any, double: bool, start: Moments) -> None:
        self._side, self._env, self._double, self.start = side, env, double, start
        self.restarts = side.restarts

    def advance(self, actions: Fields, seeds: Array) -> Steps:
        """Take one step in every lane."""
        actions = self._side.handed_over(actions, self._double)
        part = self._side.stepped(self._env, actions, np.asarray(seeds), len(seeds))
        return _joined([part], self._side.restarts)


def _joined(parts: list[_Part], restarts: Restarts) -> Steps:
    """Return the steps of several calls, one after another."""

    def joined(fields: list[Fields]) -> Fields:
        """Return what every call has, in one shape."""
        shapes = [{(name, value.shape[1:]) for name, value in part.items()} for part in fields]
        names = {name for name, _ in set.intersection(*shapes)}
        return {
            name: np.concatenate([part[name] for part in fields]) for name in fields[0] if name in names
        }

    steps = Steps(
        state=joined([part.state for part in parts]),
        obs=joined([part.obs for part in parts]),
        outcome=joined([part.outcome for part in parts]),
        final=np.ones(sum(len(part.outcome["reward"]) for part in parts), bool),
        info=frozenset().union(*(part.info for part in parts)),
        told=joined([part.told for part in parts]),
    )
    if restarts != "same step":
        return steps
    final = [part.final for part in parts if part.final is not None]
    return restarted_within(steps, joined(final) if len(final) == len(parts) else None)


def _with_rows(what: str, fields: Fields, copies: int) -> Fields:
    """Return fields as arrays of numbers that have a row for every copy.

    Raises:
        InputError: one has not.
    """
    arrays = {name: as_numbers(name, value) for name, value in fields.items()}
    for name, value in arrays.items():
        if value.shape[:1] != (copies,):
            raise InputError(
                f"{what} {name} of a batched side has shape {value.shape} for {copies} copies; it must "
                f"begin with {copies}"
            )
    return arrays


def _first(fields: Fields, size: int) -> Fields:
    return {name: np.array(value[:size]) for name, value in fields.items()}


def _chunks(count: int, batch: int) -> list[tuple[Array, int]]:
    """Return the rows of each call, the last one's filled up with its last, and how many count."""
    return [
        (np.minimum(np.arange(start, start + batch), count - 1), min(batch, count - start))
        for start in range(0, count, batch)
    ]
