"""TOML as editors of any system save it, and what is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foundation.errors import InputError
from foundation.json_reading import Artifact
from foundation.toml_files import read_toml

TEXT = 'name = "Zürich"\n[set]\nsteps = 3\n'
FILE = Artifact("file of settings", "write it again")


def read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = read_toml(path, dict[str, Any], FILE)
    return values


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_is_read_with_or_without_a_mark_of_its_encoding(
    mark: bytes, ends: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(mark + TEXT.replace("\n", ends).encode())
    assert read(path) == {"name": "Zürich", "set": {"steps": 3}}


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("latin-1"),
        TEXT.encode("utf-16"),
        b"name = ",
        b"name = 1\nname = 2\n",
        b"a = " + b"[" * 5000,
        b"\xef\xbb",
    ],
)
def test_what_is_no_toml_is_refused_by_name(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(data)
    with pytest.raises(InputError) as refusal:
        read(path)
    assert str(refusal.value).startswith(f"{path}: ")
