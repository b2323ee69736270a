"""What a command line says of its bars: files, contracts and how to read them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from markets import readers
from markets.contracts import get_contract
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.options.bars import BarOptions, Data, Symbol, bar_options
from tests.sentences import refuses

WORDS = ("--format", "csv", "--tz", "Asia/Tokyo", "--snap", "--instrument", "7", "--stamped", "close")
READER = {
    "format": "csv",
    "timezone": "Asia/Tokyo",
    "snap": True,
    "instrument": "7",
    "stamped": "close",
}


def collected(data: Data, symbol: Symbol, *words: str) -> BarOptions:
    """Return what a command with these options gets, and nothing beside it."""
    found: list[BarOptions] = []

    @click.command()
    @bar_options(data, symbol)
    def command(bars: BarOptions) -> None:
        found.append(bars)

    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found[0]


def test_every_option_arrives() -> None:
    one, two = Path("a.csv"), Path("b.csv")
    named = ("--data", "a.csv", "--symbol", "NQ", *WORDS, "--accept-problems")
    for data in ("required", "optional"):
        assert collected(data, "required", *named) == BarOptions(
            (one,), ("NQ",), "csv", "Asia/Tokyo", True, "7", "close", accept_problems=True
        )
    several = ("--data", "a.csv", "--data", "b.csv", "--symbol", "NQ", "--symbol", "ES")
    assert collected("several", "several", *several) == BarOptions((one, two), ("NQ", "ES"))
    assert collected("argument", "optional", "a.csv", *WORDS).reader == READER
    assert collected("optional", "none") == BarOptions()


def test_what_was_not_given_is_left_to_the_reader() -> None:
    assert BarOptions().reader == {}
    given = BarOptions(**READER, accept_problems=True)  # type: ignore[arg-type]
    assert given.reader == {**READER, "accept_problems": True}


def test_a_file_s_contract_is_never_guessed_and_synthetic_bars_are_of_ES() -> None:
    assert BarOptions().contract() == get_contract("ES")
    assert BarOptions(symbols=("NQ", "ES")).contract() == get_contract("NQ")
    assert BarOptions((Path("ES.csv"),), ("NQ",)).contract() == get_contract("NQ")
    with refuses():
        BarOptions((Path("ES.csv"),)).contract()


@pytest.mark.parametrize("own", [None, "NQ"])
def test_bars_are_read_as_asked_and_of_the_contract_that_is_given(
    own: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[object, ...]] = []
    monkeypatch.setattr(readers, "read_bars", lambda *given, **how: read.append((*given, how)))
    bars = BarOptions((tmp_path / "x.csv", tmp_path / "y.csv"), ("ES",), timezone="Asia/Tokyo")
    bars.read(None if own is None else get_contract(own))
    assert read == [(tmp_path / "x.csv", get_contract(own or "ES"), {"timezone": "Asia/Tokyo"})]


@pytest.mark.parametrize(
    ("change", "refused"), [(lambda path: path, False), (lambda path: path.with_name("none.csv"), True)]
)
def test_a_file_is_read(tmp_path: Path, change: Callable[[Path], Path], refused: bool) -> None:
    made = synthetic_bars("ES", days=1, seed=1)
    bars = BarOptions((change(write_bars(made, tmp_path / "ES.csv")),), ("ES",))
    if refused:
        with refuses():
            bars.read()
    else:
        assert bars.read().digest == made.digest
