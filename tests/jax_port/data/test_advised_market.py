"""Bars with advice on them: the right rows of it, and a digest that says so."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from jax_port.data.advised_market import with_advice, without_answers
from jax_port.data.data_loader import prepare, stack
from markets import EnvConfig
from markets.advice.by_bar import Way, columns, prior
from markets.synthetic.bars import synthetic_bars
from parity.learner.advice import drawn_advice
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=30)
BARS = synthetic_bars("ES", days=3, seed=3)
MARKET = prepare(BARS, CONFIG)


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_a_cut_market_has_the_advice_of_its_own_bars(way: str) -> None:
    laid, use = drawn_advice(BARS.session(CONFIG.session), way)
    keep = np.zeros(len(BARS), bool)
    keep[len(BARS) // 3 :] = True
    cut = prepare(BARS.select(keep), CONFIG)
    whole, part = with_advice(MARKET, laid, use), with_advice(cut, laid, use)
    made = (prior if way == "prior" else columns)(laid, use.settings)
    first = len(MARKET) - len(cut)
    assert first > 0
    found = part.prior if way == "prior" else part.features[:, 11:]
    assert found is not None
    assert (found == made[first:]).all()
    assert len({MARKET.digest, cut.digest, whole.digest, part.digest}) == 4
    if way == "columns":
        assert np.array_equal(whole.features[:, :11], MARKET.features, equal_nan=True)
    data = stack([whole, replace(part, advised=way)])
    assert data.features.shape == (len(MARKET) + len(cut), 15 if way == "columns" else 11)
    assert (data.prior is None) == (way == "columns")
    together = data.prior if way == "prior" else data.features[:, 11:]
    assert together is not None
    np.testing.assert_array_equal(together[: len(MARKET)], made)
    np.testing.assert_array_equal(together[len(MARKET) :], made[first:])


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_an_advisor_that_never_answers_leaves_nothing(way: Way) -> None:
    """As much of it as of one that does, so that a policy trained with either can look at it."""
    silent = without_answers(MARKET, way)
    laid, use = drawn_advice(BARS.session(CONFIG.session), way)
    spoken = with_advice(MARKET, laid, use)
    assert silent.features.shape == spoken.features.shape
    np.testing.assert_array_equal(silent.features[:, :11], MARKET.features)
    if way == "prior":
        assert silent.prior is not None
        assert spoken.prior is not None
        assert (silent.prior.shape, silent.prior.dtype) == (spoken.prior.shape, np.float32)
        assert not silent.prior.any()
        assert spoken.prior.any()
    else:
        assert not silent.features[:, 11:].any()
        assert spoken.features[:, 11:].any()
    assert (silent.advised, spoken.advised) == (way, way)
    assert len({MARKET.digest, silent.digest, spoken.digest}) == 3


@pytest.mark.parametrize("way", ["prior", "columns"])
def test_other_answers_and_another_use_of_them_are_another_market(way: Way) -> None:
    laid, use = drawn_advice(BARS.session(CONFIG.session), way)
    confident = replace(laid, confidence=np.ones_like(laid.confidence))
    heavier = replace(use, settings=replace(use.settings, weight=3.0))
    other = replace(use, advisor="another")
    made = [with_advice(MARKET, laid, use), with_advice(MARKET, confident, use)]
    made += [with_advice(MARKET, laid, heavier), with_advice(MARKET, laid, other)]
    assert len({one.digest for one in made}) == 4
    assert with_advice(MARKET, laid, use).digest == made[0].digest


def test_advice_on_other_bars_is_refused() -> None:
    laid, use = drawn_advice(synthetic_bars("ES", days=1, seed=3).session("rth"), "prior")
    with refuses():
        with_advice(MARKET, laid, use)


@pytest.mark.parametrize("bar", [0, 500, -1])
def test_advice_that_lacks_one_of_the_bars_is_refused(bar: int) -> None:
    laid, use = drawn_advice(BARS.session(CONFIG.session), "prior")
    names = [field.name for field in fields(laid)]
    lacking = replace(laid, **{name: np.delete(getattr(laid, name), bar, axis=0) for name in names})
    with refuses():
        with_advice(MARKET, lacking, use)
