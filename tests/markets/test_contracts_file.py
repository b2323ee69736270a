"""Contracts of a user's own come from a TOML file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import InputError
from markets import contracts, contracts_file
from markets.contracts import Contract, get_contract
from markets.contracts_file import (
    REQUIRED,
    file_of,
    know_files,
    known_files,
    own_contracts,
    register_contracts,
    register_table,
)
from tests.sentences import refuses

CRUDE = """
[contract.CL]
name = "Crude Oil"
tick_size = 0.01
tick_value_cents = 1000
slippage_ticks = 1
commission_cents = 250
"""


@pytest.fixture(autouse=True)
def own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    monkeypatch.setattr(contracts_file, "_files", {})


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_contract_of_one_s_own(tmp_path: Path) -> None:
    made = register_contracts(write(tmp_path, CRUDE))
    assert made[0] == get_contract("CL") == Contract("CL", "Crude Oil", 0.01, 1000, 1, 250)
    assert get_contract("CLZ5").symbol == "CL"


def test_a_file_that_was_mended_is_read_again(tmp_path: Path) -> None:
    register_contracts(write(tmp_path, CRUDE))
    (made,) = register_contracts(write(tmp_path, CRUDE.replace("250", "300")))
    assert made == get_contract("CL")
    assert made.commission_cents == 300


def test_what_a_file_has_to_say_of_contracts_is_of_those_that_are_not_built_in(tmp_path: Path) -> None:
    micro = CRUDE.replace("CL", "MCL").replace("1000", "100") + 'full_size = "CL"\n'
    register_contracts(write(tmp_path, CRUDE + micro))
    values = {"name": "Crude Oil", "tick_size": 0.01, "slippage_ticks": 1, "commission_cents": 250}
    full = {**values, "tick_value_cents": 1000}
    assert own_contracts(["ES", "CL"]) == {"CL": full}
    both = {"MCL": {**values, "tick_value_cents": 100, "full_size": "CL"}, "CL": full}
    assert own_contracts(["MCL"]) == both
    assert own_contracts(["ES", "MES"]) == {}


def test_a_contract_without_costs_says_so_and_is_read_again(tmp_path: Path) -> None:
    free = CRUDE.replace("slippage_ticks = 1", "slippage_ticks = 0").replace("250", "0")
    (made,) = register_contracts(write(tmp_path, free))
    assert (made.slippage_ticks, made.commission_cents) == (0, 0)
    assert register_table(tmp_path / "run.toml", own_contracts(["CL"])) == (made,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[contract]",
        "[contract.CL]\nname = 'Crude'",
        CRUDE.replace("0.01", "-1"),
        CRUDE.replace("250", "2.5"),
        CRUDE.replace("250", "99999999999"),
        CRUDE + "colour = 1",
        CRUDE.replace("CL", "cl"),
        CRUDE.replace("CL", "ES"),
        "[contract.CL\n",
        "[contract]\nCL = 3",
    ],
    ids=[
        "empty",
        "none",
        "half",
        "tick size",
        "half a cent",
        "32 bits",
        "unknown field",
        "lower case",
        "built in",
        "no TOML",
        "no table",
    ],
)
def test_a_file_that_is_not_right_is_refused_whole(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, CRUDE.replace("CL", "GC") + text if "[contract." in text else text)
    with refuses():
        register_contracts(path)
    with refuses():
        get_contract("GC")


def test_no_file(tmp_path: Path) -> None:
    with refuses():
        register_contracts(tmp_path / "none.toml")


@pytest.mark.parametrize("name", REQUIRED)
def test_each_value_must_be_there(tmp_path: Path, name: str) -> None:
    lines = [line for line in CRUDE.splitlines() if not line.startswith(f"{name} =")]
    assert len(lines) == len(CRUDE.splitlines()) - 1
    with pytest.raises(InputError, match=rf"\[contract.CL\]: {name} missing"):
        register_contracts(write(tmp_path, "\n".join(lines)))


def test_every_contract_of_a_file_is_known_to_be_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, CRUDE + CRUDE.replace("CL", "GC") + CRUDE.replace("CL", "SI"))
    assert [made.symbol for made in register_contracts(path)] == ["CL", "GC", "SI"]
    assert [file_of(symbol) for symbol in ("CL", "GC", "SI", "ES", "XX")] == [path] * 3 + [None] * 2


@pytest.mark.parametrize("symbol", ["CL", "GC"])
@pytest.mark.parametrize("name", REQUIRED)
def test_a_contract_of_two_files_must_have_the_same_numbers_in_both(
    tmp_path: Path, symbol: str, name: str
) -> None:
    first, second = tmp_path / "mine.toml", tmp_path / "run.toml"
    values = {"name": "Oil", "tick_size": 0.01, "tick_value_cents": 1000, "slippage_ticks": 1}
    table = {one: {**values, "commission_cents": 250} for one in ("CL", "GC")}
    made = register_table(first, table)
    assert register_table(second, table) == made
    register_table(first, table)
    other = {"Other": "Other"} if name == "name" else {}
    table[symbol][name] = other.get("Other", 7)
    with pytest.raises(InputError, match=rf"run.toml: \[contract.{symbol}\] has other numbers than"):
        register_table(second, table)
    assert get_contract("CL") == made[0]
    # The file itself may have been mended.
    mended = register_table(first, table)
    assert get_contract(symbol) in mended
    assert get_contract(symbol) not in made


def test_another_process_can_be_told_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, CRUDE)
    register_contracts(path)
    told = known_files()
    assert told == {"CL": path}
    monkeypatch.setattr(contracts_file, "_files", {"GC": tmp_path / "gold.toml"})
    know_files(told)
    assert (file_of("CL"), file_of("GC"), file_of("ES")) == (path, tmp_path / "gold.toml", None)
    known_files()["GC"] = path
    told["CL"] = tmp_path  # a copy: what is done with it changes nothing
    assert known_files() == {"CL": path, "GC": tmp_path / "gold.toml"}


def test_a_built_in_contract_with_other_costs_has_no_place_in_a_file() -> None:
    """A file that says [contract.NQ] would be refused, so nothing is said of it."""
    dear = get_contract("NQ").with_costs(commission_cents=300)
    contracts.register_contract(dear, overwrite=True)
    crude = Contract("CL", "Crude Oil", 0.01, 1000, 1, 250)
    contracts.register_contract(crude)
    assert list(own_contracts(["NQ", "CL", "MNQ"])) == ["CL"]


def test_two_contracts_that_name_each_other_are_said_once_each() -> None:
    for symbol, other in (("AA", "BB"), ("BB", "AA"), ("CC", "CC"), ("DD", "ES")):
        contracts.register_contract(Contract(symbol, "mine", 0.5, 100, 1, 250, other))
    assert list(own_contracts(["BB", "CC", "DD"])) == ["BB", "CC", "DD", "AA"]
