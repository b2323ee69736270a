"""Evaluation with advice: none is the bare policy, and an answer acts once it is known."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from jax_port.data.advised_market import with_advice, without_answers
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.data.seconds_loader import prepare_seconds
from jax_port.envs.env_phase1_jax import HOLD
from jax_port.evaluation.advice.advised import (
    AdviceCounts,
    AdviceState,
    Advised,
    begin,
    decide,
    follow,
)
from jax_port.evaluation.evaluate import Evaluation, _advised, evaluate
from jax_port.evaluation.intrabar import evaluate_both
from markets import EnvConfig
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import RULES, FusionSettings, Situation, fuse
from markets.advice.rules import RulesAdvisor
from markets.advice.schedule import AdviceOnBars, lay
from markets.advice.table import COLUMNS, About, AdviceTable, TableKey
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.jax_port.made_policy import make_policy, one_action_policy
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=60)
START = 200
"""A bar at which an episode may start, and at which no question of the schedule falls but its own."""


BARS = synthetic_bars("ES", days=3, seed=5, start="2025-01-02")


@pytest.fixture(scope="module")
def market() -> PreparedMarket:
    return prepare(BARS, CONFIG)


def table(
    market: PreparedMarket, answers: dict[int, tuple[float, float, float]], **more: float
) -> AdviceTable:
    """Return a table with answers at some bars, which took ``latency_ms``."""
    rows = sorted(answers)
    values = {
        "row": rows,
        "status": ["ok"] * len(rows),
        **{name: [answers[row][n] for row in rows] for n, name in enumerate(("hold", "buy", "sell"))},
        "confidence": [more.get("confidence", 1.0)] * len(rows),
        "latency_ms": [more.get("latency_ms", 0.0)] * len(rows),
    }
    frame = pd.DataFrame({name: values.get(name, "") for name in COLUMNS if name != "time"})
    key = TableKey(view_of(market, CONFIG).digest, "chat", "made", "")
    return AdviceTable(About(key, "ES", len(market)), frame)


def rules(market: PreparedMarket) -> AdviceOnBars:
    view = view_of(market, CONFIG)
    rows = view.rows(1)
    made = RulesAdvisor().advise(view, rows)
    answers = dict(zip(rows.tolist(), made.probabilities.tolist(), strict=True))
    found = table(market, answers)
    found.frame["confidence"] = made.confidence
    return lay(found, market.timestamps_ns)


def alone(market: PreparedMarket, bars: AdviceOnBars, **settings: object) -> Evaluation:
    """Return what advice alone does from the start, beside a policy that only holds."""
    policy = one_action_policy(market, CONFIG, HOLD)
    made = FusionSettings(rule="alone", **settings)  # type: ignore[arg-type]
    return evaluate(policy, market, rows=[START], advice=Advised(bars, made))


def same(one: Evaluation, other: Evaluation) -> bool:
    return all(
        getattr(one, name).equals(getattr(other, name)) for name in ("episodes", "trades", "equity")
    )


@pytest.fixture(scope="module")
def bare(market: PreparedMarket) -> Evaluation:
    return evaluate(make_policy(market, CONFIG), market, rows=market.starts[::50])


@pytest.mark.costly
@pytest.mark.parametrize("rule", RULES)
def test_a_weight_of_zero_changes_nothing(market: PreparedMarket, bare: Evaluation, rule: str) -> None:
    settings = FusionSettings(rule=rule, weight=0.0)
    policy = make_policy(market, CONFIG)
    made = evaluate(policy, market, rows=market.starts[::50], advice=Advised(rules(market), settings))
    assert same(made, bare)
    assert made.advised is not None
    assert made.advised["changed"].sum() == 0
    assert made.advised["questions"].min() > 0


def test_a_weight_above_zero_changes_something(market: PreparedMarket, bare: Evaluation) -> None:
    settings = FusionSettings(rule="weighted", weight=5.0)
    policy = make_policy(market, CONFIG)
    made = evaluate(policy, market, rows=market.starts[::50], advice=Advised(rules(market), settings))
    assert not same(made, bare)
    assert made.advised is not None
    assert made.advised["changed"].sum() > 0


@pytest.mark.costly
def test_what_came_of_the_advice_is_told_of_each_episode_in_the_order_of_the_starts(
    market: PreparedMarket,
) -> None:
    """Daily episodes are played first, whatever stands before them; each is as when played alone."""
    settings = FusionSettings(rule="weighted", weight=5.0)
    policy, advice = make_policy(market, CONFIG), Advised(rules(market), settings)
    rows = market.starts[7::90]
    made = evaluate(policy, market, rows=rows, advice=advice, lanes=3)
    assert made.advised is not None
    assert (np.diff(made.episodes["daily"].astype(int)) > 0).any()  # a daily one comes later
    assert made.advised["episode"].tolist() == made.episodes["episode"].tolist()
    told = made.advised.drop(columns="episode").to_numpy().tolist()
    assert len({tuple(one) for one in told}) > 3
    for row, counts in zip(rows, told, strict=True):
        alone = evaluate(policy, market, rows=[row], advice=advice).advised
        assert alone is not None
        assert alone.drop(columns="episode").to_numpy().tolist() == [counts]


@pytest.mark.parametrize(("latency_ms", "entered"), [(0, 1), (60_000, 1), (60_001, 2), (150_000, 3)])
def test_an_answer_acts_on_the_first_bar_that_closes_after_it_came(
    market: PreparedMarket, latency_ms: float, entered: int
) -> None:
    bars = lay(table(market, {START: (0.0, 1.0, 0.0)}, latency_ms=latency_ms), market.timestamps_ns)
    result = alone(market, bars)
    assert result.equity["position"].to_numpy().tolist().index(1) - 1 == entered
    assert result.advised is not None
    assert result.advised["changed"].iloc[0] > 0


def test_advice_that_is_too_old_is_dropped(market: PreparedMarket) -> None:
    answers = {START: (0.0, 1.0, 0.0)}
    late = lay(table(market, answers, latency_ms=12 * 60_000), market.timestamps_ns)
    assert alone(market, late).equity["position"].abs().sum() == 0
    assert alone(market, late, most_age=11).equity["position"].abs().sum() > 0


def test_only_bars_of_the_schedule_are_asked_about(market: PreparedMarket) -> None:
    off_schedule = {START + 1: (0.0, 1.0, 0.0)}
    bars = lay(table(market, off_schedule), market.timestamps_ns)
    assert alone(market, bars).equity["position"].abs().sum() == 0
    assert alone(market, bars, every=1, cooldown=0).equity["position"].abs().sum() > 0
    # Every bar is due, and three are left out after each question.
    assert alone(market, bars, every=1, cooldown=3).advised["questions"].tolist() == [15]  # type: ignore[index]
    assert alone(market, bars, every=5, cooldown=3).advised["questions"].tolist() == [12]  # type: ignore[index]


def test_an_answer_that_failed_leaves_the_one_before(market: PreparedMarket) -> None:
    good = table(market, {START: (0.0, 1.0, 0.0), START + 5: (1.0, 0.0, 0.0)})
    good.frame.loc[1, "status"] = "malformed"
    bars = lay(good, market.timestamps_ns)
    assert bars.given[[START, START + 5]].tolist() == [True, False]
    assert alone(market, bars).advised["advised"].tolist() == [11]  # type: ignore[index]


def test_nothing_is_decided_on_what_is_advised_later(market: PreparedMarket) -> None:
    policy = make_policy(market, CONFIG)
    settings = FusionSettings(rule="weighted", weight=3.0, every=1, cooldown=0)
    bars = rules(market)
    cut = START + 20
    other = replace(bars, advice=bars.advice.copy())
    other.advice[cut:] = other.advice[cut:, [0, 2, 1]]
    first, second = (
        evaluate(policy, market, rows=[START], advice=Advised(one, settings)).equity["position"]
        for one in (bars, other)
    )
    assert first[: cut - START + 2].equals(second[: cut - START + 2])


def test_shuffled_and_random_advice_keep_what_they_are_nulls_of(market: PreparedMarket) -> None:
    bars = rules(market)
    rows = np.flatnonzero(bars.given)
    shuffled, dealt = bars.shuffled(1), bars.random(1)
    assert (np.sort(shuffled.confidence[rows]) == np.sort(bars.confidence[rows])).all()
    assert (shuffled.advice[rows] != bars.advice[rows]).any()
    assert (np.sort(dealt.advice[rows].ravel()) == np.sort(bars.advice[rows].ravel())).all()
    assert np.allclose(dealt.advice.sum(axis=1), 1)
    assert (bars.shuffled(2).confidence != shuffled.confidence).any()


def test_advice_on_other_bars_is_refused(market: PreparedMarket) -> None:
    bars = rules(market)
    short = replace(bars, minute=bars.minute[:-1])
    with refuses():
        alone(market, short)


def trained(way: str, **settings: Any) -> AdviceUse:
    made = FusionSettings("weighted", **settings)
    return AdviceUse(way, made, "chat", "made", "", "", "never")  # type: ignore[arg-type]


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("way", ["prior", "columns"])
def test_a_policy_trained_with_advice_decides_by_what_is_known(
    market: PreparedMarket, way: str
) -> None:
    use, bars = trained(way, weight=4.0), rules(market)
    told = with_advice(market, bars, use)
    policy = replace(make_policy(told, CONFIG), advice=use)
    starts = market.starts[::50]
    played = evaluate(policy, told, rows=starts)
    silent = evaluate(policy, without_answers(market, use.way), rows=starts)
    assert not same(played, silent)
    cut = START + 20
    later = replace(bars, advice=bars.advice.copy())
    later.advice[cut:] = later.advice[cut:, [0, 2, 1]]
    first, second = (
        evaluate(policy, with_advice(market, one, use), rows=[START]).equity["position"]
        for one in (bars, later)
    )
    assert first[: cut - START + 2].equals(second[: cut - START + 2])


def test_without_answers_a_prior_leaves_the_bare_policy(
    market: PreparedMarket, bare: Evaluation
) -> None:
    use = trained("prior", weight=4.0)
    policy = replace(make_policy(market, CONFIG), advice=use)
    assert same(evaluate(policy, without_answers(market, "prior"), rows=market.starts[::50]), bare)


@pytest.mark.costly
def test_advice_weighs_the_same_where_every_second_is_looked_at(market: PreparedMarket) -> None:
    seconds = prepare_seconds(BARS, second_bars(BARS, seed=1), CONFIG)
    advised = Advised(rules(market), FusionSettings("weighted", weight=5.0))
    policy, starts = make_policy(market, CONFIG), market.starts[::50]
    both = evaluate_both(policy, market, seconds, rows=starts, advice=advised)
    assert same(both.minute, evaluate(policy, market, rows=starts, advice=advised))
    minute, second = both.minute.advised, both.second.advised
    assert minute is not None
    assert second is not None
    assert minute["changed"].sum() > 0
    # Seconds only end an episode sooner: until then the questions and decisions are the same.
    whole = both.minute.episodes["steps"] == both.second.episodes["steps"]
    assert whole.any()
    assert minute[whole].equals(second[whole])
    assert (both.second.episodes["steps"] <= both.minute.episodes["steps"]).all()


def test_bars_without_an_answer_have_even_chances_and_no_confidence(market: PreparedMarket) -> None:
    laid = lay(table(market, {START: (0.2, 0.5, 0.3)}, confidence=0.75), market.timestamps_ns)
    given = np.arange(len(market)) == START
    assert (laid.given == given).all()
    np.testing.assert_array_equal(laid.confidence, np.where(given, 0.75, 0.0).astype(np.float32))
    np.testing.assert_array_equal(laid.advice[~given], np.float32(1 / 3))
    np.testing.assert_array_equal(laid.advice[START], np.array([0.2, 0.5, 0.3], np.float32))


@pytest.mark.parametrize(("apart", "trades"), [(0, True), (600, False)])
def test_advice_ages_by_minutes_and_not_by_bars(
    market: PreparedMarket, apart: int, trades: bool
) -> None:
    """After a night, yesterday's last answer is old at the first bar."""
    bars = lay(table(market, {START: (0.0, 1.0, 0.0)}), market.timestamps_ns)
    minute = bars.minute.copy()
    minute[START + 1 :] += apart
    made = alone(market, replace(bars, minute=minute), every=1, cooldown=0, most_age=4)
    assert bool(made.equity["position"].abs().sum() > 0) == trades


def test_an_episode_that_is_over_counts_no_more_advice(market: PreparedMarket) -> None:
    """Bought on the answer to the first bar, and liquidated at once or soon."""
    config = CONFIG.override(trailing_drawdown_dollars=20.0)
    bars = lay(table(market, {START: (0.0, 1.0, 0.0)}), market.timestamps_ns)
    settings = FusionSettings(rule="alone", every=1, cooldown=0, most_age=1000)
    policy = one_action_policy(market, config, HOLD)
    made = evaluate(policy, market, rows=[START], advice=Advised(bars, settings))
    (steps,), (told,) = made.episodes["steps"], made.advised.to_dict("records")  # type: ignore[union-attr]
    assert made.episodes["done_reason"].tolist() == [1]
    assert 2 <= steps < 60
    # The first decision has no answer yet; after every one but the last another question is asked.
    assert (told["advised"], told["questions"]) == (steps - 1, steps)


def test_counts_of_batches_stand_at_the_episodes_that_they_are_of() -> None:
    """The third start is played first, then the first and, in a batch of its own, the second."""
    of_two, of_one = (
        AdviceCounts(*(np.array(rows) * times for times in (1, 10, 100))) for rows in ([7, 2], [5])
    )
    found = _advised([of_two, of_one], np.argsort([2, 0, 1]))
    assert found.to_dict("list") == {
        "episode": [0, 1, 2], "questions": [2, 5, 7], "advised": [20, 50, 70],
        "changed": [200, 500, 700],
    }  # fmt: skip


class Plain:
    """A definition of when is asked, when an answer acts and what is counted, bar by bar."""

    def __init__(self, bars: AdviceOnBars, settings: FusionSettings, drawdown: int) -> None:
        self.bars, self.settings, self.drawdown = bars, settings, drawdown
        self.newest: int | None = None
        self.waits: int | None = None
        self.last = -(10**9)
        self.losses = self.questions = self.advised = self.changed = 0

    def decide(self, logits: np.ndarray, masks: np.ndarray, bar: int, left_cents: int) -> int:
        """Return the action at a bar."""
        bars, settings = self.bars, self.settings
        if self.waits is not None and bars.known[self.waits] <= bar:
            if bars.given[self.waits]:
                self.newest = self.waits
            self.waits = None
        fresh, row = np.float32(0), 0
        if self.newest is not None:
            row = self.newest
            age = int(bars.minute[bar] - bars.minute[row]) - 1
            if age <= settings.most_age:
                fresh = settings.freshness()[age]
        left = np.float32(left_cents) / np.float32(self.drawdown)
        one = Situation(
            logits[None], masks[None], bars.advice[row][None], bars.confidence[row][None],
            fresh[None], np.array([self.losses]), left[None],
        )  # fmt: skip
        action = int(fuse(one, settings).action[0])
        bare = int(np.argmax(np.where(masks, logits, -np.inf)))
        due = bar % settings.every == 0 or (settings.at_entries and bare in (1, 2))
        if self.waits is None and due and bar - self.last > settings.cooldown:
            self.waits = self.last = bar
            self.questions += 1
        self.advised += bool(fresh > 0)
        self.changed += action != bare
        return action


@pytest.mark.parametrize("seed", range(12))
def test_an_episode_of_advice_goes_as_defined(seed: int) -> None:
    rng, count = np.random.default_rng(seed), 120
    settings = FusionSettings(
        rule=RULES[seed % len(RULES)], weight=2.0, every=(1, 2, 5)[seed % 3],
        cooldown=(0, 1, 3, 7)[seed % 4], at_entries=seed % 2 == 0, fade=0.1 * (seed % 3),
        most_age=(0, 4, 10)[seed % 3],
    )  # fmt: skip
    bars = AdviceOnBars(
        advice=rng.dirichlet((1, 1, 1), count).astype(np.float32),
        confidence=rng.random(count).astype(np.float32),
        given=rng.random(count) < 0.7,
        known=(np.arange(count) + rng.integers(1, 6, count)).astype(np.int32),
        minute=np.cumsum(rng.choice([1, 1, 1, 1, 3, 30], count)).astype(np.int32),
    )
    plain, advice = Plain(bars, settings, 100_000), Advised(bars, settings).on_device()
    params: Any = SimpleNamespace(trailing_drawdown=jnp.int32(100_000))

    @jax.jit
    def step(
        logits: Any, masks: Any, bar: Any, equity: Any, told: AdviceState, lost: Any, won: Any
    ) -> Any:
        state: Any = SimpleNamespace(step_idx=bar, trailing_dd_level=jnp.int32(4_800_000))
        action, told = decide(logits, masks, state, equity, told, params, advice)
        before: Any = SimpleNamespace(losing_trades=jnp.int32(3), winning_trades=jnp.int32(2))
        after: Any = SimpleNamespace(losing_trades=3 + lost, winning_trades=2 + won)
        return action, follow(told, before, after)

    told = begin(jnp.int32(0))
    for bar in range(count):
        logits, masks = rng.normal(size=3, scale=2).astype(np.float32), rng.random(3) < 0.7
        masks[HOLD] = True
        left, ended = int(rng.integers(1, 60_000)), rng.choice(["", "", "won", "lost", "even"])
        lost, won = jnp.int32(ended == "lost"), jnp.int32(ended == "won")
        action, told = step(logits, masks, jnp.int32(bar), jnp.int32(4_800_000 + left), told, lost, won)
        assert int(action) == plain.decide(logits, masks, bar, left), bar
        plain.losses = plain.losses + 1 if ended == "lost" else 0 if ended == "won" else plain.losses
        names = ("questions", "advised", "changed", "losses", "last")
        assert [int(getattr(told, name)) for name in names] == [getattr(plain, name) for name in names]
    assert plain.questions > 5
    assert settings.most_age == 0 or 0 < plain.advised < count
