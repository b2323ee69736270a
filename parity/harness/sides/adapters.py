"""Sides made from environments of well-known kinds: Gymnasium, gymnax, functional and mutable ones."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from foundation.errors import InputError
from parity.harness.sides.functional import FunctionalSide, Program
from parity.harness.sides.mutable import MutableSide
from parity.harness.sides.side import Side


def gymnasium_side(
    make: Callable[[], Any],
    read: Callable[[Any], Any],
    write: Callable[[Any, Any], None] | None = None,
    *,
    time: str | None = "time",
    make_double: Callable[[], Any] | None = None,
    language: str = "Gymnasium",
) -> MutableSide:
    """Return a side of a Gymnasium environment.

    Args:
        make: () -> environment, wrappers and all.
        read: the environment without wrappers -> its state, a mapping of names to numbers and arrays.
        write: (the environment without wrappers, such a mapping) -> None.
        time: name under which the steps that a ``TimeLimit`` has counted are read and written; None to
            leave them out: they are zero in each state that it is put in. Without such a wrapper there
            is no such field; of one in another, the outer one's steps are read and both are written.
        make_double: as for :class:`parity.harness.sides.mutable.MutableSide`.
        language: what it is, in a word or two.
    """

    def read_all(env: Any) -> Any:
        state = read(env.unwrapped)
        limits = [] if time is None else _time_limits(env)
        if not limits:
            return state
        if time in _mapping(state):
            raise InputError(
                f"read returns {time}, which is what the steps of a TimeLimit are called; rename it, "
                "or name these, such as with time='steps'"
            )
        return {**state, time: limits[0]._elapsed_steps}

    def write_all(env: Any, state: Any) -> None:
        assert write is not None
        limits, steps = _time_limits(env), 0
        if limits and time is not None:
            state = dict(state)
            steps = int(state.pop(time))
        for limit in limits:
            limit._elapsed_steps = steps
        write(env.unwrapped, state)

    return MutableSide(
        make=_called("the factory", make),
        read=read_all,
        write=None if write is None else write_all,
        reset_one=Resets(),
        step_one=lambda env, action: env.step(action),
        reseed=_reseed,
        action_space=lambda env: env.action_space,
        observation_space=lambda env: env.observation_space,
        make_double=make_double,
        language=language,
        sources=modules_of(make, read),
        counter=time,
    )


class Resets:
    """Begins episodes of a Gymnasium environment, and keeps what their infos are called.

    Attributes:
        told: names that the info of a reset had.
    """

    def __init__(self) -> None:
        self.told: set[str] = set()

    def __call__(self, env: Any, seed: int) -> Any:
        """Return the first observation of an episode."""
        obs, info = env.reset(seed=seed)
        self.told |= {str(name) for name in info}
        return obs


def time_limit(side: Side) -> int | None:
    """Return after how many steps a Gymnasium side's ``TimeLimit`` cuts an episode off; None where
    there is none."""
    limits = _time_limits(side.environment()) if isinstance(side, MutableSide) else []
    steps = [getattr(limit, "_max_episode_steps", None) for limit in limits]
    return min((count for count in steps if isinstance(count, int)), default=None)


def _reseed(env: Any, seed: int) -> None:
    from gymnasium.utils.seeding import np_random

    env.unwrapped.np_random = np_random(seed)[0]


def _time_limits(env: Any) -> list[Any]:
    """Return the wrappers that count steps, the outermost first."""
    found = []
    while env is not None:
        if "_elapsed_steps" in getattr(env, "__dict__", {}):
            found.append(env)
        env = getattr(env, "env", None)
    return found


def _mapping(state: Any) -> Mapping[str, Any]:
    if not isinstance(state, Mapping):
        raise InputError(
            f"read returns a value of type {type(state).__name__}; return a mapping of names to "
            "values, such as {'x': env.x}, or give time=None"
        )
    return state


def gymnax_side(
    make: Callable[[], Any],
    read: Callable[[Any], Any] = lambda state: state,
    write: Callable[[Any, Any], Any] | None = None,
    *,
    leave_out: tuple[str, ...] = (),
    convert_action: Callable[[Any], Any] = lambda action: action,
    language: str = "gymnax",
) -> FunctionalSide:
    """Return a side of a gymnax environment, or of one with the same methods.

    Args:
        make: () -> environment, or (environment, parameters).
        read: state -> any tree of arrays; by default the state itself.
        write: (state, fields by name) -> state; by default, leaves of the same names are replaced.
        leave_out: names of fields that the other side has not, such as those for drawing a picture.
        convert_action: action as the reference's space has it -> as this side takes it.
        language: what the side is written in, for reports.
    """
    _called("the factory", make)

    def program() -> Program:
        made = make()
        env, params = made if isinstance(made, tuple) else (made, made.default_params)

        def step(key: Any, state: Any, action: Any) -> tuple[Any, ...]:
            obs, new, reward, done, info = env.step_env(key, state, action, params)
            truncated = env.is_truncated(new, params) if hasattr(env, "is_truncated") else done & False
            return obs, new, reward, done, truncated, info

        def auto_step(key: Any, state: Any, action: Any) -> tuple[Any, ...]:
            out = env.step(key, state, action, params)
            if len(out) == 6:
                return tuple(out)
            obs, new, reward, done, info = out
            return obs, new, reward, done, done & False, info

        return Program(
            reset=lambda key: env.reset(key, params),
            step=step,
            auto_step=auto_step,
            action_space=env.action_space(params),
            observation_space=env.observation_space(params),
        )

    side = FunctionalSide(
        program, read, write, leave_out, convert_action, language, modules_of(make, read)
    )
    side.made = lambda: made[0] if isinstance(made := make(), tuple) else made
    return side


def functional_side(
    make: Callable[[], Program],
    read: Callable[[Any], Any] = lambda state: state,
    write: Callable[[Any, Any], Any] | None = None,
    *,
    leave_out: tuple[str, ...] = (),
    convert_action: Callable[[Any], Any] = lambda action: action,
    language: str = "JAX",
) -> FunctionalSide:
    """Return a side of pure functions that ``make`` puts into a :class:`Program`."""
    side = FunctionalSide(
        _called("the factory", make), read, write, leave_out, convert_action, language
    )
    side.sources = modules_of(make, read)
    return side


def state_api_side(
    make: Callable[[], Any],
    read: Callable[[Any], Any],
    write: Callable[[Any, Any], Any],
    *,
    obs: str = "obs",
    reward: str = "reward",
    terminated: str = "done",
    truncated: str | None = None,
    leave_out: tuple[str, ...] = (),
    convert_action: Callable[[Any], Any] = lambda action: action,
    language: str = "JAX",
) -> FunctionalSide:
    """Return a side whose ``reset(key)`` and ``step(state, action)`` return one state that holds it
    all.

    So have it brax (``obs``, ``reward``, ``done``) and pgx (``observation``, ``rewards``,
    ``terminated``, ``truncated``; its step may take a key as a third argument).

    Args:
        make: () -> environment with ``reset`` (or ``init``) and ``step``.
        read: state -> any tree of arrays.
        write: (state, fields by name) -> state.
        obs: the state's attribute that is the observation.
        reward: the one that is the reward; of shape (1,), it is one number.
        terminated: the one that says that the episode has ended.
        truncated: the one that says that it was cut off; None where there is none.
        leave_out: names of fields that the other side has not, such as those for drawing a picture.
        convert_action: action as the reference's space has it -> as this side takes it.
        language: what the side is written in, for reports.
    """
    _called("the factory", make)

    def program() -> Program:
        env = make()
        begin = getattr(env, "reset", None) or env.init
        keyed = _places(env.step) > 2

        def reset(key: Any) -> tuple[Any, Any]:
            state = begin(key)
            return getattr(state, obs), state

        def step(key: Any, state: Any, action: Any) -> tuple[Any, ...]:
            new = env.step(state, action, key) if keyed else env.step(state, action)
            ended = getattr(new, terminated).astype(bool)
            cut = ended & False if truncated is None else getattr(new, truncated).astype(bool)
            gain = getattr(new, reward)
            gain = gain.reshape(()) if gain.size == 1 else gain
            return getattr(new, obs), new, gain, ended, cut, {}

        return Program(reset, step)

    side = FunctionalSide(
        program, read, write, leave_out, convert_action, language, modules_of(make, read)
    )
    side.made = make
    return side


def modules_of(*functions: Callable[..., Any]) -> tuple[str, ...]:
    """Return the modules that functions were written in, of partial ones those of the whole; of
    built-in ones there is none."""
    names = (getattr(_whole(one), "__module__", None) for one in functions)
    return tuple(sorted({name for name in names if name and name not in (__name__, "builtins")}))


def _whole(function: Any) -> Any:
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _places(function: Callable[..., Any]) -> int:
    """Return how many parameters of a function can be given by their place."""
    kinds = [one.kind for one in inspect.signature(function).parameters.values()]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(kind in by_place for kind in kinds)


def _called(what: str, make: Any) -> Callable[[], Any]:
    if not callable(make):
        raise InputError(
            f"{what} of a side is of type {type(make).__name__}; give a function that makes one"
        )
    return make
