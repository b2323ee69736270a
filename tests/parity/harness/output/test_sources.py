"""What a verdict depends on: every file that is imported, however it is, and every package."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import packages_distributions, version
from pathlib import Path

import click.types
import pytest

from foundation.errors import InputError
from foundation.files import file_digest
from parity.harness.output import sources as module
from parity.harness.output.sources import source_of, sources

FILES = {
    "bound_pair/__init__.py": "",
    "bound_pair/main.py": "import numpy\nfrom bound_pair import whole\nfrom .near import value\n",
    "bound_pair/whole.py": "from bound_pair.deep.far import *\n",
    "bound_pair/near.py": "def late():\n    import bound_pair.late\nvalue = 1\n",
    "bound_pair/late.py": "from .. import nothing_there\nimport json\n",
    "bound_pair/deep/__init__.py": "from . import beside\n",
    "bound_pair/deep/beside.py": "",
    "bound_pair/deep/far.py": "import click.core as core\n",
    "bound_pair/idle.py": "import scipy\n",
}
INSTALLED = cache(packages_distributions)
"""Asked once, since every package is looked at."""
Found = Callable[[], tuple[dict[str, str], dict[str, str]]]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Found]:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(module, "packages_distributions", INSTALLED)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda: sources(["bound_pair.main"], ["click.types"])
    for name in [name for name in sys.modules if name.partition(".")[0] == "bound_pair"]:
        del sys.modules[name]


def test_every_import_is_followed_and_of_packages_the_version_is_taken(found: Found) -> None:
    files, packages = found()
    expected = {name.removesuffix(".py").replace("/", ".") for name in FILES if "idle" not in name}
    assert set(files) == {name.removesuffix(".__init__") for name in expected} | {"click.types"}
    assert set(packages) == {"numpy", "click"}
    assert packages == {name: version(name) for name in ("click", "numpy")}
    assert (list(files), list(packages)) == (sorted(files), sorted(packages))


@pytest.mark.parametrize("name", [name for name in FILES if "idle" not in name])
def test_a_byte_of_any_of_them_changes_its_digest_and_no_other(
    name: str, found: Found, tmp_path: Path
) -> None:
    before = found()[0]
    path = tmp_path / name
    path.write_text(FILES[name] + "# more\n", encoding="utf-8")
    after = found()[0]
    module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    assert [one for one in before if before[one] != after[one]] == [module]
    assert set(before) == set(after)


def test_what_nothing_imports_is_not_bound_and_a_module_without_a_file_is_refused(
    found: Found, tmp_path: Path
) -> None:
    before = found()
    (tmp_path / "bound_pair/idle.py").write_text("import json\n", encoding="utf-8")
    assert found() == before
    for name in ("bound_pair.gone", "sys"):
        with pytest.raises(InputError):
            sources([name])


def test_an_installed_module_to_begin_with_is_digested_and_what_it_imports_is_not() -> None:
    files, packages = sources(["click.types"], ["click.core"])
    assert set(files) == {"click.types", "click.core"}
    assert set(packages) == {"click"}
    assert files["click.types"] == file_digest(Path(click.types.__file__))


def test_only_a_file_of_python_is_a_source() -> None:
    assert source_of("click.types") == Path(click.types.__file__)
    core = sys.modules["numpy"]._core._multiarray_umath
    assert Path(core.__file__).is_file()
    for name in ("sys", core.__name__, "click.no_such", "no_such_package_of_ours.part", "", "."):
        assert source_of(name) is None


def test_compiled_code_of_one_s_own_is_bound_and_that_of_packages_is_not(
    found: Found, tmp_path: Path
) -> None:
    """A module that is imported, wherever it lies, and what is loaded by its path beside the source."""
    suffix = EXTENSION_SUFFIXES[0]
    paths = {
        "bound_pair.deep.fast": f"bound_pair/deep/fast{suffix}",
        "fast_elsewhere": f"fast_elsewhere{suffix}",
        "bound_pair/libphysics.so": "bound_pair/libphysics.so",
        "bound_pair.deep/libx.so.3": "bound_pair/deep/libx.so.3",
    }
    before = found()[0]
    text = FILES["bound_pair/late.py"] + "import fast_elsewhere\nfrom .deep import fast\n"
    (tmp_path / "bound_pair/late.py").write_text(text, encoding="utf-8")
    for turn in (b"one", b"two"):
        for path in paths.values():
            (tmp_path / path).write_bytes(turn)
        files = found()[0]
        assert set(files) - set(before) == set(paths)
        for name, path in paths.items():
            assert files[name] == file_digest(tmp_path / path)
    assert not any("numpy" in name for name in files)


def test_packages_that_no_import_names_are_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python runs them before the module within them."""
    folder = tmp_path / "unnamed_pair" / "deep"
    folder.mkdir(parents=True)
    for path in (folder.parent / "__init__.py", folder / "__init__.py", folder / "main.py"):
        path.write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    files, _ = sources(["unnamed_pair.deep.main"])
    assert set(files) == {"unnamed_pair", "unnamed_pair.deep", "unnamed_pair.deep.main"}
