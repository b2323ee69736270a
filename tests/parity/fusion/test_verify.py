"""The fusion's four implementations agree, and a fault planted in one of them is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.ppo.networks import masked_log_probs, mode
from markets.advice import fusion
from markets.advice.fusion import RULES, Fused, FusionSettings, Situation
from parity.export_chain.csharp import available, compile_checker
from parity.fusion.cases import situations
from parity.fusion.sides import csharp_side, jax_side, numpy_side, torch_side
from parity.fusion.verify import LIMIT, Agreement, compare, verify
from tests.sentences import refuses

COUNT = 9_000


def test_jax_and_torch_fuse_as_the_reference_does() -> None:
    for name, found in verify({"JAX": jax_side, "PyTorch": torch_side}, COUNT).items():
        assert found.same, (name, found)
        assert found.decisions >= COUNT
        assert found.largest > 0


@pytest.mark.slow
def test_a_hundred_thousand_decisions() -> None:
    for name, found in verify({"JAX": jax_side, "PyTorch": torch_side}, 100_000, seed=7).items():
        assert found.same, (name, found)


@pytest.mark.costly
@pytest.mark.skipif(not available(), reason="no Mono here")
def test_c_sharp_fuses_as_the_reference_does(tmp_path: Path) -> None:
    side = csharp_side(compile_checker(tmp_path / "ParityCheck.exe"), tmp_path)
    found = verify({"C#": side}, 100_000)["C#"]
    assert found.same, found


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("actions", [3, 6])
def test_a_weight_of_zero_is_the_bare_policy_to_the_bit(rule: str, actions: int) -> None:
    settings = FusionSettings(rule=rule, weight=0.0)
    given = situations(2000, actions, 3, settings)
    bare = masked_log_probs(jnp.asarray(given.logits), jnp.asarray(given.masks))
    made = jax_side(given, settings)
    assert (made.action == np.asarray(mode(bare))).all()
    assert (made.probabilities == np.asarray(jnp.exp(bare))).all()


@pytest.mark.parametrize("rule", ["weighted", "gated", "agreement", "veto"])
def test_no_advice_and_no_risk_is_the_bare_policy_to_the_bit(rule: str) -> None:
    settings = FusionSettings(rule=rule, weight=2.0)
    given = situations(2000, 3, 4, settings)
    calm = given._replace(
        fresh=np.zeros_like(given.fresh),
        losses=np.zeros_like(given.losses),
        left=np.ones_like(given.left),
    )
    bare = masked_log_probs(jnp.asarray(given.logits), jnp.asarray(given.masks))
    assert (jax_side(calm, settings).probabilities == np.asarray(jnp.exp(bare))).all()


def planted(change: Callable[[Situation, FusionSettings], Fused]) -> bool:
    """Return whether a side with a fault passes."""
    return verify({"planted": change}, COUNT)["planted"].same


def test_planted_faults_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert planted(numpy_side)
    bit = np.float32(1e-7)
    faults: list[Callable[[Situation, FusionSettings], Fused]] = [
        lambda given, s: numpy_side(given, replace(s, weight=s.weight * 1.001)),
        # more than the threshold, instead of at least
        lambda given, s: numpy_side(given._replace(confidence=given.confidence - bit), s),
        # at most the limit, instead of below
        lambda given, s: numpy_side(given._replace(left=given.left - bit), s),
        lambda given, s: numpy_side(given._replace(losses=given.losses - 1), s),
        lambda given, s: numpy_side(given._replace(masks=np.ones_like(given.masks)), s),
        lambda given, s: numpy_side(given._replace(advice=given.advice[:, [0, 2, 1]]), s),
        lambda given, s: numpy_side(given._replace(fresh=np.ones_like(given.fresh)), s),
        lambda given, s: numpy_side(given, replace(s, weight=max(s.weight, 0.001))),
    ]
    for number, fault in enumerate(faults):
        assert not planted(fault), number

    def other_floor(given: Situation, settings: FusionSettings) -> Fused:
        with monkeypatch.context() as patch:
            patch.setattr(fusion, "FLOOR", 0.031)
            return numpy_side(given, settings)

    assert not planted(other_floor)


def test_probabilities_that_are_no_numbers_are_found() -> None:
    def no_numbers(given: Situation, settings: FusionSettings) -> Fused:
        fused = numpy_side(given, settings)
        if settings.weight == 0:
            return fused
        return fused._replace(probabilities=np.where(given.masks, np.nan, fused.probabilities))

    found = verify({"NaN": no_numbers}, COUNT)["NaN"]
    assert not found.same
    assert np.isnan(found.largest)
    assert "decision 0" in found.first


@pytest.mark.parametrize(
    "values",
    [
        {"rule": "loud"},
        {"weight": -0.1},
        {"weight": float("nan")},
        {"threshold": 1.5},
        {"most_losses": 0},
        {"every": 0},
        {"cooldown": 2.5},
        {"fade": 2.0},
    ],
    ids=str,
)
def test_settings_that_make_no_sense(values: dict[str, object]) -> None:
    with refuses():
        FusionSettings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 1000])
def test_every_setting_with_either_number_of_actions_has_decisions_of_its_own(count: int) -> None:
    given: dict[int, list[tuple[FusionSettings, Situation]]] = {}

    def side(seed: int) -> Callable[[Situation, FusionSettings], Fused]:
        def fuse(one: Situation, settings: FusionSettings) -> Fused:
            given.setdefault(seed, []).append((settings, one))
            return numpy_side(one, settings)

        return fuse

    for seed in (0, 2):
        found = verify({"one": side(seed), "other": numpy_side}, count, seed)
        decisions = sum(len(one.logits) for settings, one in given[seed] if settings.weight != 0)
        decisions += sum(len(one.logits) for settings, one in given[seed] if settings.weight == 0) // 2
        assert found["one"].decisions == found["other"].decisions == decisions >= count
    every = [(settings, one) for rows in given.values() for settings, one in rows]
    asked = {(settings.rule, settings.weight, one.logits.shape[1]) for settings, one in every}
    assert {(rule, actions) for rule, _, actions in asked} == {(r, n) for r in RULES for n in (3, 6)}
    for rule in RULES:
        assert len({weight for name, weight, _ in asked if name == rule}) == 3
        assert (rule, 0.0, 3) in asked
    drawn = {one.logits.tobytes() for _, one in every}
    assert len(drawn) == 2 * 2 * len(RULES) * 3  # no seed's decisions are another's


@pytest.mark.parametrize("rule", RULES)
def test_decisions_are_drawn_on_both_sides_of_every_edge(rule: str) -> None:
    settings = FusionSettings(rule=rule, threshold=0.25, most_losses=3, least_left=0.5)
    given = situations(4000, 6, 2, settings)
    for values, edge in (
        (given.confidence, settings.threshold),
        (given.losses, settings.most_losses),
        (given.left, settings.least_left),
        (given.left, 0.0),
        (given.left, 1.0),
    ):
        assert min((values < edge).sum(), (values > edge).sum()) > 100
    for values, edge in (
        (given.confidence, settings.threshold),
        (given.losses, settings.most_losses),
        (given.left, settings.least_left),
    ):
        assert (values == np.float32(edge)).sum() > 100
    fresh = settings.freshness()
    assert {*np.unique(given.fresh)} == {*np.unique(fresh), np.float32(0)}
    assert (given.masks.sum(1) == 1).any()
    assert given.masks[:, 0].all()
    assert ((given.advice == 1).any(1)).sum() > 100


def agreement(change: Callable[[Fused, Situation], Fused], weight: float = 0.3) -> Agreement:
    """Return how a side stands that makes something else of what is right, on 500 decisions."""
    settings = FusionSettings(rule="weighted", weight=weight)
    given = situations(500, 6, 5, settings)
    found = Agreement()
    compare(lambda one, s: change(numpy_side(one, s), one), given, settings, found)
    return found


def test_each_way_to_differ_is_counted_by_itself() -> None:
    def on(row: int, **values: np.ndarray) -> Callable[[Fused, Situation], Fused]:
        def change(fused: Fused, given: Situation) -> Fused:
            rows = fused._replace(**{n: np.array(getattr(fused, n)) for n in fused._fields})
            for name, value in values.items():
                getattr(rows, name)[row] = value
            return rows

        return change

    settings = FusionSettings(rule="weighted")
    given = situations(500, 6, 5, settings)
    right = numpy_side(given, settings)
    assert agreement(lambda fused, _: fused) == Agreement(decisions=500)
    free = int(np.flatnonzero(given.masks.sum(axis=1) >= 2)[3])
    other = next(n for n in np.flatnonzero(given.masks[free]) if n != right.action[free])
    found = agreement(on(free, action=other))
    assert (found.decisions, found.actions, found.outside, found.largest) == (500, 1, 0, 0.0)
    assert found.first == (
        f"rule weighted, weight 0.3: decision {free} takes {other}, not {right.action[free]}; "
        "probabilities lie 0 apart"
    )
    bound = int(np.flatnonzero(~given.masks.all(axis=1))[2])
    forbidden = int(np.flatnonzero(~given.masks[bound])[0])
    found = agreement(on(bound, action=forbidden))
    assert (found.actions, found.outside, found.same) == (1, 1, False)
    leaking = np.array(right.probabilities[bound])
    leaking[forbidden] = 1e-12
    found = agreement(on(bound, probabilities=leaking))
    assert (found.actions, found.outside, found.same) == (0, 1, False)
    assert 0 < found.largest < LIMIT
    assert found.first.startswith(f"rule weighted, weight 0.3: decision {bound} takes")
    apart = np.array(right.probabilities[free])
    apart[other] += 2e-6
    found = agreement(on(free, probabilities=apart))
    assert (found.actions, found.outside, found.same) == (0, 0, False)
    assert found.largest == pytest.approx(2e-6)
    assert f"decision {free} " in found.first


def test_a_weight_of_zero_that_is_not_bare_to_the_bit_is_counted() -> None:
    def warm(fused: Fused, given: Situation) -> Fused:
        fresh = (given.fresh > 0)[:, None]
        return fused._replace(probabilities=fused.probabilities * (1 + 1e-12 * fresh))

    fresh = (situations(500, 6, 5, FusionSettings(rule="weighted", weight=0.0)).fresh > 0).sum()
    found = agreement(warm, weight=0.0)
    assert (found.actions, found.outside, found.first) == (0, 0, "")
    assert found.largest < LIMIT
    assert 0 < found.not_bare <= fresh
    assert not found.same
    assert agreement(warm, weight=0.3).same


@pytest.mark.skipif(not available(), reason="no Mono here")
def test_a_checker_that_fails_says_so(tmp_path: Path) -> None:
    settings = FusionSettings()
    with refuses(r"(?<=failed: ).*"):
        csharp_side(tmp_path / "none.exe", tmp_path)(situations(3, 3, 0, settings), settings)


def free_rows(given: Situation, allowed: int) -> np.ndarray:
    """Return the decisions with so many allowed actions at least."""
    return np.flatnonzero(given.masks.sum(axis=1) >= allowed)


def test_several_lots_of_decisions_are_one_agreement_that_names_the_first_difference() -> None:
    """The first row of the first lot; counts are of all lots, and the largest distance of any."""
    found = Agreement()
    lots = [(40, 3, 0.3, 0, ()), (30, 6, 0.5, 1e-3, (4, 9)), (50, 3, 0.7, 2e-3, (7, 8, 20))]
    lots += [(20, 6, 0.9, 5e-4, (3,))]
    first = ""
    for count, actions, weight, apart, numbers in lots:
        settings = FusionSettings("weighted", weight=weight)
        given = situations(count, actions, count, settings)
        right = numpy_side(given, settings)
        rows = free_rows(given, 2)[[*numbers]]

        def made(one: Situation, s: FusionSettings, far: float = apart, rows: object = rows) -> Fused:
            fused = numpy_side(one, s)
            other, chances = np.array(fused.action), np.array(fused.probabilities)
            for row in rows:  # type: ignore[attr-defined]
                other[row] = next(n for n in np.flatnonzero(one.masks[row]) if n != other[row])
                chances[row, 0] += far
            return Fused(chances, other)

        compare(made, given, settings, found)
        if len(rows) and not first:
            other = next(n for n in np.flatnonzero(given.masks[rows[0]]) if n != right.action[rows[0]])
            first = (
                f"rule weighted, weight {weight:g}: decision {rows[0]} takes {other}, not "
                f"{right.action[rows[0]]}; probabilities lie 0.001 apart"
            )
    assert (found.decisions, found.actions, found.outside, found.not_bare) == (140, 6, 0, 0)
    assert found.largest == pytest.approx(2e-3)
    assert found.first == first
    assert not found.same


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_probability_that_is_no_number_in_any_lot_is_the_largest_difference(place: int) -> None:
    settings = FusionSettings("weighted")
    found = Agreement()
    for number in range(3):
        given = situations(20 + number, 3, number, settings)

        def made(one: Situation, s: FusionSettings, wrong: bool = number == place) -> Fused:
            fused = numpy_side(one, s)
            chances = np.array(fused.probabilities)
            chances[-1, 0] = np.nan if wrong else chances[-1, 0] + 1e-9
            return fused._replace(probabilities=chances)

        compare(made, given, settings, found)
    assert np.isnan(found.largest)
    assert (found.same, found.actions, found.outside, found.decisions) == (False, 0, 0, 63)
    assert f"decision {19 + place} takes" in found.first
    assert found.first.endswith("probabilities lie nan apart")


@pytest.mark.parametrize("rule", RULES)
def test_under_every_rule_a_weight_of_zero_is_held_to_the_bare_policy(rule: str) -> None:
    """By its actions as well; with or without advice the bare policy is the same."""
    settings = FusionSettings(rule, weight=0.0)
    found = Agreement()
    for count, wrong in ((30, (2, 5)), (40, (1, 6, 8))):
        given = situations(count, 6, count, settings)
        rows = free_rows(given, 3)[[*wrong]]

        def made(one: Situation, s: FusionSettings, rows: np.ndarray = rows) -> Fused:
            fused = numpy_side(one, s)
            if s.rule == "weighted" and not one.fresh.any():
                return fused  # what it is held to
            action = np.array(fused.action)
            for row in rows:
                action[row] = next(n for n in np.flatnonzero(one.masks[row]) if n != action[row])
            return fused._replace(action=action)

        compare(made, given, settings, found)
    assert (found.decisions, found.actions, found.not_bare, found.outside) == (70, 5, 5, 0)
    assert (found.largest, found.same) == (0.0, False)


def test_what_lies_outside_the_mask_is_counted_over_all_lots() -> None:
    settings, found = FusionSettings("weighted"), Agreement()
    for count, numbers in ((50, (1, 4)), (60, ()), (70, (0, 2, 9))):
        given = situations(count, 6, count, settings)
        bound = np.flatnonzero(~given.masks.all(axis=1))[[*numbers]]

        def made(one: Situation, s: FusionSettings, rows: np.ndarray = bound) -> Fused:
            fused = numpy_side(one, s)
            chances = np.array(fused.probabilities)
            for row in rows:
                chances[row, np.flatnonzero(~one.masks[row])[-1]] = 1e-9
            return fused._replace(probabilities=chances)

        compare(made, given, settings, found)
    assert (found.decisions, found.outside, found.actions, found.not_bare) == (180, 5, 0, 0)


def test_a_probability_below_zero_outside_the_mask_is_outside_too() -> None:
    given = situations(500, 6, 5, FusionSettings("weighted", weight=0.3))
    row = int(np.flatnonzero(~given.masks.all(axis=1))[-1])
    place = int(np.flatnonzero(~given.masks[row])[-1])

    def change(fused: Fused, _: Situation) -> Fused:
        chances = np.array(fused.probabilities)
        chances[row, place] = -1e-9
        return fused._replace(probabilities=chances)

    found = agreement(change)
    assert (found.outside, found.actions, found.same) == (1, 0, False)


@pytest.mark.parametrize(
    ("found", "same"),
    [
        (Agreement(), False),
        (Agreement(1), True),
        (Agreement(5, largest=LIMIT), True),
        (Agreement(5, largest=float(np.nextafter(LIMIT, 1))), False),
        (Agreement(5, largest=np.nan), False),
        (Agreement(5, actions=1), False),
        (Agreement(5, outside=1), False),
        (Agreement(5, not_bare=1), False),
        (Agreement(5, first="one"), True),
    ],
)
def test_nothing_may_differ_beyond_the_limit(found: Agreement, same: bool) -> None:
    assert found.same == same


def test_of_no_decisions_nothing_is_said() -> None:
    found = verify({"NumPy": numpy_side}, 0)["NumPy"]
    assert (found, found.same) == (Agreement(), False)
