"""``rltrader bench compare`` tells a regression from noise, and says what it can't tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.harness.measure import surroundings
from benchmarks.report.compare import compare, read_report
from markets import InputError
from rltrader.bench import bench


def _report(rows: dict[str, list[float]], **changes: Any) -> dict[str, Any]:
    return {
        "schema": 1,
        "benchmark": "env_throughput",
        "surroundings": surroundings(),
        "rows": [{"name": name, "steps_per_second": {"samples": x}} for name, x in rows.items()],
        **changes,
    }


def _noisy(level: float, seed: int, noise: float = 0.01) -> list[float]:
    return (level * (1 + noise * np.random.default_rng(seed).normal(size=7))).tolist()


def test_a_planted_regression_is_told_from_noise() -> None:
    before = _report({"a": _noisy(1e6, 0), "b": _noisy(1e6, 1), "c": _noisy(1e6, 2)})
    after = _report({"a": _noisy(0.88e6, 3), "b": _noisy(1.005e6, 4), "c": _noisy(1.2e6, 5)})
    found = compare(before, after)
    assert [change.verdict for change in found.changes] == ["slower", "same", "faster"]
    assert found.regressed
    assert found.changes[0].low < 0.88 < found.changes[0].high


def test_what_noise_hides_is_unclear() -> None:
    before, after = ({"a": _noisy(1e6, seed, noise=0.3)} for seed in (0, 1))
    found = compare(_report(before), _report(after))
    assert [change.verdict for change in found.changes] == ["unclear"]
    assert not found.regressed


def test_a_row_that_is_gone_is_a_regression() -> None:
    found = compare(_report({"a": [1.0], "b": [1.0]}), _report({"a": [1.0], "c": [1.0]}))
    assert (found.missing, found.new, found.regressed) == (["b"], ["c"], True)


def test_other_surroundings_are_named() -> None:
    other = {**surroundings(), "cpu": "another", "versions": {"jax": "0"}}
    found = compare(_report({"a": [1.0]}), _report({"a": [1.0]}, surroundings=other))
    assert found.different["cpu"][1] == "another"
    assert found.different["versions jax"][1] == "0"


def test_the_command(tmp_path: Path) -> None:
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    one.write_text(json.dumps(_report({"a": _noisy(1e6, 0)})))
    two.write_text(json.dumps(_report({"a": _noisy(0.5e6, 0)})))
    result = CliRunner().invoke(bench, ["compare", str(one), str(two)])
    assert result.exit_code == 1
    assert "0.500" in result.output
    assert "slower" in result.output
    same = CliRunner().invoke(bench, ["compare", str(one), str(one), "--json"])
    assert same.exit_code == 0
    assert json.loads(same.output)["changes"][0]["verdict"] == "same"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a report of steps per second"),
        ('{"rows": [{"name": "a"}]}', "not a report of steps per second"),
        ("[]", "not a report of steps per second"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_report(path)
    with pytest.raises(InputError, match="no such file"):
        read_report(tmp_path / "none.json")


def test_two_benchmarks_are_not_compared() -> None:
    one, two = _report({"a": [1.0]}), _report({"a": [1.0]}, benchmark="train_throughput")
    with pytest.raises(InputError, match="compare two reports of one benchmark"):
        compare(one, two)
    with pytest.raises(InputError, match="give a share between 0 and 1"):
        compare(one, one, margin=5)
