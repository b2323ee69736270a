"""A file that is called a bid, an ask or a midpoint is refused in every format; both sides are not."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from markets import Bars
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import refuses


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=2, seed=6, start="2025-05-12")


@pytest.mark.parametrize(
    "name",
    ["ES-m1-bid-2025-05-12.csv", "ES_Candlestick_1_M_ASK.csv", "ES.Bid.parquet", "ES_MIDPOINT.csv"],
)
def test_quotes_are_no_trades(bars: Bars, tmp_path: Path, name: str) -> None:
    path = write_bars(bars, tmp_path / name)
    with refuses():
        read_bars(path, "ES")
    assert read_bars(path, "ES", accept_problems=True).accepted == ("quotes",)


@pytest.mark.parametrize("name", ["ES.csv", "ES_bid_ask_volume.csv", "ES_forbidden.csv", "ES task.csv"])
def test_other_names_say_nothing(bars: Bars, tmp_path: Path, name: str) -> None:
    assert read_bars(write_bars(bars, tmp_path / name), "ES").digest == bars.digest


def test_the_name_within_a_zip_counts(bars: Bars, tmp_path: Path) -> None:
    text = write_bars(bars, tmp_path / "ES.csv").read_text()

    def zipped(member: str) -> Path:
        with zipfile.ZipFile(tmp_path / "ES.zip", "w") as archive:
            archive.writestr(member, text)
            archive.writestr(f"__MACOSX/._{member}", "what a Mac adds")
        return tmp_path / "ES.zip"

    for member in (
        "ES 06-25.Ask.txt",
        "NQM5.csv",
        "ESM5-ESU5.csv",
    ):
        with refuses():
            read_bars(zipped(member), "ES")
    assert read_bars(zipped("ESM5.csv"), "ES").digest == bars.digest
