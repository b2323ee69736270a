"""What a step after the end does, and counts of ends over several sets of cases."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness import cases as make
from parity.harness.compare import LOGIC, ROUNDING
from parity.harness.contract.ends import FEW, _reward, _step_after, _which_end, ask_ends
from parity.harness.judge import Evidence, Judge
from tests.parity.harness import lander
from tests.parity.harness.contract.test_ends import judged, set_ends
from tests.parity.harness.sides import tiny


def evidence_of(mine: Any, theirs: Any, many: int = 320) -> tuple[Judge, Evidence]:
    one = tiny.pair(theirs, reference=mine)
    base = make.visited(one, many, 0)
    judge = Judge(one, base)
    return judge, judge.step(base)


def stepped_twice(one: Evidence, rows: Any) -> tuple[list[float], float]:
    """Return rewards of the steps after ends, and the share that ended again, step by step."""
    rewards, ended = [], []
    for row in rows:
        side = tiny.Tiny()
        tiny.write(side, {name: value[row] for name, value in one.cases.state.items()})
        action = int(one.cases.action["action"][row])
        side.step(action)
        _, reward, over, cut, _ = side.step(action)
        rewards.append(reward)
        ended.append(bool(over or cut))
    return rewards, float(np.mean(ended))


def words_after(one: Evidence, rows: Any) -> str:
    rewards, share = stepped_twice(one, rows)
    return f"goes on; reward {min(rewards):.4g} to {max(rewards):.4g}, {share:.0%} of episodes ended"


def refusing(one: Any, action: Any) -> Any:
    """A step that the environment refuses after its end."""
    if getattr(one, "over", False):
        one.over = False
        raise RuntimeError("it is over")
    out = one.step(action)
    one.over = out[2] or out[3]
    return out


def put_before(one: Any, state: Any) -> None:
    one.over = False
    tiny.write(one, state)


def test_steps_after_sixteen_ends_are_taken_on_both_sides_and_told_with_what_they_gave() -> None:
    judge, one = evidence_of(tiny.side(), tiny.side())
    ends = np.flatnonzero(one.native.reference.ended)
    assert len(ends) > FEW
    answer = ask_ends(judge, [one])[2]
    words = words_after(one, ends[:16])
    assert words != words_after(one, ends) != words_after(one, ends[:1])
    assert (answer.status, answer.text) == ("same", f"both: {words}")
    assert (answer.reference, answer.port) == (words, words)
    judge, one = evidence_of(tiny.side(), tiny.side(refusing, write=put_before))
    answer = ask_ends(judge, [one])[2]
    assert (answer.status, answer.reference, answer.port) == ("note", words, "raises RuntimeError")
    assert answer.text == f"reference: {words}; port: raises RuntimeError"


def test_the_first_set_of_cases_in_which_both_sides_end_is_taken() -> None:
    judge, _ = evidence_of(tiny.side(), tiny.side(), 48)
    evidence = judged()
    for one in evidence:
        one.cases.state["count"][:] = np.arange(48) % 5
    set_ends(evidence[0], {"terminated": [3, 4]}, {"truncated": [5, 6]})
    set_ends(evidence[1], {"terminated": [41]}, {"truncated": [41]})
    set_ends(evidence[2], {"terminated": [7]}, {"terminated": [7]})
    judge.no_double = {}
    assert _step_after(judge, evidence[:1]).status == "not asked"
    rewards, share = stepped_twice(evidence[1], [41])
    assert share == 0
    answer = _step_after(judge, evidence)
    # a row that ends there alone is taken sixteen times
    assert answer.text == f"both: goes on; reward {rewards[0] + 0.0!s}, 0% of episodes ended"


@pytest.mark.parametrize("sealed", ["reference", "port"])
def test_a_side_that_cannot_be_put_at_an_end_is_not_asked(sealed: str) -> None:
    judge, one = evidence_of(tiny.side(), tiny.side())
    getattr(judge.pair, sealed).write = None
    answer = _step_after(judge, [one])
    words = "no case ended an episode on both sides that can be put there"
    assert (answer.status, answer.text) == ("not asked", words)


class Beginning(tiny.Tiny):
    """Begins another episode in the step that ends one, or after it; a few of these end at once."""

    late, over, brief = False, False, 0.0

    def begin(self) -> Any:
        self.reset(int(self.levels[0] * 1e6) % 2**31)
        at_once = bool(self.levels[1] < 1 + self.brief)
        self.count = 11 if at_once else 0
        return at_once

    def step(self, action: int) -> Any:
        if self.late and self.over:
            self.over = False
            return (lambda ended: (self.seen(), 0.0, ended, False, {}))(self.begin())
        obs, reward, over, cut, info = super().step(action)
        self.over = bool(over or cut)
        if self.over and not self.late:
            self.begin()
            return self.seen(), reward, over, cut, info
        return obs, reward, over, cut, info


@pytest.mark.parametrize("brief", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("late", [False, True])
def test_a_port_that_begins_again_is_told_so_unless_what_it_begins_is_over(
    late: bool, brief: float
) -> None:
    class Kind(Beginning):
        pass

    Kind.late, Kind.brief = late, brief
    port = tiny.side(make=Kind, hands_out_final=late, write=put_before)
    judge, one = evidence_of(tiny.side(), port)
    answer = _step_after(judge, [one])
    assert answer.reference.startswith("goes on; reward ")
    if not late:
        same_step = "has begun another episode in the step that ended one (Gymnasium's SAME_STEP)"
        assert answer.port == same_step if brief < 1 else answer.port.startswith("goes on; reward ")
    elif brief == 0:
        words = "begins another episode (Gymnasium's NEXT_STEP); reward 0.0, 0% of episodes ended"
        assert answer.port == words
    else:  # an episode that is over in the step in which it begins is none
        share = int(answer.port.rpartition(", ")[2].partition("%")[0])
        assert answer.port.startswith("goes on; reward 0.0, ")
        assert 0 < share < 100 if brief < 1 else share == 100


def test_a_draw_of_a_step_is_no_sign_of_another_episode() -> None:
    rng = np.random.default_rng(0)

    def step(one: tiny.Tiny, action: Any) -> Any:
        _, reward, *_ = one.step(action)
        one.levels = one.levels * rng.uniform(0.9, 1.1, 2)
        return one.seen(), reward, one.count == 12, False, {}

    for random, begins in ((frozenset({"levels"}), False), (frozenset[str](), True)):
        one = tiny.pair(tiny.side(step))
        base = make.visited(one, 320, 0)
        judge = Judge(one, base, random)
        answer = _step_after(judge, [judge.step(base)])
        assert ("begins another episode" in answer.port) == begins
        assert answer.reference.startswith("goes on")


def test_last_rewards_and_ends_are_counted_over_every_set_of_cases() -> None:
    evidence = judged()
    for part, one in enumerate(evidence):
        set_ends(one, {"terminated": [1], "truncated": range(5, 7 + part)}, {"terminated": range(40)})
        one.labels["reward"].labels[:] = ROUNDING  # which is no difference
    assert _reward(evidence).text == "equal, but for rounding, in 12 last steps"
    for part, rows in ((1, (6, 7)), (2, (5, 6, 8))):
        evidence[part].labels["reward"].labels[list(rows)] = LOGIC
    arm = evidence[1].double
    assert arm is not None
    arm.reference.outcome["reward"][6], arm.port.outcome["reward"][6] = 0.25, 3
    assert _reward(evidence).text == (
        "another in 5 of 12 last steps; for example 0.25 on the reference and 3 on the port"
    )
    set_ends(evidence[0], {"terminated": [2, 4], "truncated": [2]}, {"truncated": [2]})
    seen = "(4 terminated and 8 truncated on the reference)"
    # 1 in the first set; in the two others three and four truncated ones are terminated on the port
    assert _which_end(evidence).text == (
        f"8 steps end an episode on both sides and do not say the same of why {seen}"
    )
    for part, many in ((1, 3), (2, 4)):
        set_ends(evidence[part], {"truncated": range(many)}, {"truncated": range(many - part, many)})
    set_ends(evidence[0], {"terminated": [2, 4]}, {"terminated": [2]})
    assert _which_end(evidence).text == (
        "5 steps end an episode on one side alone (2 terminated and 7 truncated on the reference)"
    )
    del evidence[2].labels["truncated"]
    assert _which_end(evidence).status == "not asked"
    del evidence[1].labels["reward"]
    assert _reward(evidence).status == "not asked"


def test_a_port_with_a_step_that_restarts_beside_one_that_does_not_goes_on_by_the_latter() -> None:
    """A ship that comes to the ground by a hair, and whose engine lifts it off again."""
    one = lander.pair()
    base = make.visited(one, 64, 0)
    judge = Judge(one, base)
    fields = {"height": np.full(20, 0.001), "speed": np.full(20, -0.16), "steps": np.arange(20) % 5}
    lifted = make.Cases(fields, {"action": np.ones(20, int)}, np.full(20, "drawn"))
    evidence = judge.step(lifted)
    assert evidence.native.port.restart is not None
    assert evidence.native.port.ended.all()
    words = "goes on; reward 0.05, 0% of episodes ended"
    answer = _step_after(judge, [evidence])
    assert (answer.reference, answer.port) == (
        words,
        words.replace("0.05", str(float(np.float32(0.05)))),
    )
