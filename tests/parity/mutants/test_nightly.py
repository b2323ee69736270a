"""Faults of a general tool: how they are asked for, what becomes of each, and what is listed."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from parity.mutants import nightly
from parity.mutants.nightly import (
    CRASHED,
    KILLED,
    PHASE2,
    SURVIVED,
    Fate,
    Spot,
    attempt,
    find_spots,
    find_tool,
    show,
    to_dict,
)
from parity.mutants.sandbox import Sandbox, Trial
from tests.sentences import check_error, refuses

TOOL = """#!{python}
import json, sys
from pathlib import Path

word, *given = sys.argv[1:]
Path("asked.txt").open("a").write(json.dumps(sys.argv[1:]) + "\\n")
if word == "init":
    Path(given[1]).write_text(Path(given[0]).read_text())
elif word == "dump":
    held = Path(given[0]).read_text()
    for number, (file, line, name) in enumerate(
        [("b.py", 9, "late"), ("a.py", 7, None), ("a.py", 3, "f"), ("a.py", 3, "f")]
    ):
        place = {{"module_path": file, "operator_name": f"core/{{5 - number}}", "occurrence": number}}
        place |= {{"start_pos": [line, 4], "end_pos": [line + 1, 0], "definition_name": name}}
        print(json.dumps([{{"mutations": [place]}}, None]))
elif word == "apply":
    file = Path(given[0])
    if given[2] == "99":
        print("first\\nno such place", file=sys.stderr)
        raise SystemExit(3)
    file.write_text(file.read_text().replace("1", "2", int(given[2])))
"""


@pytest.fixture
def tool(tmp_path: Path) -> str:
    file = tmp_path / "some-tool"
    file.write_text(TOOL.format(python=sys.executable), encoding="utf-8")
    file.chmod(0o755)
    return str(file)


def test_every_change_that_the_tool_would_make_is_found_in_the_order_of_the_text(
    tool: str, tmp_path: Path
) -> None:
    sources, folder = tmp_path / "sources", tmp_path / "folder"
    sources.mkdir()
    folder.mkdir()
    assert find_spots(tool, sources, folder, ["a.py", "b.py"]) == [
        Spot("a.py", "core/2", 3, 3, "f"),
        Spot("a.py", "core/3", 2, 3, "f"),
        Spot("a.py", "core/4", 1, 7, ""),
        Spot("b.py", "core/5", 0, 9, "late"),
    ]
    config = (folder / "cosmic-ray.toml").read_text(encoding="utf-8")
    assert 'module-path = ["a.py", "b.py"]' in config
    assert f'test-command = "{sys.executable} -c pass"' in config
    asked = [json.loads(line) for line in (sources / "asked.txt").read_text().splitlines()]
    session = str(folder / "session.sqlite")
    assert asked == [["init", str(folder / "cosmic-ray.toml"), session], ["dump", session]]


class Tried(Sandbox):
    """A sandbox whose changed ports answer as they are told to."""

    def __init__(self, folder: Path, trial: Trial) -> None:
        super().__init__(folder)
        vars(self).update(trial=trial, asked=[])

    def try_port(self, place: Path, **asked: Any) -> Trial:
        texts = {file.name: file.read_text() for file in (place / "jax_port").rglob("*.py")}
        vars(self)["asked"].append((place.name, texts, asked))
        trial: Trial = vars(self)["trial"]
        return trial


def check(name: str, passed: bool) -> dict[str, Any]:
    return {"check": name, "passed": passed, "field": f"{name} field"}


CONTROL = {"a": "1", "b": "2", "c": "3"}
OBJECTED = [check("data", True), check("replay", False), check("generated", False)]


@pytest.mark.parametrize(
    ("trial", "outcome", "changed", "outputs", "first"),
    [
        (Trial(OBJECTED, {"a": "1", "b": "9", "d": "4"}), KILLED, 2, 3, "replay: replay field"),
        (Trial(OBJECTED[:1], {"a": "9", "b": "2"}), SURVIVED, 1, 2, ""),
        (Trial(OBJECTED, {"a": "1"}, "NameError: no"), CRASHED, 0, 1, "replay: replay field"),
        (Trial(error="NameError: no"), CRASHED, 0, 0, "NameError: no"),
    ],
)
@pytest.mark.parametrize("file", ["jax_port/envs/account.py", PHASE2])
def test_what_becomes_of_a_change(
    file: str,
    trial: Trial,
    outcome: str,
    changed: int,
    outputs: int,
    first: str,
    tool: str,
    tmp_path: Path,
) -> None:
    box = Tried(tmp_path, replace(trial, cpu_seconds=0.75))
    source = box.sources / file
    source.parent.mkdir(parents=True)
    source.write_text("a = 1\nb = 5\nc = 1\nd = 1\n", encoding="utf-8")
    told = attempt(box, CONTROL, tool, 4, Spot(file, "core/x", 2, 3, "f"))
    assert told == Fate(
        file, 3, "f", "core/x", outcome, changed, outputs, first, "-a = 1\n+a = 2\n-c = 1\n+c = 2", 0.75
    )
    after = {source.name: "a = 2\nb = 5\nc = 2\nd = 1\n"}
    asked = {"everything": False, "phase": 2 if file == PHASE2 else 1}
    assert vars(box)["asked"] == [("spot-4", after, asked)]
    assert source.read_text() == "a = 1\nb = 5\nc = 1\nd = 1\n"
    assert not (tmp_path / "spot-4").exists()


def test_a_tool_that_fails_is_told_by_the_end_of_what_it_printed(tool: str, tmp_path: Path) -> None:
    box = Tried(tmp_path, Trial())
    (box.sources / "jax_port").mkdir(parents=True)
    (box.sources / "jax_port" / "a.py").write_text("a = 1\n")
    with refuses():
        attempt(box, CONTROL, tool, 0, Spot("jax_port/a.py", "core/x", 99, 3, "f"))
    with refuses():
        nightly._call([sys.executable, "-c", "raise SystemExit(4)"], tmp_path)


FATES = [
    Fate("a.py", 3, "f", "core/one", KILLED, 2, 9, "replay: obs", "-a\n+b", 1.0),
    Fate("a.py", 4, "g", "core/two", SURVIVED, 1, 9, "", "-c\n+d", 1.0),
    Fate("b.py", 5, "", "core/three", CRASHED, 0, 0, "NameError", "-e\n+f", 1.0),
    Fate("b.py", 6, "h", "core/four", SURVIVED, 0, 8, "", "-g\n+h", 1.0),
    Fate("b.py", 7, "h", "core/five", KILLED, 3, 8, "data: low", "-i\n+j", 1.0),
    Fate("b.py", 8, "h", "core/six", KILLED, 3, 8, "data: low", "-k\n+l", 1.0),
]


def test_all_is_told_and_the_survivors_are_shown() -> None:
    told = to_dict(FATES, 40, 12.34)
    assert told == {
        "summary": {
            "possible": 40,
            "tried": 6,
            KILLED: 3,
            CRASHED: 1,
            SURVIVED: 2,
            "seconds": 12.3,
        },
        "survivors": [asdict(FATES[1]), asdict(FATES[3])],
        "tried": [asdict(fate) for fate in FATES],
    }
    console = Console(width=150, record=True, file=io.StringIO())
    show(console, FATES, 40)
    assert [" ".join(line.split()) for line in console.export_text().splitlines()] == [
        "where operator changed diff",
        "a.py:4 g two 1 of 9 -c",
        "+d",
        "b.py:6 h four 0 of 8 -g",
        "+h",
        "6 of 40 changes tried: 3 killed, 1 did not run, 2 left to judge",
    ]
    console = Console(width=150, record=True, file=io.StringIO())
    show(console, FATES[:1], 7)
    assert console.export_text() == "1 of 7 changes tried: 1 killed, 0 did not run, 0 left to judge\n"


def test_a_tool_is_found_by_its_name_or_beside_python(
    tool: str, tmp_path: Path, monkeypatch: Any
) -> None:
    assert find_tool(tool) == tool
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tool("some-tool") == tool
    beside = tmp_path / "bin" / "cosmic-ray"
    beside.parent.mkdir()
    beside.write_text("#!/bin/sh\nexit 3\n")
    beside.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(beside.with_name("python")))
    assert find_tool(None) == str(beside)
    beside.rename(tmp_path / "cosmic-ray")
    assert find_tool(None) == str(tmp_path / "cosmic-ray")
    (tmp_path / "cosmic-ray").unlink()
    with refuses():
        find_tool(None)


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--limit", "0"], ["--limit", "-3"]])
def test_numbers_that_are_too_small_are_refused(words: list[str]) -> None:
    check_error(CliRunner().invoke(nightly.nightly, words).exception)
