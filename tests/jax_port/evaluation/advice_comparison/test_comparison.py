"""The statistics of a comparison: blocks of days, correction, cutoff, and gains that are planted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats

from jax_port.data.advised_market import with_advice
from jax_port.data.data_loader import prepare
from jax_port.evaluation.advice_comparison.comparison import (
    ALONE,
    BARE,
    LEAST_SEEDS,
    NULL,
    Played,
    after_cutoff,
    block_means,
    gain,
    holm,
    make_arms,
    make_own_arms,
    play_arms,
)
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import MOST_WEIGHT, RULES, FusionSettings
from tests.jax_port.evaluation.advice.test_advised import BARS, CONFIG, rules
from tests.jax_port.made_policy import make_policy

DAYS = [date(2025, 1, 1) + timedelta(days=n) for n in range(60)]
ALL = np.ones(60, bool)


def played(pnl: np.ndarray) -> Played:
    none = np.zeros(pnl.shape, np.int64)
    return Played(pnl, none, none, none, none, none)


def test_holm_is_what_the_definition_says() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.01], others=9) == pytest.approx([0.1])
    made = holm([0.9, float("nan"), 0.8])
    assert made[0] == 1.0
    assert np.isnan(made[1])
    # an arm of which no chance can be told was tried as well
    made = holm([0.04, float("nan"), 0.01], others=2)
    assert [made[0], made[2]] == pytest.approx([0.16, 0.05])


def test_a_planted_gain_is_found_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    bare = played(rng.normal(size=(5, 60), scale=100))
    better = played(bare.pnl + 30 + rng.normal(size=(5, 60), scale=20))
    found = gain(better, bare, ALL)
    assert found.low < 30 < found.high
    assert found.p < 0.001
    p_values = [
        gain(played(bare.pnl + rng.normal(size=(5, 60), scale=20)), bare, ALL).p for _ in range(40)
    ]
    assert np.mean(np.array(p_values) < 0.05) <= 0.2
    assert gain(bare, bare, ALL) == gain(bare, bare, ALL)
    assert gain(bare, bare, ALL).p == 1.0


@pytest.mark.parametrize("days", [20, 60])
def test_of_noise_no_more_is_found_than_promised(days: int) -> None:
    rng = np.random.default_rng(3)
    nothing = played(np.zeros((1, days)))
    p = [gain(played(rng.normal(size=(1, days))), nothing, np.ones(days, bool)).p for _ in range(150)]
    assert np.mean(np.array(p) < 0.05) < 0.1


def test_blocks_widen_the_interval_of_days_that_hang_together() -> None:
    steps = np.random.default_rng(1).normal(size=120)
    together = np.repeat(steps, 5)
    alone = np.random.default_rng(2).permutation(together)
    assert block_means(together).std() > 1.5 * block_means(alone).std()
    assert block_means(alone).std() == pytest.approx(stats.sem(alone), rel=0.35)


def test_days_up_to_the_cutoff_are_before_it() -> None:
    assert after_cutoff(DAYS, "2025-01-10").tolist() == [day > date(2025, 1, 10) for day in DAYS]
    assert after_cutoff(DAYS, "never").all()
    assert not after_cutoff(DAYS, "").any()


def test_too_few_days_have_no_interval() -> None:
    rng = np.random.default_rng(0)
    few = gain(
        played(rng.normal(size=(1, 60))), played(rng.normal(size=(1, 60))), ALL & (np.arange(60) < 9)
    )
    assert np.isnan([few.low, few.high, few.p]).all()
    assert np.isfinite(few.mean)


@pytest.mark.parametrize("days", range(1, 16))
def test_two_blocks_of_days_are_the_fewest_with_an_interval(days: int) -> None:
    rng = np.random.default_rng(days)
    found = gain(played(rng.normal(size=(2, 60))), played(np.zeros((2, 60))), np.arange(60) < days)
    assert np.isfinite([found.low, found.high, found.p]).all() == (days >= 10)


def test_an_advisor_alone_decides_whatever_weight_the_fusion_gives_it() -> None:
    """A weight of 0 turns a fusion off: of the advisor alone it would leave the bare policy."""
    for weight, alone in ((0.0, 1.0), (0.3, 0.3)):
        arms = {arm.name: arm.settings for arm in make_arms(FusionSettings(weight=weight))}
        assert (arms["advisor alone"].weight, arms["gated"].weight) == (alone, weight)


def test_every_rule_every_setting_and_the_nulls_are_arms() -> None:
    arms = make_arms(FusionSettings())
    names = [arm.name for arm in arms]
    assert len(set(names)) == len(names)
    assert {arm.settings.rule for arm in arms if arm.settings} == set(RULES)
    assert sum(arm.kind == NULL for arm in arms) == 2 * LEAST_SEEDS
    (judged,) = (arm.settings for arm in arms if arm.name == "gated")
    changed = {
        name
        for arm in arms
        if arm.settings is not None and arm.settings.rule in ("gated", "veto")
        for name, value in vars(arm.settings).items()
        if value != getattr(judged, name)
    }
    assert changed == set(vars(FusionSettings()))  # each setting's worth can be read off the page


def test_a_policy_trained_with_advice_is_judged_against_itself_and_its_nulls() -> None:
    use = AdviceUse("columns", FusionSettings(fade=0.2), "chat", "m", "1", "", "never")
    arms = make_own_arms(use)
    assert [arm.kind for arm in arms[:3]] == ["bare", "alone", "fusion"]
    assert sum(arm.kind == NULL for arm in arms) == 2 * LEAST_SEEDS
    assert all(arm.settings is None for arm in arms if arm.kind != "alone")
    assert arms[1].settings is not None
    assert arms[1].settings.fade == 0.2


@pytest.mark.parametrize("each", [5.0, 0.1, -0.07, 1000 / 3])
@pytest.mark.parametrize("bare", [0.0, 12_345.67])
def test_the_same_gain_on_every_day_has_itself_for_an_interval_and_no_p(
    each: float, bare: float
) -> None:
    """Sums of 0.1 differ by rounding, which scatters the means of blocks by next to nothing."""
    without = bare * np.arange(60)[None] / 7
    found = gain(played(without + each), played(without), ALL)
    assert (found.mean, found.low, found.high) == pytest.approx((each, each, each))
    assert np.isnan(found.p)


def test_a_gain_of_a_cent_now_and_then_is_no_rounding() -> None:
    made = np.where(np.arange(60) % 6 == 0, 0.01, 0.0)[None]
    found = gain(played(made + 100_000.0), played(np.full((1, 60), 100_000.0)), ALL)
    assert found.mean == pytest.approx(0.01 / 6)
    assert found.low < found.mean < found.high
    assert 0 < found.p < 0.05


@pytest.mark.parametrize("weight", [0.3, 9.0, 40.0, MOST_WEIGHT])
def test_no_arm_weighs_more_than_a_setting_may(weight: float) -> None:
    arms = make_arms(FusionSettings(weight=weight))
    weights = {arm.name: arm.settings.weight for arm in arms if arm.settings}
    assert weights["gated, three times the weight"] == min(3 * weight, MOST_WEIGHT)
    assert weights["gated, ten times the weight"] == min(10 * weight, MOST_WEIGHT)


def test_what_a_policy_that_was_trained_with_advice_asks_is_not_counted() -> None:
    """It sees advice at every bar without asking; its advisor alone is asked, itself bare is not."""
    market = prepare(BARS, CONFIG)
    bars = rules(market)
    use = AdviceUse("prior", FusionSettings(), "chat", "made", "1", "", "never")
    bare = make_policy(market, CONFIG)
    own = replace(make_policy(with_advice(market, bars, use), CONFIG), advice=use)
    made, days = play_arms(make_own_arms(use, 1), [own], market, bars, market.starts)
    assert len(days) == 3
    arms = make_own_arms(use, 1)
    assert {arm.name for arm in arms if made[arm.name].questions is not None} == {
        arm.name for arm in arms if arm.kind in (BARE, ALONE)
    }
    asked = made["advisor alone"].questions, made["bare policy"].questions
    assert asked[0] is not None
    assert asked[1] is not None
    assert (asked[0].sum() > 0, asked[1].sum()) == (True, 0)
    made, _ = play_arms(make_arms(use.settings, 1), [bare], market, bars, market.starts)
    assert all(one.questions is not None for one in made.values())
