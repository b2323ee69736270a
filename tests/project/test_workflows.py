"""Continuous integration runs every session of ``noxfile.py``, and a release checks its wheel."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import ROOT

WORKFLOWS = {path.name: path.read_text("utf-8") for path in (ROOT / ".github/workflows").glob("*.yml")}
SESSIONS = set(re.findall(r"^@nox.session\ndef (\w+)", (ROOT / "noxfile.py").read_text("utf-8"), re.M))
BY_HAND = {
    "fast": "a part of the tests, for the inner loop",
    "export_parity": "a part of the session parity",
    "gate_seeds": "hours of the gate, whose count is committed; each night's gate has seeds of its own",
    "parity_learning": "hours of training, whose report is committed",
    "throughput": "a measurement, for a machine that does nothing else",
    "train_throughput": "a measurement, for a machine that does nothing else",
    "time_to_return": "a measurement, for a machine that does nothing else",
}
"""Sessions that no workflow runs, and why."""

GATE_OF_A_RELEASE = "Install the wheel in a bare environment and run the gate from another folder"


class Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, whose second value would silently be the only one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        assert len(made) == len(node.value), [key.value for key, _ in node.value]
        return made


def jobs_of(text: str) -> Iterator[dict[str, Any]]:
    """Yield a workflow's jobs."""
    yield from yaml.load(text, Loader)["jobs"].values()


def commands(text: str) -> Iterator[str]:
    """Yield a workflow's commands, once for each entry of a job's matrix."""
    for job in jobs_of(text):
        lines = [step["run"] for step in job["steps"] if "run" in step]
        axes: dict[str, list[Any]] = job.get("strategy", {}).get("matrix", {})
        for name, values in axes.items():
            hole = f"${{{{ matrix.{name} }}}}"
            lines = [line.replace(hole, str(one)) for line in lines for one in values]
        yield from lines


def sessions_of(command: str) -> set[str]:
    """Return the nox sessions that a command runs."""
    calls = re.findall(r"\bnox (?:--[\w-]+ )*-s ((?:\w+ ?)+)", command)
    return {name for call in calls for name in call.split()}


def run_by(workflows: dict[str, str]) -> set[str]:
    """Return the sessions that workflows run, themselves and by ``.ci/run``."""
    lines = [command for text in workflows.values() for command in commands(text)]
    if any(".ci/run" in line for line in lines):
        lines.append((ROOT / ".ci/run").read_text("utf-8"))
    return {name for line in lines for name in sessions_of(line)}


def step(workflow: str, name: str) -> str:
    """Return the commands of a workflow's step."""
    jobs = jobs_of(WORKFLOWS[workflow])
    return next(one["run"] for job in jobs for one in job["steps"] if one.get("name") == name)


def test_every_session_runs_somewhere_or_says_why_not() -> None:
    done = run_by(WORKFLOWS)
    assert len(done) > 15
    assert done <= SESSIONS
    assert SESSIONS - done == set(BY_HAND)


@pytest.mark.parametrize("name", ["wheel", "foreign_pairs", "sweep_storage", "mutation"])
def test_a_session_left_out_is_found(name: str) -> None:
    texts = {file: re.sub(rf"\b{name}\b", "slow", text) for file, text in WORKFLOWS.items()}
    assert run_by(WORKFLOWS) - run_by(texts) == {name}


def test_a_release_installs_what_the_gate_needs() -> None:
    text = step("release.yml", GATE_OF_A_RELEASE)
    extras = re.findall(r"\[([\w,]+)\]", text)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert extras == ["reference"]
    assert set(extras) <= set(project["optional-dependencies"])


def test_a_release_runs_the_gate_as_long_as_its_verification_asks() -> None:
    """The least of ``parity.gate.strength.LEAST`` comes of 20 episodes and 2,000 cases a symbol."""
    text = step("release.yml", GATE_OF_A_RELEASE)
    (asked,) = re.findall(r"rltrader\" parity run --episodes (\d+) --cases (\d+)$", text, re.M)
    assert "parity verify" in text
    assert "--least" not in text
    assert int(asked[0]) >= 20
    assert int(asked[1]) >= 2000


def test_a_released_package_names_the_repository(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    where = {
        "GITHUB_SERVER_URL": "https://host.example",
        "GITHUB_REPOSITORY": "owner/name",
        "GITHUB_REF_NAME": "v0.1.0",
    }
    lines = step("release.yml", "The package says where it comes from")
    subprocess.run(["bash", "-ec", lines], cwd=tmp_path, env=os.environ | where, check=True)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["urls"] == {
        "Repository": "https://host.example/owner/name",
        "Issues": "https://host.example/owner/name/issues",
        "Changelog": "https://host.example/owner/name/blob/v0.1.0/CHANGELOG.md",
    }


def test_a_job_that_stands_twice_is_found() -> None:
    with pytest.raises(AssertionError):
        list(jobs_of("jobs:\n  check: {}\n  check: {}\n"))
