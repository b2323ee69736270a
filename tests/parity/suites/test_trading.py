"""The gate's processes know what the gate knows: a contract of one's own, and how to end."""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from markets import Contract, InputError, get_contract, register_contract
from markets import contracts as module
from markets.contracts import added_contracts
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from parity.pairs.trading import trading_pair
from parity.suites import trading
from parity.suites.scenarios import Request, make_scenarios

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
    with pytest.raises(InputError, match="unknown symbol 'HG'"):
        trading._start_worker(request, ())
    monkeypatch.setattr(trading, "_SCENARIOS", {})
    trading._start_worker(request, added)
    assert get_contract("HG") == COPPER
    assert any(
        world.bars.contract == COPPER for one in trading._SCENARIOS.values() for world in one.worlds
    )


@pytest.mark.slow
def test_a_world_of_an_added_contract_is_recorded_in_another_process(tmp_path: Path) -> None:
    request = copper(tmp_path)
    first = next(make_scenarios(request))
    with trading._Reference(request, [first]) as reference:
        recorded = reference.record(first, trading_pair(first.worlds, first.config), 0)
    assert len(recorded.cases) == len(recorded.transitions.labels) == first.cases


def test_a_process_that_dies_ends_in_one_sentence() -> None:
    reference = trading._Reference(Request(workers=0), [])
    first = next(make_scenarios(Request(symbols=("ES",), days=2, configurations=False)))

    class Dead:
        def result(self) -> None:
            raise BrokenProcessPool("gone")

    reference._pool = trading.ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    reference._waiting[first.name, 0] = Dead()  # type: ignore[assignment]
    with reference, pytest.raises(InputError, match="run again with fewer --workers"):
        reference.record(first, None, 0)  # type: ignore[arg-type]
