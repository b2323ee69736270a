"""Verdicts are made of every set of cases that was stepped: counts, sizes, and what was accepted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity import Accepted, close
from parity.harness import cases as make
from parity.harness.compare import EQUAL, LOGIC, ROUNDING
from parity.harness.findings import FieldVerdict
from parity.harness.judge import Evidence, Judge
from parity.harness.modes.free_run import FreeRun
from parity.harness.sides.side import Moments
from parity.harness.verdicts import field_verdicts
from tests.parity.harness.sides import tiny
from tests.parity.harness.test_precision import side as narrow_side

COUNT = 32
NEVER = Accepted("levels", "covers nothing", lambda before, action, after: before["count"] < 0)


def evidence_of(parts: int = 3, **changes: Any) -> tuple[Judge, list[Evidence]]:
    """Return sets of cases of two sides that are the same."""
    one = tiny.pair(**changes)
    base = make.visited(one, COUNT, 0)
    judge = Judge(one, base)
    return judge, [judge.step(base) for _ in range(parts)]


def verdicts(judge: Judge, evidence: list[Evidence]) -> dict[str, FieldVerdict]:
    fields, smallest, _ = field_verdicts(judge, evidence, "", None, brief=True)
    assert not smallest
    return {one.name: one for one in fields}


def test_cases_of_every_set_are_counted_by_their_label() -> None:
    judge, evidence = evidence_of()
    rng = np.random.default_rng(0)
    for part in evidence:
        held = part.labels["levels"]
        held.labels = rng.choice([EQUAL, ROUNDING, LOGIC], COUNT).astype(np.int8)
        held.beyond = rng.random(COUNT) < 0.5
        held.compared = rng.random(COUNT) < 0.7
        part.accepted["levels"] = rng.random(COUNT) < 0.3
    one = verdicts(judge, evidence)["levels"]
    rows = [
        (int(held.labels[n]), bool(held.beyond[n]), bool(part.accepted["levels"][n]))
        for part in evidence
        for held in [part.labels["levels"]]
        for n in range(COUNT)
    ]
    assert one.compared == sum(int(part.labels["levels"].compared.sum()) for part in evidence)
    assert one.rounding == sum(label == ROUNDING for label, _, _ in rows)
    assert one.logic == sum(label == LOGIC and not known for label, _, known in rows)
    assert one.beyond == sum(label != LOGIC and far and not known for label, far, known in rows)
    assert one.accepted == sum((label == LOGIC or far) and known for label, far, known in rows)
    assert {name for name, held in verdicts(judge, evidence).items() if not held.passed} == {"levels"}


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize(
    ("label", "beyond", "accepted", "expected", "passed"),
    [
        (LOGIC, False, False, "logic", False),
        (LOGIC, True, False, "logic", False),
        (LOGIC, False, True, "accepted", True),
        (ROUNDING, True, True, "accepted", True),
        (ROUNDING, False, False, "rounding", True),
        (ROUNDING, True, False, "rounding", False),
        (EQUAL, False, True, "equal", True),
        (EQUAL, False, False, "equal", True),
    ],
)
def test_one_case_of_one_set_decides(
    part: int, label: int, beyond: bool, accepted: bool, expected: str, passed: bool
) -> None:
    judge, evidence = evidence_of(accepted=(NEVER,))
    held = evidence[part].labels["levels"]
    held.labels[5], held.beyond[5] = label, beyond
    evidence[part].accepted["levels"][5] = accepted
    one = verdicts(judge, evidence)["levels"]
    assert (one.verdict, one.passed) == (expected, passed)


def test_a_case_that_is_not_accepted_fails_beside_many_that_are() -> None:
    judge, evidence = evidence_of(accepted=(NEVER,))
    for part in evidence:
        part.labels["levels"].labels[:] = LOGIC
        part.accepted["levels"][:] = True
    evidence[1].accepted["levels"][7] = False
    one = verdicts(judge, evidence)["levels"]
    assert (one.verdict, one.logic, one.accepted) == ("logic", 1, 3 * COUNT - 1)


def test_the_largest_rounding_is_that_of_any_set_and_of_no_flipped_case() -> None:
    judge, evidence = evidence_of()
    for number, size in enumerate((2e-9, 5e-9, 3e-9)):
        held = evidence[number].labels["levels"]
        held.labels[number], held.apart[number], held.ulps[number] = ROUNDING, size, number + 1
        held.labels[9], held.apart[9] = ROUNDING, 1.0
        evidence[number].labels["open"].labels[9] = ROUNDING  # a threshold was met from another side
        held.labels[10], held.apart[10] = LOGIC, 2.0
        evidence[number].cases.source = np.array(["visited"] * 11 + ["boundary"] * (COUNT - 11))
        held.labels[20], held.apart[20] = ROUNDING, 1.0
    one = verdicts(judge, evidence)["levels"]
    assert (one.largest, one.largest_ulps) == (5e-9, 2)
    assert one.largest_at["levels"] == evidence[1].native.state["levels"][1].tolist()


def test_a_difference_in_last_steps_alone_is_of_the_contract_and_any_other_is_logic() -> None:
    judge, evidence = evidence_of()
    part = evidence[1]
    ends = np.arange(COUNT) >= COUNT - 4
    for arm in (part.native, part.double):
        assert arm is not None
        for steps in (arm.reference, arm.port):
            steps.outcome["truncated"] = ends
    for name in ("reward", "terminated", "truncated", "levels", "obs.near"):
        part.labels[name].labels[-2] = LOGIC
    found = verdicts(judge, evidence)
    for name in ("reward", "terminated", "truncated"):
        assert (found[name].verdict, found[name].passed) == ("contract", False)
    assert found["levels"].verdict == "logic"  # a state is not about how episodes end
    assert found["obs.near"].verdict == "logic"
    steps = evidence[2].native.port
    steps.restart = Moments({}, {"obs.near": np.zeros((COUNT, 2))})
    assert verdicts(judge, evidence)["obs.near"].verdict == "contract"  # it hands out another episode's
    assert verdicts(judge, evidence)["levels"].verdict == "logic"
    steps.restart.obs["final terminated"] = np.zeros(COUNT, bool)
    assert verdicts(judge, evidence)["obs.near"].verdict == "logic"  # and is stepped without it, too
    evidence[2].labels["reward"].labels[0] = LOGIC
    assert verdicts(judge, evidence)["reward"].verdict == "logic"


def at(count: int) -> Any:
    return lambda before, action, after: before["count"] == count


@pytest.mark.parametrize("part", range(3))
def test_an_acceptance_is_used_where_it_covers_what_is_wrong(part: int) -> None:
    known = (
        Accepted("levels", "one", at(0)),
        Accepted("levels", "two", at(1)),
        Accepted("obs", "three"),
    )
    judge, evidence = evidence_of(accepted=known)
    row = int(np.flatnonzero(evidence[part].native.state["count"] == 1)[0])
    evidence[part].labels["levels"].labels[row] = LOGIC
    fields, _, used = field_verdicts(judge, evidence, "", None, brief=True)
    assert used == [known[1]]
    assert [(one.name, one.why) for one in fields if one.accepted] == [("levels", "two")]


@pytest.mark.parametrize("double", [True, False])
def test_an_acceptance_is_seen_in_the_precision_that_judges(double: bool) -> None:
    known = tuple(
        Accepted(
            "levels",
            reason,
            lambda before, *_, kind=kind: np.full(COUNT, before["levels"].dtype == kind),
        )
        for reason, kind in (("wide", np.float64), ("narrow", np.float32))
    )
    sides = {"reference": narrow_side(False, -1), "port": narrow_side(not double, -1)}
    judge, evidence = evidence_of(2, accepted=known, **sides)
    assert (evidence[0].double is not None) == double
    evidence[1].labels["levels"].labels[7] = LOGIC
    fields, _, used = field_verdicts(judge, evidence, "", None, brief=True)
    assert [one.reason for one in used] == ["wide" if double else "narrow"]
    assert {one.name: one.why for one in fields if one.accepted} == {"levels": used[0].reason}


def test_of_several_fields_each_tells_the_reasons_that_were_seen_in_it() -> None:
    known = (
        Accepted(("levels", "count"), "one", at(0)),
        Accepted(("levels", "count"), "two", at(1)),
        Accepted("levels", "three", at(0)),
        Accepted("count", "four", at(9)),
    )
    judge, evidence = evidence_of(accepted=known)
    counts = evidence[0].native.state["count"]
    for name, seen in (("levels", [0]), ("count", [0, 1])):
        evidence[0].labels[name].labels[np.isin(counts, seen)] = LOGIC
    fields, _, used = field_verdicts(judge, evidence, "", None, brief=True)
    assert {one.name: one.why for one in fields if one.accepted} == {
        "levels": "one; three",
        "count": "one; two",
    }
    assert used == [known[0], known[2], known[1]]


def test_an_accepted_whole_is_seen_in_its_part_where_rounding_goes_beyond_its_bound() -> None:
    known = (
        Accepted("obs", "whole", at(1)),
        Accepted("obs.near", "part", at(2)),
        Accepted("near", "no name"),
        Accepted("obs.count", "another part"),
    )
    judge, evidence = evidence_of(accepted=known)
    row = int(np.flatnonzero(evidence[2].native.state["count"] == 1)[0])
    evidence[2].labels["obs.near"].labels[row] = ROUNDING
    fields, _, used = field_verdicts(judge, evidence, "", None, brief=True)
    assert used == []  # within its bound nothing is to be accepted
    evidence[2].labels["obs.near"].beyond[row] = True
    fields, _, used = field_verdicts(judge, evidence, "", None, brief=True)
    assert used == [known[0]]
    assert {one.name: one.why for one in fields if one.accepted} == {"obs.near": "whole"}


def test_every_field_tells_its_rule_its_types_its_growth_and_its_smallest_case() -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, *others = one.step(action)
        one.open ^= one.count == 2
        obs = {**obs, "near": np.float32(one.levels), "far": np.zeros(3), "more": 1}
        return obs, reward + (one.count == 4), *others

    def shown(one: tiny.Tiny, action: Any) -> Any:
        obs, *others = one.step(action)
        return {**obs, "far": np.zeros(2, np.float32)}, *others

    def read(one: tiny.Tiny) -> Any:
        return {**tiny.read(one), "count": np.float32(one.count)}

    port, rules = tiny.side(step, read=read), {"levels": close(3, 0.5), "obs": close(9)}
    one = tiny.pair(port, reference=tiny.side(shown), rules=rules)
    base = make.visited(one, 64, 0)
    judge = Judge(one, base, frozenset({"count"}))
    evidence = [judge.step(base)]
    run = FreeRun(9, 4, 30, growth={"reward": 1.25, "levels": 1.5, "count": 2.0})
    fields, smallest, used = field_verdicts(judge, evidence, "some:pair", run)
    told = {f.name: (f.verdict, f.rule, f.dtypes, f.growth, f.compared, f.why) for f in fields}
    float64, both = ("float64", "float64"), ("float64", "float32")
    rounding = "equal but for rounding"
    assert told == {
        "levels": ("equal", f"{rounding} within 3 ulps or 0.5", float64, 1.5, 64, ""),
        "count": ("drawn", rounding, ("int64", "float32"), None, 0, ""),
        "open": ("logic", "equal", ("bool", "bool"), None, 64, ""),
        "obs.near": ("equal", f"{rounding} within 9 ulps or 0", both, None, 64, ""),
        "obs.count": ("equal", f"{rounding} within 9 ulps or 0", ("int64", "int64"), None, 64, ""),
        "reward": ("logic", rounding, float64, 1.25, 64, ""),
        "terminated": ("equal", "equal", ("bool", "bool"), None, 64, ""),
        "truncated": ("equal", "equal", ("bool", "bool"), None, 64, ""),
        "obs.far": (
            *("not compared", "", ("float32", "float64"), None, 0),
            "float32 of shape (2,) on the reference, float64 of shape (3,) on the port",
        ),
        "obs.more": ("not compared", "", ("", ""), None, 0, "only the port has it"),
    }
    assert used == []
    assert {tuple(case.reference) for case in smallest} == {("open",), ("reward",)}
    assert all(case.command.startswith("envparity case some:pair --state ") for case in smallest)
    for found in fields:
        wrong = found.name in ("open", "reward")
        case = next((case for case in smallest if list(case.reference) == [found.name]), None)
        assert found.smallest is case
        assert (case is not None) == wrong
    assert field_verdicts(judge, evidence, "some:pair", run, brief=True)[1] == []
    assert [case.command for case in field_verdicts(judge, evidence, "", None)[1]] == ["", ""]


def test_one_last_field_that_is_wrong_has_its_smallest_case() -> None:
    judge, evidence = evidence_of(1)
    assert field_verdicts(judge, evidence, "", None)[1] == []
    evidence[0].labels["truncated"].labels[30] = LOGIC
    (case,) = field_verdicts(judge, evidence, "", None)[1]
    assert list(case.reference) == ["truncated"]
    assert case.state["levels"] == evidence[0].native.state["levels"][30].tolist()


def test_a_flipped_whole_number_tells_nothing_of_how_far_rounding_goes() -> None:
    judge, evidence = evidence_of(1)
    held = evidence[0].labels
    held["levels"].labels[[4, 6]], held["levels"].apart[[4, 6]] = ROUNDING, [3.0, 2.0]
    held["levels"].ulps[[4, 6]] = [5.0, 4.0]
    held["count"].labels[4] = ROUNDING  # a whole number is another there
    held["obs.near"].labels[6] = ROUNDING  # and here only one with a fraction
    one = verdicts(judge, evidence)["levels"]
    assert (one.largest, one.largest_ulps) == (2.0, 4.0)
    assert one.largest_at == {
        name: value[6].tolist() for name, value in evidence[0].native.state.items()
    }


def test_a_field_that_no_case_let_be_compared_is_not_called_equal() -> None:
    judge, evidence = evidence_of()
    for part in evidence:
        part.labels["levels"].compared[:] = False
    found = verdicts(judge, evidence)
    assert (found["levels"].verdict, found["levels"].compared) == ("unseen", 0)
    assert {one.verdict for name, one in found.items() if name != "levels"} == {"equal"}
    evidence[2].labels["levels"].compared[3] = True
    assert verdicts(judge, evidence)["levels"].verdict == "equal"
