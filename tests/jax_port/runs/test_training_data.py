"""Which bars are trained on: the last day of a range, and every file, not the first or last alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jax_port.runs.training_data import Source, TrainingData, from_options, iso_date
from markets import EnvConfig
from markets.clock import new_york_dates
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import refuses

CONFIG = EnvConfig.phase1(max_episode_bars=30)
WEEK = TrainingData((Source("ES", kind="synthetic", days=5, seed=0),))


def _days(data: TrainingData) -> list[str]:
    return [iso_date(int(day)) for day in np.unique(new_york_dates(data.bars()[0].timestamps_ns))]


def test_a_range_keeps_its_first_and_its_last_day_whole() -> None:
    days = _days(WEEK)
    cut = TrainingData(WEEK.sources, days[1], days[3])
    assert _days(cut) == days[1:4]
    dates = new_york_dates(WEEK.bars()[0].timestamps_ns)
    of_them = [iso_date(int(day)) in days[1:4] for day in dates]
    assert len(cut.bars()[0]) == sum(of_them)
    _, (facts,) = cut.load(CONFIG)
    assert (facts["first"], facts["last"]) == (days[1], days[3])
    one = TrainingData(WEEK.sources, days[2], days[2])
    assert _days(one) == [days[2]]


def test_a_range_without_a_bar_is_named() -> None:
    days = _days(WEEK)
    with refuses():
        TrainingData(WEEK.sources, "2001-01-01", "2001-01-02").bars()
    with refuses():
        TrainingData(WEEK.sources, days[3], days[1]).bars()


def test_all_files_of_one_contract_are_trained_on(tmp_path: Path) -> None:
    files = []
    for number, (seed, start) in enumerate(((1, "2025-03-03"), (2, "2025-05-05"), (3, "2025-07-07"))):
        path = tmp_path / f"ES-{number}.csv"
        write_bars(synthetic_bars("ES", days=3, seed=seed, start=start), path)
        files.append(path)
    data = from_options(files=files, symbols=["ES"] * 3)
    params, facts = data.load(CONFIG)
    assert params.market.num_markets == 3
    assert [one["first"][:7] for one in facts] == ["2025-03", "2025-05", "2025-07"]
    starts = np.asarray(params.market.starts)
    first = np.asarray(params.market.first_bar)
    assert sorted(set(starts[:, 1].tolist())) == [0, 1, 2]
    for market in range(3):
        own = starts[starts[:, 1] == market, 0]
        assert (own >= first[market]).all()
        assert len(own) > 100
    closes = np.asarray(params.market.features)[:, 0]
    assert len({float(closes[row]) for row in first}) == 3
