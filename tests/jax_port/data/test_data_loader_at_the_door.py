"""What the door of every file refuses or tells is refused and told in spite of the cache of markets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jax_port.data import data_loader
from jax_port.data.data_loader import load, prepare
from markets import Bars, EnvConfig, InputError, get_contract
from markets.bars import FEATURES
from markets.quality import door
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=60)
ES = get_contract("ES")


@pytest.fixture(scope="module")
def bars() -> Bars:
    return synthetic_bars("ES", days=2, seed=0)


@pytest.mark.parametrize("name", ["NQ 03-25.Last.csv", "ES_bid.csv", "ESH5-ESM5.csv", "ES Spread.csv"])
def test_a_copy_whose_name_is_refused_is_refused_in_spite_of_the_cache(
    bars: Bars, tmp_path: Path, name: str
) -> None:
    first = write_bars(bars, tmp_path / "ES.csv")
    load(first, ES, CONFIG, cache_dir=tmp_path / "cache")
    copy = first.with_name(name)
    copy.write_bytes(first.read_bytes())
    with refuses():
        load(copy, ES, CONFIG, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("name", ["ES.csv", "NQ.csv"])
def test_what_is_told_of_bars_is_told_of_those_from_the_cache_too(
    bars: Bars, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Of those with an accepted problem, as a name of another contract, as well."""
    flat = replace(bars, frame=bars.frame.assign(volume=1.0))
    path = write_bars(flat, tmp_path / name)
    told, sources = [], []
    for _ in range(2):
        found = load(path, ES, CONFIG, cache_dir=tmp_path / "cache", accept_problems=name == "NQ.csv")
        told.append([record.getMessage() for record in caplog.records])
        sources.append(found.source)
        caplog.clear()
    assert told[0] == told[1] != []
    assert all(text.startswith(f"{sources[0]}: ") for text in told[0])


def test_bars_in_the_future_are_not_kept(
    bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the last alone is: what is told of them would not stay true."""
    path, cache = write_bars(bars, tmp_path / "ES.csv"), tmp_path / "cache"
    first, last = (int(bars.timestamps_ns[place]) for place in (0, -1))
    for now in (0, first + 1, last):
        monkeypatch.setattr(data_loader.time, "time_ns", lambda now=now: now)
        load(path, ES, CONFIG, cache_dir=cache)
        assert not cache.exists()
    monkeypatch.setattr(data_loader.time, "time_ns", lambda: last + 1)
    load(path, ES, CONFIG, cache_dir=cache)
    assert len(list(cache.iterdir())) == 1


def test_all_that_was_accepted_and_told_of_bars_is_kept_in_its_order(
    bars: Bars, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the name of whichever copy is asked for, whose contract it is."""
    market = replace(prepare(bars, CONFIG), accepted=("zeros", "clock", "gaps"))
    entry = tmp_path / "entry.safetensors"
    told: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(door, "tell", lambda source, warnings: told.append((source, [*warnings])))
    data_loader._write_cache(entry, market, ["first of all", "then this"])
    other = ES.with_costs(slippage_ticks=7)
    found = data_loader._read_cache(entry, other, "copy.csv")
    assert found is not None
    assert (found.accepted, found.contract, found.digest) == (market.accepted, other, market.digest)
    assert found.source == "copy.csv, taken in spite of zeros, clock, gaps"
    assert told == [(found.source, ["first of all", "then this"])]
    for name in ("features", "bars", "starts", "timestamps_ns"):
        np.testing.assert_array_equal(getattr(found, name), getattr(market, name))
    data_loader._write_cache(entry, replace(market, accepted=()), [])
    found = data_loader._read_cache(entry, ES, "copy.csv")
    assert found is not None
    assert (found.accepted, found.source, len(told)) == ((), "copy.csv", 1)


def test_the_first_hole_is_named_and_so_is_what_never_begins(bars: Bars) -> None:
    """By its bar and its feature, of several; holes before all have begun are none."""
    columns = dict.fromkeys(FEATURES, 5.0)
    features = bars.frame.assign(**columns)[list(FEATURES)]
    features.iloc[:3, FEATURES.index("sma_5")] = np.nan
    features.iloc[120, FEATURES.index("rsi")] = np.nan  # the warm-up ends before
    features.iloc[200:202, FEATURES.index("macd")] = np.inf
    features.iloc[200, FEATURES.index("atr")] = np.nan
    made = replace(bars, precomputed=features)
    with pytest.raises(InputError, match="feature rsi of bar ") as refused:
        prepare(made, CONFIG)
    assert str(bars.frame.index[120]) in str(refused.value)
    features.iloc[120, FEATURES.index("rsi")] = 5.0
    with pytest.raises(InputError, match="feature macd of bar ") as refused:
        prepare(replace(made, precomputed=features), CONFIG)
    assert str(bars.frame.index[200]) in str(refused.value)
    features.iloc[200:202] = 5.0
    features.iloc[:, FEATURES.index("momentum")] = np.nan
    with pytest.raises(InputError, match="no bar has all features; momentum is undefined to the end"):
        prepare(replace(made, precomputed=features), CONFIG)
