"""A scenario's options of the command line read the same bars as the gate did."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from markets import EnvConfig, contracts
from markets.contracts_file import file_of, register_contracts
from markets.synthetic.stress import stress_bars
from parity.engine.generate import seeded_cases
from parity.pairs.trading import World, trading_pair
from parity.suites.scenarios import READER_OPTIONS, Request, file_options
from rltrader.options.bars import BarOptions, bar_options

READER: dict[str, Any] = {
    "format": "csv",
    "timezone": "America/New_York",
    "snap": True,
    "instrument": "ESZ5",
    "stamped": "close",
    "accept_problems": True,
}


@pytest.mark.parametrize("reader", [{}, {"timezone": "Europe/Berlin"}, READER])
def test_a_file_is_read_again_as_it_was_read(reader: dict[str, Any]) -> None:
    parsed: list[BarOptions] = []

    @click.command()
    @bar_options("optional", "optional")
    def case(bars: BarOptions) -> None:
        parsed.append(bars)

    request = Request(data=Path("my bars.csv"), symbol="NQ", reader=reader)
    case.main(shlex.split(file_options(request)), standalone_mode=False)
    assert parsed[0].file == request.data
    assert parsed[0].symbol == "NQ"
    assert parsed[0].reader == reader


def test_every_option_of_the_reader_can_be_written() -> None:
    given = BarOptions(**{name: READER[name] for name in READER_OPTIONS})
    assert given.reader == READER


def test_a_contract_of_one_s_own_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    file = tmp_path / "my contracts.toml"
    file.write_text(
        "[contract.CHEAP]\nname = 'Cheap'\ntick_size = 0.25\ntick_value_cents = 1250\n"
        "commission_cents = 10\nslippage_ticks = 1\n"
    )
    bars = replace(stress_bars("ES", seed=0, days=4), contract=register_contracts(file)[0])
    pair = trading_pair([World("CHEAP", bars, "--data x.csv --symbol CHEAP")], EnvConfig.phase1())
    case = seeded_cases(pair, 0, 1, np.random.default_rng(0))[0]
    begins = ["rltrader", "--contracts", str(file), "parity", "case", "--data", "x.csv"]
    assert pair.command is not None
    assert shlex.split(pair.command(case))[: len(begins)] == begins
    assert file_of("ES") is None
