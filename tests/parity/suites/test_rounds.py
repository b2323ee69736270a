"""The gate with one seed after another: other bars each time, one report, every seed's verdict."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from markets import contracts, contracts_file
from markets.contracts_file import register_contracts
from parity.engine.compare import Comparison
from parity.engine.diverge import Divergence
from parity.engine.page import render
from parity.engine.report import DIFFERENT, SAME, UNSEEN, FileLines, Report
from parity.engine.verify import CheckResult, Mismatch
from parity.gate.covered import covered_by
from parity.suites import rounds, trading
from parity.suites.rounds import command_of, run_rounds, seeds_of
from parity.suites.scenarios import Request, Scenario

SMALL = Request(
    episodes=4,
    cases=200,
    days=2,
    symbols=("ES",),
    workers=0,
    configurations=False,
    learner=False,
    seed=5,
)


@pytest.fixture(autouse=True)
def _the_symbol_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave one world of the gate's, driven on both sides as ever."""

    def one(request: Request, scenarios: list[Scenario]) -> list[trading.Part]:
        return [trading.Part("worlds", "symbols", 0, 1)]

    monkeypatch.setattr(trading, "parts_of", one)


@pytest.mark.costly
def test_every_seed_has_bars_of_its_own_in_one_report() -> None:
    told: list[str] = []
    before = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    report = run_rounds(SMALL, 2, lambda name, steps: told.append(name))
    assert told == ["ES synthetic", "ES synthetic, seed 6"]
    assert [world["name"] for world in report.worlds] == ["ES synthetic", "ES synthetic, seed 6"]
    assert len({world["digest"] for world in report.worlds}) == 2
    assert all(check.passed for check in report.checks)
    kinds = [
        sorted(check.check for check in report.checks if check.world.endswith("seed 6") is late)
        for late in (False, True)
    ]
    assert kinds[0] == kinds[1]
    assert {"replay", "generated", "data"} <= set(kinds[0])
    assert report.settings["seeds"] == {"5": UNSEEN, "6": UNSEEN}  # one world shows few branches
    summary = report.summary()
    assert summary["episodes"] == 2 * SMALL.episodes
    assert os.environ.get("JAX_COMPILATION_CACHE_DIR") == before


@pytest.mark.costly
def test_a_fault_that_one_seed_shows_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    def carry_out(judge: trading.Judge, part: trading.Part) -> trading.Outcome:
        if judge.request.seed == 5:
            return trading.Outcome()
        bad = CheckResult("replay", "ES synthetic", 1, error="planted", notes={"episodes": 1})
        bad.notes["reward_deviation_max"] = 0.0
        return trading.Outcome([bad])

    monkeypatch.setattr(trading.Judge, "carry_out", carry_out)
    report = run_rounds(SMALL, 2)
    assert report.verdict == DIFFERENT
    assert report.settings["seeds"] == {"5": UNSEEN, "6": DIFFERENT}
    small = "rltrader parity run --episodes 4 --cases 200 --days 2 --symbols ES --seed"
    assert report.settings["again"] == [f"{small} 5", f"{small} 6"]
    page = render(report.to_dict())
    assert f"{small} 6" in page
    assert [check.world for check in report.checks if not check.passed] == ["ES synthetic, seed 6"]


def test_a_run_is_repeated_by_one_command(tmp_path: Path) -> None:
    assert command_of(Request(seed=3)) == "rltrader parity run --seed 3"
    file = Request(data=tmp_path / "my bars.csv", symbol="NQ", cases=5, reader={"snap": True})
    words = f"rltrader parity run --data '{tmp_path}/my bars.csv' --symbol NQ --snap --cases 5 --seed 0"
    assert command_of(file) == words


OWN = ("[contract.", "]\nname = 'Own'\ntick_size = 0.25\ntick_value_cents = 1250\n")
COSTS = "commission_cents = 10\nslippage_ticks = 1\n"


def test_a_command_names_the_files_of_contracts_and_all_that_is_not_as_it_is_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    monkeypatch.setattr(contracts_file, "_files", {})
    file = tmp_path / "my own.toml"
    file.write_text("".join(f"{OWN[0]}{name}{OWN[1]}{COSTS}" for name in ("AA", "BB", "CC")))
    register_contracts(file)
    begins = ["rltrader", "--contracts", str(file), "parity", "run"]
    of_file = Request(data=tmp_path / "b.csv", symbol="AA")
    given = ["--data", str(tmp_path / "b.csv"), "--symbol", "AA"]
    assert shlex.split(command_of(of_file)) == [*begins, *given, "--seed", "0"]
    # Of synthetic bars; no file has the symbol of a file.
    made = Request(symbol="AA", symbols=("ES", "CCZ5", "BB"), episodes=7, days=3, seed=11)
    sizes = ["--episodes", "7", "--days", "3", "--symbols", "ES,CCZ5,BB", "--seed", "11"]
    assert shlex.split(command_of(made)) == [*begins, *sizes]
    assert command_of(replace(made, symbols=("ES",), episodes=100, days=6)) == (
        "rltrader parity run --symbols ES --seed 11"
    )


def test_learners_of_all_seeds_are_covered() -> None:
    one, several = (covered_by([], seeds_of(SMALL, number), True)["learner"] for number in (1, 4))
    assert one.keys() == several.keys()
    assert one != several


def made(seed: int, verdict: str) -> Report:
    """Return a report of one seed that comes to a verdict."""
    check = CheckResult(
        "data", "ES", 1, {"a": Comparison(compared=10 * seed)}, coverage=Counter(seen=1)
    )
    check.error = "planted" if verdict == DIFFERENT else ""
    required = {f"of {seed}"} if verdict == UNSEEN else set()
    mismatch = Mismatch(0, 0, "a", (), 1, 2)
    shown = Divergence("data", "ES", 0, 0, mismatch, "logic", [], {}, "", [], {}, "")
    lines = {"a.py": FileLines(frozenset((1, 2, 9)), frozenset((seed,)))}
    world = {"name": "ES", "digest": str(seed)}
    report = Report("t", seed, "", [world], [check], frozenset(required), [shown], {"x": 1}, 2.0)
    report.lines = lines
    return report


@pytest.mark.parametrize("bad", [(), (1,), (2,), (3,), (1, 3), (2, 3)])
@pytest.mark.parametrize("verdict", [DIFFERENT, UNSEEN])
def test_rounds_are_one_report_of_them_all(
    monkeypatch: pytest.MonkeyPatch, bad: tuple[int, ...], verdict: str
) -> None:
    asked: list[Request] = []

    def run(request: Request, progress: object, compiled: str) -> Report:
        asked.append(request)
        return made(request.seed, verdict if request.seed in bad else SAME)

    monkeypatch.setattr(rounds, "run", run)
    request = replace(SMALL, seed=1)
    report = run_rounds(request, 3)
    assert asked == [replace(SMALL, seed=seed) for seed in (1, 2, 3)]
    assert report.verdict == (verdict if bad else SAME)
    wanted = {str(seed): verdict if seed in bad else SAME for seed in (1, 2, 3)}
    assert report.settings["seeds"] == wanted
    again = [command_of(replace(SMALL, seed=seed)) for seed in bad] or None
    assert report.settings.get("again") == again
    assert report.settings["x"] == 1
    names = ["ES", "ES, seed 2", "ES, seed 3"]
    assert [world["name"] for world in report.worlds] == names
    assert [world["digest"] for world in report.worlds] == ["1", "2", "3"]
    assert [check.world for check in report.checks] == names
    assert [shown.world for shown in report.divergences] == names
    assert report.required == ({f"of {seed}" for seed in bad} if verdict == UNSEEN else set())
    assert (report.coverage, report.seconds) == ({"seen": 3}, 6.0)
    assert report.summary()["numbers_compared"] == 60
    assert report.lines == {"a.py": FileLines(frozenset((1, 2, 9)), frozenset((1, 2, 3)))}


def test_files_of_which_one_round_alone_ran_lines_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(request: Request, progress: object, compiled: str) -> Report:
        report = made(request.seed, SAME)
        report.lines[f"of_{request.seed}.py"] = FileLines(frozenset((4,)), frozenset())
        return report

    monkeypatch.setattr(rounds, "run", run)
    lines = run_rounds(replace(SMALL, seed=1), 2).lines
    assert sorted(lines) == ["a.py", "of_1.py", "of_2.py"]
    assert lines["a.py"].ran == {1, 2}


@pytest.mark.parametrize("count", [1, 2, 3])
def test_rounds_share_what_they_compile_and_all_tell_their_progress(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    folders: list[str] = []

    def run(request: Request, progress: Any, compiled: str) -> Report:
        assert Path(compiled).is_dir()
        folders.append(compiled)
        if progress is not None:
            progress("north", 10 * request.seed)
            progress("south", 10 * request.seed + 1)
        return made(request.seed, SAME)

    monkeypatch.setattr(rounds, "run", run)
    told: list[tuple[str, int]] = []
    report = run_rounds(replace(SMALL, seed=4), count, lambda *one: told.append(one))
    assert told == [
        (f"{name}{mark}", 10 * seed + more)
        for seed, mark in ((4, ""), (5, ", seed 5"), (6, ", seed 6"))[:count]
        for more, name in enumerate(("north", "south"))
    ]
    assert (len(folders), len(set(folders))) == (count, 1)
    assert not Path(folders[0]).exists()
    assert report.settings["seeds"] == {str(seed): SAME for seed in range(4, 4 + count)}
    assert "again" not in report.settings
    assert run_rounds(replace(SMALL, seed=4), count).verdict == SAME  # without anybody to tell
    assert list(seeds_of(replace(SMALL, seed=4), count)) == [4, 5, 6][:count]


def test_each_world_check_and_finding_of_a_later_round_keeps_its_own_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(request: Request, progress: object, compiled: str) -> Report:
        north, south = made(request.seed, SAME), made(request.seed, SAME)
        for name, one in (("north", north), ("south", south)):
            one.worlds = [{**world, "name": name} for world in one.worlds]
            one.checks[0].world = one.divergences[0].world = name
        north.worlds = [*north.worlds, *south.worlds]
        north.checks += south.checks
        north.divergences += south.divergences
        return north

    monkeypatch.setattr(rounds, "run", run)
    report = run_rounds(replace(SMALL, seed=1), 2)
    names = ["north", "south", "north, seed 2", "south, seed 2"]
    assert [world["name"] for world in report.worlds] == names
    assert [world["digest"] for world in report.worlds] == ["1", "1", "2", "2"]
    assert [check.world for check in report.checks] == names
    assert [shown.world for shown in report.divergences] == names
