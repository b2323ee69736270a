"""Checks of a pair on recordings and replays made by hand, each with one number changed at a time."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

from parity.engine import verify
from parity.engine.compare import Array, Comparison, close, exact
from parity.engine.measure import of_error
from parity.engine.pair import Fields
from parity.engine.record import record_episodes
from parity.engine.replay import replay as replayed
from parity.engine.report import Report
from parity.engine.verify import (
    CheckResult,
    Mismatch,
    check_generated,
    check_recording,
    check_replay,
    compare_fields,
    diverges,
    episode_rewards,
    judge_replay,
    shifted,
)
from tests.parity.engine.made_sides import (
    LANES,
    LENGTHS,
    RULES,
    STEPS,
    changed,
    every_place,
    pair_of,
    sides,
    with_masks,
    with_one_changed,
)
from tests.parity.walker import walker_pair


def test_sides_that_agree_pass_and_every_number_of_a_step_taken_is_counted() -> None:
    recording, played = sides()
    result = check_recording(pair_of(), recording, played, "replay")
    assert (result.passed, result.first, result.error) == (True, None, "")
    assert (result.check, result.world, result.compared) == ("replay", "north", sum(LENGTHS))
    moments_seen = LANES + sum(LENGTHS)
    counted = {name: one.compared for name, one in result.fields.items()}
    assert counted == {
        "place": moments_seen,
        "obs": 2 * moments_seen,
        "grid": 4 * moments_seen,
        **dict.fromkeys(("reward", "terminated", "truncated"), sum(LENGTHS)),
    }
    assert result.numbers == sum(counted.values())


def test_one_other_number_anywhere_is_found_and_named_with_its_place() -> None:
    recording, played = sides()
    for when, name, place in every_place():
        result = check_recording(pair_of(), recording, with_one_changed(played, when, name, place), "x")
        leading = 1 if when == "before" else 2
        step = -1 if when == "before" else place[1]
        if step >= LENGTHS[place[0]]:
            assert result.passed, (when, name, place)
            continue
        theirs = getattr(recording, when)[name]
        other = changed(theirs, place)[place].item()
        wanted = Mismatch(place[0], step, name, place[leading:], theirs[place].item(), other)
        assert result.first == wanted
        assert isinstance(result.first.port, type(result.first.reference))
        assert (result.passed, result.mismatches) == (False, 1)
        wrong = {field: one.mismatches for field, one in result.fields.items() if one.mismatches}
        assert wrong == {name: 1}


def test_of_two_other_numbers_the_first_lane_s_first_step_is_named() -> None:
    recording, played = sides()
    taken = [at for at in every_place() if at[0] == "before" or at[2][1] < LENGTHS[at[2][0]]]

    def when(at: tuple[str, str, tuple[int, ...]]) -> tuple[int, int]:
        return at[2][0], -1 if at[0] == "before" else at[2][1]

    rng = np.random.default_rng(0)
    for _ in range(200):
        one, two = (taken[int(i)] for i in rng.choice(len(taken), 2, replace=False))
        both = with_one_changed(with_one_changed(played, *one), *two)
        result = check_recording(pair_of(), recording, both, "replay")
        assert result.first is not None
        assert (result.first.lane, result.first.step) == min(when(one), when(two))
        assert result.mismatches == 2


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_field_that_one_side_alone_reads_is_an_error(when: str) -> None:
    recording, played = sides()
    fields = getattr(played, when)
    more = played._replace(**{when: {**fields, "masks": fields["place"]}})
    less = played._replace(**{when: {name: x for name, x in fields.items() if name != "grid"}})
    narrow = played._replace(**{when: {**fields, "grid": fields["grid"][..., :1]}})
    for made, named in ((more, "masks"), (less, "grid"), (narrow, "shape")):
        result = check_recording(pair_of(), recording, made, "replay")
        assert not result.passed
        assert named in result.error


def test_a_field_that_both_read_and_that_has_no_rule_is_an_error() -> None:
    recording, played = sides()
    for fields in (recording.before, recording.after, played.before, played.after):
        fields["masks"] = fields["place"] > 0
    assert check_recording(pair_of(), recording, played, "replay").passed
    bare = check_recording(pair_of(rules=RULES), recording, played, "replay")
    assert (bare.passed, bare.error) == (False, "fields without a counterpart or a rule: masks")


def test_the_first_mismatch_of_every_field_is_told() -> None:
    theirs = {"a": np.arange(4), "b": np.arange(8.0).reshape(4, 2)}
    ours = {"a": theirs["a"] + [0, 1, 1, 0], "b": theirs["b"] + [[0, 0], [0, 2], [1, 1], [0, 0]]}
    rules = {"a": exact(), "b": exact()}
    stats, firsts = compare_fields(rules, theirs, ours, np.ones(4, bool))
    assert firsts == [Mismatch(1, -1, "a", (), 1, 2), Mismatch(1, -1, "b", (1,), 3.0, 5.0)]
    assert {name: one.mismatches for name, one in stats.items()} == {"a": 2, "b": 3}


def test_branches_are_counted_on_each_step_taken_with_what_was_before_it() -> None:
    recording, played = sides()
    seen: list[tuple[Fields, Array, Fields]] = []

    def coverage(before: Fields, actions: Array, after: Fields) -> dict[str, int]:
        seen.append((before, actions, after))
        return {"moved": len(actions)}

    result = check_recording(pair_of(coverage=coverage), recording, played, "replay")
    assert result.coverage == Counter(moved=sum(LENGTHS))
    [(before, actions, after)] = seen
    taken = [(lane, step) for lane in range(LANES) for step in range(LENGTHS[lane])]
    assert actions.tolist() == [recording.actions[at] for at in taken]
    assert after["place"].tolist() == [recording.after["place"][at] for at in taken]
    assert before["place"].tolist() == [
        recording.after["place"][lane, step - 1] if step else recording.before["place"][lane]
        for lane, step in taken
    ]
    assert shifted(recording.before, recording.after)["grid"].shape == (LANES, STEPS, 2, 2)


@pytest.mark.parametrize("factor", [0.9, 1.1])
@pytest.mark.parametrize("lane", range(LANES))
def test_an_episode_s_reward_is_off_by_its_own_size(factor: float, lane: int) -> None:
    recording, played = sides()
    pair = pair_of(rules={**RULES, "masks": exact(), "reward": close(floor=1e9)}, max_deviation=0.05)
    for share, passes in ((0.04, True), (0.06, False)):
        reward = played.after["reward"].copy()
        total = reward[lane, : LENGTHS[lane]].sum()
        reward[lane, 0] += np.copysign(share, factor - 1) * total
        made = with_masks(played._replace(after={**played.after, "reward": reward}))
        result, restarts = judge_replay(pair, recording, made)
        assert restarts.passed
        assert result.passed == passes
        assert result.notes["reward_deviation_max"] == pytest.approx(share, rel=1e-5)
        assert result.notes["episodes"] == LANES
        if not passes:
            assert result.first is not None
            assert (result.first.field, result.first.lane, result.first.step) == (
                "episode reward",
                lane,
                -1,
            )
            sums = (result.first.reference, result.first.port)
            assert sums == pytest.approx((total, reward[lane, : LENGTHS[lane]].sum()), rel=1e-6)


def test_rewards_that_nearly_cancel_are_not_taken_for_a_deviation() -> None:
    recording, played = sides()
    recording.after["reward"] = np.array([[1, -1, 0], [1, 1, 9], [1, 9, 9]], np.float32)
    for apart, passes in ((1e-7, True), (1e-6, True), (4e-6, False)):
        reward = recording.after["reward"].copy()
        reward[0, 2] = apart
        made = with_masks(played._replace(after={**played.after, "reward": reward}))
        rules = {**RULES, "masks": exact(), "reward": close(floor=1.0)}
        result = judge_replay(pair_of(rules=rules, max_deviation=0.1), recording, made)[0]
        assert result.passed == passes
        assert result.notes["reward_deviation_max"] == pytest.approx(apart / 2e-5, rel=1e-5)


def test_rewards_are_summed_in_double_precision_up_to_the_episode_s_end() -> None:
    reward = np.array([[2**24, 1, -(2**24), 5]], np.float32)
    assert episode_rewards({"reward": reward}, np.array([[True, True, True, False]])).tolist() == [1.0]


def results() -> dict[str, CheckResult]:
    """Return a check for each way to fail, by its name."""
    wrong, far = Comparison(compared=4, mismatches=2), of_error(2.0, 1.0, 3)
    fine, near = Comparison(compared=5), of_error(0.5, 1.0, 7)
    checks = {
        "nothing": {"fields": {"a": fine}, "measures": {"n": near}},
        "a number": {"fields": {"a": fine, "b": wrong, "c": fine}},
        "a measure": {"measures": {"m": near, "n": far, "o": near}},
        "measures": {"measures": {"m": far, "n": near, "o": far, "p": far}},
        "a place": {"first": Mismatch(0, 0, "restarted", (), 1.0, 0.0)},
        "no check": {"error": "could not be carried out"},
    }
    return {name: CheckResult("replay", "north", 1, **values) for name, values in checks.items()}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "numbers", "mismatches"),
    [
        ("nothing", 12, 0),
        ("a number", 14, 2),
        ("a measure", 17, 1),
        ("measures", 16, 3),
        ("a place", 0, 0),
        ("no check", 0, 0),
    ],
)
def test_a_check_passes_only_where_nothing_is_wrong(name: str, numbers: int, mismatches: int) -> None:
    result = results()[name]
    assert result.passed == (name == "nothing")
    assert (result.numbers, result.mismatches) == (numbers, mismatches)
    told = result.to_dict()
    assert (told["numbers"], told["mismatches"], told["passed"]) == (numbers, mismatches, result.passed)
    assert told["error"] == result.error
    assert (told["first"] is None) == (result.first is None)


def test_each_seed_world_and_check_draws_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[int, ...]] = []

    class Drawn(Exception):
        pass

    def draw(*given: Any) -> None:
        drawn.append(tuple(given[-1].integers(2**62, size=4)))
        raise Drawn

    monkeypatch.setattr(verify, "record_episodes", draw)
    monkeypatch.setattr(verify, "seeded_cases", draw)
    for check, world, seed in product((check_replay, check_generated), range(3), range(3)):
        for _ in range(2):
            with pytest.raises(Drawn):
                check(pair_of(), world, 5, seed)
    assert drawn[::2] == drawn[1::2]
    assert len(set(drawn)) == 18


def test_a_case_diverges_by_any_number_before_or_after(monkeypatch: pytest.MonkeyPatch) -> None:
    recording, played = sides()
    one = replace(recording, after={name: value[:, :1] for name, value in recording.after.items()})
    same = played._replace(after=deepcopy(one.after))
    monkeypatch.setattr(verify, "record_cases", lambda pair, cases: one)
    for when, name, place in every_place():
        if when == "after" and place[1]:
            continue
        made = with_one_changed(same, when, name, place)
        monkeypatch.setattr(verify, "replay", lambda pair, given, made=made: made)
        wanted = [lane == place[0] for lane in range(LANES)]
        assert diverges(pair_of(), [None] * LANES).tolist() == wanted  # type: ignore[list-item]


@pytest.mark.parametrize("field", ["balance", "reward"])
def test_curves_of_the_first_episodes_are_kept_up_to_their_end(field: str) -> None:
    recording, played = sides()
    for side in (recording, played):
        if field == "balance":
            side.after["balance"] = np.arange(LANES * STEPS).reshape(LANES, STEPS) * 100
    played.after[field] = played.after[field] + 0.5
    rules = {**RULES, "masks": exact(), "balance": close(floor=1), "reward": close(floor=1)}
    result = judge_replay(pair_of(rules=rules), recording, with_masks(played))[0]
    assert result.notes["curves"] == [
        {
            "field": field,
            "policy": recording.labels[lane],
            "start": int(recording.starts[lane]),
            "reference": recording.after[field][lane, : LENGTHS[lane]].tolist(),
            "port": played.after[field][lane, : LENGTHS[lane]].tolist(),
        }
        for lane in range(LANES)
    ]
    assert result.notes["policies"] == {"left": 2, "right": 1}
    assert result.notes["reward_deviation_limit"] == pair_of().max_deviation


def test_a_seed_leads_both_sides_and_what_was_stepped_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    recording, played = sides()
    recording.labels = ["wall", "wall", "open"]
    seeds, told = list[int](), list[int]()

    def replayed(pair: Any, given: Any, seed: int = 0) -> Any:
        seeds.append(seed)
        return with_masks(played)

    monkeypatch.setattr(verify, "replay", replayed)
    monkeypatch.setattr(verify, "record_episodes", lambda *given: recording)
    monkeypatch.setattr(verify, "record_cases", lambda *given: recording)
    monkeypatch.setattr(verify, "seeded_cases", lambda pair, world, count, rng: [None] * count)
    check_replay(pair_of(), 1, 3, 7)
    result, cases = check_generated(pair_of(), 1, 3, 8, told.append)
    assert (seeds, told, len(cases)) == ([7, 8], [3], 3)
    assert (result.check, result.notes["corners"]) == ("generated", {"wall": 2, "open": 1})


def test_a_check_s_values_are_told_whole() -> None:
    fields = {"a": Comparison("equal", 5, 1, 2, 3.0, [1] * 9)}
    measures = {"m": of_error(0.5, 1.0, 7, "a bias")}
    first = Mismatch(2, 5, "a", (1, 0), 1.5, 2.5)
    coverage = Counter(sold=3, held=0)
    check = CheckResult("x", "north", 4, fields, first, coverage, {"n": 9}, "", measures)
    assert check.to_dict() == {
        "check": "x",
        "world": "north",
        "compared": 4,
        "numbers": 12,
        "fields": {
            "a": {
                "rule": "equal",
                "compared": 5,
                "mismatches": 1,
                "max_ulps": 2,
                "max_abs": 3.0,
                "ulp_histogram": [1] * 9,
            }
        },
        "first": {
            "lane": 2,
            "step": 5,
            "field": "a",
            "index": (1, 0),
            "reference": 1.5,
            "port": 2.5,
        },
        "coverage": {"sold": 3, "held": 0},
        "notes": {"n": 9},
        "error": "",
        "measures": {"m": {"error": 0.5, "limit": 1.0, "compared": 7, "where": "a bias"}},
        "mismatches": 1,
        "passed": False,
    }


@pytest.mark.parametrize("name", ["reward", "place", "terminated"])
def test_a_replay_that_lacks_a_field_is_told_and_its_restarts_do_not_pass(name: str) -> None:
    recording, played = sides()
    less = {field: value for field, value in with_masks(played).after.items() if field != name}
    found = judge_replay(pair_of(), recording, with_masks(played)._replace(after=less))
    assert [(one.check, one.world, one.passed, one.error) for one in found] == [
        ("replay", "north", False, f"fields without a counterpart or a rule: {name}"),
        ("restart", "north", False, "not carried out, as the replay could not be compared"),
    ]
    assert [(one.compared, one.numbers) for one in found] == [(sum(LENGTHS), 0), (0, 0)]
    assert found[0].notes == {"episodes": 3, "policies": {"left": 2, "right": 1}}
    summary = Report("", 0, "", [], found, frozenset()).summary()
    assert (summary["episodes"], summary["failed_checks"]) == (3, 2)


def test_curves_are_kept_of_six_episodes_at_most() -> None:
    pair = walker_pair()
    recording = record_episodes(pair, 0, 8, np.random.default_rng(4))
    curves = judge_replay(pair, recording, replayed(pair, recording))[0].notes["curves"]
    assert [one["start"] for one in curves] == recording.starts[:6].tolist()
    assert [len(one["port"]) for one in curves] == recording.lengths[:6].tolist()
    assert len({tuple(one["reference"]) for one in curves}) > 3
    few = record_episodes(pair, 0, 2, np.random.default_rng(4))
    assert len(judge_replay(pair, few, replayed(pair, few))[0].notes["curves"]) == 2


def test_rewards_that_are_no_numbers_make_a_deviation_wherever_they_stand() -> None:
    free = {**RULES, "masks": exact(), "reward": close(floor=1e9, nan_is_undefined=True)}
    for lane in range(LANES):
        recording, played = sides()
        for after in (recording.after, played.after):
            after["reward"][lane, 0] = np.nan
        result = judge_replay(pair_of(rules=free), recording, with_masks(played))[0]
        assert result.first is not None
        assert (result.first.field, result.first.lane, result.passed) == ("episode reward", lane, False)
        assert np.isnan(result.notes["reward_deviation_max"])


def test_a_number_that_differs_is_told_before_an_episode_s_reward() -> None:
    recording, played = sides()
    after = {**played.after, "reward": played.after["reward"] * 2}
    made = with_one_changed(with_masks(played)._replace(after=after), "before", "grid", (0, 1, 1))
    result = judge_replay(pair_of(max_deviation=0.5), recording, made)[0]
    assert result.first is not None
    assert (result.first.field, result.first.index) == ("grid", (1, 1))
    assert result.notes["reward_deviation_max"] == pytest.approx(1.0)
