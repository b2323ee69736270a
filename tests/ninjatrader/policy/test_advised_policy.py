"""When an advised policy asks, what it tells, and how old the advice is that it decides on."""

from __future__ import annotations

import json
import subprocess
from itertools import cycle
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.answering import answering
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using System.Linq;
using System.Threading;
using RLTrader;

public sealed class Script : IPolicy
{
    public int Next;
    public Manifest Manifest { get; set; }
    public double[] Logits { get { return new double[] { 1, 0.5, 0, 0, 0, 0 }; } }
    public int Decide(float[] observation, bool[] mask) { return Next; }
}

public static class Show
{
    // Bars before the first decision; then of each decision the minute and the bare policy's action.
    public static void Main(string[] args)
    {
        Manifest manifest = new Manifest { Symbol = "ZZ", TickSize = 0.1, PositionFeatures = 8,
            Actions = 6 };
        FusionSettings settings = new FusionSettings { Rule = FusionRule.Weighted, Weight = 2,
            Fade = 0.25f, MostAge = 3, Every = 4, Cooldown = 5, AtEntries = bool.Parse(args[1]) };
        Script script = new Script { Manifest = manifest };
        AdvisedPolicy policy = new AdvisedPolicy(script, settings, new AdviceClient(args[0], 60000));
        for (int n = 0; n < int.Parse(args[2]); n++) Bar(policy, n);
        float[] observation = { 9, 9, 0.5f, -1, float.NaN, 1.25f, 3, 7, 7, 7 };
        foreach (string step in args.Skip(3))
        {
            int minute = int.Parse(step.Split(':')[0]);
            if (!step.EndsWith("again")) Bar(policy, minute);
            script.Next = int.Parse(step.Split(':')[1][0].ToString());
            int before = policy.Client.Asked;
            int action = policy.Decide(observation, new[] { true, true, true, false, false, false });
            bool asked = policy.Client.Asked > before;
            while (policy.Client.Busy) Thread.Sleep(5);
            Situation given = policy.Given;
            double[] seen = given.Advice.Select(x => (double)x).Concat(
                new double[] { given.Confidence, given.Fresh, given.Losses, given.Left }).ToArray();
            Console.WriteLine((asked ? "asked" : "-") + " " + policy.Bare + " " + action + " "
                + policy.GivenMinute + " | " + string.Join(" ", seen.Select(
                x => Math.Round(x, 6).ToString(CultureInfo.InvariantCulture))));
        }
        policy.Dispose();
    }

    private static void Bar(AdvisedPolicy policy, int minute)
    {
        policy.Bar(BarFile.Epoch.AddMinutes(minute).AddSeconds(59), 100 + minute, 90, 95.5,
            new double[] { 0.1, double.NaN, double.NegativeInfinity, minute });
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("advised"), PROGRAM)


ADVICE = [(0.1, 0.2, 0.7, 0.5), (0.0, 0.875, 0.125, 1.0), (0.25, 0.25, 0.5, 0.0)]
"""Hold, buy, sell and confidence, answer by answer."""
NONE = "1 0 0 0 0 0 1"
"""No advice: hold for sure, no confidence, nothing fresh, no losses and the whole drawdown left."""


def played(
    program: Path, at_entries: bool, before: int, steps: list[str]
) -> tuple[list[str], list[dict[str, object]]]:
    """Return what is printed for each step, and the questions."""
    names = ("hold", "buy", "sell", "confidence")
    answers = (dict(zip(names, one, strict=True)) for one in cycle(ADVICE))
    with answering(lambda question: (200, json.dumps(next(answers)))) as (address, asked):
        command = ["mono", str(program), address + "/ask", str(at_entries), str(before), *steps]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.splitlines(), [json.loads(question.text) for question in asked]


def test_each_decision_has_the_newest_advice_by_its_age(program: Path) -> None:
    """A fourth bar asks, then a wish to sell, but not before more than five bars have gone."""
    first, second = "0.1 0.2 0.7 0.5", "0 0.875 0.125 1"
    wanted = {
        "84:0": f"- 0 0 -1 | {NONE}",
        "85:1": f"asked 1 0 -1 | {NONE}",  # the bare policy would buy
        "86:0": f"- 0 2 85 | {first} 1 0 1",
        "86:1again": f"- 1 2 85 | {first} 1 0 1",
        "87:0": f"- 0 2 85 | {first} 0.75 0 1",
        "88:0": f"- 0 2 85 | {first} 0.5625 0 1",
        "89:0": f"- 0 2 85 | {first} 0.421875 0 1",  # as old as may be
        "90:2": f"- 2 0 85 | {first} 0 0 1",
        "91:2": f"asked 2 0 85 | {first} 0 0 1",
        "91:2again": f"- 2 0 -1 | {NONE}",  # an answer counts from the bar after its own
        "94:0": f"- 0 1 91 | {second} 0.5625 0 1",
        "95:0": f"- 0 1 91 | {second} 0.421875 0 1",
        "96:1": f"- 1 0 91 | {second} 0 0 1",
    }
    told, _ = played(program, True, 84, list(wanted))
    assert dict(zip(wanted, told, strict=True)) == wanted


def test_bars_are_counted_for_what_is_due_and_entries_ask_where_they_may(program: Path) -> None:
    steps = [f"{minute}:{2 if minute % 2 else 0}" for minute in range(3, 30)]

    def bars_that_ask(entries: bool) -> list[int]:
        told, _ = played(program, entries, 3, steps)
        return [bar for bar, line in enumerate(told, 4) if line.startswith("asked")]

    # Bars 4, 8, 12 and so on are due, and after a question five bars are not.
    assert bars_that_ask(False) == [4, 12, 20, 28]
    # Every even bar is one of a minute that is odd, at which the bare policy would sell.
    assert bars_that_ask(True) == [4, 10, 16, 22, 28]


def test_a_question_holds_the_newest_eighty_bars_and_the_position(program: Path) -> None:
    _, (question,) = played(program, False, 87, ["87:0"])
    _, (short,) = played(program, False, 3, ["3:0"])
    bars = [[minute, 100 + minute, 90, 95.5, 0.1, 0, 0, minute] for minute in range(88)]
    position = [0.5, -1, 0, 1.25, 3]
    assert question == {"symbol": "ZZ", "tick": 0.1, "bars": bars[-80:], "position": position}
    assert short == {"symbol": "ZZ", "tick": 0.1, "bars": bars[:4], "position": position}
