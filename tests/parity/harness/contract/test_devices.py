"""One device against many, in a process of its own, and the names of further values."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.contract.devices import ask_devices, step_on_devices
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
    assert ask(pair(), f"{PLACE}:honest", devices=0).status == "not asked"
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


@pytest.mark.parametrize("row", [None, 0, 40, 63])
@pytest.mark.parametrize("name", ["speed", "steps"])
def test_one_case_of_one_device_that_is_another_is_found(
    name: str, row: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = device_pairs.honest

    def run(command: list[str], **_: Any) -> Any:
        with np.load(command[-2]) as held:
            given = {key: held[key] for key in held.files}
        fields = {key: value.copy() for key, value in step_on_devices(one.port, given, 1).items()}
        if row is not None:
            fields[name][row] += 1
        np.savez(command[-1], allow_pickle=False, **fields)
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr("parity.harness.contract.devices.subprocess.run", run)
    answer = ask(one, f"{PLACE}:honest", devices=2)
    assert answer.status == ("same" if row is None else "different"), answer.text
    assert answer.text.startswith("the port gives the same to the bit" if row is None else name)


@pytest.mark.parametrize("code", [0, 1])
def test_a_process_without_a_result_is_no_proof(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = SimpleNamespace(returncode=code, stderr="")
    monkeypatch.setattr("parity.harness.contract.devices.subprocess.run", lambda *_, **__: done)
    answer = ask(device_pairs.honest, f"{PLACE}:honest", devices=2)
    assert (answer.status, answer.text) == ("different", f"on 2 devices it raises exit code {code}")
