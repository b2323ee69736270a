"""A few damaged inputs of every kind, and faults planted to show that the fuzzer sees them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from foundation.errors import InputError
from tests.fuzz.__main__ import all_kinds
from tests.fuzz.bars import few_bars
from tests.fuzz.fuzz import Kind, try_many
from tests.fuzz.mutations import damage_json, damage_text

KINDS = all_kinds()
HEAVY = {"verify": 2, "sb3-data": 4, "header": 10}
INPUTS = 20


@pytest.mark.parametrize("name", KINDS)
def test_damaged_inputs_end_in_one_sentence_or_are_read_as_they_are(name: str, tmp_path: Path) -> None:
    inputs = HEAVY.get(name, INPUTS)
    found = list(try_many(KINDS[name], range(inputs), tmp_path))
    assert not found, "\n".join(f"{one.seed}: {one.what}\n{one.detail}" for one in found)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_more_damaged_inputs(name: str, tmp_path: Path) -> None:
    inputs = 10 * HEAVY.get(name, INPUTS)
    assert not list(try_many(KINDS[name], range(10**6, 10**6 + inputs), tmp_path))


def crash(path: Path) -> object:
    return json.loads(path.read_bytes())["format"]


def silent(path: Path) -> object:
    raise InputError("something is wrong somewhere")


def writer(path: Path) -> object:
    path.with_name("half").touch()
    raise InputError(f"{path}: damaged")


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (crash, "exit code 70"),
        (silent, "does not name the file"),
        (writer, "refused, and wrote half"),
    ],
)
def test_a_reader_with_a_fault_is_found_out(read: object, words: str, tmp_path: Path) -> None:
    kind = Kind("planted", b'{"format": 1}', "file.json", damage_json, read)  # type: ignore[arg-type]
    found = list(try_many(kind, range(30), tmp_path))
    assert found
    assert words in found[0].what


def test_a_lost_row_is_found_out(tmp_path: Path) -> None:
    good = KINDS["csv"]

    def lossy(path: Path) -> object:
        lines = path.read_bytes().split(b"\n")
        path.write_bytes(b"\n".join([lines[0], *lines[2:]]))
        return good.read(path)

    def check(path: Path, data: bytes) -> str | None:
        rows = len(path.read_bytes().split(b"\n")) - 2
        return None if rows == len(few_bars()) else f"{rows} rows"

    kind = Kind("lossy", good.data, "bars.csv", lambda rng, data: data, lossy, check)
    (found,) = try_many(kind, range(1), tmp_path)
    assert found.what == f"{len(few_bars()) - 1} rows"


def test_the_same_seed_makes_the_same_damage() -> None:
    data = KINDS["csv"].data
    made = [damage_text(random.Random("csv 7"), data) for _ in range(2)]
    assert made[0] == made[1] != data
