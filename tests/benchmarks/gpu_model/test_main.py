"""The command that holds the model of a GPU's time beside what a card took."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.gpu_model import __main__ as command
from foundation.errors import InputError


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A report, its programs, and rows that were measured apart."""
    values: dict[str, Any] = {
        "report": {
            "benchmark": "accelerator", "machine": {"device": {"kind": "a card"}}, "parts": {"a": 1},
        },
        "programs": {"benchmark": "gpu_model_programs", "programs": [{"about": "row 0"}]},
        "apart": {"benchmark": "accelerator, rows apart", "rows": [{"name": "apart", "n_envs": 9}]},
    }  # fmt: skip
    for name, each in values.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(each))
    return {name: tmp_path / f"{name}.json" for name in values}


def test_rows_are_held_to_their_programs_and_those_measured_apart_count(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    rows = [{"name": "one"}, {"name": "two"}]
    card = SimpleNamespace(name="card")
    monkeypatch.setattr(
        "benchmarks.gpu_program.cards.card_of", lambda kind: card if kind == "a card" else None
    )
    monkeypatch.setattr(
        "benchmarks.gpu_model.points.measured_rows", lambda parts: rows if parts else []
    )
    monkeypatch.setattr(
        "benchmarks.gpu_model.points.points_of", lambda *given: told.append(given) or ["points"]
    )
    monkeypatch.setattr("benchmarks.gpu_model.counts.compared", lambda *given: given)
    monkeypatch.setattr(command, "compile_missing", lambda *given: told.append(given))
    measured = json.loads(files["report"].read_text())
    held, apart = [{"about": "row 0"}], [{"name": "apart", "n_envs": 9}]
    places = {"measured": str(files["report"]), "programs": str(files["programs"])}
    found = command.gathered(files["report"], files["programs"], None, 7, compiling=False)
    assert told == [(measured, held, card, [])]
    assert found == (["points"], measured["machine"], (rows, held), places)
    told.clear()
    *_, paths = command.gathered(files["report"], files["programs"], files["apart"], 7, compiling=True)
    assert told == [([*rows, *apart], files["programs"], 7, card), (measured, held, card, apart)]
    assert paths == {**places, "measured apart": str(files["apart"])}
    files["programs"].unlink()
    command.gathered(files["report"], files["programs"], None, 7, compiling=False)
    assert told[-1] == (measured, [], card, [])
    monkeypatch.setattr("benchmarks.gpu_model.points.points_of", lambda *given: [])
    with pytest.raises(InputError, match="nothing in it was measured"):
        command.gathered(files["report"], files["programs"], None, 7, compiling=False)


def test_programs_that_are_missing_are_compiled_and_written_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "programs.json"
    told: list[Any] = []

    def compiled(about: str, days: int, card: Any) -> dict[str, Any]:
        there = json.loads(path.read_text())["programs"] if path.exists() else []
        told.append((about, days, card.name, len(there)))
        return {"about": about}

    monkeypatch.setattr("benchmarks.gpu_model.compiled.compiled", compiled)
    monkeypatch.setattr("benchmarks.gpu_model.programs.about_of", lambda row: f"about {row['of']}")
    rows = [
        {"name": "a", "of": 1, "envs": 1000}, {"name": "b", "of": 2, "n_envs": 2000},
        {"name": "c", "of": 3, "envs": 3, "program": "its own"}, {"name": "d", "of": 1, "envs": 4},
        {"name": "e", "of": 5, "envs": 5},
    ]  # fmt: skip
    card = SimpleNamespace(name="card")
    command.compile_missing(rows[:2], path, 7, card)
    assert told == [("about 1", 7, "card", 0), ("about 2", 7, "card", 1)]
    assert capsys.readouterr().err.splitlines() == [
        "compiling a, 1,000 environments", "compiling b, 2,000 environments",
    ]  # fmt: skip
    told.clear()
    command.compile_missing(rows, path, 7, card)
    assert told == [("about 5", 7, "card", 2)]
    values = json.loads(path.read_text())
    assert set(values.pop("versions")) == {"jax", "jaxlib"}
    assert values == {
        "schema": 1, "benchmark": "gpu_model_programs", "card": "card", "days": 7,
        "programs": [{"about": f"about {number}"} for number in (1, 2, 5)],
    }  # fmt: skip


def test_options_reach_what_gathers_and_all_is_shown_and_written(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(command, "gathered", lambda *given: asked.append(given) or ("a", "b"))
    monkeypatch.setattr("benchmarks.gpu_model.page.to_values", lambda *given: {"of": list(given)})
    monkeypatch.setattr("benchmarks.gpu_model.page.show", lambda made, console: asked.append(made))
    monkeypatch.setattr("benchmarks.gpu_model.page.render", lambda made: f"<{made['of']}>")
    words = ["--report", str(files["report"]), "--programs", str(files["programs"]), "--days", "9"]
    out, html = tmp_path / "out.json", tmp_path / "out.html"
    more = ["--compile", "--json", str(out), "--html", str(html)]
    done = CliRunner().invoke(command.main, [*words, *more])
    assert done.exit_code == 0, done.exception
    assert asked == [(files["report"], files["programs"], None, 9, True), {"of": ["a", "b"]}]
    assert json.loads(out.read_text()) == {"of": ["a", "b"]}
    assert html.read_text() == "<['a', 'b']>"
    asked.clear()
    CliRunner().invoke(command.main, [*words, "--apart", str(files["apart"])])
    CliRunner().invoke(command.main, [])
    assert asked[0] == (files["report"], files["programs"], files["apart"], 9, False)
    assert asked[2] == (command.REPORT, command.PROGRAMS, command.APART, 250, False)


def test_a_path_is_shown_from_the_project_where_it_lies_there(tmp_path: Path) -> None:
    assert command.shown(command.REPORT) == "reports/reference/accelerator_h100/accelerator.json"
    assert command.shown(tmp_path / "x.json") == str(tmp_path / "x.json")
