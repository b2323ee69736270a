"""Lines of text: where a row stands, and whether the last number is whole."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation.errors import InputError
from markets.readers import read_frame
from markets.readers.text import HEAD_BYTES, Head, look, parse, read_text
from markets.synthetic.bars import synthetic_bars
from tests.markets.readers.dbn_files import dbn_file
from tests.sentences import refuses

HEAD = "timestamp,open,high,low,close,volume\n"


@pytest.mark.parametrize("rows", [18, 19, 20, 21])
def test_twenty_lines_tell_whether_the_last_price_is_whole(
    save: Callable[..., Path], rows: int
) -> None:
    head = "timestamp,volume,open,high,low,close\n"
    line = "2025-09-02 13:{:02d}:00,10,6470.00,6471.25,6469.75,6470.25"
    text = head + "\n".join(line.format(minute) for minute in range(rows))
    # The line at which the end of a file begins is not counted: it may be half of one.
    if rows > 20:
        with pytest.raises(InputError, match=f"line {rows + 1}: the file ends within the last number"):
            read_frame(save(text[:-1]))
    else:
        assert len(read_frame(save(text[:-1]))) == rows


def test_a_file_that_ends_within_its_last_price(save: Callable[..., Path]) -> None:
    head = "timestamp,volume,open,high,low,close\n"
    rows = [f"2025-09-02 13:{minute:02d}:00,10,6470.00,6471.25,6469.75,6470.25" for minute in range(40)]
    text = head + "\n".join(rows)
    for cut in (1, 2, 3):
        with refuses():
            read_frame(save(text[:-cut]))
    assert len(read_frame(save(text))) == 40
    assert len(read_frame(save(text[:-1] + "\n"))) == 40


@pytest.mark.parametrize("before", ["", "\n", "\n\n\n"])
@pytest.mark.parametrize("between", ["", "\n", "\r\n\n"])
@pytest.mark.parametrize("row", [0, 1, 3])
@pytest.mark.parametrize(
    ("cell", "words"), [("x", "is 'x', which is not a number"), ("1,2", "7 fields")]
)
def test_a_line_is_named_by_its_number_in_the_file(
    save: Callable[..., Path], before: str, between: str, row: int, cell: str, words: str
) -> None:
    """Empty lines count, wherever they stand."""
    lines = [f"2025-09-02 13:3{minute}:00,6470,6472,6470,6471,1\n" for minute in range(4)]
    lines[row] = lines[row].replace("6472", cell)
    text = before + HEAD + between + between.join(lines)
    number = text[: text.index(lines[row])].count("\n") + 1
    with pytest.raises(InputError, match=rf"bars\.csv, line {number}: .*{words}"):
        read_frame(save(text))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("line", [1, 2, 4])
def test_a_carriage_return_within_a_line_is_named_by_it(
    save: Callable[..., Path], end: str, line: int
) -> None:
    lines = [
        HEAD.strip(),
        *(f"2025-09-02 13:3{minute}:00,6470,6472,6470,6471,1" for minute in range(4)),
    ]
    lines[line] = lines[line].replace(",6471,", ",6471\r,")
    with pytest.raises(
        InputError, match=rf"line {line + 1}: there is a carriage return within the line"
    ):
        read_frame(save(end.join(lines) + end))


def test_prices_of_any_decimals_end_where_they_end(save: Callable[..., Path]) -> None:
    head = "timestamp,volume,open,high,low,close\n"
    ends = ["6470.25", "6470.5", "6470.75"] * 10 + ["6470"]
    lines = [
        f"2025-09-02 13:{minute:02d}:00,10,6470,6471.25,6469.75,{end}"
        for minute, end in enumerate(ends)
    ]
    assert read_frame(save(head + "\n".join(lines)))["close"].iloc[-1] == 6470.0


def test_ninjatraders_last_line_may_be_short(save: Callable[..., Path]) -> None:
    """Its last field is the volume, which has no decimals, however many digits."""
    lines = [f"20250902 13{minute:02d}00;6470.25;6472;6470;6471.5;120" for minute in range(1, 41)]
    lines[-1] = lines[-1].replace(";120", ";7")
    frame = read_frame(save("\n".join(lines), "ES 09-25.Last.txt"))
    assert frame["volume"].tolist() == [120.0] * 39 + [7.0]


@pytest.mark.parametrize("size", [HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, HEAD_BYTES + 2])
def test_a_head_that_ends_within_a_letter_is_read(save: Callable[..., Path], size: int) -> None:
    """Of two bytes, and the file of any length from a head's on."""
    head = HEAD.replace("volume", "volume,note")
    row = "2025-09-02 13:3{}:00,6470,6472,6470,6471,1,{}"
    begin = head + row.format(0, "a") + "\n" + row.format(1, "")
    for shift in (0, 1):
        fill = size - len(begin) - shift
        note = "x" * shift + "é" * (fill // 2) + "y" * (fill % 2)
        assert len((begin + note).encode()) == size
        assert len(read_frame(save(begin + note))) == 2


def test_no_note_is_too_long_for_its_line(save: Callable[..., Path]) -> None:
    """A line of another form is named by its number after a head of several pieces."""
    head = HEAD.replace("volume", "volume,note")
    row = "2025-09-02 13:3{}:00,6470,6472,6470,{},1,{}\n"
    text = head + row.format(0, 6471, "x" * (3 * HEAD_BYTES)) + row.format(1, "y", "")
    with pytest.raises(InputError, match=r"bars\.csv, line 3: close is 'y', which is not a number"):
        read_frame(save(text))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("rows", [1, 20, 500])
def test_databentos_records_are_lines_of_text(
    save: Callable[..., Path], pack: Callable[[bytes], bytes], rows: int
) -> None:
    """Its head too, however much of the file is asked for; records are named as such."""
    bars = synthetic_bars("ES", days=2, seed=5).select(slice(0, rows))
    path = save(pack(dbn_file(bars, {4916: "ESH5"})), "bars.dbn")
    text = read_text(path)
    assert text.count(b"\n") == rows + 1
    assert text.startswith(read_text(path, HEAD_BYTES)[: 80 * min(rows, 20)])
    head = look(path)
    assert (head.source, head.number, head.member) == ("bars.dbn", 1, "")
    assert head.line.encode() == text[: text.index(b"\n")]
    names = head.names()
    raw = parse(path, head, names, ["ts_event", "volume", "symbol"])
    assert raw.numbers("volume").tolist() == bars.frame["volume"].tolist()
    assert raw.distinct("symbol") == ("ESH5",)
    assert raw.where(rows - 1) == f"record {rows}"


def test_lines_of_spaces_are_blank_and_the_header_is_the_first_that_is_not(
    save: Callable[..., Path],
) -> None:
    rows = [f"2025-09-02 13:3{minute}:00,6470,6472,6470,6471,{minute}\n" for minute in range(3)]
    path = save("  \n\t\r\n" + HEAD + "".join(rows))
    head = look(path)
    assert (head.line, head.number) == (HEAD.strip(), 3)
    assert read_frame(path)["volume"].tolist() == [0.0, 1.0, 2.0]
    price = "Price,Close,High,Low,Open,Volume\nTicker,ES=F,ES=F,ES=F,ES=F,ES=F\nDatetime,,,,,\n"
    for before in ("", "\n", " \n\n"):
        path = save(before + price + "2025-09-02 13:30:00,6471,6472,6470,6470,7\n")
        frame = read_frame(path)
        assert frame["volume"].tolist() == [7.0]
        assert frame.attrs["file"].contracts == ("ES=F",)


@pytest.mark.parametrize(("last", "fits"), [("6470.125", True), ("6470.1", False), ("6470", False)])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_last_price_of_more_decimals_was_not_cut_off(
    save: Callable[..., Path], last: str, fits: bool, end: str
) -> None:
    rows = [f"2025-09-02 13:{minute:02d}:00,10,6470,6471.25,6469.75,6470.25" for minute in range(30)]
    rows[-1] = rows[-1].rpartition(",")[0] + f",{last}"
    path = save(
        "timestamp,volume,open,high,low,close\r\n" + "\r\n".join(rows) + end.replace("\n", "\r\n")
    )
    if fits or end:
        assert read_frame(path)["close"].iloc[-1] == float(last)
    else:
        with pytest.raises(InputError, match=rf"line 31: the file ends within .*'{last}' has fewer"):
            read_frame(path)


def test_a_headers_names_are_lower_and_bare() -> None:
    line = '<DATE>,<Time>, "Open Price" ,<HIGH,LOW>,"a,b"'
    assert Head("a", line, 1).names() == ["date", "time", "open price", "high", "low", "a,b"]
