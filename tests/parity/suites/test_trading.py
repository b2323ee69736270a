"""The gate's processes know what the gate knows, find what one process finds, and end with it."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from markets import Contract, EnvConfig, contracts_file, get_contract, register_contract
from markets import contracts as module
from markets.contracts import added_contracts
from markets.contracts_file import file_of
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from parity.engine.report import FileLines
from parity.engine.verify import CheckResult
from parity.learner.suite import REQUIRED as LEARNER_REQUIRED
from parity.learner.suite import cases_of_forms
from parity.suites import trading
from parity.suites.configurations import REQUIRED as CONFIGURATIONS_REQUIRED
from parity.suites.scale import check_scale
from parity.suites.scenarios import Request, make_scenarios
from tests.sentences import refuses

COPPER = Contract("HG", "Copper", 0.0005, 1250, 1, 240)


@pytest.fixture(autouse=True)
def _own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TABLE", dict(module._TABLE))
    monkeypatch.setattr(contracts_file, "_files", {})


def copper(folder: Path) -> Request:
    register_contract(COPPER)
    bars = synthetic_bars("ES", days=4, seed=0)
    prices = bars.frame.copy()
    columns = ["open", "high", "low", "close"]
    prices[columns] = (prices[columns] / 0.25).round() * COPPER.tick_size
    file = folder / "hg.csv"
    write_bars(type(bars).from_frame(prices.round(4), COPPER, source="HG", snap=True), file)
    return Request(
        data=file,
        symbol="HG",
        episodes=1,
        cases=20,
        symbols=("ES",),
        workers=1,
        configurations=False,
        learner=False,
    )


def test_contracts_that_were_added_are_told_from_the_built_in_ones() -> None:
    assert added_contracts() == ()
    register_contract(COPPER)
    changed = replace(get_contract("ES"), slippage_ticks=3)
    register_contract(changed, overwrite=True)
    assert set(added_contracts()) == {COPPER, changed}


def test_a_fresh_process_is_told_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request, added = copper(tmp_path), added_contracts()
    scenarios = list(make_scenarios(request))
    del module._TABLE["HG"]
    with refuses():
        get_contract("HG")
    monkeypatch.setattr(trading, "_JUDGES", [])
    trading._start_worker(request, scenarios, added, {"HG": tmp_path / "own.toml"})
    assert get_contract("HG") == COPPER
    assert file_of("HG") == tmp_path / "own.toml"
    assert trading._JUDGES[0].scenarios is scenarios
    assert any(world.bars.contract == COPPER for one in scenarios for world in one.worlds)


def small(workers: int) -> Request:
    return Request(
        episodes=4,
        cases=200,
        days=2,
        symbols=("ES",),
        workers=workers,
        configurations=False,
        learner=False,
    )


def test_every_world_case_and_check_is_in_one_part() -> None:
    request = Request(symbols=("ES", "NQ", "YM"), days=2, workers=5)
    scenarios = list(make_scenarios(request))
    parts = trading.parts_of(request, scenarios)
    for scenario in scenarios:
        here = [part for part in parts if part.kind == "worlds" and part.name == scenario.name]
        assert [n for part in here for n in range(part.begin, part.end)] == [
            *range(len(scenario.worlds))
        ]
    for form, cases in cases_of_forms().items():
        here = [part for part in parts if part.kind == "learner" and part.name == form]
        assert [n for part in here for n in range(part.begin, part.end)] == [*range(len(cases))]
    drawn = {part.name for part in parts if part.kind == "general"}
    assert drawn == {*trading.GENERAL, *trading.LEARNER_GENERAL}
    assert len(set(parts)) == len(parts)


def test_a_process_is_started_with_the_files_of_contracts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it finds is told with a command that names them."""
    contracts_file.know_files({"HG": tmp_path / "own.toml"})
    request, begun = copper(tmp_path), list[Any]()

    def pool(workers: int, mp_context: Any, initializer: Any) -> Any:
        begun.append(initializer)
        return SimpleNamespace(submit=None, shutdown=lambda cancel_futures: None)

    monkeypatch.setattr(trading, "ProcessPoolExecutor", pool)
    monkeypatch.setattr(trading, "worker_start", lambda *given: given)
    scenarios = [trading.Scenario("file", (), EnvConfig.phase1(), 1, 20)]
    assert not list(trading._carry_out([], trading.Judge(request, scenarios)))
    ((start, given, same, contracts, files, compiled),) = begun
    assert (start, given, contracts) == (trading._start_worker, request, (COPPER,))
    assert same == scenarios
    assert files == {"HG": tmp_path / "own.toml"}
    assert compiled


@pytest.mark.slow
def test_a_world_of_an_added_contract_is_judged_in_another_process(tmp_path: Path) -> None:
    parts = [trading.Part("worlds", "file", 0, 1)]
    request = copper(tmp_path)
    judge = trading.Judge(request, list(make_scenarios(request)))
    with closing(trading._carry_out(parts, judge)) as done:
        outcomes = [outcome for _, outcome in done]
    assert [world["name"] for one in outcomes for world in one.worlds] == ["HG file"]
    assert all(check.passed for one in outcomes for check in one.checks)


def plain(outcome: trading.Outcome) -> tuple[object, ...]:
    checks = [check.to_dict() for check in outcome.checks]
    return checks, outcome.worlds, outcome.required, outcome.steps, outcome.form


@pytest.mark.slow
def test_processes_find_what_one_finds() -> None:
    request = small(workers=2)
    scenarios = list(make_scenarios(request))
    parts = [part for part in trading.parts_of(request, scenarios) if part.name in ("symbols", "scale")]
    alone = trading._carry_out(parts, trading.Judge(small(workers=0), scenarios))
    beside = trading._carry_out(parts, trading.Judge(request, scenarios))
    with closing(alone), closing(beside):
        told = [{part: plain(outcome) for part, outcome in some} for some in (alone, beside)]
    assert len(parts) == len(told[0]) > 1
    assert told[0] == told[1]


@pytest.mark.costly
def test_progress_is_told_as_often_as_was_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    request, seen = small(workers=0), Counter[str]()
    names = {
        scenario.name: [world.name for world in scenario.worlds] for scenario in make_scenarios(request)
    }

    def carry_out(judge: object, part: trading.Part) -> trading.Outcome:
        steps = [(name, 1) for name in names.get(part.name, [])[part.begin : part.end]]
        return trading.Outcome(steps=steps)

    monkeypatch.setattr(trading.Judge, "carry_out", carry_out)
    trading.run(request, lambda name, steps: seen.update([name]))
    assert seen.total() == trading.count_worlds(request)


@pytest.mark.costly
def test_a_process_that_dies_ends_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    request = small(workers=1)
    parts = [trading.Part("worlds", "no such scenario", 0, 1)]
    monkeypatch.setattr(trading, "_start_worker", os.abort)
    with (
        refuses(),
        closing(trading._carry_out(parts, trading.Judge(request, []))) as done,
    ):
        list(done)


@pytest.mark.slow
def test_no_process_outlives_a_gate_that_is_stopped() -> None:
    request = small(workers=2)
    others = set(multiprocessing.active_children())

    def stop(name: str, steps: int) -> None:
        assert len(set(multiprocessing.active_children()) - others) == 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trading.run(request, stop)
    assert set(multiprocessing.active_children()) <= others


def named(name: str) -> CheckResult:
    return CheckResult(name, "made", 3)


CHECKS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "environment draws": ("check_environment_draws", (9,)),
    "key reuse": ("check_key_reuse", (9,)),
    "rounding": ("check_rounding", (9,)),
    "learner draws": ("check_learner_draws", (9,)),
    "learner draws (gpu)": ("check_learner_draws", (9, "gpu")),
}
"""By general check, what it calls, and with what where the seed is 9."""


def test_each_general_check_is_its_own_with_the_run_s_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {**trading.GENERAL, **trading.LEARNER_GENERAL}.keys() == {*CHECKS, "scale"}
    assert trading.GENERAL["scale"] is check_scale
    asked: list[tuple[str, tuple[Any, ...]]] = []
    for function in {name for name, _ in CHECKS.values()}:

        def check(*given: Any, function: str = function) -> Any:
            asked.append((function, given))
            result = named(function)
            return (result, None) if function.endswith("_draws") else result

        monkeypatch.setattr(trading, function, check)
    judge = trading.Judge(replace(small(0), seed=9), [])
    for name, (function, given) in CHECKS.items():
        outcome = judge.carry_out(trading.Part("general", name))
        assert outcome.checks == [named(function)]
        assert asked.pop() == (function, given)


def test_a_learner_s_part_is_judged_in_its_form_with_the_run_s_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        trading, "check_cases", lambda *given: asked.append(given) or [named("a"), named("b")]
    )
    judge = trading.Judge(replace(small(0), seed=9), [])
    for form in ("cpu", "gpu"):
        outcome = judge.carry_out(trading.Part("learner", form, 2, 5))
        assert asked.pop() == (form, 2, 5, 9)
        assert outcome.checks == [named("a"), named("b")]
        assert outcome.steps == [("a, made", 3), ("b, made", 3)]


@pytest.mark.parametrize("properties", [True, False])
def test_each_world_of_a_part_is_judged_and_the_first_asked_what_one_shows(
    monkeypatch: pytest.MonkeyPatch, properties: bool
) -> None:
    scenario = SimpleNamespace(
        name="made",
        worlds=tuple(SimpleNamespace(name=f"world {number}") for number in range(3)),
        properties=properties,
    )
    pair = SimpleNamespace(required=frozenset({"fell"}), port=SimpleNamespace(form="test"))
    judge = trading.Judge(replace(small(0), seed=9), [scenario])  # type: ignore[list-item]
    monkeypatch.setattr(judge, "_pair", lambda name: pair)
    monkeypatch.setattr(judge, "markets", lambda name: ["first", "second", "third"])

    def record(*given: Any) -> Any:
        world = given[2]
        assert given == (scenario, pair, world, 9)
        much = SimpleNamespace(transitions=10 * world), SimpleNamespace(transitions=5)
        return SimpleNamespace(world=world, episodes=much[0], transitions=much[1])

    def judged(*given: Any) -> Any:
        market, world, recorded = given[2:5]
        assert given == (scenario, pair, market, world, recorded, 9)
        assert (market, recorded.world) == (("first", "second", "third")[world], world)
        return SimpleNamespace(checks=[named(f"judged {world}")], divergences=[f"of {world}"])

    def once(*given: Any) -> Any:
        assert (given[:2], given[2].world, given[3]) == ((scenario, pair), 0, 9)
        return [named("once")]

    def shown(*given: Any) -> Any:
        assert (given[0], given[1].world, given[2]) == (scenario, 0, 9)
        return [named("properties")]

    monkeypatch.setattr(trading, "record_world", record)
    monkeypatch.setattr(trading, "judge_world", judged)
    monkeypatch.setattr(trading, "check_once", once)
    monkeypatch.setattr(trading, "check_properties", shown)
    monkeypatch.setattr(trading, "about_world", lambda world, market, given: {"name": market})

    whole = judge.carry_out(trading.Part("worlds", "made", 0, 3))
    of_first = ["judged 0", "once", *(["properties"] if properties else [])]
    assert [one.check for one in whole.checks] == [*of_first, "judged 1", "judged 2"]
    assert whole.divergences == ["of 0", "of 1", "of 2"]
    assert [world["name"] for world in whole.worlds] == ["first", "second", "third"]
    assert whole.steps == [("world 0", 5), ("world 1", 15), ("world 2", 25)]
    assert (whole.required, whole.form) == (pair.required, "test")
    later = judge.carry_out(trading.Part("worlds", "made", 1, 2))
    assert [one.check for one in later.checks] == ["judged 1"]


def test_a_report_holds_what_came_of_every_part_worlds_first(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [
        trading.Part("general", "scale"),
        trading.Part("learner", "gpu", 0, 1),
        trading.Part("worlds", "north", 0, 1),
        trading.Part("worlds", "south", 0, 1),
    ]
    outcomes = {
        part: trading.Outcome(
            checks=[named(part.name)],
            divergences=[f"in {part.name}"],  # type: ignore[list-item]
            worlds=[{"name": part.name}] if part.kind == "worlds" else [],
            required=frozenset({f"seen in {part.name}"}),
            form="test" if part.name == "south" else "",
            steps=[(part.name, number), (f"more of {part.name}", 1)],
            executed={"jax_port.a": {number}} if number != 1 else {},  # type: ignore[dict-item]
        )
        for number, part in enumerate(parts)
    }
    lines: list[Any] = []

    def covered(modules: Any, executed: Any) -> dict[str, FileLines]:
        lines.append((modules, executed))
        return {}

    monkeypatch.setattr(trading, "make_scenarios", lambda request: [])
    monkeypatch.setattr(trading, "parts_of", lambda request, scenarios: parts)
    monkeypatch.setattr(
        trading, "_carry_out", lambda some, judge, compiled: ((p, outcomes[p]) for p in reversed(some))
    )
    monkeypatch.setattr(trading, "lines_of_port", covered)
    monkeypatch.setattr(
        trading,
        "add_lines",
        lambda whole, more: [whole.setdefault(k, set()).update(v) for k, v in more.items()],
    )
    monkeypatch.setattr(trading, "draw_configurations", lambda seed: seed)
    monkeypatch.setattr(trading, "report_configurations", lambda seed: named(f"drawn of {seed}"))
    told: list[tuple[str, int]] = []
    request = replace(small(0), seed=9, configurations=True, data=Path("my.csv"))
    report = trading.run(request, lambda *some: told.append(some))
    names = ["north", "south", "gpu", "scale"]
    assert [one.check for one in report.checks] == [*names, "drawn of 9"]
    assert report.divergences == [f"in {name}" for name in names]
    assert [world["name"] for world in report.worlds] == ["north", "south"]
    assert report.required == (
        LEARNER_REQUIRED | CONFIGURATIONS_REQUIRED | {f"seen in {name}" for name in names}
    )
    assert (report.form, report.seed) == ("test", 9)
    assert report.settings == {"episodes": 4, "cases": 200, "days": 2, "data": "my.csv"}
    assert lines == [(trading.MODULES, {"jax_port.a": {0, 2, 3}})]
    assert told == [
        row
        for n, part in reversed(list(enumerate(parts)))
        for row in ((part.name, n), (f"more of {part.name}", 1))
    ]
    bare = trading.run(replace(request, configurations=False, data=None))
    assert [one.check for one in bare.checks] == names
    assert bare.settings["data"] == ""
    assert bare.required == report.required
