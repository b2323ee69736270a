"""The statistics of a comparison: blocks of days, correction, cutoff, and gains that are planted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from jax_port.data.advised_market import with_advice, without_answers
from jax_port.data.data_loader import prepare
from jax_port.evaluation.advice_comparison.comparison import (
    ALONE,
    BARE,
    FUSED,
    LEAST_SEEDS,
    NULL,
    OWN,
    SETTING,
    Arm,
    Played,
    after_cutoff,
    block_means,
    gain,
    holm,
    make_arms,
    make_own_arms,
    play_arms,
)
from jax_port.evaluation.evaluate import evaluate
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import MOST_WEIGHT, RULES, FusionSettings
from markets.clock import new_york_dates
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


def test_the_arms_of_a_fusion_written_out() -> None:
    """Each differs from the judged settings by what its name says, and by nothing else."""
    own = FusionSettings("gated", 0.6, 0.5, 4, 0.3, 7, 2, True, 0.25, 9)

    def by(**change: Any) -> FusionSettings:
        return replace(own, **change)

    expected = [
        ("bare policy", BARE, None, "", 0),
        ("advisor alone", ALONE, by(rule="alone"), "", 0),
        *((rule, FUSED, by(rule=rule), "", 0) for rule in ("weighted", "gated", "agreement", "veto")),
        ("gated, a third of the weight", SETTING, by(weight=0.6 / 3), "", 0),
        ("gated, three times the weight", SETTING, by(weight=0.6 * 3), "", 0),
        ("gated, ten times the weight", SETTING, by(weight=6.0), "", 0),
        ("gated, asked every bar", SETTING, by(every=1, cooldown=0), "", 0),
        ("gated, not asked at entries", SETTING, by(at_entries=False), "", 0),
        ("gated, no cooldown", SETTING, by(cooldown=0), "", 0),
        ("gated, no fading", SETTING, by(fade=0.0), "", 0),
        ("gated, dropped after a bar", SETTING, by(most_age=0), "", 0),
        ("gated, no threshold", SETTING, by(threshold=0.0), "", 0),
        ("veto, after losses alone", SETTING, by(rule="veto", least_left=0.0), "", 0),
        ("veto, near the floor alone", SETTING, by(rule="veto", most_losses=1000), "", 0),
        *(
            (f"{null} advice, seed {seed}", NULL, own, null, seed)
            for null in ("shuffled", "random")
            for seed in (0, 1)
        ),
    ]
    assert make_arms(own, 2) == [Arm(*values) for values in expected]
    names = [arm.name for arm in make_arms(by(rule="veto"), 0)]
    assert "veto, no fading" in names
    assert not any(name.endswith("no threshold") for name in names)
    use = AdviceUse("columns", own, "chat", "m", "1", "", "never")
    alone = FusionSettings("alone", 1.0, every=1, cooldown=0, fade=0.25, most_age=9)
    assert make_own_arms(use, 1) == [
        Arm("bare policy", BARE), Arm("advisor alone", ALONE, alone), Arm(OWN, FUSED),
        Arm("shuffled advice, seed 0", NULL, None, "shuffled", 0),
        Arm("random advice, seed 0", NULL, None, "random", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_an_arm_is_told_what_its_own_advisor_says(way: Any) -> None:
    """The table's answers, or a null's of its seed; the bare policy hears none."""
    market = prepare(BARS, CONFIG)
    bars, settings = rules(market), FusionSettings("weighted", 4.0)
    use = AdviceUse(way, settings, "chat", "made", "1", "", "never")
    said = {
        "": bars, "shuffled, 0": bars.shuffled(0), "shuffled, 2": bars.shuffled(2),
        "random, 0": bars.random(0), "random, 2": bars.random(2),
    }  # fmt: skip
    assert len({one.advice.tobytes() for one in said.values()}) == 5
    for name, answers in said.items():
        null, _, seed = name.partition(", ")
        arm = Arm("an arm", NULL if null else FUSED, settings, null, int(seed or 0))
        advised = arm.advised(bars)
        assert advised is not None
        assert advised.settings is settings
        for field in ("advice", "confidence", "given", "known", "minute"):
            np.testing.assert_array_equal(getattr(advised.bars, field), getattr(answers, field))
        assert arm.told(market, bars, None) is market
        assert arm.told(market, bars, use).digest == with_advice(market, answers, use).digest
    bare = Arm("bare policy", BARE)
    assert bare.advised(bars) is None
    assert bare.told(market, bars, None) is market
    assert bare.told(market, bars, use).digest == without_answers(market, way).digest
    assert bare.told(market, bars, use).advised == way


def test_every_policy_plays_every_arm_from_each_days_first_start() -> None:
    """Two policies, three days, of whose starts the first of each is taken, given in any number."""
    market = prepare(BARS, CONFIG)
    bars = rules(market)
    policies = [make_policy(market, CONFIG, seed=seed) for seed in (0, 1)]
    arms = [arm for arm in make_arms(FusionSettings("weighted", 5.0), 1) if arm.kind != SETTING]
    rows = market.starts[7::11]
    played_arms: list[int] = []
    made, days = play_arms(arms, policies, market, bars, rows, lambda: played_arms.append(1))
    assert days == [date(2025, 1, day) for day in (2, 3, 6)]
    assert len(played_arms) == len(arms) == len(made)
    first = rows[np.flatnonzero(np.diff(new_york_dates(market.timestamps_ns[rows]), prepend=0))]
    assert len(first) == 3
    for name in ("bare policy", "weighted", "shuffled advice, seed 0"):
        arm = next(arm for arm in arms if arm.name == name)
        for at, policy in enumerate(policies):
            alone = evaluate(policy, market, rows=first, advice=arm.advised(bars))
            own = alone.episodes
            assert made[name].pnl[at] == pytest.approx(
                (own["pnl"] + own["open_pnl"]).to_numpy(), abs=1e-9
            )
            assert made[name].trades[at].tolist() == own["trades"].tolist()
            assert made[name].steps[at].tolist() == own["steps"].tolist()
            for count in ("questions", "advised", "changed"):
                told = [0] * 3 if alone.advised is None else alone.advised[count].tolist()
                assert getattr(made[name], count)[at].tolist() == told
    assert made["bare policy"].pnl[0].tolist() != made["bare policy"].pnl[1].tolist()
    assert made["weighted"].pnl.tolist() != made["bare policy"].pnl.tolist()


@pytest.mark.parametrize(
    ("days", "student"), [(10, 12.706205), (11, 11.0), (20, 3.182446), (60, 2.200985)]
)
def test_a_gain_by_its_definition(days: int, student: float) -> None:
    """The mean of two policies' differences; blocks of five neighbours, the first after the last."""
    rng = np.random.default_rng(days)
    bare, arm = rng.normal(size=(2, 61), scale=100), rng.normal(size=(2, 61), scale=100, loc=20)
    chosen = np.isin(np.arange(61), rng.permutation(61)[:days])
    each = [
        (arm[0, day] - bare[0, day] + arm[1, day] - bare[1, day]) / 2 for day in np.flatnonzero(chosen)
    ]
    begins = np.random.default_rng(0).integers(days, size=(4000, -(-days // 5)))
    means = [
        np.mean([each[(begin + place) % days] for begin in row for place in range(5)][:days])
        for row in begins.tolist()
    ]
    count = days / 5
    error = np.std(means) * (count / (count - 1)) ** 0.5
    found = gain(played(arm), played(bare), chosen)
    assert found.mean == pytest.approx(np.mean(each))
    if days == 11:  # 2.2 blocks: between the table's rows of 1 and of 2 degrees of freedom
        assert 4.302653 < (found.high - found.mean) / error < 12.706205
    else:
        assert (found.mean - found.low) / error == pytest.approx(student, rel=1e-5)
        assert found.high - found.mean == pytest.approx(found.mean - found.low)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_a_corrected_p_is_never_below_that_of_a_smaller_one() -> None:
    """Written out; in any order, with others tried, and never above 1."""
    assert holm([0.02, 0.0201, 0.9, 0.001]) == pytest.approx([0.06, 0.06, 0.9, 0.004])
    assert holm([0.02, 0.0201, 0.9, 0.001], 2) == pytest.approx([0.1, 0.1, 1.0, 0.006])
    assert holm([0.5, 0.3]) == pytest.approx([0.6, 0.6])
    assert holm([]) == []
