"""The C# stream against the port bar by bar: when a decision may be made, its window and distances."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from foundation.files import file_digest, write_json
from jax_port.data.data_loader import ATR, STOP, TARGET, TRAIL, PreparedMarket, prepare
from jax_port.export.manifest import MANIFEST, describe
from jax_port.ppo.policy import save_policy
from jax_port.ppo.settings import NetworkSpec
from markets import Bars, EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.export_chain.csharp import MISSING, available
from parity.export_chain.day import to_csv
from tests.jax_port.made_policy import make_policy
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using System.Linq;
using RLTrader;

public static class ShowStream
{
    public static void Main(string[] args)
    {
        Manifest manifest = Manifest.Load(args[0]);
        FeatureStream stream = new FeatureStream(manifest);
        float[] window = new float[manifest.Size];
        foreach (Bar bar in BarFile.Read(args[1]))
        {
            if (!stream.Add(bar.Open, bar.High, bar.Low, bar.Close, bar.Volume)) continue;
            double[] row = { stream.Count, stream.Ready ? 1 : 0, stream.Minute, stream.CloseTicks,
                stream.AtrTicks, stream.StopTicks, stream.TargetTicks, stream.TrailTicks };
            if (stream.Ready) stream.CopyWindow(window);
            Console.WriteLine(string.Join(",", row.Concat(window.Select(x => (double)x)).Select(
                x => x.ToString("R", CultureInfo.InvariantCulture))));
        }
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("stream"), PROGRAM)


def plain() -> Bars:
    return synthetic_bars("ES", days=2, seed=5, session="all")


def flat() -> Bars:
    """Bars that never move, so that the ATR is below a tick, and then by less than a tick a bar."""
    bars = plain()
    frame = bars.frame.copy()
    frame[["open", "high", "low", "close"]] = 5000.0
    frame.iloc[600::9, frame.columns.get_loc("high")] = 5000.25
    return Bars.from_frame(frame, bars.contract, source="flat")


def wild() -> Bars:
    """Bars with a range of hundreds of ticks, so that a stop lies beyond 16 bits of them."""
    bars = plain()
    frame = bars.frame.copy()
    frame["high"] += 150.0
    frame["low"] -= 150.0
    return Bars.from_frame(frame, bars.contract, source="wild")


CASES = {
    "usual": (plain, {}),
    "all hours": (plain, {"session": "all"}),
    "one bar": (plain, {"window_size": 1, "warmup_bars": 20}),
    "a long window": (plain, {"window_size": 61, "warmup_bars": 257}),
    "an ATR below a tick": (flat, {"session": "all", "sl_atr_mult": 0.75, "trail_atr_mult": 0.4}),
    "far distances": (wild, {"sl_atr_mult": 60.0, "tp_sl_ratio": 2.5, "trail_atr_mult": 45.5}),
}


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("name", CASES)
def test_every_bar_is_the_ports(name: str, program: Path, tmp_path: Path) -> None:
    make, rules = CASES[name]
    bars, config = make(), EnvConfig.phase1(max_episode_bars=30, **rules)  # type: ignore[arg-type]
    market: PreparedMarket = prepare(bars, config)
    folder = tmp_path / "bundle"
    folder.mkdir()
    policy = make_policy(market, config, spec=NetworkSpec((4,), (4,)))
    save_policy(folder / "policy.safetensors", policy)
    told = describe(policy, get_contract("ES"), {"file": "x", "sha256": "0"})
    digest = file_digest(folder / "policy.safetensors")
    write_json(folder / MANIFEST, {**told, "files": {"policy.safetensors": digest}})
    assert json.loads((folder / MANIFEST).read_text())["env_config"] == config.to_dict()
    (tmp_path / "bars.csv").write_text(to_csv(bars))
    lines = subprocess.run(
        ["mono", program, folder, tmp_path / "bars.csv"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    rows = np.array([[float(x) for x in line.split(",")] for line in lines])
    assert len(rows) == len(market)
    count, ready, _, close, atr, stop, target, trail = rows[:, :8].T
    np.testing.assert_array_equal(count, np.arange(1, len(market) + 1))
    first = config.warmup_bars + config.window_size
    np.testing.assert_array_equal(ready, np.arange(len(market)) >= first)
    assert market.starts[0] >= first
    np.testing.assert_array_equal(
        close, bars.contract.to_ticks(bars.session(config.session).frame["close"])
    )
    defined = np.arange(len(market)) >= 13
    for column, found in ((STOP, stop), (TARGET, target), (TRAIL, trail)):
        np.testing.assert_array_equal(found[defined], market.bars[defined, column])
    np.testing.assert_array_equal(
        atr[defined].astype(np.float32), market.bars[defined, ATR].view(np.float32)
    )
    for row in (first, first + 1, len(market) - 1):
        seen = rows[row, 8:][: config.window_size * 11].reshape(config.window_size, 11)
        np.testing.assert_allclose(
            seen, market.features[row - config.window_size : row], rtol=1e-6, atol=1e-6
        )
    assert {"far distances": stop.max() > 2**15, "an ATR below a tick": (atr == 1.0).any()}.get(
        name, True
    )
