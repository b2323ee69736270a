"""A table of agents: numbers by name, and what is no number is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rltrader.options.agents import read_agents
from tests.sentences import refuses


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "agents.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_rows_are_agents(tmp_path: Path) -> None:
    path = write(tmp_path, "\ufeffseed, learning_rate\n3,0.001\n\n,3e-4\n")
    assert read_agents(path) == ({"seed": 3, "learning_rate": 0.001}, {"learning_rate": 3e-4})
    zeros = write(tmp_path, "seed,ent_coef\n0,0\n,0.0\n 0 ,\n")
    assert read_agents(zeros) == ({"seed": 0, "ent_coef": 0.0}, {"ent_coef": 0.0}, {"seed": 0})
    blanks = write(tmp_path, "seed,ent_coef\n1,  \n\t,0.5\n")
    assert read_agents(blanks) == ({"seed": 1}, {"ent_coef": 0.5})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "seed\n",
        "seed,seed\n1,2\n",
        "seed,\n1,2\n",
        "seed,gamma\n1\n",
        "seed\n1.5\n",
        "seed\n\t1x\n",
        "seed\ninf\n",
        "seed,gamma\n1,\n2,x\n",
        'seed\n"1\n',
        b"seed\n\xff\xfe\n",
        b"\x00" * (1 << 21),
    ],
)
def test_what_is_no_table_of_numbers_is_named(tmp_path: Path, text: str | bytes) -> None:
    with refuses():
        read_agents(write(tmp_path, text))


def test_a_table_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    with refuses():
        read_agents(tmp_path / "none.csv")
    with refuses():
        read_agents(tmp_path)


def test_a_table_one_byte_above_the_limit_is_refused_and_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "seed\n12\n34")
    monkeypatch.setattr("rltrader.options.agents.MOST_BYTES", path.stat().st_size)
    assert read_agents(path) == ({"seed": 12}, {"seed": 34})
    monkeypatch.setattr("rltrader.options.agents.MOST_BYTES", path.stat().st_size - 1)
    with refuses():
        read_agents(path)
