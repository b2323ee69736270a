"""A difference in one number of many is not lost among the others."""

from __future__ import annotations

import numpy as np
import pytest

from parity.engine.verify import CheckResult
from parity.learner.cases import learner_cases
from parity.learner.judge import LIMITS, _Judge, judge_updates


@pytest.mark.parametrize("name", ["obs mean", "obs var"])
@pytest.mark.parametrize(("share", "passes"), [(0.5, True), (3.0, False)])
def test_one_wrong_running_statistic_of_many_is_seen(name: str, share: float, passes: bool) -> None:
    case = learner_cases(0)[0]
    theirs = {
        "obs mean": np.zeros(225),
        "obs var": np.ones(225),
        "obs count": np.float64(1000),
        "return var": np.float64(2),
        "return count": np.float64(1000),
        "running returns": np.ones(4),
    }
    ours = {field: np.array(value) for field, value in theirs.items()}
    ours[name][7] += share * LIMITS["observation statistics"]
    result = CheckResult("learner", case.name, 0)
    _Judge(case, result).statistics(0, theirs, ours)
    assert result.measures["observation statistics"].passed == passes


def test_no_update_at_all_is_no_agreement() -> None:
    result = judge_updates(learner_cases(0)[0], [], [])
    assert (result.passed, result.compared) == (False, 0)
    assert result.error == "there is no update to compare"
