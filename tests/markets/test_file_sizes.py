"""Files that unpack to more than bars do, or than memory takes, are refused before they fill it."""

from __future__ import annotations

import gzip
import resource
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foundation.memory import available_memory, machine_memory
from markets import file_sizes
from markets.file_sizes import text_limit
from markets.readers import read_frame
from markets.readers.opening import read_bytes
from tests.sentences import refuses

HEADER = b"timestamp,open,high,low,close,volume\n"
LINE = b"2025-09-02 13:30:00,6470.25,6472.00,6470.00,6471.50,120\n"


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """A CSV of 90 MB in a file of less than half a percent of it."""
    path = tmp_path / "bars.csv.gz"
    block = LINE * 10_000
    with gzip.open(path, "wb", compresslevel=6) as file:
        file.write(HEADER)
        for _ in range(160):
            file.write(block)
    assert path.stat().st_size < 450_000
    return path


def test_a_file_that_unpacks_to_far_more_than_bars_do_is_refused(bomb: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with refuses():
        read_frame(bomb)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 3 * file_sizes.SMALL
    assert len(read_bytes(bomb, 1 << 16)) == 1 << 16  # its head is looked at all the same


def test_a_zip_of_the_same_is_refused(bomb: Path, tmp_path: Path) -> None:
    path = tmp_path / "bars.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bars.csv", HEADER + LINE * 1_600_000)
    with refuses():
        read_bytes(path)


def test_text_that_memory_has_no_room_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(HEADER + LINE * 2)
    assert len(read_frame(path)) == 2
    monkeypatch.setattr(file_sizes, "available_memory", lambda: 400)
    with refuses():
        read_frame(path)


def test_a_parquet_file_of_more_rows_than_memory_takes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal numbers are packed into almost nothing, so the file's size does not tell."""
    rows = 300_000
    column = {name: np.full(rows, 6000.0) for name in ("open", "high", "low", "close", "volume")}
    table = pa.table({"timestamp": np.full(rows, "2025-09-02", "datetime64[ns]"), **column})
    path = tmp_path / "bars.parquet"
    pq.write_table(table, path)
    assert path.stat().st_size < rows / 10
    read = pq.ParquetFile.read
    monkeypatch.setattr(file_sizes, "available_memory", lambda: 20 << 20)
    monkeypatch.setattr(pq.ParquetFile, "read", lambda *rest, **more: pytest.fail("it was read"))
    with refuses():
        read_frame(path)
    monkeypatch.setattr(pq.ParquetFile, "read", read)
    monkeypatch.setattr(file_sizes, "available_memory", lambda: 1 << 30)
    assert len(read_frame(path)) == rows


def test_the_limit_is_the_least_of_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(bytes(1 << 20))
    monkeypatch.setattr(file_sizes, "available_memory", lambda: None)
    assert text_limit(path)[0] == 100 << 20
    assert text_limit(tmp_path / "gone")[0] == file_sizes.SMALL
    monkeypatch.setattr(file_sizes, "available_memory", lambda: 200 << 20)
    assert text_limit(path)[0] == 50 << 20
    path.write_bytes(bytes(64 << 20))
    monkeypatch.setattr(file_sizes, "available_memory", lambda: 1 << 40)
    assert text_limit(path)[0] == file_sizes.MOST_TEXT


def test_what_can_be_had_is_part_of_what_there_is() -> None:
    there, free = machine_memory(), available_memory()
    assert there is not None
    assert free is not None
    assert 0 < free <= there


def test_whose_limit_it_is_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bars.csv.gz"
    for size, memory, words in (
        (1 << 20, None, "100 bytes of text for each byte of the file, as no file of bars does"),
        (1 << 20, 360 << 20, "90 MiB of text, which memory has room for; split it by year"),
        (1 << 10, 360 << 20, "100 bytes of text for each byte of the file"),  # 64 MiB are no few bytes
        (42 << 20, 1 << 40, "4 GiB of text; split it by year, or write Parquet"),
        (42 << 20, None, "4 GiB of text; split it by year, or write Parquet"),
        (42 << 20, 8 << 30, "2 GiB of text, which memory has room for"),
    ):
        path.write_bytes(bytes(size))
        monkeypatch.setattr(file_sizes, "available_memory", lambda memory=memory: memory)
        assert text_limit(path)[1].replace(".0", "").startswith(words)
