"""Read a pickle that Stable-Baselines3 wrote without running anything in it.

A pickle may name any function and call it while it is read. Here it is read by an unpickler that knows
a closed list of names and rebuilds arrays, numbers and containers alone: every other name becomes an
:class:`Instance`, which has a path to compare and does nothing. What a pickle says of an array is
looked at before NumPy is told of it.
"""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

MOST_PICKLE = 16 << 20
"""Bytes of one pickle."""
NUMBERS = "biufc"
"""Kinds of NumPy's dtypes: bool, integers, floats and complex numbers."""


class Instance(dict[Any, Any]):
    """Stands for an object of a class that is not rebuilt: it holds a state, and does nothing.

    Attributes:
        path: the class or function by its whole path.
    """

    path = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):  # a random generator's is a tuple
            self.__dict__.update(state)


class NumberType:
    """Stands for the dtype of numbers that a pickle describes.

    Attributes:
        dtype: what it describes, in the byte order that it says.
    """

    def __init__(self, kind: Any, *_: Any) -> None:
        if not isinstance(kind, str) or len(kind) > 8:
            raise pickle.UnpicklingError("a dtype that is no number's")
        self.dtype = np.dtype(kind)
        if self.dtype.kind not in NUMBERS:
            raise pickle.UnpicklingError(f"a dtype that is no number's: {kind}")

    def __setstate__(self, state: Any) -> None:
        """Take the byte order; whatever else could be said makes the dtype no number's."""
        if not (isinstance(state, tuple) and len(state) == 8):
            raise pickle.UnpicklingError("a dtype with a state that is no number's")
        _, order, *fields = state
        if order not in ("<", ">", "=", "|") or fields != [None, None, None, -1, -1, 0]:
            raise pickle.UnpicklingError("a dtype with a state that is no number's")
        self.dtype = self.dtype.newbyteorder(order)


class NumberArray(np.ndarray[Any, Any]):
    """Array of a pickle, whose state is looked at before it is taken."""

    def __setstate__(self, state: Any) -> None:
        """Take shape, dtype, order and bytes, where they fit each other."""
        if not (isinstance(state, tuple) and len(state) == 5):
            raise pickle.UnpicklingError("an array that is not of numbers")
        _, shape, kind, fortran, data = state
        dtype = _dtype_of(kind)
        sizes = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
        if not sizes or not isinstance(data, bytes) or not isinstance(fortran, (bool, int)):
            raise pickle.UnpicklingError("an array that is not of numbers")
        if math.prod(shape) * dtype.itemsize != len(data):
            raise pickle.UnpicklingError("an array of other bytes than its shape asks for")
        plain: Any = (1, shape, dtype, bool(fortran), data)
        super().__setstate__(plain)


def _dtype_of(kind: Any) -> np.dtype[Any]:
    if not isinstance(kind, NumberType):
        raise pickle.UnpicklingError("an array or a scalar that is not of numbers")
    return kind.dtype


def _empty_array(*_: Any) -> NumberArray:
    """Return what NumPy's ``_reconstruct`` returns, whatever it is asked for; the state follows it."""
    return NumberArray.__new__(NumberArray, (0,), "b")


def _scalar(kind: Any, data: Any = b"") -> Any:
    """Return a NumPy number from its bytes; of objects nothing is rebuilt."""
    dtype = _dtype_of(kind)
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise pickle.UnpicklingError("a NumPy scalar that is no number")
    return np.frombuffer(data, dtype, 1)[0]


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    """Return an array from its bytes, as NumPy pickles one in protocol 5."""
    dtype = _dtype_of(kind)
    if not isinstance(data, (bytes, bytearray)) or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array that is not of numbers")
    return np.frombuffer(data, dtype).reshape(shape, order=order).view(NumberArray)


class Maker:
    """What a pickle may call. It cannot be given a state, which would change it for the next pickle."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        """Return what it makes."""
        return self._make(*args)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("a pickle that changes what it calls")


REBUILT: Mapping[str, Maker] = {
    "numpy.core.multiarray._reconstruct": Maker(_empty_array),
    "numpy._core.multiarray._reconstruct": Maker(_empty_array),
    "numpy.core.multiarray.scalar": Maker(_scalar),
    "numpy._core.multiarray.scalar": Maker(_scalar),
    "numpy.core.numeric._frombuffer": Maker(_from_buffer),
    "numpy._core.numeric._frombuffer": Maker(_from_buffer),
    "numpy.dtype": Maker(NumberType),
}
"""All that a pickle may call, by the names that it calls them by."""


class _Unpickler(pickle.Unpickler):
    """An unpickler that rebuilds numbers and arrays, and leaves everything else as names."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of :data:`REBUILT`, else a name that does nothing."""
        path = f"{module}.{name}"
        if path in REBUILT:
            return REBUILT[path]
        # An object is made by cls.__new__, so a class has to stand for it.
        return type("Opaque", (Instance,), {"path": path})

    def persistent_load(self, pid: Any) -> Any:
        """Refuse what lies outside the pickle."""
        raise pickle.UnpicklingError("a pickle that refers to something outside itself")


def read_pickle(data: bytes) -> Any:
    """Return what a pickle holds: containers, numbers and arrays as they are, the rest as stand-ins.

    Raises:
        pickle.UnpicklingError: it is damaged, too large, or would call something.
    """
    if len(data) > MOST_PICKLE:
        raise pickle.UnpicklingError(f"a pickle of {len(data):,} bytes")
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a hostile pickle can raise anything; nothing of it ran
        raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from None


def path_of(value: Any) -> str | None:
    """Return the whole path of a class that a pickle names; None for anything else."""
    if isinstance(value, type) and issubclass(value, Instance):
        return value.path
    return None
