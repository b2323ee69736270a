"""Read TOML files through declared types, with the limits and the messages of JSON artifacts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from foundation.errors import reason_of
from foundation.json_reading import Artifact, convert

T = TypeVar("T")


def read_toml(path: Path, kind: type[T], artifact: Artifact) -> T:
    """Read a TOML file as a declared type, such as ``dict[str, Any]``.

    Raises:
        InputError: there is no file, it is too large, is no TOML, or does not hold what was declared.
    """
    data = artifact.read(path)
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise artifact.damaged(path, "nested too deeply") from None
    except ValueError as error:  # of UTF-8 and of TOML
        raise artifact.damaged(path, reason_of(error)) from None
    return convert(values, kind, artifact, where=path)
