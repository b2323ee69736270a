"""One device against many, in a process of its own, and the names of further values."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.contract.devices import ask_devices
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
