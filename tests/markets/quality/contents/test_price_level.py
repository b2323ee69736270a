"""Prices are held against the levels of their own years, whichever contract and year it is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from markets import SYMBOLS, get_contract
from markets.file_facts import FileFacts
from markets.quality.contents.arrays import BLOCK, BLOCKS, Contents
from markets.quality.contents.price_level import (
    FEWEST,
    FIRST_YEAR,
    LEVELS,
    LOOKED_AT,
    level_problems,
)

LAST = FIRST_YEAR + len(LEVELS["ES"]) - 1
MICROS = {"ES": "MES", "NQ": "MNQ", "YM": "MYM", "RTY": "M2K"}


def contents(symbol: str, year: int, price: float, rows: int = FEWEST) -> Contents:
    """Return bars of the summer of a year at one price."""
    begin = pd.Timestamp(year, 7, 1, 15, tz="UTC").value
    ns = begin + np.arange(rows) * 60 * 10**9
    prices = np.full(rows, float(price))
    ones = np.ones(rows)
    return Contents(ns, prices, prices, prices, prices, ones, get_contract(symbol), FileFacts("wall"))


def level(symbol: str, year: int) -> float:
    return LEVELS[symbol][min(year, LAST) - FIRST_YEAR]


def wanted(symbol: str, year: int, price: float) -> tuple[str, str] | None:
    """Return the kind of problem and the contract to name, by the words of the module."""
    contract = get_contract(symbol)
    own = contract.full_size or symbol
    if FIRST_YEAR <= year <= LAST + 3:
        away = {name: abs(math.log(level(name, year) / price)) for name in LEVELS}
        nearest = min(away, key=lambda name: away[name])
        if away[own] > math.log(1.7) and away[nearest] < math.log(1.4):
            return "other_contract", MICROS[nearest] if contract.full_size else nearest
    if not min(LEVELS[own]) / 3 < price < max(LEVELS[own]) * 3:
        return "price_level", ""
    return None


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_each_year_has_its_own_level(symbol: str) -> None:
    factors = (0.05, 0.3, 0.58, 0.6, 1.0, 1.39, 1.41, 1.69, 1.71, 2.2, 3.1, 9.0, 70.0)
    kinds = []
    for year in (1999, FIRST_YEAR - 1, *range(FIRST_YEAR, LAST + 6)):
        own = get_contract(symbol).full_size or symbol
        for price in (level(own, max(year, FIRST_YEAR)) * factor for factor in factors):
            found = list(level_problems(contents(symbol, year, price)))
            expected = wanted(symbol, year, price)
            kinds.append(expected and expected[0])
            assert [one.kind for one in found] == ([expected[0]] if expected else []), (year, price)
            if expected and expected[0] == "other_contract":
                assert found[0].mend == f"pass --symbol {expected[1]}", (year, price)
                full = get_contract(expected[1]).full_size or expected[1]
                words = f"in {year}, where {full} traded; {own} stood near {level(own, year):,.0f}"
                assert words in found[0].message
    assert {None, "other_contract", "price_level"} == set(kinds)


def test_few_bars_and_other_contracts_are_not_judged() -> None:
    assert not list(level_problems(contents("ES", 2025, 22_000, FEWEST - 1)))
    assert list(level_problems(contents("ES", 2025, 22_000, FEWEST)))
    own = replace(get_contract("ES"), symbol="ZZ")
    assert not list(level_problems(replace(contents("ES", 2025, 22_000), contract=own)))


def test_a_long_file_is_judged_by_all_of_it() -> None:
    """Most rows decide, wherever in the file they stand."""
    rows = 3 * LOOKED_AT + 17
    for part, bad in ((slice(0, rows // 3), False), (slice(rows // 3, None), True)):
        made = contents("ES", 2025, 6100, rows)
        made.close[part] = 22_000
        assert bool(list(level_problems(made))) is bad


@pytest.mark.parametrize("rows", [0, 1, 2 * BLOCKS * BLOCK, 2 * BLOCKS * BLOCK + 1, 300_001])
def test_runs_of_rows_stand_for_the_whole_file(rows: int) -> None:
    made = contents("ES", 2025, 6100, rows)
    places = np.arange(rows, dtype=float)
    made = replace(made, open=places + 1, high=places + 9, low=places - 7, volume=places * 2)
    runs = made.runs()
    if rows <= 2 * BLOCKS * BLOCK:
        assert [len(run) for run in runs] == [rows]
        return
    assert [len(run) for run in runs] == [BLOCK] * BLOCKS
    begins = [int(np.searchsorted(made.ns, run.ns[0])) for run in runs]
    assert begins[0] == 0
    assert begins[-1] == rows - BLOCK
    assert np.ptp(np.diff(begins)) <= 1
    for begin, run in zip(begins, runs, strict=True):
        assert run.ns.tolist() == made.ns[begin : begin + BLOCK].tolist()
        for name in ("open", "high", "low", "close", "volume"):
            own = getattr(made, name)[begin : begin + BLOCK]
            assert getattr(run, name).tolist() == own.tolist()
        assert (run.contract, run.file) == (made.contract, made.file)


def test_rows_of_several_years_are_each_held_against_their_own() -> None:
    """Also where the first of them lie before the table, and are not held against any."""
    rng = np.random.default_rng(3)
    for years in ((2004, 2012, 2025), (1999, 2004, 2025), (2025, 2025, 2026), (1999, 1999, 2016)):
        parts = [contents("ES", year, level("NQ", max(year, FIRST_YEAR)), 50) for year in years]
        ns = np.concatenate([part.ns for part in parts])
        close = np.concatenate([part.close for part in parts]) * rng.uniform(0.99, 1.01, 150)
        bars = replace(parts[0], ns=ns, close=close)
        judged = [year for year in years if year >= FIRST_YEAR]
        own, other = (
            [level(name, year) for year in judged for _ in range(50)] for name in ("ES", "NQ")
        )
        away = np.median(np.abs(np.log(np.array(own) / other)))
        found = [one for one in level_problems(bars) if one.kind == "other_contract"]
        assert len(found) == (away > math.log(1.7))
        if found:
            span = f"{years[0]} to {years[-1]}" if years[0] != years[-1] else str(years[0])
            words = f"in {span}, where NQ traded; ES stood near {float(np.median(own)):,.0f}"
            assert words in found[0].message
