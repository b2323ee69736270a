"""Faults planted in gymnax's environments are found and called by their right name; true ports are not.

All of them take minutes and run every night; a few run always.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from parity import Pair, Report, verify
from tests.parity.harness.faults.planted import FAULTS, MODULES, Planted, with_fault
from tests.parity.harness.faults.planted_by_a_stranger import BY_A_STRANGER
from tests.parity.harness.faults.planted_later import LATER

SOME = [
    Planted("mountain_car_continuous", "maxval=-0.4", "maxval=-0.41", "reset distribution"),
    Planted(
        "mountain_car",
        "state.position >= params.goal_position",
        "state.position > params.goal_position",
        field="terminated",
    ),
]


def shipped(name: str) -> Pair:
    pair: Pair = importlib.import_module(f"examples.pairs.{name}").pair
    return pair


def check(fault: Planted) -> None:
    brief = fault.label == "logic"  # the contract's questions are not what must answer
    report: Report = verify(with_fault(shipped(fault.pair), fault), transitions=600, stop_early=brief)
    different = [one.question for one in report.answers if one.status == "different"]
    wrong = [one.name for one in report.fields if not one.passed]
    if fault.label in ("rounding", "equivalent"):
        assert report.passed, str(report)
        assert fault.label == "equivalent" or any(one.verdict == "rounding" for one in report.fields)
    elif fault.label == "logic":
        assert wrong, str(report)
        assert all(report.field(name).logic for name in wrong)
    else:
        assert fault.label in different, str(report)
    assert not fault.field or fault.field in wrong, str(report)


@pytest.mark.costly
@pytest.mark.parametrize("fault", SOME, ids=str)
def test_some_faults_are_called_by_their_name(fault: Planted) -> None:
    check(fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*FAULTS, *BY_A_STRANGER, *LATER], ids=str)
def test_every_fault_is_called_by_its_name(fault: Planted) -> None:
    check(fault)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("pendulum", "mountain_car", "acrobot")]


@pytest.mark.costly
@pytest.mark.parametrize("name", ["cartpole", *SLOW])
def test_what_ships_is_the_same_but_for_rounding_and_what_is_accepted(name: str) -> None:
    report = verify(shipped(name), transitions=600)
    assert report.passed, str(report)
    assert not report.unused or name == "acrobot"  # half a turn to the bit comes seldom
    assert not report.unchecked


@pytest.mark.costly
def test_the_walls_of_gymnax_mountain_car_are_found_and_both_shown() -> None:
    from dataclasses import replace

    pair = shipped("mountain_car_continuous")
    report = verify(replace(pair, accepted=()), transitions=600)
    wrong = {one.name for one in report.fields if one.verdict == "logic"}
    assert wrong == {"velocity", "obs", "reward", "terminated"}
    left = next(one for one in report.smallest if set(one.reference) == {"velocity", "obs"})
    assert left.reference["velocity"] == 0  # Gymnasium stops the car at the wall
    assert left.port["velocity"] < 0
    goal = next(one for one in report.smallest if "reward" in one.reference)
    assert goal.reference["reward"] < 1  # rolling back is no arrival
    assert goal.port["reward"] > 99
    accepted = verify(pair, transitions=600)
    assert accepted.passed, str(accepted)
    assert not accepted.unused
    assert accepted.field("velocity").verdict == "accepted"


def test_the_least_pairs_have_at_most_forty_lines() -> None:
    for name in MODULES:
        file = importlib.import_module(f"examples.pairs.{name}").__file__
        assert file is not None
        assert len(Path(file).read_text(encoding="utf-8").splitlines()) <= 40, name
