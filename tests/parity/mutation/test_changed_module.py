"""A module is imported from other source, and nothing else is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from parity.mutation.changed_module import import_changed, source_file
from tests.sentences import refuses

NAMES = ("package_to_change", "package_to_change.inner", "package_to_change.other")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / NAMES[0]
    folder.mkdir()
    (folder / "__init__.py").write_text("VALUE = 1\n", encoding="utf-8")
    (folder / "inner.py").write_text("VALUE = 2\nFILE = __file__\n", encoding="utf-8")
    (folder / "other.py").write_text("VALUE = 3\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    importlib.invalidate_caches()
    yield folder
    for name in NAMES:
        sys.modules.pop(name, None)


def values() -> list[int]:
    return [importlib.import_module(name).VALUE for name in NAMES]


@pytest.mark.parametrize("place", range(3))
def test_one_module_is_another_and_its_file_is_as_it_was(place: int, package: Path) -> None:
    assert values() == [1, 2, 3]  # compiled now, which is not to be answered from
    for name in NAMES:
        del sys.modules[name]
    before = {path.name: path.read_bytes() for path in package.rglob("*") if path.is_file()}
    import_changed(NAMES[place], b"VALUE = 7\nFILE = __file__\n")
    assert values() == [7 if number == place else number + 1 for number in range(3)]
    changed = sys.modules[NAMES[place]]
    assert str(source_file(NAMES[place])) == changed.FILE
    assert {path.name: path.read_bytes() for path in package.rglob("*") if path.is_file()} == before


def test_a_module_that_is_imported_already_is_refused(package: Path) -> None:
    importlib.import_module(NAMES[1])
    with refuses():
        import_changed(NAMES[1], b"VALUE = 7\n")
    assert values() == [1, 2, 3]


def test_the_source_of_a_module_is_found_before_and_after_it_is_imported(package: Path) -> None:
    files = [package / name for name in ("__init__.py", "inner.py", "other.py")]
    assert [source_file(name) for name in NAMES] == files
    values()
    assert [source_file(name) for name in NAMES] == files


@pytest.mark.parametrize("name", ["math", "nowhere_at_all", "package_to_change.none", "json..x", "sys"])
def test_what_has_no_source_in_python_is_refused(name: str, package: Path) -> None:
    with refuses():
        source_file(name)


def test_a_module_without_a_spec_has_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "module_without_a_spec", ModuleType("module_without_a_spec"))
    with refuses():
        source_file("module_without_a_spec")
