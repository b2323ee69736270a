"""A table of agents: numbers by name, and what is no number is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import InputError
from rltrader.options.agents import read_agents


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "agents.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_are_agents(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffseed, learning_rate\n3,0.001\n\n,3e-4\n")
    assert read_agents(path) == ({"seed": 3, "learning_rate": 0.001}, {"learning_rate": 3e-4})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "there is nothing in it"),
        ("\n\n", "there is nothing in it"),
        ("seed\n", "there is no row"),
        ("seed,seed\n1,2\n", "line 1: every column needs a name of its own"),
        ("seed,\n1,2\n", "line 1: every column needs a name of its own"),
        ("seed,gamma\n1\n", "line 2: 1 cells under 2 names"),
        ("seed\n1.5\n", r"line 2: seed is '1\.5'; give a whole number"),
        ("seed\n\t1x\n", r"line 2: seed is '1x'; give a whole number"),
        ("seed\ninf\n", "seed is 'inf'; give a whole number"),
        ("seed,gamma\n1,\n2,x\n", "line 3: gamma is 'x'; give a number"),
        ('seed\n"1\n', "not a readable CSV"),
        (b"seed\n\xff\xfe\n", "not a readable CSV"),
        (b"\x00" * (1 << 21), "larger than"),
    ],
)
def test_what_is_no_table_of_numbers_is_named(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=rf"agents\.csv.*{sentence}"):
        read_agents(write(tmp_path, text))


def test_a_table_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: no such file"):
        read_agents(tmp_path / "none.csv")
    with pytest.raises(InputError, match="Is a directory"):
        read_agents(tmp_path)
