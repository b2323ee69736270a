"""Seeds in which rounding is magnified are told by the reference alone, and passed over."""

from __future__ import annotations

from unittest.mock import MagicMock

import numpy as np
import pytest

from parity.engine.measure import of_error
from parity.engine.verify import CheckResult, Mismatch
from parity.learner import rounding
from parity.learner.cases import LearnerCase, learner_cases
from parity.learner.port import make_params, run_port
from parity.learner.reference import Reference
from parity.learner.rounding import STEADY, rounding_share
from parity.learner.suite import LearnerRun


def test_weights_move_by_one_rounding_each() -> None:
    case = learner_cases(0)[0]
    one, other = Reference(case), Reference(case)
    other.move_weights(np.random.default_rng(0))
    moved = other._weights()
    for name, weights in one.weights.items():
        spacing = np.spacing(np.abs(weights))
        steps = (moved[name].astype(np.float64) - weights) / spacing
        assert set(np.unique(np.abs(steps))) <= {0.5, 1.0}  # half a spacing below a power of two
        if weights.size > 50:
            assert (steps > 0).any()
            assert (steps < 0).any()


def test_a_case_whose_numbers_are_not_finite_is_not_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    case = learner_cases(0)[0]
    found = CheckResult("learner", case.name, 0)
    found.measures = {"values": of_error(float("nan"), 1e-6, 1), "weights": of_error(0.0, 1e-6, 1)}
    monkeypatch.setattr(rounding, "judge_updates", lambda *_: found)
    share = rounding_share(case, MagicMock(), MagicMock(), MagicMock())
    assert not share <= STEADY


@pytest.mark.costly
def test_a_seed_that_magnifies_rounding_is_passed_over() -> None:
    """An honest port was beyond its limit of log probabilities there."""
    case = learner_cases(4)[1]
    params = make_params(case)

    def share(case: LearnerCase) -> float:
        draws = run_port(case, Reference(case).weights, params).draws
        return rounding_share(case, lambda: Reference(case), Reference(case).learn(draws), draws)

    found = LearnerRun(case).case
    assert found.settings.seed > case.settings.seed
    assert share(found) <= STEADY < share(case)


def test_each_repeat_moves_the_weights_another_way(monkeypatch: pytest.MonkeyPatch) -> None:
    case = learner_cases(0)[0]
    found = CheckResult("learner", case.name, 0)
    found.measures = {"values": of_error(0.0, 1e-6, 1)}
    monkeypatch.setattr(rounding, "judge_updates", lambda *_: found)
    begun = list[MagicMock]()

    def begin() -> MagicMock:
        begun.append(MagicMock())
        return begun[-1]

    assert rounding_share(case, begin, MagicMock(), MagicMock()) == 0.0
    drawn = [tuple(one.move_weights.call_args.args[0].random(4)) for one in begun]
    assert len(set(drawn)) == len(drawn) == rounding.REPEATS > 1


SMALL, LARGE = 0.1 * STEADY, 2.5 * STEADY
OTHER = rounding.OTHER_STATISTICS
LIMIT = 1e-6


def result(first: bool = False, error: str = "", **shares: float) -> CheckResult:
    """Return what is found of an update, in shares of a limit."""
    found = CheckResult("learner", "one", 0)
    found.first = Mismatch(0, 0, "actions", (), 1.0, 2.0) if first else None
    found.error = error
    found.measures = {name: of_error(share * LIMIT, LIMIT, 1) for name, share in shares.items()}
    return found


@pytest.mark.parametrize(
    ("found", "share", "asked"),
    [
        ([result(a=SMALL, b=0.0), result(a=0.0, b=0.5 * SMALL)], SMALL, 2),
        ([result(a=0.0, b=0.0), result(a=0.5 * SMALL, b=SMALL)], SMALL, 2),
        ([result(a=0.0, b=STEADY), result(a=SMALL, b=0.0)], STEADY, 2),
        ([result(a=LARGE, b=0.0), result(a=2 * LARGE, b=0.0)], LARGE, 1),
        ([result(a=0.0, b=0.0), result(a=0.0, b=LARGE)], LARGE, 2),
        ([result(**{"a": SMALL, OTHER: 100.0})] * 2, SMALL, 2),
        ([result(first=True), result()], np.inf, 1),
        ([result(), result(first=True)], np.inf, 2),
        ([result(error="tensors without a counterpart")], np.inf, 1),
        ([result(a=np.nan, b=LARGE)], np.nan, 1),
        ([result(a=SMALL), result(a=np.nan, b=0.0)], np.nan, 2),
    ],
)
def test_the_worst_of_all_repeats_is_the_share(
    monkeypatch: pytest.MonkeyPatch, found: list[CheckResult], share: float, asked: int
) -> None:
    case, given = learner_cases(0)[0], MagicMock()
    calls = list[tuple[object, ...]]()

    def judged(*arguments: object) -> CheckResult:
        calls.append(arguments)
        return found[len(calls) - 1]

    monkeypatch.setattr(rounding, "judge_updates", judged)
    run = MagicMock(updates=["as it was"])
    told = rounding_share(case, lambda: given, run, "draws")  # type: ignore[arg-type]
    assert told == pytest.approx(share, rel=1e-12, nan_ok=True)
    assert len(calls) == asked
    assert given.learn.call_args.args == ("draws",)
    assert calls[-1] == (case, ["as it was"], given.learn.return_value.updates)
