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
from parity.learner.port import Draws
from parity.suites import randomness, scale
from parity.suites.randomness import (
    FALSE_ALARM,
    binomial_tests,
    check_environment_draws,
    check_learner_draws,
    distances,
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


@pytest.mark.parametrize("offset", [64, 512, 960])
def test_environments_far_apart_that_share_their_draws_are_named(offset: int) -> None:
    """As many as the trainer has by default: halves that are the same lie 512 apart."""
    drawn = np.random.default_rng(0).integers(0, SIZE, (8, 1024))
    drawn[:, offset:] = drawn[:, : 1024 - offset].copy()
    tests = pair_tests("draws", drawn, SIZE)
    bad = {test.name.partition(":")[0] for test in tests if test.chance < 1e-12}
    assert bad == {f"draws, 0 steps and {offset} environments apart"}


def test_every_distance_of_the_trainer_s_own_size_is_looked_at() -> None:
    found = list(distances(64, 1024))
    assert len(set(found)) == len(found)
    near, far = range(1, 65), range(128, 1024, 64)
    expected = [(0, offset) for offset in (*near, *far)] + [(lag, 0) for lag in range(1, 33)]
    assert found == [*expected, *((lag, offset) for lag in (1, 2, 4) for offset in near)]
    assert list(distances(3, 2)) == [(0, 1), (1, 0), (1, 1), (2, 1)]
    assert list(distances(1, 1)) == []


@pytest.mark.costly
def test_the_ports_draws_pass() -> None:
    result, drawn = check_environment_draws(5)
    assert result.passed, result.first
    shapes = {name: x.shape for name, x in drawn.items()}
    assert shapes == {
        "restarts of a batch": (64, 1024),
        "restarts of one environment": (64, 64),
        "resets of a batch": (64, 1024),
        "resets of one environment": (64, 64),
    }
    others = list(drawn.values())
    for number, one in enumerate(others):
        for other in others[:number]:  # no two are the same draws
            assert (one[:, :64] == other[:, :64]).mean() < 0.1
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


STARTS = 90


def learnt(spoil: Callable[[Array, Array, Array], Any] = lambda *drawn: None) -> Draws:
    """Return independent draws of 16 updates of 8 steps, spoilt in place."""
    rng = np.random.default_rng(4)
    actions = rng.integers(0, 3, (16, 8, 64))
    starts = rng.integers(0, STARTS, (16 * 8 + 1, 64))
    orders = np.stack([[rng.permutation(512)] for _ in range(16)])
    spoil(actions, starts, orders)
    return Draws(actions, starts, orders)


def sharing(actions: Array, starts: Array, orders: Array) -> None:
    """An action tells where the episode begins that its own step begins."""
    starts[1:] = starts[1:] // 3 + actions.reshape(-1, 64) * (STARTS // 3)


def early_starts_again(actions: Array, starts: Array, orders: Array) -> None:
    starts[65:] = starts[1:65]


def last_order_again(actions: Array, starts: Array, orders: Array) -> None:
    orders[15] = orders[14]


def last_actions_shared(actions: Array, starts: Array, orders: Array) -> None:
    actions[8:, :, 32:] = actions[8:, :, :32]


@pytest.mark.parametrize("form", ["cpu", "gpu"])
@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (None, ""),
        (sharing, "action and start, "),
        (early_starts_again, "starts, "),
        (last_actions_shared, "actions, "),
        (last_order_again, "orders 15 and 16: "),
    ],
)
def test_everything_that_a_learner_draws_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, spoil: Any, named: str, form: Any
) -> None:
    draws = learnt() if spoil is None else learnt(spoil)
    asked: list[Any] = []
    monkeypatch.setattr(
        randomness, "learner_draws", lambda *given: asked.append(given) or (draws, STARTS)
    )
    result, found = check_learner_draws(9, form)
    assert asked == [(9, form)]
    assert found is draws
    assert result.world == ("learner" if form == "cpu" else "learner (gpu)")
    assert result.compared == draws.actions.size + (len(draws.starts) - 1) * 64 + draws.orders.size
    assert result.passed == (spoil is None)
    if spoil is not None:
        assert result.first is not None
        assert result.first.field.startswith(named)


def test_each_seed_and_form_has_draws_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class _DrawnError(Exception):
        pass

    def run_port(case: Any, weights: Any, params: Any, form: Any) -> Any:
        asked.append((case.settings.seed, form, case.updates, set(map(np.max, weights.values()))))
        raise _DrawnError

    monkeypatch.setattr(randomness, "run_port", run_port)
    for seed, form in ((3, "cpu"), (4, "gpu")):
        with pytest.raises(_DrawnError):
            randomness.learner_draws(seed, form)  # type: ignore[arg-type]
    assert asked == [(3, "cpu", randomness.UPDATES, {0}), (4, "gpu", randomness.UPDATES, {0})]

    keys: list[Any] = []

    def drawn(some: jax.Array, params: Any) -> dict[str, Array]:
        keys.append(np.asarray(jax.random.key_data(some)))
        row = np.asarray(params.market.starts[:, 0])
        return {"all": row[None], "last": row[None, -1:]}

    monkeypatch.setattr(randomness, "_environment_draws", drawn)
    for seed in range(3):
        found, size = randomness.environment_draws(seed)
        assert found["all"].tolist() == [[*range(size)]]
        assert found["last"].tolist() == [[size - 1]]
    assert len(np.unique(np.concatenate(keys), axis=0)) == 12


def test_each_seed_checks_other_words_bounds_and_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[bytes]] = {"words": [], "bits": [], "orders": []}

    def told(name: str, value: Any) -> None:
        seen[name].append(np.asarray(value).tobytes())

    def words(key: jax.Array, count: int) -> Array:
        told("words", jax.random.key_data(key))
        return np.arange(count)

    def below(bits: jax.Array, bound: int) -> Array:
        told("bits", bits)
        return (np.asarray(bits).astype(np.uint64) * np.uint64(bound)) >> np.uint64(32)

    def orders(key: jax.Array, settings: Any) -> Array:
        told("orders", jax.random.key_data(key))
        return np.stack([np.random.default_rng(n).permutation(settings.rollout_size) for n in (0, 1)])

    monkeypatch.setattr(scale, "ROLLOUTS", ((1024, 2),))
    for name, stub in (("spread_bits", words), ("below", below), ("permutations", orders)):
        monkeypatch.setattr(scale, name, stub)
    for seed in range(3):
        results = scale.check_scale(seed)
        assert [one.check for one in results] == ["random bits at scale"] * 2 + ["orders at scale"]
    for name, values in seen.items():
        assert len(set(values)) == 3, name


@pytest.mark.costly
@pytest.mark.parametrize("rollout", [n for n, (a, b) in enumerate(scale.ROLLOUTS) if a * b > 2**10])
def test_an_order_that_is_uneven_anywhere_is_objected_to(
    monkeypatch: pytest.MonkeyPatch, rollout: int
) -> None:
    environments, steps = scale.ROLLOUTS[rollout]
    size = environments * steps
    few = size // 64
    monkeypatch.setattr(scale, "ROLLOUTS", (scale.ROLLOUTS[rollout],))
    rng = np.random.default_rng(0)
    fair = np.stack([rng.permutation(size) for _ in range(2)])
    for number in range(2):
        for place in (0, size // 2, size - few):
            uneven = fair.copy()
            early = np.flatnonzero(fair[number] < size // 8)[:few]  # all of the rollout's beginning
            rest = np.delete(fair[number], early)
            uneven[number] = np.concatenate([rest[:place], fair[number][early], rest[place:]])
            monkeypatch.setattr(scale, "permutations", lambda key, settings, orders=uneven: orders)
            first = scale.check_scale(1)[-1].first
            assert first is not None
            words = f"{environments:,} x {steps:,}, order {number + 1}, from place {place}, eighth "
            assert first.field.startswith(words)
    monkeypatch.setattr(scale, "permutations", lambda key, settings: fair)
    assert scale.check_scale(1)[-1].passed
