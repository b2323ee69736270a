"""What a process that tries one mutant says: of the unchanged port, of a fault, of what is no fault."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.harness.findings import Answer, FieldVerdict
from parity.harness.report import Report
from parity.mutation.child import Job, _first, judge
from parity.mutation.recorder import CHANGED, NAMES, NOTHING, ROUNDING

PORT = Path(__file__).with_name("small_port.py").read_text(encoding="utf-8")
PAIR = """
from dataclasses import replace

from parity import Port
from tests.parity.mutation.small_pair import pair as plain, read, write
from {port} import Count

side = Port.mutable(
    Count, read, lambda one, seed: one.reset(seed), lambda one, action: one.step(action), write
)
SEEN = list[int]()


def rare(before, action, after):
    return (before["total"] == 4) & (before["charge"] > {above})


pair = replace(plain, port=side, branches={{"rare": rare}})
"""
Try = Callable[..., dict[str, Any]]


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Try]:
    """Return what judges a port in which a text is another one; each is a module of its own name."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before, finders = set(sys.modules), list(sys.meta_path)
    number = 0

    def attempt(old: str = "", new: str = "", above: float = 0.0, **wanted: Any) -> dict[str, Any]:
        nonlocal number
        number += 1
        port, place = f"port_of_child_{number}", f"pair_of_child_{number}"
        (tmp_path / f"{port}.py").write_text(PORT, encoding="utf-8")
        (tmp_path / f"{place}.py").write_text(PAIR.format(port=port, above=above), encoding="utf-8")
        importlib.invalidate_caches()
        changed = tmp_path / "changed.py"
        assert not old or PORT.count(old) == 1
        changed.write_text(PORT.replace(old, new) if old else PORT, encoding="utf-8")
        job = Job(
            place=f"{place}:pair",
            module=port if old else "",
            source=str(changed),
            **{"transitions": 60, "resets": 50, "seed": 0, **wanted},
            record=str(tmp_path / "unchanged"),
            files=[str(tmp_path / f"{port}.py")],
        )
        return judge(job)

    yield attempt
    sys.meta_path[:] = finders
    for name in set(sys.modules) - before:
        if name.startswith(("port_of_child", "pair_of_child")):
            del sys.modules[name]


@pytest.mark.costly
def test_each_change_of_a_port_is_what_it_is(attempt: Try, tmp_path: Path) -> None:
    control = attempt()
    assert (control["verdict"], control["by"]) == ("same", "")
    lines = PORT.splitlines()
    assert {lines[line - 1].split("(")[0].strip() for _, line in control["entered"]} == {
        "def __init__",
        "def reset",
        "def step",
    }
    assert {file for file, _ in control["entered"]} == {str(tmp_path / "port_of_child_1.py")}
    with np.load(tmp_path / "unchanged.npz") as held:
        assert any(NAMES in name for name in held.files)
    idle = attempt("> 9", ">= 10")
    assert idle == {"verdict": "same", "by": "", "effect": NOTHING, "where": ""}
    rounds = attempt("FADE * self.charge + 0.25", "(0.05 + FADE * self.charge + 0.2)")
    assert rounds == {"verdict": "same", "by": "", "effect": ROUNDING, "where": ""}
    told = attempt("False, {}", 'False, {"total": self.total}')
    assert told["verdict"] == "same"
    assert (told["effect"], "told total" in told["where"]) == (CHANGED, True)
    wrong = attempt("= 0.5", "= 0.5000001")
    assert wrong == {
        "verdict": "different",
        "by": "field charge: logic",
        "effect": CHANGED,
        "where": "",
    }
    later = attempt("default_rng(seed)", "default_rng(0)")
    assert later["verdict"] == "different"
    assert later["by"] == "reset distribution"


@pytest.mark.costly
def test_a_branch_that_only_many_cases_take_kills_no_mutant(
    attempt: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, quick look finds faults; what it does not see, the whole verification may."""
    monkeypatch.setattr("parity.mutation.child.FEW", 50)
    asked = {"resets": 50, "above": 0.97}
    assert attempt(transitions=60, **asked)["verdict"] == "same"
    assert attempt("> 9", ">= 10", transitions=60, **asked)["effect"] == NOTHING
    seldom = attempt("> 9", ">= 10", transitions=50, **asked)
    assert (seldom["verdict"], seldom["by"]) == ("not enough seen", "never seen: rare")


FIELD = FieldVerdict("speed", "within 4 ulps", ("float32", "float32"), "equal", compared=9)
ANSWER = Answer("final observation", "same", "")


def said(fields: list[FieldVerdict], answers: list[Answer], **seen: int) -> str:
    return _first(Report("p", "", fields, answers, [], None, seen, {}))


def test_what_objects_first_is_named_and_how() -> None:
    wrong = replace(FIELD, name="level", verdict="logic", logic=2)
    rounds = replace(FIELD, name="obs", verdict="logic", beyond=3)
    other = Answer("reset distribution", "different", "apart")
    assert said([FIELD, wrong, rounds], [ANSWER, other], rare=0) == "field level: logic"
    assert said([FIELD, rounds, wrong], [ANSWER, other], rare=0) == "field obs: rounding"
    assert said([FIELD], [ANSWER, other, replace(other, question="x")], rare=0) == "reset distribution"
    assert said([FIELD], [ANSWER], often=3, rare=0, never=0) == "never seen: never, rare"
    assert said([FIELD], [replace(ANSWER, status="note")], often=3) == ""


def test_a_quick_look_and_the_whole_verification_are_asked_for_as_the_job_says(
    attempt: Try, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def verified(pair: Any, **given: Any) -> Report:
        asked.append({**given, "pair": pair.name})
        wrong = replace(FIELD, name="level", verdict="logic", logic=2)
        bad = given["transitions"] == 700
        return Report("p", "", [wrong if bad else FIELD], [ANSWER], [], None, {}, {})

    monkeypatch.setattr("parity.harness.verify.verify", verified)
    sizes = [{"transitions": 600, "resets": 80}, {"transitions": 900, "resets": 80}]
    for old, new in (("", ""), ("> 9", ">= 10")):
        found = attempt(old, new, transitions=900, resets=80, seed=5)
        assert found["verdict"] == "same"
        told = {"seed": 5, "stop_early": bool(old), "pair": "a counter"}
        assert asked == [{**size, **told} for size in sizes]
        asked.clear()
    found = attempt("> 9", ">= 10", transitions=700, resets=700, seed=6)
    assert found == {"verdict": "different", "by": "field level: logic", "effect": CHANGED, "where": ""}
    assert [(one["transitions"], one["resets"]) for one in asked] == [(600, 600), (700, 700)]
    asked.clear()
    monkeypatch.setattr("parity.mutation.child.FEW", 700)
    assert attempt("> 9", ">= 10", transitions=800, resets=50)["verdict"] == "different"
    assert [one["transitions"] for one in asked] == [700]  # what is found at once is not asked again


FINE = FieldVerdict("charge", "exact", ("int64", "int64"), "equal", 10)


def field(verdict: str, **counts: Any) -> FieldVerdict:
    return FieldVerdict("reward", "close", ("float32", "float32"), verdict, 10, **counts)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (field("rounding", rounding=3, beyond=1), "rounding"),
        (field("logic", logic=2), "logic"),
        (field("logic", logic=2, beyond=1), "logic"),
        (field("contract", logic=2), "contract"),
        (field("not compared", why="only the port has it"), "not compared"),
    ],
)
def test_a_field_objects_with_its_own_verdict(found: FieldVerdict, said: str) -> None:
    answers = [Answer("restarts", "different", "other starts")]
    report = SimpleNamespace(fields=[FINE, found], answers=answers, missing=["an episode ends"])
    assert _first(report) == f"field reward: {said}"
    report.fields = [FINE, field("rounding", rounding=3)]
    assert _first(report) == "restarts"
    report.answers = [Answer("restarts", "same", "none")]
    assert _first(report) == "never seen: an episode ends"
