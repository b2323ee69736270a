"""The C# side, compiled by Mono: clock, features, refusals, culture, and the strategy's own trades."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foundation.files import file_digest
from jax_port.data.data_loader import prepare
from jax_port.evaluation.evaluate import evaluate
from jax_port.export.bundle import export
from jax_port.export.golden import golden_bars
from jax_port.ppo.policy import save_policy
from markets import Bars, get_contract
from markets.clock import END_NS, FIRST_NS, new_york_minutes
from markets.config import Session
from markets.readers import read_bars
from markets.synthetic.stress import stress_bars
from parity.export_chain.comparison import Board
from parity.export_chain.csharp import MISSING, Checker, available, compile_checker
from parity.export_chain.market import compare_stream
from tests.jax_port.export.made_bundle import bundle, made_policy, raw_bundle
from tests.ninjatrader.hosting import run_host
from tests.sentences import refuses

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

REAL = Path(__file__).parents[3] / "shared" / "data" / "ES_1min_utc.csv"
PRELOAD = 300


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_checker(tmp_path_factory.mktemp("mono") / "ParityCheck.exe")


def checker(program: Path, tmp_path: Path, folder: Path | None = None) -> Checker:
    return Checker(program, folder or bundle(1), tmp_path)


def stream(program: Path, tmp_path: Path, bars: Bars) -> Board:
    board = Board()
    compare_stream(board, checker(program, tmp_path), made_policy(1), bars)
    return board


@pytest.mark.costly
def test_the_clock_is_new_yorks(program: Path, tmp_path: Path) -> None:
    """Every quarter of an hour around each change of the clocks, and every seventh hour of 70 years."""
    first, end = FIRST_NS // 1_000_000_000, END_NS // 1_000_000_000
    coarse = np.arange(first, end, 7 * 3600)
    offset = (new_york_minutes(coarse * 1_000_000_000) - coarse // 60) % 1440
    changes = coarse[1:][np.diff(offset) != 0]
    fine = (changes[:, None] + 900 * np.arange(-40, 41)).ravel()
    assert len(changes) == 140
    seconds = np.concatenate([coarse, fine])
    found = checker(program, tmp_path).minutes(seconds)
    assert found.tolist() == new_york_minutes(seconds * 1_000_000_000).tolist()


@pytest.mark.skipif(not REAL.is_file(), reason=f"no real bars at {REAL}")
@pytest.mark.parametrize("session", ["rth", "all"])
def test_features_of_a_real_file(program: Path, tmp_path: Path, session: Session) -> None:
    bars, policy = read_bars(REAL, get_contract("ES"), timezone="UTC"), made_policy(1)
    folder = spoilt(tmp_path, {"env_config.session": session})
    board = Board()
    config = replace(policy.config, session=session)
    compare_stream(board, checker(program, tmp_path, folder), replace(policy, config=config), bars)
    assert board.first_divergence() is None
    assert min(one.compared for one in board.comparisons) > len(bars.session(session)) - 20


def test_features_of_hostile_bars(program: Path, tmp_path: Path) -> None:
    board = stream(program, tmp_path, stress_bars("ES", seed=2))
    assert board.first_divergence() is None


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("name", ["de-DE", "th-TH"])
def test_no_culture_changes_a_number(program: Path, name: str) -> None:
    """Under a German culture 1.5 is written 1,5, and "10.0" would be read as 100."""
    runs = [
        subprocess.run(
            ["mono", str(program), *culture, "golden", str(bundle(1))],
            capture_output=True,
            text=True,
            check=True,
        )
        for culture in ([], [f"--culture={name}"])
    ]
    assert [run.stderr.strip() for run in runs] == ["", "1,5" if name == "de-DE" else "1.5"]
    assert runs[0].stdout == runs[1].stdout


@pytest.mark.parametrize("phase", [1, 2])
def test_from_raw_bars_to_action(program: Path, tmp_path: Path, phase: int) -> None:
    found = checker(program, tmp_path, bundle(phase)).golden()
    assert found["cases"] == 300
    assert found["decisions"] > 1000
    assert found["actions_differ"] == found["masks_differ"] == found["distances_differ"] == 0
    assert found["observation_difference"] == 0
    assert found["logits_difference"] < 1e-12


def spoilt(tmp_path: Path, change: dict[str, object]) -> Path:
    """Return a copy of a bundle with other values in its manifest; dots lead inwards."""
    folder = tmp_path / "spoilt"
    shutil.copytree(bundle(1), folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    for path, value in change.items():
        *outer, last = path.split(".")
        part = manifest
        for name in outer:
            part = part[name]
        part[last] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"kind": "another"},
        {"phase": 3},
        {"network.activation": "gelu"},
        {"observation.features": ["close"]},
        {"observation.size": 224},
        {"normalizer.epsilon": 0},
        {"env_config.session": "asia"},
        {"actions": ["hold", "sell", "buy"]},
        {"env_config.account.contracts": -1},
        {"env_config.account.contracts": 2_000_000_000},
        {"env_config.sl_atr_mult": -1.5},
        {"env_config.sl_atr_mult": 1e300},
        {"env_config.tp_sl_ratio": 0},
        {"contract.tick_value_cents": 0},
    ],
)
def test_what_is_not_understood_is_refused(
    program: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    with refuses():
        checker(program, tmp_path, spoilt(tmp_path, change)).golden()


@pytest.mark.parametrize("number", ["ten", "-1", "1.5", "99999999999"])
def test_what_is_no_whole_number_is_refused(program: Path, number: str) -> None:
    for words in (["advised", str(bundle(1)), "bars.csv", number, "out"], ["latency", "x", number]):
        done = subprocess.run(["mono", str(program), *words], capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith("usage: ParityCheck golden BUNDLE | ")


@pytest.mark.parametrize("bracket", ["[", '{"a":'])
def test_a_million_brackets_are_refused(program: Path, tmp_path: Path, bracket: str) -> None:
    folder = spoilt(tmp_path, {})
    (folder / "manifest.json").write_text(bracket * 1_000_000)
    with refuses():
        checker(program, tmp_path, folder).golden()


@pytest.mark.costly
def test_a_policy_that_sees_raw_observations_decides_as_the_port(program: Path, tmp_path: Path) -> None:
    found = checker(program, tmp_path, raw_bundle()).golden()
    assert (found["actions_differ"], found["masks_differ"]) == (0, 0)
    assert min(found["cases"], found["far"], found["decisions"]) > 0
    assert max(found[f"{stage}_share_of_limit"] for stage in ("logits", "far_logits")) <= 1
    # An identity normaliser in its place would clip prices at 10.
    folder = shutil.copytree(raw_bundle(), tmp_path / "clipped")
    manifest = json.loads((folder / "manifest.json").read_text())
    size = manifest["observation"]["size"]
    identity = {"epsilon": 1e-8, "clip": 10.0, "mean": [0.0] * size, "var": [1.0] * size}
    (folder / "manifest.json").write_text(json.dumps({**manifest, "normalizer": identity}))
    with refuses():
        checker(program, tmp_path, folder).golden()


def test_statistics_of_another_run_are_refused(program: Path, tmp_path: Path) -> None:
    mean = [x + 1 for x in json.loads((bundle(1) / "manifest.json").read_text())["normalizer"]["mean"]]
    with refuses():
        checker(program, tmp_path, spoilt(tmp_path, {"normalizer.mean": mean})).golden()


@pytest.mark.costly
def test_a_decimal_that_mono_misreads_is_accepted(program: Path, tmp_path: Path) -> None:
    """Mono and .NET Framework read 3.811717386639214 one unit in the last place off."""
    policy = made_policy(1)
    variance = np.array(policy.statistics["var"])
    variance[:2] = 3.811717386639214, 29053.33143214345
    save_policy(
        tmp_path / "policy.safetensors",
        replace(policy, statistics={**policy.statistics, "var": variance}),
    )
    export(tmp_path / "policy.safetensors", tmp_path / "out")
    assert checker(program, tmp_path, tmp_path / "out").golden()["actions_differ"] == 0


def test_another_policy_file_is_refused(program: Path, tmp_path: Path) -> None:
    folder = spoilt(tmp_path, {})
    policy = folder / "policy.safetensors"
    policy.write_bytes(policy.read_bytes()[:-4] + b"\0\0\0\1")
    assert file_digest(policy) != file_digest(bundle(1) / policy.name)
    with refuses():
        checker(program, tmp_path, folder).golden()


def test_golden_values_that_differ_are_found(program: Path, tmp_path: Path) -> None:
    folder = spoilt(tmp_path, {})
    golden = json.loads((folder / "golden.json").read_text())
    golden["cases"][7]["logits"][1] += 1e-3
    golden["features"][9]["values"][5] += 1e-6
    golden["cases"][3]["mask"][0] = False
    (folder / "golden.json").write_text(json.dumps(golden))
    found = checker(program, tmp_path, folder).golden()
    assert found["logits_share_of_limit"] > 1
    assert (found["logits_first"], found["features_first"]) == ("buy", "macd")
    assert found["masks_differ"] == 1


@pytest.mark.parametrize("phase", [1, 2])
def test_the_strategy_trades_what_the_port_trades(tmp_path: Path, phase: int) -> None:
    """Under a host that fills by the environment's rules, trade for trade and price for price."""
    policy = made_policy(phase)
    market = prepare(golden_bars(policy, get_contract("ES")), policy.config)
    start = int(market.starts[market.starts >= PRELOAD - 1][0])
    assert start == PRELOAD - 1  # the first bar on which the strategy may decide
    ours = evaluate(policy, market, rows=[start], trades_of="all", lanes=64)
    lines, log = run_host(tmp_path, bundle(phase))
    assert "Alert" not in log
    trades = ours.trades
    wanted = [
        [
            1.0 if row.side == "long" else -1.0,
            *(row.entry_time.timestamp(), row.entry_price),
            *(row.exit_time.timestamp(), row.exit_price),
        ]
        for row in trades.itertuples()
    ]
    found = [[float(x) for x in line.split(",")] for line in lines]
    assert len(wanted) > 3
    assert found[: len(wanted)] == wanted


def test_the_strategy_refuses_another_market(tmp_path: Path) -> None:
    lines, log = run_host(tmp_path, bundle(1), "NQ")
    assert lines == []
    assert "the policy trades ES and this chart is NQ" in log


def test_the_strategy_does_not_trade_without_a_bundle(tmp_path: Path) -> None:
    lines, log = run_host(tmp_path, spoilt(tmp_path, {"version": 2}))
    assert lines == []
    assert "version 1" in log


def test_after_a_rejected_entry_the_platform_stops_the_strategy(tmp_path: Path) -> None:
    lines, log = run_host(tmp_path, bundle(1), manners="reject")
    assert lines == ["1"]
    assert "log Alert RLTrader: an order was refused (Entry, Rejected)" in log


def test_nothing_is_done_to_a_position_of_someone_else(tmp_path: Path) -> None:
    lines, log = run_host(tmp_path, bundle(1), manners="foreign")
    assert lines == ["0"]
    assert "log Alert RLTrader: the account holds 1 of the instrument at the start" in log
