"""Recording of the reference: drive it, and write down everything it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from parity.engine.compare import Array, same_numbers
from parity.engine.pair import Case, Fields, MutableSide, Pair


@dataclass
class Recording:
    """N lanes of up to L steps, as arrays.

    Attributes:
        worlds: int32 (N,).
        actions: (N, L, ...) in the dtype the policies chose, whole numbers in int32; 0 after a lane's
            end.
        lengths: int32 (N,), steps taken in each lane.
        before: fields at the beginning of each lane, (N, ...): state, obs, masks.
        after: fields after each step, (N, L, ...): state, obs, masks, outcome.
        injected: lanes began in the states of ``before``; else at ``starts``.
        starts: int32 (N,); the start of each lane where it was not injected.
        labels: policy or corner of each lane.
    """

    worlds: NDArray[np.int32]
    actions: Array
    lengths: NDArray[np.int32]
    before: Fields
    after: Fields
    injected: bool
    starts: NDArray[np.int32]
    labels: list[str]

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Return which steps were taken: bool (N, L)."""
        return np.arange(self.actions.shape[1]) < self.lengths[:, None]

    @property
    def transitions(self) -> int:
        """Return the number of steps taken in all lanes."""
        return int(self.lengths.sum())


def moment(side: MutableSide, env: object) -> Fields:
    """Return state and masks of a reference environment."""
    return {**side.read(env), "masks": side.masks(env)}


class _Table:
    """Grows (N, L, ...) arrays from rows of fields, without knowing the fields beforehand.

    A later row may need a wider dtype than the first (a reward of 0, then of 0.5); the column grows.
    Fields with a declared dtype are converted all at once, which takes a tenth of the time.

    Args:
        shape: (N,) or (N, L).
        dtypes: of the fields that a side gives as Python numbers.
    """

    def __init__(self, shape: tuple[int, ...], dtypes: Mapping[str, DTypeLike]) -> None:
        self.shape = shape
        self._dtypes = dtypes
        self._columns: Fields = {}
        self._fields: set[str] = set()
        self._names: list[str] = []
        self._declared: list[str] = []
        self._places: list[tuple[int, ...]] = []
        self._numbers: list[Any] = []  # row by row; a list for each row costs as much as the step

    def put(self, where: tuple[int, ...], row: Fields) -> None:
        """Write a row of fields at (lane,) or (lane, step).

        Raises:
            ValueError: it has other fields than the first row, a field has another shape, or no dtype
                holds a column's numbers.
        """
        if not self._places:
            self._declared = [name for name in row if name in self._dtypes]
            self._names = [name for name in row if name not in self._dtypes]
            self._fields = set(row)
        if row.keys() != self._fields:
            raise ValueError(f"a row has the fields {sorted(row)}, and the first row had others")
        self._places.append(where)
        self._numbers.extend([row[name] for name in self._declared])
        for name in self._names:
            value = np.asarray(row[name])
            if name not in self._columns:
                self._columns[name] = np.zeros((*self.shape, *value.shape), value.dtype)
            column = self._columns[name]
            if column.shape[len(self.shape) :] != value.shape:
                shapes = f"{column.shape[len(self.shape) :]} in one step and {value.shape} in another"
                raise ValueError(f"{name} has shape {shapes}; read it in one shape")
            if column.dtype != value.dtype:
                column = self._columns[name] = _widened(name, column, value)
            column[where] = value

    def columns(self) -> Fields:
        """Return every field as an array (N, ...) or (N, L, ...), 0 where nothing was written.

        Raises:
            ValueError: a declared dtype holds whole numbers or flags, and not one of the numbers.
        """
        places = tuple(np.asarray(self._places).T)
        declared: Fields = {}
        for first, name in enumerate(self._declared):
            column = declared[name] = np.zeros(self.shape, self._dtypes[name])
            column[places] = _written(name, self._numbers[first :: len(self._declared)], column.dtype)
        return declared | self._columns


def _written(name: str, values: Sequence[Any], dtype: np.dtype[Any]) -> Array:
    """Return Python numbers in a dtype; those with a fraction may be rounded.

    Raises:
        ValueError: the dtype holds whole numbers or flags, and not one of these.
    """
    numbers = np.asarray(values)
    if dtype.kind not in "biu":
        return numbers.astype(dtype)
    if numbers.dtype.kind in "biu":
        written = numbers.astype(dtype)
        lost = np.flatnonzero(written != numbers)
    else:  # NumPy took whole numbers together with others, or beyond 64 bits, for some other kind
        lost = np.flatnonzero([not _holds(dtype, value) for value in values])
        written = np.array([] if len(lost) else [dtype.type(value) for value in values], dtype)
    if len(lost):
        raise ValueError(f"{name} is {values[lost[0]]!r}, which {dtype} does not hold")
    return written


def _holds(dtype: np.dtype[Any], value: Any) -> bool:
    try:
        with np.errstate(invalid="ignore"):
            return bool(dtype.type(value) == value)
    except (ValueError, OverflowError):  # no number, infinite, or beyond the ends
        return False


def _widened(name: str, column: Array, value: Array) -> Array:
    """Return a column in a dtype that holds its numbers and a further one.

    Raises:
        ValueError: there is none that holds both without loss.
    """
    dtype = np.result_type(column.dtype, value.dtype)
    for one in (column, value):
        lost = not same_numbers(one, one.astype(dtype)).all()
        if lost or (one.dtype.kind == "b") != (dtype.kind == "b"):
            raise ValueError(
                f"{name} is {column.dtype} in one step and {value.dtype} in another, and no dtype "
                "holds both without loss; read it in one dtype"
            )
    return column.astype(dtype)


def as_actions(chosen: Sequence[Any]) -> Array:
    """Return actions as one array (N, ...): whole numbers in int32, all else in its own dtype.

    Raises:
        ValueError: a whole number does not fit into 32 bits, or the actions differ in shape.
    """
    actions = np.asarray(chosen)
    if actions.dtype.kind not in "iu":
        return actions
    narrow = actions.astype(np.int32)
    if (lost := actions[narrow != actions]).size:
        raise ValueError(f"an action of {lost[0]} does not fit into 32 bits; use smaller numbers")
    return narrow


def record_episodes(pair: Pair, world: int, episodes: int, rng: np.random.Generator) -> Recording:
    """Play whole episodes from seeded starts with the pair's policies in turn.

    Args:
        pair: the pair; only its reference is driven.
        world: number of the world.
        episodes: how many.
        rng: draws starts and actions.
    """
    side, names = pair.reference, list(pair.policies)
    env = side.make(world)
    starts = rng.choice(np.asarray(pair.starts[world]), size=episodes).astype(np.int32)
    # The very last start must be among them: only it runs into the end of the data.
    starts[-1] = np.max(pair.starts[world])
    before, after = _Table((episodes,), side.dtypes), _Table((episodes, pair.max_steps), side.dtypes)
    taken = _Table((episodes, pair.max_steps), {})
    lengths = np.zeros(episodes, np.int32)
    labels = [names[lane % len(names)] for lane in range(episodes)]
    for lane in range(episodes):
        policy = pair.policies[labels[lane]]
        obs = side.reset(env, int(starts[lane]))
        now = {**moment(side, env), "obs": obs}
        before.put((lane,), now)
        for step in range(pair.max_steps):
            action = policy(rng, now["masks"], now["obs"])
            outcome = side.step(env, action)
            now = {**moment(side, env), **outcome}
            taken.put((lane, step), {"action": action})
            after.put((lane, step), now)
            lengths[lane] = step + 1
            if outcome["terminated"] or outcome["truncated"]:
                break
    worlds = np.full(episodes, world, np.int32)
    actions = as_actions(taken.columns()["action"])
    return Recording(worlds, actions, lengths, before.columns(), after.columns(), False, starts, labels)


def record_actions(pair: Pair, world: int, starts: NDArray[np.int32], actions: Array) -> Recording:
    """Play given actions from given starts.

    Args:
        pair: the pair; only its reference is driven.
        world: number of the world.
        starts: int32 (N,).
        actions: (N, L, ...); those after an episode's end are not taken.
    """
    side = pair.reference
    env = side.make(world)
    before, after = _Table(starts.shape, side.dtypes), _Table(actions.shape[:2], side.dtypes)
    lengths = np.zeros(len(starts), np.int32)
    for lane, start in enumerate(starts):
        obs = side.reset(env, int(start))
        before.put((lane,), {**moment(side, env), "obs": obs})
        for step, action in enumerate(actions[lane]):
            outcome = side.step(env, action.item() if action.ndim == 0 else action)
            after.put((lane, step), {**moment(side, env), **outcome})
            lengths[lane] = step + 1
            if outcome["terminated"] or outcome["truncated"]:
                break
    worlds = np.full(len(starts), world, np.int32)
    labels = ["given"] * len(starts)
    return Recording(worlds, actions, lengths, before.columns(), after.columns(), False, starts, labels)


def record_cases(pair: Pair, cases: Sequence[Case]) -> Recording:
    """Inject each case's state into the reference and take its one action.

    Args:
        pair: the pair; only its reference is driven.
        cases: any number, of any worlds.
    """
    side = pair.reference
    envs = {world: side.make(world) for world in sorted({case.world for case in cases})}
    before, after = _Table((len(cases),), side.dtypes), _Table((len(cases), 1), side.dtypes)
    for lane, case in enumerate(cases):
        env = envs[case.world]
        side.inject(env, case.state)
        before.put((lane,), {**moment(side, env), "obs": side.observe(env)})
        outcome = side.step(env, case.action)
        after.put((lane, 0), {**moment(side, env), **outcome})
    count = len(cases)
    return Recording(
        worlds=np.array([case.world for case in cases], np.int32),
        actions=as_actions([[case.action] for case in cases]),
        lengths=np.ones(count, np.int32),
        before=before.columns(),
        after=after.columns(),
        injected=True,
        starts=np.zeros(count, np.int32),
        labels=["; ".join(case.corner) for case in cases],
    )


def resets_at(pair: Pair, world: int, starts: Array) -> Fields:
    """Reset the reference at each start and return what it shows, fields of shape (N, ...)."""
    side = pair.reference
    env = side.make(world)
    table = _Table((len(starts),), side.dtypes)
    for lane, start in enumerate(starts):
        obs = side.reset(env, int(start))
        table.put((lane,), {**moment(side, env), "obs": obs})
    return table.columns()
