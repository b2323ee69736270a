"""Restarts of a replay made by hand against the reference's resets, each with one thing changed."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from parity.engine.compare import close, exact
from parity.engine.pair import Fields
from parity.engine.verify import Mismatch, check_restarts, judge_replay
from tests.parity.engine.made_sides import (
    LANES,
    LENGTHS,
    RULES,
    STEPS,
    changed,
    pair_of,
    resting,
    sides,
    with_masks,
)


def test_honest_restarts_pass() -> None:
    recording, played = sides()
    result = check_restarts(pair_of(), recording, with_masks(played))
    assert (result.passed, result.compared, result.coverage) == (True, 2, Counter(restarts=2))
    assert {name: one.compared for name, one in result.fields.items()} == {
        "place": 2,
        "obs": 4,
        "grid": 8,
        "masks": 2,
    }
    assert result.notes["distinct_starts"] == 2


def test_a_restart_too_many_or_too_few_and_a_state_that_is_touched_are_found() -> None:
    recording, played = sides()
    ended = played.restarted
    for lane, step in product(range(LANES), range(STEPS)):
        counts = step < LENGTHS[lane]
        for name, what, values in (
            ("restarted", "restarted", (float(ended[lane, step]), float(not ended[lane, step]))),
            ("untouched", "state handed out without a restart", (1.0, 0.0)),
        ):
            value = getattr(played, name).copy()
            value[lane, step] = not value[lane, step]
            result = check_restarts(pair_of(), recording, with_masks(played._replace(**{name: value})))
            assert result.first == (Mismatch(lane, step, what, (), *values) if counts else None)
            assert result.passed != counts


def test_a_restart_where_no_episode_begins_names_its_lane() -> None:
    recording, played = sides()
    for lane, start in product((0, 2), (-1, 4, 7)):  # 4 is a start of the other world
        begun = played.restart["place"].copy()
        begun[lane] = start
        made = with_masks(played._replace(restart={**played.restart, "place": begun}))
        result = check_restarts(pair_of(), recording, made)
        assert result.first == Mismatch(lane, -1, "restarted at", (), -1.0, float(start))


def test_a_restart_that_shows_anything_else_than_a_reset_is_found() -> None:
    recording, played = sides()
    honest = with_masks(played)
    for name in ("obs", "grid", "masks"):
        for place in np.ndindex(honest.restart[name].shape):
            restart = {**honest.restart, name: changed(honest.restart[name], place)}
            result = check_restarts(pair_of(), recording, honest._replace(restart=restart))
            if place[0] == 1:
                assert result.passed  # of the lane that never restarted
                continue
            assert result.first is not None
            assert (result.first.lane, result.first.step) == (place[0], -1)
            assert (result.first.field, result.first.index) == (name, place[1:])
            assert result.fields[name].mismatches == result.mismatches == 1


def test_each_world_s_restarts_are_held_against_its_own_starts() -> None:
    recording, played = sides()
    south = pair_of(begun=lambda fields: (np.array([0, 1]), fields["place"]))
    made = with_masks(played._replace(restart=resting(5, 0, 4)))
    assert check_restarts(south, recording, made).passed
    first = check_restarts(south, recording, with_masks(played)).first
    assert first == Mismatch(2, -1, "restarted at", (), -1.0, 3.0)


def test_no_more_restarts_are_compared_than_asked_for() -> None:
    recording, played = sides()
    honest = with_masks(played)
    for most, seen in ((None, (0, 2)), (2, (0, 2)), (1, (0,)), (0, ())):
        assert check_restarts(pair_of(), recording, honest, "few", most).coverage["restarts"] == len(
            seen
        )
        for lane in range(LANES):
            restart = {**honest.restart, "obs": changed(honest.restart["obs"], (lane, 1))}
            made = honest._replace(restart=restart)
            result = check_restarts(pair_of(), recording, made, "few", most)
            assert (result.check, result.passed) == ("few", lane not in seen)


def test_only_restarts_that_are_held_against_a_reset_count_as_compared() -> None:
    recording, played = sides()
    honest = with_masks(played)
    for most, count in ((None, 2), (2, 2), (1, 1), (0, 0)):
        result = check_restarts(pair_of(), recording, honest, "few", most)
        assert (result.compared, result.numbers) == (count, 8 * count)
    more = deepcopy(recording)
    more.after["truncated"][0, 0] = True  # a second end of the first lane, of which nothing is kept
    again = honest._replace(restarted=more.after["terminated"] | more.after["truncated"])
    assert check_restarts(pair_of(), more, again).compared == 2
    none = deepcopy(recording)
    for name in ("terminated", "truncated"):
        none.after[name][:] = False
    result = check_restarts(pair_of(), none, honest._replace(restarted=none.after["terminated"]))
    assert (result.passed, result.compared, result.numbers) == (True, 0, 0)
    for name in ("restarted", "untouched"):
        wrong = {name: ~getattr(honest, name)}
        assert check_restarts(pair_of(), recording, honest._replace(**wrong)).compared == 0


def test_of_two_wrong_restarts_that_of_the_first_lane_is_named() -> None:
    recording, played = sides()
    honest = with_masks(played)
    names = ("obs", "grid", "masks")
    for first, second in product(names, names):
        restart = {name: honest.restart[name].copy() for name in honest.restart}
        for lane, name in ((0, first), (2, second)):
            restart[name] = changed(restart[name], (lane, *(0,) * (restart[name].ndim - 1)))
        result = check_restarts(pair_of(), recording, honest._replace(restart=restart))
        assert result.first is not None
        assert (result.first.lane, result.first.field) == (0, first)


@pytest.mark.parametrize("field", ["place", "grid", "masks"])
def test_a_field_that_one_side_alone_shows_at_a_restart_is_an_error(field: str) -> None:
    """Nothing of the port's stands in for what the reference does not show."""
    recording, played = sides()
    honest = with_masks(played)
    less = {name: value for name, value in honest.restart.items() if name != field}
    pair = pair_of(begun=lambda fields: (np.zeros(2, int), np.array([5, 3])))
    assert check_restarts(pair, recording, honest).passed
    result = check_restarts(pair, recording, honest._replace(restart=less))
    assert (result.passed, result.error) == (
        False,
        f"fields without a counterpart or a rule: {field}",
    )
    more = {**honest.restart, "more": honest.restart["place"]}
    result = check_restarts(pair, recording, honest._replace(restart=more))
    assert (result.passed, result.error) == (False, "fields without a counterpart or a rule: more")
    bare = {name: rule for name, rule in pair.rules.items() if name != field}
    result = check_restarts(replace(pair, rules=bare), recording, honest)
    assert (result.passed, result.error) == (
        False,
        f"fields without a counterpart or a rule: {field}",
    )
    wide = {**honest.restart, field: honest.restart[field][..., None]}
    assert "shape" in check_restarts(pair, recording, honest._replace(restart=wide)).error


def test_a_number_of_the_reference_is_not_cut_to_the_port_s_dtype() -> None:
    recording, played = sides()
    honest = with_masks(played)
    narrow = {**honest.restart, "place": honest.restart["place"].astype(np.uint8)}
    begun = pair_of(begun=lambda fields: (np.zeros(2, int), np.array([5, 3])))
    assert check_restarts(begun, recording, honest._replace(restart=narrow)).passed

    def read(env: dict[str, int]) -> Fields:
        return {**pair_of().reference.read(env), "place": env["at"] + 256}

    far = replace(begun, reference=replace(begun.reference, read=read))
    first = check_restarts(far, recording, honest._replace(restart=narrow)).first
    assert first == Mismatch(0, -1, "place", (), 261, 5)


def test_restarts_in_several_worlds_are_each_held_against_a_reset_there() -> None:
    """In any order of lanes and worlds, and the lane that differs is named."""
    recording, played = sides()
    for worlds, starts in (((1, 0), (6, 5)), ((0, 1), (3, 4)), ((1, 1), (4, 6))):
        pair = pair_of(begun=lambda fields, worlds=worlds: (np.array(worlds), fields["place"]))
        honest = with_masks(played._replace(restart=resting(starts[0], 0, starts[1])))
        result = check_restarts(pair, recording, honest)
        assert (result.passed, result.compared, result.notes) == (True, 2, {"distinct_starts": 2})
        for lane in (0, 2):
            restart = {**honest.restart, "obs": changed(honest.restart["obs"], (lane, 1))}
            first = check_restarts(pair, recording, honest._replace(restart=restart)).first
            shown = float(honest.restart["obs"][lane, 1])
            assert first == Mismatch(lane, -1, "obs", (1,), shown, shown + 1)


def test_many_lanes_of_several_worlds_are_each_held_against_their_own_reset() -> None:
    worlds, starts = np.array([1, 0, 1, 0, 0]), np.array([6, 5, 4, 3, 5])
    recording, played = sides()
    rows = np.zeros(5, int)
    ended = np.ones((5, 1), bool)
    after = {**{name: value[rows, :1] for name, value in recording.after.items()}, "terminated": ended}
    many = replace(
        recording, worlds=rows.astype(np.int32), actions=rows[:, None], lengths=rows + 1, after=after
    )
    restart = {**resting(*starts), "masks": np.ones((5, 1), bool)}
    honest = played._replace(restarted=ended, untouched=ended, restart=restart)
    pair = pair_of(begun=lambda fields: (worlds, fields["place"]))
    result = check_restarts(pair, many, honest)
    assert (result.passed, result.compared, result.notes) == (True, 5, {"distinct_starts": 4})
    for lane in range(5):
        for name, place in (("obs", (lane, 1)), ("grid", (lane, 1, 0)), ("masks", (lane, 0))):
            other = {**restart, name: changed(restart[name], place)}
            result = check_restarts(pair, many, honest._replace(restart=other))
            was, now = restart[name][place].item(), other[name][place].item()
            assert result.first == Mismatch(lane, -1, name, place[1:], was, now)


def test_what_stands_behind_an_episode_s_end_is_no_restart() -> None:
    recording, played = sides()
    honest = with_masks(played)
    recording.after["terminated"][1, 2] = True  # of a lane of one step
    restart = {**honest.restart, "obs": changed(honest.restart["obs"], (1, 0))}
    made = honest._replace(
        restarted=recording.after["terminated"] | recording.after["truncated"], restart=restart
    )
    result = check_restarts(pair_of(), recording, made)
    assert (result.passed, result.compared) == (True, 2)


def test_the_episode_that_is_off_by_the_largest_share_of_itself_is_named() -> None:
    """Not that whose reward is off by the most."""
    recording, played = sides()
    recording.after["reward"] = np.array([[50, 30, 20], [0.5, 9, 9], [-8, 4, 9]], np.float32)
    ours = np.array([[50, 30, 27], [0.25, 9, 9], [-8, 4.5, 9]], np.float32)
    rules = {**RULES, "masks": exact(), "reward": close(floor=10.0)}
    made = with_masks(played._replace(after={**played.after, "reward": ours}))
    result = judge_replay(pair_of(rules=rules, max_deviation=0.1), recording, made)[0]
    assert result.first == Mismatch(1, -1, "episode reward", (), 0.5, 0.25)
    assert result.notes["reward_deviation_max"] == 0.5
