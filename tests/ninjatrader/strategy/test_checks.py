"""Which charts, accounts and contracts the strategy takes, from either side of each limit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = Path(__file__).with_name("checks.cs").read_text("utf-8")
    return compiled(tmp_path_factory.mktemp("checks"), source, strategy=True)


def told(program: Path, folder: Path, changes: list[str]) -> list[str]:
    text = "".join(line + "\n" for line in changes)
    command = ["mono", str(program), str(folder)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def alert(words: str) -> str:
    return f"refused; Alert RLTrader: {words}"


def warning(words: str) -> str:
    return f"taken; Warning RLTrader: {words}"


MINUTES = alert("the policy was trained on one-minute bars; use a one-minute series")
LAST = alert("the policy was trained on traded prices; use a series based on Last")
CHANGED = alert("a setting was changed after Configure; reload the strategy")
LEAST = alert("a limit is below its least value; correct the settings")
AMONG = alert('this account is not among "Allowed accounts"; choose one that is, or add it')
ALLOW = alert(
    "this account is not a simulation, and live accounts are not allowed; nothing is traded until "
    '"Allow live accounts" says so'
)
NAMED = alert('a live account has to be named in "Allowed accounts"; add its exact name')
TICK = alert(
    "a tick of this contract is worth something else than the policy's; check the instrument's point "
    "value"
)
OWN = "the merge policy is the platform's own; see that Tools, Options, Market data does not say "
OWN += "back-adjusted, since such prices are not those that were traded"


def other(symbol: str) -> str:
    return alert(f"the policy trades ES and this chart is {symbol}; use the policy's own contract")


def hours(name: str, since: str, day: str) -> str:
    return alert(
        f'the chart\'s trading hours "{name}" do not hold {since} to 17:00 New York of a {day} in one '
        'session; choose hours that do, such as "CME US Index Futures ETH"'
    )


EVENING, MORNING = "18:00 of the day before", "09:30"
CHARTS = {
    "": "taken",
    "period=5": MINUTES,
    "kind=Second": MINUTES,
    "kind=Day": MINUTES,
    "data=Bid": LAST,
    "data=Ask": LAST,
    "late calculate": CHANGED,
    "late handling": CHANGED,
    "MinutesBeforeEnd=0": LEAST,
    "MinutesBeforeEnd=1": "taken",
    "DailyLossLimit=-0.01": LEAST,
    "FloorStart=-0.01": LEAST,
    "symbol=NQ": other("NQ"),
    "tick=0.5|point=25": other("ES"),
    "point=12.5": TICK,
    "point=50.1": TICK,
    "point=49.9": TICK,
    "unproved=same by parts": warning(
        "this policy was trained without proof of parity (same by parts)"
    ),
    "merge=MergeBackAdjusted": warning(
        "the chart's history is back-adjusted, so prices before the last rollover are not those that "
        "were traded; set the instrument's merge policy to MergeNonBackAdjusted"
    ),
    "merge=DoNotMerge": "taken",
    "merge=UseDefault": f"taken; Information RLTrader: {OWN}",
    "merge=UseGlobalSettings": f"taken; Information RLTrader: {OWN}",
    "always": warning(
        'the chart\'s trading hours "always" know no half days, so the early end of one is not seen; '
        "choose hours that know the exchange's holidays"
    ),
    "always|all hours": hours("always", EVENING, "Wednesday"),
    "all hours": "taken",
    "daily=1801 1700|all hours": hours("own", EVENING, "Wednesday"),
    "daily=1800 1659|all hours": hours("own", EVENING, "Wednesday"),
    "daily=930 1700": "taken",
    "daily=930 1700|all hours": hours("own", EVENING, "Wednesday"),
    "daily=931 1700": hours("own", MORNING, "Wednesday"),
    "daily=930 1659": hours("own", MORNING, "Wednesday"),
    "without=Thursday": hours("CME US Index Futures ETH", MORNING, "Thursday"),
    "without=Friday|all hours": hours("CME US Index Futures ETH", EVENING, "Friday"),
    "without=Monday": hours("CME US Index Futures ETH", MORNING, "Monday"),
    "without=Tuesday": hours("CME US Index Futures ETH", MORNING, "Tuesday"),
    "one=0 1800 5 1700|all hours": "taken",
    "one=1 930 5 1700": "taken",
    "one=1 931 5 1700": hours("one", MORNING, "Monday"),
    "one=0 1800 5 1659|all hours": hours("one", EVENING, "Friday"),
    "one=3 1200 3 1200|all hours": hours("one", EVENING, "Wednesday"),
    "one=6 0 6 0|all hours": "taken",
}
LIVE = "provider=Rithmic|AllowLiveAccounts=true|"
ACCOUNTS = {
    "provider=Playback": "taken",
    "AllowedAccounts=Sim 1/a": "taken",
    "AllowedAccounts=x,  Sim 1/a ": "taken",
    "AllowedAccounts=x": AMONG,
    "AllowedAccounts=sim 1/a": AMONG,
    "AllowedAccounts=Sim 1": AMONG,
    "AllowedAccounts= ": "taken",
    "provider=Rithmic": ALLOW,
    "provider=Rithmic|AllowedAccounts=Sim 1/a": ALLOW,
    "provider=Rithmic|AllowedAccounts=x": AMONG,
    LIVE: NAMED,
    LIVE + "AllowedAccounts=,": AMONG,
    LIVE + "AllowedAccounts=x": AMONG,
    LIVE + "AllowedAccounts=x,Sim 1/a": "taken",
    "no account": ALLOW,
    "no account|AllowLiveAccounts=true": NAMED,
    "provider=Rithmic|Shadow=true|AllowedAccounts=x": "taken",
    "provider=Rithmic|analyzer|AllowedAccounts=x": "taken",
}


@pytest.mark.parametrize("cases", [CHARTS, ACCOUNTS], ids=["charts", "accounts"])
def test_what_is_not_what_it_must_be_is_refused(
    program: Path, tmp_path: Path, cases: dict[str, str]
) -> None:
    assert dict(zip(cases, told(program, tmp_path, list(cases)), strict=True)) == cases


def test_limits_are_the_users_and_are_kept_by_account_and_contract(
    program: Path, tmp_path: Path
) -> None:
    given = "MinutesBeforeEnd=7|DailyLossLimit=400.5|FloorStart=50000|KillFile=/tmp/stop"
    files = "'LOGS/highest equity of Sim 1_a.txt' 'LOGS/day of ES on Sim 1_a.txt'"
    wanted = {
        "limits": "2 0 0 '' '' ''",
        f"limits|{given}": f"7 400.5 50000 '/tmp/stop' {files}",
        "limits|FloorStart=50000": "2 0 50000 '' 'LOGS/highest equity of Sim 1_a.txt' ''",
        "limits|DailyLossLimit=9": "2 9 0 '' '' 'LOGS/day of ES on Sim 1_a.txt'",
        f"limits|Shadow=true|{given}": "7 400.5 0 '/tmp/stop' '' ''",
        f"limits|analyzer|{given}": "7 400.5 0 '/tmp/stop' '' ''",
    }
    assert dict(zip(wanted, told(program, tmp_path, list(wanted)), strict=True)) == wanted


def test_what_is_not_the_users_to_choose_is_set_again(program: Path, tmp_path: Path) -> None:
    changed = [
        *("Calculate=OnEachTick", "EntriesPerDirection=3", "EntryHandling=UniqueEntries"),
        *("StopTargetHandling=PerEntryExecution", "StartBehavior=AdoptAccountPosition"),
        *("ConnectionLossHandling=StopStrategy", "RealtimeErrorHandling=IgnoreAllErrors"),
        *("IsExitOnSessionCloseStrategy=false", "IsUnmanaged=true", "TimeInForce=Day"),
        *("ExitOnSessionCloseSeconds=60", "BarsRequiredToTrade=20"),
    ]
    plain, after = told(program, tmp_path, ["settings", "settings|" + "|".join(changed)])
    assert dict(part.split("=", 1) for part in plain.split(" ")) == {
        "AlertMail": "",
        "AlertSound": "",
        "AllowLiveAccounts": "False",
        "AllowedAccounts": "",
        "BarsRequiredToTrade": "0",
        "BundleFolder": "",
        "Calculate": "OnBarClose",
        "ConnectionLossHandling": "KeepRunning",
        "DailyLossLimit": "0",
        "EntriesPerDirection": "1",
        "EntryHandling": "AllEntries",
        "ExitOnSessionCloseSeconds": "30",
        "FlattenOnStart": "False",
        "FlattenOnStop": "True",
        "FloorStart": "0",
        "HeartbeatMinutes": "5",
        "IsExitOnSessionCloseStrategy": "True",
        "IsUnmanaged": "False",
        "KillFile": "",
        "LogBacktests": "False",
        "MinutesBeforeEnd": "2",
        "Name": "RLTraderStrategy",
        "RealtimeErrorHandling": "StopCancelClose",
        "Shadow": "False",
        "StartBehavior": "WaitUntilFlat",
        "StopTargetHandling": "ByStrategyPosition",
        "TimeInForce": "Gtc",
    }
    assert after == plain
