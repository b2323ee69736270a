"""Updates made by hand, of which one number at a time is another: each is found, named and placed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest

from parity.engine.compare import Array
from parity.engine.pair import Fields
from parity.engine.verify import Mismatch
from parity.learner.cases import LearnerCase, learner_cases
from parity.learner.judge import (
    EQUAL,
    LIMITS,
    SCALARS,
    SHARE,
    WEIGHT_SHARE,
    Reach,
    judge_end,
    judge_updates,
    reach_of,
)
from parity.learner.port import Draws

STEPS, ENVS, MINIBATCHES = 3, 2, 4
AT_STEPS = {
    "masks": "masks",
    "episode_starts": "episode_starts",
    "actions": "actions",
    "obs": "observations",
    "values": "values",
    "log_probs": "log probabilities",
    "rewards": "rewards",
}
"""What is compared step by step, and under which name."""
AFTER_STEPS = {
    "last_values": "values",
    "advantages": "advantages",
    "returns": "returns",
    "terminations": "terminations",
    "truncations": "truncations",
}
STATISTICS = {
    "obs mean": "observation statistics",
    "obs var": "observation statistics",
    "obs count": "observation statistics",
    "return var": "reward statistics",
    "return count": "reward statistics",
    "running returns": "reward statistics",
}
TRAINED = {name: name for name in ("gradient steps", "adam steps", *SCALARS)}
TABLES = {
    f"{part}/{name}": part
    for part in ("gradients", "first moments", "second moments", "weights")
    for name in ("a.weight", "a.bias")
}
NAMED = AT_STEPS | AFTER_STEPS | STATISTICS | TRAINED | TABLES
"""Every name in the table of an update, and what it is compared as."""


def update(seed: int) -> Fields:
    """Return one update's table."""
    rng = np.random.default_rng(seed)

    def numbers(*shape: int) -> Array:
        return rng.uniform(1, 2, shape)

    tensors = {}
    for part in ("gradients", "first moments", "second moments", "weights"):
        first = (MINIBATCHES,) if part == "gradients" else ()
        tensors[f"{part}/a.weight"] = numbers(*first, 3, 2)
        tensors[f"{part}/a.bias"] = numbers(*first, 2)
    return {
        "masks": rng.random((STEPS, ENVS, 3)) < 0.5,
        "episode_starts": rng.random((STEPS, ENVS)) < 0.5,
        "actions": rng.integers(0, 3, (STEPS, ENVS)),
        "obs": numbers(STEPS, ENVS, 4),
        **{name: numbers(STEPS, ENVS) for name in ("values", "log_probs", "rewards")},
        "last_values": numbers(ENVS),
        **{name: numbers(STEPS, ENVS) for name in ("advantages", "returns")},
        "terminations": np.asarray(2),
        "truncations": np.asarray(1),
        "obs mean": (mean := numbers(4)),
        "obs var": (var := numbers(4)),
        "float32 obs mean": mean,  # batches in float32 gave the reference the same
        "float32 obs var": var,
        **{name: numbers() for name in ("obs count", "return var", "return count")},
        "running returns": numbers(ENVS),
        "gradient steps": np.asarray(MINIBATCHES),
        "adam steps": np.asarray(MINIBATCHES),
        **{name: numbers() for name in SCALARS},
        **tensors,
    }


def updates() -> list[Fields]:
    """Return three updates."""
    return [update(seed) for seed in range(3)]


def other(value: Any, place: tuple[int, ...] = ()) -> Array:
    """Return a copy in which one number is another."""
    copy = np.array(value)
    copy[place] = ~copy[place] if copy.dtype == bool else copy[place] + 1
    return copy


def ends(value: Any) -> Iterator[tuple[int, ...]]:
    """Yield the first place of an array and the last."""
    shape = np.shape(value)
    yield from dict.fromkeys([(0,) * len(shape), tuple(size - 1 for size in shape)])


@pytest.fixture(scope="module")
def case() -> LearnerCase:
    return learner_cases(0)[0]


def test_equal_updates_pass_and_all_of_them_is_counted(case: LearnerCase) -> None:
    tables = updates()
    result = judge_updates(case, tables, updates())
    assert (result.passed, result.first, result.error) == (True, None, "")
    assert result.compared == 3 * STEPS * ENVS
    assert set(result.fields) == set(EQUAL)
    assert {name: one.limit for name, one in result.measures.items()} == dict(LIMITS)
    assert all(one.error == 0 for one in result.measures.values())
    counted = {**result.fields, **result.measures}
    for name in set(NAMED.values()) - {"observation statistics"}:
        sizes = [np.size(table[key]) for table in tables for key in NAMED if NAMED[key] == name]
        assert counted[name].compared == sum(sizes), name


@pytest.mark.parametrize("name", NAMED)
def test_one_other_number_is_found_wherever_it_is(case: LearnerCase, name: str) -> None:
    theirs, what = updates(), NAMED[name]
    for number, place in product(range(3), ends(theirs[0][name])):
        ours = updates()
        ours[number][name] = other(ours[number][name], place)
        result = judge_updates(case, theirs, ours)
        assert not result.passed
        if what in EQUAL:
            a, b = (float(side[number][name][place]) for side in (theirs, ours))
            assert result.first == Mismatch(number, place[0] if place else -1, name, place[1:], a, b)
            assert result.fields[what].mismatches == result.mismatches == 1
            continue
        assert result.first is None
        assert next(iter(result.measures)) == what
        wrong = {key for key, one in result.measures.items() if not one.passed}
        float32 = {f"{what}, float32 batches"} if name in ("obs mean", "obs var") else set()
        assert wrong == {what} | float32
        assert result.measures[what].where.startswith(f"update {number + 1}")


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [name for name in NAMED if NAMED[name] in LIMITS])
def test_a_number_that_is_not_finite_passes_nowhere(case: LearnerCase, name: str, odd: float) -> None:
    for here in ((True, False), (False, True), (True, True)):
        theirs, ours = updates(), updates()
        for side, is_odd in zip((theirs, ours), here, strict=True):
            value = np.array(side[1][name])
            value.flat[-1] = odd if is_odd else value.flat[-1]
            side[1][name] = value
        with np.errstate(invalid="ignore"):
            result = judge_updates(case, theirs, ours)
        assert not result.measures[NAMED[name]].passed


@pytest.mark.parametrize("name", SCALARS)
def test_a_number_of_an_update_is_off_by_its_size_or_a_floor(case: LearnerCase, name: str) -> None:
    for value, sign in product((0.0, 1e-3, 0.05, 3.0, -0.05, -3.0), (1, -1)):
        size = max(abs(value), SCALARS[name])
        theirs, ours = update(0), update(0)
        theirs[name] = ours[name] = np.float64(value)
        assert judge_updates(case, [theirs], [ours]).passed
        for share, passes in ((0.9, True), (1.1, False)):
            # Where nothing has a size, no difference at all is small.
            ours[name] = np.float64(value + sign * (share * LIMITS[name] * size if size else 1e-30))
            result = judge_updates(case, [theirs], [ours])
            assert result.passed == (passes and size > 0), (value, sign, share)
        ours[name] = np.float64(-value)
        assert judge_updates(case, [theirs], [ours]).passed == (value == 0)


@pytest.mark.parametrize(
    ("part", "share"),
    [
        ("gradients", SHARE),
        ("first moments", SHARE),
        ("second moments", SHARE),
        ("weights", WEIGHT_SHARE),
    ],
)
def test_a_small_tensor_is_off_by_its_share_of_the_table(
    case: LearnerCase, part: str, share: float
) -> None:
    for off, passes in ((0.9, True), (1.1, False)):
        theirs, ours = update(0), update(0)
        for side in (theirs, ours):
            big, small = (np.zeros_like(side[f"{part}/{name}"]) for name in ("a.weight", "a.bias"))
            big[..., 0, 0] = 1000.0
            side[f"{part}/a.weight"], side[f"{part}/a.bias"] = big, small
        ours[f"{part}/a.bias"][..., 0] = off * LIMITS[part] * share * 1000
        assert judge_updates(case, [theirs], [ours]).passed == passes


@pytest.mark.parametrize("name", STATISTICS)
def test_a_statistic_is_off_by_its_own_size(case: LearnerCase, name: str) -> None:
    theirs = update(0)
    theirs["obs var"] = np.array([1e-4, 1.0, 4.0, 1e4])
    theirs["running returns"] = np.array([1e-6, 1e-5])
    del theirs["float32 obs mean"], theirs["float32 obs var"]
    sizes = {
        "obs mean": np.sqrt(theirs["obs var"]),
        "obs var": theirs["obs var"],
        "running returns": np.sqrt([theirs["return var"]] * ENVS),
    }.get(name, np.reshape(theirs[name], -1))
    for place, size in enumerate(sizes):
        for share, passes in ((0.9, True), (1.1, False), (-0.9, True), (-1.1, False)):
            value = np.array(theirs[name], np.float64)
            value.flat[place] += share * LIMITS[STATISTICS[name]] * size
            assert judge_updates(case, [theirs], [{**theirs, name: value}]).passed == passes


REACHES = {
    "half of the second": Reach(1, 1, True),
    "none of the first": Reach(0, 0, True),
    "a rollout, not its order": Reach(1, STEPS, False),
    "half, and an order": Reach(1, 2, True),
    "a rollout and its order": Reach(1, STEPS, True),
    "all": Reach(3, 0, True),
}


@pytest.mark.parametrize("reach", REACHES.values(), ids=REACHES)
def test_what_was_drawn_alike_is_compared_and_no_more(case: LearnerCase, reach: Reach) -> None:
    theirs = updates()
    for number in range(3):
        for name in NAMED:
            value = theirs[number][name]
            for step in range(STEPS) if name in AT_STEPS else [STEPS - 1]:
                ours = updates()
                ours[number][name] = (
                    other(value, (step,) + (0,) * (np.ndim(value) - 1))
                    if name in AT_STEPS
                    else other(value, next(ends(value)))
                )
                if number < reach.updates:
                    seen = True
                elif number > reach.updates:
                    seen = False
                elif name in ("actions", "rewards"):
                    seen = step < reach.steps
                elif name in AT_STEPS:
                    seen = step <= reach.steps
                elif name in AFTER_STEPS or name in STATISTICS:
                    seen = reach.steps == STEPS
                else:
                    seen = reach.steps == STEPS and reach.ordered
                assert judge_updates(case, theirs, ours, reach).passed != seen, (number, name, step)
    result = judge_updates(case, theirs, updates(), reach)
    assert result.compared == (reach.updates * STEPS + reach.steps) * ENVS


def test_where_another_action_was_taken_its_probability_is_not_compared(case: LearnerCase) -> None:
    theirs, ours = update(0), update(0)
    ours["actions"] = other(ours["actions"], (1, 0))
    ours["log_probs"] = other(ours["log_probs"], (1, 0))
    assert judge_updates(case, [theirs], [ours], Reach(0, 1, True)).passed
    ours["log_probs"] = other(ours["log_probs"], (1, 1))
    assert not judge_updates(case, [theirs], [ours], Reach(0, 1, True)).passed


def draws() -> Draws:
    """Return what two updates of three steps drew; the last row of starts is after them."""
    starts = np.full((2 * STEPS + 1, ENVS), -1)
    starts[[0, 2, 6], [0, 1, 0]] = 7
    rng = np.random.default_rng(0)
    orders = np.stack([[rng.permutation(6) for _ in range(2)] for _ in range(2)])
    return Draws(rng.integers(0, 3, (2, STEPS, ENVS)), starts, orders)


def test_a_run_reaches_to_where_it_drew_something_else() -> None:
    recorded = draws()
    assert reach_of(recorded, draws()) == Reach(2, 0, True)
    for row, env in product(range(2 * STEPS + 1), range(ENVS)):
        number, step = divmod(row, STEPS)
        # Where an update leads to is its own: what is there is what its last values are of.
        wanted = Reach(number, step, True) if step or not row else Reach(number - 1, STEPS, True)
        if row < 2 * STEPS:
            drawn = draws()
            drawn.actions[number, step, env] += 1
            assert reach_of(recorded, drawn) == wanted
        if recorded.starts[row, env] >= 0:
            drawn = draws()
            drawn.starts[row, env] += 1
            assert reach_of(recorded, drawn) == wanted
    for number in range(2):
        for place in ((0, 0), (1, 5)):
            drawn = draws()
            drawn.orders[number][place] += 1
            assert reach_of(recorded, drawn) == Reach(number, STEPS, False)


def test_an_episode_that_only_one_side_begins_is_a_fault_and_no_other_draw() -> None:
    """Only where both begin one can they begin at different bars; the rest is compared, and found."""
    for row, env in product(range(2 * STEPS + 1), range(ENVS)):
        for bar in (-1, 10_000):
            recorded, drawn = draws(), draws()
            drawn.starts[row, env] = bar
            both = recorded.starts[row, env] >= 0 and bar >= 0
            assert (reach_of(recorded, drawn) == Reach(2, 0, True)) == (not both)
            assert reach_of(drawn, recorded) == reach_of(recorded, drawn)


@pytest.mark.parametrize("more", [True, False])
def test_another_number_of_updates_is_an_error(case: LearnerCase, more: bool) -> None:
    theirs, ours = updates(), updates()
    (ours if more else theirs).append(update(3))
    result = judge_updates(case, theirs, ours)
    assert (result.passed, bool(result.error)) == (False, True)


@pytest.mark.parametrize("name", TABLES)
def test_a_tensor_without_a_counterpart_is_an_error(case: LearnerCase, name: str) -> None:
    for lacking in range(2):
        both = updates(), updates()
        del both[lacking][2][name]
        result = judge_updates(case, *both)
        assert not result.passed
        assert result.error.startswith("tensors without a counterpart") or "gradients" in name


def test_what_first_went_wrong_comes_first(case: LearnerCase) -> None:
    theirs, ours = updates(), updates()
    for number, name in ((1, "values"), (1, "weights/a.bias"), (2, "obs"), (2, "rewards")):
        ours[number][name] = other(ours[number][name], (0,) * np.ndim(ours[number][name]))
    for number, name in ((1, "masks"), (2, "episode_starts")):
        ours[number][name] = other(ours[number][name], (1,) * np.ndim(ours[number][name]))
    result = judge_updates(case, theirs, ours)
    assert next(iter(result.measures)) == "values"
    assert result.first is not None
    assert (result.first.lane, result.first.field) == (1, "masks")
    assert result.mismatches == 2 + 4


def test_where_a_program_of_several_updates_leads_is_compared(case: LearnerCase) -> None:
    led = {name for name in NAMED if NAMED[name] in ("first moments", "second moments", "weights")}
    led |= {*STATISTICS, "adam steps"}
    theirs = update(0)
    same = judge_end(case, theirs, {name: theirs[name] for name in led})
    assert (same.passed, same.compared) == (True, case.updates)
    for name in led:
        for place in ends(theirs[name]):
            result = judge_end(case, theirs, {**theirs, name: other(theirs[name], place)})
            assert not result.passed
            named = result.fields if NAMED[name] in EQUAL else result.measures
            assert not named[NAMED[name]].passed
