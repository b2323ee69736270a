"""The statistics of draws on small tables by hand, and that every table of draws is looked at."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets.synthetic.bars import synthetic_bars
from parity.engine.compare import Array
from parity.learner.cases import LearnerCase
from parity.learner.port import Draws
from parity.suites import randomness
from parity.suites.randomness import (
    ONE_BAR,
    binomial_tests,
    check_environment_draws,
    environment_draws,
    joint_tests,
    judge,
    learner_draws,
    order_tests,
    pair_tests,
)


def rows(tests: list[randomness.Test]) -> list[tuple[str, float, float]]:
    return [(one.name, round(one.expected, 9), one.observed) for one in tests]


def test_pairs_of_a_small_table_are_counted_at_every_distance() -> None:
    """A later draw less an earlier one, and a further environment's less a nearer one's."""
    drawn = np.array([[0, 1], [3, 3], [4, 0]])
    counted = {
        (0, 1): (3, [1, 2, 0, 0, 0]),
        (1, 0): (4, [0, 1, 2, 1, 0]),
        (1, 1): (2, [0, 0, 1, 1, 0]),
        (2, 1): (1, [1, 0, 0, 0, 0]),
    }
    expected = []
    for (lag, offset), (trials, counts) in counted.items():
        name = f"draws, {lag} steps and {offset} environments apart"
        expected.append((f"{name}: equal", round(trials / 5, 9), counts[0]))
        expected += [(f"{name}: difference {n}", round(trials / 5, 9), k) for n, k in enumerate(counts)]
    assert rows(pair_tests("draws", drawn, 5)) == expected
    assert [one.name for one in pair_tests("draws", drawn % 2, 2)] == [
        f"draws, {lag} steps and {offset} environments apart: equal" for lag, offset in counted
    ]


def test_differences_are_spread_over_sixteen_bins_at_distances_of_powers_of_two() -> None:
    drawn = np.arange(7)[:, None] * 13 % 37
    tests = pair_tests("draws", drawn, 37)
    apart = [(lag, f"draws, {lag} steps and 0 environments apart") for lag in (1, 2, 3)]
    widths = [(n + 1) * 37 // 16 - n * 37 // 16 for n in range(16)]
    assert sorted(set(widths)) == [2, 3]
    expected = []
    for lag, name in apart:
        trials, gap = 7 - lag, 13 * lag % 37
        expected.append((f"{name}: equal", round(trials / 37, 9), 0))
        if lag != 3:
            inside = [sum(widths[:n]) <= gap < sum(widths[: n + 1]) for n in range(16)]
            expected += [
                (f"{name}: difference {n}", round(trials * width / 37, 9), trials * here)
                for n, (width, here) in enumerate(zip(widths, inside, strict=True))
            ]
    assert rows(tests) == expected


def test_two_draws_at_one_place_are_counted_together_by_eighths_at_most() -> None:
    first = np.array([[0, 1, 1], [2, 2, 2]])
    second = np.array([[9, 0, 3], [4, 8, 8]])
    places = [0, 1, 2, 3, 5, 6, 7, 8, 10]
    counts = {(0, 7): 1, (1, 0): 1, (1, 3): 1, (2, 3): 1, (2, 7): 2}
    assert rows(joint_tests("both", first, 3, second, 10)) == [
        (
            f"both, {i} and {j}",
            round(6 / 3 * (places[j + 1] - places[j]) / 10, 9),
            counts.get((i, j), 0),
        )
        for i in range(3)
        for j in range(8)
    ]


def test_every_pair_of_orders_is_held_together() -> None:
    orders = np.array([[0, 1, 2, 3, 4], [1, 0, 2, 3, 4], [1, 0, 4, 2, 3], [0, 1, 2, 4, 3]])
    fixed = {(1, 2): 3, (1, 3): 0, (2, 3): 2, (1, 4): 3, (2, 4): 1, (3, 4): 1}
    told = {
        f"orders {one} and {other}: same places": (1 / math.factorial(k), 1.0, k)
        for (one, other), k in fixed.items()
    }
    found = {
        one.name: (pytest.approx(one.chance), one.expected, one.observed) for one in order_tests(orders)
    }
    assert found == told
    assert order_tests(orders[:1]) == []


@pytest.mark.parametrize("place", range(4))
def test_the_least_chance_is_told_for_all_tests_together(place: int) -> None:
    tests = [randomness.Test(f"test {n}", 0.3 + n / 10, 1.0, 2.0) for n in range(4)]
    tests[place] = randomness.Test("least", 0.00123, 1.0, 2.0)
    assert judge("draws", "made", tests, 1).notes == {"least_chance": "0.0049 (least)"}
    tests[place] = randomness.Test("least", 0.26, 1.0, 2.0)
    assert judge("draws", "made", tests, 1).notes == {"least_chance": "1 (least)"}


def tables() -> dict[str, Array]:
    rng = np.random.default_rng(6)
    return {name: rng.integers(0, 400, (16, 20 + 4 * n)) for n, name in enumerate(("a", "b", "c", "d"))}


@pytest.mark.parametrize("bad", [None, "a", "b", "c", "d"])
def test_starts_of_every_way_to_begin_are_looked_at(
    bad: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = tables()
    if bad:
        drawn[bad][:, -8:] = drawn[bad][:, :8]
    asked: list[int] = []
    monkeypatch.setattr(
        randomness, "environment_draws", lambda seed: asked.append(seed) or (drawn, 400)
    )
    result, found = check_environment_draws(7)
    assert asked == [7]
    assert found is drawn
    assert (result.check, result.world) == ("independent draws", "starts")
    assert result.compared == 16 * (20 + 24 + 28 + 32)
    tests = sum(len(pair_tests(name, x, 400)) for name, x in drawn.items())
    assert result.fields["independent draws"].compared == tests
    assert result.fields["independent draws"].rule == ("by chance, one false alarm in 1,000,000 runs")
    assert result.passed == (bad is None)
    if bad:
        assert result.first is not None
        far = drawn[bad].shape[1] - 8
        assert result.first.field == f"{bad}, 0 steps and {far} environments apart: equal"
        assert result.first.port >= 16 * 8


def test_each_seed_draws_on_bars_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(
        randomness, "_environment_draws", lambda keys, params: seen.append((len(keys), params)) or {}
    )
    config = ONE_BAR.override(warmup_bars=20)
    assert (config.max_episode_bars, ONE_BAR.phase) == (1, 1)
    for seed in (0, 3):
        drawn, size = environment_draws(seed)
        market = prepare(synthetic_bars("ES", days=3, seed=seed), config)
        assert (drawn, size) == ({}, len(market.starts))
        keys, params = seen.pop()
        assert keys == 4
        made = stack([market])
        np.testing.assert_array_equal(np.asarray(params.market.bars), np.asarray(made.bars))
        np.testing.assert_array_equal(np.asarray(params.market.starts), np.asarray(made.starts))


def test_a_learner_draws_with_a_policy_that_stays_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    rng = np.random.default_rng(0)

    def run_port(case: LearnerCase, weights: Any, params: Any, form: str) -> Any:
        asked.append((case, {name: np.abs(x).max() for name, x in weights.items()}, form))
        starts = np.asarray(params.market.starts[:, 0])
        places = rng.integers(0, len(starts), (5, 3))
        asked.append(places)
        return SimpleNamespace(draws=Draws(np.arange(4), starts[places], np.arange(6)))

    monkeypatch.setattr(randomness, "run_port", run_port)
    draws, size = learner_draws(5, "gpu")
    (case, weights, form), places = asked
    settings = TrainSettings(
        n_envs=64,
        n_steps=8,
        batch_size=512,
        n_epochs=1,
        total_timesteps=512 * 64,
        learning_rate=1e-12,
        seed=5,
        network=NetworkSpec((4,), (4,)),
    )
    assert case == LearnerCase("independent draws", settings, 64, ONE_BAR)
    assert (form, set(weights.values())) == ("gpu", {0.0})
    assert draws.starts.tolist() == places.tolist()
    assert (draws.actions.tolist(), draws.orders.tolist()) == ([*range(4)], [*range(6)])
    assert 0 < draws.starts.max() < size
    learner_draws(5)
    assert asked[2][2] == "cpu"


def test_a_count_of_one_may_be_far_too_many_and_none_far_too_few() -> None:
    """Each count is held to its own share; one of all trials, or none, has a chance as well."""
    trials, shares = 12, np.array([1e-5, 0.9, 0.5, 1e-5, 0.9, 0.5])
    counts = np.array([1, 1, 1, 0, 0, 12])
    expected = []
    for count, share in zip(counts, shares, strict=True):
        chances = [
            math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(trials + 1)
        ]
        expected.append(min(2 * min(sum(chances[: count + 1]), sum(chances[count:])), 1.0))
    tests = binomial_tests([f"test {n}" for n in range(6)], counts, trials, shares)
    assert [one.chance for one in tests] == pytest.approx(expected, rel=1e-9)
    assert expected[0] == pytest.approx(2 * 12e-5, rel=1e-3)
    assert [one.expected for one in tests] == pytest.approx([12e-5, 10.8, 6, 12e-5, 10.8, 6])
    assert [one.observed for one in tests] == [1, 1, 1, 0, 0, 12]
