"""What a judge hands to both sides, and what it calls wrong: field by field, case by case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity import Accepted, close, exact, integer
from parity.harness import cases as make
from parity.harness.compare import EQUAL, LOGIC, ROUNDING
from parity.harness.judge import NUDGE_ULPS, NUDGES, Evidence, Judge, check_names
from parity.harness.modes.played_port import play_port
from parity.harness.sides.side import OUTCOME
from tests.parity.harness.lander import pair
from tests.parity.harness.sides import tiny
from tests.sentences import refuses


def test_no_two_sets_of_cases_draw_from_the_same_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    one = pair()
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    seen: list[np.ndarray[Any, Any]] = []
    side = type(one.port)
    given: Callable[..., Any] = side.transition

    def transition(self: Any, state: Any, action: Any, seeds: Any, *more: Any) -> Any:
        if self is one.port:
            seen.append(np.asarray(seeds))
        return given(self, state, action, seeds, *more)

    monkeypatch.setattr(side, "transition", transition)
    sets = [judge.step(base.rows(np.arange(count))).seeds for count in (64, 10, 4, 64)]
    sets += [judge.next_seeds(3), judge.step(base).seeds]
    assert [len(set(seeds.tolist())) for seeds in sets] == [64, 10, 4, 64, 3, 64]
    assert len(set(np.concatenate(sets).tolist())) == 209
    handed = {tuple(seeds.tolist()) for seeds in seen}
    assert handed == {tuple(seeds.tolist()) for seeds in (*sets[:4], sets[5])}


def judged(port: Any = None, count: int = 64, **changes: Any) -> Evidence:
    one = tiny.pair(port, **changes)
    base = make.visited(one, count, 0)
    return Judge(one, base).step(base)


def found(evidence: Evidence) -> dict[str, int]:
    """Return in how many cases each field is wrong, of those that are."""
    counts = {name: int(evidence.wrong(name).sum()) for name in evidence.labels}
    return {name: count for name, count in counts.items() if count}


def shift(place: int, by: float) -> Any:
    def change(one: tiny.Tiny) -> None:
        one.levels[place] += by * one.levels[place]

    return change


def test_two_sides_that_are_the_same_are_equal_in_every_case() -> None:
    evidence = judged()
    assert found(evidence) == {}
    assert set(evidence.labels) == {
        *("levels", "count", "open", "obs.near", "obs.count"),
        *("reward", "terminated", "truncated"),
    }
    for one in evidence.labels.values():
        assert one.compared.all()
        assert not one.labels.any()


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize("by", [1e-9, -1e-9])
def test_a_small_number_beside_a_large_one_is_held_to_its_own_size(place: int, by: float) -> None:
    evidence = judged(tiny.side(tiny.changed(shift(place, by), lambda one: one.count == 3)))
    cases = int((evidence.native.reference.state["count"] == 3).sum())
    assert 0 < cases < 64
    assert found(evidence) == {"levels": cases, "obs.near": cases}


def test_a_flag_and_a_whole_number_are_held_case_by_case() -> None:
    def step(one: tiny.Tiny, action: Any) -> Any:
        out = one.step(action)
        one.open ^= one.count == 2
        return (*out[:2], out[2] ^ (one.count == 4), out[3], out[4])

    evidence = judged(tiny.side(step))
    counts = evidence.native.reference.state["count"]
    assert evidence.wrong("open").tolist() == (counts == 2).tolist()
    assert evidence.wrong("terminated").tolist() == (counts == 4).tolist()
    assert set(found(evidence)) == {"open", "terminated"}


class Whole:
    """Nothing with a fraction in it."""

    def __init__(self) -> None:
        self.count = 0

    def reset(self, seed: int) -> Any:
        self.count = seed % 5
        return np.int64(self.count)

    def step(self, action: int) -> Any:
        self.count += 1
        return np.int64(self.count), 0, self.count > 6, False, {}


def whole(extra: int) -> Any:
    def step(one: Whole, action: Any) -> Any:
        obs, *others = one.step(action)
        return obs + extra * (one.count == 4), *others

    def put(one: Whole, state: Any) -> None:
        one.count = int(state["count"])

    return tiny.side(step, Whole, read=lambda one: {"count": one.count}, write=put)


def test_sides_of_whole_numbers_alone_need_no_second_precision() -> None:
    state = {"count": integer(0, 6)}
    for extra in (0, 1):
        evidence = judged(whole(extra), reference=whole(0), state=state)
        assert evidence.double is None
        bad = (evidence.native.reference.state["count"] == 4) & bool(extra)
        assert evidence.wrong("obs").tolist() == bad.tolist()
        assert (evidence.labels["obs"].labels == LOGIC).tolist() == bad.tolist()


LABELS_OF = {
    "equal": (EQUAL, False, False, False),
    "rounding": (ROUNDING, False, False, False),
    "beyond": (ROUNDING, True, False, True),
    "logic": (LOGIC, False, False, True),
    "both": (LOGIC, True, False, True),
    "accepted logic": (LOGIC, False, True, False),
    "accepted beyond": (ROUNDING, True, True, False),
}
"""Label, beyond the bound, accepted -> wrong."""


def test_wrong_is_logic_or_beyond_the_bound_and_not_accepted() -> None:
    evidence = judged()
    labels, beyond, accepted, expected = (
        np.array(row) for row in zip(*LABELS_OF.values(), strict=True)
    )
    count = len(labels)
    held = evidence.labels["reward"]
    held.labels, held.beyond = labels, beyond
    evidence.accepted["reward"] = accepted
    assert evidence.wrong("reward").tolist() == expected.tolist()
    words = [evidence.label_of("reward", row) for row in range(count)]
    assert words == ["equal", *["rounding"] * 2, *["logic"] * 3, "rounding"]


def lacking(name: str) -> Any:
    return lambda one: {key: value for key, value in tiny.read(one).items() if key != name}


@pytest.mark.parametrize("which", ["reference", "port"])
def test_a_field_of_one_side_alone_and_another_shape_are_refused(which: str) -> None:
    for other in (
        lacking("open"),
        lambda one: {**tiny.read(one), "levels": one.levels[:1]},
        lambda one: {**tiny.read(one), "count": np.full(1, one.count)},
    ):
        with refuses():
            check_names(tiny.pair(**{which: tiny.side(read=other)}))
    check_names(tiny.pair())


def test_what_cannot_be_compared_is_named_with_the_reason() -> None:
    def showing(**changes: Any) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            obs, *others = one.step(action)
            obs = {**obs, **changes}
            return {name: value for name, value in obs.items() if value is not None}, *others

        return tiny.side(step)

    def skipped(mine: Any, theirs: Any) -> dict[str, str]:
        one = tiny.pair(theirs, reference=mine)
        base = make.visited(one, 16, 0)
        return Judge(one, base).skipped

    assert skipped(showing(), showing()) == {}
    assert skipped(showing(more=1), showing()) == {"obs.more": "only the reference has it"}
    assert skipped(showing(), showing(more=1)) == {"obs.more": "only the port has it"}
    assert skipped(showing(), showing(near=np.zeros(3))) == {
        "obs.near": "float64 of shape (2,) on the reference, float64 of shape (3,) on the port"
    }
    assert skipped(showing(), showing(near=np.zeros((2, 1)))) == {
        "obs.near": "float64 of shape (2,) on the reference, float64 of shape (2, 1) on the port"
    }
    assert skipped(showing(), showing(count=True)) == {
        "obs.count": "int64 of shape () on the reference, bool of shape () on the port"
    }
    assert skipped(showing(count=True), showing()) == {
        "obs.count": "bool of shape () on the reference, int64 of shape () on the port"
    }
    assert skipped(showing(), showing(count=np.int32(1))) == {}


@pytest.mark.parametrize("name", OUTCOME)
def test_an_outcome_that_cannot_be_compared_is_named_with_what_to_return(name: str) -> None:
    for sides in (
        {"port": tiny.returning(**{name: tiny.two})},
        {"reference": tiny.returning(**{name: tiny.two})},
    ):
        one = tiny.pair(**sides)
        why = Judge(one, make.visited(one, 16, 0)).skipped[name]
        dtype = "float64" if name == "reward" else "bool"
        forms = [
            f"{dtype} of shape {'(2,)' if side in sides else '()'}" for side in ("reference", "port")
        ]
        assert why.startswith(f"{forms[0]} on the reference, {forms[1]} on the port; return one ")
    both = tiny.pair(tiny.returning(**{name: tiny.two}), reference=tiny.returning(**{name: tiny.two}))
    skipped = Judge(both, make.visited(both, 16, 0)).skipped
    assert list(skipped) == ([] if name == "reward" else [name])  # of two ends there is none


def test_where_a_side_restarts_within_a_step_its_outcome_is_compared_all_the_same() -> None:
    def restarting(fault: bool) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            obs, reward, terminated, truncated, _ = one.step(action)
            ended = terminated or truncated
            told = {"final_obs": obs} if ended else {}
            if ended:
                obs = one.reset(one.count)
            return obs, reward + (fault and ended), terminated, truncated, told

        return tiny.side(step, hands_out_final=False)

    for fault in (False, True):
        evidence = judged(restarting(fault), count=512)
        ended = evidence.native.reference.ended
        assert ended.any()
        for name, one in evidence.labels.items():
            inside = name.partition(".")[0] in ("obs", "reward", "terminated", "truncated")
            assert one.compared.tolist() == (np.full(len(ended), inside) | ~ended).tolist(), name
        assert found(evidence) == ({"reward": int(ended.sum())} if fault else {})


def test_no_bound_on_rounding_holds_about_a_boundary_and_everywhere_else_it_does() -> None:
    def narrow(one: tiny.Tiny) -> None:
        one.levels = one.levels.astype(np.float32).astype(np.float64) * (1 + 1e-13)

    one = tiny.pair(tiny.side(tiny.changed(narrow)), rules={"levels": close(ulps=0)})
    base = make.visited(one, 48, 0)
    base.source = np.array(["visited", "drawn", "boundary"] * 16)
    evidence = Judge(one, base).step(base)
    held = base.source != "boundary"
    assert (evidence.labels["levels"].beyond == held).all()
    assert not evidence.labels["obs.near"].beyond.any()


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("levels", ("levels",)),
        (("levels", "obs"), ("levels", "obs.near")),
        ("obs.near", ("obs.near",)),
        (("level", "obs.nea", "ob"), ()),
        ("near", ()),
    ],
    ids=str,
)
def test_an_accepted_difference_covers_its_fields_in_its_cases_alone(
    what: Any, fields: tuple[str, ...]
) -> None:
    known = Accepted(what, "known", lambda before, action, after: before["count"] == 3)
    evidence = judged(tiny.side(tiny.changed(shift(1, 1e-3))), accepted=(known,))
    covered = evidence.native.state["count"] == 3
    assert 0 < covered.sum() < len(covered)
    for name in ("levels", "obs.near"):
        expected = ~covered if name in fields else np.ones(len(covered), bool)
        assert evidence.wrong(name).tolist() == expected.tolist()
    assert not evidence.accepted["reward"].any()


def test_two_accepted_differences_of_one_field_both_count() -> None:
    known = tuple(
        Accepted("levels", f"known at {at}", lambda before, action, after, at=at: before["count"] == at)
        for at in (1, 3)
    )
    for order in (known, known[::-1]):
        evidence = judged(accepted=order)
        counts = evidence.native.state["count"]
        assert evidence.accepted["levels"].tolist() == np.isin(counts, [1, 3]).tolist()


@pytest.mark.parametrize(
    "where", [lambda *_: True, lambda *_: np.ones(3, bool), lambda b, a, c: b["count"]]
)
def test_an_acceptance_that_says_no_flag_a_case_is_refused(where: Any) -> None:
    with refuses():
        judged(accepted=(Accepted("levels", "known", where),))


def test_a_rule_of_a_part_goes_before_the_rule_of_the_whole() -> None:
    rules = {"obs": close(ulps=5), "obs.near": close(ulps=1), "levels": exact()}
    one = tiny.pair(rules=rules)
    judge = Judge(one, make.visited(one, 16, 0))
    number, count = np.zeros(2), np.zeros(2, np.int64)
    assert judge.rule("obs.near", number, number) == close(ulps=1)
    assert judge.rule("obs.count", count, count) == close(ulps=5)
    assert judge.rule("levels", number, number) == exact()
    assert judge.rule("count", count, count) == exact()
    assert judge.rule("reward", number, count) == close()


def test_the_inputs_are_nudged_in_eight_ways_and_only_by_a_few_units() -> None:
    """What rounding may explain is seen only where the nudges are many and small."""
    given: list[Any] = []

    def put(one: tiny.Tiny, state: Any) -> None:
        given.append(np.array(state["levels"]))
        tiny.write(one, state)

    def single(one: tiny.Tiny) -> Any:
        return {**tiny.read(one), "levels": one.levels.astype(np.float32)}

    one = tiny.pair(tiny.side(read=single, write=put))
    base = make.visited(one, 16, 0)
    judge = Judge(one, base)
    judge.no_double = {"the port": "it is said to have none"}
    given.clear()
    evidence = judge.step(base)
    assert evidence.double is None
    first, *nudged = np.array(given).reshape(NUDGES + 1, 16, 2)
    off = (np.array(nudged) - first) / np.spacing(first)
    assert np.abs(off).max() == NUDGE_ULPS
    assert (off[..., 0] != off[..., 1]).mean() > 0.7  # each place by steps of its own
    assert set(np.unique(off)) == set(range(-NUDGE_ULPS, NUDGE_ULPS + 1))
    assert len(np.unique(np.array(nudged), axis=0)) == NUDGES
    assert found(evidence) == {}
    base.state["levels"][3] = [np.inf, np.nan]
    given.clear()
    judge.step(base)
    nudged = np.array(given).reshape(NUDGES + 1, 16, 2)
    assert np.array_equal(nudged[:, 3], np.tile([np.inf, np.nan], (NUDGES + 1, 1)), equal_nan=True)


def test_the_limit_of_double_precision_is_a_share_of_numbers_however_small() -> None:
    def small(by: float) -> Any:
        def step(one: tiny.Tiny, action: Any) -> Any:
            obs, *others = one.step(action)
            return {**obs, "small": 1e-6 * one.levels[1] * (1 + by)}, *others

        return tiny.side(step)

    for by in (1e-9, -1e-9):
        one = tiny.pair(small(by), reference=small(0))
        base = make.visited(one, 64, 0)
        judge = Judge(one, base)
        for _ in range(3):
            assert found(judge.step(base)) == {"obs.small": 64}


@pytest.mark.parametrize("alone", ["port", "reference", "neither"])
def test_a_whole_number_that_hangs_on_no_last_digit_is_logic_without_double_precision(
    alone: str,
) -> None:
    """Whichever side cannot be put in a state, so that the other one's inputs are nudged."""

    def read(one: tiny.Tiny) -> Any:
        return {**tiny.read(one), "levels": one.levels.astype(np.float32)}

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, *others = one.step(action)
        return {**obs, "count": obs["count"] + (one.count == 2)}, *others

    sides = {"port": tiny.side(step, read=read), "reference": tiny.side(read=read)}
    if alone in sides:
        sides[alone].write = None
    one = tiny.pair(**sides)
    base = play_port(one, 64, 0).cases if alone == "port" else make.visited(one, 64, 0)
    judge = Judge(one, base)
    judge.no_double = {"the port": "it is said to have none"}
    evidence = judge.step(base)
    assert evidence.double is None
    wrong = evidence.native.reference.state["count"] == 2
    assert (evidence.labels["obs.count"].labels == LOGIC).tolist() == wrong.tolist()
    assert wrong.any()
