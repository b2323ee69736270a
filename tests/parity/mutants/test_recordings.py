"""Recordings are read in the order in which they were written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.mutants import learner, recordings
from parity.pairs.seconds import gappy_seconds
from parity.pairs.trading import World, trading_pair
from parity.suites.data import reference_data
from parity.suites.processed import processed
from parity.suites.scenarios import Request, Scenario
from parity.suites.worlds import record_world


def test_more_than_ten_recordings_are_read_in_the_order_of_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is tried first is what finds most faults soonest."""
    for number in reversed(range(26)):
        for what in ("scenario", "learner"):
            (tmp_path / f"{what}-{number}").mkdir()
    assert len(recordings.AMOUNT) == 26
    for module, load, load_one in (
        (recordings, "load", "_load_scenario"),
        (learner, "load_learner", "_load"),
    ):
        monkeypatch.setattr(module, load_one, lambda place: int(place.name.rpartition("-")[2]))
        assert getattr(module, load)(tmp_path) == list(range(26))


CONFIG = EnvConfig.phase2(max_episode_bars=30, contracts=2)


def same(one: Any, two: Any) -> bool:
    """Say whether two parts of a recording are equal, dtypes and order of fields included."""
    if isinstance(one, dict):
        return sorted(one) == sorted(two) and all(same(one[name], two[name]) for name in one)
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and np.array_equal(one, two, equal_nan=one.dtype.kind == "f")
    return bool(one == two)


@pytest.mark.costly
def test_what_is_read_is_what_was_recorded(tmp_path: Path) -> None:
    """Of every world of every scenario, with seconds and without."""
    cheap = replace(get_contract("M2K"), slippage_ticks=3, commission_cents=51)
    bars = [synthetic_bars("ES", days=2, seed=1), synthetic_bars("M2K", days=3, seed=2)]
    bars[1] = replace(bars[1], contract=cheap)
    plain = tuple(World(f"w{n}", one, "") for n, one in enumerate(bars))
    fine = tuple(World(f"s{n}", one, "", gappy_seconds(one, n)) for n, one in enumerate(reversed(bars)))
    scenarios = [
        Scenario("plain", plain, CONFIG, episodes=2, cases=9),
        Scenario("fine", fine, EnvConfig.phase1(max_episode_bars=20), episodes=1, cases=7),
    ]
    recordings.make(tmp_path, scenarios, seed=5)
    loaded = recordings.load(tmp_path)
    assert [one.name for one in loaded] == ["plain", "fine"]
    for scenario, read in zip(scenarios, loaded, strict=True):
        assert read.config == scenario.config
        pair = trading_pair(scenario.worlds, scenario.config)
        assert len(read.worlds) == len(read.played) == 2
        for number, (world, held) in enumerate(zip(scenario.worlds, read.worlds, strict=True)):
            assert (held.name, held.options) == (world.name, "")
            assert (held.bars.digest, held.bars.contract) == (world.bars.digest, world.bars.contract)
            assert held.bars.source == world.bars.source
            assert (held.seconds is None) == (world.seconds is None)
            if world.seconds is not None and held.seconds is not None:
                assert held.seconds.digest == world.seconds.digest
            played, made = read.played[number], record_world(scenario, pair, number, 5)
            assert same(played.data, reference_data(world, scenario.config))
            assert same(played.processed, reference_data(processed(world), scenario.config))
            for one, two in ((played.episodes, made.episodes), (played.transitions, made.transitions)):
                assert same(vars(one), vars(two))
            assert (played.episodes.injected, played.transitions.injected) == (False, True)
            assert len(played.episodes.labels) == scenario.episodes
            assert len(played.transitions.labels) == scenario.cases


def test_scenarios_are_cut_down_in_the_order_in_which_they_are_tried(monkeypatch: Any) -> None:
    asked: list[Request] = []

    def made(request: Request) -> list[Scenario]:
        asked.append(request)
        names = [*reversed(recordings.AMOUNT), "another"]
        return [Scenario(name, (), CONFIG, 99, 9_999, properties=True) for name in names]

    monkeypatch.setattr(recordings, "make_scenarios", made)
    small = recordings.small_scenarios(7)
    assert asked == [Request(symbols=("ES", "M2K"), days=4, seed=7)]
    amounts = {one.name: (one.episodes, one.cases) for one in small}
    assert list(amounts.items()) == list(recordings.AMOUNT.items())
    assert all(one.properties and one.config == CONFIG for one in small)
