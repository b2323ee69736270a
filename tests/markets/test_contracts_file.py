"""Contracts of a user's own come from a TOML file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import InputError
from markets import contracts
from markets.contracts import Contract, get_contract
from markets.contracts_file import register_contracts

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


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_a_contract_of_one_s_own(tmp_path: Path) -> None:
    made = register_contracts(write(tmp_path, CRUDE))
    assert made[0] == get_contract("CL") == Contract("CL", "Crude Oil", 0.01, 1000, 1, 250)
    assert get_contract("CLZ5").symbol == "CL"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "contract"),
        ("[contract]", "has no contract"),
        ("[contract.CL]\nname = 'Crude'", "tick_size, tick_value_cents"),
        (CRUDE.replace("0.01", "-1"), "tick_size -1.0 must be"),
        (CRUDE.replace("250", "2.5"), "commission_cents"),
        (CRUDE.replace("250", "99999999999"), "commission_cents"),
        (CRUDE + "colour = 1", "colour"),
        (CRUDE.replace("CL", "cl"), "upper case"),
        (CRUDE.replace("CL", "ES"), "ES is built in"),
        ("[contract.CL\n", "Expected"),
    ],
)
def test_a_file_that_is_not_right_is_refused_whole(tmp_path: Path, text: str, reason: str) -> None:
    path = write(tmp_path, CRUDE.replace("CL", "GC") + text if "[contract." in text else text)
    with pytest.raises(InputError, match=r"mine\.toml") as error:
        register_contracts(path)
    assert reason in str(error.value)
    with pytest.raises(InputError, match="unknown symbol 'GC'"):
        get_contract("GC")


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        register_contracts(tmp_path / "none.toml")
