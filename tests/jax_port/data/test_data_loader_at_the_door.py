"""What the door of every file refuses or tells is refused and told in spite of the cache of markets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from jax_port.data import data_loader
from jax_port.data.data_loader import load
from markets import Bars, EnvConfig, get_contract
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
