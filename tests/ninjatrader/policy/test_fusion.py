"""The C# fusion on few decisions: as the reference on each rule, and ties and ends by hand."""

from __future__ import annotations

import numpy as np
import pytest

from markets.advice.fusion import RULES, FusionSettings, Situation
from parity.export_chain.csharp import MISSING, available, compile_checker
from parity.fusion.cases import situations
from parity.fusion.sides import Fuse, csharp_side
from parity.fusion.verify import Agreement, compare

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Fuse:
    folder = tmp_path_factory.mktemp("fusion")
    return csharp_side(compile_checker(folder / "ParityCheck.exe"), folder)


@pytest.mark.parametrize("actions", [3, 6])
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_fuses_as_the_reference_does(side: Fuse, rule: str, actions: int) -> None:
    settings = FusionSettings(rule=rule, weight=0.75, threshold=0.625, least_left=0.375, most_losses=2)
    found = Agreement()
    compare(side, situations(400, actions, actions, settings), settings, found)
    assert found.same, found
    assert found.decisions == 400


def of(rule: str, **values: float) -> FusionSettings:
    return FusionSettings(rule=rule, **values)  # type: ignore[arg-type]


def given(
    logits: list[float],
    mask: str,
    advice: tuple[float, float, float] = (0.2, 0.3, 0.5),
    confidence: float = 1.0,
    fresh: float = 1.0,
    losses: int = 0,
    left: float = 1.0,
) -> Situation:
    return Situation(
        np.array([logits], np.float32),
        np.array([[allowed == "1" for allowed in mask]]),
        np.array([advice], np.float32),
        np.array([confidence], np.float32),
        np.array([fresh], np.float32),
        np.array([losses], np.int32),
        np.array([left], np.float32),
    )


HOLD = [0.5, 0.0, 0.0]
"""Logits of a policy that would rather hold."""
BY_HAND = {
    "the first of equals": (of("weighted", weight=0), given([1, 1, 1], "111"), 0),
    "the first of equals that is allowed": (of("weighted", weight=0), given([2, 1, 1], "011"), 1),
    "equal advice": (of("weighted", weight=1), given([0, 0, 0], "111", (0.2, 0.4, 0.4)), 1),
    "more for selling": (of("weighted", weight=1), given(HOLD, "111", (0.2, 0.2, 0.6)), 2),
    "selling is forbidden": (of("weighted", weight=1), given(HOLD, "110", (0.2, 0.2, 0.6)), 0),
    "no advice any more": (of("weighted", weight=9), given(HOLD, "111", fresh=0), 0),
    "sure enough": (of("gated", weight=1, threshold=0.5), given(HOLD, "111", confidence=0.5), 2),
    "not sure enough": (of("gated", weight=1, threshold=0.5), given(HOLD, "111", confidence=0.4999), 0),
    "agreed on buying": (of("agreement"), given([0, 1, 0], "111", (0.1, 0.5, 0.4)), 1),
    "advised to sell and not to buy": (of("agreement"), given([0, 1, 0], "111", (0.1, 0.4, 0.5)), 0),
    "advised alike, the first counts": (of("agreement"), given([0, 2, 1], "111", (0.1, 0.45, 0.45)), 1),
    "advised to do what is forbidden": (of("agreement"), given([0, 0, 1], "101", (0.1, 0.5, 0.4)), 2),
    "nothing to agree with": (of("agreement"), given([0, 1, 0], "111", (0, 0, 1), fresh=0), 1),
    "too many losses": (of("veto", most_losses=2), given([0, 1, 2], "111", losses=2, fresh=0), 0),
    "not too many losses": (of("veto", most_losses=2), given([0, 1, 2], "111", losses=1, fresh=0), 2),
    "too little left": (of("veto", least_left=0.25), given([0, 1, 2], "111", left=0.2499, fresh=0), 0),
    "just enough left": (of("veto", least_left=0.25), given([0, 1, 2], "111", left=0.25, fresh=0), 2),
    "the advice alone": (of("alone"), given([9, 0, 0], "111", (0.1, 0.6, 0.3)), 1),
    "no advice alone": (of("alone"), given([0, 9, 0], "111", (0.1, 0.6, 0.3), fresh=0), 0),
    "a trade is managed as holding is advised": (
        of("weighted", weight=1),
        given([0, 0, 0, 0, 0, 1], "100011", (0.9, 0.05, 0.05)),
        5,
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_ties_and_ends(side: Fuse, name: str) -> None:
    settings, decision, action = BY_HAND[name]
    made = side(decision, settings)
    assert made.action.tolist() == [action]
    assert made.probabilities.sum() == pytest.approx(1)
    assert (made.probabilities[~decision.masks] == 0).all()
    assert made.probabilities[0, action] == made.probabilities.max()
