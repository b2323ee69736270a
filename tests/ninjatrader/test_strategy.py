"""The strategy's settings, limits and accounts, and the sources themselves."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, SOURCES, available
from parity.live_replay.decision_log import LiveLog, read_log
from tests.ninjatrader.hosting import host, live_bundle, live_files, run_host

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


def play(
    tmp_path: Path, manners: str = "fill", **settings: object
) -> tuple[list[str], str, LiveLog | None]:
    """Return trades, what NinjaTrader's log says, and the decision log, with the strategy so set."""
    flags = [f"--set={name}={value}" for name, value in settings.items()]
    bars = str(live_files()[1])
    trades, told = run_host(tmp_path, live_bundle(1), "ES", manners, bars, *flags)
    logs = list((tmp_path / "rltrader").glob("*.jsonl"))
    return trades, told, read_log(logs[0]) if logs else None


def test_it_compiles_without_a_warning_as_newer_c_sharp_too() -> None:
    assert host(version=7).is_file()


def test_no_source_is_too_long_to_read() -> None:
    for path in SOURCES.rglob("*.cs"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400, path
        assert max(map(len, lines)) <= 120, path


def withheld(log: LiveLog | None) -> set[str]:
    assert log is not None
    return {why for why in log.withheld if why}


def test_a_days_loss_ends_the_day_and_not_the_next(tmp_path: Path) -> None:
    trades, told, log = play(tmp_path, DailyLossLimit=400)
    assert "nothing is opened any more: DailyLoss" in told
    assert withheld(log) == {"blocked"}
    assert log is not None
    (tmp_path / "other").mkdir()
    free, _, _ = play(tmp_path / "other")
    assert 0 < len(trades) < len(free)
    blocked = {log.time_ns[t] // 86_400_000_000_000 for t, why in enumerate(log.withheld) if why}
    entered = [int(trade.split(",")[1]) // 86_400 for trade in trades]
    assert any(day > min(blocked) for day in entered)


def test_the_training_accounts_floor_ends_trading_for_good(tmp_path: Path) -> None:
    # The account has 50,000; of a policy of the first phase the floor trails by 15,000.
    trades, told, log = play(tmp_path, FloorStart=64_900)
    assert "nothing is opened any more: DrawdownFloor" in told
    assert withheld(log) == {"blocked"}
    (path,) = (tmp_path / "rltrader").glob("highest equity of *.txt")
    assert float(path.read_text()) >= 64_900
    (tmp_path / "other").mkdir()
    assert len(trades) < len(play(tmp_path / "other")[0])


def test_a_kill_switch_stops_entries(tmp_path: Path) -> None:
    switch = tmp_path / "stop"
    switch.touch()
    trades, told, log = play(tmp_path, KillFile=switch)
    assert trades == []
    assert "nothing is opened any more: KillSwitch" in told
    assert withheld(log) == {"blocked"}


@pytest.mark.parametrize(
    ("manners", "settings", "words"),
    [
        ("live", {"AllowLiveAccounts": "true", "AllowedAccounts": "Account"}, "not among"),
        ("live", {"AllowLiveAccounts": "true", "AllowedAccounts": ""}, "has to be named"),
        ("live", {}, "live accounts are not allowed"),
        ("fill", {"AllowedAccounts": "account 1"}, "not among"),
        ("fill", {"DailyLossLimit": -1}, "below its least value"),
    ],
)
def test_accounts_and_limits_are_refused(
    tmp_path: Path, manners: str, settings: Mapping[str, object], words: str
) -> None:
    trades, told, log = play(tmp_path, manners, **settings)
    assert trades == []
    assert log is None
    assert words in told


def test_a_setting_that_is_none_is_refused(tmp_path: Path) -> None:
    command = ["mono", str(host()), "rules", str(live_bundle(1)), "ES", "fill", str(tmp_path)]
    for setting, words in [("Shadoww=true", "no setting of the strategy"), ("Shadow=5", "no Boolean")]:
        done = subprocess.run(
            [*command, f"--set={setting}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert words in done.stderr


def test_shadow_mode_sends_nothing_and_shows_that_it_is_alive(tmp_path: Path) -> None:
    trades, told, log = play(tmp_path, "shadow")
    assert trades == []
    assert "Alert" not in told
    assert log is not None
    assert set(log.mode) == {"virtual"}
    (path,) = (tmp_path / "rltrader").glob("*.jsonl")
    beats = [json.loads(line) for line in path.read_text().splitlines() if '"alive"' in line]
    assert len(beats) > 100
    assert {beat["account"] for beat in beats} == {0}


def test_a_backtest_writes_no_file_unless_asked(tmp_path: Path) -> None:
    trades, _, log = play(tmp_path, "backtest", LogBacktests="false")
    assert len(trades) > 10
    assert log is None
