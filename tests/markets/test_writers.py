"""Bars that are written and read back are the same bars."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from foundation.files import WriteError
from markets import SYMBOLS, Bars, Contract, contracts, get_contract
from markets.bars import FEATURES
from markets.readers import detect_format, read_bars
from markets.writers import write_bars, write_together
from tests.sentences import refuses


def bars_of(symbol: str, frame: pd.DataFrame, **options) -> Bars:
    """Return the saw of the shared frame in ticks of another contract, from an odd number of ticks."""
    contract = get_contract(symbol)
    prices = frame[["open", "high", "low", "close"]]
    return Bars.from_frame(
        frame.assign(**((prices - 6000) * 4 + 20_003).mul(contract.tick_size)),
        contract,
        source="made",
        **options,
    )


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet", "BARS.CSV"])
def test_reading_back_gives_the_same_digest(make_frame, tmp_path, symbol, name):
    bars = bars_of(symbol, make_frame(days=1))
    name = f"{symbol} {name}"
    path = write_bars(bars, tmp_path / name)
    assert path == tmp_path / name
    assert read_bars(path, symbol).digest == bars.digest
    assert (path.read_bytes()[:4] == b"PAR1") == name.endswith("parquet")
    assert [item.name for item in tmp_path.iterdir()] == [name]


def test_the_text_is_plain_and_has_the_decimals_of_the_tick(make_frame, tmp_path):
    path = write_bars(bars_of("RTY", make_frame(days=1)), tmp_path / "bars.csv")
    lines = path.read_text().splitlines()
    assert lines[0] == "timestamp,open,high,low,close,volume"
    # Ticks 20,003 and one more or less: 2000.3000000000002 in binary, 2000.3 in the file.
    assert lines[1] == "2025-01-06 14:30:00Z,2000.3,2000.4,2000.2,2000.3,3000"
    assert len(lines) == 451


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
def test_features_are_kept(make_frame, tmp_path, name):
    frame = make_frame(days=1)
    features = pd.DataFrame(
        {name: np.arange(len(frame)) / 7 for name in FEATURES}, index=frame.index
    ).assign(close=frame["close"], volume=frame["volume"])
    features.loc[frame.index[:13], "rsi"] = np.nan
    bars = Bars.from_frame(frame, get_contract("ES"), source="made", precomputed=features)
    path = write_bars(bars, tmp_path / name)
    assert read_bars(path, "ES", use_features=True).digest == bars.digest
    if name == "bars.csv":
        assert detect_format(path) == "processed"


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
def test_close_and_volume_are_the_bars_own_beside_features(make_frame, tmp_path, name):
    frame = make_frame(days=1)
    features = pd.DataFrame({name: np.arange(450) / 7 for name in FEATURES}, index=frame.index)
    bars = Bars.from_frame(frame, get_contract("ES"), source="made", precomputed=features)
    read = read_bars(write_bars(bars, tmp_path / name), "ES", use_features=True)
    pd.testing.assert_frame_equal(read.frame, bars.frame, check_freq=False)
    assert read.precomputed is not None
    own = frame[["close", "volume"]]
    pd.testing.assert_frame_equal(
        read.precomputed, features.assign(close=own["close"], volume=own["volume"]), check_freq=False
    )


def test_files_that_belong_together_are_written_all_or_none(make_frame, tmp_path):
    bars = bars_of("ES", make_frame(days=1))
    good, other = tmp_path / "a.csv", tmp_path / "b.parquet"
    for second, name in ((bars.select(slice(0, 0)), other), (bars, tmp_path / "b.txt")):
        with refuses():
            write_together({good: bars, name: second})
        assert list(tmp_path.iterdir()) == []
    write_together({good: bars, other: bars.select(slice(0, 90))})
    assert [len(read_bars(path, "ES")) for path in (good, other)] == [450, 90]


def test_one_second_bars_are_known_again(make_frame, tmp_path):
    frame = make_frame(days=1).iloc[:120]
    seconds = pd.date_range("2025-01-06 14:30", periods=120, freq="s", tz="UTC")
    bars = Bars.from_frame(frame.set_axis(seconds), get_contract("ES"), source="made", bar_seconds=1)
    assert read_bars(write_bars(bars, tmp_path / "bars.csv"), "ES").digest == bars.digest


def test_a_file_is_replaced_whole(make_frame, tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text("what was there before")
    bars = bars_of("ES", make_frame(days=1))
    write_bars(bars, path)
    assert len(read_bars(path, "ES")) == 450


def test_what_cannot_be_written_is_refused_and_leaves_nothing(make_frame, tmp_path):
    bars = bars_of("ES", make_frame(days=1))
    with refuses():
        write_bars(bars, tmp_path / "bars.xls")
    (tmp_path / "file").touch()
    with refuses(kind=WriteError):
        write_bars(bars, tmp_path / "file" / "bars.csv")
    with refuses():
        write_bars(bars.select(slice(0, 0)), tmp_path / "bars.csv")
    (tmp_path / "folder.parquet").mkdir()
    with refuses(kind=WriteError):
        write_bars(bars, tmp_path / "folder.parquet")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "folder.parquet"]


@pytest.mark.parametrize("tick", [0.00005, 0.005, 0.1, 0.125, 1.0, 2.5, 1 / 32])
def test_prices_of_any_tick_are_written_whole(make_frame, tmp_path, tick, monkeypatch):
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    own = contracts.register_contract(Contract("ZZ", "of any tick", tick, 100, 1, 100))
    frame = make_frame(days=1)
    prices = frame[["open", "high", "low", "close"]]
    bars = Bars.from_frame(frame.assign(**((prices - 6000) * 4 + 20_003).mul(tick)), own, source="made")
    path = write_bars(bars, tmp_path / "ZZ.csv")
    assert read_bars(path, own).digest == bars.digest


def test_a_damaged_page_of_a_file_is_known_by_its_sum(make_frame, tmp_path):
    path = write_bars(bars_of("ES", make_frame(days=1)), tmp_path / "bars.parquet")
    group, whole = pq.read_metadata(path).row_group(0), path.read_bytes()
    for number in range(group.num_columns):
        column = group.column(number)
        begin = column.data_page_offset
        if column.has_dictionary_page:
            begin = column.dictionary_page_offset
        damaged = bytearray(whole)
        damaged[begin + column.total_compressed_size - 2] ^= 0x10
        path.write_bytes(bytes(damaged))
        with pytest.raises(OSError, match="CRC checksum"):
            pq.read_table(path, page_checksum_verification=True)


@pytest.mark.parametrize("name", ["bars.csv", "bars.parquet"])
def test_parts_of_a_contract_are_not_rounded_to_the_ticks_decimals(make_frame, tmp_path, name):
    """Prices have those of the tick, which here are none; spot and crypto trade in parts."""
    coin = Contract("COIN", "a coin", 1.0, 25, 1, 10)
    prices = ["open", "high", "low", "close"]
    frame = make_frame(days=1).assign(volume=np.arange(450) % 11 / 7 + 20.000001)
    bars = Bars.from_frame(frame.assign(**((frame[prices] - 6000) * 4 + 20_003)), coin, source="made")
    read = read_bars(write_bars(bars, tmp_path / name), coin)
    assert read.frame["volume"].tolist() == (np.arange(450) % 11 / 7 + 20.000001).tolist()
    assert read.digest == bars.digest


def test_each_of_several_files_holds_its_own_bars_in_its_own_form(make_frame, tmp_path):
    """Whatever the order of their names; a form is told by the file's own ending."""
    frame = make_frame(days=1)
    lengths = {"c.parquet": 11, "a.csv": 7, "b.PARQUET": 5, "0.CSV": 3}
    files = {tmp_path / name: bars_of("NQ", frame.iloc[:rows]) for name, rows in lengths.items()}
    write_together(files)
    for path, bars in files.items():
        assert read_bars(path, "NQ").digest == bars.digest
        assert (path.read_bytes()[:4] == b"PAR1") == (path.suffix.lower() == ".parquet")


def test_what_parquet_stores_is_packed_and_has_no_nan(make_frame, tmp_path):
    """A feature without a history yet is no number there, and is missing again when it is read."""
    frame = make_frame(days=1)
    features = pd.DataFrame({name: np.arange(450.0) for name in FEATURES}, index=frame.index)
    features.iloc[:19, 3] = np.nan
    features["close"] = 17.0
    bars = bars_of("ES", frame, precomputed=features)
    path = write_bars(bars, tmp_path / "bars.parquet")
    group = pq.read_metadata(path).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    assert {column.compression for column in columns} == {"ZSTD"}
    table = pq.read_table(path)
    assert table.column_names == ["timestamp", "open", "high", "low", "close", "volume", *FEATURES[2:]]
    assert {
        name: table.column(name).null_count
        for name in table.column_names
        if table.column(name).null_count
    } == {FEATURES[3]: 19}
    assert table.column("close").to_pylist() == bars.frame["close"].tolist()
    read = read_bars(path, "ES", use_features=True).precomputed
    assert np.isnan(read[FEATURES[3]]).sum() == 19
    assert read["macd"].tolist() == list(range(450))
