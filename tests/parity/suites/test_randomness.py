"""Independent draws pass; draws that are shared, repeated, shifted or reused don't."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.fast import gpu_rollout
from parity.engine.compare import Array
from parity.engine.verify import Mismatch
from parity.suites import randomness, scale
from parity.suites.randomness import (
    FALSE_ALARM,
    binomial_tests,
    check_environment_draws,
    check_learner_draws,
    joint_tests,
    judge,
    order_tests,
    pair_tests,
)

SIZE = 1000


def uniform(seed: int, size: int = SIZE) -> Array:
    return np.random.default_rng(seed).integers(0, size, (64, 128))


def passes(drawn: Array, size: int = SIZE) -> bool:
    return judge("draws", "made", pair_tests("draws", drawn, size), drawn.size).passed


@pytest.mark.parametrize("size", [2, 3, 17, SIZE])
def test_independent_draws_pass(size: int) -> None:
    assert all(passes(uniform(seed, size), size) for seed in range(10))


def halves(drawn: Array) -> Array:
    return np.concatenate([drawn[:, :64], drawn[:, :64]], axis=1)


def every_fourth(drawn: Array) -> Array:
    return np.tile(drawn[:4], (16, 1))


def one_place(drawn: Array) -> Array:
    return np.full_like(drawn, 7)


def neighbours(drawn: Array) -> Array:
    return (drawn[:, :1] + np.arange(drawn.shape[1])) % SIZE


def moving_on(drawn: Array) -> Array:
    """Each environment draws what the one before it drew a step ago."""
    return np.stack([np.roll(drawn[0], step) for step in range(len(drawn))])


def tenth_shared(drawn: Array) -> Array:
    some = np.random.default_rng(9).random(drawn.shape) < 0.1
    return np.where(some, np.roll(drawn, 1, axis=1), drawn)


@pytest.mark.parametrize(
    "spoil", [halves, every_fourth, one_place, neighbours, moving_on, tenth_shared]
)
def test_draws_that_hang_together_are_objected_to(spoil: Callable[[Array], Array]) -> None:
    assert not passes(spoil(uniform(0)))


def test_a_draw_must_not_tell_another_at_the_same_place() -> None:
    first, second = uniform(0, 3), uniform(1)
    assert judge("draws", "made", joint_tests("both", first, 3, second, SIZE), 1).passed
    told = (second + first * 100) % SIZE
    told = np.where(first == 0, second // 2, told)
    assert not judge("draws", "made", joint_tests("both", first, 3, told, SIZE), 1).passed


def test_orders_that_repeat_are_objected_to() -> None:
    rng = np.random.default_rng(0)
    orders = np.stack([rng.permutation(512) for _ in range(64)])
    assert judge("orders", "made", order_tests(orders), 1).passed
    orders[40] = orders[36]
    result = judge("orders", "made", order_tests(orders), 1)
    assert result.first is not None
    assert result.first.field == "orders 37 and 41: same places"


def test_a_count_s_chance_is_that_of_one_as_far_off_on_either_side() -> None:
    trials, share = 12, 0.3
    exactly = [math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(trials + 1)]
    names = [str(k) for k in range(trials + 1)]
    tests = binomial_tests(names, np.arange(trials + 1), trials, share)
    assert [test.name for test in tests] == names
    for k, test in enumerate(tests):
        smaller = min(sum(exactly[: k + 1]), sum(exactly[k:]))
        assert test.chance == pytest.approx(min(2 * smaller, 1.0), rel=1e-9)
        assert (test.expected, test.observed) == (pytest.approx(3.6), k)


@pytest.mark.parametrize("place", [0, 5, 9])
@pytest.mark.parametrize(("factor", "passes"), [(1.01, True), (0.99, False)])
def test_one_test_of_all_is_enough_and_all_share_the_false_alarm(
    place: int, factor: float, passes: bool
) -> None:
    tests = [randomness.Test(f"test {number}", 0.5, 1.0, 2.0) for number in range(10)]
    tests[place] = randomness.Test("rare", factor * FALSE_ALARM / 10, 3.0, 4.0)
    result = judge("draws", "made", tests, 77)
    assert (result.passed, result.compared) == (passes, 77)
    stats = result.fields["independent draws"]
    assert (stats.compared, stats.mismatches) == (10, int(not passes))
    assert result.notes["least_chance"].endswith("(rare)")
    assert result.first == (None if passes else Mismatch(0, -1, "rare", (), 3.0, 4.0))


@pytest.mark.parametrize(
    ("lag", "offset"), [(1, 0), (7, 0), (32, 0), (0, 1), (0, 63), (0, 64), (4, 17)]
)
def test_a_draw_that_is_another_s_at_a_distance_is_named_by_it(lag: int, offset: int) -> None:
    drawn = uniform(3)
    for step in range(lag, len(drawn)):
        drawn[step, offset:] = drawn[step - lag, : drawn.shape[1] - offset]
    if not lag:
        for place in range(offset, drawn.shape[1]):
            drawn[:, place] = drawn[:, place - offset]
    bad = {test.name for test in pair_tests("draws", drawn, SIZE) if test.chance < 1e-12}
    assert f"draws, {lag} steps and {offset} environments apart: equal" in bad


@pytest.mark.costly
def test_the_ports_draws_pass() -> None:
    result, drawn = check_environment_draws(5)
    assert result.passed, result.first
    assert drawn["restarts of a batch"].shape == (64, 1024)
    learner, draws = check_learner_draws(5)
    assert learner.passed, learner.first
    assert draws.actions.shape == (64, 8, 64)
    assert set(np.unique(draws.actions)) == {0, 1, 2}


@pytest.mark.costly
def test_noise_that_environments_of_the_gpu_s_form_share_is_objected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result, draws = check_learner_draws(5, "gpu")
    assert result.passed, result.first
    assert (result.world, draws.actions.shape) == ("learner (gpu)", (64, 8, 64))

    def halves(words: jax.Array, log_probs: Any) -> jax.Array:
        half = len(log_probs[0]) // 2
        drawn = plain(words, [column[:half] for column in log_probs])
        return jnp.concatenate([drawn, drawn])

    plain = gpu_rollout.sample
    monkeypatch.setattr(gpu_rollout, "sample", halves)
    jax.clear_caches()
    result, _ = check_learner_draws(5, "gpu")
    assert result.first is not None
    assert "actions, 0 steps and 32 environments apart" in result.first.field


@pytest.mark.costly
def test_sizes_of_the_trainer_pass() -> None:
    assert all(result.passed for result in scale.check_scale(1))


@pytest.mark.costly
def test_orders_cut_to_sixteen_bits_are_objected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = scale.permutations
    monkeypatch.setattr(scale, "permutations", lambda key, settings: plain(key, settings) & 0xFFFF)
    *_, orders = scale.check_scale(1)
    assert orders.first is not None
    assert orders.first.field == "1,024 x 128: every transition once"


def test_orders_that_move_little_are_objected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def nearly(key: jax.Array, settings: Any) -> Array:
        return np.tile(np.roll(np.arange(settings.rollout_size), 5), (2, 1))

    monkeypatch.setattr(scale, "permutations", nearly)
    assert not scale.check_scale(1)[-1].passed


@pytest.mark.parametrize("bits", [8, 16])
def test_words_of_few_environments_are_objected_to(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    plain = scale.spread_bits

    def cut(key: jax.Array, count: int) -> Array:
        return np.asarray(plain(key, count))[np.arange(count) % 2**bits]

    monkeypatch.setattr(scale, "spread_bits", cut)
    assert not scale.check_scale(1)[0].passed


def test_draws_below_a_bound_are_whole_number_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "below", lambda bits, bound: (bits >> 16) * bound >> 16)
    assert not scale.check_scale(1)[1].passed
