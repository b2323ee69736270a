"""What a guard reads and writes look by look: its kill switch, its day's note, its highest equity."""

from __future__ import annotations

import subprocess

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.live.test_custody import steps_of

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using System.IO;
using RLTrader;

public static class Show
{
    // 10:00 in New York, of a Monday.
    private static readonly DateTime Begin = new DateTime(2025, 3, 10, 14, 0, 0, DateTimeKind.Utc);
    private static readonly CultureInfo Plain = CultureInfo.InvariantCulture;

    public static void Main(string[] args)
    {
        string day = args[0] + "/day", high = args[0] + "/high", kill = args[0] + "/kill";
        Manifest manifest = new Manifest { TrailingDrawdown = 2000, FloorLock = 100, FlatBy = 958 };
        Guard guard = null;
        DateTime end = DateTime.MaxValue;
        for (string line; (line = Console.ReadLine()) != null;)
        {
            string[] words = line.Split(' ');
            double[] x = Array.ConvertAll(words, word => { double n; return double.TryParse(word,
                NumberStyles.Float, Plain, out n) ? n : double.NaN; });
            string path = words.Length < 2 ? "" : args[0] + "/" + words[1];
            string said = "";
            switch (words[0])
            {
                case "clean":
                    File.Delete(day);
                    File.Delete(high);
                    File.Delete(kill);
                    end = DateTime.MaxValue;
                    break;
                case "new": // a day's loss, the floor's start, and minutes before the end
                    GuardSettings limits = new GuardSettings { DailyLoss = x[1], FloorStart = x[2],
                        KillFile = kill, DayFile = day, FloorFile = high };
                    if (words.Length > 3) limits.MinutesBeforeEnd = (int)x[3];
                    try { guard = new Guard(limits, manifest); }
                    catch (BundleException error) { said = error.Message.Replace(args[0], "IN"); }
                    break;
                case "ends": end = Begin.AddSeconds(x[1]); break;
                case "look": // second, made, equity
                    guard.Look(Begin.AddSeconds(x[1]), end, x[2], x[3]);
                    said = guard.Block + " " + guard.Floor.ToString("R", Plain);
                    break;
                case "flat":
                    DateTime flat = guard.FlatAt(Begin.AddSeconds(x[1]), end);
                    said = (flat - Begin).TotalSeconds.ToString(Plain);
                    break;
                case "closes": said = guard.SessionCloses.ToString(); break;
                case "write":
                    File.WriteAllText(path, string.Join(" ", words, 2, words.Length - 2));
                    break;
                case "end-of": // a note of the day that ends at a second
                    string rest = string.Join(" ", words, 2, words.Length - 2);
                    File.WriteAllText(day, Begin.AddSeconds(x[1]).Ticks + " " + rest);
                    break;
                case "delete": File.Delete(path); break;
                case "read":
                    string[] found = (File.Exists(path) ? File.ReadAllText(path) : "none").Split(' ');
                    double ticks;
                    if (double.TryParse(found[0], NumberStyles.Float, Plain, out ticks) && path == day)
                        found[0] = Math.Round((ticks - Begin.Ticks) / 1e7, 3).ToString(Plain);
                    said = string.Join(" ", found);
                    break;
                case "stop": guard.StopByHand(); break;
                case "files": said = Directory.GetFiles(args[0]).Length.ToString(); break;
                default: throw new ArgumentException(line);
            }
            Console.WriteLine(said);
        }
    }
}
"""
EVENING = 28_800
"""Seconds until 18:00 in New York, when the next trading day begins."""

STORIES = {
    "a kill switch holds while its file is there, and is looked for once a second": """new 0 0 ->
look 0 0 0 -> None NaN; write kill ->; look 0.9 0 0 -> None NaN; look 1 0 0 -> KillSwitch NaN
look 1.5 0 0 -> KillSwitch NaN; delete kill ->; look 1.9 0 0 -> KillSwitch NaN
look 2 0 0 -> None NaN; look 2.5 0 0 -> None NaN; write kill ->; look 2.9 0 0 -> None NaN
look 3 0 0 -> KillSwitch NaN; look -9 0 0 -> KillSwitch NaN; delete kill ->
look -8.1 0 0 -> KillSwitch NaN; look -8 0 0 -> None NaN""",
    "the first of several blocks is told": """new 400 50000 ->; look 0 0 40000 -> None 48000
look 3 0 40000 -> DrawdownFloor 48000; look 4 -400 50000 -> DailyLoss 48000; stop ->
look 5 0 50000 -> KillSwitch 48000""",
    "what the day has made is kept, from the run's own begin": f"""new 400 0 ->; read day -> none
look 0 1000 0 -> None NaN; read day -> {EVENING} 0; look 1 850.25 0 -> None NaN
read day -> {EVENING} -149.75; look 1.5 860.25 0 -> None NaN; read day -> {EVENING} -139.75
new 400 0 ->; look 2 0 0 -> None NaN; read day -> {EVENING} -139.75; look 3 -260 0 -> None NaN
read day -> {EVENING} -399.75; look 4 -260.25 0 -> DailyLoss NaN
read day -> {EVENING} -400 blocked; look {EVENING} -260.25 0 -> None NaN
read day -> {EVENING + 86_400} 0; look {EVENING + 1} -660 0 -> None NaN
look {EVENING + 2} -660.25 0 -> DailyLoss NaN""",
    "a loss counts to the half of a cent": """new 400 0 ->; look 0 0 0 -> None NaN
look 1 -399.9949 0 -> None NaN; look 2 -399.9951 0 -> DailyLoss NaN""",
    "a note of the day that somebody spoils is written anew": f"""new 400 0 ->
look 0 0 0 -> None NaN; write day what is this ->; look 0.5 0 0 -> None NaN
read day -> what is this; look 1 0 0 -> None NaN; read day -> {EVENING} 0
look 1.5 -400 0 -> DailyLoss NaN; write day spoilt ->; look 2 -390 0 -> DailyLoss NaN
read day -> {EVENING} -390 blocked""",
    "a day's note that is deleted is written anew": f"""new 400 0 ->; look 0 0 0 -> None NaN
delete day ->; look 1 0 0 -> None NaN; read day -> {EVENING} 0""",
    "a session that ends in more than a day is of today where its end is the same": """ends 100000 ->
end-of 100000 -250 ->; new 400 0 ->; look 0 0 0 -> None NaN; look 1 -150 0 -> DailyLoss NaN""",
    "one that ends in more than a day and is not this one is none of today's": """ends 90000 ->
end-of 100000 -250 ->; new 400 0 ->; look 0 0 0 -> None NaN; look 1 -399 0 -> None NaN
read day -> 90000 -399""",
    "a note of a day is of today for a day": """end-of 86400 -250 ->; new 400 0 ->
look 0 0 0 -> None NaN; look 1 -150 0 -> DailyLoss NaN""",
    "a note of a day that has ended is of the past": """end-of 0 -250 blocked ->; new 400 0 ->
look 0 0 0 -> None NaN; look 1 -399 0 -> None NaN""",
    "a note is taken up at the first look within the session": """ends 0 ->; end-of 500 -250 ->
new 400 0 ->; look 0 0 0 -> None NaN; ends 500 ->; look 1 10 0 -> None NaN
look 2 -139 0 -> None NaN; look 3 -140 0 -> DailyLoss NaN""",
    "a note is taken up once": """end-of 20000 -250 ->; ends 9 ->; new 400 0 ->
look 0 0 0 -> None NaN; ends 20000 ->; look 9 0 0 -> None NaN; look 10 -399 0 -> None NaN""",
    "the highest equity is kept": """new 0 50000 ->; read high -> 50000; look 0 0 50500 -> None 48000
look 2.9 0 50400.5 -> None 48000; read high -> 50000; look 3 0 50600 -> None 48400.5
read high -> 50400.5; look 4 0 51000 -> None 48400.5; look 7 0 53000 -> None 49000
read high -> 51000; look 8 0 59000 -> None 49000; look 12 0 59000 -> None 50100
read high -> 59000; look 13 0 50099 -> None 50100; look 16 0 50099 -> DrawdownFloor 50100
read high -> 59000 blocked; files -> 1""",
    "an account of which nothing is told is neither above nor below": """new 0 50000 ->
look 0 0 NaN -> None 48000; look 9 0 NaN -> None 48000; look 10 0 51000 -> None 48000
look 11 0 NaN -> None 48000; look 13 0 51000 -> None 48000; look 16 0 51000 -> None 49000
look 17 0 48000 -> None 49000; look 18 0 NaN -> None 49000; look 20 0 48000 -> None 49000
look 22.9 0 48000 -> None 49000; look 23 0 48000 -> DrawdownFloor 49000""",
    "a floor is missed by half of a cent": """new 0 50000 ->; look 0 0 47999.996 -> None 48000
look 9 0 47999.996 -> None 48000; look 10 0 47999.994 -> None 48000
look 13 0 47999.994 -> DrawdownFloor 48000""",
    "a highest equity of another instance is taken over in time": """new 0 50000 ->
look 0 0 50000 -> None 48000; write high 50300 ->; look 0.5 0 50000 -> None 48000
look 1 0 50000 -> None 48300; write high 50200 blocked ->; look 2 0 50000 -> DrawdownFloor 48300
read high -> 50300 blocked""",
    "a highest equity that somebody spoils is written anew": """new 0 50000 ->
write high nothing ->; look 0 0 50000 -> None 48000; read high -> 50000""",
    "no limit keeps no file": """new 0 0 ->; look 0 0 0 -> None NaN; look 1 -9999 0 -> None NaN
files -> 0""",
    "notes of something else are refused": """write day much ->
new 400 0 -> IN/day: not the day's end in ticks and the dollars made, correct it, or delete the file
write day 1 2 3 ->
new 400 0 -> IN/day: not the day's end in ticks and the dollars made, correct it, or delete the file
new 0 0 ->; write high 1 2 ->
new 0 50000 -> IN/high: not the account's highest equity in dollars, correct it, or delete the file
new 400 0 -> IN/day: not the day's end in ticks and the dollars made, correct it, or delete the file
delete day ->; new 400 0 ->""",
    "all is flat some minutes before the session ends, or after the rules' last bar": """new 0 0 7 ->
flat 0 -> 21540; ends 21959 ->; flat 0 -> 21539; ends 21960 ->; flat 0 -> 21540; ends 21961 ->
flat 0 -> 21540; ends 600 ->; flat 500 -> 180; flat 86000 -> 180; ends 900000 ->
flat 86400 -> 107940; new 0 0 ->; ends 600 ->; flat 0 -> 480""",
    "the platform closes for ten seconds": """new 0 0 ->; ends 100 ->; look 69.9 0 0 -> None NaN
closes -> False; look 70 0 0 -> None NaN; closes -> True; look 79.9 0 0 -> None NaN
closes -> True; look 80 0 0 -> None NaN; closes -> False""",
}
"""Each line with what is said on it: seconds since the begin, dollars made and the account's equity."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return what is said to each story's lines; a sentence's semicolons are commas here."""
    folder = tmp_path_factory.mktemp("guard")
    (folder / "notes").mkdir()
    lines = [line for story in STORIES.values() for line in ["clean", *(x for x, _ in steps_of(story))]]
    command = ["mono", str(compiled(folder, PROGRAM)), str(folder / "notes")]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=True)
    answers = iter(done.stdout.replace(";", ",").split("\n"))
    return {
        name: [next(answers) for _ in ["", *steps_of(story)]][1:] for name, story in STORIES.items()
    }


@pytest.mark.parametrize("name", STORIES)
def test_each_look_has_its_answer(name: str, told: dict[str, list[str]]) -> None:
    lines = [line for line, _ in steps_of(STORIES[name])]
    assert list(zip(lines, told[name], strict=True)) == steps_of(STORIES[name])
