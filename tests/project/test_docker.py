"""The Dockerfiles copy every package, and name files, extras and commands that exist."""

from __future__ import annotations

import fnmatch
import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
FILES = sorted((ROOT / "docker").glob("*.Dockerfile"))


def faults(text: str) -> list[str]:
    """Return what is wrong with a Dockerfile, in words."""
    found = []
    copied = {word for line in re.findall(r"^COPY (.+) \S+$", text, re.M) for word in line.split()}
    found += [f"{name} is not there" for name in sorted(copied) if not (ROOT / name).exists()]
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.M)
    found += [f"{name} is ignored" for name in sorted(copied - set(allowed))]
    wanted = PROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    found += [f"no {name}" for name in wanted if not fnmatch.filter(copied, name)]
    for extras in re.findall(r'"\.\[([^\]]+)\]"', text):
        known = PROJECT["project"]["optional-dependencies"]
        found += [f"no extra {one}" for one in extras.split(",") if one not in known]
    commands = [json.loads(one)[0] for one in re.findall(r"^ENTRYPOINT (.+)$", text, re.M)]
    found += [f"no command {one}" for one in commands if one not in PROJECT["project"]["scripts"]]
    return found if commands else [*found, "no entry point"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_everything_it_names_is_there(path: Path) -> None:
    assert faults(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("COPY markets markets\n", "", "no markets*"),
        ("COPY jax_port", "COPY jax_prt", "jax_prt is not there"),
        ("sweep-shared", "sweep-sharred", "no extra sweep-sharred"),
        ('["rltrader"]', '["rltradr"]', "no command rltradr"),
        ("COPY constraints.txt", "COPY noxfile.py constraints.txt", "noxfile.py is ignored"),
    ],
)
def test_a_fault_is_found(before: str, after: str, fault: str) -> None:
    text = FILES[0].read_text("utf-8")
    assert before in text
    assert fault in faults(text.replace(before, after))


def test_there_are_two() -> None:
    assert [path.name for path in FILES] == ["cpu.Dockerfile", "cuda.Dockerfile"]
