"""Rows of the study: all that a report tells of is there, or one sentence says what is not."""

from __future__ import annotations

import json
from pathlib import Path

from parity.learning_study.design import DESIGN
from parity.learning_study.rows import Row, code_of, missing, path_of, read_rows, write_row
from tests.sentences import refuses


def made(arm: str, seed: int, code: str = "") -> Row:
    return {
        "format": 1,
        "design": DESIGN.digest,
        "arm": arm,
        "seed": seed,
        "curve": [n / 8 for n in range(16)],
        "steps": 65_536,
        "seconds": 1.0,
        "cpu_seconds": 1.0,
        "code": code,
        "versions": {"python": "3"},
        "machine": "one",
        "when": "2026-11-29T06:00:00+00:00",
    }


def test_seeds_whose_row_other_code_made_or_the_other_arm_are_missing(tmp_path: Path) -> None:
    for arm, seed, code in (
        ("sb3", 0, code_of("sb3")),
        ("sb3", 1, "older"),
        ("sb3", 3, code_of("sb3")),
        ("sb3", 4, code_of("jax")),
        ("jax", 2, code_of("jax")),
    ):
        write_row(tmp_path, made(arm, seed, code))
    assert missing(tmp_path, DESIGN, "sb3", 6) == [1, 2, 4, 5]
    assert missing(tmp_path, DESIGN, "jax", 4) == [0, 1, 3]
    assert missing(tmp_path, DESIGN, "sb3", 1) == []


def test_a_row_needs_all_that_the_report_tells_of(tmp_path: Path) -> None:
    row = made("sb3", 1)
    write_row(tmp_path, row)
    assert read_rows(tmp_path, DESIGN) == {"sb3": [row], "jax": []}
    damaged: list[Row] = [
        {name: value for name, value in row.items() if name != lost}
        for lost in ("curve", "seconds", "cpu_seconds", "code", "versions", "machine")
    ]
    damaged += [{**row, "curve": row["curve"][:2]}, {**row, "seed": 0}, {**row, "format": 2}]
    damaged += [{**row, "design": "other"}]
    for each in damaged:
        path_of(tmp_path, "sb3", 1).write_text(json.dumps(each))
        with refuses():
            read_rows(tmp_path, DESIGN)
