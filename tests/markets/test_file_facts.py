"""Contracts in the names of files: by symbol, and by name where micro and full size share a price."""

from __future__ import annotations

import pytest

from markets.file_facts import FileFacts, contracts_in_name, quotes_in, said_by_name, spread_in


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("E-mini S&P 500 (1 min).csv", {"ES"}),
        ("Micro E-mini S&P 500.csv", {"MES"}),
        ("micro_nasdaq_100_1min.csv", {"MNQ"}),
        ("Micro-E-Mini-Russell-2000.csv", {"M2K"}),
        ("e_mini_dow.csv", {"YM"}),
        ("mini download.csv", set()),
        ("emini_download.csv", set()),
        ("sp500.csv", set()),
        ("MESH5 E-mini S&P 500.csv", {"MES", "ES"}),
        *((f"NQ{sign}1min.csv", {"NQ"}) for sign in "_-. (+~,"),
        *((f"2024{sign}NQH5{sign}1min.csv", {"NQ"}) for sign in "_-. (+~,"),
        ("NQ 03-25.Last.txt", {"NQ"}),
        ("ES_and_NQ.csv", {"ES", "NQ"}),
        ("ESTIMATE_1min.csv", set()),
        ("NQ/RTY/bars_ES.csv", {"ES"}),
    ],
)
def test_contracts_by_name(name: str, symbols: set[str]) -> None:
    assert contracts_in_name(name) == symbols


@pytest.mark.parametrize(
    ("name", "quotes"),
    [
        ("ES_1min_BID.csv", "bid"),
        ("ask-ES.csv", "ask"),
        ("ES Midpoint 2025.csv", "midpoint"),
        ("ES_bid_ask.csv", None),
        ("ES_bid_BID.csv", "bid"),
        ("forbidden_tasks.csv", None),
        ("ES.csv", None),
    ],
)
def test_one_sides_quotes_by_name(name: str, quotes: str | None) -> None:
    assert quotes_in(name) == quotes
    assert said_by_name(name) == (tuple(sorted(contracts_in_name(name))), None, quotes)


def test_the_innermost_name_comes_first() -> None:
    assert FileFacts("wall", name="a.zip", member="b.csv").names == ("b.csv", "a.zip")
    assert FileFacts("wall").names == ()


@pytest.mark.parametrize(
    ("text", "spread"),
    [
        ("ESH5-ESM5_1min.csv", "ESH5-ESM5"),
        ("ESH2025/ESM2025", "ESH2025/ESM2025"),
        ("CME:ESH5 - CME:ESM5", "CME:ESH5 - CME:ESM5"),
        ("esh5-esm5_1min.csv", "esh5-esm5"),
        ("Es calendar h5", "Es calendar h5"),
        ("ESH5-XYZM5.csv", None),
        ("XYZH5-ESM5.csv", None),
        ("ESH5.csv", None),
        ("ES:BF H5-M5-U5", "ES:BF H5-M5-U5"),
        ("NQ calendar H5 M5", "NQ calendar H5 M5"),
        ("XYZ:BF H5-M5-U5", None),
        ("ES_and_NQ.csv", None),
    ],
)
def test_a_spread_names_two_deliveries_of_known_contracts(text: str, spread: str | None) -> None:
    assert spread_in(text) == spread


def test_all_that_a_name_says_is_told_at_once() -> None:
    assert said_by_name("NQ_and_ES_bid.csv") == (("ES", "NQ"), None, "bid")
    assert said_by_name("RTYH5-RTYM5 ask NQ.csv") == (("NQ", "RTY"), "RTYH5-RTYM5", "ask")
