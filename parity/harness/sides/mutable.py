"""A side that is an object which is stepped and changes: Gymnasium, NumPy, C behind Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.harness.sides.restarting import final_in, final_rows, restarted_within
from parity.harness.sides.side import (
    Lanes,
    Moments,
    Side,
    Steps,
    action_tree,
    named,
    nests_for,
    outcome_of,
    require_fields,
)
from parity.harness.sides.wide_actions import raised, refusal_of_wide, widen_space, widened
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
    stack,
)

Stepped = tuple[Any, Any, Any, Any, Mapping[str, Any]]
"""Observation, reward, terminated, truncated, info."""
Watch = Callable[[int], AbstractContextManager[Any]]
"""Number of a row -> what it is stepped within, such as a recording of its draws."""


@dataclass(eq=False)
class MutableSide:
    """An environment that changes when it is stepped.

    Attributes:
        make: () -> an environment.
        read: environment -> its state, any tree of numbers, flags and arrays.
        reset: (environment, seed) -> the first observation.
        step: (environment, action) -> observation, reward, terminated, truncated, info.
        write: (environment, state of the form that ``read`` returns) -> None; None if there is no way.
        reseed: (environment, seed) -> None; sets what draws within a step come from.
        action_space, observation_space: environment -> a space, None if there is none.
        make_double: as ``make``, for the environment that computes in double precision, where the one
            of ``make`` does not when its state is.
        hands_out_final: whether the observation and state after a step that ends an episode are the
            final ones; False for environments that restart by themselves within the step, and hand out
            the final observation as "final_obs" of info, if at all.
        language: what it is, in a word or two.
        sources: modules that its code lies in.
        counter: name of the state's field that counts the steps up to a ``TimeLimit``, if it is read.
        partner: the other side of the pair, whose action space counts where this one has none.
    """

    make: Callable[[], Any]
    read: Callable[[Any], Any]
    reset_one: Callable[[Any, int], Any]
    step_one: Callable[[Any, Any], Stepped]
    write: Callable[[Any, Any], None] | None = None
    reseed: Callable[[Any, int], None] | None = None
    action_space: Callable[[Any], Any] | None = None
    observation_space: Callable[[Any], Any] | None = None
    make_double: Callable[[], Any] | None = None
    hands_out_final: bool = True
    language: str = "object"
    sources: tuple[str, ...] = ()
    counter: str | None = None
    _envs: dict[bool, Any] = field(default_factory=dict, init=False)
    _native: dict[str, np.dtype[Any]] = field(default_factory=dict, init=False)
    _form: Any = field(default=None, init=False)
    _is_of_a_step: bool = field(default=False, init=False)
    _refusal: str | None = field(default=None, init=False)
    _widens: bool = field(default=False, init=False)
    partner: Side | None = field(default=None, init=False, repr=False)

    @property
    def can_write(self) -> bool:
        """Whether it can be put in a state."""
        return self.write is not None

    def _new(self, double: bool) -> Any:
        maker = self.make_double if double and self.make_double is not None else self.make
        env = maker()
        self.reset_one(env, 0)
        return env

    def _env(self, double: bool) -> Any:
        if double not in self._envs:
            self._envs[double] = self._new(double)
        return self._envs[double]

    def environment(self) -> object:
        """Return the environment."""
        return self._env(False)

    def spaces(self) -> Mapping[str, Space | None]:
        """Return the declared spaces."""
        env = self._env(False)
        readers = {"action": self.action_space, "obs": self.observation_space}
        return {
            name: None if read is None else describe_space(read(env), name)
            for name, read in readers.items()
        }

    def nest(self) -> Any:
        """Return how the action space nests its parts; None where there is none."""
        return self.action_space and nest_of(self.action_space(self._env(False)), "action")

    def state_of(self, env: Any) -> Fields:
        """Return the state of an environment as named arrays."""
        fields = flatten(self.read(env))
        named(fields)
        return {name: as_numbers(name, value) for name, value in fields.items()}

    def native(self, action: Any = None, state: Fields | None = None) -> dict[str, np.dtype[Any]]:
        """Return the dtype of every state field as the environment holds it; in mid-episode, once an
        action is given: one that may be taken where an episode begins, or in a state's first row."""
        if not self._native:
            self._held(self._new(False))
        if action is not None and not self._is_of_a_step:
            self._is_of_a_step = True
            env = self._new(False)
            if state is None:
                self.step_one(env, action)
            elif raised(lambda: self.step_one(env, action)):
                env = self._new(False)
                if raised(lambda: self._step_from(env, state, action)):
                    return self._native
            self._held(env)
        return self._native

    def _step_from(self, env: Any, state: Fields, action: Any) -> None:
        self._put(env, self._prepared(state, False), 0)
        self.step_one(env, action)

    def _held(self, env: Any) -> None:
        self._form = self.read(env)
        self._native = {name: value.dtype for name, value in self.state_of(env).items()}

    def _put(self, env: Any, state: Fields, row: int) -> None:
        assert self.write is not None
        # a copy, since it may be stepped in place
        self.write(env, rebuild(self._form, lambda name, _: state[name][row].copy()))

    def _prepared(self, state: Fields, double: bool) -> Fields:
        if self.write is None:
            raise InputError("this side cannot be put in a state; give it a way to write one")
        native, wide = self.native(), np.dtype(np.float64)
        require_fields(native, state)
        return {
            name: cast(name, state[name], wide if double and dtype.kind == "f" else dtype)
            for name, dtype in native.items()
        }

    def reset(self, seeds: Array, double: bool = False, watch: Watch = nullcontext) -> Moments:
        """Return what episodes begun with seeds (N,) show; each is begun within ``watch(row)``."""
        env = self._env(double)
        states, seen = [], []
        for row, seed in enumerate(seeds):
            with watch(row):
                obs = self.reset_one(env, int(seed))
            seen.append({name: np.array(v) for name, v in flatten(obs, "obs").items()})
            states.append({name: np.array(v) for name, v in self.state_of(env).items()})
        return Moments(stack(states, "state"), stack(seen, "observation"))

    def transition(
        self,
        state: Fields,
        actions: Fields,
        seeds: Array,
        double: bool = False,
        watch: Watch = nullcontext,
    ) -> Steps:
        """Put the environment in N states and take one step in each, within ``watch(row)``."""
        nests = nests_for(actions, self, self.partner)
        self.native(action_tree(actions, 0, *nests), state)
        env, ready, rows = self._env(double), self._prepared(state, double), _Rows(self.hands_out_final)
        actions = self.handed_over(actions, double, [env])
        for row in range(rows_of(actions)):
            if rows.ended_last:
                self.reset_one(env, 0)  # clears what a side remembers of an end
            self._put(env, ready, row)
            with watch(row):
                if self.reseed is not None:
                    self.reseed(env, int(seeds[row]))
                stepped = self.step_one(env, action_tree(actions, row, *nests))
            rows.add(stepped, self.state_of(env))
        if rows.ended_last:
            self.reset_one(env, 0)
        return rows.steps()

    def handed_over(self, actions: Fields, double: bool, envs: Sequence[Any]) -> Fields:
        """Return actions (N, ...) in the precision that environments are handed them in; their spaces
        are widened where those would refuse them."""
        if not double or self.why_not_wide(actions):
            return actions
        if self._widens and self.action_space is not None:
            for env in envs:
                widen_space(env, self.action_space(env))
        return widened(actions)

    def why_not_wide(self, actions: Fields) -> str:
        """Return why the environment takes no actions in double precision, not even if its space does,
        or nothing: see :func:`refusal_of_wide`."""

        def step(given: Fields, row: int) -> None:
            env = self._new(True)
            if self._widens and self.action_space is not None:
                widen_space(env, self.action_space(env))
            self.step_one(env, action_tree(given, row, *nests_for(given, self, self.partner)))

        if self._refusal is None:
            self._refusal = refusal_of_wide(actions, step)
            if self._refusal and self.action_space is not None:
                self._widens = True
                self._refusal = refusal_of_wide(actions, step)
        return self._refusal

    def lanes(self, seeds: Array, state: Fields | None, double: bool = False) -> Lanes:
        """Begin an episode for each seed, in given states or where the seeds lead."""
        envs, shown = [], []
        ready = None if state is None else self._prepared(state, double)
        for row, seed in enumerate(seeds):
            env = self._new(double)
            shown.append(self.reset_one(env, int(seed)))
            if ready is not None:
                self._put(env, ready, row)
            envs.append(env)
        seen = [{name: np.array(v) for name, v in flatten(obs, "obs").items()} for obs in shown]
        states = [{name: np.array(v) for name, v in self.state_of(env).items()} for env in envs]
        start = Moments(stack(states, "state"), stack(seen, "observation"))
        return MutableLanes(self, envs, double, start)


class _Rows:
    """Collects steps one by one."""

    def __init__(self, hands_out_final: bool) -> None:
        self._states: list[Fields] = []
        self._seen: list[Fields] = []
        self._outcomes: list[Fields] = []
        self._info: set[str] = set()
        self._told: list[Fields] = []
        self._final: list[Any] = []
        self._hands_out_final = hands_out_final
        self.ended_last = False

    def add(self, stepped: Stepped, state: Fields) -> None:
        obs, reward, terminated, truncated, info = stepped
        self._seen.append({name: np.array(value) for name, value in flatten(obs, "obs").items()})
        self._states.append({name: np.array(value) for name, value in state.items()})
        flags = {"terminated": terminated, "truncated": truncated}
        over = {name: np.asarray(value).astype(bool) for name, value in flags.items()}
        self._outcomes.append({"reward": reward, **over})
        self._info |= set(info)
        self._told.append(numbers_in(info))
        self._final.append(final_in(info))
        self.ended_last = any(value.any() for value in over.values())

    def steps(self) -> Steps:
        steps = Steps(
            state=stack(self._states, "state"),
            obs=stack(self._seen, "observation"),
            outcome=outcome_of(stack(self._outcomes, "outcome")),
            final=np.ones(len(self._outcomes), bool),
            info=frozenset(self._info),
            told=self._always_told(),
            at_times=self._told_at_times(),
        )
        if self._hands_out_final:
            return steps
        final = np.empty(len(self._final), object)
        final[:] = self._final
        return restarted_within(steps, final_rows(steps.obs, steps.ended, final))

    def _always_told(self) -> Fields:
        """Return what every step told, in one shape."""
        names = set.intersection(*(set(one) for one in self._told)) if self._told else set()
        kinds = {name: {one[name].shape for one in self._told} for name in names}
        return {
            name: np.stack([one[name] for one in self._told])
            for name in sorted(names)
            if len(kinds[name]) == 1
        }

    def _told_at_times(self) -> dict[str, tuple[Array, Array]]:
        """Return what only some steps told, in one shape: in which, and the values, zeros elsewhere."""
        names = dict.fromkeys(name for one in self._told for name in one)
        found = {}
        for name in names:
            when = np.array([name in one for one in self._told])
            given = [one[name] for one in self._told if name in one]
            if not when.all() and len({value.shape for value in given}) == 1:
                told = np.stack(given)
                values = np.zeros((len(when), *told.shape[1:]), told.dtype)
                values[when] = told
                found[name] = (when, values)
        return found


class MutableLanes:
    """Environments of one kind that run side by side."""

    def __init__(self, side: MutableSide, envs: list[Any], double: bool, start: Moments) -> None:
        self._side, self._envs, self._double, self.start = side, envs, double, start
        self._left, self._last = np.full(len(envs), False), dict[int, tuple[Stepped, Fields]]()

    def leave(self, rows: Array) -> None:
        """Step some lanes, bool (N,), no more, unless they begin another episode by themselves: theirs
        has ended, and their environments may raise. What they show is their last step."""
        self._left = rows & self._side.hands_out_final

    def advance(self, actions: Fields, seeds: Array) -> Steps:
        """Take one step in every lane."""
        rows = _Rows(self._side.hands_out_final)
        actions = self._side.handed_over(actions, self._double, self._envs)
        nests = nests_for(actions, self._side, self._side.partner)
        for row, (env, seed) in enumerate(zip(self._envs, seeds, strict=True)):
            if not self._left[row] or row not in self._last:
                if self._side.reseed is not None:
                    self._side.reseed(env, int(seed))
                stepped = self._side.step_one(env, action_tree(actions, row, *nests))
                self._last[row] = stepped, self._side.state_of(env)
            rows.add(*self._last[row])
        return rows.steps()

    def restart(self, row: int, seed: int) -> Moments:
        """Begin another episode in one lane and return what it shows, with a leading axis of 1."""
        env = self._envs[row]
        obs = self._side.reset_one(env, seed)
        state = {name: np.array(value)[None] for name, value in self._side.state_of(env).items()}
        seen = {name: np.array(value)[None] for name, value in flatten(obs, "obs").items()}
        return Moments(state, seen)
