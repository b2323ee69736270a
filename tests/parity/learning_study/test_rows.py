"""Rows of the study: all that a report tells of is there, or one sentence says what is not."""

from __future__ import annotations

import json
import platform
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.learning_study import rows
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


def test_a_row_says_all_of_how_it_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DESIGN.settings.override(n_envs=6, n_steps=5, batch_size=30)
    design = replace(DESIGN, settings=settings)
    asked: list[Any] = []
    curves = [np.array([1.5, 2.5, -3.0], np.float32), np.array([1.0, np.nan])]

    def learning_curve(*given: Any) -> Any:
        asked.append(given)
        return curves.pop(0)

    arms: dict[str, Any] = {}
    for arm in ("sb3", "jax"):
        arms[f"parity.learning_study.{arm}_arm"] = SimpleNamespace(learning_curve=learning_curve)
    seconds, cpu = iter([10.0, 12.346, 20.0]), iter([3.0, 7.239, 9.0])
    monkeypatch.setattr(rows, "import_module", arms.__getitem__)
    monkeypatch.setattr(rows, "time", SimpleNamespace(
        perf_counter=lambda: next(seconds), process_time=lambda: next(cpu)
    ))  # fmt: skip
    monkeypatch.setattr(rows.provenance, "cores", lambda: 77)
    monkeypatch.setattr(rows.provenance, "now", lambda: "then")
    monkeypatch.setattr(rows.provenance, "versions", lambda names: dict.fromkeys(names, "9"))
    found = rows.train_row(design, "jax", 4)
    assert asked == [(design, 4)]
    assert found == {
        "format": 1, "design": design.digest, "arm": "jax", "seed": 4, "curve": [1.5, 2.5, -3.0],
        "steps": 90, "seconds": 2.35, "cpu_seconds": 4.24, "code": code_of("jax"),
        "versions": dict.fromkeys(("flax", "jax", "jaxlib", "numpy", "optax", "pandas"), "9"),
        "machine": f"{platform.machine()}, 77 cores", "when": "then",
    }  # fmt: skip
    with refuses():
        rows.train_row(design, "sb3", 5)


def test_rows_are_read_by_seed_and_those_beyond_the_design_are_left_out(tmp_path: Path) -> None:
    for arm, seed in (("jax", 10), ("jax", 2), ("sb3", 3), ("jax", 44), ("jax", 45), ("sb3", 99)):
        write_row(tmp_path, made(arm, seed))
    found = read_rows(tmp_path, DESIGN)
    assert list(found) == ["sb3", "jax"]
    assert {arm: [row["seed"] for row in each] for arm, each in found.items()} == {
        "sb3": [3],
        "jax": [2, 10, 44],
    }
