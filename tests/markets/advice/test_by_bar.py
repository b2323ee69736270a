"""Advice as arrays by bar: what a decision may know of it, and how old that is."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest

from markets import InputError
from markets.advice.by_bar import AdviceUse, by_bar, columns, prior, use_of
from markets.advice.fusion import FusionSettings, Situation, fuse
from markets.advice.schedule import AdviceOnBars
from markets.advice.table import About, AdviceTable, TableKey
from markets.synthetic.bars import synthetic_bars
from parity.learner.advice import drawn_advice
from tests.sentences import refuses

BARS = synthetic_bars("ES", days=2, seed=3).session("rth")
SETTINGS = FusionSettings("weighted", weight=2.0, fade=0.5, most_age=2)


def laid(given: dict[int, int], count: int = 12, minutes: list[int] | None = None) -> AdviceOnBars:
    """Return advice to buy, asked at some bars and known at the bars that they map to."""
    advice = np.full((count, 3), 1 / 3, np.float32)
    known = np.arange(1, count + 1)
    for asked, at in given.items():
        advice[asked] = (0.1, 0.9, 0.0)
        known[asked] = at
    has = np.isin(np.arange(count), list(given))
    return AdviceOnBars(
        advice,
        np.where(has, 0.8, 0).astype(np.float32),
        has,
        known.astype(np.int32),
        np.array(minutes or range(count), np.int32),
    )


def test_advice_acts_from_the_bar_at_which_it_is_known_and_fades() -> None:
    assert by_bar(laid({3: 4}), SETTINGS).fresh.tolist() == [0, 0, 0, 0, 1, 0.5, 0.25, 0, 0, 0, 0, 0]
    late = by_bar(laid({3: 6}), SETTINGS)
    assert late.fresh.tolist() == [0] * 6 + [0.25, 0, 0, 0, 0, 0]
    assert by_bar(laid({3: 12}), SETTINGS).fresh.any() == False  # noqa: E712
    # A pause between two bars ages advice as minutes do.
    paused = laid({3: 4}, minutes=[0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12])
    assert by_bar(paused, SETTINGS).fresh[4:7].tolist() == [0.5, 0.25, 0]


def test_a_newer_answer_replaces_an_older_one_and_not_the_other_way_round() -> None:
    found = by_bar(laid({3: 8, 5: 6}), SETTINGS)
    assert found.row[4:10].tolist() == [-1, -1, 5, 5, 5, 5]


def test_nothing_is_known_of_what_is_answered_later() -> None:
    bars, use = drawn_advice(BARS, "prior")
    cut = 300
    after = bars.known > cut
    other = replace(bars, advice=np.where(after[:, None], bars.advice[:, [0, 2, 1]], bars.advice))
    for made in (prior, columns):
        one, two = made(bars, use.settings), made(other, use.settings)
        # A bar's columns are what is known at the next bar's decision.
        last = cut + 1 if made is prior else cut
        assert (one[:last] == two[:last]).all()
        assert (one[last:] != two[last:]).any()


def test_a_prior_is_the_shift_of_the_fusion() -> None:
    bars, use = drawn_advice(BARS, "prior")
    found, shift = by_bar(bars, use.settings), prior(bars, use.settings)
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(len(shift), 3)).astype(np.float32)
    masks = np.ones(logits.shape, bool)
    zeros = np.zeros(len(shift))
    given = Situation(logits, masks, found.advice, found.confidence, found.fresh, zeros, zeros + 1)
    alone = Situation(logits + shift, masks, found.advice, found.confidence, zeros, zeros, zeros + 1)
    fused, shifted = (fuse(one, use.settings).probabilities for one in (given, alone))
    assert np.abs(fused - shifted).max() < 1e-6
    assert 0.1 < (shift != 0).any(axis=1).mean() < 0.9  # the gate holds some back


def test_a_confidence_at_the_threshold_passes_the_gate() -> None:
    """The advice of :func:`laid` has a confidence of 0.8."""
    for threshold, passes in [(0.8, True), (0.81, False)]:
        settings = FusionSettings("gated", weight=2.0, threshold=threshold)
        assert prior(laid({3: 4}), settings)[4].any() == passes


def test_columns_hold_what_the_next_bar_knows() -> None:
    bars, use = drawn_advice(BARS, "columns")
    found, told = by_bar(bars, use.settings), columns(bars, use.settings)
    assert told.shape == (len(BARS), 4)
    assert (told[:-1, :3] == (found.advice * found.fresh[:, None])[1:]).all()
    assert (told[:-1, 3] == (found.confidence * found.fresh)[1:]).all()
    assert not told[-1].any()


@pytest.mark.parametrize(
    ("way", "settings"),
    [
        ("prior", FusionSettings("veto")),
        ("prior", FusionSettings("gated", weight=0.0)),
        ("oracle", FusionSettings()),
    ],
    ids=["veto", "weight 0", "another way"],
)
def test_what_makes_no_sense_is_refused(way: str, settings: FusionSettings) -> None:
    with refuses():
        AdviceUse(way, settings, "chat", "m", "1", "", "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "damage",
    [{}, {"as": 1}, {"settings": []}, {"settings": {"weight": 1}}, {"more": 1}, {"as": "oracle"}],
)
def test_a_damaged_use_is_refused(damage: dict[str, object]) -> None:
    whole = AdviceUse("columns", SETTINGS, "chat", "m", "1", "", "2024-01-01").to_dict()
    assert AdviceUse.from_dict(whole).to_dict() == whole
    with pytest.raises(InputError):
        AdviceUse.from_dict({**whole, **damage} if damage else {})


KEY = TableKey("0", "chat", "tiny", "1-a", "temperature 0, 200 tokens, schema")
OTHER = TableKey("9", "rules", "large", "2-b", "temperature 0.7, 200 tokens")


def table_of(key: TableKey, cutoff: str = "2024-01-01", bars: int = 20) -> AdviceTable:
    return AdviceTable(About(key, "ES", bars, cutoff), pd.DataFrame())


@pytest.mark.parametrize("way", ["prior", "columns"])
@pytest.mark.parametrize("name", ["advisor", "model", "prompt", "sampling"])
def test_a_table_that_was_asked_for_in_another_way_is_refused(way: str, name: str) -> None:
    use = use_of(way, SETTINGS, table_of(KEY))
    other = msgspec.structs.replace(KEY, **{name: getattr(OTHER, name)})
    with refuses():
        use.check_table(table_of(other), "other.parquet")
    nothing = msgspec.structs.replace(KEY, **{name: ""})
    with refuses():
        use.check_table(table_of(nothing), "other.parquet")
    use_of(way, SETTINGS, table_of(other)).check_table(table_of(other), "other.parquet")


def test_a_table_of_other_bars_is_of_the_same_advisor() -> None:
    """What is asked about, and what is told of the model, is no part of how it was asked."""
    use = use_of("prior", SETTINGS, table_of(KEY))
    others = msgspec.structs.replace(KEY, data=OTHER.data)
    use.check_table(table_of(others, cutoff="", bars=99), "other.parquet")


def seven_answers() -> AdviceOnBars:
    """Return an answer on each of seven bars, known at the next; each is another, and surer."""
    chances = np.array([(k / 7, (6 - k) / 14, (8 - k) / 14) for k in range(7)], np.float32)
    confidence = np.linspace(0.1, 0.7, 7, dtype=np.float32)
    known, minute = np.arange(1, 8, dtype=np.int32), np.arange(7, dtype=np.int32)
    return AdviceOnBars(chances, confidence, np.ones(7, bool), known, minute)


@pytest.mark.parametrize("weight", [0.3, 0.7, 1.1])
def test_a_prior_is_of_numbers_in_float32_to_the_bit(weight: float) -> None:
    """Weight and threshold are taken to float32 before anything is made of them."""
    bars, narrow = seven_answers(), float(np.float32(weight))
    wanted = [[0.0] * 3]
    for chances in bars.advice[:-1].tolist():
        wanted.append([float(np.float32(narrow * math.log(0.97 * q + 0.01))) for q in chances])
    assert prior(bars, FusionSettings("weighted", weight=weight)).tolist() == wanted
    shut = [[0.0] * 3] * 4
    for threshold, first in ((0.4, 4), (np.nextafter(0.4, 1), 4), (0.401, 5)):
        gated = prior(bars, FusionSettings("gated", weight=weight, threshold=float(threshold)))
        assert gated.tolist() == [*shut, *([[0.0] * 3] * (first - 4)), *wanted[first:]]


def test_by_bar_and_columns_hold_every_field_of_the_newest_answer() -> None:
    """The second answer never comes, and the third after the fourth."""
    bars = replace(
        seven_answers(), known=np.array([1, 9, 5, 4, 6, 6, 7], np.int32),
        minute=np.array([0, 1, 2, 4, 5, 7, 9], np.int32),
    )  # fmt: skip
    found = by_bar(bars, FusionSettings("weighted", fade=0.25, most_age=3))
    rows, fresh = [-1, 0, 0, 0, 3, 3, 5], [0, 1, 0.75, 0.421875, 1, 0.5625, 0.75]
    taken = [0, 0, 0, 0, 3, 3, 5]
    assert found.row.tolist() == rows
    assert found.fresh.tolist() == fresh
    assert found.advice.tolist() == bars.advice[taken].tolist()
    assert found.confidence.tolist() == bars.confidence[taken].tolist()
    told = columns(bars, FusionSettings("weighted", fade=0.25, most_age=3))
    for at, (row, left) in enumerate(zip(taken[1:], fresh[1:], strict=True)):
        own = [*bars.advice[row], bars.confidence[row]]
        assert told[at].tolist() == [float(np.float32(left) * one) for one in own]
    assert told[6].tolist() == [0.0] * 4
