"""A run reads the very bars that an agent was given: costs, features, accepted problems and name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.data.features import compute_features
from jax_port.runs.training_data import TrainingData
from markets import Bars, EnvConfig, contracts
from markets.bars import FEATURES
from markets.contracts import Contract, get_contract
from markets.file_facts import FileFacts
from markets.quality.door import admit
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from markets.writers import write_bars
from rltrader.python.given_bars import write_given
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=60)
FREE = get_contract("ES").with_costs(commission_cents=0, slippage_ticks=0)
OTHER = Contract("XX", "Of nobody's table", 0.25, 700, 2, 100)


def plain() -> Bars:
    return synthetic_bars("ES", days=20, seed=0)


def with_features(bars: Bars) -> Bars:
    """Return bars with features of their own: half as large as those that are computed."""
    values = bars.frame.assign(**dict(zip(FEATURES, compute_features(bars).T / 2, strict=True)))
    features = values[list(FEATURES)].assign(close=bars.frame["close"], volume=bars.frame["volume"])
    return Bars.from_frame(bars.frame, bars.contract, source="mine", precomputed=features)


def late(bars: Bars) -> Bars:
    """Return bars whose clock is two hours wrong, which no door has judged."""
    frame = bars.frame.set_axis(bars.frame.index + np.timedelta64(2, "h"), axis=0)
    return Bars.from_frame(frame, bars.contract, source="ES by hand")


def accepted_of_a_file(folder: Path) -> Bars:
    """Return bars that were accepted in spite of their file's name alone."""
    return read_bars(write_bars(plain(), folder / "NQ.csv"), "ES", accept_problems=True)


def dear(folder: Path) -> Bars:
    """Return bars at the prices of an NQ, which a file named after it may hold."""
    frame = plain().frame
    for name in ("open", "high", "low", "close"):
        frame = frame.assign(**{name: frame[name] + 15_000.0})
    return read_bars(write_bars(replace(plain(), frame=frame), folder / "ES.csv"), "ES")


GIVEN: dict[str, Callable[[Path], Bars]] = {
    "plain": lambda _: plain(),
    "costs": lambda _: replace(plain(), contract=FREE),
    "contract": lambda _: replace(plain(), contract=OTHER),
    "features": lambda _: with_features(plain()),
    "clock": lambda _: admit(late(plain()), FileFacts("offset"), accept_problems=True),
    "name": accepted_of_a_file,
    "level": dear,
}


@pytest.mark.parametrize("kind", GIVEN)
def test_a_run_reads_the_bars_that_were_given(kind: str, tmp_path: Path) -> None:
    bars = GIVEN[kind](tmp_path)
    data = TrainingData(write_given([plain(), bars], tmp_path / "run-bars"))
    again = TrainingData.from_dict(json.loads(json.dumps(data.to_dict())))
    assert again == data
    _, read = again.bars()
    assert (read.digest, read.contract, read.accepted) == (bars.digest, bars.contract, bars.accepted)
    for _ in range(2):  # the second time from the cache
        (_, market), (_, facts) = again.prepared(CONFIG)
        assert market.digest == prepare(bars, CONFIG).digest
        assert (market.contract, market.accepted) == (bars.contract, bars.accepted)
        assert facts["contract"]["commission_cents"] == bars.contract.commission_cents
        assert ("features" in facts) == (kind == "features")
        assert facts["source"] == (bars.source if bars.accepted or kind == "level" else "1.parquet")


def other_feature(bars: Bars, name: str) -> Bars:
    given = with_features(bars)
    assert given.precomputed is not None
    return replace(given, precomputed=given.precomputed.assign(**{name: 1.0}))


def off_grid(bars: Bars) -> Bars:
    """Return bars of which so few prices are beside the grid that a reader would move them."""
    closes = bars.frame["close"].to_numpy().copy()
    row = int(np.argmax(bars.frame["high"].to_numpy() > closes))
    closes[row] += 0.1
    return replace(bars, frame=bars.frame.assign(close=closes))


@pytest.mark.parametrize(
    "bars",
    [
        lambda: late(plain()),
        lambda: replace(plain(), bar_seconds=1),
        lambda: replace(plain(), contract=get_contract("YM")),
        lambda: other_feature(plain(), "close"),
        lambda: other_feature(plain(), "volume"),
        lambda: off_grid(plain()),
        lambda: plain().select(slice(0, 0)),
        lambda: plain().select(slice(0, None, 5)),
        lambda: second_bars(plain().select(slice(0, 5)), seed=1),
    ],
)
def test_bars_that_cannot_be_kept_are_refused_before_any_is_written(
    bars: Callable[[], Bars], tmp_path: Path
) -> None:
    with refuses():
        write_given([plain(), bars()], tmp_path / "run-bars")
    assert not (tmp_path / "run-bars").exists()


def test_a_built_in_contract_that_was_replaced_is_kept_by_its_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process has the built-in one under that symbol; one of one's own is in run.toml."""
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    contracts.register_contract(FREE, overwrite=True)
    contracts.register_contract(OTHER)
    bars = [replace(plain(), contract=contract) for contract in (FREE, OTHER)]
    sources = write_given(bars, tmp_path)
    assert [source.contract for source in sources] == [FREE, None]
