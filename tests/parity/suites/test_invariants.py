"""Invariants of an account hold on numbers made by hand, and each is seen to be broken by itself."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from markets import EnvConfig, get_contract
from parity.engine.pair import Case, Fields
from parity.engine.record import Recording
from parity.engine.replay import Replay
from parity.engine.verify import Mismatch
from parity.suites import invariants
from parity.suites.invariants import account, check_account, check_forbidden
from tests.parity.engine.made_sides import changed
from tests.parity.walker import walker_pair

CONFIG, CONTRACT = EnvConfig.phase1(), get_contract("ES")
INITIAL = round(CONFIG.account.initial_balance_dollars * 100)
LOCK = INITIAL + round(CONFIG.account.floor_lock_dollars * 100)
SIDE = CONTRACT.commission_cents * CONFIG.account.contracts
NAMES = ("reference", "port")
LONG, CLOSED, SHORT = range(3)
"""Three lanes of one step: a long trade goes on, one has ended the episode, a short one goes on."""


def step() -> tuple[Fields, Fields]:
    """Return fields (3, 1) before a step and after it, of an account that is in order."""

    def column(*values: Any) -> Any:
        return np.array(values)[:, None]

    before = {
        "position": column(1, 1, -1),
        "position_entry_step": column(4, 4, 4),
        "sl_price": column(100, 100, 100),
        "trailing_dd_level": column(INITIAL, INITIAL, LOCK),
        "step_idx": column(7, 7, 7),
    }
    after = {
        "position": column(1, 0, -1),
        "position_entry_step": column(4, 4, 4),
        "sl_price": column(101, 0, 99),
        "trailing": column(True, False, False),
        "balance": column(INITIAL + 500 - SIDE, INITIAL - 300, INITIAL - SIDE),
        "total_pnl": column(500, -300, 0),
        "num_trades": column(3, 2, 1),
        "winning_trades": column(1, 2, 0),
        "losing_trades": column(1, 0, 0),
        "terminated": column(False, True, False),
        "trailing_dd_level": column(INITIAL, INITIAL + 1, LOCK),
        "reward": column(0.5, -1.0, 0.0),
        "obs": np.zeros((3, 1, 4)),
        "step_idx": column(8, 8, 8),
        "masks": np.ones((3, 1, 2), bool),
    }
    return before, after


BROKEN: list[tuple[str, int, str, Any]] = [
    ("trailing only while open", CLOSED, "trailing", True),
    ("balance = initial + total_pnl - entry commission", LONG, "balance", INITIAL + 500),
    ("balance = initial + total_pnl - entry commission", CLOSED, "balance", INITIAL - 300 - SIDE),
    ("balance = initial + total_pnl - entry commission", SHORT, "total_pnl", 1),
    ("num_trades = winning + losing + open", LONG, "num_trades", 2),
    ("num_trades = winning + losing + open", CLOSED, "losing_trades", 1),
    ("num_trades = winning + losing + open", SHORT, "winning_trades", 1),
    ("a terminated episode ends flat", LONG, "terminated", True),
    ("a terminated episode ends flat", SHORT, "terminated", True),
    ("the floor never falls", LONG, "trailing_dd_level", INITIAL - 1),
    ("the floor never exceeds its lock", CLOSED, "trailing_dd_level", LOCK + 1),
    ("an open trade's stop never moves against it", LONG, "sl_price", 99),
    ("an open trade's stop never moves against it", SHORT, "sl_price", 101),
    *(
        ("no number is NaN or infinite", lane, "reward", value)
        for lane, value in enumerate((np.nan, np.inf, -np.inf))
    ),
    ("time moves one bar", LONG, "step_idx", 7),
    ("time moves one bar", SHORT, "step_idx", 9),
]


def broken_in(before: Fields, after: Fields) -> dict[str, list[int]]:
    """Return the lanes in which an invariant is broken, of those that are anywhere."""
    found = account(before, after, CONFIG, CONTRACT)
    return {name: np.flatnonzero(bad[:, 0]).tolist() for name, bad in found.items() if bad.any()}


def test_an_account_in_order_breaks_nothing() -> None:
    before, after = step()
    assert broken_in(before, after) == {}
    assert {name for name, *_ in BROKEN} < set(account(before, after, CONFIG, CONTRACT))
    other = deepcopy(before)
    other["position_entry_step"][:] = 3  # another trade may have another stop
    after["sl_price"][:] = [[1], [1], [999]]
    assert broken_in(other, after) == {}
    other = deepcopy(before)
    other["position"] *= -1
    assert broken_in(other, after) == {}


@pytest.mark.parametrize(("name", "lane", "field", "value"), BROKEN)
def test_each_invariant_is_seen_to_be_broken(name: str, lane: int, field: str, value: Any) -> None:
    before, after = step()
    after[field][lane, 0] = value
    assert broken_in(before, after) == {name: [lane]}


def test_an_account_of_several_contracts_whose_floor_locks_below_the_start() -> None:
    config = EnvConfig.phase1(contracts=3, floor_lock_dollars=-50.0)
    lock, side = INITIAL - 5_000, 3 * CONTRACT.commission_cents

    def broken(lane: int, field: str, value: int) -> dict[str, list[int]]:
        before, after = step()
        before["trailing_dd_level"][:] = after["trailing_dd_level"][:] = lock
        after["balance"][:, 0] = [INITIAL + 500 - side, INITIAL - 300, INITIAL - side]
        after[field][lane, 0] = value
        found = account(before, after, config, CONTRACT)
        return {name: np.flatnonzero(bad[:, 0]).tolist() for name, bad in found.items() if bad.any()}

    assert broken(LONG, "trailing_dd_level", lock) == {}
    assert broken(SHORT, "trailing_dd_level", lock + 1) == {"the floor never exceeds its lock": [SHORT]}
    of_one = INITIAL - CONTRACT.commission_cents
    rule = "balance = initial + total_pnl - entry commission"
    assert broken(SHORT, "balance", of_one) == {rule: [SHORT]}


@pytest.mark.parametrize("side", [0, 1])
def test_either_side_is_held_to_its_own_account_and_contract(side: int) -> None:
    config = EnvConfig.phase1(contracts=3, floor_lock_dollars=-50.0, initial_balance_dollars=20_000.5)
    contract = get_contract("RTY").with_costs(commission_cents=131)
    initial, lock, entry = 2_000_050, 2_000_050 - 5_000, 3 * 131
    before, after = step()
    before["trailing_dd_level"][:] = after["trailing_dd_level"][:] = lock
    after["balance"][:, 0] = [initial + 500 - entry, initial - 300, initial - entry]
    recording = recorded(before, after)
    replay = played(recording)
    assert all(one.passed for one in check_account(recording, replay, "north", config, contract))
    for name, rule in (
        ("balance", "balance = initial + total_pnl - entry commission"),
        ("trailing_dd_level", "the floor never exceeds its lock"),
    ):
        wrong = deepcopy(recording), deepcopy(replay)
        wrong[side].after[name][SHORT, 0] += 1
        results = check_account(*wrong, "north", config, contract)
        assert [one.passed for one in results] == [side != 0, side != 1]
        assert results[side].first == Mismatch(SHORT, 0, rule, (), 1.0, 0.0)


@pytest.mark.parametrize("place", range(4))
def test_every_number_of_an_observation_is_looked_at(place: int) -> None:
    for value in (np.nan, np.inf, -np.inf):
        before, after = step()
        after["obs"][SHORT, 0, place] = value
        assert broken_in(before, after) == {"no number is NaN or infinite": [SHORT]}


def test_hold_is_the_first_action() -> None:
    before, after = step()
    after["masks"][LONG, 0, 1] = False
    assert broken_in(before, after) == {}
    after["masks"][CLOSED, 0, 0] = False
    assert broken_in(before, after) == {"hold is always allowed": [CLOSED]}


def recorded(before: Fields, after: Fields, lengths: tuple[int, ...] = (1, 1, 1)) -> Recording:
    """Return a recording of these steps of injected cases."""
    return Recording(
        worlds=np.zeros(3, np.int32),
        actions=np.ones((3, 1), np.int32),
        lengths=np.array(lengths, np.int32),
        before={name: value[:, 0] for name, value in before.items()},
        after={**before, **after},
        injected=True,
        starts=np.zeros(3, np.int32),
        labels=[""] * 3,
    )


def played(recording: Recording) -> Replay:
    """Return a replay that did what was recorded."""
    flags = np.ones((3, 1), bool)
    return Replay(deepcopy(recording.before), deepcopy(recording.after), flags, {}, flags)


@pytest.mark.parametrize(("name", "lane", "field", "value"), BROKEN)
def test_each_side_is_held_to_them_by_itself(name: str, lane: int, field: str, value: Any) -> None:
    for number, side in enumerate(NAMES):
        recording = recorded(*step())
        replay = played(recording)
        (recording, replay)[number].after[field][lane, 0] = value
        results = check_account(recording, replay, "north", CONFIG, CONTRACT)
        assert [one.check for one in results] == [f"invariants, {name}" for name in NAMES]
        assert [one.passed for one in results] == [number != 0, number != 1], side
        bad = results[number]
        assert bad.first is not None
        assert (bad.first.lane, bad.first.step, bad.first.field) == (lane, 0, name)
        assert {text: one.mismatches for text, one in bad.fields.items() if one.mismatches} == {name: 1}
        assert all(one.compared == 3 for one in bad.fields.values())
        lengths = tuple(int(other != lane) for other in range(3))
        recording.lengths = np.array(lengths, np.int32)  # after an episode's end nothing counts
        assert all(one.passed for one in check_account(recording, replay, "north", CONFIG, CONTRACT))


@pytest.mark.parametrize("field", ["place", "obs", "masks", "terminated", "reward", "forbidden"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_forbidden_action_that_does_anything_is_found(
    monkeypatch: pytest.MonkeyPatch, field: str, side: int
) -> None:
    def after(places: Any) -> Fields:
        lanes = len(places)
        return {
            "place": np.array(places)[:, None],
            "obs": np.ones((lanes, 1, 2), np.float32),
            "masks": np.ones((lanes, 1, 2), bool),
            "terminated": np.zeros((lanes, 1), bool),
            "reward": np.zeros((lanes, 1), np.float32),
            "forbidden": np.zeros((lanes, 1), bool),
        }

    cases = [Case(0, {"lane": lane}, 5) for lane in range(4)]
    held: list[list[Case]] = []

    def record(pair: Any, given: list[Case]) -> Recording:
        held.append(given)
        made = recorded({}, {})
        few = slice(len(given))
        made.worlds, made.actions, made.lengths = made.worlds[few], made.actions[few], made.lengths[few]
        places = [case.state["lane"] for case in given]
        made.before, made.after = {"place": np.array(places)}, after(places)
        return made

    monkeypatch.setattr(invariants, "record_cases", record)
    monkeypatch.setattr(
        invariants,
        "replay",
        lambda pair, one, shape: Replay({}, after(one.before["place"]), *[None] * 3),  # type: ignore[arg-type]
    )
    for lane in range(4):
        sides = after(range(4)), after(range(4))
        for one in sides:
            one["forbidden"][[1, 3]] = True
        sides[side][field] = changed(sides[side][field], (lane,) + (0,) * (sides[side][field].ndim - 1))
        recording = recorded({}, {})
        recording.lengths, recording.after = np.ones(4, np.int32), sides[0]
        forbidden = np.flatnonzero(sides[0]["forbidden"][:, 0]).tolist()
        results = check_forbidden(
            walker_pair(),
            cases,
            recording,
            Replay({}, sides[1], *[None] * 3),  # type: ignore[arg-type]
        )
        assert [case.state["lane"] for case in held[-1]] == forbidden
        assert {case.action for case in held[-1]} == {0}
        assert [one.check for one in results] == [
            "forbidden is hold, reference",
            "forbidden is hold, port",
        ]
        wrong = field not in ("reward", "forbidden") and lane in (1, 3)
        assert [one.passed for one in results] == [not (wrong and side == number) for number in (0, 1)]
        if wrong:
            first = results[side].first
            assert first is not None
            assert (first.lane, first.step, first.field) == (lane, 0, field)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("place", [0, 63, 64, 389, 399])
def test_every_step_of_an_episode_is_held_to_them(side: int, place: int) -> None:
    steps = 400
    before, after = step()
    lasting = {
        name: np.repeat(value[:1], steps, axis=1)
        for name, value in after.items()
        if name not in ("obs", "masks", "step_idx")
    }
    lasting |= {name: np.repeat(after[name][:1], steps, axis=1) for name in ("obs", "masks")}
    lasting["step_idx"] = before["step_idx"][:1] + 1 + np.arange(steps)[None]
    begun = {name: value[0] for name, value in before.items()}
    recording = Recording(
        worlds=np.zeros(1, np.int32),
        actions=np.zeros((1, steps), np.int32),
        lengths=np.array([steps], np.int32),
        before=begun,
        after=lasting,
        injected=False,
        starts=np.zeros(1, np.int32),
        labels=[""],
    )
    replay = played(recording)
    assert all(one.passed for one in check_account(recording, replay, "north", CONFIG, CONTRACT))
    (recording, replay)[side].after["balance"][0, place] += 1
    results = check_account(recording, replay, "north", CONFIG, CONTRACT)
    assert [one.passed for one in results] == [side != 0, side != 1]
    first = results[side].first
    assert first is not None
    assert (first.lane, first.step) == (0, place)
    assert {one.compared for one in results[side].fields.values()} == {steps}


def test_a_forbidden_action_is_held_to_what_its_own_side_does_on_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the sides differ on hold too, that is another check's finding."""

    def after(places: list[int]) -> Fields:
        return {"place": np.array(places)[:, None], "forbidden": np.ones((len(places), 1), bool)}

    held = recorded({}, {})
    held.before, held.after = {"place": np.arange(3)}, after([1, 2, 3])
    monkeypatch.setattr(invariants, "record_cases", lambda pair, cases: held)
    of_port: Any = Replay({}, after([101, 102, 103]), *[None] * 3)  # type: ignore[arg-type]
    monkeypatch.setattr(invariants, "replay", lambda pair, one, shape: of_port)
    cases = [Case(0, {}, 5)] * 3

    def passed(reference: list[int], port: list[int]) -> list[bool]:
        recording = recorded({}, {})
        recording.after = after(reference)
        replay: Any = Replay({}, after(port), *[None] * 3)  # type: ignore[arg-type]
        return [one.passed for one in check_forbidden(walker_pair(), cases, recording, replay)]

    assert passed([1, 2, 3], [101, 102, 103]) == [True, True]
    assert passed([1, 2, 3], [1, 2, 3]) == [True, False]
    assert passed([101, 102, 103], [101, 102, 103]) == [False, True]
    assert passed([1, 2, 4], [101, 102, 104]) == [False, False]


def test_of_several_broken_invariants_the_first_is_told_and_all_are_counted() -> None:
    """The first by name of those listed, in its first lane and step, of steps within the episode."""
    valid = np.array([[True, True, True], [True, True, False]])
    broken = {
        "holds": np.zeros((2, 3), bool),
        "beyond the end": np.array([[False] * 3, [False, False, True]]),
        "twice": np.array([[False, False, True], [False, True, True]]),
        "once": np.array([[True, False, False], [False] * 3]),
    }
    found = invariants._result("made", "north", broken, valid)
    assert (found.check, found.world, found.compared, found.error) == ("made", "north", 5, "")
    told = {name: (one.rule, one.compared, one.mismatches) for name, one in found.fields.items()}
    assert told == {
        "holds": ("holds", 5, 0),
        "beyond the end": ("holds", 5, 0),
        "twice": ("holds", 5, 2),
        "once": ("holds", 5, 1),
    }
    assert found.first == Mismatch(0, 2, "twice", (), 1.0, 0.0)
    assert not found.passed
    few = {name: broken[name] for name in ("holds", "beyond the end")}
    sound = invariants._result("made", "north", few, valid)
    assert (sound.passed, sound.first, sound.compared) == (True, None, 5)
