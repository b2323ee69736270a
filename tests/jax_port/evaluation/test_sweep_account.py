"""A chosen file finds the account of its sweep, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.json_reading import Struct
from jax_port.evaluation.sweep_account import read_account
from tests.sentences import refuses


class Account(Struct):
    """What is asked of it here."""

    trials: int


@pytest.mark.parametrize("chosen", ["best/run.toml", "trials/0007/run.toml"])
def test_the_account_lies_above_what_was_chosen(tmp_path: Path, chosen: str) -> None:
    (tmp_path / "sweep.json").write_text('{"trials": 12}')
    assert read_account(tmp_path / chosen, Account) == (tmp_path / "sweep.json", Account(12))


@pytest.mark.parametrize("chosen", ["run.toml", "other/runs/0007/run.toml"])
def test_an_account_beside_or_further_above_is_anothers(tmp_path: Path, chosen: str) -> None:
    (tmp_path / "sweep.json").write_text('{"trials": 12}')
    assert read_account(tmp_path / chosen, Account) is None


def test_a_damaged_account_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sweep.json").write_text("{")
    with refuses():
        read_account(tmp_path / "best/run.toml", Account)
