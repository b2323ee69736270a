"""Files are opened by what they begin with, whatever they are called; what is no text is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pytest

from foundation.errors import InputError
from markets.readers import detect_format, opening, read_frame
from markets.readers.opening import member_name, read_bytes, require_text
from tests.sentences import refuses

TEXT = (
    "timestamp,open,high,low,close,volume\n"
    "2025-09-02 13:30:00,6470.25,6472.00,6470.00,6471.50,120\n"
    "2025-09-02 13:31:00,6471.50,6471.75,6469.25,6470.00,88\n"
)


def zstd(data: bytes) -> bytes:
    packed: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return packed


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd])
@pytest.mark.parametrize("name", ["bars.csv", "bars.csv.gz", "bars", "bars.parquet"])
def test_a_name_does_not_decide_how_a_file_is_packed(
    save: Callable[..., object], pack: Callable[[bytes], bytes], name: str
) -> None:
    path = save(pack(TEXT.encode()), name)
    assert read_frame(path)["close"].tolist() == [6471.5, 6470.0]  # type: ignore[arg-type]


def test_what_a_mac_adds_to_a_zip_does_not_count(tmp_path) -> None:
    path = tmp_path / "bars.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("year/bars.csv", TEXT)
        archive.writestr("__MACOSX/year/._bars.csv", b"\0\5\x16\7")
        archive.writestr("year/.DS_Store", b"\0\0\0\1Bud1")
    frame = read_frame(path)
    assert len(frame) == 2
    assert frame.attrs["file"].names == ("bars.csv", "bars.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("year/more.csv", TEXT)
    with refuses():
        read_frame(path)


def arrow_file() -> bytes:
    stream = io.BytesIO()
    feather.write_feather(pd.DataFrame({"open": [1.0]}), stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        arrow_file(),
        b"\x89HDF\r\n\x1a\n" + bytes(64),
        b"SQLite format 3\0" + bytes(64),
        b"\x80\x04\x95" + bytes(64),
        b"SCID\x38\0\0\0" + bytes(64),
        b"\xd0\xcf\x11\xe0" + bytes(64),
        b"]\0\0\x80\0" + bytes(64),
        TEXT.encode("utf-16"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        b"a,b\n1,\0\n" * 20,
        b'{"Information": "please subscribe"}',
        b'\xef\xbb\xbf\n[{"t": 1}]',
        b"<!DOCTYPE html><title>Log in</title>",
        b"version https://git-lfs.github.com/spec/v1\nsize 9\n",
    ],
    ids=[
        "Feather",
        "HDF5",
        "SQLite",
        "pickle",
        "Sierra Chart",
        "Excel",
        "LZMA",
        "UTF-16",
        "UTF-16-LE",
        "UTF-16-BE",
        "binary",
        "JSON",
        "JSON with a mark",
        "HTML",
        "Git LFS",
    ],
)
def test_what_is_no_table_is_named(save: Callable[..., object], data: bytes) -> None:
    path = save(data, "bars.dat")
    with refuses():
        detect_format(path)  # type: ignore[arg-type]


def test_a_cell_that_is_not_utf_8_is_named(save: Callable[..., object]) -> None:
    row = "2025-09-02 13:32:00,6470.25,6472.00,6470.00,6471.50,{}\n"
    path = save((TEXT + row.format("1") * 2000 + row.format("1é")).encode("latin-1"), "bars.csv")
    with refuses():
        read_frame(path)  # type: ignore[arg-type]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd, "zip"])
def test_text_is_read_up_to_its_limit_and_never_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes] | str
) -> None:
    path = tmp_path / "bars.csv"
    if callable(pack):
        path.write_bytes(pack(TEXT.encode()))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("Bars.CSV", TEXT)
        assert member_name(path) == "Bars.CSV"
    for limit in (len(TEXT) - 1, len(TEXT), len(TEXT) + 1):
        monkeypatch.setattr(opening, "text_limit", lambda path, limit=limit: (limit, "this"))
        if limit < len(TEXT):
            with pytest.raises(InputError, match=r"bars\.csv holds more than this"):
                read_bytes(path)
        else:
            assert read_bytes(path) == TEXT.encode()
        for count in (0, 1, 17, len(TEXT) - 1):
            assert read_bytes(path, count) == TEXT.encode()[:count]


@pytest.mark.parametrize("names", [["a.csv", "b.csv"], ["a.xml"], [], ["a.csv", "notes.txt"]])
def test_a_zip_holds_one_text(tmp_path: Path, names: list[str]) -> None:
    path = tmp_path / "bars.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)
    with pytest.raises(InputError, match=f"with {len(names)} members"):
        read_bytes(path)
    assert member_name(path) == ("a.xml" if names == ["a.xml"] else "")


@pytest.mark.parametrize("level", range(1, 10))
def test_a_file_is_packed_with_any_effort(save: Callable[..., Path], level: int) -> None:
    for packed in (bz2.compress(TEXT.encode(), level), gzip.compress(TEXT.encode(), level)):
        assert read_bytes(save(packed, "bars")) == TEXT.encode()
    assert read_bytes(save(lzma.compress(TEXT.encode(), preset=level), "bars")) == TEXT.encode()


KINDS = {
    b"PK\3\4": "a zip or Excel file; unpack it, or save the sheet as CSV",
    b"\xff\xfea": "UTF-16 text; save it as UTF-8",
    b"\xfe\xffa": "UTF-16 text; save it as UTF-8",
    b"\xd0\xcf\x11\xe0": "an Excel file; save the sheet as CSV",
    b"PAR1": "Parquet; read it as such, with --format parquet or none",
    b"ARROW1": "a Feather (Arrow) file; write it as Parquet, with DataFrame.to_parquet",
    b"\x89HDF": "an HDF5 file; write its table as Parquet or CSV",
    b"SQLite format 3": "an SQLite database; write its table as CSV",
    b"\x93NUMPY": "a NumPy array without columns or times; write CSV or Parquet with both",
    b"\x80\x03": "a pickle, which is not opened; write Parquet, with DataFrame.to_parquet",
    b"\x80\x04": "a pickle, which is not opened; write Parquet, with DataFrame.to_parquet",
    b"\x80\x05": "a pickle, which is not opened; write Parquet, with DataFrame.to_parquet",
    b"SCID": "Sierra Chart's binary intraday file; open it as a chart and choose Edit, Export Bar Data",
    b"7z\xbc\xaf": "a 7z archive; unpack it",
    b"Rar!": "a RAR archive; unpack it",
    b"]\0\0": "an LZMA file, as Dukascopy's .bi5 of ticks is; export one-minute bars as CSV",
    b"%PDF": "a PDF; give CSV text in UTF-8, or Parquet",
    b" \n{": "JSON, and no table of bars; ask the vendor for CSV, or write its bars as CSV; where",
    b"[1": "JSON, and no table of bars; ask the vendor for CSV, or write its bars as CSV",
    b"<!DocType": "a web page, and no table of bars; download the file itself; a login may have come",
    b"\xef\xbb\xbf <HTML": "a web page, and no table of bars; download the file itself",
    b"<?xml": "XML, and no table of bars; write its bars as CSV",
    b"version https://git-lfs": "a pointer of Git LFS, and no table of bars; fetch the file itself",
}


def test_each_kind_of_file_is_called_by_its_name() -> None:
    for begin, words in KINDS.items():
        with pytest.raises(InputError) as told:
            require_text(begin + b"\nmore\n", "a.dat")
        assert str(told.value).startswith(f"a.dat is {words}"), begin
    assert len(KINDS) == len(opening.BINARY) + len(opening.TEXT)
    for text in (b"time,{\n", b"a\r\nb", b"", b"PAR\n", b"date,<html>\n"):
        require_text(text, "a.dat")


@pytest.mark.parametrize(("zeros", "wide"), [(90, False), (91, True), (100, True)])
@pytest.mark.parametrize("first", [0, 1])
def test_every_second_byte_of_wide_text_is_zero(zeros: int, wide: bool, first: int) -> None:
    data = bytearray(b"a" * 400)
    for place in range(zeros):
        data[first + 2 * place] = 0
    what = "is UTF-16 text; save it as UTF-8" if wide else "is not a text file"
    with pytest.raises(InputError, match=rf"a\.dat {what}"):
        require_text(bytes(data), "a.dat")
