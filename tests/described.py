"""Everything that a program returns or writes, in lines of text: values, arrays, tables, folders.

An array is told by a few numbers from which any other element would show: its type and shape, its
smallest and largest, and a weighted sum of each eighth of it.
"""

from __future__ import annotations

import dataclasses
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import safe_open

Line = tuple[str, str]
"""(name, value)."""

FEW = 8
"""Elements that are written out, and parts of a longer array that are summed apart."""
WEIGHTS = 1009
"""A prime: no two elements less far apart weigh the same."""
BINARY = (".onnx", ".pt2", ".pt", ".pth", ".exe", ".png", ".arrow")
"""Kinds of files of which only that they are there is told."""
EVENTS = "events.out.tfevents"


def describe(name: str, value: Any) -> Iterator[Line]:
    """Yield a line for every part of a value, in order.

    Args:
        name: of the value; parts add ``.key``, ``[0]`` or ``/file``.
        value: plain values, mappings, sequences, dataclasses, arrays, tables, and paths of files.
    """
    if isinstance(value, Path):
        yield from _path(name, value)
    elif isinstance(value, pd.DataFrame):
        yield name, f"table of {len(value)} rows"
        for column in value.columns:
            yield f"{name}.{column}", _array(value[column].to_numpy())
    elif isinstance(value, str) and "\n" in value:
        yield from ((name, line.rstrip()) for line in value.splitlines())
    elif isinstance(value, Mapping):
        yield from _parts(name, {f".{key}": one for key, one in value.items()}, "{}")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        yield from describe(name, fields)
    elif hasattr(value, "_asdict"):
        yield from describe(name, value._asdict())
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        yield from _sequence(name, value)
    elif hasattr(value, "__array__"):
        yield name, _array(np.asarray(value))
    else:
        yield name, _plain(value)


def _parts(name: str, parts: Mapping[str, Any], empty: str) -> Iterator[Line]:
    if not parts:
        yield name, empty
    for key, one in parts.items():
        yield from describe(f"{name}{key}", one)


def _sequence(name: str, values: Sequence[Any]) -> Iterator[Line]:
    """Yield plain values in one line, many alike mappings as a table, all else one by one."""
    if all(value is None or isinstance(value, (bool, int, float, np.number)) for value in values):
        if len(values) <= FEW:
            yield name, f"[{', '.join(_plain(value) for value in values)}]"
        elif all(value is None for value in values):
            yield name, f"{len(values)} times null"
        else:
            yield name, _array(np.asarray([np.nan if value is None else value for value in values]))
    elif (table := _rectangle(values)) is not None:
        yield name, _array(table)
    elif len(values) > FEW and all(isinstance(one, Mapping) for one in values):
        yield name, f"{len(values)} mappings"
        for key in dict.fromkeys(key for one in values for key in one):
            where = [number for number, one in enumerate(values) if key in one]
            some = "" if len(where) == len(values) else f" of {len(where)}, {_checksum(where)}"
            yield from describe(f"{name}[].{key}{some}", [values[number][key] for number in where])
    elif len(values) > FEW and all(
        isinstance(one, (list, tuple)) and len(one) == len(values[0]) for one in values
    ):
        yield name, f"{len(values)} rows"
        for number, column in enumerate(zip(*values, strict=True)):
            yield from describe(f"{name}[][{number}]", column)
    elif len(values) > FEW and all(isinstance(one, (str, int, float, type(None))) for one in values):
        yield name, _array(np.asarray(values, object))
    else:
        yield from _parts(name, {f"[{n}]": one for n, one in enumerate(values)}, "[]")


def _rectangle(values: Sequence[Any]) -> np.ndarray[Any, Any] | None:
    """Return lists of equally many numbers, of several dimensions, as an array; None for all else."""
    if not all(isinstance(one, (list, tuple)) for one in values) or sum(map(len, values)) <= FEW:
        return None
    try:
        table = np.asarray(values)
    except ValueError:  # of lists that are not equally long
        return None
    return table if table.dtype.kind in "biuf" else None


def _plain(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{float(value) + 0.0:.9g}" if float(value) % 1 else f"{float(value) + 0.0:.1f}"
    if isinstance(value, np.generic):
        return _plain(value.item())
    if value is None or isinstance(value, (bool, int)):
        return json.dumps(value)
    return str(value)


def _checksum(values: Sequence[Any]) -> str:
    return f"{zlib.crc32(repr(list(values)).encode()):08x}"


def _array(values: np.ndarray[Any, Any]) -> str:
    """Return an array in one line."""
    kind = str(values.dtype)
    head = f"{kind} {list(values.shape)}"
    flat = values.ravel()
    if flat.dtype.kind in "Mm":
        unit = np.datetime_data(flat.dtype)[0]
        head, flat = f"{flat.dtype.kind}8[{unit}] {list(values.shape)}", flat.astype("i8")
    if flat.dtype.kind not in "biuf":
        text = [_plain(value) for value in flat]
        if len(text) <= FEW:
            return f"{len(text)} of text: {' | '.join(text)}"
        return f"{len(text)} of text from {text[0]} to {text[-1]}, {_checksum(text)}"
    if flat.size <= FEW:
        return f"{head}: {', '.join(_plain(value) for value in flat)}"
    if flat.dtype.kind in "biu":
        ends = f"from {int(flat.min())} to {int(flat.max())}"
        return f"{head} {ends}, checksum {zlib.crc32(flat.astype('<i8').tobytes()):08x}"
    finite = flat[np.isfinite(flat)].astype(np.float64)
    missing = ""
    if finite.size < flat.size:
        others = np.flatnonzero(~np.isfinite(flat)).tolist()
        missing = f", {len(others)} not finite, {_checksum(others)}"
    if not finite.size:
        return f"{head}{missing}"
    least = finite.min()
    weights = (np.arange(finite.size) * 7919 % WEIGHTS + 1) / WEIGHTS
    sums = [part.sum() for part in np.array_split((finite - least) * weights, FEW)]
    numbers = ", ".join(f"{one:.9e}" for one in sums)
    return f"{head} from {least:.9e} to {finite.max():.9e}, sums {numbers}{missing}"


def _path(name: str, path: Path) -> Iterator[Line]:
    if path.is_dir():
        for one in sorted(path.iterdir()):
            # TensorBoard puts the time, the machine and the process into a file's name.
            shown = one.name if not one.name.startswith(EVENTS) else EVENTS
            yield from _path(f"{name}/{shown}", one)
        return
    data = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for member in sorted(archive.namelist()):
                yield from _file(f"{name}/{member}", Path(member), archive.read(member))
        return
    yield from _file(name, path, data)


def _file(name: str, path: Path, data: bytes) -> Iterator[Line]:
    """Yield lines of one file's content, by what its name says that it is."""
    suffix = path.suffix
    if suffix == ".json":
        yield from describe(name, json.loads(data))
    elif suffix == ".jsonl":
        yield from describe(name, [json.loads(line) for line in data.decode().splitlines()])
    elif suffix == ".csv":
        yield f"{name} header", data.decode().partition("\n")[0]
        yield from describe(name, pd.read_csv(io.BytesIO(data)))
    elif suffix == ".parquet":
        yield from describe(name, pd.read_parquet(io.BytesIO(data)))
    elif suffix == ".safetensors":
        with safe_open(path, "numpy") as tensors:
            metadata = {key: _json_or_text(text) for key, text in (tensors.metadata() or {}).items()}
            yield from describe(f"{name} metadata", dict(sorted(metadata.items())))
            for key in sorted(tensors.keys()):
                yield from describe(f"{name}:{key}", tensors.get_tensor(key))
    elif suffix in (".npz", ".npy"):
        loaded = np.load(io.BytesIO(data))
        parts = {"": loaded} if suffix == ".npy" else {f":{key}": loaded[key] for key in loaded.files}
        yield from _parts(name, parts, "{}")
    elif suffix == ".html":
        page = _Text(data.decode())
        yield from ((name, text) for text in page.texts)
        for number, one in enumerate(page.data):
            yield from describe(f"{name} data[{number}]", one)
    elif suffix in BINARY or b"\0" in data:
        yield name, "a binary file"
    else:
        yield from ((name, text) for text in data.decode().splitlines())


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


class _Text(HTMLParser):
    """The texts of a page that is read, without plots, and the data that its scripts read."""

    SKIPPED = ("style", "svg", "script")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.data: list[Any] = []
        self._within: list[str] = []
        self._holds_data = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.SKIPPED:
            self._within.append(tag)
        self._holds_data = tag == "script" and ("type", "application/json") in attrs
        self.texts += [f"<{name} {value}>" for name, value in attrs if name in ("aria-label", "title")]

    def handle_endtag(self, tag: str) -> None:
        if self._within and tag == self._within[-1]:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._holds_data:
            self.data.append(json.loads(data))
            self._holds_data = False
        text = " ".join(data.split())
        if text and not self._within:
            self.texts.append(text)
