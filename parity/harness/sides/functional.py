"""A side that is pure functions: gymnax, brax, pgx, or a JAX rewrite of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from parity.harness.sides.side import (
    OUTCOME,
    Lanes,
    Moments,
    Side,
    Steps,
    action_tree,
    join_moments,
    join_steps,
    named,
    nests_for,
    outcome_of,
    require_fields,
)
from parity.harness.spaces import Space, describe_space, nest_of
from parity.harness.trees import (
    Array,
    Fields,
    cast,
    flatten,
    numbers_in,
    rebuild,
    rows_of,
    take,
)

BATCH = 1024
"""Rows that are stepped in one call; fewer are padded, so that one shape is compiled."""


def is_x64() -> bool:
    """Say whether JAX is set to 64 bits (``jax_enable_x64``)."""
    return bool(jax.dtypes.canonicalize_dtype(np.float64) == np.float64)


class Program(NamedTuple):
    """Pure functions of one environment, not batched.

    Attributes:
        reset: key -> observation, state.
        step: (key, state, action) -> observation, state, reward, terminated, truncated, info, with no
            restart.
        auto_step: the same with a restart where the episode ended, and the final observation in info
            under "final_observation" if it is handed out; None if there is none.
        action_space, observation_space: None if there is none.
    """

    reset: Callable[[Any], tuple[Any, Any]]
    step: Callable[[Any, Any, Any], tuple[Any, ...]]
    auto_step: Callable[[Any, Any, Any], tuple[Any, ...]] | None = None
    action_space: Any = None
    observation_space: Any = None


class _Compiled(NamedTuple):
    reset: Any
    transition: Any
    advance: Any
    begin: Any
    one: Any
    dtypes: dict[str, np.dtype[Any]]
    action: dict[str, np.dtype[Any]]
    program: Program


@dataclass(eq=False)
class FunctionalSide:
    """An environment of pure functions, driven batched and jitted, as a trainer runs it.

    Attributes:
        make: () -> :class:`Program`; called once for the precision at hand (single, unless the user's
            ``jax_enable_x64`` says otherwise) and once for double, so that constants which it makes are
            of that precision.
        read: state -> any tree of arrays; the state itself by default.
        write: (state, fields by name) -> state with these values; by default, leaves of the same names
            are replaced.
        leave_out: names of fields that the other side has not, such as those for drawing a picture.
        convert_action: action as the reference's space has it -> as this side takes it.
        language: what it is, in a word or two.
        sources: modules that its code lies in.
        batch: rows that are stepped in one call.
        made: () -> the object whose methods the functions are, None if they are of none.
        partner: the other side of the pair, whose action space ``convert_action`` is given actions of.
    """

    make: Callable[[], Program]
    read: Callable[[Any], Any] = lambda state: state
    write: Callable[[Any, Fields], Any] | None = None
    leave_out: tuple[str, ...] = ()
    convert_action: Callable[[Any], Any] = lambda action: action
    language: str = "JAX"
    sources: tuple[str, ...] = ()
    batch: int = BATCH
    made: Callable[[], Any] | None = None
    _compiled: dict[bool, _Compiled] = field(default_factory=dict, init=False)
    _info: set[str] = field(default_factory=set, init=False)
    _own: bool | None = field(default=None, init=False)
    partner: Side | None = field(default=None, init=False, repr=False)

    @property
    def can_write(self) -> bool:
        """Whether it can be put in a state: always, a state is a value."""
        return True

    def environment(self) -> object:
        """Return an object of the environment's class, None where there are functions alone."""
        return None if self.made is None else self.made()

    def spaces(self) -> Mapping[str, Space | None]:
        """Return the declared spaces."""
        program = self.functions(False).program
        spaces = {"action": program.action_space, "obs": program.observation_space}
        return {
            name: None if space is None else describe_space(space, name)
            for name, space in spaces.items()
        }

    def nest(self) -> Any:
        """Return how the action space nests its parts; None where there is none."""
        space = self.functions(False).program.action_space
        return None if space is None else nest_of(space, "action")

    def nested(self, actions: Fields, row: Any) -> Any:
        """Return the action of one row, or of all, as the pair's action space nests it."""
        return action_tree(actions, row, *nests_for(actions, self.partner, self))

    def native(self) -> dict[str, np.dtype[Any]]:
        """Return the dtype of every state field."""
        return self.functions(False).dtypes

    def fields_of(self, state: Any) -> Fields:
        """Return the fields of one state; traced."""
        fields = flatten(self.read(state))
        named(fields)
        return {
            name: jax.random.key_data(leaf) if _is_key(leaf) else jnp.asarray(leaf)
            for name, leaf in fields.items()
            if name not in self.leave_out
        }

    def placed(self, state: Any, fields: Fields) -> Any:
        """Return a state with other values in the fields given; traced."""
        if self.write is not None:
            return self.write(state, fields)

        def leaf(name: str, old: Any) -> Any:
            new = fields.get(name)
            if new is None:
                return old
            return jax.random.wrap_key_data(new) if _is_key(old) else new

        return rebuild(state, leaf)

    def one_step(self, program: Program, key: Any, state: Any, action: Any) -> tuple[Any, Any]:
        """Step one environment; return what came of it and the state to go on from."""
        obs, new, reward, terminated, truncated, info = program.step(key, state, action)
        self._info |= set(info)
        out = {
            "state": self.fields_of(new),
            "obs": flatten(obs, "obs"),
            "outcome": {"reward": reward, "terminated": terminated, "truncated": truncated},
            "told": _numbers(info),
        }
        if program.auto_step is not None:
            obs, fresh, reward, terminated, truncated, info = program.auto_step(key, state, action)
            out["restart"] = {"state": self.fields_of(fresh), "obs": flatten(obs, "obs")}
            out["auto"] = {"reward": reward, "terminated": terminated, "truncated": truncated}
            if "final_observation" in info:
                out["auto"] |= flatten(info["final_observation"], "obs")
        return out, new

    def precision(self, double: bool) -> AbstractContextManager[Any]:
        """Return what the functions are run within: double precision, or the setting of JAX that was
        at hand when they were first run, such as the user's own ``jax_enable_x64``."""
        if self._own is None:
            self._own = is_x64()
        with_x64: AbstractContextManager[Any] = jax.enable_x64(double or self._own)
        return with_x64

    def functions(self, double: bool) -> _Compiled:
        """Return the jitted functions of one precision, made when they are first asked for."""
        if double not in self._compiled:
            with self.precision(double):
                program = self.make()
                key = jax.random.PRNGKey(0)

                def reset(seed: Any) -> Any:
                    obs, state = program.reset(jax.random.PRNGKey(seed))
                    return {"state": self.fields_of(state), "obs": flatten(obs, "obs")}, state

                def transition(fields: Any, action: Any, seed: Any) -> Any:
                    key = jax.random.PRNGKey(seed)
                    state = self.placed(program.reset(key)[1], fields)
                    return self.one_step(program, key, state, self.convert_action(action))[0]

                def begin(seed: Any, fields: Any) -> Any:
                    return self.placed(program.reset(jax.random.PRNGKey(seed))[1], fields)

                def advance(state: Any, action: Any, seed: Any) -> Any:
                    return self.one_step(
                        program, jax.random.PRNGKey(seed), state, self.convert_action(action)
                    )

                first = jax.eval_shape(lambda key: self.fields_of(program.reset(key)[1]), key)
                dtypes = {name: np.dtype(leaf.dtype) for name, leaf in first.items()}
                space = program.action_space
                action = {} if space is None else describe_space(space, "action")
                self._compiled[double] = _Compiled(
                    jax.jit(jax.vmap(reset)),
                    jax.jit(jax.vmap(transition)),
                    jax.jit(jax.vmap(advance)),
                    jax.jit(jax.vmap(begin)),
                    jax.jit(transition),
                    dtypes,
                    {name: np.dtype(leaf.dtype) for name, leaf in action.items()},
                    program,
                )
        return self._compiled[double]

    def inputs(self, state: Fields, actions: Fields, double: bool) -> tuple[Fields, Any]:
        """Return states and actions in this side's dtypes.

        Raises:
            InputError: a field is missing, or a whole number does not fit.
        """
        functions, ready = self.functions(double), {}
        for name, values in actions.items():
            dtype = functions.action.get(
                name, np.dtype(np.int32) if values.dtype.kind in "iu" else values.dtype
            )
            wide = values.dtype.kind == "f"
            ready[name] = cast(name, values, np.float64 if wide and double else dtype)
        return self._state(state, double), ready

    def _state(self, state: Fields, double: bool) -> Fields:
        """Return states in this side's dtypes."""
        dtypes = self.functions(double).dtypes
        require_fields(dtypes, state)
        return {name: cast(name, state[name], dtype) for name, dtype in dtypes.items()}

    def reset(self, seeds: Array, double: bool = False) -> Moments:
        """Return what episodes begun with seeds (N,) show."""
        functions = self.functions(double)
        parts = []
        with self.precision(double):
            for rows, size in _chunks(len(seeds), self.batch):
                shown = _host(functions.reset(_seeds(seeds[rows]))[0], size)
                parts.append(Moments(shown["state"], shown["obs"]))
        return join_moments(parts)

    def transition(self, state: Fields, actions: Fields, seeds: Array, double: bool = False) -> Steps:
        """Put the environment in N states and take one step in each."""
        fields, ready = self.inputs(state, actions, double)
        functions, parts = self.functions(double), []
        with self.precision(double):
            for rows, size in _chunks(rows_of(actions), self.batch):
                action = self.nested(take(ready, rows), slice(None))
                out = functions.transition(take(fields, rows), action, _seeds(seeds[rows]))
                parts.append(self.steps_of(_host(out, size)))
        return join_steps(parts)

    def steps_of(self, out: Mapping[str, Any]) -> Steps:
        """Return what the jitted functions gave as steps."""
        outcome = outcome_of(out["outcome"])
        steps = Steps(out["state"], out["obs"], outcome, np.ones(len(outcome["reward"]), bool))
        steps.info, steps.told = frozenset(self._info), dict(out["told"])
        if "restart" in out:
            restart = out["restart"]
            steps.restart = Moments(restart["state"], {**restart["obs"], **_renamed(out["auto"])})
        return steps

    def lanes(self, seeds: Array, state: Fields | None, double: bool = False) -> Lanes:
        """Begin an episode for each seed, in given states or where the seeds lead."""
        functions = self.functions(double)
        with self.precision(double):
            if state is None:
                raw = functions.reset(_seeds(seeds))[1]
            else:
                raw = functions.begin(_seeds(seeds), self._state(state, double))
        return FunctionalLanes(self, raw, double)

    def transition_as(
        self, form: Literal["eager", "one"], state: Fields, actions: Fields, seeds: Array
    ) -> Steps:
        """Step as :meth:`transition` does, not in double precision, but one by one: op by op, or
        jitted."""
        fields, ready = self.inputs(state, actions, False)
        run = self.functions(False).one
        parts = []
        with self.precision(False), jax.disable_jit(form == "eager"):
            for row in range(rows_of(actions)):
                one = {name: jnp.asarray(value[row]) for name, value in fields.items()}
                action = jax.tree.map(jnp.asarray, self.nested(ready, row))
                out = run(one, action, jnp.uint32(seeds[row]))
                parts.append(self.steps_of(jax.tree.map(lambda leaf: np.asarray(leaf)[None], out)))
        return join_steps(parts)


class FunctionalLanes:
    """Episodes of pure functions that run side by side, hidden state and all."""

    def __init__(self, side: FunctionalSide, raw: Any, double: bool) -> None:
        self._side, self._raw, self._double = side, raw, double

    def advance(self, actions: Fields, seeds: Array) -> Steps:
        """Take one step in every lane."""
        functions = self._side.functions(self._double)
        _, ready = self._side.inputs(_zeros(functions.dtypes, len(seeds)), actions, self._double)
        with self._side.precision(self._double):
            action = self._side.nested(ready, slice(None))
            out, self._raw = functions.advance(self._raw, action, np.asarray(seeds, np.uint32))
        return self._side.steps_of(_host(out, len(seeds)))


def _zeros(dtypes: Mapping[str, Any], count: int) -> Fields:
    return {name: np.zeros(count, dtype) for name, dtype in dtypes.items()}


def _renamed(auto: Mapping[str, Any]) -> Fields:
    """Return what the restarting step said of the end, under names of its own."""
    ends = outcome_of({name: auto[name] for name in OUTCOME})
    return {f"final {name}": value for name, value in {**auto, **ends}.items()}


def _chunks(count: int, batch: int) -> list[tuple[Array, int]]:
    """Return the rows of each call, the last one's filled up with its last, and how many count."""
    chunks = []
    for start in range(0, count, batch):
        size = min(batch, count - start)
        chunks.append((np.minimum(np.arange(start, start + batch), count - 1), size))
    return chunks


def _seeds(seeds: Array) -> Array:
    return np.asarray(seeds, np.uint32)


def _host(out: Any, size: int) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:size], out)


def _numbers(info: Mapping[str, Any]) -> Fields:
    """Return the numbers, flags and arrays of them in a mapping, by flattened name; traced."""
    told = {name: value for name, value in flatten(info).items() if not _is_key(value)}
    return numbers_in(told, jnp.asarray, (jax.Array,))


def _is_key(leaf: Any) -> bool:
    dtype = getattr(leaf, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)
