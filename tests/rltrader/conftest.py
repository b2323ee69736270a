"""The fixtures of market data, for the commands that read it, and evaluations on a few days of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.ppo.policy import Policy, save_policy
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from markets.writers import write_bars
from rltrader.evaluate import evaluate
from tests.markets.conftest import make_frame, real_file, save

__all__ = ["make_frame", "real_file", "save"]

CONFIG = EnvConfig.phase1(max_episode_bars=60)
BARS = synthetic_bars("ES", days=4, seed=5, start="2025-01-02")
"""Thursday 2, Friday 3, Monday 6 and Tuesday 7 January 2025."""
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def market() -> PreparedMarket:
    return prepare(BARS, CONFIG)


@pytest.fixture(scope="module")
def bars_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(BARS, tmp_path_factory.mktemp("bars") / "ES.csv")


@pytest.fixture(scope="module")
def seconds_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second of the bars, without those of 09:45 on the first day and all of the last day."""
    fine = second_bars(BARS, seed=5)
    minute = np.arange(len(fine)) // 60
    return write_bars(
        fine.select((minute < 3 * 450) & (minute != 15)),
        tmp_path_factory.mktemp("seconds") / "ES_1s.parquet",
    )


@pytest.fixture
def run(tmp_path: Path, bars_file: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return ``run(policy, *arguments)``; results lie in ``tmp_path / "out"``."""
    monkeypatch.setenv("RLTRADER_CACHE", str(tmp_path / "cache"))

    def call(policy: Policy | Path, *arguments: str, data: Path = bars_file) -> Result:
        path = policy if isinstance(policy, Path) else tmp_path / "policy-0.safetensors"
        if isinstance(policy, Policy):
            save_policy(path, policy)
        given = [str(path), "--data", str(data), "--symbol", "ES", "--out", str(tmp_path / "out")]
        return CliRunner().invoke(evaluate, [*given, *arguments])

    return call
