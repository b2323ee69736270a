"""The limits of a day's loss and of the account's drawdown, moment by moment, by hand."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.jax_port.export.made_bundle import config_of
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.hosting import live_bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using RLTrader;

public static class Show
{
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    private static double Number(string text) { return double.Parse(text, Plain); }

    public static void Main(string[] args)
    {
        GuardSettings limits = new GuardSettings();
        limits.DailyLoss = Number(args[1]);
        limits.FloorStart = Number(args[2]);
        limits.FloorFile = args[4];
        limits.DayFile = args[5];
        Manifest manifest = Manifest.Load(args[0]);
        Guard first = new Guard(limits, manifest), second = null;
        DateTime begin = DateTime.Parse(args[3], Plain, DateTimeStyles.AdjustToUniversal);
        for (string line; (line = Console.ReadLine()) != null;)
        {
            bool beside = line.StartsWith("beside ");
            if (beside && second == null) second = new Guard(limits, manifest);
            Guard guard = beside ? second : first;
            double[] look = Array.ConvertAll(line.Replace("beside ", "").Split(' '), Number);
            DateTime end = look.Length < 4 ? DateTime.MaxValue : begin.AddSeconds(look[3]);
            guard.Look(begin.AddSeconds(look[0]), end, look[1], look[2]);
            Console.WriteLine(guard.Block + " " + guard.Floor.ToString("R", Plain) + " " + guard.Why);
        }
    }
}
"""
HOUR = 3600
START = 50_000.0
RULES = config_of(1).account
BELOW = START - RULES.trailing_drawdown_dollars
"""The floor of an account that has never been above its start."""

Look = tuple[float | str, ...]
"""(seconds, dollars made, equity in dollars), and the session's end in seconds where it is known;
"beside" before them is of a second instance, which begins at its first look."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("guard"), PROGRAM)


TEN = "2025-03-10T14:00Z"
"""10:00 in New York, of a Monday."""


def blocks(
    program: Path,
    looks: Sequence[Look],
    loss: float = 0.0,
    start: float = 0.0,
    begin: str = TEN,
    highest: Path | None = None,
    day: Path | None = None,
) -> list[str]:
    """Return after each look the block, the floor in dollars, and the block in words."""
    text = "".join(" ".join(map(str, look)) + "\n" for look in looks)
    command = ["mono", str(program), str(live_bundle(1)), str(loss), str(start), begin]
    command += [str(highest or ""), str(day or "")]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return done.stdout.split("\n")[:-1]


def test_a_day_that_lost_its_limit_stays_lost(program: Path) -> None:
    """The fill that closes the trade may come in better than the mark that broke the limit."""
    evening = 8 * HOUR  # 18:00, when the next trading day begins
    looks = [(0, 0, 0), (1, -399.99, 0), (2, -400, 0), (3, -399, 0), (4, 1000, 0)]
    looks += [
        (evening - 1, 1000, 0),
        (evening, 1000, 0),
        (evening + 1, 600.01, 0),
        (evening + 2, 600, 0),
    ]
    said = [line.split()[0] for line in blocks(program, looks, loss=400)]
    assert said == ["None"] * 2 + ["DailyLoss"] * 4 + ["None"] * 2 + ["DailyLoss"]


def test_the_floor_follows_what_held_for_the_settling_time(program: Path) -> None:
    """A fill that counts twice for a moment lifts nothing; of a spell above, its least counts."""
    looks = [(0, 0, START), (1, 0, START + 900), (2, 0, START + 5_000), (3.9, 0, START + 800)]
    looks += [(4, 0, START + 1_000), (5, 0, START - 1), (6, 0, START + 700), (7, 0, START + 9_000)]
    floors = [float(line.split()[1]) for line in blocks(program, looks, start=START)]
    lifted = min(BELOW + 800, START + RULES.floor_lock_dollars)
    assert floors == [BELOW] * 4 + [lifted] * 4


def test_the_floor_does_not_rise_above_its_lock(program: Path) -> None:
    looks = [(at, 0.0, START + 90_000) for at in (0.0, 3.0)]
    floors = [float(line.split()[1]) for line in blocks(program, looks, start=START)]
    assert floors == [BELOW, START + RULES.floor_lock_dollars]


def test_an_account_below_its_floor_is_blocked_for_good_once_it_has_settled(program: Path) -> None:
    looks = [(0, 0, START), (1, 0, BELOW - 1), (3.9, 0, BELOW - 1), (3.95, 0, BELOW)]
    looks += [(5, 0, BELOW - 1), (8, 0, BELOW - 1), (9, 0, START)]
    said = [line.split()[0] for line in blocks(program, looks, start=START)]
    assert said == ["None"] * 5 + ["DrawdownFloor"] * 2


@pytest.mark.parametrize("unsaid", [0.0, BELOW - 1])
def test_what_is_below_at_the_first_look_has_to_hold_as_well(program: Path, unsaid: float) -> None:
    """The account may not have told of its money yet, or of that of the newest fill."""
    looks = [(0, 0, unsaid), (2.9, 0, unsaid), (3, 0, START), (9, 0, START)]
    said = [line.split()[0] for line in blocks(program, looks, start=START)]
    assert said == ["None"] * 4
    looks = [(0, 0, BELOW - 1), (2.9, 0, BELOW - 1), (3, 0, BELOW - 1), (9, 0, START)]
    said = [line.split()[0] for line in blocks(program, looks, start=START)]
    assert said == ["None"] * 2 + ["DrawdownFloor"] * 2


@pytest.mark.parametrize(
    ("begin", "hours"),
    [("2025-03-09T03:00Z", 19), ("2025-11-02T03:00Z", 20), ("2025-03-09T08:00Z", 14)],
    ids=["an hour is left out", "an hour comes twice", "after the change"],
)
def test_a_trading_day_begins_at_six_in_the_evening_in_new_york(
    program: Path, begin: str, hours: int
) -> None:
    """Also over the night in which its clocks are changed."""
    next_day = hours * HOUR
    looks = [(0, 0, 0), (1, -400, 0), (next_day - 1, -400, 0), (next_day, -400, 0)]
    said = [line.split()[0] for line in blocks(program, looks, loss=400, begin=begin)]
    assert said == ["None", "DailyLoss", "DailyLoss", "None"]


def test_an_account_below_its_floor_is_blocked_in_time_though_the_clock_is_set_back(
    program: Path,
) -> None:
    looks = [(0, 0, START), (1, 0, BELOW - 1), (2, 0, BELOW - 1), (-HOUR, 0, BELOW - 1)]
    looks += [(1 - HOUR, 0, BELOW - 1), (2 - HOUR, 0, BELOW - 1), (3 - HOUR, 0, START)]
    said = [line.split()[0] for line in blocks(program, looks, start=START)]
    assert said == ["None"] * 5 + ["DrawdownFloor"] * 2


@pytest.mark.parametrize("remembered", [START - 5_000, START, START + 1_000])
def test_a_remembered_highest_equity_counts_where_it_lies_above_the_start(
    program: Path, tmp_path: Path, remembered: float
) -> None:
    """One below the start is of before a deposit, and would put the floor too low."""
    path = tmp_path / "highest.txt"
    path.write_text(f"{remembered}")
    (said,) = blocks(program, [(0, 0, START)], start=START, highest=path)
    lifted = min(max(BELOW, BELOW + remembered - START), START + RULES.floor_lock_dollars)
    assert float(said.split()[1]) == lifted


AT_FIVE, AT_MIDNIGHT = 7.0 * HOUR, 14.0 * HOUR
"""Ends of two sessions that hold the same morning, in seconds."""


@pytest.mark.parametrize("other", [(AT_MIDNIGHT,), (AT_FIVE - HOUR,), ()])
def test_a_days_loss_is_remembered_whenever_the_next_run_sees_the_day_end(
    program: Path, tmp_path: Path, other: tuple[float, ...]
) -> None:
    """Trading hours chosen anew end at another time, and the end may not be known."""
    day, known = tmp_path / "day.txt", (AT_FIVE,)
    (_, *said) = blocks(program, [(0, 0, 0, *known), (1, -400, 0, *known)], loss=400, day=day)
    for at, end in ((2, other), (3, known)):
        said += blocks(program, [(at, 0, 0, *end)], loss=400, day=day)
    assert [line.split()[0] for line in said] == ["DailyLoss"] * 3


def test_a_remembered_loss_is_of_one_session_of_its_day(program: Path, tmp_path: Path) -> None:
    day = tmp_path / "day.txt"
    lost = [(0.0, 0.0, 0.0, AT_MIDNIGHT), (1.0, -400.0, 0.0, AT_MIDNIGHT)]
    blocks(program, lost, loss=400, day=day)
    kept = day.read_text()
    looks = [(2.0, 0.0, 0.0, AT_FIVE), (AT_FIVE, 0.0, 0.0, AT_FIVE + 24 * HOUR)]
    said = blocks(program, looks, loss=400, day=day)
    assert [line.split()[0] for line in said] == ["DailyLoss", "None"]
    day.write_text(kept)
    (late,) = blocks(program, [(AT_MIDNIGHT, 0, 0, AT_MIDNIGHT + HOUR)], loss=400, day=day)
    assert late.split()[0] == "None"
    day.write_text(kept)
    early = AT_MIDNIGHT - 25 * HOUR  # of a market that is played back from a day before
    (early_on,) = blocks(program, [(early, 0, 0, early + HOUR)], loss=400, day=day)
    assert early_on.split()[0] == "None"


def test_a_floor_that_is_reached_names_the_file_that_keeps_it(program: Path, tmp_path: Path) -> None:
    """An account that was begun anew stays below the floor of its former highest equity."""
    path = tmp_path / "highest.txt"
    path.write_text(f"{START + RULES.trailing_drawdown_dollars + 3_000}")
    looks = [(at, 0.0, START) for at in (0.0, 3.0)]
    first, said = blocks(program, looks, start=START, highest=path)
    assert first.split(" ", 2)[2] == "None"
    assert said.split(" ", 2)[2] == (
        f"DrawdownFloor; this and the account's highest equity are remembered in {path}: where the "
        "account was begun anew, disable its strategies, delete that file and enable them again"
    )
    path.unlink()
    anew = blocks(program, looks, start=START, highest=path)
    assert [line.split()[0] for line in anew] == ["None"] * 2


def said_of(lines: list[str]) -> list[str]:
    """Return the blocks alone."""
    return [line.split()[0] for line in lines]


def test_a_days_limit_that_was_reached_holds_for_every_run_of_the_day(
    program: Path, tmp_path: Path
) -> None:
    """The mark broke it, the fill came in better, and the next run begins with that."""
    day, evening = tmp_path / "day.txt", 8.0 * HOUR
    blocks(program, [(0, 0, 0), (1, -400, 0), (2, -398, 0)], loss=400, day=day)
    for at in (3.0, evening - 1):
        assert said_of(blocks(program, [(at, 0, 0), (at + 0.5, 50, 0)], loss=400, day=day)) == [
            "DailyLoss",
            "DailyLoss",
        ]
    looks: list[Look] = [(evening, 0, 0), (evening + 1, -399, 0)]
    assert said_of(blocks(program, looks, loss=400, day=day)) == ["None"] * 2
    assert not list(tmp_path.glob("*.new"))


def test_a_days_limit_lies_with_its_file(program: Path, tmp_path: Path) -> None:
    """Deleted on purpose, it blocks no more."""
    day = tmp_path / "day.txt"
    blocks(program, [(0, 0, 0), (1, -400, 0), (2, -398, 0)], loss=400, day=day)
    day.unlink()
    assert said_of(blocks(program, [(3, 0, 0)], loss=400, day=day)) == ["None"]


def test_a_days_limit_that_one_instance_reached_blocks_those_that_share_its_file(
    program: Path, tmp_path: Path
) -> None:
    day = tmp_path / "day.txt"
    looks: list[Look] = [("beside", 0, 0, 0), (0, 0, 0), (1, -400, 0), (2, -398, 0)]
    looks += [("beside", 2, 0, 0), ("beside", 3, 10, 0), (4, -398, 0)]
    assert said_of(blocks(program, looks, loss=400, day=day)) == ["None"] * 2 + ["DailyLoss"] * 5
    assert said_of(blocks(program, [(5, 0, 0)], loss=400, day=day)) == ["DailyLoss"]


def test_a_breached_floor_blocks_every_run_until_its_file_is_deleted(
    program: Path, tmp_path: Path
) -> None:
    """A breach ends the account, though the fill that closed the trade lies above the floor."""
    path = tmp_path / "highest.txt"
    looks: list[Look] = [(at, 0, BELOW - 1) for at in (0.0, 3.0)]
    assert said_of(blocks(program, looks, start=START, highest=path))[-1] == "DrawdownFloor"
    for at in (5.0, 48.0 * HOUR):
        said = blocks(program, [(at, 0, START)], start=START, highest=path)
        assert said_of(said) == ["DrawdownFloor"]
        assert str(path) in said[0]
    path.unlink()
    assert said_of(blocks(program, [(5, 0, START)], start=START, highest=path)) == ["None"]


def test_a_floor_that_one_instance_saw_breached_blocks_those_on_the_same_account(
    program: Path, tmp_path: Path
) -> None:
    looks: list[Look] = [("beside", 0, 0, START), (0, 0, BELOW - 1), (3, 0, BELOW - 1)]
    looks += [("beside", 3, 0, START)]
    said = said_of(blocks(program, looks, start=START, highest=tmp_path / "highest.txt"))
    assert said == ["None"] * 2 + ["DrawdownFloor"] * 2


def test_the_highest_equity_of_an_account_never_falls(program: Path, tmp_path: Path) -> None:
    """Two instruments: one sees its open trade in it, the other does not."""
    path, lock = tmp_path / "highest.txt", RULES.floor_lock_dollars
    high, low = START + 0.8 * lock, START + 0.4 * lock
    looks: list[Look] = [("beside", 0, 0, START), (0, 0, high), (3, 0, high)]
    looks += [("beside", 3.5, 0, low), ("beside", 7, 0, low), ("beside", 11, 0, low)]
    said = blocks(program, looks, start=START, highest=path)
    assert float(path.read_text()) == high
    assert [float(line.split()[1]) for line in said] == pytest.approx(
        [BELOW] * 2 + [BELOW + 0.8 * lock] * 4
    )


def test_files_of_the_version_before_are_read(program: Path, tmp_path: Path) -> None:
    """Numbers alone, nothing blocked."""
    day, path = tmp_path / "day.txt", tmp_path / "highest.txt"
    blocks(program, [(0, 0, START), (1, -300, START)], loss=400, start=START, highest=path, day=day)
    assert len(day.read_text().split()) == 2
    assert path.read_text() == "50000"
    path.write_text(f"{START + 50}")
    said = blocks(program, [(2, 0, START)], loss=400, start=START, highest=path, day=day)
    assert said[0].split()[:2] == ["None", str(int(BELOW + 50))]


@pytest.mark.parametrize(
    "text", ["", "50000 lost", "blocked", "50000 1 blocked", "NaN", "Infinity", "-Infinity"]
)
def test_a_file_of_something_else_is_refused(program: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "highest.txt"
    path.write_text(text)
    command = ["mono", str(program), str(live_bundle(1)), "0", str(START), TEN, str(path), ""]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=False)
    assert f"{path}: not the account's highest equity in dollars; correct it" in done.stderr
