"""What a command line names is found in the current folder first, and whatever is wrong is said."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from parity import Pair
from parity.harness.places import load, load_pair
from tests.sentences import refuses

PAIR = """
from tests.parity.harness.sides.tiny import pair as made
from foundation.errors import InputError

first, _hidden, other = made(), 3, made(name="another")
number = 7

def make():
    return made(name="made")

def needs(one):
    return made()

def refuses():
    raise InputError("a sentence of its own; give another")

def nothing():
    return None
"""
FILES = {
    "named_pairs.py": PAIR,
    "named_package/__init__.py": "",
    "named_package/inner.py": "value = 5\n",
    "few_names.py": "import os\n_hidden = 1\n" + "".join(f"n{n} = {n}\n" for n in range(9)),
    "no_names.py": "",
    "lacks_one.py": "import no_such_package_of_ours.part\n",
    "lacks_part.py": "import named_package.gone\n",
    "raises.py": "raise KeyError('a key')\n",
    "ends.py": "value = int('three')\n",
    "objects.py": "from foundation.errors import InputError\nraise InputError('its own; mend it')\n",
}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    names = {name.partition("/")[0].removesuffix(".py") for name in FILES}
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in names]:
        del sys.modules[name]


def test_a_pair_is_named_or_made_by_a_function() -> None:
    assert load_pair("named_pairs:first").name == "tiny"
    assert load_pair("named_pairs:other").name == "another"
    assert load_pair("named_pairs:make").name == "made"
    assert load("named_pairs:number", "number") == 7
    assert load("named_package.inner:value", "number") == 5
    assert isinstance(load("named_pairs:first", "pair"), Pair)


PLACES = [
    "named_pairs",
    "named_pairs:",
    ":first",
    ":",
    "",
    "gone:pair",
    "named_package.gone:pair",
    "named_package.gone.more:pair",
    "named_pairs:gone",
    "few_names:gone",
    "no_names:gone",
    "lacks_one:pair",
    "lacks_part:pair",
    "raises:pair",
    "ends:value",
    "objects:pair",
    "named_pairs:number",
    "named_pairs:needs",
    "named_pairs:refuses",
    "named_pairs:nothing",
]


@pytest.mark.parametrize("place", PLACES)
def test_what_cannot_be_found_or_is_no_pair_is_said(place: str) -> None:
    with refuses():
        load_pair(place)


@pytest.mark.parametrize("form", ["module", "package"])
@pytest.mark.parametrize("dotted", [False, True])
def test_one_of_another_folder_is_refused_where_this_one_has_its_name(
    form: str, dotted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "named_package.deep" if dotted else "named_pairs"
    file = f"{name.replace('.', '/')}{'/__init__' if form == 'package' else ''}.py"
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for folder in folders[:2]:
        (folder / file).parent.mkdir(parents=True)
        (folder / file).write_text(f"value = {folder.name!r}\n", "utf-8")
        if dotted:
            (folder / "named_package/__init__.py").write_text("", "utf-8")
    folders[2].mkdir()
    loads: Callable[[], object] = lambda: load(f"{name}:value", "word")  # noqa: E731
    monkeypatch.chdir(folders[0])
    assert loads() == "one"
    monkeypatch.chdir(folders[2])  # which has none of its name
    assert loads() == "one"
    monkeypatch.chdir(folders[1])
    with refuses():
        loads()
