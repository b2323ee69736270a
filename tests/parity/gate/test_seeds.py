"""The gate's false alarms are counted, seed by seed; a count goes on, and on the same code alone."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from scipy import stats

from foundation.errors import InputError
from foundation.json_reading import read_json
from foundation.loaded_code import loaded_digests
from parity.engine.compare import Comparison
from parity.engine.report import DIFFERENT, SAME, UNSEEN, Report, versions
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
    told: list[tuple[Any, ...]] = []
    judge_seeds(SMALL, range(5, 6), tmp_path, lambda *last: told.append(last))
    kept = (tmp_path / LINES).read_text()
    result = judge_seeds(SMALL, range(5, 7), tmp_path, lambda *last: told.append(last))
    assert told == [(f"seed 5: {UNSEEN}", 1, 1), (f"seed 6: {UNSEEN}", 2, 2)]
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
    nothing = CheckResult("learner", "quiet", 1, measures={"rates": Comparison(compared=10)})
    assert line_of(report_of(good, nothing), Request(seed=3))["closest"] == 0.75
    bad = CheckResult("data", "ES synthetic", 1, error="planted")
    line = line_of(report_of(good, bad), Request(seed=3))
    assert (line["verdict"], line["failed"]) == (DIFFERENT, ["data, ES synthetic"])


DIGESTS = cache(loaded_digests)
"""Computed once, which takes seconds."""
OTHERS: dict[str, Any] = {"episodes": 5, "cases": 201, "days": 3, "symbols": ("RTY",)}
OTHERS |= {"configurations": True, "learner": True, "seed": 1, "workers": 1}


@pytest.fixture
def digested_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "loaded_digests", DIGESTS)


@pytest.mark.usefixtures("digested_once")
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


def seen(seed: int, compared: int = 10, **bad: Any) -> Report:
    """Return a report of one seed, whose every number is another than that of the next."""
    error = bad.get("error", 1e-6 * seed)
    far = {"weights": Comparison(error=error, limit=1e-4, compared=3, mismatches=int(error > 1e-4))}
    notes = {"episodes": 2, "reward_deviation_max": 0.0}
    fields = {"balance": Comparison(compared=compared * seed)}
    checks = [
        CheckResult("replay", "ES", 100 + seed, fields, notes=notes),
        CheckResult("generated", "ES", 1000 + 7 * seed, {"balance": Comparison(compared=5)}),
        CheckResult("learner", "quiet", 1, measures=far),
    ]
    checks += [CheckResult("data", world, 1, error="planted") for world in bad.get("failed", ())]
    required = frozenset(bad.get("missing", ()))
    return Report("", seed, "", [], checks, required, seconds=seed + 0.26)


def code(patch: pytest.MonkeyPatch, digest: str) -> None:
    """Let all that is loaded be of this digest, which is quick to tell."""
    patch.setattr(seeds, "loaded_digests", lambda modules: dict.fromkeys(modules, digest))


class _Gate:
    """A gate that comes to what it is told; keeps what it was asked."""

    def __init__(self, patch: pytest.MonkeyPatch, **reports: Report) -> None:
        self.asked: list[Request] = []
        self.folders: set[str] = set()
        self.reports = reports
        patch.setattr(seeds, "run", self.run)
        code(patch, "1")

    def run(self, request: Request, compiled: str) -> Report:
        self.asked.append(request)
        self.folders.add(compiled)
        assert Path(compiled).is_dir()
        return self.reports.get(f"of_{request.seed}", seen(request.seed))


def upper(alarms: int, runs: int) -> float:
    """Return the upper end of a one-sided 95% interval of a chance, from the beta distribution."""
    return float(stats.beta.ppf(0.95, alarms + 1, runs - alarms)) if alarms < runs else 1.0


def test_all_seeds_are_summed_and_every_kind_of_alarm_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first and the last of them too; what a run of some of them left is gone on with."""
    few = seen(5, missing=("a trade", "a floor"))
    gate = _Gate(monkeypatch, of_5=few, of_8=seen(8, failed=("ES", "NQ")))
    out, told = tmp_path / "new" / "folder", list[tuple[Any, ...]]()
    asked = replace(SMALL, seed=99, symbols=("ES", "NQ"))
    first = judge_seeds(asked, range(5, 7), out)
    assert (first["runs"], len(first["alarms"]), first["closest"]) == (2, 1, pytest.approx(0.06))
    result = judge_seeds(asked, range(5, 9), out, lambda *last: told.append(last))
    assert gate.asked == [replace(asked, seed=seed) for seed in (5, 6, 7, 8)]
    assert len(gate.folders) == 2  # what one run compiled, another need not
    assert told == [(f"seed 7: {SAME}", 3, 4), (f"seed 8: {DIFFERENT}", 4, 4)]
    again = "rltrader parity run --episodes 4 --cases 200 --days 2 --symbols ES,NQ --seed"
    run = result["alarms"][0]["run"]
    lines = [
        {
            "run": run,
            "seed": seed,
            "verdict": verdict,
            "missing": missing,
            "failed": failed,
            "transitions": 1100 + 8 * seed,
            "numbers": 10 * seed + 5 + 3,
            "closest": pytest.approx(seed / 100),
            "seconds": seed + 0.3,
            "again": f"{again} {seed}",
        }
        for seed, verdict, missing, failed in (
            (5, UNSEEN, ["a floor", "a trade"], []),
            (8, DIFFERENT, [], ["data, ES", "data, NQ"]),
        )
    ]
    made = result.pop("made")
    assert made["versions"] == versions()
    assert made["device"]
    assert result == {
        "format": 1,
        "runs": 4,
        "alarms": lines,
        "at_most": pytest.approx(upper(2, 4)),
        "closest": pytest.approx(0.08),
        "transitions": 4 * 1100 + 8 * (5 + 6 + 7 + 8),
        "numbers": 10 * (5 + 6 + 7 + 8) + 4 * 8,
        "seconds": pytest.approx(27.2),
    }
    assert read_json(out / NUMBERS, dict, LINE) == {**result, "made": made}
    assert len((out / LINES).read_text().splitlines()) == 4


@pytest.mark.parametrize("error", [math.nan, math.inf])
def test_an_error_that_is_no_number_is_the_closest_of_all_and_a_count_goes_on(
    error: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _Gate(monkeypatch, of_2=seen(2, error=error, failed=("ES",)))
    for last in (2, 3, 4):
        result = judge_seeds(SMALL, range(1, last), tmp_path)
        assert result["closest"] == (None if last > 2 else pytest.approx(0.01))
        assert [line["seed"] for line in result["alarms"]] == [2][: last - 2]
    near = {"weights": Comparison(error=error, limit=1.0), "more": Comparison(error=1.0, limit=2.0)}
    for order in (near, dict(reversed(near.items()))):
        check = CheckResult("learner", "quiet", 1, measures=order)
        assert line_of(report_of(check), Request())["closest"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"episodes": 5},
        {"cases": 201},
        {"days": 3},
        {"symbols": ("NQ",)},
        {"symbols": ("ES", "NQ")},
        {"configurations": True},
        {"learner": True},
        {"symbol": "NQ"},
        {"reader": {"snap": True}},
        {"data": "one.csv"},
        {"data": "other.csv"},
    ],
    ids=str,
)
def test_a_count_of_anything_else_is_another(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers and the request's own seed decide nothing; a file counts by what it holds."""
    for name in ("one", "other"):
        (tmp_path / f"{name}.csv").write_text(name)
    if "data" in changes:
        changes = {"data": tmp_path / changes["data"]}
    monkeypatch.setattr(
        seeds, "loaded_digests", lambda modules: {"code": "1", **dict.fromkeys(modules)}
    )
    plain = seeds._asked(SMALL)
    assert seeds._asked(replace(SMALL, workers=5, seed=3)) == plain
    other = seeds._asked(replace(SMALL, **changes))
    assert other != plain
    if "data" in changes:
        (tmp_path / "one.csv").write_text("other")
        same = replace(SMALL, data=tmp_path / "one.csv")
        assert (seeds._asked(same) == other) == (changes["data"].name == "other.csv")
    monkeypatch.setattr(
        seeds, "loaded_digests", lambda modules: {"code": "2", **dict.fromkeys(modules)}
    )
    assert seeds._asked(SMALL) != plain


def test_what_a_seed_draws_and_can_t_be_carried_out_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(request: Request, compiled: str) -> Report:
        if request.seed == 7:
            raise InputError("no episode can start")
        return seen(request.seed)

    monkeypatch.setattr(seeds, "run", run)
    code(monkeypatch, "1")
    with refuses():
        judge_seeds(SMALL, range(5, 9), tmp_path)
    assert [json.loads(line)["seed"] for line in (tmp_path / LINES).read_text().splitlines()] == [5, 6]


@pytest.mark.parametrize("alarms", [{}, {12: 4}, {11: 1, 14: 5}])
def test_the_command_counts_the_seeds_asked_for_and_names_every_alarm(
    alarms: dict[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = {seed: [f"world {n}" for n in range(count)] for seed, count in alarms.items()}
    found = {f"of_{seed}": seen(seed, failed=some) for seed, some in worlds.items()}
    gate = _Gate(monkeypatch, **found)
    out = tmp_path / "count"
    words = ["--seed", "11", "--runs", "4", "--workers", "3", "--out", str(out)]
    done = CliRunner().invoke(seeds.main, words, env={"COLUMNS": "2000"})
    assert done.exit_code == (1 if alarms else 0), done.output
    assert gate.asked == [Request(seed=seed, workers=3) for seed in (11, 12, 13, 14)]
    said = " ".join(done.output.split())
    for seed, failed in worlds.items():
        what = "; ".join(f"data, {name}" for name in failed[:3])
        again = f"again: rltrader parity run --seed {seed}"
        assert f"seed {seed}: {DIFFERENT} ({what}); {again}" in said
    assert said.count("again: ") == len(alarms)
    share = f"at most {upper(len(alarms), 4):.1%} of runs alarm, with 95% confidence"
    assert f"{len(alarms)} alarms in 4 runs: {share}; {out / NUMBERS}" in said
    assert len(read_json(out / NUMBERS, dict, LINE)["alarms"]) == len(alarms)


def test_an_alarm_of_too_little_seen_names_what_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branches = ["a floor", "a stop", "a target", "a trade"]
    _Gate(monkeypatch, of_3=seen(3, missing=branches))
    words = ["--seed", "3", "--runs", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(seeds.main, words, env={"COLUMNS": "2000"})
    assert done.exit_code == 1
    assert f"seed 3: {UNSEEN} (a floor; a stop; a target); again" in " ".join(done.output.split())
