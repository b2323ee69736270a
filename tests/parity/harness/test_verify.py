"""A verification of a small pair: what an honest port is told, what each planted fault is called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import Accepted, Port, Report, close, integer, verify
from parity.harness.output.page import render
from parity.harness.sides.side import OUTCOME
from tests.parity.harness.lander import mutable, pair, program, write
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_cases import of_one_s_own
from tests.sentences import refuses

FEW: dict[str, Any] = {"transitions": 600, "resets": 400}


def with_fault(**fault: Any) -> Report:
    return verify(pair(Port.functional(lambda: program(**fault))), **FEW)


@pytest.fixture(scope="module")
def honest() -> Report:
    return verify(pair(), place="tests.parity.harness.lander:pair", **FEW)


@pytest.mark.costly
def test_an_honest_port_in_single_precision_is_the_same_but_for_rounding(honest: Report) -> None:
    assert honest.passed, str(honest)
    verdicts = {one.name: one.verdict for one in honest.fields}
    assert verdicts["speed"] == "rounding"
    assert verdicts["steps"] == verdicts["obs.left"] == "equal"
    speed = honest.field("speed")
    assert speed.dtypes == ("float64", "float32")
    assert 0 < speed.largest < 1e-6
    assert speed.largest_ulps >= 1
    assert set(speed.largest_at) == {"height", "speed", "steps"}
    assert honest.cases["boundary"] > 50
    assert honest.seen["an episode ends"] > 50


def test_every_question_of_the_contract_has_an_answer(honest: Report) -> None:
    asked = {one.question: one.status for one in honest.answers}
    assert asked == {
        "free run": "same",
        "reset distribution": "same",
        "restart only at an end": "same",
        "restart after an end": "same",
        "final observation": "same",
        "reward on the last step": "same",
        "terminated or truncated": "same",
        "step after the end": asked["step after the end"],
        "observation dtype and shape": "same",
        "observation bounds": "not asked",
        "observations stay inside their bounds": "not asked",
        "action space": "same",
        "actions beyond the bounds": "same",
        "info keys": "same",
        "info values": "not asked",
        "the same seed twice": "same",
        "eager against jitted": "same",
        "one environment against a batch": "same",
        "one device against many": "not asked",
        "draws within a step": "same",
        "reset from the same draws": "same",
        "step from the same draws": "not asked",
        "the reference's state is complete": "same",
    }


@pytest.mark.costly
def test_the_same_seed_gives_the_same_report() -> None:
    one = pair()
    first, second = (verify(one, seed=3, **FEW).to_dict() for _ in range(2))
    for values in (first, second):
        values.pop("made"), values.pop("seconds")
    assert first == second


@pytest.mark.costly
@pytest.mark.parametrize("name", ["gravity", "thrust", "ceiling"])
def test_one_part_in_a_million_of_a_constant_is_logic(name: str) -> None:
    values = {"gravity": 0.1, "thrust": 0.25, "ceiling": 2.0}
    report = with_fault(**{name: values[name] * (1 + 1e-6)})
    assert report.verdict == "different"
    assert report.field("height").verdict == "logic"
    assert not any(one.verdict == "logic" for one in report.fields if one.name == "steps")


@pytest.mark.costly
def test_the_same_sums_in_another_order_are_rounding() -> None:
    report = with_fault(other_order=True)
    assert report.passed, str(report)
    assert report.field("speed").rounding > 0


@pytest.mark.costly
def test_a_boundary_that_is_drawn_on_the_other_side_is_found_and_made_simple() -> None:
    changed = pair(Port.functional(lambda: program(limit=21)))
    report = verify(changed, place="somewhere:pair", **FEW)
    assert report.field("truncated").logic > 0
    case = report.field("truncated").smallest
    assert case is not None
    assert case.state["steps"] == 19
    assert case.state["speed"] == 0
    assert case.reference["truncated"] is True
    assert case.port["truncated"] is False
    assert case.command.startswith('envparity case somewhere:pair --state \'{"height": ')
    assert report.answer("terminated or truncated").status == "different"


@pytest.mark.costly
def test_a_speed_that_outlives_the_restart_is_found() -> None:
    report = with_fault(stale=True)
    assert all(one.passed for one in report.fields)
    assert report.answer("restart after an end").status == "different"
    assert "speed" in report.answer("restart after an end").text


@pytest.mark.costly
@pytest.mark.parametrize("fault", ["narrow", "constant"])
def test_resets_from_half_the_range_or_one_state_are_found(fault: str) -> None:
    report = with_fault(**{fault: True})
    assert all(one.passed for one in report.fields)
    assert report.answer("reset distribution").status == "different"
    assert "height" in report.answer("reset distribution").text


@pytest.mark.costly
def test_constants_in_single_precision_are_told_and_judged_by_sensitivity() -> None:
    report = with_fault(single=True)
    assert report.passed, str(report)
    assert any("single precision" in text for text in report.unchecked)
    wrong = with_fault(single=True, gravity=0.1001)
    assert wrong.field("speed").verdict == "logic"


def test_a_bound_on_rounding_is_held() -> None:
    report = verify(pair(rules={"speed": close(ulps=0)}), **FEW)
    assert report.verdict == "different"
    assert report.field("speed").beyond > 0
    assert "beyond the bound" in str(report)


def test_a_write_that_leaves_something_out_is_found() -> None:
    def forgetful(ship: Any, state: dict[str, Any]) -> None:
        write(ship, {**state, "steps": ship.steps})

    side = mutable()
    side.write = forgetful
    report = verify(pair(reference=side), **FEW)
    assert report.answer("the reference's state is complete").status == "different"


def test_a_state_that_a_port_hides_is_found_in_the_free_run() -> None:
    class Heavier:
        """Every fourth step of the object's life is heavier; its state does not show that."""

        def __init__(self) -> None:
            from tests.parity.harness.lander import Ship

            self.ship, self.count = Ship(), 0

    def step(one: Any, action: int) -> Any:
        one.count += 1
        one.ship.settings["gravity"] = 0.1 if one.count % 4 else 0.11
        return one.ship.step(action)

    def put(one: Any, state: Any) -> None:
        one.count = 0
        write(one.ship, state)

    honest = mutable()
    side = Port.mutable(
        make=Heavier,
        read=lambda one: honest.read(one.ship),
        write=put,
        reset_one=lambda one, seed: one.ship.reset(seed),
        step_one=step,
        action_space=honest.action_space,
    )
    report = verify(pair(side), **FEW)
    assert all(one.passed for one in report.fields), str(report)
    assert report.answer("free run").status == "different"


@pytest.mark.costly
def test_an_accepted_difference_is_shown_and_does_not_fail() -> None:
    heavy = Port.functional(lambda: program(ceiling=1.9))
    above = Accepted(
        ("height", "speed", "obs"),
        "the port's ceiling is lower",
        lambda before, action, after: before["height"] + after["speed"] > 0.9,
    )
    report = verify(pair(heavy, accepted=(above, Accepted("reward", "never needed"))), **FEW)
    assert report.field("height").verdict in ("accepted", "logic")
    assert report.field("height").accepted > 0
    assert "the port's ceiling is lower" in str(report)
    assert report.unused == ["reward: never needed"]


def test_a_reference_that_cannot_be_put_in_a_state_is_played_and_that_is_told() -> None:
    side = mutable()
    side.write = None
    report = verify(pair(reference=side), **FEW)
    assert any("cannot be put in a state" in text for text in report.unchecked)
    assert report.passed, str(report)
    heavier = Port.functional(lambda: program(gravity=0.1 * (1 + 1e-6)))
    assert verify(pair(heavier, reference=side), **FEW).field("speed").verdict == "logic"


def test_a_pair_of_numpy_against_itself_is_equal() -> None:
    report = verify(pair(mutable()), **FEW)
    assert report.passed, str(report)
    assert {one.verdict for one in report.fields} == {"equal"}


@pytest.mark.parametrize(
    "changes",
    [
        {"state": {"weight": close()}},
        {"rules": {"weight": close()}},
        {"reference": 3},
    ],
    ids=["domain", "no such field", "reference"],
)
def test_a_pair_that_cannot_be_is_refused_in_a_sentence(changes: Any) -> None:
    with refuses():
        verify(pair(**changes), **FEW)


@pytest.mark.parametrize(
    "settings",
    [
        {"transitions": 3},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 0.0},
        {"resets": True},
        {"resets": 49},
        {"resets": 2**31},
        {"transitions": 31},
        {"transitions": 2**31},
        {"devices": -1},
        {"devices": 2.0},
        {"devices": 2**31},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(settings: Any) -> None:
    with refuses():
        verify(pair(), **settings)


def test_states_with_other_fields_are_refused_with_their_names() -> None:
    side = Port.functional(program, read=lambda state: {"height": state.height, "fuel": state.steps})
    with refuses():
        verify(pair(side), **FEW)


@pytest.mark.parametrize("name", OUTCOME)
def test_an_outcome_that_cannot_be_compared_is_told_wherever_the_verdict_is(name: str) -> None:
    one = tiny.pair(tiny.returning(**{name: tiny.two}), accepted=(Accepted(name, "known"),))
    report = verify(one, transitions=64, resets=50)
    sentence = report.field(name).sentence()
    wanted = "number" if name == "reward" else "flag (true or false)"
    assert sentence.startswith(f"{name} is not compared: ")
    assert sentence.endswith(f"of shape (2,) on the port; return one {wanted} a step on both sides")
    assert report.verdict == "different"
    assert f"\n  {sentence}\n" in f"{report}\n"
    assert sentence in report.to_dict()["differences"]
    assert sentence.partition(": ")[2] in render(report.to_dict())
    assert sentence in report.to_junit()
    assert not report.unchecked


def test_an_observation_that_cannot_be_compared_fails_by_its_question_and_is_told() -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, *others = one.step(action)
        return {**obs, "count": np.array([obs["count"]])}, *others

    known = (Accepted("observation dtype and shape", "known"),)
    for accepted in ((), known):
        one = tiny.pair(tiny.side(step), accepted=accepted)
        report = verify(one, transitions=64, resets=50)
        forms = "int64 of shape () on the reference, int64 of shape (1,) on the port"
        assert report.unchecked == [f"obs.count: {forms}"]
        assert report.verdict == ("same" if accepted else "different")
        assert "field obs.count" not in dict(report.aspects())


def brief(step: Any, **changes: Any) -> tuple[Report, list[tuple[str, int, int]]]:
    """Return a report that ends at the first field that is wrong, and what was told on the way."""
    told: list[tuple[str, int, int]] = []
    one = tiny.pair(tiny.side(step), **changes)
    few: dict[str, Any] = {"transitions": 32, "resets": 50, "stop_early": True}
    return verify(one, progress=lambda *words: told.append(words), **few), told


def longer(one: tiny.Tiny, action: Any) -> Any:
    obs, *others = one.step(action)
    return {**obs, "count": obs["count"] + 1}, *others


def test_each_part_is_told_before_it_begins_with_its_number() -> None:
    report, told = brief(longer, state={"count": integer(0, 3)})
    assert told == [
        ("playing the reference", 0, 7),
        ("visited states", 1, 7),
        ("drawn states", 2, 7),
    ]
    assert [one.name for one in report.fields if not one.passed] == ["obs.count"]
    assert (report.answers, report.free_run, report.smallest) == ([], None, [])
    assert report.verdict == "different"


def test_states_beyond_visited_ones_are_told_to_be_left_out_where_nothing_draws_them() -> None:
    words = ["states beyond those that episodes visit: no field has a domain (give state)"]
    for state, draw, unchecked in (
        ({}, None, words),
        ({}, of_one_s_own, []),
        ({"count": integer(0, 3)}, None, []),
    ):
        assert brief(longer, state=state, draw=draw)[0].unchecked == unchecked


def test_what_either_side_draws_is_compared_one_by_one_on_neither() -> None:
    rng = np.random.default_rng(0)

    def mine(one: tiny.Tiny, action: Any) -> Any:
        out = one.step(action)
        one.open = bool(rng.random() < 0.5)
        return out

    def theirs(one: tiny.Tiny, action: Any) -> Any:
        obs, _, *others = longer(one, action)
        return obs, rng.random(), *others

    report = brief(theirs, reference=tiny.side(mine), state={})[0]
    assert {one.name: one.verdict for one in report.fields if one.verdict != "equal"} == {
        "open": "drawn",
        "reward": "drawn",
        "obs.count": "logic",
    }
    assert report.differences == [report.field("obs.count").sentence()]


def test_what_is_drawn_beside_a_port_that_is_only_played_is_told_by_name() -> None:
    rng = np.random.default_rng(0)

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, _, *others = one.step(action)
        one.open = bool(rng.random() < 0.5)
        return obs, rng.random(), *others

    one = tiny.pair(tiny.side(step, write=None), reference=tiny.side(step))
    report = verify(one, transitions=32, resets=50)
    assert report.answer("draws within a step").status == "not asked"
    words = "open, reward: drawn within the step, and not compared as draws either"
    assert report.unchecked[1:] == [words]


def test_another_seed_begins_other_episodes() -> None:
    """In every part; but for small seeds, of what is asked whatever the seed."""
    given: list[set[int]] = []

    def reset(one: tiny.Tiny, seed: int) -> Any:
        given[-1].add(seed)
        return one.reset(seed)

    for seed in (1, 2):
        given.append(set())
        sides = [tiny.side(reset_one=reset), tiny.side(reset_one=reset, write=None)]
        verify(tiny.pair(sides[1], reference=sides[0]), transitions=32, resets=50, seed=seed)
    assert {seed for seed in given[0] & given[1] if seed >= 64} == set()
    assert [len({seed for seed in one if seed >= 64}) > 200 for one in given] == [True, True]


def test_an_accepted_difference_needs_a_reason() -> None:
    with refuses():
        Accepted("reward", " ")


def test_numbers_of_the_report_are_plain(honest: Report) -> None:
    import json

    assert json.loads(json.dumps(honest.to_dict()))["verdict"] == "same"
    assert np.isfinite(honest.field("height").growth or 1.0)
