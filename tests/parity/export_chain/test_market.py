"""What golden.json states is followed in the reference, and each thing that it states is held to it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from legacy_torch.features import add_features
from markets import get_contract
from markets.bars import FEATURES
from parity.export_chain import market
from parity.export_chain.comparison import Board
from parity.export_chain.market import (
    CSHARP_HOP,
    DAY_HOP,
    DISTANCES,
    GOLDEN_HOP,
    compare_csharp_day,
    compare_csharp_golden,
    compare_golden,
    compare_stream,
)
from parity.export_chain.page import share
from tests.jax_port.export.made_bundle import bars, bundle, config_of, made_policy
from tests.sentences import refuses

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


@pytest.mark.costly
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


def a_decision(stated: Stated) -> str:
    case = next(one for one in stated["cases"][8:] if sum(one["mask"]) > 1)
    case["action"] = next(
        n for n, allowed in enumerate(case["mask"]) if allowed and n != case["action"]
    )
    return "action"


def a_stop(stated: Stated) -> str:
    stated["features"][6]["stop_ticks"] -= 1
    return "stop_ticks"


def a_trail(stated: Stated) -> str:
    stated["features"][-1]["trail_ticks"] += 1
    return "trail_ticks"


def a_close(stated: Stated) -> str:
    stated["features"][-1]["values"][0] += 0.25
    return "features: close"


def a_time(stated: Stated) -> str:
    stated["episodes"][0][5]["time"] = stated["episodes"][0][4]["time"]
    return "times of steps"


PLANTS: tuple[Callable[[Stated], str], ...] = (
    *(a_side, a_wish, not_far, a_price, an_exit, a_number_seen, a_mask, a_logit, a_far_logit),
    *(a_far_action, a_target, a_feature, a_decision, a_stop, a_trail, a_close, a_time),
)


def test_all_that_is_stated_is_held_to_the_reference_at_once(tmp_path: Path) -> None:
    """Each thing that is off is found in its own stage; what is not off differs nowhere."""
    stated = json.loads(text())
    stages = [plant(stated) for plant in PLANTS]
    differing, counts = compared(tmp_path, stated)
    assert sorted(differing) == sorted(stages)
    assert counts == {
        "bars": len(stated["bars"]["time"]),
        "features": 300,
        "decisions": sum(map(len, stated["episodes"])),
        "cases": 300,
    }


@pytest.mark.costly
@pytest.mark.parametrize("plant", PLANTS)
def test_each_thing_that_is_stated_is_held_to_the_reference(
    plant: Callable[[Stated], str], tmp_path: Path
) -> None:
    stated = json.loads(text())
    stage = plant(stated)
    differing, _ = compared(tmp_path, stated)
    assert differing[0] == stage


def test_an_episode_ends_where_the_reference_ends_it(tmp_path: Path) -> None:
    """One that is cut short does not, nor one that is said to go on, and no case has a place there."""
    stated = json.loads(text())
    last = {case["episode"]: case["step"] for case in stated["cases"]}
    number = next(n for n, steps in enumerate(stated["episodes"]) if last[n] < len(steps) - 1)
    short = copy.deepcopy(stated)
    del short["episodes"][number][last[number] + 1 :]
    assert compared(tmp_path, short)[0] == ["ends of episodes"]
    long = copy.deepcopy(stated)
    long["episodes"][number] += [long["episodes"][number][-1]] * 3
    assert compared(tmp_path, long)[0] == ["ends of episodes"]
    long["cases"][-1] |= {"episode": number, "step": len(long["episodes"][number]) - 1}
    assert compared(tmp_path, long)[0] == ["ends of episodes", "observation"]


GOOD: dict[str, Any] = {
    "features": 30,
    "cases": 20,
    "far": 10,
    "decisions": 40,
    "features_difference": 1e-10,
    "features_share_of_limit": 0.25,
    "observation_difference": 1e-8,
    "observation_share_of_limit": 0.5,
    "logits_difference": 1e-7,
    "logits_share_of_limit": 1.0,
    "far_logits_difference": 1e-6,
    "far_logits_share_of_limit": 0.75,
    "distances_differ": 0,
    "masks_differ": 0,
    "actions_differ": 0,
}
COUNTS = {
    "features": 30,
    "observation": 20,
    "logits": 20,
    "far_logits": 10,
    "distances": 30,
    "mask": 20,
    "action": 40,
}


def golden(**values: Any) -> Board:
    board, told = Board(), {**GOOD, **values}
    told = {name: value for name, value in told.items() if value is not ...}
    checker: Any = SimpleNamespace(golden=lambda: told)
    assert compare_csharp_golden(board, checker) is told
    return board


def wrong(board: Board) -> dict[str, tuple[int, Any]]:
    return {one.stage: (one.mismatches, one.first) for one in board.comparisons if not one.passed}


def test_every_stage_is_taken_down_with_its_own_count_and_distance() -> None:
    board = golden()
    assert wrong(board) == {}
    assert {one.hop for one in board.comparisons} == {CSHARP_HOP}
    assert {one.stage: one.compared for one in board.comparisons} == COUNTS
    assert {one.stage: (one.max_abs, one.share) for one in board.comparisons} == {
        "features": (1e-10, 0.25),
        "observation": (1e-8, 0.5),
        "logits": (1e-7, 1.0),
        "far_logits": (1e-6, 0.75),
        "distances": (0.0, 0.0),
        "mask": (0.0, 0.0),
        "action": (0.0, 0.0),
    }
    limits = {one.stage: one.tolerance for one in board.comparisons}
    assert (limits["features"].absolute, limits["features"].relative) == (1e-9, 1e-9)
    assert {limits[name] for name in ("observation", "logits", "far_logits")} == {market.FROM_BARS}
    assert (market.FROM_BARS.absolute, market.FROM_BARS.relative) == (1e-6, 1e-6)


@pytest.mark.parametrize("share", [1.0001, 50.0, float("nan"), float("inf"), ...])
@pytest.mark.parametrize("stage", ["features", "observation", "logits", "far_logits"])
def test_what_is_beyond_its_limit_or_not_told_fails_on_every_row(stage: str, share: Any) -> None:
    board = golden(**{f"{stage}_share_of_limit": share, f"{stage}_first": "bar 7"})
    told = {"expected": "within the limit", "found": "bar 7"}
    assert wrong(board) == {stage: (COUNTS[stage], told)}


@pytest.mark.parametrize(
    ("name", "stage"),
    [("distances_differ", "distances"), ("masks_differ", "mask"), ("actions_differ", "action")],
)
def test_one_that_differs_is_a_failure_of_its_stage(name: str, stage: str) -> None:
    board = golden(**{name: 1})
    assert {key: count for key, (count, _) in wrong(board).items()} == {stage: 1}
    failed = next(one for one in board.comparisons if not one.passed)
    assert (failed.max_abs, failed.share) == (1.0, float("inf"))
    assert share(failed.to_dict()["share_of_limit"]) == "beyond"


@pytest.mark.parametrize("count", ["features", "cases", "far", "decisions"])
def test_nothing_measured_is_no_agreement(count: str) -> None:
    board = golden(**{count: 0})
    names = {"features": {"features", "distances"}, "cases": {"observation", "logits", "mask"}}
    names |= {"far": {"far_logits"}, "decisions": {"action"}}
    assert set(wrong(board)) == names[count]


DAY: dict[str, Any] = {
    "day": "2025-01-08",
    "features": [{}] * 30,
    "cases": [{}] * 40,
    "episodes": [[{"entered": {}}, {}, {"exited": True}], [{}, {"entered": {}}, {"entered": {}}]],
}


def day(**values: Any) -> tuple[Board, dict[str, Any]]:
    board, told = Board(), {**GOOD, "cases": 40, **values}
    told = {name: value for name, value in told.items() if not name.startswith("far")}
    checker: Any = SimpleNamespace(day=lambda given, stated: told)
    return board, compare_csharp_day(board, checker, bars(), DAY)


def test_a_day_is_told_and_held_to_every_bar_and_step_of_it() -> None:
    board, report = day()
    assert wrong(board) == {}
    assert report == {"day": "2025-01-08", "bars": 30, "decisions": 6, "trades": 3}
    assert {one.hop for one in board.comparisons} == {DAY_HOP}
    stages = [one.stage for one in board.comparisons]
    own = [name for name in COUNTS if name != "far_logits"]
    assert stages == [*own, "features made", "decisions made"]
    for count, stage in (("features", "features made"), ("decisions", "decisions made")):
        for by in (-1, 1):
            board, _ = day(**{count: GOOD[count] + by})
            assert list(wrong(board)) == [stage]
    assert set(wrong(day(logits_share_of_limit=2.0)[0])) == {"logits"}


@cache
def streamed() -> np.ndarray:
    table = add_features(bars().frame, 0.25, config_of(1))
    return table[[*FEATURES, *DISTANCES]].to_numpy(np.float64)


def stream(measured: np.ndarray) -> Board:
    board = Board()
    checker: Any = SimpleNamespace(features=lambda given: measured)
    compare_stream(board, checker, made_policy(1), bars())
    return board


def test_features_over_a_file_are_compared_column_by_column_to_the_last_bar() -> None:
    right = streamed()
    board = stream(right)
    assert wrong(board) == {}
    defined = np.isfinite(right[:, :11])
    counts = {one.stage: one.compared for one in board.comparisons}
    for number, name in enumerate(FEATURES):
        assert counts[name] == defined[:, number].sum()
        assert counts[f"{name}: where it is defined"] == len(right)
    assert {counts[name] for name in DISTANCES} == {len(right)}
    for number, name in enumerate((*FEATURES, *DISTANCES)):
        off = right.copy()
        off[-1, number] += 1e-4 * max(1.0, abs(off[-1, number]))
        assert list(wrong(stream(off))) == [name]
    for number, name in enumerate(FEATURES):
        off = right.copy()
        off[-1, number] = np.nan
        assert list(wrong(stream(off))) == [f"{name}: where it is defined", name]


@pytest.mark.parametrize("by", [-1, 1])
def test_another_number_of_bars_is_told_alone(by: int) -> None:
    right = streamed()
    board = stream(right[:-1] if by < 0 else np.vstack([right, right[-1:]]))
    (failed,) = board.comparisons
    assert failed.stage == "bars of the session"
    assert failed.first["expected"] == len(right)
    assert failed.first["found"] == len(right) + by


def test_a_feature_of_a_bar_outside_the_session_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of them, by its place in golden.json."""
    seconds = (bars().timestamps_ns // 1_000_000_000).tolist()
    frame = bars().frame
    columns = {name: frame[name].tolist() for name in frame.columns}
    times = [seconds[3], seconds[5], seconds[7] + 30, seconds[9], seconds[11] + 30]
    stated: Any = SimpleNamespace(
        bars=SimpleNamespace(time=seconds, **columns),
        features=[SimpleNamespace(time=time) for time in times],
    )
    monkeypatch.setattr(market, "read_golden", lambda folder, policy: stated)
    with refuses():
        compare_golden(Board(), Path("bundle"), made_policy(1), bars().contract)
