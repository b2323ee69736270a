"""Parts of a sample are joined: each mutant once, one score; a folder without mutants is named."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from parity.mutants.sampled.join import command
from parity.mutants.sampled.run import SUMMARY
from parity.mutation.lines import LINES, read_lines
from tests.sentences import check_error


def _line(file: str, outcome: str) -> dict[str, object]:
    place = {"file": file, "line": 1, "operator": "constant", "start": 0, "end": 1}
    shown = {"old": "1", "new": "2", "before": "x = 1", "after": "x = 2"}
    return {**place, **shown, "outcome": outcome, "by": ""}


def test_each_mutant_counts_once(tmp_path: Path) -> None:
    parts = {"one": ["a.py", "b.py"], "two": ["b.py", "c.py"]}
    for name, files in parts.items():
        (tmp_path / name).mkdir()
        lines = [_line(file, "survived" if file == "c.py" else "gate") for file in files]
        (tmp_path / name / LINES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    result = CliRunner().invoke(command, [*(str(tmp_path / name) for name in parts), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert [line["file"] for line in read_lines(out / LINES)] == ["a.py", "b.py", "c.py"]
    told = json.loads((out / SUMMARY).read_text())
    assert (told["count"], told["all"]["gate"], told["all"]["survived"]) == (3, 2, 1)


def test_a_folder_without_mutants_is_named(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path)])
    check_error(result.exception)


def test_lines_that_do_not_say_all_are_refused(tmp_path: Path) -> None:
    short = {name: value for name, value in _line("a.py", "gate").items() if name != "before"}
    (tmp_path / LINES).write_text(json.dumps(_line("b.py", "gate")) + "\n" + json.dumps(short) + "\n")
    result = CliRunner().invoke(command, [str(tmp_path), "--out", str(tmp_path / "out")])
    check_error(result.exception)


def test_what_one_part_could_not_judge_another_may_have(tmp_path: Path) -> None:
    fates = {"one": ["not judged", "gate"], "two": ["survived", "not judged"], "three": ["gate"] * 2}
    for name, outcomes in fates.items():
        (tmp_path / name).mkdir()
        lines = [_line(file, outcome) for file, outcome in zip("ab", outcomes, strict=True)]
        (tmp_path / name / LINES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    result = CliRunner().invoke(command, [*(str(tmp_path / name) for name in fates), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert [line["outcome"] for line in read_lines(out / LINES)] == ["survived", "gate"]
