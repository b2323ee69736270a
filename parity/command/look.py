"""Look at the sides of a pair that is not written yet: what they are, and which numbers they step."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from foundation.errors import InputError, error_in_words
from parity.harness.sides.adapters import functional_side, gymnax_side
from parity.harness.sides.functional import FunctionalSide, Program
from parity.harness.sides.side import OUTCOME
from parity.harness.trees import Fields, equal, flatten, join, stack, take

STEPS = 60
LARGEST = 64
"""Numbers of an array above which it is taken for no state."""


@dataclass
class SideFacts:
    """What could be seen of a side.

    Attributes:
        kind: what it is: Gymnasium's environment, gymnax's, a :class:`Program` of pure functions, or
            an object with reset and step.
        numbers: name to values seen, (N, ...), of what looks like state.
        paths: name to the attribute that holds it, such as "car.speed"; of pure functions, none.
        types: of an object, name to what its value is: "int", "float", "bool", "array" or "".
        limit: steps after which a ``TimeLimit`` cuts an episode off, None without one.
        counter: the one of ``numbers`` that counts an episode's steps, "" if none does.
        before, reset: of an object, what is done with ``seed`` before it is reset, if anything, and how
            it is reset to return the observation, as Python.
        values: of an object, how many values its step returns.
        generator: of an object, the attribute that holds its generator of random numbers.
        action_space, observation_space: whether it has one.
        keys: of pure functions, fields that hold a key of random numbers, or look like one.
        refusal: of pure functions, what a step raises with an action of the reference, "" if nothing;
            then ``numbers`` are of resets alone.
    """

    kind: Literal["gymnasium", "gymnax", "functional", "object"]
    numbers: Fields
    paths: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    limit: int | None = None
    counter: str = ""
    before: str = ""
    reset: str = ""
    values: int = 5
    generator: str = ""
    action_space: bool = False
    observation_space: bool = False
    keys: tuple[str, ...] = ()
    refusal: str = ""


def made(make: Any) -> Any:
    """Return what a factory makes.

    Raises:
        InputError: it cannot be called, or raises.
    """
    if not callable(make):
        raise InputError(
            f"the factory is of type {type(make).__name__}; name a function that makes one"
        )
    try:
        return make()
    except Exception as error:  # whatever a foreign factory raises
        raise InputError(
            f"the factory raises {type(error).__name__}: {error}; mend it, or name another"
        ) from None


def look_at_reference(make: Any) -> SideFacts:
    """Step a Gymnasium environment and return the attributes whose numbers change.

    Raises:
        InputError: it is none.
    """
    env = made(make)
    if not is_gymnasium(env):
        raise InputError(
            f"the reference is of type {type(env).__name__}, no Gymnasium environment; write the "
            "pair by hand, with Reference.mutable"
        )
    env.action_space.seed(0)
    seen = _played(
        env.unwrapped,
        lambda seed: env.reset(seed=seed),
        lambda: _ended(env.step(env.action_space.sample())),
    )
    changing = seen.changing()
    paths = {name: seen.paths[name] for name in changing}
    return SideFacts("gymnasium", changing, paths, limit=_limit(env))


def is_gymnasium(env: Any) -> bool:
    """Say whether something has what Gymnasium's environments have."""
    return all(hasattr(env, name) for name in ("unwrapped", "action_space", "reset", "step"))


def look_at_port(make: Any, actions: Callable[[], Any]) -> SideFacts:
    """Return what is seen of a port: pure functions, gymnax's, Gymnasium's, or any object with reset
    and step.

    Args:
        make: its factory.
        actions: () -> an action to step it with.

    Raises:
        InputError: it is none of them.
    """
    port = made(make)
    if isinstance(port, Program):
        return _look_at_functions("functional", functional_side(lambda: port), actions)
    env = port[0] if isinstance(port, tuple) else port
    if hasattr(env, "step_env") and hasattr(env, "default_params"):
        return _look_at_functions("gymnax", gymnax_side(lambda: port), actions)
    if not (callable(getattr(env, "reset", None)) and callable(getattr(env, "step", None))):
        raise InputError(
            f"the port is of type {type(env).__name__}, neither a Program, gymnax's environment "
            "nor an object with reset and step; write the pair by hand, such as with Port.state_api"
        )
    copies = getattr(env, "num_envs", None)
    if copies is not None:
        raise InputError(
            f"the port steps {copies} copies at once; write the pair by hand, with Port.batched"
        )
    if is_gymnasium(env):
        return look_at_reference(lambda: env)
    return _look_at_object(env, actions)


def _look_at_functions(
    kind: Literal["gymnax", "functional"], side: FunctionalSide, actions: Callable[[], Any]
) -> SideFacts:
    """Return the fields of a state of pure functions, in the order that they were declared in: what
    resets with :data:`STEPS` seeds show, and so many steps from there, as long as no episode ends."""
    seeds = np.arange(STEPS)
    shown = side.reset(seeds).state
    order = flatten(side.make().reset(jax.random.PRNGKey(0))[1])
    rows, refusal = [shown], ""
    try:
        lanes, going = side.lanes(seeds, None), np.full(STEPS, True)
        for number in range(STEPS):
            given = stack([flatten(actions(), "action") for _ in seeds], "action")
            steps = lanes.advance(given, seeds + STEPS * (number + 1))
            rows.append(take(steps.state, going))
            going &= ~steps.ended
    except Exception as error:  # whatever a foreign port raises
        refusal = error_in_words(error)
    seen = join(rows)
    keys = tuple(
        name
        for name, leaf in order.items()
        if jnp.issubdtype(jnp.asarray(leaf).dtype, jax.dtypes.prng_key)
        or (seen[name].dtype == np.uint32 and seen[name].shape[1:] == (2,))
    )
    numbers = {name: seen[name] for name in order}
    return SideFacts(kind, numbers, keys=keys, refusal=refusal)


def _look_at_object(port: Any, actions: Callable[[], Any]) -> SideFacts:
    held = _attributes(port, private=True)
    generator = next((name for name, value in held if isinstance(value, np.random.Generator)), "")
    before, reset, begin = _reset_of(port, generator)
    try:
        shown = begin(0)
    except Exception as error:  # whatever a foreign port raises
        raise InputError(
            f"the port's reset raises {type(error).__name__}: {error}; write the pair by hand"
        ) from None
    if shown is None:
        raise InputError("the port's reset returns nothing; it must return the first observation")
    pair_shown = isinstance(shown, tuple) and len(shown) == 2 and isinstance(shown[1], dict)
    try:
        out = port.step(actions())
    except Exception as error:  # whatever a foreign port raises
        raise InputError(
            f"the port's step raises {type(error).__name__} with an action of the reference: {error}; "
            "write the pair by hand, with a step_one that converts it"
        ) from None
    if not isinstance(out, tuple) or len(out) not in (3, 4, 5):
        raise InputError(
            f"the port's step returns a value of type {type(out).__name__}; it must return "
            "observation, reward, terminated, truncated and info, or the first three of these"
        )
    seen = _played(port, begin, lambda: _ended(port.step(actions())))
    if not seen.changing():
        seen = _played(port, begin, lambda: _ended(port.step(actions())), private=True)
    changing = seen.changing()
    return SideFacts(
        "object",
        changing,
        paths={name: seen.paths[name] for name in changing},
        types={name: seen.types[name] for name in changing},
        counter=seen.counter(),
        before=before,
        reset=f"{reset}[0]" if pair_shown else reset,
        values=len(out),
        generator=generator,
        action_space=hasattr(port, "action_space"),
        observation_space=hasattr(port, "observation_space"),
    )


def _reset_of(port: Any, generator: str) -> tuple[str, str, Callable[[int], Any]]:
    """Return how an object is reset with ``seed``: what comes before, and the reset, as Python; and
    both as a function."""
    try:
        parameters = list(inspect.signature(port.reset).parameters.values())
    except (TypeError, ValueError):  # compiled code need not tell
        parameters = []
    if any(one.name == "seed" for one in parameters):
        return "", "port.reset(seed=seed)", lambda seed: port.reset(seed=seed)
    if any(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in parameters):
        return "", "port.reset(seed)", lambda seed: port.reset(seed)
    if callable(getattr(port, "seed", None)):

        def seeded(seed: int) -> Any:
            port.seed(seed)
            return port.reset()

        return "port.seed(seed)", "port.reset()", seeded
    if generator:

        def generated(seed: int) -> Any:
            setattr(port, generator, np.random.default_rng(seed))
            return port.reset()

        return f"port.{generator} = np.random.default_rng(seed)", "port.reset()", generated
    return "", "port.reset()", lambda seed: port.reset()


def _ended(out: Any) -> bool:
    """Say whether an episode ended, of what a step returned: 3, 4 or 5 values."""
    return bool(out[2]) or (len(out) == 5 and bool(out[3]))


@dataclass
class _Seen:
    """Numbers of an object, row by row, and at which rows an episode began."""

    rows: list[Fields]
    first: list[bool]
    paths: dict[str, str]
    types: dict[str, str]

    def changing(self) -> Fields:
        """Return those that every row has in one shape, and that change."""
        values: Fields = {}
        for name in (n for n in self.rows[0] if all(n in row for row in self.rows)):
            if name in (*OUTCOME, "obs"):
                continue  # what a step returns, which an object may keep
            if len({np.shape(row[name]) for row in self.rows}) == 1:
                seen = np.stack([np.asarray(row[name]) for row in self.rows])
                if not equal(seen, np.broadcast_to(seen[0], seen.shape)):
                    values[name] = seen
        return values

    def counter(self) -> str:
        """Return the whole number that is 0 where an episode begins and grows by 1 a step, or ""."""
        for name, values in self.changing().items():
            if values.dtype.kind in "iu" and values.ndim == 1:
                expected = np.zeros(len(values), np.int64)
                for row in range(1, len(values)):
                    expected[row] = 0 if self.first[row] else expected[row - 1] + 1
                if np.array_equal(values, expected):
                    return name
        return ""


def _played(
    inner: Any, reset: Callable[[int], Any], step: Callable[[], bool], private: bool = False
) -> _Seen:
    """Play some episodes and note an object's numbers before and after every step."""
    seen = _Seen([], [], {}, {})

    def note(first: bool) -> None:
        row: Fields = {}
        arrays = [(path, value, _as_number(value)) for path, value in _attributes(inner, private)]
        paths = [path for path, _, array in arrays if array is not None]
        for path, value, array in arrays:
            if array is not None:
                name = _name_of(path, paths, seen.paths)
                row[name] = array
                seen.paths[name] = path
                kind = type(value).__name__
                kind = "array" if np.ndim(value) else kind
                seen.types[name] = kind if kind in ("int", "float", "bool", "array") else ""
        seen.rows.append(row)
        seen.first.append(first)

    reset(0)
    note(True)
    for number in range(STEPS):
        ended = step()
        note(False)
        if ended:
            reset(number + 1)
            note(True)
    return seen


def _name_of(path: str, paths: list[str], known: dict[str, str]) -> str:
    """Return what a number at a path is called: its last part, or all of the path where another number
    has that too, as the speeds of two wheels have.

    Args:
        path: of the number.
        paths: of all numbers that there are.
        known: path by name, of those that were named before.
    """
    for name, held in known.items():
        if held == path:
            return name
    last = path.rpartition(".")[2].lstrip("_")
    alike = sum(other.rpartition(".")[2].lstrip("_") == last for other in paths)
    name = last if alike == 1 and last not in known else path.replace(".", "_")
    while name in known:
        name += "_"
    return name


def _as_number(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return None
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array.copy() if array.dtype.kind in "biuf" and array.size <= LARGEST else None


def _attributes(inner: Any, private: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield an object's attributes by path: of its dictionary, its slots, and structures of C."""
    names = [*getattr(inner, "__dict__", {})]
    for kind in type(inner).__mro__:
        slots = getattr(kind, "__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    names += [one[0] for one in getattr(inner, "_fields_", ())]
    for name in names:
        if (name.startswith("_") and not private) or not hasattr(inner, name):
            continue
        yield from _inside(name, attrgetter(name)(inner))


def _inside(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what lies at a path: itself, or the members of a structure of C and of those within it."""
    if isinstance(value, ctypes.Structure):
        for one, *_ in value._fields_:
            yield from _inside(f"{path}.{one}", getattr(value, one))
    elif isinstance(value, ctypes.Array) and not issubclass(value._type_, ctypes.Structure):
        yield path, np.ctypeslib.as_array(value).copy()
    else:
        yield path, value


def _limit(env: Any) -> int | None:
    """Return after how many steps a ``TimeLimit`` cuts an episode off, None without one."""
    while env is not None:
        if hasattr(env, "_elapsed_steps"):
            return int(env._max_episode_steps)
        env = getattr(env, "env", None)
    return None
