"""Looking ahead and lopsidedness are found where they are planted, and named with their place."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from markets import Bars, EnvConfig
from markets.bars import FEATURES, PRICE_COLUMNS
from markets.synthetic.bars import synthetic_bars
from parity.engine.pair import Case, Fields
from parity.engine.verify import CheckResult, Mismatch
from parity.pairs.trading import FLAGS, World, trading_pair
from parity.suites import symmetry
from parity.suites.processed import processed
from parity.suites.scenarios import Scenario
from parity.suites.symmetry import check_blindness, check_mirror, mirrored, other_future
from parity.suites.worlds import check_properties, record_world

CONFIG = EnvConfig.phase1(window_size=2)
WINDOW = CONFIG.window_size * len(FEATURES)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=1, seed=3)


@pytest.mark.parametrize("cut", [0, 7, 100])
def test_another_future_is_other_bars_after_the_cut_alone(bars: Bars, cut: int) -> None:
    other, again = other_future(bars, cut, 1), other_future(bars, cut, 2)
    assert len(other) == len(bars)
    assert (other.frame.index == bars.frame.index).all()
    for name in ("open", "high", "low", "close", "volume"):
        then, now = bars.frame[name].to_numpy(), other.frame[name].to_numpy()
        assert (then[: cut + 1] == now[: cut + 1]).all()
        assert (then[cut + 1 :] != now[cut + 1 :]).mean() > 0.8
    assert (again.frame["close"] != other.frame["close"]).any()
    assert (other.frame["low"] > 0).all()


def test_another_future_of_a_processed_file_has_other_features_after_the_cut_alone(bars: Bars) -> None:
    own = processed(World("north", replace(bars, bar_seconds=30), "")).bars
    assert own.precomputed is not None
    futures = [other_future(own, 200, seed) for seed in (1, 2)]
    for other in futures:
        assert other.bar_seconds == 30
        assert other.precomputed is not None
        then, now = own.precomputed.to_numpy(), other.precomputed.to_numpy()
        np.testing.assert_array_equal(now[:201], then[:201])
        assert (now[201:] != then[201:]).all()  # in every column
    assert (futures[0].precomputed != futures[1].precomputed).to_numpy()[201:].all()  # type: ignore
    assert other_future(bars, 200, 1).precomputed is None
    assert mirrored(own).bar_seconds == 30


def trending(bars: Bars, times: float) -> Bars:
    """Return bars that rise, or fall, to so many times their first price."""
    more = np.linspace(0.0, (times - 1) * bars.frame["close"].iloc[0], len(bars))
    frame = bars.frame.copy()
    for name in PRICE_COLUMNS:
        frame[name] = ((frame[name] + more) / bars.contract.tick_size).round() * bars.contract.tick_size
    return Bars.from_frame(frame, bars.contract, source="a trend")


@pytest.mark.parametrize("symbol", ["ES", "RTY"])  # a tick of a power of two, and of 0.1
@pytest.mark.parametrize("times", [1.0, 5.0, 0.2])
def test_bars_in_a_mirror_have_every_move_negated(symbol: str, times: float) -> None:
    bars = trending(synthetic_bars(symbol, days=1, seed=3), times)
    mirror, ticks = mirrored(bars), bars.contract.to_ticks
    for ours, theirs in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
        moves = np.diff(ticks(mirror.frame[ours]))
        assert (moves == -np.diff(ticks(bars.frame[theirs]))).all()
    assert mirror.frame["low"].min() == bars.frame["low"].min() > 0
    assert mirror.frame["high"].max() == bars.frame["high"].max()
    assert (mirror.frame["high"] >= mirror.frame["low"]).all()
    assert (mirror.frame["volume"] == bars.frame["volume"]).all()
    assert mirror.precomputed is None
    assert mirror.source == "a trend, mirrored"


def test_a_mirror_keeps_the_features_of_a_processed_file(bars: Bars) -> None:
    own = processed(World("north", bars, "")).bars
    pd.testing.assert_frame_equal(mirrored(own).precomputed, own.precomputed)


@pytest.mark.costly
@pytest.mark.parametrize("kind", ["processed", "a market that more than doubled"])
def test_honest_sides_pass_on_bars_of_every_kind(kind: str, bars: Bars) -> None:
    given = processed(World("north", bars, "")).bars if kind == "processed" else trending(bars, 3.0)
    config = EnvConfig.phase2(max_episode_bars=40)
    world = World("north", given, "")
    scenario, pair = Scenario("any", (world,), config, 5, 30), trading_pair([world], config)
    results = check_properties(scenario, record_world(scenario, pair, 0, 0), 0)
    assert len(results) == 4
    for one in results:
        assert one.passed, one
        assert one.compared > 20


def looking(bars: Bars, steps: list[int], ahead: dict[str, int]) -> Any:
    """Return what one side shows whose fields look at bars up to so many after each step's."""
    close = bars.frame["close"].to_numpy()

    def seen(name: str) -> np.ndarray:
        return close[np.array(steps) + ahead[name]]

    before = {
        "obs": np.stack([*[seen("window before")] * WINDOW, seen("rest before")], 1),
        "masks": np.stack([np.zeros(len(steps)), seen("masks before")], 1),
    }
    after = {
        "obs": np.stack([*[seen("window")] * WINDOW, seen("rest")], 1)[:, None],
        "masks": np.stack([np.zeros(len(steps)), seen("masks")], 1)[:, None],
        "reward": seen("reward")[:, None],
    }
    return SimpleNamespace(before=before, after=after)


SEEN = (*symmetry.MIRRORED, *FLAGS)
"""What must be the same in a mirror: what either phase has, and what Phase 2 has beside it."""

HONEST = {
    "window before": -1,
    "rest before": 9,
    "masks before": 0,
    "window": 0,
    "rest": 9,
    "masks": 1,
    "reward": 0,
}
"""How far after a step's bar each part may look; 9 is any."""


@pytest.mark.parametrize("name", [None, *(name for name, far in HONEST.items() if far < 9)])
@pytest.mark.parametrize("side", [0, 1])
def test_a_look_at_the_next_bar_is_found(
    monkeypatch: pytest.MonkeyPatch, bars: Bars, name: str | None, side: int
) -> None:
    steps = [40, 41, 42, 39, 60, 38, 44, 43]
    cases = [Case(1, {"step_idx": step, "market": 1}, 0) for step in steps]

    def both(world: World, config: EnvConfig, given: list[Case]) -> Any:
        assert [case.state["step_idx"] for case in given] == steps
        assert {(case.world, case.state["market"]) for case in given} == {(0, 0)}
        looks = [dict(HONEST), dict(HONEST)]
        if name is not None:
            looks[side][name] += 1
        return tuple(looking(world.bars, steps, ahead) for ahead in looks)

    monkeypatch.setattr(symmetry, "_both", both)
    results = check_blindness(World("north", bars, ""), CONFIG, cases, 0)
    assert [one.check for one in results] == ["no look-ahead, reference", "no look-ahead, port"]
    assert [one.passed for one in results] == [name is None or side != number for number in (0, 1)]
    cuts = [step - number % 2 for number, step in enumerate(steps[:6])]
    assert {one.compared for one in results} == {sum(step <= cut + 1 for cut in cuts for step in steps)}
    bad = results[side]
    field = {"window before": "market part of obs", "masks before": "masks", "window": "obs"}
    if name is not None:
        wrong = {text for text, one in bad.fields.items() if one.mismatches}
        assert wrong == {field.get(name, name)}
        assert bad.first is not None
        assert bad.first.field == field.get(name, name)
        # The lane whose bar is the last that must not know the future.
        last = {"window before": 1, "masks": -1}.get(name, 0)
        first_cut = next(cut for cut in cuts if any(step == cut + last for step in steps))
        assert steps[bad.first.lane] == first_cut + last


def sides(lengths: tuple[int, ...]) -> tuple[Any, Any]:
    """Return a recording and a replay of a few lanes of two steps, all fields different numbers."""
    shape = (3, 2)
    after: Fields = {name: 1 + number + np.arange(6).reshape(shape) for number, name in enumerate(SEEN)}
    valid = np.arange(2) < np.array(lengths)[:, None]
    recording = SimpleNamespace(
        after=after,
        valid=valid,
        lengths=np.array(lengths),
        transitions=sum(lengths),
        actions=np.arange(6).reshape(shape),
        starts=np.array([4, 5, 6]),
    )
    return recording, SimpleNamespace(after={name: value.copy() for name, value in after.items()})


@pytest.mark.parametrize("name", [None, *SEEN])
def test_what_a_mirror_changes_is_found_with_its_place(
    monkeypatch: pytest.MonkeyPatch, bars: Bars, name: str | None
) -> None:
    lengths = (2, 1, 2)
    given: list[Any] = []

    def flipped(one: Any) -> Any:
        after = {key: -value if key == "position" else value.copy() for key, value in one.after.items()}
        return SimpleNamespace(**{**vars(one), "after": after})

    def record(pair: Any, world: int, starts: Any, actions: Any) -> Any:
        given.append((pair.worlds, starts.tolist(), actions.tolist()))
        return turned[0]

    monkeypatch.setattr(symmetry, "trading_pair", lambda worlds, config: SimpleNamespace(worlds=worlds))
    monkeypatch.setattr(symmetry, "record_actions", record)
    monkeypatch.setattr(symmetry, "replay", lambda pair, mirror: turned[1])
    for side in (0, 1):
        for lane, step in np.ndindex(3, 2):
            both = sides(lengths)
            turned = [flipped(one) for one in both]
            if name is not None:
                turned[side].after[name][lane, step] *= -1
            results = check_mirror(World("north", bars, ""), CONFIG, *both)
            wrong = name is not None and step < lengths[lane]
            assert [one.passed for one in results] == [not wrong or side != one for one in (0, 1)]
            assert all(one.compared == sum(lengths) for one in results)
            first = results[side].first
            assert (first is not None) == wrong
            if first is not None:
                assert (first.lane, first.step, first.field) == (lane, step, name)
                assert results[side].mismatches == 1
            assert given[-1][1:] == ([4, 5, 6], [[0, 2], [1, 3], [4, 5]])


def test_episodes_of_other_lengths_are_found(monkeypatch: pytest.MonkeyPatch, bars: Bars) -> None:
    both = sides((2, 1, 2))
    shorter, _ = sides((2, 1, 1))
    monkeypatch.setattr(symmetry, "trading_pair", lambda worlds, config: None)
    monkeypatch.setattr(symmetry, "record_actions", lambda *given: shorter)
    monkeypatch.setattr(symmetry, "replay", lambda pair, mirror: both[1])
    for result in check_mirror(World("north", bars, ""), CONFIG, *both):
        assert result.first is not None
        assert (result.first.lane, result.first.field) == (2, "steps in the episode")
        assert (result.first.reference, result.first.port) == (2.0, 1.0)


def test_agreement_is_counted_where_it_must_be() -> None:
    result = CheckResult("made", "north", 0)
    same = np.ones((3, 2, 4), bool)
    same[0, 1, 2] = same[2, 0, 1] = same[2, 0, 3] = False
    symmetry._note(result, "a", same, np.array([[True, False], [True, True], [True, False]]))
    assert (result.fields["a"].compared, result.fields["a"].mismatches) == (16, 2)
    assert result.first is not None
    assert (result.first.lane, result.first.step, result.first.field) == (2, 0, "a")
    symmetry._note(result, "a", same, np.array([True, False, False]))
    assert (result.fields["a"].compared, result.fields["a"].mismatches) == (24, 3)
    assert result.first.lane == 2


def test_phase_1_has_no_flags_to_be_mirrored(monkeypatch: pytest.MonkeyPatch, bars: Bars) -> None:
    both = sides((2, 1, 2))
    for one in both:
        one.after["position"] *= 0
        for flag in FLAGS:
            del one.after[flag]
    monkeypatch.setattr(symmetry, "trading_pair", lambda worlds, config: None)
    monkeypatch.setattr(symmetry, "record_actions", lambda *given: both[0])
    monkeypatch.setattr(symmetry, "replay", lambda pair, mirror: both[1])
    for result in check_mirror(World("north", bars, ""), CONFIG, *both):
        assert result.passed
        assert set(result.fields) == set(symmetry.MIRRORED)


@pytest.mark.parametrize("cut", [0, 50])
def test_each_seed_has_a_future_of_its_own_that_begins_at_once(bars: Bars, cut: int) -> None:
    futures = [other_future(bars, cut, seed).frame["close"].to_numpy() for seed in range(20)]
    assert len({future.tobytes() for future in futures}) == 20
    then = bars.frame["close"].to_numpy()
    for bar in (cut + 1, cut + 2, len(bars) - 1):
        assert sum(future[bar] != then[bar] for future in futures) > 10


def test_another_future_of_a_market_of_a_few_ticks_stays_above_zero(bars: Bars) -> None:
    tick, ticks = bars.contract.tick_size, {"open": 2, "high": 3, "low": 1, "close": 2}
    frame = bars.frame.assign(**{name: count * tick for name, count in ticks.items()})
    cheap = Bars.from_frame(frame, bars.contract, source="cheap")
    for seed in range(5):
        other = other_future(cheap, 3, seed).frame
        assert other["low"].min() == tick
        assert (other["high"] - other["low"] == 2 * tick).all()
        assert other["low"].nunique() > 5


def test_each_cut_has_a_future_of_its_own_that_says_what_it_is(bars: Bars) -> None:
    ticks = bars.contract.tick_size
    moved = []
    for cut in (10, 11, 40):
        other = other_future(bars, cut, 3)
        assert other.source == f"{bars.source}, another future"
        assert other.contract == bars.contract
        by = (other.frame["close"] - bars.frame["close"]).to_numpy()[cut + 1 :] / ticks
        steps = np.diff(by, prepend=0.0)
        assert {*np.unique(steps)} == {*range(-8, 9)}
        moved.append(tuple(steps[:8]))
        times = (other.frame["volume"] / bars.frame["volume"]).to_numpy()
        assert (times == np.where(np.arange(len(bars)) > cut, 2, 1)).all()
    assert len(set(moved)) == 3


@pytest.mark.parametrize(("seed", "count"), [(0, 7), (4, 7), (1, 6), (2, 5), (3, 2), (5, 1)])
def test_cases_are_stepped_on_the_bars_and_on_a_future_after_each_of_six_cuts(
    monkeypatch: pytest.MonkeyPatch, bars: Bars, seed: int, count: int
) -> None:
    steps = [40, 52, 64, 76, 88, 100, 112][:count]
    cuts = [40, 51, 64, 75, 88, 99][:count]
    asked: list[World] = []

    def both(world: World, config: EnvConfig, cases: list[Case]) -> Any:
        assert (config, [case.state["step_idx"] for case in cases]) == (CONFIG, steps)
        asked.append(world)
        return (looking(world.bars, steps, HONEST),) * 2

    monkeypatch.setattr(symmetry, "_both", both)
    cases = [Case(2, {"step_idx": step, "market": 2}, 1) for step in steps]
    results = check_blindness(World("north", bars, "--of north"), CONFIG, cases, seed)
    assert {one.name + one.options for one in asked} == {"north--of north"}
    digests = [bars.digest, *(other_future(bars, cut, seed).digest for cut in cuts)]
    assert [one.bars.digest for one in asked] == digests
    before, acts, sees = (sum(s < c + n for c in cuts for s in steps) for n in range(3))
    for one in results:
        assert (one.world, one.passed, one.compared) == ("north", True, sees)
        told = {name: (stats.compared, stats.mismatches) for name, stats in one.fields.items()}
        assert told == {
            "market part of obs": (sees * WINDOW, 0),
            "masks": ((acts + before) * 2, 0),
            "obs": (acts * WINDOW, 0),
            "reward": (acts, 0),
        }


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("place", [0, WINDOW - 1])
@pytest.mark.parametrize("when", ["before", "after"])
def test_every_number_of_the_market_part_is_looked_at_on_every_future(
    monkeypatch: pytest.MonkeyPatch, bars: Bars, side: int, place: int, when: str
) -> None:
    steps = [40, 52, 64, 76, 88, 100]
    cases = [Case(0, {"step_idx": step, "market": 0}, 1) for step in steps]
    for future in range(1, 7):
        call = iter(range(7))

        def both(*given: Any, future: int = future, call: Any = call) -> Any:
            shown = [looking(bars, steps, HONEST) for _ in range(2)]
            if next(call) == future:
                getattr(shown[side], when)["obs"][0, ..., place] += 1.0
            return tuple(shown)

        monkeypatch.setattr(symmetry, "_both", both)
        results = check_blindness(World("north", bars, ""), CONFIG, cases, 0)
        assert [one.passed for one in results] == [side != number for number in (0, 1)]
        name = "market part of obs" if when == "before" else "obs"
        assert results[side].first == Mismatch(0, 0, name, (), 1.0, 0.0)
        assert results[side].mismatches == 1


def test_each_side_is_driven_through_what_the_reference_did(
    monkeypatch: pytest.MonkeyPatch, bars: Bars
) -> None:
    """On bars in a mirror, and as they are; the port's part is its own replay."""
    made: list[Any] = []
    monkeypatch.setattr(symmetry, "trading_pair", lambda worlds, config: made.append(worlds) or "pair")
    monkeypatch.setattr(symmetry, "record_cases", lambda pair, cases: ("recorded", pair, cases))
    monkeypatch.setattr(symmetry, "replay", lambda pair, recording: ("played", pair, recording))
    world = World("north", bars, "--of north")
    cases: Any = ["cases"]
    recorded = ("recorded", "pair", cases)
    assert symmetry._both(world, CONFIG, cases) == (recorded, ("played", "pair", recorded))
    assert made == [[world]]
    honest = sides((2, 1, 2))
    for one in honest:
        one.after["position"] *= 0
    monkeypatch.setattr(symmetry, "record_actions", lambda *given: made.append(given) or honest[0])
    monkeypatch.setattr(
        symmetry, "replay", lambda pair, mirror: made.append((pair, mirror)) or honest[1]
    )
    results = check_mirror(world, CONFIG, *honest)
    ((turned,), (pair, number, starts, actions), played) = made[1:]
    assert (turned.name, turned.options) == ("north", "--of north")
    assert turned.bars.digest == mirrored(bars).digest != bars.digest
    assert (pair, number, starts.tolist(), actions.dtype) == ("pair", 0, [4, 5, 6], np.int32)
    assert played == ("pair", honest[0])
    assert [one.check + one.world for one in results] == ["mirror, referencenorth", "mirror, portnorth"]


@pytest.mark.parametrize("own", [True, False])
def test_a_port_in_a_mirror_is_held_to_what_it_did_itself(
    monkeypatch: pytest.MonkeyPatch, bars: Bars, own: bool
) -> None:
    both, turned = sides((2, 1, 2)), sides((2, 1, 2))
    for one in (*both, *turned):
        one.after["position"] *= 0
    both[1].after["balance"] += 100
    turned[1].after["balance"] += 100 * own
    monkeypatch.setattr(symmetry, "trading_pair", lambda worlds, config: None)
    monkeypatch.setattr(symmetry, "record_actions", lambda *given: turned[0])
    monkeypatch.setattr(symmetry, "replay", lambda pair, mirror: turned[1])
    results = check_mirror(World("north", bars, ""), CONFIG, *both)
    assert [one.passed for one in results] == [True, own]
