"""What becomes of a mutant by what its process answered, and where that process can import from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from parity.mutation.operators import Change
from parity.mutation.recorder import CHANGED, NOTHING, ROUNDING
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED
from parity.mutation.trial import FAST, KILLED, Fate, Trials, environment
from tests.sentences import refuses

SOURCE = b"first = 1\nsecond = 2\n"
CHANGE = Change("a_port", 2, "constant", 19, 20, "2", "(3)")


@dataclass(frozen=True)
class Answered(Trials):
    """Trials whose processes answer as they are told to, and what they were asked."""

    answer: Any = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def _run(self, name: str, job: dict[str, Any]) -> Any:
        source = Path(job["source"])
        self.asked.append({**job, "name": name, "text": source.read_bytes() if job["source"] else b""})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def trials(folder: Path, answer: Any) -> Answered:
    return Answered("a_pair:pair", folder, 300, 70, 5, 2.5, answer)


def same(effect: str, where: str = "") -> dict[str, Any]:
    return {"verdict": "same", "by": "", "effect": effect, "where": where}


def wrong(verdict: str, by: str) -> dict[str, Any]:
    return {**same(CHANGED), "verdict": verdict, "by": by}


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (same(NOTHING), Fate(NOTHING)),
        (same(ROUNDING), Fate(ROUNDING)),
        (same(CHANGED, "native reset x"), Fate(SURVIVED, "changes native reset x")),
        (wrong("different", "field x: logic"), Fate(KILLED, "field x: logic")),
        (wrong("not enough seen", "never seen: y"), Fate(KILLED, "never seen: y")),
        ("NameError: no", Fate(CRASHED, "NameError: no")),
        (subprocess.TimeoutExpired("python", 2.5), Fate(UNJUDGED, "no answer within 2.5 s")),
    ],
)
def test_what_becomes_of_a_mutant_by_its_answer(answer: Any, fate: Fate, tmp_path: Path) -> None:
    one = trials(tmp_path, answer)
    assert one.judge("a_port", CHANGE, SOURCE, 7) == fate
    assert one.asked == [
        {
            "place": "a_pair:pair",
            "transitions": 300,
            "resets": 70,
            "seed": 5,
            "module": "a_port",
            "source": str(tmp_path / "mutant-7.py"),
            "files": [],
            "record": str(tmp_path / "unchanged"),
            "name": "mutant-7",
            "text": b"first = 1\nsecond = (3)\n",
        }
    ]
    assert list(tmp_path.iterdir()) == []


def test_the_unchanged_port_tells_the_functions_that_it_enters(tmp_path: Path) -> None:
    entered = [["a.py", 3], ["b.py", 1]]
    one = trials(tmp_path, {"verdict": "same", "by": "", "entered": entered})
    assert one.control([Path("a.py"), Path("b.py")]) == {("a.py", 3), ("b.py", 1)}
    (job,) = one.asked
    assert (job["name"], job["module"], job["source"]) == ("control", "", "")
    assert (job["files"], job["record"]) == (["a.py", "b.py"], str(tmp_path / "unchanged"))


@pytest.mark.parametrize(
    "answer",
    [
        "ImportError: no module",
        {"verdict": "different", "by": "field x: logic", "entered": []},
        {"verdict": "not enough seen", "by": "never seen: rare", "entered": []},
    ],
)
def test_an_unchanged_port_that_is_not_the_same_is_refused(answer: Any, tmp_path: Path) -> None:
    with refuses():
        trials(tmp_path, answer).control([])


def test_a_process_that_does_not_run_tells_the_end_of_what_it_printed(tmp_path: Path) -> None:
    """Nothing of it is left behind."""
    (tmp_path / "changed.py").write_bytes(SOURCE)
    one = Trials("no_such_module_of_a_pair:pair", tmp_path, 300, 70, 5, 60.0)
    fate = one.judge("json", CHANGE, SOURCE, 3)
    assert fate.outcome == CRASHED
    assert fate.by.startswith("foundation.errors.InputError: json is a part of what judges")
    assert len(fate.by) <= 200
    assert [place.name for place in tmp_path.iterdir()] == ["changed.py"]


def test_a_process_imports_what_can_be_imported_here_and_keeps_compiled_code_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "relative"])
    monkeypatch.setenv("XLA_FLAGS", "--xla_one=1")
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.setenv("OTHER", "kept")
    made = environment(tmp_path / "compiled")
    assert made["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), str(Path("relative").resolve())]
    assert made["XLA_FLAGS"] == f"--xla_one=1 {FAST}"
    assert made["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "compiled")
    assert (made["JAX_PLATFORMS"], made["OTHER"], made["PYTHONDONTWRITEBYTECODE"]) == (
        "cpu",
        "kept",
        "1",
    )
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    monkeypatch.delenv("XLA_FLAGS")
    made = environment(tmp_path)
    assert (made["JAX_PLATFORMS"], made["XLA_FLAGS"]) == ("cuda", FAST)
    json.dumps(made)
