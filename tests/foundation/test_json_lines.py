"""Lines of JSON are there as soon as they are added, and a line that was cut off is begun anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from foundation import files
from foundation.errors import InputError
from foundation.json_lines import adding_lines, read_json_lines, require_same
from foundation.json_reading import Artifact
from tests.sentences import refuses

LINE = Artifact("line of a test", "remove the file")


def test_lines_are_there_at_once_and_go_on_behind_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    assert read_json_lines(path, LINE) == []
    with adding_lines(path, []) as add:
        for number in range(2):
            add({"n": number})
            assert len(read_json_lines(path, LINE)) == number + 1
    path.write_text(path.read_text() + '{"n": ')  # cut off
    kept = read_json_lines(path, LINE)
    with adding_lines(path, kept) as add:
        add({"n": 2})
    assert [line["n"] for line in read_json_lines(path, LINE)] == [0, 1, 2]


def test_what_is_no_number_is_null_in_a_line_as_in_every_file(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    odd = {"loss": float("nan"), "least": [float("-inf"), 0.5]}
    with adding_lines(path, [odd]) as add:
        add({**odd, "n": 1})
    null = {"loss": None, "least": [None, 0.5]}
    assert read_json_lines(path, LINE) == [null, {**null, "n": 1}]
    assert "NaN" not in path.read_text()


def test_a_line_damaged_before_the_last_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"n": 0}\n{"n"\n{"n": 2}\n')
    with refuses():
        read_json_lines(path, LINE)


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe{\0}\0", b'{"n": 0}\n\xff\n', b"\x80", b'{"n": "\xe2\x80'],
    ids=["UTF-16", "second line", "one byte", "half a character"],
)
def test_what_is_no_utf8_is_refused_and_not_taken_for_cut_off(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(data)
    with refuses():
        read_json_lines(path, LINE)


@pytest.mark.parametrize("text", ['{"n": 0}\n\n{"n": 1}\n', '\n{"n": 0}\n'])
def test_an_empty_line_before_the_last_is_no_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text(text)
    with refuses():
        read_json_lines(path, LINE)


@pytest.mark.parametrize("ending", ["", "\n"])
@pytest.mark.parametrize("at", range(4))
def test_a_damaged_line_is_passed_over_only_where_it_is_the_last(
    tmp_path: Path, at: int, ending: str
) -> None:
    """Whether or not its end was written, too."""
    lines = [f'{{"n": {number}}}' for number in range(4)]
    lines[at] = lines[at][:-2]
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join(lines) + ending)
    if at == 3:
        assert [line["n"] for line in read_json_lines(path, LINE)] == [0, 1, 2]
    else:
        with pytest.raises(InputError, match=f"lines.jsonl, line {at + 1}: not a readable"):
            read_json_lines(path, LINE)


def test_lines_that_are_kept_are_the_only_ones_before(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"n": 7}\n{"n": 8}\n{"n": 9}\n')
    with adding_lines(path, [{"n": 8}]) as add:
        assert path.read_text() == '{"n":8}\n'
        add({"n": "\u20ac"})
        assert path.read_text() == '{"n":8}\n{"n":"\\u20ac"}\n'
        add({"n": 11})
    assert path.read_text() == '{"n":8}\n{"n":"\\u20ac"}\n{"n":11}\n'


@pytest.mark.parametrize(
    "other",
    [
        {"steps": 4, "code": "a"},
        {"steps": 3, "code": "b"},
        {"steps": 3},
        {"steps": 3, "code": "a", "days": 1},
        {"steps": 3, "code": None},
    ],
)
def test_what_is_there_goes_on_with_the_same_question_alone(
    tmp_path: Path, other: dict[str, object]
) -> None:
    path, asked = tmp_path / "asked.json", {"steps": 3, "code": "a"}
    require_same(path, {"of": "an earlier run, of which nothing is left"}, begun=False)
    require_same(path, asked, begun=False)
    require_same(path, asked, begun=True)
    with refuses():
        require_same(path, other, begun=True)
    require_same(path, asked, begun=True)  # which it still is
    path.unlink()
    with refuses():
        require_same(path, asked, begun=True)


def test_a_question_is_the_same_after_it_was_written(tmp_path: Path) -> None:
    asked = {"rates": (1e-3, 0.1), "by": {1: "a"}}
    require_same(tmp_path / "asked.json", asked, begun=False)
    require_same(tmp_path / "asked.json", asked, begun=True)


def test_json_has_no_nan(tmp_path: Path) -> None:
    nan, path = float("nan"), tmp_path / "a.json"
    files.write_json(path, {"x": nan, "y": [-float("inf")], "z": (True, nan, ({"a": nan},))})
    assert path.read_text().startswith('{\n "x": null,\n "y": [\n  null\n ],\n "z": ')
    assert json.loads(path.read_text()) == {"x": None, "y": [None], "z": [True, None, [{"a": None}]]}
    assert files.write_json(path, [1, {"a": 2}], indent=None).read_text() == '[1,{"a":2}]\n'


def test_files_of_a_folder_are_text_or_json_and_what_goes_is_named(tmp_path: Path) -> None:
    """Files that are written again go too, where they are not written; others stay."""
    folder = tmp_path / "out"
    files.write_files(folder, {"a.txt": "first\n", "b.json": {"n": [1]}}, replaces=("old", "gone"))
    for name in ("old", "notes"):
        (folder / name).write_text("x")
    files.write_files(folder, {"b.json": {"n": float("nan")}, "c.txt": "c"}, replaces=("old", "a.txt"))
    assert sorted(path.name for path in folder.iterdir()) == ["b.json", "c.txt", "notes"]
    assert (folder / "c.txt").read_text() == "c"
    assert (folder / "b.json").read_text() == '{\n "n": null\n}\n'
