"""The gate's processes know what the gate knows, find what one process finds, and end with it."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from markets import Contract, get_contract, register_contract
from markets import contracts as module
from markets.contracts import added_contracts
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from parity.learner.suite import cases_of_forms
from parity.suites import trading
from parity.suites.scenarios import Request, make_scenarios
from tests.sentences import refuses

COPPER = Contract("HG", "Copper", 0.0005, 1250, 1, 240)


@pytest.fixture(autouse=True)
def _own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TABLE", dict(module._TABLE))


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
    del module._TABLE["HG"]
    with refuses():
        trading._start_worker(request, ())
    monkeypatch.setattr(trading, "_JUDGES", [])
    trading._start_worker(request, added)
    assert get_contract("HG") == COPPER
    scenarios = trading._JUDGES[0]._scenarios.values()
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


@pytest.mark.slow
def test_a_world_of_an_added_contract_is_judged_in_another_process(tmp_path: Path) -> None:
    parts = [trading.Part("worlds", "file", 0, 1)]
    with closing(trading._carry_out(parts, trading.Judge(copper(tmp_path), []))) as done:
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
