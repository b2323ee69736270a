"""Read JSON artifacts through declared types, with limits on size and depth.

A damaged or hostile file ends in one sentence that names the file, the place inside it, and what to do.
The types are msgspec's structs, or plain ones such as ``dict[str, Any]``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec

from foundation.errors import InputError, reason_of

T = TypeVar("T")

MOST_BYTES = 64 * 1024 * 1024
"""Size of the largest JSON file that is read, unless a caller says otherwise."""
MOST_DEPTH = 32
"""Brackets within brackets; no artifact of this program has half as many."""

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""A whole number that fits 32 bits."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""A whole number from zero that fits 32 bits."""

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]|(?<![0-9.eE+-])-?[0-9]{20,}(?![0-9.eE])', re.DOTALL)
_PLACE = re.compile(r"(.*?)(?: - at `(?:key in )?\$?(.*)`)?", re.DOTALL)


class Struct(msgspec.Struct):
    """The base of a declared JSON object; names that are not declared are passed over."""


@dataclass(frozen=True)
class Artifact:
    """A kind of JSON file, in the words of messages.

    Attributes:
        what: its name, as in "not a readable certificate".
        mend: what to do about a damaged one.
        absent: what to say where there is no file; by default that, and ``mend``.
        most_bytes: a larger one is not read.
    """

    what: str
    mend: str
    absent: str = ""
    most_bytes: int = MOST_BYTES

    def damaged(self, where: object, reason: str) -> InputError:
        """Return the error that says where one is damaged, why, and what to do."""
        return InputError(f"{where}: not a readable {self.what} ({reason}); {self.mend}")

    @contextmanager
    def checked(self, where: object) -> Iterator[None]:
        """Say of whatever is refused of a read one's values that it is damaged, and where."""
        try:
            yield
        except (TypeError, ValueError, AttributeError) as error:  # InputError is a ValueError
            raise self.damaged(where, str(error)) from None

    def missing(self, where: object) -> InputError:
        """Return the error that says that there is no such file, and what to do."""
        return InputError(f"{where}: {self.absent or f'no such file; {self.mend}'}")

    def read(self, path: Path) -> bytes:
        """Return the bytes of one.

        Raises:
            InputError: there is no file, it can't be read, or it is too large.
        """
        try:
            with path.open("rb") as file:
                data = file.read(self.most_bytes + 1)
        except FileNotFoundError:
            raise self.missing(path) from None
        except OSError as error:
            raise self.damaged(path, error.strerror or str(error)) from None
        if len(data) > self.most_bytes:
            raise self.damaged(path, f"larger than {self.most_bytes:,} bytes")
        return data


def read_json(path: Path, kind: type[T], artifact: Artifact) -> T:
    """Read a JSON file as a declared type.

    Raises:
        InputError: there is no file, it is too large, or it does not hold what was declared.
    """
    return decode_json(artifact.read(path), kind, artifact, where=path)


def decode_json(data: bytes | str, kind: type[T], artifact: Artifact, *, where: object) -> T:
    """Return JSON text as a declared type; ``where`` names it in messages.

    Raises:
        InputError: it is too large, or does not hold what was declared.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    try:
        if len(raw) > artifact.most_bytes:
            raise ValueError(f"larger than {artifact.most_bytes:,} bytes")
        value = msgspec.json.decode(raw, type=kind)
        _check_tokens(raw)
        return value
    except RecursionError:
        reason = "nested too deeply"
    except (ValueError, msgspec.DecodeError) as error:
        reason = explain(error)
    raise artifact.damaged(where, reason)


def json_or_text(text: str) -> Any:
    """Return an option's value: what it says as JSON, within the limits of a file, else the text."""
    try:
        return decode_json(text, Any, Artifact("value", "give plain JSON"), where="")
    except InputError:
        return text


def convert(
    values: Any,
    kind: type[T],
    artifact: Artifact,
    *,
    where: object,
    in_words: Callable[[str], str] = str,
) -> T:
    """Return plain values, read before, as a declared type.

    Args:
        values: as JSON or TOML has them.
        kind: the type.
        artifact: what they are a part of.
        where: names them in messages.
        in_words: puts what msgspec says into the words of another format than JSON.

    Raises:
        InputError: they do not hold what was declared.
    """
    try:
        return msgspec.convert(values, type=kind)
    except (ValueError, msgspec.ValidationError) as error:
        raise artifact.damaged(where, explain(ValueError(in_words(str(error))))) from None


def explain(error: Exception) -> str:
    """Return what msgspec or a decoder of text says, as "place: reason" without quotes."""
    if isinstance(error, UnicodeDecodeError):
        return reason_of(error)
    parts = _PLACE.fullmatch(str(error))
    reason, place = (parts[1], parts[2]) if parts else (str(error), None)
    reason = reason.replace("`", "").replace("JSON is malformed: ", "")
    reason = reason[:1].lower() + reason[1:]
    return f"{place.lstrip('.')}: {reason}" if place else reason


def _check_tokens(data: bytes) -> None:
    """Refuse valid JSON whose nesting, or whose whole numbers, no declared type has limited."""
    depth = 0
    for token in _TOKENS.finditer(data):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > MOST_DEPTH:
                raise ValueError(f"nested more than {MOST_DEPTH} deep")
        elif first in b"]}":
            depth -= 1
        elif first != b'"':
            raise ValueError("a whole number has more than 19 digits")


def require_names(
    values: object, names: Collection[str], what: str, mend: str = "give every setting"
) -> Mapping[str, Any]:
    """Return a stored object that has all of these names and no other.

    A setting that is left out of an artifact is no default: another version's may be another.

    Raises:
        InputError: it is no object, or lacks a name, or has another.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{what}: {values!r} is no mapping of settings; {mend}")
    if unknown := sorted(set(map(str, values)) - set(names)):
        raise InputError(f"{what}: unknown setting {', '.join(unknown)}; {mend}")
    if missing := sorted(set(names) - set(values)):
        raise InputError(f"{what}: {', '.join(missing)} missing; {mend}")
    return values
