"""What golden.json states is followed in the reference, and each thing that it states is held to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from markets import get_contract
from parity.export_chain.comparison import Board
from parity.export_chain.market import GOLDEN_HOP, compare_golden
from tests.jax_port.export.made_bundle import bundle, made_policy

ES = get_contract("ES")
Stated = dict[str, Any]


@cache
def text() -> str:
    return (bundle(2) / "golden.json").read_text()


def first_step(stated: Stated, told: Callable[[Stated], bool]) -> Stated:
    return next(step for episode in stated["episodes"] for step in episode if told(step))


def a_side(stated: Stated) -> str:
    first_step(stated, lambda step: "entered" in step)["entered"]["side"] *= -1
    return "sides of entries"


def a_price(stated: Stated) -> str:
    first_step(stated, lambda step: "entered" in step)["entered"]["price"] += 0.25
    return "entries"


def an_exit(stated: Stated) -> str:
    del first_step(stated, lambda step: "exited" in step)["exited"]
    return "exits"


def a_wish(stated: Stated) -> str:
    """Of a step that no case is of; it says what the policy wants, not what was done."""
    cases = {(case["episode"], case["step"]) for case in stated["cases"]}
    number, place = next(
        (number, place)
        for number, episode in enumerate(stated["episodes"])
        for place, step in enumerate(episode)
        if (number, place) not in cases and step["wanted"] != step["taken"]
    )
    step = stated["episodes"][number][place]
    step["wanted"] = step["taken"]
    return "wanted"


def a_number_seen(stated: Stated) -> str:
    stated["cases"][7]["observation"][-1] += 0.125
    return "observation"


def a_mask(stated: Stated) -> str:
    stated["cases"][7]["mask"][1] ^= True
    return "mask"


def a_logit(stated: Stated) -> str:
    stated["cases"][7]["logits"][0] += 1e-6
    return "action_head"


def a_far_logit(stated: Stated) -> str:
    stated["far"][3]["logits"][0] += 1e-6
    return "beyond the clip: action_head"


def a_far_action(stated: Stated) -> str:
    far = next(one for one in stated["far"] if sum(one["mask"]) > 1)
    far["action"] = next(n for n, allowed in enumerate(far["mask"]) if allowed and n != far["action"])
    return "beyond the clip: action"


def not_far(stated: Stated) -> str:
    """What it says is right, and shows nothing beyond the clip."""
    case = stated["cases"][0]
    stated["far"][3] = {name: case[name] for name in ("observation", "mask", "logits", "action")}
    return "beyond the clip"


def a_target(stated: Stated) -> str:
    stated["features"][5]["target_ticks"] += 1
    return "target_ticks"


def a_feature(stated: Stated) -> str:
    stated["features"][5]["values"][10] += 1e-6
    return "features: min_to_close"


def compared(folder: Path, stated: Stated) -> tuple[list[str], dict[str, int]]:
    """Return the stages in which golden values differ from the reference, and what was counted."""
    (folder / "golden.json").write_text(json.dumps(stated))
    board = Board()
    counts = compare_golden(board, folder, made_policy(2), ES)
    assert all(one.hop == GOLDEN_HOP and one.compared for one in board.comparisons)
    return [one.stage for one in board.comparisons if not one.passed], counts


def test_golden_values_agree_and_are_counted(tmp_path: Path) -> None:
    stated = json.loads(text())
    differing, counts = compared(tmp_path, stated)
    assert differing == []
    assert counts == {
        "bars": len(stated["bars"]["time"]),
        "features": 300,
        "decisions": sum(map(len, stated["episodes"])),
        "cases": 300,
    }


@pytest.mark.costly(keep=3)
@pytest.mark.parametrize(
    "plant",
    [
        *(a_side, a_wish, not_far, a_price, an_exit, a_number_seen, a_mask, a_logit, a_far_logit),
        *(a_far_action, a_target, a_feature),
    ],
)
def test_each_thing_that_is_stated_is_held_to_the_reference(
    plant: Callable[[Stated], str], tmp_path: Path
) -> None:
    stated = json.loads(text())
    stage = plant(stated)
    differing, _ = compared(tmp_path, stated)
    assert differing[0] == stage
