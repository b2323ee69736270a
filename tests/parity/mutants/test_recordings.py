"""Recordings are read in the order in which they were written."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from parity.engine.record import Recording
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


@pytest.mark.parametrize("injected", [False, True])
def test_every_part_of_a_recording_is_written(injected: bool, tmp_path: Path) -> None:
    made = Recording(
        worlds=np.array([1, 1, 0], np.int32),
        actions=np.arange(6, dtype=np.int32).reshape(2, 3).T,
        lengths=np.array([2, 1, 2], np.int32),
        before={"x": np.array([0.5, 1.5, -0.0]), "before.y": np.array([True, False, True])},
        after={"x": np.arange(12.0).reshape(3, 2, 2), "after.z": np.array([[np.nan, 1]] * 3)},
        injected=injected,
        starts=np.array([7, 8, 9], np.int32),
        labels=["any; \u00e9", "", "last"],
    )
    recordings._write_recording(tmp_path / "a.safetensors", made)
    assert same(vars(recordings._read_recording(tmp_path / "a.safetensors")), vars(made))


@pytest.mark.parametrize("fine", [False, True])
def test_bars_are_read_with_the_contract_that_was_written(fine: bool, tmp_path: Path) -> None:
    contract = replace(get_contract("M2K"), slippage_ticks=3, commission_cents=51)
    minutes = replace(synthetic_bars("M2K", days=1, seed=2), contract=contract)
    bars = second_bars(minutes, seed=1) if fine else minutes
    bars.frame.to_parquet(tmp_path / "bars.parquet")
    about = {"contract": asdict(contract), "source": "a file"}
    sizes = {"bar_seconds": 1} if fine else {}
    read = recordings._read_bars(tmp_path / "bars.parquet", about, **sizes)
    assert (read.digest, read.contract, read.source) == (bars.digest, contract, "a file")
    assert read.bar_seconds == bars.bar_seconds == (1 if fine else 60)
