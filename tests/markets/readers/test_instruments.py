"""One of several instruments is kept, still knowing its lines; the others are listed."""

from __future__ import annotations

import shlex

import pyarrow as pa
import pytest

from foundation.errors import InputError
from markets.readers.instruments import choice_of, choose, listed_instruments, ranked_instruments
from markets.readers.table import RawTable


def table(**columns: object) -> RawTable:
    return RawTable(pa.table(columns), "made.csv", lambda row: f"line {10 * row + 2}")


ROWS = table(
    symbol=["ESZ5", None, "ESU5", "ESH6", "ESU5", "ESH6", "NQZ5"],
    number=[4, 9, 5, 6, 5, 9, 4],
    volume=[0, 1, 2, 3, 4, 5, 6],
)


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [("ESU5", [2, 4]), ("ESZ5", [0]), ("NQZ5", [6]), ("9", [1, 5]), ("4", [0, 6]), ("6", [3])],
)
def test_rows_of_one_instrument_know_where_they_stand(wanted: str, rows: list[int]) -> None:
    """By the first column that names it."""
    found = choose(ROWS, ["symbol", "number"], wanted)
    assert found.table.column("volume").to_pylist() == rows
    assert [found.where(row) for row in range(len(rows))] == [f"line {10 * row + 2}" for row in rows]
    again = choose(found, ["number"], str(ROWS.table.column("number")[rows[-1]].as_py()))
    assert again.where(len(again.table) - 1) == f"line {10 * rows[-1] + 2}"


def test_the_first_column_counts_where_both_name_the_wanted_one() -> None:
    both = table(symbol=["7", "8", "8"], number=[8, 7, 7])
    assert choose(both, ["symbol", "number"], "7").table.column("number").to_pylist() == [8]
    assert choose(both, ["number", "symbol"], "7").table.column("number").to_pylist() == [7, 7]


def test_what_is_not_there_is_refused_with_what_there_is() -> None:
    with pytest.raises(InputError, match="no column names instruments; leave it out"):
        choose(ROWS, [], "ESU5")
    with pytest.raises(InputError) as told:
        choose(ROWS, ["symbol", "number"], "ESH5")
    assert str(told.value) == (
        "made.csv: no instrument 'ESH5'; pick one of those it holds: ESH6 (2 rows), ESU5 (2 rows), "
        "ESZ5 (1 rows), NQZ5 (1 rows), None (1 rows)"
    )


def test_instruments_stand_by_their_rows_and_then_by_name() -> None:
    many = table(symbol=[*"ccbbbgfeda", *"ff", "a long\nname of mostly twenty"])
    ranked = ranked_instruments(many, "symbol")
    names = ["b", "f", "c", "a", "a long\nname of mostly twenty", "d", "e", "g"]
    assert ranked == list(zip(names, [3, 3, 2, 1, 1, 1, 1, 1], strict=True))
    six = "b (3 rows), f (3 rows), c (2 rows), a (1 rows), a long name of mostl (1 rows), d (1 rows)"
    assert listed_instruments(ranked[:6]) == six
    assert listed_instruments(ranked[:7]) == f"{six} and 1 more"
    assert listed_instruments(ranked) == f"{six} and 2 more"
    assert listed_instruments(ranked[2:3]) == "c (2 rows)"


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["x", *["@ES-202503-CME-FUTURE"] * 2], "@ES-202503-CME-FUTURE"),
        (["ES 03-25", "ES 06-25"], "'ES 03-25'"),
        (["a  b", "c"], "'a  b'"),
        (["ESH5-ESM5", "ESM5"], "ESM5"),
        (["ESH5-ESM5", "ESM5-ESU5"], "ESH5-ESM5"),
        ([None, None, "", "", "NQH5"], "NQH5"),
        (["two\nlines", "two\nlines", "x" * 61, "ESM5"], "ESM5"),
    ],
)  # fmt: skip
def test_an_example_is_a_name_that_picks_it(cells: list[str | None], words: str) -> None:
    """The whole name, as a shell takes it, however short the list shows it."""
    made = table(symbol=cells)
    told = choice_of(ranked_instruments(made, "symbol"))
    assert told == f"pick one, for example --instrument {words}"
    (name,) = shlex.split(words)
    assert len(choose(made, ["symbol"], name).table) == cells.count(name)


def test_where_no_name_can_be_typed_none_is_an_example() -> None:
    assert choice_of([(None, 3), ("a\nb", 2), ("y" * 61, 1)]) == "pick one with --instrument"
