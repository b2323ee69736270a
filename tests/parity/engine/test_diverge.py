"""Disagreements made by hand: which of them are one fault's, and which is the shortest to tell."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from parity.engine.diverge import (
    Divergence,
    FieldDifference,
    differences,
    explain_replay,
    findings,
    reached,
    state_before,
)
from parity.engine.pair import Case, Pair
from parity.engine.record import record_episodes
from parity.engine.verify import Mismatch, check_replay
from tests.parity.walker import walker_pair


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
