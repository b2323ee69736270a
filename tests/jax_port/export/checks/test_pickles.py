"""Pickles of numbers are read as they are; whatever else one says is refused, and changes nothing."""

from __future__ import annotations

import pickle
import pickletools
import struct
from typing import Any

import numpy as np
import pytest

from jax_port.export.checks import pickles as module
from jax_port.export.checks.pickles import Instance, path_of, read_pickle


@pytest.mark.parametrize("protocol", [3, 4, 5])  # earlier ones have no bytes
def test_numbers_are_as_they_were(protocol: int) -> None:
    values = {
        "range": np.arange(3.0),
        "scalar": np.float64(2.5),
        "columns": np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)),
        "big endian": np.arange(4, dtype=">i8"),
        "flags": np.array([True, False]),
        "none": np.zeros((0, 3)),
        "one": np.array(7.5),
    }
    read = read_pickle(pickle.dumps(values, protocol))
    for name, value in values.items():
        assert np.array_equal(read[name], value), name
        assert read[name].shape == value.shape, name
        kinds = (read[name].dtype.newbyteorder("="), value.dtype.newbyteorder("="))
        assert kinds[0] == kinds[1], name


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()], object),
        np.void(b"x" * 4),
        np.zeros(2, [("a", "f4"), ("b", "i8")]),
        np.array(["text"]),
        np.array(["2024-01-02"], "datetime64[D]"),
    ],
    ids=["objects", "void", "fields", "text", "dates"],
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(pickle.UnpicklingError):
        read_pickle(pickle.dumps(value))


class Call:
    """What is pickled as a call of a name with arguments, and a state after it."""

    def __init__(self, function: Any, arguments: tuple[Any, ...], state: Any = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.reduced


def dtype_of(*state: Any) -> Call:
    """Return a float64 dtype with a state of one's own; NumPy's own has flags 0 at the end."""
    return Call(np.dtype, ("f8", False, True), state)


RECONSTRUCT, *_ = np.zeros(1).__reduce__()


def array_of(*state: Any) -> Call:
    return Call(RECONSTRUCT, (np.ndarray, (0,), b"b"), state)


PLAIN = (3, "<", None, None, None, -1, -1, 0)


@pytest.mark.parametrize(
    "call",
    [
        dtype_of(*PLAIN[:-1], 63),  # asks NumPy to clear what no number has
        dtype_of(*PLAIN[:-1]),
        dtype_of(3, "x", None, None, None, -1, -1, 0),
        dtype_of(3, "<", None, ("a",), {"a": 1}, 8, 8, 0),
        dtype_of(3, "<", (np.dtype("f8"), (2,)), None, None, -1, -1, 0),
        array_of(1, (1 << 60,), dtype_of(*PLAIN), False, b"x" * 8),
        array_of(1, (-1,), dtype_of(*PLAIN), False, b"x" * 8),
        array_of(1, (True,), dtype_of(*PLAIN), False, b"x" * 8),
        array_of(1, 1, dtype_of(*PLAIN), False, b"x" * 8),
        array_of(1, (1,), "f8", False, b"x" * 8),
        array_of(1, (1,), dtype_of(*PLAIN), False, ["x"]),
        array_of(1, (2,), dtype_of(*PLAIN), False, b"x" * 8),
        array_of(1, (1,), dtype_of(*PLAIN), False, b"x" * 16),
        array_of(1, (1,), dtype_of(*PLAIN), "no", b"x" * 8),
        array_of((1,)),
    ],
    ids=lambda call: repr(call.reduced[2])[:60],
)
def test_a_state_that_no_number_has_is_refused(call: Call, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pickle.UnpicklingError):
        read_pickle(pickle.dumps(call))
    assert capfd.readouterr() == ("", "")  # NumPy was told nothing that it prints about


@pytest.mark.parametrize("data", [b"", b"\0" * 4, b"\0" * 16, "12345678", 8], ids=str)
def test_a_scalar_of_other_bytes_than_its_dtypes_is_refused(data: Any) -> None:
    scalar, *_ = np.float64(1).__reduce__()
    assert read_pickle(pickle.dumps(Call(scalar, (np.dtype("f8"), np.float64(0.5).tobytes())))) == 0.5
    with pytest.raises(pickle.UnpicklingError):
        read_pickle(pickle.dumps(Call(scalar, (np.dtype("f8"), data))))


def test_the_same_state_as_numpy_gives_is_taken() -> None:
    read = read_pickle(
        pickle.dumps(array_of(1, (2,), dtype_of(*PLAIN), False, struct.pack("<2d", 1, 2)))
    )
    assert read.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("name", ["scalar", "_reconstruct"])
def test_a_pickle_changes_nothing_for_the_next(name: str) -> None:
    """A pickle may set attributes of what it names, such as a function's default arguments."""
    state = b"N}(S'__defaults__'\n(S'x'\ntu\x86b."
    hostile = b"\x80\x02cnumpy.core.multiarray\n" + name.encode() + b"\n" + state
    assert [code.name for code, *_ in pickletools.genops(hostile)][-2:] == ["BUILD", "STOP"]
    with pytest.raises(pickle.UnpicklingError, match="changes what it calls"):
        read_pickle(hostile)


def test_a_pickle_as_large_as_is_allowed_is_read_and_a_larger_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = pickle.dumps({"a": [1, 2.5, None]})
    monkeypatch.setattr(module, "MOST_PICKLE", len(data))
    assert read_pickle(data) == {"a": [1, 2.5, None]}
    monkeypatch.setattr(module, "MOST_PICKLE", len(data) - 1)
    with pytest.raises(pickle.UnpicklingError, match=rf"^a pickle of {len(data)} bytes"):
        read_pickle(data)


def test_what_lies_outside_a_pickle_is_not_asked_for() -> None:
    with pytest.raises(pickle.UnpicklingError, match="something outside itself"):
        read_pickle(b"Pelsewhere\n.")


@pytest.mark.parametrize(
    "arguments",
    [
        (bytearray(16), np.dtype("f8"), (2,), "A"),
        (bytearray(16), np.dtype("f8"), (3,), "C"),
        ([0.0, 1.0], np.dtype("f8"), (2,), "C"),
        (bytearray(16), "f8", (2,), "C"),
    ],
    ids=["order", "shape", "a list", "no dtype"],
)
def test_an_array_of_a_buffer_that_does_not_fit_is_refused(arguments: tuple[Any, ...]) -> None:
    """As protocol 5 has arrays; two rows of three columns come back row by row or column by column."""
    from_buffer, *_ = np.zeros(1).__reduce_ex__(5)
    values = np.arange(6.0).reshape(2, 3)
    for order in ("C", "F"):
        given = (values.tobytes(order), np.dtype("f8"), (2, 3), order)
        read = read_pickle(pickle.dumps(Call(from_buffer, given)))
        assert read.tolist() == values.tolist()
    with pytest.raises(pickle.UnpicklingError):
        read_pickle(pickle.dumps(Call(from_buffer, arguments)))


def test_only_a_class_that_is_named_has_a_path() -> None:
    named, instance = read_pickle(pickle.dumps([Call, Call("f8", (1,)).reduced]))
    assert path_of(named) == f"{Call.__module__}.Call"
    for value in (instance, Call, "f8", None, int, Instance()):
        assert path_of(value) is None
