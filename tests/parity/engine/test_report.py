"""Verdicts, sums and JUnit of reports made by hand: nothing that failed is lost among what passed."""

from __future__ import annotations

from collections import Counter
from itertools import product
from typing import Any
from xml.etree import ElementTree

import jax
import numpy as np
import pytest

from parity.engine.compare import Comparison
from parity.engine.diverge import Divergence
from parity.engine.measure import of_error
from parity.engine.page import render
from parity.engine.report import DIFFERENT, SAME, UNSEEN, FileLines, Report
from parity.engine.verify import CheckResult, Mismatch

KINDS = ("replay", "generated", "restart")
FAILINGS: dict[str, dict[str, Any]] = {
    "a number": {"fields": {"obs": Comparison(compared=4, mismatches=3)}},
    "a measure": {"measures": {"weights": of_error(2.0, 1.0, 3, "a bias")}},
    "no number": {"measures": {"weights": of_error(float("nan"), 1.0, 3, "a bias")}},
    "a place": {"first": Mismatch(2, 5, "restarted", (), 1.0, 0.0)},
    "not carried out": {"error": "there is no such field"},
}
"""Ways in which a check fails, and what each leaves in its result."""
COUNTED = {"a number": 3, "a measure": 1, "no number": 1, "a place": 0, "not carried out": 0}


def passing(kind: str, world: str = "north", compared: int = 10) -> CheckResult:
    """Return a check that passed."""
    fields = {name: Comparison(compared=5) for name in ("obs", "reward", "masks")}
    notes = {"episodes": 4, "reward_deviation_max": 0.25}
    return CheckResult(kind, world, compared, fields, notes=notes, coverage=Counter(bought=1))


def failing(kind: str, why: str) -> CheckResult:
    """Return a check that failed in one way."""
    notes = {"episodes": 4, "reward_deviation_max": 0.25}
    return CheckResult(kind, "north", 10, notes=notes, **FAILINGS[why])


def report(checks: list[CheckResult], *required: str) -> Report:
    """Return a report of these checks."""
    return Report("title", 0, "jitted", [], checks, frozenset(required))


@pytest.mark.parametrize("why", FAILINGS)
def test_one_check_that_failed_makes_the_verdict_wherever_it_stands(why: str) -> None:
    for place, kind in product(range(4), KINDS):
        checks = [passing(other) for other in KINDS]
        checks.insert(place, failing(kind, why))
        found = report(checks, "never taken")
        assert found.verdict == DIFFERENT
        summary = found.summary()
        assert (summary["failed_checks"], summary["mismatches"]) == (1, COUNTED[why])
        assert found.to_dict()["verdict"] == DIFFERENT
        suite = ElementTree.fromstring(found.to_junit())
        failed = [case.get("name") for case in suite if case.find("failure") is not None]
        assert failed == [f"{kind}[north]", "coverage"]
        assert (suite.get("tests"), suite.get("failures")) == ("5", "2")


def test_what_had_to_be_seen_and_was_not_makes_no_verdict_of_same() -> None:
    checks = [passing(kind) for kind in KINDS]
    assert report(checks, "bought").verdict == SAME
    for counts in ({}, {"sold": 0}, {"sold": 0, "held": 0}):
        checks[1].coverage = Counter(counts)
        found = report(checks, "bought", "sold", "held")
        assert (found.verdict, found.missing) == (UNSEEN, ["held", "sold"])
        assert found.to_dict()["missing"] == ["held", "sold"]
        assert found.to_dict()["required"] == ["bought", "held", "sold"]
        case = ElementTree.fromstring(found.to_junit())[-1]
        failure = case.find("failure")
        assert failure is not None
        assert (case.get("name"), failure.get("message")) == ("coverage", "never seen: held, sold")
    assert report(checks, *"hgfedcba").missing == list("abcdefgh")
    checks[2].coverage = Counter(sold=1, held=2)
    assert report(checks, "bought", "sold", "held").verdict == SAME


def test_a_comparison_of_nothing_is_no_verdict_of_same() -> None:
    assert report([]).verdict == UNSEEN
    nothing = CheckResult("replay", "north", 0, {"obs": Comparison()})
    assert report([nothing, nothing]).verdict == UNSEEN
    assert report([nothing, passing("replay")]).verdict == SAME


def test_how_often_a_branch_was_taken_is_added_up() -> None:
    checks = [passing(kind) for kind in KINDS]
    checks[0].coverage["sold"] = 2
    checks[1].coverage["sold"] = 5
    checks[2].coverage["held"] = 0
    found = report(checks)
    assert found.coverage == {"bought": 3, "sold": 7}
    assert found.to_dict()["coverage"] == {"bought": 3, "sold": 7}


def test_the_numbers_at_the_head_are_those_of_the_checks() -> None:
    checks = [
        passing(kind, compared=10**power)
        for power, kind in enumerate(("replay", "replay", "generated", "generated", "restart"))
    ]
    for number, check in enumerate(checks):
        check.fields["obs"].max_ulps = (1, 7, 2, 3, 0)[number]
        check.fields["reward"].max_ulps = (0, 2, 9, 1, 4)[number]
        check.notes["reward_deviation_max"] = (0.25, 0.125, 5.0, 5.0, 5.0)[number]
        check.notes["episodes"] = 2**number
    checks.append(CheckResult("learner", "north", 10**5, measures={"weights": of_error(0.5, 1.0, 9)}))
    summary = report(checks).summary()
    assert summary == {
        "episodes": 3,
        "replayed_transitions": 11,
        "generated_transitions": 1100,
        "numbers_compared": 5 * 15 + 9,
        "mismatches": 0,
        "failed_checks": 0,
        "max_ulps_obs": 7,
        "max_ulps_reward": 9,
        "reward_deviation_max": 0.25,
        "relative_errors": {"weights": {"largest": 0.5, "limit": 1.0}},
    }


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("largest", [0.5, 3.0, float("inf"), float("nan")])
def test_the_largest_error_of_all_checks_is_told(place: int, largest: float) -> None:
    errors = [0.25, 0.25, 0.25]
    errors[place] = largest
    checks = [
        CheckResult("learner", "north", 1, measures={"m": of_error(error, 1.0, 2)}) for error in errors
    ]
    told = report(checks).summary()["relative_errors"]["m"]
    assert told["largest"] == pytest.approx(largest, nan_ok=True)
    for check, error in zip(checks, errors, strict=True):  # and no check is changed by it
        assert check.measures["m"] == of_error(check.measures["m"].error, 1.0, 2)
        assert check.measures["m"].error == pytest.approx(error, nan_ok=True)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("near", [1.9e-5, 3e-5, float("inf"), float("nan")])
def test_of_one_name_with_two_limits_the_nearest_to_its_own_is_told(first: bool, near: float) -> None:
    told = [(2.5e-5, 1e-4), (near, 2e-5)]  # which is larger than one that is nearer to its own
    checks = [
        CheckResult(f"learner {number}", "north", 1, measures={"gradients": of_error(error, limit, 2)})
        for number, (error, limit) in enumerate(told if first else told[::-1])
    ]
    seen = report(checks).summary()["relative_errors"]["gradients"]
    assert seen == {"largest": pytest.approx(near, nan_ok=True), "limit": 2e-5}


FAR = {
    name: of_error(error, 1.0, 1, name)
    for name, error in (("a", 9.0), ("b", 0.1), ("c", 2.0), ("d", 3.0))
}


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"error": "no field", "first": Mismatch(0, 0, "obs", (), 1, 2)}, "no field"),
        ({"error": "no field", "measures": FAR}, "no field"),
        (
            {"first": Mismatch(2, 5, "obs", (1, 0), 1.5, 2.5)},
            "obs[1, 0]: reference 1.5, port 2.5 at episode 2, step 5",
        ),
        (
            {"first": Mismatch(2, 0, "held", (), True, False)},
            "held: reference True, port False at episode 2, step 0",
        ),
        ({"first": Mismatch(2, -1, "held", (), 3, 4)}, "held: reference 3, port 4 at episode 2"),
        ({"fields": {"obs": Comparison(compared=4, mismatches=3)}}, "3 numbers differ"),
        (
            {"measures": {"near": of_error(0.5, 1.0, 1), "far": of_error(2.0, 1.0, 1, "a bias")}},
            "far: error 2, 1 allowed (a bias)",
        ),
        ({"measures": FAR}, "a: error 9, 1 allowed, and 2 more (a)"),
    ],
)
def test_a_failure_says_what_and_where(result: dict[str, Any], told: str) -> None:
    check = CheckResult("replay", "north", 1, **result)
    [case, _] = ElementTree.fromstring(report([check]).to_junit())
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == told


@pytest.mark.parametrize(
    ("name", "lane", "step", "place"),
    [
        ("data", 1200, -1, " at bar 1,200"),
        ("restart", 3, -1, " at episode 3"),
        ("generated", 4, 0, " at case 4, step 0"),
        ("restart after a generated case", 4, -1, " at case 4"),
        ("forbidden is hold, port", 4, 0, " at case 4, step 0"),
        ("no look-ahead, reference", 4, 0, " at case 4, step 0"),
        ("mirror, port", 4, 9, " at episode 4, step 9"),
        ("invariants, reference", 4, 9, " at episode 4, step 9"),
        ("learner, trainer's program", 1, 9, " at update 1, step 9"),
        ("learner decisions", 5, -1, " at case 5"),
        ("learner draws", 1, 2, " at update 1, step 2"),
        ("learner draws", 0, -1, ""),
        ("reset draws", 9, -1, " at draw 9"),
        ("independent draws", 0, -1, ""),
        ("random bits at scale", 0, -1, ""),
        ("orders at scale", 0, -1, ""),
    ],
)
def test_a_lane_is_called_what_it_is_in_every_kind_of_check(
    name: str, lane: int, step: int, place: str
) -> None:
    """In the text for other programs, and on the page."""
    check = CheckResult(name, "north", 1, first=Mismatch(lane, step, "held", (), 3, 4))
    [case, _] = ElementTree.fromstring(report([check]).to_junit())
    assert case[0].get("message") == f"held: reference 3, port 4{place}"
    assert f"held: reference 3, port 4{place}</" in render(report([check]).to_dict())
    rare = CheckResult(name, "north", 1, first=Mismatch(7, -1, "draws of a start", (), 3, 4))
    [case, _] = ElementTree.fromstring(report([rare]).to_junit())
    assert str(case[0].get("message")).endswith("port 4 at start 7")


@pytest.mark.parametrize(
    ("able", "ran", "never"),
    [
        ((), (), []),
        ((1, 2, 3), (1, 2, 3), []),
        ((1, 2, 3), (), [[1, 3]]),
        ((1, 5, 9), (5,), [[1, 1], [9, 9]]),
        ((1, 2, 5, 7, 8, 9), (1, 7), [[2, 5], [8, 9]]),
        ((1, 2, 3, 4), (2, 3), [[1, 1], [4, 4]]),
    ],
)
def test_lines_that_never_ran_are_told_as_ranges(
    able: tuple[int, ...], ran: tuple[int, ...], never: list[list[int]]
) -> None:
    lines = FileLines(frozenset(able), frozenset(ran))
    assert lines.to_dict() == {"lines": len(able), "ran": len(ran), "never": never}
    nothing = FileLines(frozenset(), frozenset())
    assert lines.merge(nothing) == nothing.merge(lines) == lines


def test_lines_that_one_or_the_other_ran_were_run() -> None:
    one, two = (
        FileLines(frozenset((1, 2, 3)), frozenset((1,))),
        FileLines(frozenset((2, 9)), frozenset((9,))),
    )
    assert one.merge(two) == FileLines(frozenset((1, 2, 3, 9)), frozenset((1, 9)))


def test_what_compared_nothing_passes_in_no_test_case() -> None:
    nothing, rows = CheckResult("restart", "south", 0, {"obs": Comparison()}), CheckResult("z", "w", 3)
    for checks, required, lack, skipped in (
        ([], (), "no number was compared", []),
        ([nothing], (), "no number was compared", ["restart[south]"]),
        ([nothing, rows], (), "no number was compared", ["restart[south]"]),
        ([nothing], ("sold",), "never seen: sold", ["restart[south]"]),
        ([passing("replay"), nothing], (), None, ["restart[south]"]),
        ([failing("restart", "a place")], (), "no number was compared", []),
    ):
        made = report(checks, *required)
        suite = ElementTree.fromstring(made.to_junit())
        coverage = suite[-1].find("failure")
        assert (None if coverage is None else coverage.get("message")) == lack
        assert [case.get("name") for case in suite if case.find("skipped") is not None] == skipped
        assert suite.get("skipped") == str(len(skipped))
        failed = sum(case.find("failure") is not None for case in suite)
        assert suite.get("failures") == str(failed)
        assert (made.verdict == SAME) == (failed == 0)


def test_control_characters_of_names_and_errors_are_escaped_in_xml() -> None:
    check = CheckResult("replay", "north\x1b", 1, error="no field\x00 called\nthis")
    [case, _] = ElementTree.fromstring(report([check]).to_junit())
    failure = case.find("failure")
    assert failure is not None
    assert (case.get("name"), failure.get("message")) == (
        "replay[north\\x1b]",
        "no field\\x00 called\\nthis",
    )


def test_a_report_s_values_are_told_whole() -> None:
    checks = [passing("replay", "south", 7), passing("generated", "north", 11)]
    checks[0].coverage = Counter(sold=4, bought=2, held=0)
    checks[1].coverage = Counter(bought=5)
    lines = {
        "b.py": FileLines(frozenset((1, 2, 5)), frozenset((1,))),
        "a.py": FileLines(frozenset((3, 4)), frozenset((4,))),
    }
    worlds = [{"name": "south", "bars": 3}, {"name": "north", "bars": 4}]
    made = Report(
        "a title", 5, "jitted", worlds, checks, frozenset(("sold", "flown", "bought")), [],
        {"cases": 9}, 12.34, lines,
    )  # fmt: skip
    told = made.to_dict()
    about = told.pop("made")
    assert told.pop("summary") == made.summary()
    assert told == {
        "title": "a title",
        "verdict": UNSEEN,
        "worlds": worlds,
        "checks": [check.to_dict() for check in checks],
        "coverage": {"bought": 7, "sold": 4},
        "required": ["bought", "flown", "sold"],
        "missing": ["flown"],
        "lines": {
            "a.py": {"lines": 2, "ran": 1, "never": [[3, 3]]},
            "b.py": {"lines": 3, "ran": 1, "never": [[2, 5]]},
        },
        "divergences": [],
    }
    assert list(told["coverage"]) == ["bought", "sold"]
    assert list(told["lines"]) == ["a.py", "b.py"]
    assert {name: about[name] for name in ("seconds", "seed", "form", "settings", "platform")} == {
        "seconds": 12.3,
        "seed": 5,
        "form": "jitted",
        "settings": {"cases": 9},
        "platform": jax.default_backend(),
    }
    named = ("python", "jax", "jaxlib", "numpy", "flax", "pandas", "gymnasium", "hypothesis")
    assert tuple(about["versions"]) == named
    assert about["versions"]["numpy"] == np.__version__
    assert set(about["flags"]) >= {"jax_enable_x64", "XLA_FLAGS"}
    assert set(about) == {
        *("when", "seconds", "seed", "form", "device", "platform", "flags", "versions", "settings")
    }


def test_divergences_are_told_as_findings() -> None:
    def seen(field: str, world: str) -> Divergence:
        first = Mismatch(0, 1, field, (), 1, 2)
        return Divergence("replay", world, 0, 1, first, "logic", [world], {}, "", [], {}, "")

    made = report([failing("replay", "a number")])
    made.divergences = [seen("a", "one"), seen("b", "two"), seen("a", "three")]
    told = made.to_dict()["divergences"]
    assert [(one["world"], one["actions"], one["seen"]["worlds"]) for one in told] == [
        ("one", ["one"], ["one", "three"]),
        ("two", ["two"], ["two"]),
    ]


@pytest.mark.parametrize("deviations", [(0.5, 0.25, 0.125), (0.25, 0.5, 0.125), (0.125, 0.25, 0.5)])
def test_the_largest_deviation_of_all_replays_is_told(deviations: tuple[float, ...]) -> None:
    checks = [passing("replay", world) for world in "abc"]
    for check, deviation in zip(checks, deviations, strict=True):
        check.notes["reward_deviation_max"] = deviation
    assert report(checks).summary()["reward_deviation_max"] == 0.5
    for check in checks:
        kept = check.notes["reward_deviation_max"]
        check.notes["reward_deviation_max"] = float("nan")
        assert np.isnan(report(checks).summary()["reward_deviation_max"])
        check.notes["reward_deviation_max"] = kept
    assert report([passing("restart")]).summary()["reward_deviation_max"] == 0.0


def test_a_test_case_s_name_holds_check_and_world_and_each_failure_its_own_words() -> None:
    checks = [
        passing("replay", "north"),
        failing("restart", "a place"),
        failing("x, port", "a measure"),
    ]
    checks[2].world = "south"
    suite = ElementTree.fromstring(report(checks, "flown").to_junit())
    assert (suite.tag, suite.attrib) == (
        "testsuite",
        {"name": "parity", "tests": "4", "failures": "3", "skipped": "0"},
    )
    told = [(case.attrib, [(inner.tag, inner.attrib) for inner in case]) for case in suite]
    place = "restarted: reference 1.0, port 0.0 at episode 2, step 5"
    far = "weights: error 2, 1 allowed (a bias)"
    assert told == [
        ({"classname": "parity", "name": "replay[north]"}, []),
        ({"classname": "parity", "name": "restart[north]"}, [("failure", {"message": place})]),
        ({"classname": "parity", "name": "x, port[south]"}, [("failure", {"message": far})]),
        ({"classname": "parity", "name": "coverage"}, [("failure", {"message": "never seen: flown"})]),
    ]


def test_a_check_that_failed_before_it_compared_anything_failed() -> None:
    for why, values in FAILINGS.items():
        check = CheckResult("restart", "south", 0, **values)
        made = report([passing("replay"), check, passing("generated")])
        assert (made.verdict, made.summary()["failed_checks"]) == (DIFFERENT, 1), why
        suite = ElementTree.fromstring(made.to_junit())
        assert (suite.get("failures"), suite.get("skipped")) == ("1", "0")


def test_every_check_of_nothing_is_skipped() -> None:
    nothing = [CheckResult("restart", world, 0, {"obs": Comparison()}) for world in "abc"]
    suite = ElementTree.fromstring(report([*nothing, passing("replay")]).to_junit())
    assert suite.get("skipped") == "3"
    skipped = [case.find("skipped") for case in suite]
    assert [one is not None for one in skipped] == [True, True, True, False, False]
    assert {one.get("message") for one in skipped if one is not None} == {"nothing was compared"}
