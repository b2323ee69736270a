"""Databento's binary form, written and read by its own library: the same bars as the CSV's."""

from __future__ import annotations

import sys
from pathlib import Path

import databento_dbn as dbn
import numpy as np
import pyarrow as pa
import pytest

from markets import Bars, InputError
from markets.readers import dbn as dbn_reader
from markets.readers import detect_format, read_bars, read_frame
from markets.readers.text import HEAD_BYTES
from markets.synthetic.bars import synthetic_bars
from tests.fuzz.bars import databento, few_bars
from tests.markets.readers.dbn_files import dbn_file, metadata, records
from tests.sentences import refuses

ESH5 = {4916: "ESH5"}


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=3, seed=11, start="2025-01-13")


@pytest.fixture(scope="module")
def few(bars: Bars) -> Bars:
    return bars.select(np.arange(len(bars)) < 20)


LIBRARYS_WORDS = r"(?<=as DBN \().*(?=\);)"


def refused(path: Path, data: bytes, *varies: str) -> None:
    path.write_bytes(data)
    with refuses(*varies):
        read_bars(path, "ES")


@pytest.mark.parametrize("compression", [None, "zstd"])
def test_bars_have_the_digest_of_the_csv(bars: Bars, tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "glbx-mdp3.ohlcv-1m.dbn"
    data = dbn_file(bars, ESH5)
    if compression:
        path = path.with_suffix(".dbn.zst")
        with pa.CompressedOutputStream(str(path), compression) as stream:
            stream.write(data)
    else:
        path.write_bytes(data)
    assert detect_format(path) == "databento"
    found = read_bars(path, "ES")
    assert found.digest == bars.digest
    assert read_frame(path).attrs["file"].contracts == ("ESH5",)
    with refuses():
        read_bars(path, "NQ")


@pytest.mark.parametrize("piece", [1, 55, 56, 57, 400, 1 << 20])
def test_a_file_is_read_whole_in_pieces_of_any_size(
    few: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    path = tmp_path / "bars.dbn"
    path.write_bytes(dbn_file(few, ESH5))
    monkeypatch.setattr(dbn_reader, "_PIECE", piece)
    assert read_bars(path, "ES").digest == few.digest
    data = path.read_bytes()
    text = dbn_reader.dbn_to_csv(data, "bars.dbn", most=1 << 20)
    assert text.count(b"\n") == len(few) + 1
    with pytest.raises(InputError, match="holds more than 0 GiB as text"):
        dbn_reader.dbn_to_csv(data, "bars.dbn", most=len(text) - 1)
    assert dbn_reader.dbn_to_csv(data, "bars.dbn", most=len(text)) == text


def test_the_librarys_own_csv_of_it_is_read_alike(few: Bars, tmp_path: Path) -> None:
    path = tmp_path / "bars.dbn"
    path.write_bytes(dbn_file(few, ESH5))
    for number, pretty in enumerate((False, True)):
        text = tmp_path / f"bars-{number}.csv"
        with text.open("wb") as file:
            transcoder = dbn.Transcoder(
                file, dbn.Encoding.CSV, dbn.Compression.NONE, pretty_px=pretty, pretty_ts=pretty
            )
            transcoder.write(path.read_bytes())
            transcoder.finish()
        assert read_frame(text).equals(read_frame(path))


def test_one_of_several_instruments_is_asked_for(few: Bars, tmp_path: Path) -> None:
    path = tmp_path / "bars.dbn"
    both = {4916: "ESH5", 5602: "ESM5"}
    rows = zip(records(few), records(few, 5602), strict=True)
    data = metadata(few, both) + b"".join(row for pair in rows for row in pair)
    refused(path, data)
    assert read_bars(path, "ES", instrument="ESM5").digest == few.digest
    assert read_bars(path, "ES", instrument="4916").digest == few.digest


def test_ids_that_the_file_maps_to_no_symbol_are_not_one_series(few: Bars, tmp_path: Path) -> None:
    path = tmp_path / "bars.dbn"
    rows = [*records(few)[:10], *records(few, 5602)[10:]]
    refused(path, metadata(few, {}) + b"".join(rows))


@pytest.mark.parametrize(
    ("rtype", "schema"),
    [
        (35, dbn.Schema.OHLCV_1D),
        (34, dbn.Schema.OHLCV_1H),
        (33, dbn.Schema.TRADES),
        (33, None),
    ],
    ids=str,
)
def test_other_schemas_are_refused(
    few: Bars, tmp_path: Path, rtype: int, schema: dbn.Schema | None
) -> None:
    data = metadata(few, ESH5, schema) + b"".join(records(few, rtype=rtype))
    refused(tmp_path / "bars.dbn", data, *([] if schema else [LIBRARYS_WORDS]))


def test_a_file_that_is_cut_off_within_a_record_is_refused(few: Bars, tmp_path: Path) -> None:
    path = tmp_path / "bars.dbn"
    data, size = dbn_file(few, ESH5), len(records(few)[0])
    for cut in (*range(1, size, 7), len(data) - 5, len(data) - 100):
        path.write_bytes(data[:-cut])
        with pytest.raises(InputError, match="ends within a record"):
            read_bars(path, "ES")
    refused(path, data[:-1])
    refused(path, metadata(few, ESH5))


@pytest.mark.parametrize(("place", "value"), [(0, 0xB9), (0, 0), (1, 0), (1, 32), (1, 19)])
def test_no_record_is_lost_to_a_damaged_head(few: Bars, tmp_path: Path, place: int, value: int) -> None:
    rows = records(few)
    for number in (0, 7, 19):
        damaged = bytearray(rows[number])
        damaged[place] = value
        data = b"".join([*rows[:number], bytes(damaged), *rows[number + 1 :]])
        refused(tmp_path / "bars.dbn", metadata(few, ESH5) + data)


@pytest.mark.parametrize("words", [0, 3, 6, 13])
def test_a_record_that_is_too_short_ends_in_a_sentence(few: Bars, tmp_path: Path, words: int) -> None:
    """The library's code panics on it, which is no exception that Python's code expects."""
    rows = [bytearray(row) for row in records(few)]
    rows[-1][0] = words
    refused(tmp_path / "bars.dbn", metadata(few, ESH5) + b"".join(rows))
    rows[0][:2] = bytes([14, 10])
    refused(tmp_path / "bars.dbn", metadata(few, ESH5) + b"".join(rows))
    # Of other schemas the library judges alone, and panics: its words become the reason.
    for row in rows:
        row[:2] = bytes([14, 10])
    books = metadata(few, ESH5, dbn.Schema.MBP_10) + b"".join(rows)
    refused(tmp_path / "bars.dbn", books, LIBRARYS_WORDS)


def test_prices_that_are_not_there_are_missing(few: Bars, tmp_path: Path) -> None:
    path = tmp_path / "bars.dbn"
    none = bytes(dbn.OHLCVMsg(33, 1, 4916, int(few.timestamps_ns[0]), *(dbn.UNDEF_PRICE,) * 4, 1))
    path.write_bytes(metadata(few, ESH5) + none + b"".join(records(few)[1:]))
    assert read_frame(path)["open"].isna().tolist() == [True, *[False] * 19]


def test_without_the_library_it_says_what_to_do(
    few: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "databento_dbn", None)
    refused(tmp_path / "bars.dbn", dbn_file(few, ESH5))


def test_the_fuzzers_csv_is_the_same_market(tmp_path: Path) -> None:
    text = tmp_path / "bars.csv"
    text.write_bytes(databento())
    path = tmp_path / "bars.dbn"
    path.write_bytes(dbn_file(few_bars(), ESH5))
    assert read_frame(path).equals(read_frame(text))


def test_symbols_may_take_more_than_a_files_head(few: Bars, tmp_path: Path) -> None:
    """The first record then stands beyond the bytes that are looked at first."""
    many = {4916: "ESH5"} | {number: f"NQ{number}" for number in range(5000, 6200)}
    data = dbn_file(few, many)
    assert len(metadata(few, many)) > 2 * HEAD_BYTES
    path = tmp_path / "bars.dbn"
    path.write_bytes(data)
    assert detect_format(path) == "databento"
    assert read_bars(path, "ES").digest == few.digest
