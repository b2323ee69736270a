"""Recordings for mutants: the gate's scenarios, smaller, with what the reference did on them.

The reference is driven once. Its recordings and its bars lie in a folder, without pickle, for the
processes that try one mutant each.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from safetensors import safe_open
from safetensors.numpy import save_file

from foundation.files import write_json
from foundation.json_reading import Artifact, decode_json, read_json
from markets import Bars, Contract, EnvConfig
from parity.engine.pair import Fields
from parity.engine.record import Recording
from parity.pairs.trading import World, trading_pair
from parity.suites.configurations import COUNT
from parity.suites.data import reference_data
from parity.suites.processed import processed
from parity.suites.scenarios import Request, Scenario, make_scenarios
from parity.suites.worlds import record_world

REQUEST = Request(symbols=("ES", "M2K"), days=4)
"""Two contracts of one batch that differ in tick, tick value, slippage and commission."""

AMOUNT = {
    "odd settings": (12, 1500),
    "symbols": (6, 1000),
    "all hours": (4, 500),
    "stress": (4, 500),
    "odd settings, phase 2": (10, 2000),
    "symbols, phase 2": (5, 1500),
    "seconds, phase 2": (6, 1500),
    "many markets": (4, 150),
    **{f"configuration {number + 1}": (4, 150) for number in range(COUNT)},
}
"""By scenario, in the order in which they are tried: episodes and cases of each of its worlds."""

RECORD = Artifact("recording for mutants", "record anew")
_ARRAYS = ("worlds", "actions", "lengths", "starts")


@dataclass(frozen=True)
class Played:
    """What the reference did on one world.

    Attributes:
        data: what it prepared of every bar, fields of shape (T,).
        processed: likewise, where the bars carry features of their own.
        episodes: whole episodes.
        transitions: generated cases.
    """

    data: Fields
    processed: Fields
    episodes: Recording
    transitions: Recording


@dataclass(frozen=True)
class RecordedScenario:
    """One scenario with what the reference did on each of its worlds."""

    name: str
    worlds: tuple[World, ...]
    config: EnvConfig
    played: tuple[Played, ...]


def small_scenarios(seed: int) -> list[Scenario]:
    """Return the gate's scenarios in the order of :data:`AMOUNT`, cut down to its amounts."""
    by_name = {scenario.name: scenario for scenario in make_scenarios(replace(REQUEST, seed=seed))}
    return [
        replace(by_name[name], episodes=episodes, cases=cases)
        for name, (episodes, cases) in AMOUNT.items()
    ]


def make(folder: Path, only: Sequence[Scenario] | None = None, seed: int = 0) -> None:
    """Drive the reference and write everything a child needs.

    Args:
        folder: an empty folder.
        only: scenarios to use instead of :func:`small_scenarios`.
        seed: of bars, episodes and cases.
    """
    for number, scenario in enumerate(small_scenarios(seed) if only is None else only):
        pair = trading_pair(scenario.worlds, scenario.config)
        place = folder / f"scenario-{number}"
        place.mkdir(parents=True)
        for index, world in enumerate(scenario.worlds):
            recorded = record_world(scenario, pair, index, seed)
            world.bars.frame.to_parquet(place / f"{index}-bars.parquet")
            if world.seconds is not None:
                world.seconds.frame.to_parquet(place / f"{index}-seconds.parquet")
            for kind, on in (("data", world), ("processed", processed(world))):
                save_file(reference_data(on, scenario.config), place / f"{index}-{kind}.safetensors")
            _write_recording(place / f"{index}-episodes.safetensors", recorded.episodes)
            _write_recording(place / f"{index}-cases.safetensors", recorded.transitions)
        about = {
            "name": scenario.name,
            "config": scenario.config.to_dict(),
            "worlds": [
                {
                    "name": world.name,
                    "contract": asdict(world.bars.contract),
                    "source": world.bars.source,
                }
                for world in scenario.worlds
            ],
        }
        write_json(place / "scenario.json", about)


def load(folder: Path) -> list[RecordedScenario]:
    """Read what :func:`make` wrote, in its order."""
    return [_load_scenario(place) for place in numbered(folder, "scenario")]


def numbered(folder: Path, what: str) -> list[Path]:
    """Return what lies in a folder under names such as "scenario-10", by number."""
    return sorted(folder.glob(f"{what}-*"), key=lambda place: int(place.name.rpartition("-")[2]))


def _load_scenario(place: Path) -> RecordedScenario:
    about = read_json(place / "scenario.json", dict[str, Any], RECORD)
    worlds, played = [], []
    for index, world in enumerate(about["worlds"]):
        bars = _read_bars(place / f"{index}-bars.parquet", world)
        fine = place / f"{index}-seconds.parquet"
        seconds = _read_bars(fine, world, bar_seconds=1) if fine.exists() else None
        worlds.append(World(world["name"], bars, "", seconds))
        played.append(
            Played(
                data=_read(place / f"{index}-data.safetensors")[0],
                processed=_read(place / f"{index}-processed.safetensors")[0],
                episodes=_read_recording(place / f"{index}-episodes.safetensors"),
                transitions=_read_recording(place / f"{index}-cases.safetensors"),
            )
        )
    config = EnvConfig.from_dict(about["config"])
    return RecordedScenario(about["name"], tuple(worlds), config, tuple(played))


def _read_bars(path: Path, about: dict[str, Any], bar_seconds: int = 60) -> Bars:
    contract = Contract(**about["contract"])
    frame = pq.read_table(path).to_pandas()  # by its path: pandas would hand Arrow a Python file
    return Bars.from_frame(frame, contract, source=about["source"], bar_seconds=bar_seconds)


def _write_recording(path: Path, recording: Recording) -> None:
    arrays = {
        **{name: getattr(recording, name) for name in _ARRAYS},
        **{f"before.{name}": value for name, value in recording.before.items()},
        **{f"after.{name}": value for name, value in recording.after.items()},
    }
    about = {"injected": str(int(recording.injected)), "labels": json.dumps(recording.labels)}
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path, about)


def _read_recording(path: Path) -> Recording:
    arrays, about = _read(path)

    def part(prefix: str) -> Fields:
        return {
            name.removeprefix(prefix): value
            for name, value in arrays.items()
            if name.startswith(prefix)
        }

    return Recording(
        **{name: arrays[name] for name in _ARRAYS},
        before=part("before."),
        after=part("after."),
        injected=about["injected"] == "1",
        labels=decode_json(about["labels"], list[str], RECORD, where=path),
    )


def _read(path: Path) -> tuple[Fields, dict[str, str]]:
    with safe_open(path, framework="numpy") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata() or {}
