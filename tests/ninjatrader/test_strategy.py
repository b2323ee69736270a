"""The strategy's settings, limits and accounts, and the sources themselves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, SOURCES, available
from parity.live_replay.decision_log import LiveLog, read_log
from tests.ninjatrader.hosting import host, live_bundle, live_files, run_host

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


def play(
    tmp_path: Path,
    manners: str = "fill",
    *,
    chart: str = "",
    bars: Path | None = None,
    bundle: Path | None = None,
    **settings: object,
) -> tuple[list[str], str, LiveLog | None]:
    """Return trades, what NinjaTrader's log says, and the decision log, with the strategy so set."""
    flags = [f"--set={name}={value}" for name, value in settings.items()]
    flags += [f"--chart={chart}"] if chart else []
    file = str(bars or live_files()[1])
    trades, told = run_host(tmp_path, bundle or live_bundle(1), "ES", manners, file, *flags)
    logs = list((tmp_path / "rltrader").glob("*.jsonl"))
    return trades, told, read_log(logs[0]) if logs else None


def test_it_compiles_without_a_warning_as_newer_c_sharp_too() -> None:
    assert host(version=7).is_file()


def test_no_source_is_too_long_to_read() -> None:
    for path in SOURCES.rglob("*.cs"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400, path
        assert max(map(len, lines)) <= 120, path
    for folder in {path.parent for path in SOURCES.rglob("*.cs")}:
        assert len(list(folder.glob("*.cs"))) <= 15, folder


def withheld(log: LiveLog | None) -> set[str]:
    assert log is not None
    return {why for why in log.withheld if why}


def test_a_days_loss_ends_the_day_and_not_the_next(tmp_path: Path) -> None:
    trades, told, log = play(tmp_path, DailyLossLimit=400)
    assert "nothing is opened any more: DailyLoss" in told
    assert withheld(log) == {"blocked"}
    remembered = [path.name for path in (tmp_path / "rltrader").glob("*.txt")]
    assert remembered == ["day of ES on Account 1.txt"]
    assert log is not None
    (tmp_path / "other").mkdir()
    free, _, _ = play(tmp_path / "other")
    assert 0 < len(trades) < len(free)
    blocked = {log.time_ns[t] // 86_400_000_000_000 for t, why in enumerate(log.withheld) if why}
    entered = [int(trade.split(",")[1]) // 86_400 for trade in trades]
    assert any(day > min(blocked) for day in entered)
    # Each such day is told, also where the one before ended so.
    assert told.count("nothing is opened any more: DailyLoss") == len(blocked) > 1


def test_the_training_accounts_floor_ends_trading_for_good(tmp_path: Path) -> None:
    # The account has 50,000; of a policy of the first phase the floor trails by 15,000.
    trades, told, log = play(tmp_path, FloorStart=64_900)
    assert "nothing is opened any more: DrawdownFloor" in told
    assert withheld(log) == {"blocked"}
    # The highest equity is the account's, whatever it trades.
    (path,) = (tmp_path / "rltrader").glob("*.txt")
    assert path.name == "highest equity of Account 1.txt"
    highest, blocked = path.read_text().split()
    assert float(highest) >= 64_900
    assert blocked == "blocked"
    # Enabling it again trades nothing, though the account is above its floor.
    path.write_text("50000 blocked")
    assert play(tmp_path, FloorStart=50_000)[0] == []
    (tmp_path / "other").mkdir()
    assert len(trades) < len(play(tmp_path / "other")[0])


def test_the_floor_stops_trailing_where_the_rules_lock_it(tmp_path: Path) -> None:
    folder = tmp_path / "rltrader"
    folder.mkdir()
    (folder / "highest equity of Account 1.txt").write_text("66000")
    # Trailing on from there it would stand at 51,000, above the account.
    trades, told, _ = play(tmp_path, FloorStart=40_000)
    assert len(trades) > 10
    assert "DrawdownFloor" not in told


def test_a_closed_trade_does_not_count_twice_until_its_fill_is_told(tmp_path: Path) -> None:
    """The host changes the account's cash first, and tells of the fill afterwards."""
    (tmp_path / "free").mkdir()
    trades, _, _ = play(tmp_path / "free")
    made, least = 0.0, 0.0
    for trade in trades:
        side, _, entry, _, left = map(float, trade.split(","))
        made += side * (left - entry) * 50
        least = min(least, made)
    assert least < -100
    # The first phase's floor trails by 15,000; it lies 40 dollars below the least there ever is.
    again, told, _ = play(tmp_path, FloorStart=50_000 + least - 40 + 15_000)
    assert "DrawdownFloor" not in told
    assert again == trades


def test_a_new_highest_equity_is_remembered(tmp_path: Path) -> None:
    play(tmp_path, FloorStart=50_000)
    (path,) = (tmp_path / "rltrader").glob("highest equity of *.txt")
    assert float(path.read_text()) > 50_000


def test_a_limit_holds_where_its_note_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "rltrader" / "day of ES on Account 1.txt").mkdir(parents=True)
    trades, told, _ = play(tmp_path, DailyLossLimit=400)
    assert trades
    assert "nothing is opened any more: DailyLoss" in told


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
        (
            "live",
            {"AllowLiveAccounts": "true", "AllowedAccounts": "Account 10, My Account 1"},
            "not among",
        ),
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


@pytest.mark.parametrize(
    ("chart", "words"),
    [
        ("Bid", "use a series based on Last"),
        ("FiveMinutes", "use a one-minute series"),
        ("RegularHours", 'the chart\'s trading hours "RTH" do not hold 09:30 to 17:00 New York'),
    ],
)
def test_a_chart_on_which_the_policy_was_not_trained_is_refused(
    tmp_path: Path, chart: str, words: str
) -> None:
    trades, told, log = play(tmp_path, chart=chart)
    assert (trades, log) == ([], None)
    assert words in told


@pytest.mark.parametrize(
    ("chart", "words"),
    [("AllHours", "know no half days"), ("BackAdjusted", "the chart's history is back-adjusted")],
)
def test_what_is_doubtful_about_a_chart_is_said(tmp_path: Path, chart: str, words: str) -> None:
    trades, told, _ = play(tmp_path, chart=chart)
    assert len(trades) > 10
    assert f"log Warning RLTrader: {words}" in told or words in told
    assert "Alert" not in told


def changed_bars(tmp_path: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """Return the host's bars with some lines changed; the 900th lies within a day."""
    head, *lines = live_files()[1].read_text().splitlines()
    path = tmp_path / "changed.csv"
    path.write_text("\n".join([head, *change(lines)]) + "\n")
    return path


def test_a_hole_in_the_bars_is_told(tmp_path: Path) -> None:
    day = [n for n, line in enumerate(live_files()[1].read_text().splitlines()[1:]) if " 15:0" in line]
    bars = changed_bars(tmp_path, lambda lines: lines[: day[0]] + lines[day[0] + 12 :])
    _, told, _ = play(tmp_path, bars=bars)
    assert told.count("no bar came between") == 1
    (tmp_path / "whole").mkdir()
    assert "no bar came between" not in play(tmp_path / "whole")[1]


@pytest.mark.parametrize("kept", ["-400", "-400 blocked", "-20 blocked"])
def test_a_restart_does_not_give_the_days_loss_once_more(kept: str, tmp_path: Path) -> None:
    first, told, _ = play(tmp_path, DailyLossLimit=400)
    assert "DailyLoss" in told
    (note,) = (tmp_path / "rltrader").glob("day of ES on Account 1.txt")
    ends = float(note.read_text().split()[0])
    # As if the strategy were enabled again on the last day, after a loss of the whole limit, or of what
    # the fills made of it.
    for path in (tmp_path / "rltrader").glob("*.jsonl"):
        path.unlink()
    note.write_text(f"{ends:.0f} {kept}")
    again, _, _ = play(tmp_path, DailyLossLimit=400)
    last = max(int(trade.split(",")[1]) for trade in first) // 86_400
    assert [t for t in first if int(t.split(",")[1]) // 86_400 == last]
    assert not [t for t in again if int(t.split(",")[1]) // 86_400 == last]


def test_a_note_of_the_day_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rltrader").mkdir()
    (tmp_path / "rltrader" / "day of ES on Account 1.txt").write_text("much")
    trades, told, log = play(tmp_path, DailyLossLimit=400)
    assert (trades, log) == ([], None)
    assert "correct it, or delete the file" in told


@pytest.mark.parametrize("what", ["[" * 1_000_000, '{"a":' * 1_000_000])
def test_a_manifest_of_a_million_brackets_does_not_end_the_platform(tmp_path: Path, what: str) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(live_bundle(1), bundle)
    (bundle / "manifest.json").write_text(what)
    done = subprocess.run(
        ["mono", str(host()), "rules", str(bundle), "ES", "fill", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2  # a sentence, not the end of the process by its stack
    assert "more than 64 brackets within brackets" in done.stderr


def test_contracts_and_distances_that_are_none_are_refused_by_the_strategy(tmp_path: Path) -> None:
    for number, (section, name, value) in enumerate(
        [
            ("account", "contracts", -1),
            ("account", "contracts", 2_000_000_000),
            ("", "sl_atr_mult", -1.5),
            ("", "tp_sl_ratio", 0),  # a stop without a target
        ]
    ):
        folder = tmp_path / str(number)
        shutil.copytree(live_bundle(1), folder / "bundle")
        path = folder / "bundle" / "manifest.json"
        manifest = json.loads(path.read_text())
        part = manifest["env_config"]
        (part[section] if section else part)[name] = value
        path.write_text(json.dumps(manifest))
        trades, told, log = play(folder, bundle=folder / "bundle")
        assert (trades, log) == ([], None)
        assert "log Alert RLTrader" in told
        assert "contracts must be 1 to 100" in told or "must be above zero" in told
