"""One device against many, in a process of its own, and the names of further values."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.contract.devices import ask_devices, main, step_on_devices
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.pair import Pair
from tests.parity.harness.contract import device_pairs
from tests.parity.harness.lander import mutable, pair

PLACE = "tests.parity.harness.contract.device_pairs"


def ask(one: Pair, place: str, devices: int = 4) -> Answer:
    base = make.visited(one, 64, 0)
    return ask_devices(Judge(one, base), base, place, devices)


@pytest.mark.skipif(jax.device_count() != 1, reason="this process itself has several devices")
@pytest.mark.parametrize(
    ("name", "status"),
    [("depends", "different"), pytest.param("honest", "same", marks=pytest.mark.slow)],
)
def test_a_step_that_depends_on_the_devices_is_found(name: str, status: str) -> None:
    answer = ask(getattr(device_pairs, name), f"{PLACE}:{name}")
    assert answer.status == status, answer.text
    assert "4 devices" in answer.text
    if status == "different":
        assert answer.text.startswith(("height", "speed", "obs"))


@pytest.mark.slow
def test_a_process_that_raises_is_told() -> None:
    answer = ask(device_pairs.honest, f"{PLACE}:gone")
    assert answer.status == "different"
    assert "has no gone" in answer.text


def test_without_a_place_or_with_an_object_it_is_not_asked() -> None:
    assert ask(pair(), "").status == "not asked"
    for devices in (0, 1):
        assert ask(pair(), f"{PLACE}:honest", devices).status == "not asked"
    assert ask(pair(mutable()), f"{PLACE}:honest").status == "not asked"


@pytest.mark.parametrize(
    ("mine", "theirs", "status"),
    [("a", "a", "same"), ("", "a", "note"), ("ab", "a", "different")],
)
def test_names_of_further_values_are_compared(mine: Any, theirs: Any, status: str) -> None:
    from parity.harness.contract.spaces import ask_spaces

    one = pair(mutable())
    base = make.visited(one, 32, 0)
    judge = Judge(one, base)
    evidence = judge.step(base)
    evidence.native.reference.info, evidence.native.port.info = frozenset(mine), frozenset(theirs)
    (answer,) = [a for a in ask_spaces(judge, [evidence]) if a.question == "info keys"]
    assert answer.status == status
    assert np.unique(base.source).tolist() == ["visited"]


RUN = "parity.harness.contract.devices.subprocess.run"


def written(change: Any) -> Any:
    """Return a run of the other process that writes what one device comes to, changed."""

    def run(command: list[str], **_: Any) -> Any:
        with np.load(command[-2]) as held:
            given = {key: held[key] for key in held.files}
        port: Any = device_pairs.honest.port
        fields = {key: value.copy() for key, value in step_on_devices(port, given, 1).items()}
        change(fields)
        np.savez(command[-1], allow_pickle=False, **fields)
        return SimpleNamespace(returncode=0, stderr="")

    return run


def flip(values: Any, place: Any) -> None:
    values[place] = not values[place] if values.dtype == bool else values[place] + 1


@pytest.mark.parametrize("row", [None, 0, 40, 63])
@pytest.mark.parametrize("name", ["speed", "steps", "obs.ship", "reward", "truncated"])
def test_one_case_of_one_device_that_is_another_is_found(
    name: str, row: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = (row, 1) if name == "obs.ship" else row
    monkeypatch.setattr(RUN, written(lambda fields: row is None or flip(fields[name], place)))
    answer = ask(device_pairs.honest, f"{PLACE}:honest", devices=2)
    assert answer.status == ("same" if row is None else "different"), answer.text
    words = "the port gives the same to the bit on 2 devices, 64 cases"
    assert answer.text == words if row is None else answer.text.startswith(f"{name} differs ")


@pytest.mark.parametrize(("ulps", "status"), [(100, "same"), (511, "same"), (514, "different")])
def test_rounding_on_several_devices_is_told_of_the_field_that_differs_most(
    ulps: int, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = float(np.spacing(np.float32(0.05)))  # of the reward of every step before the last

    def change(fields: Any) -> None:
        first = int(np.flatnonzero(~fields["terminated"])[-1])
        fields["reward"][first] += np.float32(ulps * unit)
        fields["speed"][:] += np.spacing(np.abs(fields["speed"]))

    monkeypatch.setattr(RUN, written(change))
    answer = ask(device_pairs.honest, f"{PLACE}:honest", devices=2)
    words = (
        f"the port gives the same but for rounding (up to {ulps}.0 ulps, reward) on 2 devices, 64 cases"
        if status == "same"
        else f"reward differs by {ulps} ulps on 2 devices"
    )
    assert (answer.status, answer.text) == (status, words)


def test_the_other_process_is_handed_states_of_all_cases_and_finds_what_this_one_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = device_pairs.honest
    base = make.visited(one, 320, 0)
    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> Any:
        with np.load(command[-2]) as held:
            seen.update({key: held[key] for key in held.files})
        seen["command"], seen["options"] = command, options
        return SimpleNamespace(returncode=1, stderr="Traceback\n  in a line\nValueError: gone\n\n")

    monkeypatch.setattr(RUN, run)
    monkeypatch.setenv("XLA_FLAGS", "--xla_some=1")
    monkeypatch.setattr("sys.path", ["", "tests", *sys.path])
    answer = ask_devices(Judge(one, base), base, f"{PLACE}:honest", 3)
    assert answer.status == "different"
    assert answer.text == "on 3 devices it raises ValueError: gone"
    module = "parity.harness.contract.devices"
    assert seen["command"][:6] == [sys.executable, "-P", "-m", module, f"{PLACE}:honest", "3"]
    given = seen["options"]["env"]
    assert given["XLA_FLAGS"] == "--xla_some=1 --xla_force_host_platform_device_count=3"
    assert given["JAX_PLATFORMS"] == "cpu"
    assert given["HOME"] == os.environ["HOME"]
    paths = given["PYTHONPATH"].split(os.pathsep)
    assert paths[0] == str(Path("tests").resolve())
    assert all(Path(path).is_absolute() for path in paths)
    assert {name for name in seen if name.startswith(("state", "action"))} == {
        "state height",
        "state speed",
        "state steps",
        "action action",
    }
    rows = np.linspace(0, 319, 96).astype(int)
    assert seen["state steps"].tolist() == base.state["steps"][rows].tolist()
    assert seen["action action"].tolist() == base.action["action"][rows].tolist()


def test_a_process_that_does_not_answer_says_nothing_of_the_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(command: list[str], **options: Any) -> Any:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(RUN, run)
    answer = ask(device_pairs.honest, f"{PLACE}:honest", devices=2)
    assert (answer.status, answer.text) == ("not asked", "no answer within 600 s")


def test_every_field_of_a_step_that_draws_is_written_for_the_device_that_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "state height": np.array([0.5, 1.5, 1.0], np.float32),
        "state speed": np.array([0.25, -0.5, 0.0], np.float32),
        "state steps": np.array([3, 19, 4], np.int32),
        "action action": np.array([0, 1, 1]),
    }
    np.savez(tmp_path / "cases.npz", **given)
    files = [str(tmp_path / name) for name in ("cases.npz", "result.npz")]
    monkeypatch.setattr("sys.argv", ["devices", f"{PLACE}:drawing", "1", *files])
    main()
    state = {name: given[f"state {name}"] for name in ("height", "speed", "steps")}
    port = device_pairs.drawing.port
    expected = port.transition(state, {"action": given["action action"]}, np.arange(3)).fields
    with np.load(files[1]) as result:
        assert set(result.files) == set(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(result[name], value, name)
        assert len(set(result["reward"].tolist())) == 3  # each lane draws from a seed of its own
    with pytest.raises(RuntimeError, match="the batch lies on 1 of 2 devices"):
        step_on_devices(port, {name: value[:2] for name, value in given.items()}, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", [0, 1])
def test_a_process_without_a_result_is_no_proof(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = SimpleNamespace(returncode=code, stderr="")
    monkeypatch.setattr(RUN, lambda *_, **__: done)
    answer = ask(device_pairs.honest, f"{PLACE}:honest", devices=2)
    assert (answer.status, answer.text) == ("different", f"on 2 devices it raises exit code {code}")


def test_where_the_port_runs_on_other_devices_the_one_is_asked_elsewhere_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A processor and a GPU round in other ways, and how a batch is shared out is asked alone."""
    asked: list[int] = []

    def run(command: list[str], **more: Any) -> Any:
        asked.append(int(command[5]))
        return written(lambda fields: flip(fields["steps"], slice(None)))(command, **more)

    monkeypatch.setattr(RUN, run)
    assert ask(device_pairs.honest, f"{PLACE}:honest", devices=2).status == "different"
    monkeypatch.setattr("parity.harness.contract.devices.jax.default_backend", lambda: "gpu")
    answer = ask(device_pairs.honest, f"{PLACE}:honest", devices=2)
    assert (answer.status, asked) == ("same", [2, 2, 1]), answer.text
