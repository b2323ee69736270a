"""A folder stands for its one policy, and says what to name where there are several or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from jax_port.runs.find_policy import find_policy
from tests.sentences import check_sentence, refuses


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_a_file_is_itself(tmp_path: Path) -> None:
    assert find_policy(tmp_path / "any.safetensors") == tmp_path / "any.safetensors"


def test_no_other_agent_is_chosen_where_a_file_is_named(tmp_path: Path) -> None:
    file = touched(tmp_path, "policy-0.safetensors") / "policy-0.safetensors"
    assert find_policy(file) == file
    for agent in (0, 2):
        with refuses():
            find_policy(file, agent)


@pytest.mark.parametrize(
    "names",
    [
        ("manifest.json", "policy.safetensors"),
        ("policy-0.safetensors",),
        ("policy-1.safetensors", "policy-3.safetensors"),
        ("run.json",),
        ("run.json", "last.safetensors"),
        ("model.zip",),
        (),
    ],
    ids=["bundle", "one", "several", "empty run", "unfinished", "sb3", "nothing"],
)
def test_an_agent_that_a_folder_does_not_hold_is_named_by_its_number(
    tmp_path: Path, names: list[str]
) -> None:
    """And not by a file that nobody wrote."""
    with refuses():
        find_policy(touched(tmp_path, *names), 2)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (
            ("run.json", "policy-0.safetensors", "last.safetensors", "finished.json"),
            "policy-0.safetensors",
        ),
        (("policy-0.safetensors", "last.safetensors"), "policy-0.safetensors"),
        (("manifest.json", "policy.safetensors", "maskable_ppo.zip"), "policy.safetensors"),
    ],
    ids=["run", "without what the run says", "bundle"],
)
def test_a_folder_stands_for_its_one_policy(tmp_path: Path, names: list[str], found: str) -> None:
    assert find_policy(touched(tmp_path, *names)) == tmp_path / found


def test_policies_of_an_earlier_end_are_not_those_of_a_run_that_was_gone_on_with(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor those that were written before it was killed at its end; named by a file it is told."""
    file = tmp_path / "policy-0.safetensors"
    touched(tmp_path, "run.json", file.name)
    for more in ("policy-1.safetensors", "last.safetensors", "best.safetensors"):
        for agent in (None, 0):
            with refuses():
                find_policy(tmp_path, agent)
        touched(tmp_path, more)
    for other in ("last.safetensors", "best.safetensors", "policy-7.safetensors"):
        assert find_policy(tmp_path / other) == tmp_path / other
    assert not caplog.records
    assert find_policy(file) == file
    (told,) = caplog.messages
    check_sentence(told)
    touched(tmp_path, "finished.json")
    assert (find_policy(file), find_policy(tmp_path, 0)) == (file, file)
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("run.json",),
        ("run.json", "last.safetensors"),
        ("model.zip", "vecnormalize.pkl"),
    ],
    ids=str,
)
def test_a_folder_without_a_policy_says_what_it_is(tmp_path: Path, names: list[str]) -> None:
    with refuses():
        find_policy(touched(tmp_path, *names))


def test_of_several_agents_one_is_to_be_named(tmp_path: Path) -> None:
    touched(tmp_path, *(f"policy-{number}.safetensors" for number in range(11)))
    with refuses():
        find_policy(tmp_path)
    touched(tmp_path, "best.safetensors")
    with refuses():
        find_policy(tmp_path)
    assert find_policy(tmp_path, 10).name == "policy-10.safetensors"


def test_a_run_beside_a_bundle_is_a_run(tmp_path: Path) -> None:
    """Its agents are asked for by their numbers, and its one policy goes before the bundle's."""
    touched(tmp_path, "manifest.json", "policy.safetensors", "policy-2.safetensors")
    for agent in (None, 2):
        assert find_policy(tmp_path, agent) == tmp_path / "policy-2.safetensors"
    touched(tmp_path, "policy-5.safetensors")
    assert find_policy(tmp_path, 5) == tmp_path / "policy-5.safetensors"


def test_an_agent_goes_by_its_number_and_not_by_its_place(tmp_path: Path) -> None:
    """Also where files of others were taken away."""
    touched(tmp_path, "policy-1.safetensors", "policy-3.safetensors", "policy-10.safetensors")
    for agent in (1, 3, 10):
        assert find_policy(tmp_path, agent) == tmp_path / f"policy-{agent}.safetensors"
    with refuses():
        find_policy(tmp_path, 0)
