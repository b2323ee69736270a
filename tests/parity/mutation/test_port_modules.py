"""The modules that are mutated are the port's, whatever a pair is made of."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parity import Pair
from parity.harness.places import load_pair
from parity.mutation.port_modules import modules_of_reference, port_modules
from tests.parity.mutation import small_pair
from tests.sentences import refuses

HERE = "pair_of_modules"
PARTS = {
    "reference_of_modules": "class Plain:\n    x = 0\n",
    "port_of_modules": "def program():\n    return None\n",
    "helper_of_modules": "def wrap(made):\n    return made\n\n\nLIMIT = 3\n",
    HERE: """
from parity import Pair, Port, Program, Reference
from helper_of_modules import LIMIT, wrap
from port_of_modules import program
from reference_of_modules import Plain

def reset(one, seed):
    return 0

pair = Pair(
    "p",
    Reference.mutable(Plain, lambda one: {"x": one.x}, reset, None, sources=("reference_of_modules",)),
    Port.functional(lambda: wrap(program())),
)
own = Pair("p", pair.reference, Port.functional(lambda: None))
""",
}
Declared = Callable[[str], Pair]


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write the modules of a pair; return what loads one of the pairs declared in them."""
    for name, text in PARTS.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    yield lambda name: load_pair(f"{HERE}:{name}")
    for name in PARTS:
        sys.modules.pop(name, None)


def test_functions_are_in_the_modules_that_their_factory_calls(
    declared: Declared, tmp_path: Path
) -> None:
    found = port_modules(declared("pair"), HERE)
    assert found == {n: tmp_path / f"{n}.py" for n in ("helper_of_modules", "port_of_modules")}
    assert modules_of_reference(declared("pair")) == {"reference_of_modules"}


def test_a_port_of_nothing_else_is_in_the_module_that_declares_it(
    declared: Declared, tmp_path: Path
) -> None:
    assert port_modules(declared("own"), HERE) == {HERE: tmp_path / f"{HERE}.py"}


def test_what_the_reference_is_made_in_is_not_the_ports(declared: Declared, tmp_path: Path) -> None:
    one = declared("pair")
    one.port.sources = ("reference_of_modules", HERE, "port_of_modules", "parity.harness.judge")
    assert list(port_modules(one, HERE)) == ["port_of_modules", "helper_of_modules"]


def test_an_object_is_in_the_module_of_its_class() -> None:
    place = Path(small_pair.__file__).with_name("small_port.py")
    assert port_modules(small_pair.pair, "tests.parity.mutation.small_pair") == {
        "tests.parity.mutation.small_port": place
    }
    name = "tests.parity.mutation.small_pair"
    assert modules_of_reference(small_pair.pair) == {name}

    class Wrapped:
        unwrapped = small_pair.small_port.Count()

    port: Any = replace(small_pair.pair.port, make=Wrapped, reset_one=lambda one, seed: 0)
    wrapped = replace(small_pair.pair, port=port, reference=port)
    assert list(port_modules(wrapped, name)) == ["tests.parity.mutation.small_port"]
    assert modules_of_reference(wrapped) >= {"tests.parity.mutation.small_port"}


def test_what_is_asked_for_counts_and_none_of_what_judges(declared: Declared, tmp_path: Path) -> None:
    one = declared("pair")
    wanted = ("port_of_modules", "reference_of_modules")
    assert port_modules(one, HERE, wanted) == {name: tmp_path / f"{name}.py" for name in wanted}
    for name in ("parity.harness.judge", "foundation.errors", "no_such_module", "math"):
        with refuses():
            port_modules(one, HERE, ("port_of_modules", name))
