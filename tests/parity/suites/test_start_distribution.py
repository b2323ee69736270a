"""Fair draws pass, and draws that leave out, double or invent a start don't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from jax_port.data.data_loader import prepare
from legacy_torch.features import compute_features
from parity.engine.pair import Fields, Pair
from parity.engine.record import Recording
from parity.engine.verify import Mismatch
from parity.mutants.recordings import small_scenarios
from parity.pairs.trading import trading_pair
from parity.suites import start_distribution
from parity.suites.processed import processed
from parity.suites.start_distribution import (
    CHANCE,
    PER_START,
    SHOWN,
    check_resets,
    check_restart_draws,
    judge_draws,
)
from tests.parity.pairs.made_resets import MadeResets
from tests.parity.walker import LONGEST, WALL, walker_pair


@pytest.fixture(scope="module")
def pair() -> Pair:
    scenario = small_scenarios(seed=0)[1]
    assert len(scenario.worlds) == 2
    return trading_pair(scenario.worlds, scenario.config)


def drawn(pair: Pair, choose: Callable[[NDArray[np.int64], int], NDArray[np.int64]]) -> Fields:
    """Return begun episodes whose numbers among all starts are chosen from uniform ones."""
    table = np.concatenate(
        [np.stack([np.full(len(s), w), np.asarray(s)], axis=1) for w, s in enumerate(pair.starts)]
    )
    uniform = np.random.default_rng(0).integers(len(table), size=PER_START * len(table))
    rows = table[choose(uniform, len(table))]
    return {"market": rows[:, 0], "step_idx": rows[:, 1]}


def test_uniform_draws_are_fair(pair: Pair) -> None:
    result = judge_draws(pair, "draws", drawn(pair, lambda number, count: number))
    assert result.passed
    assert result.compared == PER_START * sum(map(len, pair.starts))
    least, most = result.notes["draws_of_a_start"]
    assert 0 < least < PER_START < most


@pytest.mark.parametrize(
    ("choose", "starts"),
    [
        (lambda number, count: np.minimum(number, count - 2), 2),  # the last left to the one before it
        (lambda number, count: np.where(number == 0, 1, number), 2),  # the first left to the second
        (lambda number, count: number // 2, None),  # the first half alone
    ],
)
def test_a_start_left_out_is_seen(
    pair: Pair,
    choose: Callable[[NDArray[np.int64], int], NDArray[np.int64]],
    starts: int | None,
) -> None:
    result = judge_draws(pair, "draws", drawn(pair, choose))
    assert not result.passed
    assert result.first is not None
    assert result.first.field == "draws of a start"
    assert result.first.reference == PER_START
    count = sum(map(len, pair.starts))
    # Of the first half, drawn twice too often, all but the luckiest are seen; the rest is never drawn.
    assert result.mismatches == starts if starts else result.mismatches > 0.9 * count


def test_a_start_that_is_none_is_seen(pair: Pair) -> None:
    fields = drawn(pair, lambda number, count: number)
    fields["step_idx"][5] = int(np.max(pair.starts[fields["market"][5]])) + 1
    result = judge_draws(pair, "draws", fields)
    assert result.first is not None
    assert result.first.field == "started at"
    assert result.first.port == fields["step_idx"][5]


def test_a_processed_world_carries_features_of_its_own(pair: Pair) -> None:
    scenario = small_scenarios(seed=0)[0]
    carrying = processed(scenario.worlds[0])
    plain, own = (
        prepare(scenario.worlds[0].bars, scenario.config),
        prepare(carrying.bars, scenario.config),
    )
    assert carrying.name == "ES odd settings, processed"
    assert carrying.options == scenario.worlds[0].options
    features = compute_features(scenario.worlds[0].bars.frame)
    own_features = carrying.bars.precomputed
    assert own_features is not None
    assert list(own_features) == list(features)
    assert own_features.notna().equals(features.notna())
    assert (own_features - features * 65 / 64).abs().max().max() < 6e-7
    assert own_features.round(6).equals(own_features)  # as a file has them
    np.testing.assert_array_equal(own.bars[:, :3], plain.bars[:, :3])  # prices stay the bars'
    close = plain.features[100:, 0].astype(np.float64)
    np.testing.assert_allclose(own.features[100:, 0], close * 65 / 64, rtol=1e-6)
    assert (own.bars[100:, 3] != plain.bars[100:, 3]).any()
    assert replace(carrying.bars, precomputed=None).digest == scenario.worlds[0].bars.digest


@pytest.mark.parametrize("place", [0, 1, -1])
@pytest.mark.parametrize("name", ["north", "south"])
def test_each_start_of_each_world_has_its_share(pair: Pair, name: str, place: int) -> None:
    """Of starts that are drawn evenly, one is drawn never, or too often, and it is named."""
    world = ("north", "south").index(name)
    counts = [np.full(len(starts), PER_START) for starts in pair.starts]
    number = int(np.arange(len(pair.starts[world]))[place]) + world * len(pair.starts[0])
    for times, passes in ((0, False), (50, True), (140, True), (200, False), (2000, False)):
        counts[world][place] = times
        fields = {
            "market": np.repeat(np.arange(2), [one.sum() for one in counts]),
            "step_idx": np.concatenate(
                [np.repeat(np.asarray(s), n) for s, n in zip(pair.starts, counts, strict=True)]
            ),
        }
        result = judge_draws(pair, "draws", fields)
        draws = sum(int(one.sum()) for one in counts)
        assert (result.passed, result.compared) == (passes, draws)
        assert result.mismatches == int(not passes)
        assert result.notes["draws_of_a_start"] == [min(times, PER_START), max(times, PER_START)]
        if not passes:
            share = draws / sum(map(len, counts))
            told = Mismatch(number, -1, "draws of a start", (), pytest.approx(share), float(times))
            assert result.first == told


@pytest.mark.parametrize("far", [-1, 0, 1])
def test_a_bar_between_starts_is_none(pair: Pair, far: int) -> None:
    fields = drawn(pair, lambda number, count: number)
    known = np.asarray(pair.starts[1])
    lane = int(np.flatnonzero(fields["market"] == 1)[3])
    strange = {-1: known[0] - 1, 0: np.setdiff1d(np.arange(known[0], known[-1]), known)[:1].sum()}
    fields["step_idx"][lane] = strange.get(far, known[-1] + 1) or known[-1] + 2
    result = judge_draws(pair, "draws", fields)
    assert result.world == pair.worlds[1]
    assert result.first == Mismatch(lane, -1, "started at", (), -1.0, float(fields["step_idx"][lane]))


@pytest.mark.costly
def test_a_first_reset_is_held_to_its_draws_and_to_what_it_shows(pair: Pair) -> None:
    honest = check_resets(pair)
    assert honest.passed, honest.first
    assert {"draws of a start", "balance", "obs", "masks"} <= set(honest.fields)
    assert honest.fields["balance"].compared == SHOWN

    def showing(**more: int) -> Pair:
        def read(state: Any, params: Any) -> Any:
            fields = pair.port.read(state, params)
            return {name: value + more.get(name, 0) for name, value in fields.items()}

        return replace(pair, port=replace(pair.port, read=read))

    rich = check_resets(showing(balance=1))
    assert rich.first is not None
    assert (rich.passed, rich.first.field) == (False, "balance")
    assert rich.fields["balance"].mismatches == SHOWN
    late = check_resets(showing(step_idx=100_000))
    assert late.first is not None
    assert (late.passed, late.first.field) == (False, "started at")
    assert not late.fields


def test_draws_of_restarts_and_of_resets_are_both_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def check(name: str) -> Callable[..., str]:
        return lambda *given: asked.append(given) or name

    for name in ("check_restart_draws", "check_resets"):
        monkeypatch.setattr(start_distribution, name, check(name))
    found = start_distribution.check_draws("pair", "recording", 7)  # type: ignore[arg-type]
    assert found == ["check_restart_draws", "check_resets"]
    assert asked == [("pair", "recording", 7), ("pair", 7)]


def about_to_end() -> Recording:
    """Return four cases of the walker: one goes on, one falls, one is out of time, one goes on."""
    before = {
        "place": np.array([0, WALL - 1, 0, 1]),
        "steps": np.array([0, 3, LONGEST - 1, 2]),
        "begun": np.zeros(4, int),
        "obs": np.zeros((4, 2)),
        "masks": np.ones((4, 2), bool),
    }
    after = {
        "terminated": np.array([[False], [True], [False], [False]]),
        "truncated": np.array([[False], [False], [True], [False]]),
    }
    one = np.ones(4, np.int32)
    worlds, starts = np.zeros(4, np.int32), np.zeros(4, np.int32)
    return Recording(worlds, one[:, None], one, before, after, True, starts, [""] * 4)


def restarting(chosen: Callable[[Any, Any], Any]) -> Pair:
    """Return the walker whose restarts begin where ``chosen(drawn, was truncated)`` says."""
    pair = walker_pair()

    def step(key: Any, state: Any, action: Any, params: Any) -> Any:
        out = pair.port.step(key, state, action, params)
        begun = chosen(out.state["begun"], out.outcome["truncated"])
        return out._replace(state={**out.state, "place": begun, "begun": begun})

    return replace(pair, port=replace(pair.port, step=step))


def test_restarts_after_either_end_are_drawn_from_all_starts() -> None:
    result = check_restart_draws(restarting(lambda begun, late: begun), about_to_end())
    assert result.passed, result.first
    assert result.compared == 3 * PER_START
    assert result.fields["draws of a start"].compared == 3


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("start", range(3))
def test_restarts_after_one_kind_of_end_that_are_not_drawn_are_seen(late: bool, start: int) -> None:
    def chosen(begun: Any, truncated: Any) -> Any:
        return jax.numpy.where(truncated == late, start, begun)

    result = check_restart_draws(restarting(chosen), about_to_end())
    assert result.first is not None
    assert result.first.field == "draws of a start"


def test_each_seed_draws_restarts_and_resets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    judged = SimpleNamespace(passed=False)
    monkeypatch.setattr(
        start_distribution,
        "judge_draws",
        lambda pair, check, fields: drawn.append((check, fields["begun"].tolist())) or judged,
    )
    monkeypatch.setattr(start_distribution, "phase_of", lambda params: None)

    def batch_reset(key: Any, params: Any, count: int, phase: Any) -> Any:
        begun = jax.random.randint(key, (count,), 0, 3)
        return begun, {"place": begun, "steps": begun * 0, "begun": begun}

    monkeypatch.setattr(start_distribution.port, "batch_reset", batch_reset)
    for seed in range(3):
        start_distribution.check_draws(walker_pair(), about_to_end(), seed)
    assert [check for check, _ in drawn] == ["restart draws", "reset draws"] * 3
    assert {len(begun) for _, begun in drawn} == {3 * PER_START}
    assert len({str(begun) for _, begun in drawn}) == 6  # of both checks too


@pytest.mark.parametrize("world", [0, 1])
def test_one_start_of_a_thousand_is_unfair_where_chance_alone_leaves_it_once_in_a_billion_runs(
    world: int,
) -> None:
    """Over all starts of both worlds, on either side; a count beside the last such one is fair."""
    starts = [np.arange(400), np.arange(600)]
    others, share, limit = PER_START * 999, 1 / 1000, CHANCE / 1000

    def chance(times: int) -> float:
        draws = stats.binom(others + times, share)
        return float(min(draws.cdf(times), draws.sf(times - 1)))

    few = next(n for n in range(PER_START) if chance(n) >= limit)
    many = next(n for n in range(PER_START, 500) if chance(n) < limit)
    assert 0 < few < PER_START < many
    pair: Any = SimpleNamespace(
        starts=starts, worlds=["north", "south"], begun=lambda fields: (fields["m"], fields["s"])
    )
    for times, fair in ((few - 1, False), (few, True), (many - 1, True), (many, False)):
        counts = [np.full(len(one), PER_START) for one in starts]
        counts[world][7] = times
        fields = {
            "m": np.repeat([0, 1], [one.sum() for one in counts]),
            "s": np.concatenate([np.repeat(s, n) for s, n in zip(starts, counts, strict=True)]),
        }
        assert judge_draws(pair, "draws", fields).mismatches == int(not fair), times


def test_first_resets_that_are_right_are_compared_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    made = MadeResets(monkeypatch)
    result = check_resets(made.pair)
    assert (result.check, result.world) == ("reset draws", "north and south")
    assert (result.passed, result.compared, result.error) == (True, 5 * PER_START, "")
    told = {name: (one.compared, one.mismatches) for name, one in result.fields.items()}
    assert told == {
        "draws of a start": (5, 0),
        "market": (SHOWN, 0),
        "step_idx": (SHOWN, 0),
        "balance": (SHOWN, 0),
        "obs": (3 * SHOWN, 0),
        "masks": (2 * SHOWN, 0),
    }
    assert result.notes == {"draws_of_a_start": [PER_START, PER_START]}


def test_first_resets_at_a_bar_that_is_no_start_are_told_and_not_compared_further(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = MadeResets(monkeypatch)
    made.start[-1] = 100
    result = check_resets(made.pair)
    assert result.first == Mismatch(5 * PER_START - 1, -1, "started at", (), -1.0, 100.0)
    assert (result.passed, result.fields) == (False, {})


@pytest.mark.parametrize("lane", [0, 1, 2, SHOWN - 2, SHOWN - 1])
@pytest.mark.parametrize("name", ["balance", "obs", "masks"])
def test_a_first_reset_of_either_world_that_shows_another_number_is_named(
    name: str, lane: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MadeResets(monkeypatch)
    made.wrong = {name: (lane,)}
    result = check_resets(made.pair)
    wrong = {one: stats.mismatches for one, stats in result.fields.items() if stats.mismatches}
    assert wrong == {name: 1}
    assert result.first is not None
    assert (result.first.lane, result.first.field) == (lane, name)
    more = MadeResets(monkeypatch)
    more.wrong = {"balance": (5, lane), "masks": (3,)}
    first = check_resets(more.pair).first
    assert first is not None
    assert (first.lane, first.field) == (min(lane, 5), "balance")


def test_restarts_begin_from_each_case_that_ended_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Fields] = []
    monkeypatch.setattr(
        start_distribution, "judge_draws", lambda pair, check, fields: seen.append(fields) or check
    )
    pair: Any = SimpleNamespace(
        starts=[np.arange(2), np.arange(1)],
        rules=dict.fromkeys(("place", "steps", "obs", "masks")),
        port=SimpleNamespace(
            params=None,
            inject=lambda worlds, fields, params: {**fields, "world": worlds},
            step=lambda key, state, actions, params: SimpleNamespace(state={**state, "act": actions}),
            read=lambda state, params: state,
        ),
    )
    one = np.ones(5, np.int32)
    recording = Recording(
        worlds=np.array([0, 1, 1, 0, 1], np.int32),
        actions=np.array([[3], [4], [1], [2], [0]], np.int32),
        lengths=one,
        before={
            "place": np.array([10, 11, 12, 13, 14]),
            "steps": np.array([5, 6, 7, 8, 9]),
            "obs": np.zeros((5, 2)),
            "masks": np.ones((5, 2), bool),
            "unruled": one,
        },
        after={
            "terminated": np.array([[False], [True], [False], [False], [True]]),
            "truncated": np.array([[True], [False], [False], [False], [True]]),
        },
        injected=True,
        starts=one,
        labels=[""] * 5,
    )
    assert check_restart_draws(pair, recording) == "restart draws"  # type: ignore[comparison-overlap]
    ended = np.resize([0, 1, 4], 3 * PER_START)
    (fields,) = seen
    assert {name: value.tolist() for name, value in fields.items()} == {
        "place": (10 + ended).tolist(),
        "steps": (5 + ended).tolist(),
        "world": recording.worlds[ended].tolist(),
        "act": recording.actions[ended, 0].tolist(),
    }


def test_a_start_that_is_none_is_told_of_its_own_world_and_of_all_that_were_drawn() -> None:
    pair: Any = SimpleNamespace(
        starts=[np.array([3, 5]), np.array([4])],
        worlds=["north", "south"],
        begun=lambda fields: (fields["m"], fields["s"]),
    )
    market, start = np.array([0, 1, 0, 1, 1, 0]), np.array([3, 4, 5, 4, 3, 5])
    result = judge_draws(pair, "draws", {"m": market, "s": start})
    assert (result.check, result.world, result.compared) == ("draws", "south", 6)
    assert result.first == Mismatch(4, -1, "started at", (), -1.0, 3.0)


def test_without_an_episode_that_ends_no_restart_was_drawn() -> None:
    recording = about_to_end()
    for name in ("terminated", "truncated"):
        recording.after[name][:] = False
    result = check_restart_draws(walker_pair(), recording)
    assert (result.check, result.world, result.passed) == ("restart draws", "line", False)
    assert result.error == "none of the cases ends an episode, so nothing restarts"
