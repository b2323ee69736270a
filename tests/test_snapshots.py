"""Any other number, word or order of what a snapshot holds is found, and rounding is no change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.described import describe
from tests.docs.pages import ROOT
from tests.snapshots import FOLDER, changes

pytest_plugins = ["pytester"]

ROWS = [{"a": n, "b": n / 3, "c": f"word {n}", **({"d": None} if n == 7 else {})} for n in range(20)]
VALUES: dict[str, Any] = {
    "flag": True,
    "none": None,
    "word": "on 3 days",
    "money": 12.5,
    "tiny": 1.25e-12,
    "few": [1, 2.5, None],
    "rows": ROWS,
    "square": [[float(n * m) for n in range(6)] for m in range(5)],
    "array": np.arange(4000, dtype=np.float32),
    "whole": np.arange(4000) % 7,
    "text": np.asarray([f"{n}" for n in range(30)], object),
    "times": pd.date_range("2025-01-06", periods=50, freq="min").to_numpy(),
    "table": pd.DataFrame({"x": np.arange(40.0), "y": list("ab") * 20}),
}


def lines(values: dict[str, Any]) -> list[str]:
    return [f"{name} = {text}" for name, text in describe("it", values)]


def put(values: dict[str, Any], name: str, place: Any, value: Any) -> dict[str, Any]:
    """Return the values with one part of one of them changed."""
    changed = values[name].copy()
    if isinstance(place, tuple):
        row, key = place
        changed[row] = {**changed[row], key: value} if isinstance(key, str) else changed[row].copy()
        if not isinstance(key, str):
            changed[row][key] = value
    elif isinstance(changed, pd.DataFrame):
        changed.iloc[place, 0] = value
    else:
        changed[place] = value
    return {**values, name: changed}


@pytest.mark.parametrize(
    "other",
    [
        {**VALUES, "flag": False},
        {**VALUES, "flag": 1},
        {**VALUES, "none": 0},
        {**VALUES, "word": "on 4 days"},
        {**VALUES, "money": 12.51},
        {**VALUES, "money": -12.5},
        put(VALUES, "few", 1, 2.75),
        put(VALUES, "rows", (13, "a"), 14),
        put(VALUES, "rows", (13, "b"), 4.5),
        put(VALUES, "rows", (13, "c"), "word 31"),
        put(VALUES, "rows", (13, "d"), None),
        {**VALUES, "rows": ROWS[::-1]},
        {**VALUES, "rows": ROWS[:-1]},
        put(VALUES, "square", (4, 5), 20.1),
        put(VALUES, "array", 3999, 4001.0),
        put(VALUES, "array", 0, 1.0),
        put(VALUES, "array", 2000, np.nan),
        {**VALUES, "array": VALUES["array"].astype(np.float64)},
        {**VALUES, "array": VALUES["array"].reshape(2, -1)},
        {**VALUES, "array": np.roll(VALUES["array"], 1)},
        put(VALUES, "whole", 3999, 5),
        put(VALUES, "text", 29, "28"),
        put(VALUES, "times", 49, np.datetime64("2025-01-07")),
        put(VALUES, "table", 39, 38.0),
        {name: value for name, value in VALUES.items() if name != "word"},
        {**VALUES, "new": 1},
        dict(reversed(VALUES.items())),
    ],
    ids=lambda other: "",
)
def test_another_value_is_found(other: dict[str, Any]) -> None:
    assert changes(lines(VALUES), lines(VALUES)) == []
    assert changes(lines(VALUES), lines(other)) != []


def test_rounding_is_no_change_and_a_tolerance_is_kept() -> None:
    rounded = {**VALUES, "money": 12.5 * (1 + 1e-9), "array": VALUES["array"] * np.float32(1 + 1e-7)}
    assert changes(lines(VALUES), lines(rounded)) == []
    off = {**VALUES, "money": 12.5 * (1 + 1e-4)}
    assert changes(lines(VALUES), lines(off), within=1e-3) == []
    assert changes(lines(VALUES), lines(off)) == ["- it.money = 12.5", "+ it.money = 12.50125"]


MODULE = """
import json

PAGE = "<style>p {}</style><p>3 days<svg><text>x</text></svg></p>"

def test_it(tmp_path, snapshot):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.json").write_text(json.dumps({"days": 3, "at": str(tmp_path), "seconds": 1.5}))
    (out / "page.html").write_text(PAGE)
    snapshot("out", out, "/*.seconds")
"""
CONFTEST = """
import pathlib, tests.snapshots
pytest_plugins = ["tests.sentences", "tests.snapshots"]
tests.snapshots.FOLDER = pathlib.Path({held!r})
"""
HELD = """\
out/a.json.days = 3
out/a.json.at = <tmp>
out/a.json.seconds = <...>
out/page.html = 3 days
"""


def test_a_file_is_written_compared_and_asked_for(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    held = Path(pytester.path) / "held"
    pytester.makeconftest(CONFTEST.format(held=str(held)))
    (pytester.path / "tests").mkdir()  # where sentences are written
    module = pytester.makepyfile(test_made=MODULE)
    run = ("-p", "no:cacheprovider", "-p", "no:xdist")
    pytester.runpytest_subprocess(*run).stdout.fnmatch_lines(["*it.txt is not there*"])
    pytester.runpytest_subprocess(*run, "--update-sentences").assert_outcomes(passed=1)
    (file,) = held.rglob("*.txt")
    assert file.read_text() == HELD
    pytester.runpytest_subprocess(*run).assert_outcomes(passed=1)
    module.write_text(MODULE.replace('"days": 3', '"days": 4'))
    done = pytester.runpytest_subprocess(*run)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["- out/a.json.days = 3", "+ out/a.json.days = 4"])
    module.write_text(MODULE.replace("/*.seconds", "/*.minutes"))
    pytester.runpytest_subprocess(*run).stdout.fnmatch_lines(["*nothing is named out/?.minutes*"])


def test_every_snapshot_is_of_a_test_that_is_there() -> None:
    for file in FOLDER.rglob("*.txt"):
        folder = file.parent.relative_to(FOLDER)
        module = ROOT / "tests" / folder.parent / f"test_{folder.name}.py"
        tests = module.read_text("utf-8")
        name = file.stem.partition("-")[0]
        assert f"def test_{name}(" in tests, file
