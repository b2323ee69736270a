"""A sample of changes: as many of every file, seeded, and in parts that make the whole."""

from __future__ import annotations

import pytest

from parity.mutation.operators import Change, changes_of, is_valid
from parity.mutation.sample import draw, rounds, shard
from tests.sentences import refuses

SOURCES = {
    "many.py": b"a = 1 + 2\nb = 3 - 4\nc = a < b\nd = 5 * 6\n",
    "few.py": b"x = 7\n",
    "none.py": b"import os\n",
}


def names(changes: list[Change]) -> list[str]:
    return [one.file for one in changes]


def test_every_file_gives_as_many_as_far_as_it_has_them() -> None:
    assert names(draw(SOURCES, 4, 0)) == ["many.py", "few.py", "many.py", "few.py"]
    six = draw(SOURCES, 6, 0)
    assert names(six)[4:] == ["many.py", "many.py"]
    assert draw(SOURCES, 4, 0) == six[:4]
    assert names(draw(SOURCES, 1, 0)) == ["many.py", "few.py"]  # one a file at least
    every = draw(SOURCES, 10_000, 0)
    valid = [
        one for name, text in SOURCES.items() for one in changes_of(name, text) if is_valid(one, text)
    ]
    assert sorted(every, key=str) == sorted(valid, key=str)


def test_a_sample_is_of_its_seed_and_each_files_order_is_its_own() -> None:
    one, again, other = (draw(SOURCES, 99, seed) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    twins = dict.fromkeys(("one.py", "two.py"), SOURCES["many.py"])
    found = draw(twins, 99, 0)
    orders = [[(c.start, c.new) for c in found if c.file == name] for name in twins]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    further = draw(SOURCES, 10_000, 0, "of a rewrite")
    assert {one.operator for one in further} - {one.operator for one in draw(SOURCES, 10_000, 0)}


def test_only_wanted_changes_are_given_and_asked_about_no_earlier_than_needed() -> None:
    changes = {name: changes_of(name, text) for name, text in SOURCES.items()}
    asked: list[Change] = []

    def wanted(change: Change) -> bool:
        asked.append(change)
        return change.operator == "constant"

    turns = rounds(changes, 0, wanted)
    first = next(turns)
    assert names(first) == ["many.py", "few.py"]
    assert len(asked) < len(changes["many.py"])
    found = [*first, *(one for turn in turns for one in turn)]
    constants = [one for some in changes.values() for one in some if one.operator == "constant"]
    assert sorted(found, key=str) == sorted(constants, key=str)
    assert len(asked) == sum(len(some) for some in changes.values())


@pytest.mark.parametrize("of", [1, 2, 3, 7, 9])
def test_parts_make_the_whole_and_none_is_in_two(of: int) -> None:
    drawn = draw(SOURCES, 7, 0)
    parts = [shard(drawn, number, of) for number in range(1, of + 1)]
    assert sorted((one for part in parts for one in part), key=str) == sorted(drawn, key=str)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert parts[0][0] == drawn[0]


@pytest.mark.parametrize(("number", "of"), [(0, 4), (5, 4), (-1, 4), (1, 0)])
def test_a_part_that_there_is_not_is_refused(number: int, of: int) -> None:
    with refuses():
        shard(draw(SOURCES, 7, 0), number, of)
