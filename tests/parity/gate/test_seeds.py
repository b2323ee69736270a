"""The gate's false alarms are counted, seed by seed; a count goes on, and on the same code alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundation.json_reading import read_json
from parity.engine.compare import Comparison
from parity.engine.report import DIFFERENT, SAME, UNSEEN, Report
from parity.engine.verify import CheckResult
from parity.gate import seeds
from parity.gate.seeds import LINE, LINES, NUMBERS, judge_seeds, line_of
from parity.suites import trading
from parity.suites.scenarios import Request, Scenario
from tests.sentences import refuses

SMALL = Request(
    episodes=4, cases=200, days=2, symbols=("ES",), workers=0, configurations=False, learner=False
)


@pytest.mark.costly
def test_every_seed_is_a_line_and_a_count_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one(request: Request, scenarios: list[Scenario]) -> list[trading.Part]:
        return [trading.Part("worlds", "symbols", 0, 1)]  # so little shows few branches

    monkeypatch.setattr(trading, "parts_of", one)
    told: list[tuple[str, int]] = []
    judge_seeds(SMALL, range(5, 6), tmp_path, lambda last, count: told.append((last, count)))
    kept = (tmp_path / LINES).read_text()
    result = judge_seeds(SMALL, range(5, 7), tmp_path, lambda last, count: told.append((last, count)))
    assert told == [(f"seed 5: {UNSEEN}", 1), (f"seed 6: {UNSEEN}", 2)]
    assert (tmp_path / LINES).read_text().startswith(kept)
    assert [line["seed"] for line in result["alarms"]] == [5, 6]
    assert [line["failed"] for line in result["alarms"]] == [[], []]
    assert all(line["missing"] for line in result["alarms"])
    assert result["transitions"] == sum(line["transitions"] for line in result["alarms"]) > 400
    assert result["alarms"][1]["again"].endswith("--symbols ES --seed 6")
    assert read_json(tmp_path / NUMBERS, dict, LINE) == result
    with refuses():
        judge_seeds(replace(SMALL, cases=201), range(5, 6), tmp_path)


def report_of(*checks: CheckResult) -> Report:
    return Report("", 3, "", [], list(checks), frozenset())


def test_a_line_says_what_failed_and_how_near_a_limit_was() -> None:
    near = {
        "weights": Comparison(error=1e-6, limit=4e-6, compared=10),
        "gradients": Comparison(error=3e-6, limit=4e-6, compared=10),
    }
    good = CheckResult("learner", "quiet", 1, measures=near)
    line = line_of(report_of(good), Request(seed=3))
    assert (line["verdict"], line["failed"], line["closest"]) == (SAME, [], 0.75)
    assert line["again"] == "rltrader parity run --seed 3"
    closer = {"gradients": Comparison(error=9e-7, limit=1e-6, compared=10)}
    defined = CheckResult("learner gradients", "quiet", 1, measures=closer)
    assert line_of(report_of(good, defined), Request(seed=3))["closest"] == pytest.approx(0.9)
    bad = CheckResult("data", "ES synthetic", 1, error="planted")
    line = line_of(report_of(good, bad), Request(seed=3))
    assert (line["verdict"], line["failed"]) == (DIFFERENT, ["data, ES synthetic"])


OTHERS: dict[str, Any] = {"episodes": 5, "cases": 201, "days": 3, "symbols": ("RTY",)}
OTHERS |= {"configurations": True, "learner": True, "seed": 1, "workers": 1}


@pytest.mark.parametrize("name", OTHERS)
def test_a_line_is_of_how_much_a_run_compares_and_of_no_seed(name: str) -> None:
    one = seeds._asked(SMALL)
    assert (one["episodes"], one["cases"], one["days"], one["symbols"]) == (4, 200, 2, ("ES",))
    assert (one["configurations"], one["learner"]) == (False, False)
    other = seeds._asked(replace(SMALL, **{name: OTHERS[name]}))
    differ = {part for part in one if one[part] != other[part]}
    assert differ == {name} - {"seed", "workers"}


@pytest.mark.parametrize("what", ["loaded_digests", "versions"])
def test_a_line_is_of_code_and_versions(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = seeds._asked(SMALL)
    monkeypatch.setattr(seeds, what, lambda *asked: {"jax_port.envs": "another"})
    other = seeds._asked(SMALL)
    differ = [part for part in one if one[part] != other[part]]
    assert differ == [{"loaded_digests": "code"}.get(what, what)]


def test_a_damaged_line_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / LINES).write_text("{\n{}\n")
    with refuses():
        judge_seeds(SMALL, range(1), tmp_path)
