"""Named fields of a state, an observation or an action: a tree of arrays, flattened by its names."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from parity.engine.compare import same_numbers

Array = NDArray[Any]
Fields = dict[str, Any]
"""Field name to array; the parts of a nested field are joined by dots, such as "car.speed"."""


def digits(value: Any) -> str:
    """Return a number with every digit that it has, of float32 in its shortest form: "0.1", "3"."""
    if isinstance(value, bool | int | np.bool_ | np.integer):
        return str(value)
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    wide = float(value)
    return (str(narrow) if float(narrow) == wide else repr(wide)).removesuffix(".0")


def children(tree: Any) -> list[tuple[str, Any]] | None:
    """Return the named parts of a tree, or None for a leaf.

    Mappings, dataclasses, named tuples, tuples and lists have parts; all else is a leaf.
    """
    if isinstance(tree, Mapping):
        return [(str(name), tree[name]) for name in tree]
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return [(one.name, getattr(tree, one.name)) for one in dataclasses.fields(tree)]
    if isinstance(tree, tuple | list):
        names = getattr(tree, "_fields", range(len(tree)))
        return [(str(name), part) for name, part in zip(names, tree, strict=True)]
    return None


def flatten(tree: Any, prefix: str = "") -> Fields:
    """Return the leaves of a tree by name, as they are; a lone leaf is called ``prefix``.

    Raises:
        InputError: two leaves have one name, such as "a.b" and "b" within "a".
    """
    parts = children(tree)
    if parts is None:
        return {prefix: tree}
    fields: Fields = {}
    for name, part in parts:
        inner = flatten(part, f"{prefix}.{name}" if prefix else name)
        twice = sorted(set(fields) & set(inner))
        if twice:
            raise InputError(f"two values are called {twice[0]}; give each a name of its own")
        fields |= inner
    return fields


def rebuild(tree: Any, leaf: Callable[[str, Any], Any], prefix: str = "") -> Any:
    """Return a tree of the same form whose leaves are ``leaf(name, old)``."""
    parts = children(tree)
    if parts is None:
        return leaf(prefix, tree)
    new = {name: rebuild(part, leaf, f"{prefix}.{name}" if prefix else name) for name, part in parts}
    if isinstance(tree, Mapping):
        return {name: new[str(name)] for name in tree}
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return dataclasses.replace(tree, **new)
    if hasattr(tree, "_fields"):
        return type(tree)(**new)
    return type(tree)(new.values())


def as_numbers(name: str, value: Any) -> Array:
    """Return a leaf as a NumPy array in its own dtype.

    Raises:
        InputError: it holds something else than numbers and flags.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        is_array = isinstance(value, np.ndarray)
        kind = f"an array of {array.dtype}" if is_array else type(value).__name__
        raise InputError(f"{name} is {kind}, no number, flag or array of them; read it as one")
    return array


def numbers_in(
    tree: Any, array: Callable[[Any], Any] = np.array, more: tuple[type, ...] = ()
) -> Fields:
    """Return the numbers, flags and arrays of them among a tree's leaves, by flattened name.

    Args:
        tree: such as a step's info.
        array: makes an array of a leaf.
        more: types of leaves that count beside Python's and NumPy's.
    """
    numbers = {
        name: array(value)
        for name, value in flatten(tree).items()
        if isinstance(value, (bool, int, float, np.generic, np.ndarray, *more))
    }
    return {name: made for name, made in numbers.items() if np.dtype(made.dtype).kind in "biuf"}


def stack(rows: Sequence[Fields], what: str) -> Fields:
    """Return rows of fields as arrays with a leading axis, in a dtype that holds every row.

    Raises:
        InputError: rows differ in their names or shapes.
    """
    columns: Fields = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            values = [row[name] for row in rows]
            columns[name] = as_numbers(f"{what} {name}", np.stack([np.asarray(v) for v in values]))
        except KeyError:
            raise InputError(
                f"{what} has {name} in one step and not in another; read the same fields in every step"
            ) from None
        except InputError:
            raise
        except ValueError:
            shapes = sorted({np.shape(value) for value in values})
            raise InputError(f"{what} {name} changes its shape: {shapes}; it must be fixed") from None
    return columns


def equal(a: Array, b: Array) -> bool:
    """Say whether two arrays are of one shape and equal, value for value; NaN equals NaN."""
    return np.array_equal(a, b, equal_nan="f" in (a.dtype.kind, b.dtype.kind))


def flags(what: str, said: Any, count: int) -> Array:
    """Return what a function of a pair says of each of N rows: bool (N,).

    Raises:
        InputError: it says something else than one flag, or 0 and 1, of each.
    """
    values = np.asarray(said)
    if values.shape != (count,) or values.dtype.kind not in "biu":
        raise InputError(
            f"{what} returns {values.dtype} of shape {values.shape} for {count} rows; it must return "
            "one flag for each"
        )
    return values.astype(bool)


def take(fields: Fields, rows: Any) -> Fields:
    """Return some rows of every field."""
    return {name: value[rows] for name, value in fields.items()}


def join(parts: Sequence[Fields]) -> Fields:
    """Return several sets of rows, one after another."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def rows_of(fields: Fields) -> int:
    """Return how many rows the fields have."""
    return len(next(iter(fields.values())))


def cast(name: str, values: Array, dtype: Any) -> Array:
    """Return values in another dtype: numbers with a fraction are rounded, all others kept or refused.

    Raises:
        InputError: a whole number or a flag would change.
    """
    dtype = np.dtype(dtype)
    if values.dtype == dtype:
        return values
    kinds = values.dtype.kind, dtype.kind
    with np.errstate(over="ignore", invalid="ignore"):
        new = values.astype(dtype)
    if kinds == ("f", "f"):
        return new
    lost = np.full(values.shape, True) if "b" in kinds else ~same_numbers(values, new)
    if lost.any():
        raise InputError(
            f"{name} is {values.dtype} on one side and {dtype} on the other, which cannot hold it "
            f"(for example {values[lost][0]}); read it alike on both sides"
        )
    return new
