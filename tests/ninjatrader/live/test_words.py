"""What the live side writes and says: names of orders, lines of JSON, a log, messages, trading days."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available, checker_sources, host_sources
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.hosting import live_bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
public static class Show
{
    private static readonly DateTime Noon = new DateTime(2025, 3, 10, 16, 0, 0, DateTimeKind.Utc);

    public static void Main(string[] args)
    {
        if (args[0] == "names")
            foreach (ExitReason reason in Enum.GetValues(typeof(ExitReason)))
                Console.WriteLine(reason + "=" + OrderNames.Exit(reason));
        else if (args[0] == "quote") Console.Write(new JsonLine().Add(args[1], args[2]));
        else if (args[0] == "digits")
            for (int n = 1; n < args.Length; n++)
                Console.WriteLine(JsonLine.Digits(double.Parse(args[n], CultureInfo.InvariantCulture)));
        else if (args[0] == "days")
            for (int n = 1; n < args.Length; n++) Console.WriteLine(Day(args[n]));
        else if (args[0] == "log")
        {
            DecisionLog log = new DecisionLog(args[1], "ES", Noon, Console.WriteLine);
            log.Header(Manifest.Load(args[2]), "ES 03-25", "none", Noon);
            Environment.Exit(0); // as a platform that ends without a word to its strategies
        }
        else if (args[0] == "paper")
            foreach (bool loud in new[] { true, false })
                new PaperOrders(new Heard(), Manifest.Load(args[1]), work => work()).Tell("said", loud);
        else if (args[0] == "calm")
        {
            Heard world = new Heard();
            AccountCheck check = new AccountCheck(world);
            for (int n = 1; n < args.Length; n++)
            {
                string[] look = args[n].Split(':'); // second, contracts, whether an order is left
                world.AccountNet = int.Parse(look[1]);
                world.OrdersLeft = look[2] == "y";
                double second = double.Parse(look[0], CultureInfo.InvariantCulture);
                Console.Write(check.Calm(Noon.AddSeconds(second)) ? "y" : "n");
            }
        }
        else if (args[0] == "flattenings")
            Flatten(Array.ConvertAll(args[1].Split(','), int.Parse));
        else Account(int.Parse(args[1]), int.Parse(args[2]));
    }

    // One after another, each with so many repeats before the account is flat.
    private static void Flatten(int[] repeats)
    {
        Heard world = new Heard { Now = Noon };
        Flattening flattening = new Flattening(world, new AccountCheck(world));
        DateTime now = Noon;
        foreach (int count in repeats)
        {
            world.AccountNet = 1;
            flattening.Begin("begun", now);
            for (int n = 0; n < count; n++) flattening.Look(now = now.AddSeconds(20));
            world.AccountNet = 0;
            flattening.Look(now);
            flattening.Look(now = now.AddSeconds(10));
            Console.WriteLine(flattening.Runs ? "goes on" : "over");
        }
    }

    private static string Day(string utc)
    {
        BindingFlags hidden = BindingFlags.NonPublic | BindingFlags.Static;
        MethodInfo day = typeof(LiveTrader).GetMethod("TradingDay", hidden);
        DateTimeStyles styles = DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal;
        DateTime time = DateTime.Parse(utc, CultureInfo.InvariantCulture, styles);
        return ((DateTime)day.Invoke(null, new object[] { time })).ToString("yyyy-MM-dd");
    }

    private static void Account(int held, int net)
    {
        Heard world = new Heard { Now = Noon };
        AccountCheck check = new AccountCheck(world);
        check.Begin(true, new DateTime(2024, 7, 2));
        world.AccountNet = held;
        for (int second = 0; second < 60; second++) check.Compare(net, Noon.AddSeconds(second), false);
        world.AccountNet = net;
        check.Compare(net, Noon.AddSeconds(60), false);
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    usings = "using System.Globalization;\nusing System.Reflection;\n"
    heard = (Path(__file__).parent / "heard.cs").read_text("utf-8")
    return compiled(tmp_path_factory.mktemp("words"), f"{usings}{heard}{PROGRAM}")


def told(program: Path, *words: str | Path) -> str:
    command = ["mono", str(program), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_an_exit_is_called_by_its_reason(program: Path) -> None:
    assert told(program, "names").split("\n")[:-1] == [
        "Late=RLTrader flat",
        "StopAtMarket=RLTrader stop",
        "Unprotected=RLTrader no stop",
        "Overshot=RLTrader overshot",
        "Blocked=RLTrader blocked",
        "Halted=RLTrader halted",
    ]


@pytest.mark.parametrize(
    "text", ["C:\\Users\\me\\new bundle", 'a "b"', "tab\there", "line\nline", "é 日", "\\\\server\\x"]
)
def test_any_text_is_json_that_says_the_same(program: Path, text: str) -> None:
    assert json.loads(told(program, "quote", "bundle", text)) == {"bundle": text}


def test_a_number_is_written_with_the_digits_that_bring_it_back(program: Path) -> None:
    numbers = [0.84551240822557006, 0.1, 0.25, -12345678.901234567, 5e-324, 1.7976931348623157e308]
    shown = told(program, "digits", *map(repr, numbers)).split()
    assert [float(text) for text in shown] == numbers
    assert shown[:3] == ["0.84551240822557006", "0.10000000000000001", "0.25"]


def test_no_source_writes_a_number_as_some_runtimes_cannot_read_it_back() -> None:
    """Their "R" gives 15 digits where 17 are needed."""
    wrong = [
        path.name for path in host_sources() + checker_sources() if '"R"' in path.read_text("utf-8")
    ]
    assert wrong == ["JsonLine.cs", "JsonLine.cs"]  # which says why, and writes with G17


def test_a_trading_day_runs_from_six_in_the_evening(program: Path) -> None:
    """Of New York, whose clock changed on 9 March 2025."""
    times = {
        "2025-03-07T22:59:00Z": "2025-03-07",  # 17:59, winter
        "2025-03-07T23:00:00Z": "2025-03-08",
        "2025-03-10T21:59:00Z": "2025-03-10",  # 17:59, summer
        "2025-03-10T22:00:00Z": "2025-03-11",
        "2025-03-11T03:59:00Z": "2025-03-11",  # a minute before midnight
        "2025-03-11T04:01:00Z": "2025-03-11",
        "2025-03-11T20:59:00Z": "2025-03-11",
    }
    assert told(program, "days", *times).split() == list(times.values())


def test_a_line_of_the_log_is_in_its_file_at_once(program: Path, tmp_path: Path) -> None:
    told(program, "log", tmp_path, live_bundle(1))
    (file,) = tmp_path.iterdir()
    (line,) = file.read_text("utf-8").splitlines()
    assert json.loads(line)["kind"] == "rltrader decisions"


def test_on_paper_the_user_is_told_as_loudly(program: Path) -> None:
    assert told(program, "paper", live_bundle(1)) == "loud: said\nquiet: said\n"


@pytest.mark.parametrize(("held", "net"), [(2, 1), (-1, 1), (0, -3)])
def test_who_holds_what_is_told_once_and_when_it_is_over(program: Path, held: int, net: int) -> None:
    assert told(program, "account", str(held), str(net)).splitlines() == [
        f"loud: the account holds {held} and the strategy {net}; nothing is opened until they agree",
        "quiet: account and strategy agree again",
    ]


def test_an_account_is_calm_when_it_has_held_nothing_for_ten_seconds(program: Path) -> None:
    """Each calm counts once; a contract either way, or an order, begins the wait anew."""
    looks = {
        "0:0:n": "n",
        "9.9:0:n": "n",
        "10:0:n": "y",
        "11:0:n": "n",
        "20.9:0:n": "n",
        "21:0:n": "y",
        "22:-1:n": "n",
        "30:0:n": "n",
        "39:0:y": "n",
        "40:0:n": "n",
        "49.9:0:n": "n",
        "49.95:2:n": "n",
        "60:0:n": "n",
        "70:0:n": "y",
    }
    assert told(program, "calm", *looks) == "".join(looks.values())


def test_each_flattening_that_fails_is_told_loudly_at_first(program: Path) -> None:
    """Rarer and rarer over a weekend, and anew where another begins after it."""
    repeats = "the account is still not flat; it is flattened again"
    rarer = [f"{'loud' if n in (1, 2, 4, 8, 16) else 'quiet'}: {repeats}" for n in range(1, 31)]
    assert told(program, "flattenings", "30,5").splitlines() == [
        *("loud: begun", *rarer, "over"),
        *("loud: begun", *rarer[:5], "over"),
    ]
