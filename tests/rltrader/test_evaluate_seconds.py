"""``rltrader evaluate --seconds``: both verdicts, and seconds that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.evaluation.report import FILES, SECONDS_FILES
from jax_port.ppo.policy import save_policy
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from markets.writers import write_bars
from tests.foundation.report.layout import CHROMIUM, layout_faults
from tests.foundation.report.written_files import Page, read_json
from tests.jax_port.made_policy import make_policy
from tests.rltrader.conftest import BARS, CONFIG, Run
from tests.sentences import check_error
from tests.snapshots import Snapshot

SMALL = EnvConfig.phase2(max_episode_bars=60, trailing_drawdown_dollars=200.0)


@pytest.mark.slow
def test_both_verdicts(run: Run, tmp_path: Path, seconds_file: Path, snapshot: Snapshot) -> None:
    policy = make_policy(prepare(BARS, SMALL), SMALL, seed=3)
    given = ("--from", "2025-01-03", "--seconds", str(seconds_file))
    done = run(policy, *given)
    assert done.exit_code == 0, done.output
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {*FILES, *SECONDS_FILES}
    values = read_json(out / "evaluation.json")
    found = values["seconds"]
    assert found["source"] == "ES_1s.parquet"
    assert len(found["sha256"]) == len(found["file_sha256"]) == 64
    # Of each of three days all minutes but the last, until which no start's sixty bars reach.
    assert (found["minutes"], found["minutes_without"]) == (3 * 449, 449)
    assert found["minute"]["pnl"] == values["performance"]["account"]["pnl"]
    assert found["second"]["pnl"] == found["performance"]["account"]["pnl"]
    difference = found["second"]["mean_pnl"] - found["minute"]["mean_pnl"]
    assert found["difference"]["mean_pnl"] == pytest.approx(difference, abs=0.005)
    assert found["difference"]["episodes_broken"] > 0

    table = pd.read_parquet(out / "seconds_episodes.parquet")
    episodes = pd.read_parquet(out / "episodes.parquet")
    assert table["pnl_minute"].tolist() == episodes["pnl"].tolist()
    assert found["differ"]["starts"] == table["differs"].sum() > 10
    assert found["differ"]["starts"] < len(table)
    assert not table.loc[table["start"] >= 3 * 450, "differs"].any()  # no second on that day
    listed = found["episodes"]
    order = [(not row["daily"], row["episode"]) for row in listed]
    assert order == sorted(order)
    trades = pd.read_parquet(out / "seconds_trades.parquet")
    assert len(trades) == found["second"]["trades"]
    assert trades["pnl"].sum() == found["performance"]["account"]["closed_pnl"]

    page = Page(out / "report.html")
    assert "Every second" in page.text
    assert "449 of 1,347 minutes that could be traded have none" in page.text
    assert "in which a stop was moved" in page.text
    assert "Episodes with another verdict" in page.text
    assert f"{found['differ']['starts']:,} of {len(table):,} starts" in page.text
    assert "every second" in done.output
    assert "episodes ended by drawdown" in done.output
    if CHROMIUM is not None:
        assert layout_faults(page.raw, tmp_path) == []

    # Without seconds the folder keeps nothing of them.
    assert run(policy, "--from", "2025-01-06").exit_code == 0
    assert {path.name for path in out.iterdir()} == set(FILES)
    snapshot("out", tmp_path / "out")


@pytest.mark.costly
def test_seconds_that_change_nothing(
    run: Run, market: PreparedMarket, tmp_path: Path, seconds_file: Path, snapshot: Snapshot
) -> None:
    policy = make_policy(market, CONFIG, seed=1)
    assert run(policy, "--to", "2025-01-02", "--seconds", str(seconds_file)).exit_code == 0
    found = read_json(tmp_path / "out" / "evaluation.json")["seconds"]
    assert (found["differ"], found["episodes"]) == ({"starts": 0, "daily": 0}, [])
    page = Page(tmp_path / "out" / "report.html")
    assert "every second: the same verdict on every episode" in page.text
    assert "Episodes with another verdict" not in page.text
    snapshot("out", tmp_path / "out")


def test_seconds_that_cannot_be_used(
    run: Run, market: PreparedMarket, bars_file: Path, seconds_file: Path, tmp_path: Path
) -> None:
    fine = second_bars(BARS.select(slice(0, 450)), seed=5)
    other = second_bars(synthetic_bars("NQ", days=1, seed=5, start="2025-01-02"), seed=5)
    later = second_bars(synthetic_bars("ES", days=1, seed=5, start="2025-02-03"), seed=5)
    frame = fine.frame.copy()
    frame.iloc[7_000, :4] += 40.0
    beyond = type(fine).from_frame(frame, fine.contract, source="x", bar_seconds=1)
    files = {
        name: write_bars(bars.select(slice(0, 9_000)), tmp_path / f"{name}_1s.parquet")
        for name, bars in {"other": other, "later": later, "beyond": beyond}.items()
    }
    cases = [
        (bars_file, ""),
        (files["other"], ""),
        (files["later"], ""),
        (files["beyond"], ""),
        (seconds_file, "2025-01-07"),
        (tmp_path / "nowhere.csv", ""),
    ]
    policy = make_policy(market, CONFIG)
    for path, first in cases:
        asked = ("--from", first) if first else ()
        done = run(policy, "--seconds", str(path), *asked)
        check_error(done.exception)
        assert not (tmp_path / "out").exists()


@pytest.mark.costly
def test_of_several_policies_each_has_its_own_seconds(
    run: Run, market: PreparedMarket, tmp_path: Path, seconds_file: Path
) -> None:
    other = tmp_path / "other.safetensors"
    save_policy(other, make_policy(market, CONFIG, seed=2))
    asked = ("--from", "2025-01-06", "--seconds", str(seconds_file))
    assert run(make_policy(market, CONFIG, seed=1), str(other), *asked).exit_code == 0
    names = [path.parent.name for path in sorted((tmp_path / "out").glob("*/seconds_trades.parquet"))]
    assert names == ["other", "policy-0"]
    told = {name: pd.read_parquet(tmp_path / "out" / name / "seconds_trades.parquet") for name in names}
    assert not told["other"].equals(told["policy-0"])
    for name, trades in told.items():
        found = read_json(tmp_path / "out" / name / "evaluation.json")["seconds"]
        assert len(trades) == found["second"]["trades"], name
