"""Digests of what is loaded: every way in which a process can run other code than its files say."""

from __future__ import annotations

import importlib
import importlib.util
import os
import py_compile
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.errors import InputError
from foundation.files import file_digest, json_digest
from foundation.loaded_code import code_digest, loaded_digests, loaded_modules
from tests.sentences import refuses

MODULES = ("stall.till",)
TILL = "from stall.prices import price\n\n\ndef sell() -> int:\n    return 2 * price()\n"
PRICES = "def price() -> int:\n    return 3\n"


@pytest.fixture
def stall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of two modules on the path, not yet imported."""
    folder = tmp_path / "stall"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "till.py").write_text(TILL)
    (folder / "prices.py").write_text(PRICES)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "stall"]:
        del sys.modules[name]


def test_files_are_found_without_importing_them(stall: Path) -> None:
    assert loaded_digests(MODULES) == {
        f"stall/{name}": file_digest(stall / name) for name in ("__init__.py", "prices.py", "till.py")
    }
    assert "stall.till" not in sys.modules


def test_what_is_loaded_counts_and_not_what_lies_earlier_on_the_path_by_now(
    stall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    importlib.import_module("stall.till")
    other = tmp_path / "other"
    shutil.copytree(stall, other / "stall")
    (other / "stall" / "prices.py").write_text("def price() -> int:\n    return 4\n")
    monkeypatch.syspath_prepend(str(other))
    assert loaded_digests(MODULES)["stall/prices.py"] == file_digest(stall / "prices.py")


def test_another_copy_that_is_loaded_is_what_is_digested(
    stall: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    shutil.copytree(stall, other / "stall")
    (other / "stall" / "prices.py").write_text("def price() -> int:\n    return 4\n")
    monkeypatch.syspath_prepend(str(other))
    assert loaded_digests(MODULES)["stall/prices.py"] != file_digest(stall / "prices.py")


def test_a_compiled_file_without_its_source_is_refused(stall: Path) -> None:
    py_compile.compile(str(stall / "prices.py"), str(stall / "prices.pyc"))
    (stall / "prices.py").unlink()
    with refuses():
        loaded_digests(MODULES)


@pytest.mark.parametrize("mode", list(py_compile.PycInvalidationMode))
def test_a_compiled_file_of_other_source_is_refused_where_it_would_be_run(
    stall: Path, mode: py_compile.PycInvalidationMode
) -> None:
    """A file whose hash is never checked, or one with the time and size of the true source."""
    source = stall / "prices.py"
    other = PRICES.replace("3", "4")
    source.write_text(other)
    py_compile.compile(str(source), invalidation_mode=mode)
    stat = source.stat()
    source.write_text(PRICES)

    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    is_run = mode is not py_compile.PycInvalidationMode.CHECKED_HASH
    if is_run:
        with refuses():
            loaded_digests(MODULES)
    else:
        assert loaded_digests(MODULES)
    assert importlib.import_module("stall.prices").price() == (4 if is_run else 3)


def test_a_file_that_was_changed_after_it_was_loaded_is_refused(stall: Path) -> None:
    importlib.import_module("stall.till")
    (stall / "prices.py").write_text(PRICES.replace("3", "40"))
    with refuses():
        loaded_digests(MODULES)


def test_loaded_modules_of_ours_are_named() -> None:
    assert {"foundation/__init__.py", "foundation/loaded_code.py"} <= loaded_modules()


BOOTH = """from contextlib import contextmanager
from functools import cache, cached_property, wraps


def doubled(function):
    @wraps(function)
    def call(*given):
        return 2 * function(*given)

    return call


class Booth:
    size = 3

    def first(self):
        return 1 + 10

    @classmethod
    def second(cls):
        return 2 + 10

    @staticmethod
    def third():
        return 3 + 10

    @property
    def fourth(self):
        return 4 + 10

    @doubled
    def fifth(self):
        return 5 + 10

    @fourth.setter
    def fourth(self, value):
        self.size = 9 + 10

    @fourth.deleter
    def fourth(self):
        self.size = 12 + 10

    @cached_property
    def tenth(self):
        return 10 + 10


@cache
def sixth():
    return 6 + 10


@doubled
def seventh():
    def within():
        return 7 + 10

    return within()


async def eighth():
    many = 8 + 10
    return [n for n in range(many)]


@contextmanager
def eleventh():
    yield 11 + 10
"""


@pytest.mark.parametrize("number", range(13))
def test_every_kind_of_function_is_held_to_its_file(stall: Path, number: int) -> None:
    """Methods of each kind, and functions within decorations, within functions and in between."""
    (stall / "till.py").write_text(BOOTH)
    importlib.import_module("stall.till")
    assert set(loaded_digests(MODULES)) == {"stall/__init__.py", "stall/till.py"}
    changed = (
        BOOTH.replace(f" {number} + 10", f" {number} + 9") if number else BOOTH.replace("2 *", "30 *")
    )
    assert changed != BOOTH
    (stall / "till.py").write_text(changed)
    with refuses():
        loaded_digests(MODULES)


def test_code_is_named_by_all_that_its_modules_import(stall: Path) -> None:
    first = code_digest(("stall.prices",))
    wanted = {f"stall/{name}": file_digest(stall / name) for name in ("__init__.py", "prices.py")}
    assert first == json_digest(wanted)
    assert code_digest(("stall.till",)) == json_digest(
        {**wanted, "stall/till.py": file_digest(stall / "till.py")}
    )


@pytest.mark.parametrize("part", ["version", "length", "time", "size", "nothing"])
def test_a_compiled_file_that_python_would_not_run_may_be_of_anything(stall: Path, part: str) -> None:
    """Of another version of Python, cut off, or of a source of another time or size."""
    source = stall / "prices.py"
    source.write_text(PRICES.replace("3", "4"))
    compiled = Path(
        py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
        or ""
    )
    stat = source.stat()
    source.write_text(PRICES + ("\n" if part == "size" else ""))
    later = 2 * 10**9 if part == "time" else 0
    os.utime(source, ns=(stat.st_atime_ns, stat.st_mtime_ns + later))
    data = compiled.read_bytes()
    if part == "version":
        compiled.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    elif part == "length":
        compiled.write_bytes(data[:12])
    if part == "nothing":
        with pytest.raises(InputError, match=r"this is not what .*prices\.py compiles to; remove it"):
            loaded_digests(MODULES)
    else:
        assert loaded_digests(MODULES)["stall/prices.py"] == file_digest(source)
        assert importlib.import_module("stall.prices").price() == 3
