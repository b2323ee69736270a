"""Disagreements made by hand: which of them are one fault's, and which is the shortest to tell."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from parity.engine.compare import Tolerance, close
from parity.engine.diverge import (
    Divergence,
    FieldDifference,
    differences,
    explain_case,
    explain_replay,
    findings,
    reached,
    state_before,
)
from parity.engine.pair import Case, Pair
from parity.engine.record import record_actions, record_episodes
from parity.engine.replay import replay
from parity.engine.verify import Mismatch, check_recording, check_replay
from tests.parity.walker import stuck_at_seven, walker_pair


def divergence(*fields: str, world: str = "north", check: str = "replay", **made: Any) -> Divergence:
    """Return a disagreement in these fields; a "~" before a name is a float's."""
    differing = [
        FieldDifference("after", name.removeprefix("~"), 1, 2, 9 if name.startswith("~") else None)
        for name in fields
    ]
    given: dict[str, Any] = {"actions": [1], "state": {}, "corner": "", "moment": {}, "command": ""}
    shown = {**given, "differences": differing, **made}
    mismatch = Mismatch(0, 0, "reward", (), 1, 2)
    return Divergence(check, world, 0, 0, mismatch, "logic", **shown)


@pytest.mark.parametrize(
    ("fields", "known_by"),
    [
        (("place", "~reward", "masks", "terminated"), {"place"}),
        (("place", "held", "obs[3]"), {"place", "held"}),
        (("masks[1]", "terminated", "~reward"), {"masks", "terminated"}),
        (("~obs[0]", "~obs[2]", "~reward"), {"obs", "reward"}),
        ((), {"reward"}),
    ],
)
def test_a_disagreement_is_known_by_its_state_then_flags_then_floats(
    fields: tuple[str, ...], known_by: set[str]
) -> None:
    assert reached(divergence(*fields)) == known_by


def test_disagreements_that_hang_together_by_any_field_are_one_fault() -> None:
    chain = [
        divergence("a", "b", world="one"),
        divergence("c", world="two"),
        divergence("b", "c", world="three", check="generated"),
        divergence("d", world="one", check="restart"),
    ]
    for order in permutations(chain):
        found = findings(order)
        assert sorted(one.fields for one in found) == [["a", "b", "c"], ["d"]]
        [whole] = [one for one in found if "a" in one.fields]
        assert set(whole.worlds) == {"one", "two", "three"}
        assert set(whole.checks) == {"replay", "generated"}
        assert len(whole.worlds) + len(whole.checks) == 5


def test_what_differs_before_an_action_is_told_as_what_differs_after_it() -> None:
    pair = walker_pair()
    plain = pair.port.masks
    odd = replace(pair, port=replace(pair.port, masks=lambda state, params: ~plain(state, params)))
    case = Case(0, {"place": 3, "steps": 0, "begun": 0}, 1)
    assert differences(odd, case) == [
        FieldDifference(when, f"masks[{place}]", True, False, None)
        for when in ("before", "after")
        for place in (0, 1)
    ]


@pytest.mark.parametrize("longer", [{"state": None}, {"actions": [1, 1]}, {"state": {"place": 12}}])
def test_the_shortest_of_a_fault_s_disagreements_is_shown(longer: dict[str, Any]) -> None:
    short, long = divergence("a", command="short"), divergence("a", command="long", **longer)
    several = divergence("a", "~b", command="several")
    for order in permutations((short, long, several)):
        [found] = findings(order)
        assert found.smallest.command == "short"
        assert found.to_dict()["command"] == "short"
    without = divergence("a", state=None, actions=[1], command="episode")
    [found] = findings([without, divergence("a", "b", state={}, actions=[1, 1, 1], command="state")])
    assert found.smallest.command == "state"


def forgetting_pair() -> Pair:
    """Return the walker, whose port goes wrong in its fifth step, which nothing that is read tells."""
    plain = walker_pair()
    port = plain.port

    def hidden(begun: Any) -> Any:
        def wrapped(*given: Any) -> Any:
            state = begun(*given)
            return {**state, "taken": jnp.zeros_like(state["place"])}

        return wrapped

    def step(key: Any, state: Any, action: Any, params: Any) -> Any:
        shown = {name: value for name, value in state.items() if name != "taken"}
        out = port.step(key, shown, action, params)
        taken = state["taken"] + 1
        final = {
            **out.final_state,
            "place": out.final_state["place"] + (taken == 5).astype(jnp.int32),
            "taken": taken,
        }
        after = jnp.where(out.outcome["terminated"] | out.outcome["truncated"], 0, taken)
        return out._replace(final_state=final, state={**out.state, "taken": after})

    def read(state: Any, params: Any) -> Any:
        return {name: value for name, value in state.items() if name != "taken"}

    changed = replace(port, begin=hidden(port.begin), inject=hidden(port.inject), step=step, read=read)
    return replace(plain, port=changed)


def test_what_no_single_case_shows_has_no_command_that_would_say_that_all_is_the_same() -> None:
    pair = forgetting_pair()
    recording = record_episodes(pair, 0, 20, np.random.default_rng([0, 0, 1]))
    first = check_replay(pair, 0, episodes=20, seed=0)[0].first
    assert first is not None
    assert (first.field, first.step) == ("place", 4)
    case = Case(0, state_before(recording, first.lane, 4), int(recording.actions[first.lane, 4]))
    assert differences(pair, case) == []  # one case is the same on both sides
    found = explain_replay(pair, recording, first, "replay")
    assert (found.state, found.command, found.differences) == (None, "", [])
    assert found.actions == recording.actions[first.lane, :5].tolist()
    assert found.moment == {"place": case.state["place"]}


def two_worlds(**changes: Any) -> Pair:
    """Return a walker of two worlds whose port is stuck at seven, and of whose moments all is told."""
    return replace(
        walker_pair(stuck_at_seven),
        worlds=["line", "other line"],
        starts=[np.arange(3), np.arange(3)],
        policies={
            "right": lambda rng, masks, obs: 1,
            "mostly right": lambda rng, masks, obs: int(rng.random() < 0.8),
        },
        describe=lambda world, state: {"world": world, **state},
        command=lambda case: f"walk {case.world} {dict(case.state)} {case.action} {case.corner}",
        **changes,
    )


@pytest.mark.parametrize("hidden", [False, True])
def test_a_disagreement_in_an_episode_is_told_whole(hidden: bool) -> None:
    """With the state before it, or where that does not show it, with all actions up to it."""
    pair = two_worlds()
    recording = record_episodes(pair, 1, 8, np.random.default_rng(2))
    first = check_recording(pair, recording, replay(pair, recording), "replay").first
    assert first is not None
    lane = max(lane for lane in range(8) if 8 in recording.after["place"][lane])
    step = int(np.flatnonzero(recording.after["place"][lane] == 8)[0])
    assert lane > first.lane or step > 0
    mismatch = Mismatch(lane, step, "place", (), 8, 7)
    state = state_before(recording, lane, step)
    assert state["place"] == 7
    judged = replace(pair, port=walker_pair().port) if hidden else pair
    found = explain_replay(judged, recording, mismatch, "a check")
    taken = recording.actions[lane, : step + 1].tolist()
    assert (found.check, found.world, found.lane, found.step) == ("a check", "other line", lane, step)
    assert (found.mismatch, found.looks_like, found.corner) == (
        mismatch,
        "logic",
        recording.labels[lane],
    )
    assert found.actions == (taken if hidden else [1])
    assert found.state == (None if hidden else state)
    assert found.moment == {"world": 1, **state}
    assert found.command == ("" if hidden else f"walk 1 {state} 1 ()")
    fields = {one.field for one in found.differences}
    assert fields == (set() if hidden else {"place", "reward", "obs[0]"})


def test_a_disagreement_before_the_first_step_is_told_as_such() -> None:
    pair = two_worlds()
    recording = record_episodes(pair, 1, 3, np.random.default_rng(2))
    mismatch = Mismatch(1, -1, "place", (), 8, 7)
    found = explain_replay(pair, recording, mismatch, "replay")
    assert (found.step, found.actions, found.state) == (-1, recording.actions[1, :1].tolist(), None)
    assert found.moment["place"] == recording.starts[1]


def test_a_disagreement_in_a_case_is_told_whole_after_it_was_made_smaller() -> None:
    pair = two_worlds()

    def case(choices: Any, world: int) -> Case:
        corner = (choices.aim(("near", "far")), choices.aim(("left", "right")))
        state = {"place": choices.integer(-9, 9), "steps": choices.integer(0, 9), "begun": 0}
        return Case(world, state, choices.integer(0, 1), corner)

    pair = replace(pair, case=case)
    corner = ("far", "right")
    cases = [
        Case(0, {"place": 1, "steps": 1, "begun": 0}, 1, ("near", "left")),
        Case(1, {"place": 7, "steps": 5, "begun": 0}, 1, corner),
    ]
    mismatch = Mismatch(1, 0, "place", (), 8, 7)
    found = explain_case(pair, cases, mismatch)
    small = {"place": 7, "steps": 0, "begun": 0}
    assert found == Divergence(
        check="generated",
        world="other line",
        lane=1,
        step=0,
        mismatch=mismatch,
        looks_like="logic",
        actions=[1],
        state=small,
        corner="far; right",
        differences=differences(pair, Case(1, small, 1, corner)),
        moment={"world": 1, **small},
        command=f"walk 1 {small} 1 {corner}",
    )
    assert [(one.when, one.field, one.reference, one.port) for one in found.differences[:1]] == [
        ("after", "place", 8, 7)
    ]


@pytest.mark.parametrize("rule", [close(ulps=1), Tolerance(1e-9), Tolerance(0.0, 1e-9)], ids=repr)
def test_a_place_within_an_array_is_named_before_and_after_an_action_with_its_distance(
    rule: Tolerance,
) -> None:
    """What a float is off is told in ulps, and of what must be equal there is no distance."""
    pair = walker_pair()
    plain = pair.port.observe

    def observe(state: Any, params: Any) -> Any:
        seen = plain(state, params)
        return seen.at[..., 1].add(2.0**-20)

    given = pair.port.step

    def step(key: Any, state: Any, action: Any, params: Any) -> Any:
        out = given(key, state, action, params)
        return out._replace(final_obs=observe(out.final_state, params))

    odd = replace(
        pair,
        port=replace(pair.port, observe=observe, step=step),
        rules={**pair.rules, "obs": rule},
    )
    found = differences(odd, Case(0, {"place": 3, "steps": 6, "begun": 0}, 1))
    assert [(one.when, one.field) for one in found] == [("before", "obs[1]"), ("after", "obs[1]")]
    assert found[0].ulps == 16
    assert found[1].ulps in (15, 16, 17)  # 7 / 12 is rounded on either side
    assert [one.reference for one in found] == [0.5, float(np.float32(7 / 12))]


def test_findings_stand_in_order_of_appearance_and_so_does_where_they_were_seen() -> None:
    seen = [
        divergence("a", world="one", command="first"),
        divergence("b", world="two", check="generated"),
        divergence("d", world="five"),
        divergence("c", world="three"),
        divergence("b", "c", world="four", check="restart"),
        divergence("a", world="six", check="generated"),
    ]
    found = [one.to_dict() for one in findings(seen)]
    assert [one["seen"] for one in found] == [
        {"fields": ["a"], "worlds": ["one", "six"], "checks": ["replay", "generated"]},
        {
            "fields": ["b", "c"],
            "worlds": ["two", "three", "four"],
            "checks": ["generated", "replay", "restart"],
        },
        {"fields": ["d"], "worlds": ["five"], "checks": ["replay"]},
    ]
    assert [one["world"] for one in found] == ["one", "two", "five"]  # of alike ones the first is shown
    assert found[0] == {**seen[0].to_dict(), "seen": found[0]["seen"]}


def test_an_episode_s_reward_takes_all_of_its_actions() -> None:
    pair = two_worlds()
    recording = record_episodes(pair, 1, 6, np.random.default_rng(2))
    lane = int(recording.lengths.argmin())
    length = int(recording.lengths[lane])
    assert 1 < length < recording.actions.shape[1]
    mismatch = Mismatch(lane, -1, "episode reward", (), 1.0, 2.0)
    found = explain_replay(pair, recording, mismatch, "replay")
    assert (found.lane, found.step, found.state, found.command) == (lane, -1, None, "")
    assert found.actions == recording.actions[lane, :length].tolist()
    assert found.moment["place"] == recording.starts[lane]


def test_an_episode_s_reward_that_its_first_step_shows_is_told_by_that_step() -> None:
    pair = two_worlds()
    actions = np.array([[1, 0, 0], [1, 0, 0]], np.int32)
    recording = record_actions(pair, 1, np.array([2, 7], np.int32), actions)
    recording.worlds = np.array([0, 1], np.int32)
    found = explain_replay(pair, recording, Mismatch(1, -1, "episode reward", (), 1.0, 2.0), "replay")
    assert (found.world, found.moment["world"]) == ("other line", 1)
    state = {"place": 7, "steps": 0, "begun": 7}
    assert (found.actions, found.state, found.step) == ([1], state, -1)
    assert found.command == f"walk 1 {state} 1 ()"
    assert {one.field for one in found.differences} == {"place", "reward", "obs[0]"}
