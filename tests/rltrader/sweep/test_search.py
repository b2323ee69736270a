"""A study that several workers share: each looks for settings of its own."""

from __future__ import annotations

from pathlib import Path

from rltrader.sweep.search import _open_study


def test_a_worker_that_joins_suggests_other_settings_than_the_one_that_began(tmp_path: Path) -> None:
    options = {"storage": None, "study": "s", "seed": 3, "pruner": "none"}
    numbers: list[list[float]] = []
    for _ in range(3):
        study = _open_study(options, tmp_path, {"bars": "x"})
        numbers.append([study.ask().suggest_float("x", 0.0, 1.0) for _ in range(4)])
    assert len({number for row in numbers for number in row}) == 12
    begun = _open_study({**options, "study": "again"}, tmp_path, {"bars": "x"})
    assert [begun.ask().suggest_float("x", 0.0, 1.0) for _ in range(4)] == numbers[0]
