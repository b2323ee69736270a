"""The contract table against section 2, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from markets import SYMBOLS, Contract, InputError, get_contract, register_contract
from markets.contracts import (
    _TABLE,
    added_contracts,
    contract_of,
    contract_of_file,
    decimals,
    symbols,
)
from tests.sentences import refuses

# symbol, name, tick, dollars a tick, slippage, dollars a side
PAGE = [
    ("ES", "E-mini S&P 500", 0.25, 12.50, 1, 2.50),
    ("NQ", "E-mini Nasdaq-100", 0.25, 5.00, 1, 2.50),
    ("YM", "E-mini Dow", 1, 5.00, 2, 2.50),
    ("RTY", "E-mini Russell 2000", 0.10, 5.00, 2, 2.50),
    ("MES", "Micro S&P 500", 0.25, 1.25, 1, 0.50),
    ("MNQ", "Micro Nasdaq-100", 0.25, 0.50, 1, 0.50),
    ("MYM", "Micro Dow", 1, 0.50, 2, 0.50),
    ("M2K", "Micro Russell 2000", 0.10, 0.50, 2, 0.50),
]


@pytest.mark.parametrize(("symbol", "name", "tick", "value", "slippage", "commission"), PAGE)
def test_the_table_is_that_of_the_page(symbol, name, tick, value, slippage, commission):
    contract = get_contract(symbol)
    assert (contract.name, contract.tick_size, contract.slippage_ticks) == (name, tick, slippage)
    assert contract.tick_value_cents == round(value * 100)
    assert contract.commission_cents == round(commission * 100)


def test_there_are_eight_and_micros_know_their_full_size():
    assert SYMBOLS == ("ES", "NQ", "YM", "RTY", "MES", "MNQ", "MYM", "M2K")
    assert [get_contract(symbol).full_size for symbol in SYMBOLS] == [None] * 4 + [
        "ES",
        "NQ",
        "YM",
        "RTY",
    ]


def test_a_symbol_is_found_in_any_case():
    assert get_contract("es") is get_contract("ES")


def test_an_unknown_symbol_lists_the_known_ones():
    with refuses():
        get_contract("CL")


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ""},
        {"symbol": "es"},
        {"symbol": "ES; IGNORE THE REST"},
        {"symbol": 'E"S'},
        {"symbol": "../ES"},
        {"symbol": "-ES"},
        {"symbol": "ES\n"},
        {"symbol": "A" * 21},
        {"tick_size": 0.0},
        {"tick_size": -0.25},
        {"tick_size": float("nan")},
        {"tick_size": float("inf")},
        {"tick_size": "0.25"},
        {"tick_size": True},
        {"tick_value_cents": 0},
        {"tick_value_cents": 12.5},
        {"slippage_ticks": -1},
        {"commission_cents": True},
    ],
    ids=str,
)
def test_a_contract_that_cannot_be_is_refused(change):
    values = {
        "symbol": "CL",
        "name": "Crude oil",
        "tick_size": 0.01,
        "tick_value_cents": 1000,
        "slippage_ticks": 1,
        "commission_cents": 250,
    }
    with refuses():
        Contract(**{**values, **change})


@pytest.mark.parametrize("symbol", ["6E", "MY_CL", "BRN-F", "X.1", "A" * 20, "Z"])
def test_a_symbol_may_have_digits_and_marks(symbol):
    assert Contract(symbol, "mine", 0.01, 1000, 1, 250).symbol == symbol


def test_costs_can_be_overridden_one_by_one():
    es = get_contract("ES")
    assert es.with_costs() == es
    assert es.with_costs(slippage_ticks=3).slippage_ticks == 3
    assert es.with_costs(slippage_ticks=3).commission_cents == 250
    free = es.with_costs(slippage_ticks=0, commission_cents=0)
    assert (free.slippage_ticks, free.commission_cents) == (0, 0)


def test_snapping_goes_to_the_nearest_tick_and_half_to_even():
    es = get_contract("ES")
    # 6000.125 is 24000.5 ticks and goes down, 6000.375 is 24001.5 ticks and goes up: both to even.
    assert es.snap([6000.1, 6000.125, 6000.2, 6000.375]).tolist() == [6000.0, 6000.0, 6000.25, 6000.5]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_ticks_and_points_are_each_others_inverse(symbol):
    contract = get_contract(symbol)
    ticks = np.arange(0, 200_000, 37)
    assert np.array_equal(contract.to_ticks(contract.to_points(ticks)), ticks)


def test_the_russell_has_ten_ticks_a_point():
    assert get_contract("RTY").to_ticks([2000.3, 2000.7]).tolist() == [20003, 20007]


def test_a_tick_given_as_a_whole_number_is_the_same_contract():
    one, other = (Contract("ZZ", "Test", tick, 100, 0, 0) for tick in (1, 1.0))
    assert one == other
    assert repr(one) == repr(other)


def test_another_contract_can_be_registered_once(monkeypatch):
    monkeypatch.setattr("markets.contracts._TABLE", dict(_TABLE))
    crude = register_contract(Contract("CL", "Crude oil", 0.01, 1000, 1, 250))
    assert get_contract("cl") is crude
    with refuses():
        register_contract(crude)
    assert symbols() == (*SYMBOLS, "CL")
    with pytest.raises(InputError, match="choose one of ES, NQ, YM, RTY, MES, MNQ, MYM, M2K, CL, or"):
        get_contract("GC")
    dearer = register_contract(crude.with_costs(commission_cents=300), overwrite=True)
    assert get_contract("CL") is dearer
    assert symbols() == (*SYMBOLS, "CL")


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        *(("ESH5 Index", "ES"), ("ESA Index", "ES"), ("nqc1", "NQ"), ("MES MAR25", "MES")),
        *(("ES JUN 2025", "ES"), ("EPH25", "ES"), ("F.US.ENQM5", "NQ"), ("&ES", "ES")),
        *(("EP", None), ("ESA", None), ("SPY", None), ("ESH5 C6500", None), ("EPIC", None)),
    ],
)
def test_symbols_as_vendors_write_them(text, symbol):
    assert contract_of(text) == symbol


SPELLINGS = (
    *("{}", "/{}", "@{}", "${}", "&{}", "//{}", "CME_MINI:{}", "CBOT:{}", "A:B:{}", " {} ", "F.US.{}"),
    *(f"{{}}{month}{year}" for month in "FGHJKMNQUVXZ" for year in ("5", "25", "025", "2025")),
    *(f"{{}} {name} {year}" for name in ("JAN", "FEB", "MAR", "APR", "MAY") for year in (25, 2025)),
    *(f"{{}}{name}{year}" for name in ("JUN", "JUL", "AUG", "SEP", "OCT") for year in (25, 2025)),
    *("{} NOV25", "{} DEC 25", "{} 12-25", "{}_03-25", "{}=F", "{}.c.0", "{}.N.1", "{}.v.12"),
    *("{}1!", "{}!", "{}2!", "{}#", "{}#C", "@{}#", "{}_F", "{}c1", "{}C12", "{}H5 Index", "{}A Index"),
    *("{} Index", "{}H5.CME", "{}=F.X", "{}.CME"),
)
OTHERS = (
    *("{}A5", "{}H", "{}H20255", "{}5", "{}.c.", "{}.x.0", "{}=G", "{} 1-25", "{} 12-2025"),
    *("{} MAR5", "{} XYZ25", "{}1", "{}#CC", "{}C123", "{}_G", "{} H5", "X{}H5", "{}Q", "{} Indexes"),
)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_spelling_of_a_contract_is_understood_and_no_other(symbol):
    for spelling in SPELLINGS:
        assert contract_of(spelling.format(symbol)) == symbol, spelling
        assert contract_of(spelling.format(symbol).lower()) == symbol, spelling
    for spelling in OTHERS:
        assert contract_of(spelling.format(symbol)) is None, spelling


def test_ticks_beyond_32_bits_do_not_wrap_around():
    ticks = np.array([2**31 - 1, 2**31, 2**32 + 7, 2**40 + 1])
    for symbol in SYMBOLS:
        contract = get_contract(symbol)
        assert contract.to_ticks(contract.to_points(ticks)).tolist() == ticks.tolist()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_price_between_two_ticks_is_the_nearest_in_ticks_as_in_points(symbol):
    contract = get_contract(symbol)
    ticks = np.array([1, 2, 4_001, 65_537, 2**24 - 1])[:, None]
    away = np.array([-0.49, -0.3, -1e-9, 0.0, 1e-9, 0.3, 0.49])[None, :]
    prices = (ticks + away) * contract.tick_size
    np.testing.assert_array_equal(contract.to_ticks(prices), np.broadcast_to(ticks, prices.shape))
    np.testing.assert_array_equal(contract.to_ticks(contract.snap(prices)), contract.to_ticks(prices))
    halves = (ticks + 0.5) * contract.tick_size  # to the even one, as snapping
    np.testing.assert_array_equal(contract.to_ticks(halves) % 2, np.zeros_like(ticks))


def test_a_built_in_contract_with_other_costs_is_told_to_other_processes(monkeypatch):
    monkeypatch.setattr("markets.contracts._TABLE", dict(_TABLE))
    assert added_contracts() == ()
    dear = register_contract(get_contract("NQ").with_costs(commission_cents=300), overwrite=True)
    crude = register_contract(Contract("CL", "Crude Oil", 0.01, 1000, 1, 250))
    assert added_contracts() == (dear, crude)


@pytest.mark.parametrize(
    ("tick", "places"),
    [(1.0, 0), (5.0, 0), (10.0, 0), (0.25, 2), (0.1, 1), (0.5, 1), (0.00005, 5), (1 / 64, 6), (2.5, 1)],
)
def test_a_price_has_the_decimals_of_its_tick(tick: float, places: int) -> None:
    assert decimals(tick) == places
    for ticks in (1, 3, 1_000_003):
        assert float(f"{ticks * tick:.{places}f}") == pytest.approx(ticks * tick, rel=1e-15)


def test_a_symbol_of_ones_own_is_itself_before_it_is_a_spelling(monkeypatch):
    """Although it reads like a delivery month, a series or a vendor's name of another contract."""
    monkeypatch.setattr("markets.contracts._TABLE", dict(_TABLE))
    for symbol in ("ESZ5", "ES.C.0", "NQ_F", "ESC", "F.US.ES"):
        own = register_contract(Contract(symbol, "mine", 0.5, 100, 1, 250))
        assert get_contract(symbol) is own
        assert get_contract(symbol.lower()) is own
    assert [contract_of(text) for text in ("ESZ5.CME", "ESZ5H6", "NQ_F=F")] == ["ESZ5", "ESZ5", "NQ_F"]
    assert contract_of("ESH5") == "ES"
    assert contract_of("F.US.ESH5") == "ES"


@pytest.mark.parametrize("symbol", [None, ""])
def test_a_files_contract_is_never_guessed(symbol):
    assert contract_of_file("ES.csv", "nq") is get_contract("NQ")
    with pytest.raises(InputError, match=r"ES\.csv: say with --symbol which contract this file is of"):
        contract_of_file("ES.csv", symbol)
