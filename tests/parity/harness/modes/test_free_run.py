"""A free run takes what may be taken where it has come to, and an infinite number hides no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity.harness.fields import close, exact, integer
from parity.harness.modes.free_run import LANES, _jump, _play, free_run
from parity.harness.sides.side import Moments, Steps
from parity.harness.trees import Fields


def side(error: float) -> Any:
    """Return a side whose second step makes a number infinite and the other one wrong."""

    def advance(action: Any, seeds: Any) -> Any:
        steps.append(1)
        late = len(steps) > 1
        x = np.array([[np.inf if late else 1.0, 1.0 + error * late]] * 2)
        return SimpleNamespace(
            fields={"x": x}, state={"x": x}, obs={}, final=np.ones(2, bool), ended=np.zeros(2, bool)
        )

    steps: list[int] = []
    lanes = SimpleNamespace(advance=advance)
    return SimpleNamespace(can_write=True, lanes=lambda *_: lanes)


def test_an_infinite_number_hides_no_difference() -> None:
    seeds = np.arange(2)
    stay = {"action": np.zeros(2, np.int64)}
    for error in (0.0, 0.5):
        judge: Any = SimpleNamespace(
            pair=SimpleNamespace(reference=side(0.0), port=side(error)),
            states=lambda cases, double: cases.state,
            skipped={},
            random=frozenset(),
            rule=lambda name, x, y: close(),
        )
        start = Moments({"x": np.zeros((2, 2))}, {})
        apart, _ = _play(judge, start, seeds, lambda step, now: stay, 2, True)
        assert bool(_jump(apart)) is (error > 0)


class Counter:
    """A side that counts up to twelve; what it does where an action is not legal is its own."""

    can_write = True

    def __init__(self, elsewhere: int) -> None:
        self.elsewhere, self.taken = elsewhere, list[tuple[int, int]]()

    def spaces(self) -> dict[str, None]:
        return {"action": None}

    def reset(self, seeds: np.ndarray) -> Moments:
        count = np.zeros(len(seeds), np.int64)
        return Moments({"count": count}, {"obs": count})

    def lanes(self, seeds: np.ndarray, state: Fields, double: bool) -> Any:
        self.count = state["count"]
        return self

    def advance(self, action: Fields, seeds: np.ndarray) -> Steps:
        legal = may({"count": self.count}, action)
        going = self.count < 12
        self.taken += [
            (int(at), int(one)) for at, one in zip(self.count, action["action"], strict=True) if at < 12
        ]
        self.count = self.count + np.where(legal | ~going, 1, self.elsewhere)
        ends = np.asarray(self.count >= 12)
        outcome = {"reward": self.count * 0.0, "terminated": ends, "truncated": ends & False}
        return Steps({"count": self.count}, {"obs": self.count}, outcome, np.ones(len(seeds), bool))


def may(state: Fields, action: Fields) -> np.ndarray:
    """Return whether actions are legal: the count's last two bits, and none where it has ended."""
    return np.asarray((action["action"] == state["count"] % 4) & (state["count"] < 12))


@pytest.mark.parametrize("by", ["legal", "policy"])
def test_every_action_is_one_that_may_be_taken_where_it_is_played(by: str) -> None:
    """Else sides that differ only where nothing is defined would be told apart."""
    reference, port = Counter(2), Counter(3)
    pair = SimpleNamespace(name="counters", reference=reference, port=port, action=integer(0, 3))
    pair.legal = may if by == "legal" else None
    pair.policy = (lambda rng, obs, state: obs["obs"] % 4) if by == "policy" else None
    judge: Any = SimpleNamespace(
        pair=pair,
        fractions=False,
        no_double={},
        states=lambda cases, double: cases.state,
        skipped={},
        random=frozenset(),
        rule=lambda name, x, y: exact(),
    )
    assert free_run(judge, 0).apart == ""
    assert sorted(reference.taken) == [(at, at % 4) for at in range(12) for _ in range(LANES)]
