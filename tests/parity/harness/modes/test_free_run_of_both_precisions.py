"""Free runs in both precisions: what is measured in each, and sides that play by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.judge import Judge
from parity.harness.modes.free_run import LANES, _growth, _jump, free_run
from parity.harness.modes.played_port import play_port
from parity.harness.sides.side import Moments, Steps
from parity.harness.trees import Fields
from tests.parity.harness.modes.test_free_run import judge_of
from tests.parity.harness.sides import tiny

STEPS = 5


class Told:
    """A side that shows what it was told to, in each precision something else."""

    can_write = True

    def __init__(self, native: Fields, double: Fields | None = None) -> None:
        self.runs = {False: native, True: native if double is None else double}
        self.asked = list[tuple[list[int], bool]]()
        self.ends = {False: STEPS, True: STEPS}

    def reset(self, seeds: Any) -> Moments:
        self.begun = [int(seed) for seed in seeds]
        return Moments({name: np.zeros_like(value[0]) for name, value in self.runs[False].items()}, {})

    def spaces(self) -> dict[str, None]:
        return {"action": None}

    def lanes(self, seeds: Any, state: Any, double: bool) -> Any:
        self.asked.append(([int(seed) for seed in seeds], double))
        self.at, self.double = 0, double
        return self

    def advance(self, action: Fields, seeds: Any) -> Steps:
        now, self.at = self.at, self.at + 1
        state = {name: value[now] for name, value in self.runs[self.double].items()}
        ends = np.full(LANES, self.at >= self.ends[self.double])
        outcome = {"reward": state["x"][:, 0] * 0.5, "terminated": ends, "truncated": ends & False}
        return Steps(state, {"obs": state["x"] * 2.0}, outcome, np.ones(LANES, bool))


def fields(seed: int = 0) -> Fields:
    return {"x": np.random.default_rng(seed).uniform(1, 2, (STEPS, LANES, 2)) * [1.0, 100.0]}


def off(given: Fields, by: Any) -> Fields:
    """Return fields of which numbers at (step, lane, place) are off."""
    values = given["x"].copy()
    for place, amount in by.items():
        values[place] += amount
    return {"x": values}


def test_the_largest_difference_of_each_step_is_a_share_of_the_largest_number_of_all_steps() -> None:
    plain = fields()
    wide = off(plain, {(1, 3, 0): 1000.0 - plain["x"][1, 3, 0]})
    by = {(0, 2, 0): 1e-4, (0, 9, 1): -3e-4, (2, 15, 1): 7e-4, (4, 0, 0): 2e-4}
    mine, theirs = Told(wide, plain), Told(off(wide, by), plain)
    run = free_run(judge_of(mine, theirs, fractions=True), 0, STEPS)
    assert list(run.largest) == ["x"]  # what is made of the state is not measured again
    assert run.largest["x"] == pytest.approx([3e-7, 0, 7e-7, 0, 2e-7], rel=1e-6)
    assert (run.apart, run.growth) == ("", {})
    assert (run.steps, run.compared, run.episodes) == (STEPS, 2 * STEPS * LANES, LANES)
    assert run.to_dict() == {
        "steps": 5,
        "episodes": 16,
        "compared": 160,
        "largest": run.largest,
        "growth": {},
        "apart": "",
    }


def test_each_precision_is_run_once_from_sixteen_seeds_and_none_in_double_where_a_side_lacks_it() -> (
    None
):
    mine, theirs = Told(fields(), off(fields(), {(0, 0, 0): 1.0})), Told(fields())
    judge = judge_of(mine, theirs, fractions=True)
    apart = free_run(judge, 0, STEPS).apart
    assert apart.startswith("x comes apart within step 1 of an episode, by ")
    for side in (mine, theirs):
        assert [double for _, double in side.asked] == [False, True]
        assert [seeds for seeds, _ in side.asked] == [mine.begun] * 2
    assert len(set(mine.begun)) == LANES
    first = mine.begun
    free_run(judge, 1, STEPS)
    assert not set(first) & set(mine.begun)
    for lacking in ("the reference", "the port"):
        mine.asked.clear()
        judge.no_double = {lacking: "why"}
        run = free_run(judge, 0, STEPS)
        assert (run.apart, run.growth, run.compared) == ("", {}, STEPS * LANES)
        assert [double for _, double in mine.asked] == [False]
        # of a number with a fraction nothing is said there, however far apart
        theirs.runs[False] = off(fields(), {(3, 3, 1): 5.0})
        assert free_run(judge, 0, STEPS).apart == ""
        theirs.runs[False] = fields()


@pytest.mark.parametrize(("native", "double"), [(2, 4), (4, 2)])
def test_the_longest_episode_of_both_precisions_is_told(native: int, double: int) -> None:
    mine, theirs = Told(fields()), Told(fields())
    for side in (mine, theirs):
        side.ends = {False: native, True: double}
    run = free_run(judge_of(mine, theirs, fractions=True), 0, STEPS)
    assert (run.steps, run.compared) == (4, (native + double) * LANES)
    assert len(run.largest["x"]) == native


@pytest.mark.parametrize("left_out", ["random", "skipped"])
def test_what_is_drawn_or_not_compared_does_not_come_apart(left_out: str) -> None:
    mine, theirs = Told(fields()), Told(off(fields(), {(1, 1, 1): 50.0}))
    judge = judge_of(mine, theirs, fractions=True)
    assert "x comes apart within step 2" in free_run(judge, 0, STEPS).apart
    setattr(judge, left_out, frozenset({"x"}) if left_out == "random" else {"x": "why"})
    run = free_run(judge, 0, STEPS)
    assert (run.apart, run.largest) == ("", {})


def test_growth_is_measured_between_what_rounding_leaves_and_what_is_large() -> None:
    grown = np.minimum(1e-15 * 4.0 ** np.arange(40), 0.5)[:, None] * np.ones(3)
    assert _growth(grown) == pytest.approx(4.0)
    grown[:, 1], grown[:, 2] = 1e-17, 0.25  # rounding, and apart from the beginning
    assert _growth(grown) == pytest.approx(4.0)
    few = grown.copy()
    few[7:] = 0.5
    assert _growth(few) is None
    few[7] = 1e-15 * 4.0**7
    assert _growth(few) == pytest.approx(4.0)
    assert _growth(np.zeros((20, 3))) is None
    assert _growth(np.full((20, 3), np.nan)) is None
    assert _growth(np.full((9, 1), 1e-9)) == pytest.approx(1.0)


def test_a_jump_is_from_below_one_size_to_above_the_other_in_the_same_lane() -> None:
    small, large = 1e-12, 1e-6
    for before, after, jumps in (
        (0.99 * small, 1.01 * large, True),
        (1.01 * small, 1.01 * large, False),
        (0.99 * small, 0.99 * large, False),
        (0.0, 1.0, True),
    ):
        apart = np.full((4, 3), before)
        apart[2:, 1] = after
        text = _jump({"a": np.full((4, 3), np.nan), "b": apart})
        assert bool(text) is jumps
        assert not jumps or text == (
            f"b comes apart within step 3 of an episode, by {after:.1e} of its size in double precision"
        )
    # another lane that was near before, and another field that was far before
    apart, other = np.zeros((4, 3)), np.zeros((4, 3))
    apart[3, 0], other[2:, 0] = 0.5, 1e-9
    assert _jump({"a": apart}).startswith("a comes apart within step 4")
    assert _jump({"a": apart, "b": other}) == ""
    apart[1, 2] = 0.25
    assert _jump({"a": apart, "b": other}).startswith(
        "a comes apart within step 2 of an episode, by 2.5"
    )


@pytest.mark.parametrize("fault", ["", "late", "at once"])
@pytest.mark.parametrize("sealed", ["reference", "port"])
def test_a_side_that_only_plays_begins_and_the_other_is_put_where_it_did(
    sealed: str, fault: str
) -> None:
    def wrong(one: tiny.Tiny, action: Any) -> Any:
        _, _, over, cut, _ = one.step(action)
        late = one.count >= 6
        if (fault == "late" and late) or fault == "at once":
            one.levels = one.levels * 1.0001
        return one.seen(), float(one.levels[1]), over, cut, {}

    sides = {"reference": tiny.side(), "port": tiny.side(wrong)}
    sides[sealed].write = None
    one = tiny.pair(sides["port"], reference=sides["reference"])
    base = play_port(one, 64, 0).cases if sealed == "port" else make.visited(one, 64, 0)
    run = free_run(Judge(one, base), 0)
    if fault:
        step = 6 if fault == "late" else 1
        assert f"comes apart within step {step} of an episode" in run.apart
    else:
        assert run.apart == ""
        assert 4 < run.steps <= tiny.LIMIT
        assert run.compared > 2 * 4 * LANES
        assert set(run.largest) == {"levels"}
        assert max(run.largest["levels"]) == 0
