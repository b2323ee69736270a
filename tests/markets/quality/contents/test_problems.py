"""Files whose columns hold something else are refused by the cause; made right, they are read alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from markets import Bars, get_contract
from markets.file_facts import FileFacts
from markets.quality.contents.problems import names_its_contract, symbol_problems
from markets.quality.inspection import inspect
from markets.readers import read_bars, read_frame
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import refuses

PRICES = ["open", "high", "low", "close"]
Spoil = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def regular() -> Bars:
    return synthetic_bars("ES", days=20, seed=4, start="2025-03-03")


@pytest.fixture(scope="module")
def whole() -> Bars:
    return synthetic_bars("ES", days=20, seed=4, start="2025-03-03", session="all")


def save(frame: pd.DataFrame, path: Path, **columns: object) -> Path:
    frame.assign(**columns).to_csv(path)
    return path


def refused(path: Path, symbol: str = "ES") -> None:
    with refuses():
        read_bars(path, symbol)


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(open=frame["close"], close=frame["open"])


def closes_alone(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**dict.fromkeys(PRICES, frame["close"]))


def nearly_closes_alone(frame: pd.DataFrame) -> pd.DataFrame:
    some = np.arange(len(frame)) % 20 == 0
    return frame.assign(**{name: frame["close"].where(~some, frame[name]) for name in PRICES})


def without_volume(frame: pd.DataFrame) -> pd.DataFrame:
    return closes_alone(frame).assign(volume=0.0)


def total_of_session(frame: pd.DataFrame) -> pd.DataFrame:
    gap = frame.index.to_series().diff() > pd.Timedelta(minutes=45)
    return frame.assign(volume=frame["volume"].groupby(gap.cumsum().to_numpy()).cumsum())


def total_of_day(frame: pd.DataFrame) -> pd.DataFrame:
    days = pd.DatetimeIndex(frame.index).tz_convert("America/New_York").date
    return frame.assign(volume=frame["volume"].groupby(days).cumsum())


def total_of_file(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(volume=frame["volume"].cumsum())


def open_interest(frame: pd.DataFrame) -> pd.DataFrame:
    days = pd.DatetimeIndex(frame.index).normalize()
    return frame.assign(volume=2_100_000.0 + 1_733.0 * pd.factorize(days)[0])


def moving_interest(frame: pd.DataFrame) -> pd.DataFrame:
    steps = np.random.default_rng(0).normal(0.0, 200.0, len(frame)).round()
    return frame.assign(volume=240_000.0 + steps.cumsum())


def alternating(frame: pd.DataFrame) -> pd.DataFrame:
    later = np.arange(len(frame)) % 2 == 1
    return frame.assign(**{name: frame[name] + 52.5 * later for name in PRICES})


def mixed_at_random(frame: pd.DataFrame) -> pd.DataFrame:
    later = np.random.default_rng(1).random(len(frame)) < 0.2
    return frame.assign(**{name: frame[name] + 52.5 * later for name in PRICES})


def mixed_for_two_days(frame: pd.DataFrame) -> pd.DataFrame:
    later = (np.arange(len(frame)) // 37 % 2 == 1) & (np.arange(len(frame)) < 900)
    return frame.assign(**{name: frame[name] + 52.5 * later for name in PRICES})


@pytest.mark.parametrize(
    ("written", "read", "right"),
    [("ESH5", "ES", "ES"), ("ESH5", "MES", "ES"), ("MESH5", "ES", "MES"), ("NQH5", "ES", "NQ")],
)
def test_a_micro_and_its_full_size_are_two_contracts(written: str, read: str, right: str) -> None:
    problems = list(symbol_problems(FileFacts("wall", contracts=(written,)), get_contract(read)))
    assert [one.mend for one in problems] == [f"pass --symbol {right}"] * (right != read)


SPOILT: dict[str, tuple[Spoil, str]] = {
    "swapped": (swapped, "open_and_close_swapped"),
    "closes alone": (closes_alone, "one_price_a_bar"),
    "nearly": (nearly_closes_alone, "one_price_a_bar"),
    "closes, no volume": (without_volume, "one_price_a_bar"),
    "total of session": (total_of_session, "volume_is_a_total"),
    "total of day": (total_of_day, "volume_is_a_total"),
    "total of file": (total_of_file, "volume_is_a_total"),
    "open interest": (open_interest, "volume_is_open_interest"),
    "interest that moves": (moving_interest, "volume_is_open_interest"),
    "alternating": (alternating, "two_contracts"),
    "at random": (mixed_at_random, "two_contracts"),
    "for two days": (mixed_for_two_days, "two_contracts"),
}


@pytest.mark.costly(keep=6)
@pytest.mark.parametrize("fault", SPOILT)
@pytest.mark.parametrize("session", ["regular", "whole"])
def test_what_columns_hold_is_told_by_itself(
    session: str, fault: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bars: Bars = request.getfixturevalue(session)
    spoil, kind = SPOILT[fault]
    path = save(spoil(bars.frame), tmp_path / "bars.csv")
    with refuses():
        read_bars(path, "ES")
    report = inspect(read_frame(path), bars.contract, "bars.csv")
    assert kind in [found.kind for found in report.problems]
    assert kind in read_bars(path, "ES", accept_problems=True).accepted
    right = read_bars(save(bars.frame, path), "ES")
    assert (right.digest, right.accepted) == (bars.digest, ())


def test_a_contract_that_hardly_trades_has_bars_of_one_price(regular: Bars, tmp_path: Path) -> None:
    thin = nearly_closes_alone(regular.frame).assign(volume=2.0)
    path = save(thin.iloc[np.random.default_rng(0).random(len(thin)) < 0.3], tmp_path / "bars.csv")
    assert read_bars(path, "ES").accepted == ()
    refused(save(closes_alone(thin), path))


def test_true_files_of_all_contracts_are_read_without_a_word(tmp_path: Path) -> None:
    for symbol in ("ES", "NQ", "YM", "RTY", "MES", "MNQ", "MYM", "M2K"):
        bars = synthetic_bars(symbol, days=3, seed=7, session="all")
        read = read_bars(write_bars(bars, tmp_path / "bars.parquet"), symbol)
        assert (read.digest, read.accepted) == (bars.digest, ())


def test_a_long_file_is_judged_by_a_part_of_it(tmp_path: Path) -> None:
    bars = synthetic_bars("ES", days=130, seed=5, session="all")
    assert len(bars) > 170_000
    path = tmp_path / "bars.parquet"
    for spoil, _ in SPOILT.values():
        spoil(bars.frame).to_parquet(path)
        with refuses():
            read_bars(path, "ES")
    assert read_bars(write_bars(bars, path), "ES").digest == bars.digest


# Another contract, with nothing in the file that names it


@pytest.mark.parametrize(
    ("really", "read_as", "start"),
    [
        ("NQ", "ES", "2025-03-03"),
        ("ES", "NQ", "2025-03-03"),
        ("MNQ", "MES", "2025-03-03"),
        ("NQ", "ES", "2026-03-03"),
        ("NQ", "MES", "2024-07-01"),
    ],
)
def test_prices_where_another_contract_traded_are_refused(
    tmp_path: Path, really: str, read_as: str, start: str
) -> None:
    bars = synthetic_bars(really, days=3, seed=1, start=start)
    path = write_bars(bars, tmp_path / "bars.csv")
    refused(path, read_as)
    assert read_bars(path, really).digest == bars.digest


def test_a_file_that_names_its_contract_is_believed(tmp_path: Path) -> None:
    bars = synthetic_bars("ES", days=3, seed=1, start="2017-03-06")  # at 6,500, where the Nasdaq was
    refused(write_bars(bars, tmp_path / "bars.csv"))
    path = write_bars(bars, tmp_path / "ES.csv")
    assert read_bars(path, "ES").digest == bars.digest


@pytest.mark.parametrize("points", [50.0, 100_000.0])
def test_prices_of_nothing_like_the_contract_are_refused(
    regular: Bars, tmp_path: Path, points: float
) -> None:
    level = points - regular.frame["close"].iloc[0]
    spread = regular.frame[PRICES].diff().fillna(0.0)[["close"]].cumsum() * 0.05
    close = get_contract("ES").snap(points + spread["close"].to_numpy())
    frame = pd.DataFrame(
        {"open": np.roll(close, 1), "high": 0.0, "low": 0.0, "close": close}, index=regular.frame.index
    )
    frame.iloc[0, 0] = close[0]
    frame["high"] = frame[["open", "close"]].max(axis=1) + 0.25
    frame["low"] = frame[["open", "close"]].min(axis=1) - 0.25
    frame["volume"] = regular.frame["volume"]
    assert level != 0
    refused(save(frame, tmp_path / "bars.csv"))


# Spreads


@pytest.mark.parametrize(
    "symbol", ["ESH5-ESM5", "ESH2025/ESM2025", "CME_MINI:ESH2025-CME_MINI:ESM2025"]
)
def test_a_spread_in_the_column_of_symbols_is_refused(
    regular: Bars, tmp_path: Path, symbol: str
) -> None:
    path = save(regular.frame, tmp_path / "bars.csv", symbol=symbol)
    refused(path)
    right = save(regular.frame, path, symbol="ESH5")
    assert read_bars(right, "ES").digest == regular.digest


@pytest.mark.parametrize("name", ["ESH5-ESM5.csv", "esh5-esm5_1min.csv", "ES spread.csv"])
def test_a_spread_in_the_name_is_refused(regular: Bars, tmp_path: Path, name: str) -> None:
    refused(save(regular.frame, tmp_path / name))
    assert read_bars(save(regular.frame, tmp_path / "ESM5.csv"), "ES").digest == regular.digest


# Hours that were filled


@pytest.mark.parametrize("session", ["regular", "whole"])
def test_filled_hours_are_called_so(
    session: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bars: Bars = request.getfixturevalue(session)
    frame = bars.frame.resample("min").asfreq()
    frame["close"] = frame["close"].ffill()
    frame = frame.apply(
        lambda column: column.fillna(frame["close"]) if column.name in PRICES else column
    )
    frame["volume"] = frame["volume"].fillna(0.0)
    path = save(frame, tmp_path / "bars.csv")
    refused(path)
    assert read_bars(save(frame[frame["volume"] > 0], path), "ES").digest == bars.digest
    wall = pd.DatetimeIndex(frame.index).tz_convert("Europe/Berlin").tz_localize(None)
    filled_elsewhere = frame.set_axis(wall.rename("timestamp"), axis=0)[
        lambda rows: ~rows.index.duplicated()
    ]
    refused(save(filled_elsewhere, path))


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        (FileFacts("wall", name="bars.zip", member="ES.csv"), True),
        (FileFacts("wall", name="ES.zip", member="bars.csv"), True),
        (FileFacts("wall", name="NQ.zip", member="bars.csv"), False),
        (FileFacts("wall", name="bars.csv"), False),
        (FileFacts("wall", name="bars.csv", contracts=("NQ", "ESH5")), True),
        (FileFacts("wall", name="bars.csv", contracts=("NQ",)), False),
        (FileFacts("wall"), False),
    ],
)
def test_which_files_name_their_contract(facts: FileFacts, named: bool) -> None:
    assert names_its_contract(facts, get_contract("ES")) == named


@pytest.mark.parametrize(
    ("facts", "read", "words"),
    [
        (FileFacts("wall", contracts=("ESH5", "ESH5-ESM5")), "ES", "column of symbols says ESH5-ESM5"),
        (FileFacts("wall", contracts=("ESH5", "NQH5")), "ES", "says NQH5, and the file was read as ES"),
        (FileFacts("wall", contracts=("RTYH5", "ES", "NQH5")), "YM", "says ES, NQH5, RTYH5, and"),
        (FileFacts("wall", contracts=("SPY", "NQ")), "NQ", ""),
        (FileFacts("wall", contracts=("ESH5",), name="NQ.csv"), "ES", ""),  # the column says more
        (FileFacts("wall", contracts=("SPY",), name="NQ.csv"), "ES", "its name speaks of NQ, and"),
        (FileFacts("wall", name="NQ_and_ES.csv"), "NQ", ""),
        (FileFacts("wall", name="NQ_and_ES.csv"), "ES", ""),
        (FileFacts("wall", name="NQ_and_ES.csv"), "YM", "its name speaks of ES and NQ, and"),
        (FileFacts("wall", name="a.zip", member="YM.csv"), "ES", "name of YM.csv within it speaks of"),
        (FileFacts("wall", name="YM.zip", member="ES.csv"), "ES", "its name speaks of YM, and"),
        (FileFacts("wall", name="YM.zip", member="ESH5-ESM5.csv"), "ES", "its name says ESH5-ESM5"),
        (FileFacts("wall", name="bars.csv"), "ES", ""),
    ],
)
def test_whatever_a_file_names_is_held_against_its_contract(
    facts: FileFacts, read: str, words: str
) -> None:
    found = list(symbol_problems(facts, get_contract(read)))
    assert [one.count for one in found] == [1] * bool(words)
    assert all(words in one.message for one in found)
    if words and "spread" not in found[0].kind:
        right = words.split("says ")[-1].split("speaks of ")[-1][:2]
        assert found[0].mend.startswith(f"pass --symbol {right if words[-2:] != 'of' else 'YM'}")


def test_what_a_file_names_is_told_once(regular: Bars) -> None:
    """Where its name says whose the prices are, their level says nothing more."""
    nq = synthetic_bars("NQ", days=3, seed=1, start="2025-03-03")
    for name, file in (("NQ.csv", "its name speaks of NQ"), ("bars.csv", "closes are about")):
        frame = nq.frame.copy()
        frame.attrs["file"] = FileFacts("offset", name=name)
        (found,) = inspect(frame, get_contract("ES"), name).problems
        assert (found.kind, found.message.startswith(file)) == ("other_contract", True)
