"""The plugin of pytest: one test an aspect, and a failure that names it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foundation.errors import InputError
from parity import Report
from parity.command.pytest_plugin import (
    AspectTest,
    Differs,
    PairTests,
    pytest_pycollect_makeitem,
)
from parity.harness.findings import Answer, FieldVerdict
from parity.harness.questions import QUESTIONS
from tests.parity.command.small_pairs import honest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.costly
def test_a_pair_is_one_test_an_aspect(tmp_path: Path) -> None:
    (tmp_path / "test_ships.py").write_text(
        "from tests.parity.command.small_pairs import heavy as test_heavy, honest as test_honest\n"
    )
    command = ["-q", "-p", "parity.command.pytest_plugin", "-p", "no:cacheprovider"]
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", *command, "--envparity-transitions", "300", "test_ships.py"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "JAX_NUMPY_RANK_PROMOTION": "allow",
            "JAX_NUMPY_DTYPE_PROMOTION": "standard",
        },
        capture_output=True,
        text=True,
    ).stdout
    assert "FAILED test_ships.py::test_heavy::field speed - speed differs by logic" in shown
    assert "test_honest" not in shown
    failed, passed = (int(shown.split(f" {word}")[0].split()[-1]) for word in ("failed", "passed"))
    assert failed >= 3
    assert passed >= 20


def test_what_was_not_compared_is_skipped_or_fails_but_never_passes() -> None:
    fields = [
        FieldVerdict(name, "", ("", ""), "not compared", why="of another shape")
        for name in ("obs.ship", "reward")
    ]
    report = Report("tiny", "", fields, [], [], None, {}, {})
    parent = object.__new__(PairTests)
    parent._report = report
    for name, end in (("obs.ship", pytest.skip.Exception), ("reward", Differs)):
        item = object.__new__(AspectTest)
        item.name, item.parent = f"field {name}", parent
        with pytest.raises(end, match=f"^{name} is not compared: of another shape$"):
            item.runtest()


def test_every_field_question_and_branch_is_a_test() -> None:
    made: list[str] = []

    class Named:
        @staticmethod
        def from_parent(parent: object, name: str) -> str:
            made.append(name)
            return name

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parity.command.pytest_plugin.AspectTest", Named)
        list(PairTests.collect(SimpleNamespace(pair=honest)))  # type: ignore[arg-type]
    fields = ["height", "speed", "steps", "obs.ship", "obs.left", "reward", "terminated", "truncated"]
    assert made == [*(f"field {name}" for name in fields), *QUESTIONS, "coverage"]


@pytest.mark.parametrize("kind", [Differs, InputError])
def test_what_differs_or_cannot_be_compared_is_told_without_a_traceback(kind: type) -> None:
    with pytest.raises(kind) as raised:
        raise kind("seed is -1; it must be a whole number")
    item = object.__new__(AspectTest)
    assert item.repr_failure(raised) == "seed is -1; it must be a whole number"


def collected(kind: type, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[PairTests, list[Any]]:
    """Return a pair's tests in a module or a class, and what is verified of it."""
    asked: list[Any] = []

    def verified(*given: Any, **options: Any) -> str:
        asked.append((given, options))
        return f"report {len(asked)}"

    monkeypatch.setattr("parity.harness.verify.verify", verified)
    tests = object.__new__(PairTests)
    parent = object.__new__(kind)
    parent._obj = SimpleNamespace(__name__=name)
    parent.name = "test_ships.py"
    tests.pair, tests._report, tests.name, tests.parent = honest, None, "test_ship", parent
    options = SimpleNamespace(envparity_transitions=123, envparity_seed=7)
    tests.config = SimpleNamespace(option=options)  # type: ignore[assignment]
    return tests, asked


@pytest.mark.parametrize(
    ("kind", "name", "place"),
    [
        (pytest.Module, "test_ships", "test_ships:test_ship"),
        (pytest.Module, "tests.fleet.test_ships", "tests.fleet.test_ships:test_ship"),
        (pytest.Class, "TestShips", ""),
    ],
)
def test_a_pair_is_verified_once_with_its_options_and_from_where_it_can_be_loaded(
    kind: type, name: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests, asked = collected(kind, name, monkeypatch)
    assert [tests.report(), tests.report()] == ["report 1", "report 1"]
    assert asked == [((honest,), {"transitions": 123, "seed": 7, "place": place})]


def test_only_pairs_named_as_tests_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(
        PairTests, "from_parent", lambda parent, name, pair: made.append((parent, name, pair)) or "it"
    )
    module: Any = "module"
    assert pytest_pycollect_makeitem(module, "test_ship", honest) == "it"
    assert made == [("module", "test_ship", honest)]
    assert pytest_pycollect_makeitem(module, "ship", honest) is None
    assert pytest_pycollect_makeitem(module, "test_ship", object()) is None
    assert pytest_pycollect_makeitem(module, "test_ship", type("Pair", (), {})()) is None


def test_a_finding_fails_an_aspect_and_an_equal_one_passes() -> None:
    parent = object.__new__(PairTests)
    parent._report = SimpleNamespace(
        aspects=lambda: [("field x", ""), ("field y", "y differs by logic")],
        answers=[Answer("info keys", "skipped", "it has none")],
        fields=[],
    )
    item = object.__new__(AspectTest)
    item.parent = parent
    item.name = "field x"
    item.runtest()
    item.name = "field y"
    with pytest.raises(Differs, match=r"^y differs by logic$"):
        item.runtest()
    for name, why in (("info keys", "it has none"), ("field z", "not compared")):
        item.name = name
        with pytest.raises(pytest.skip.Exception, match=f"^{why}$"):
            item.runtest()
