"""Lines of a log whose decisions are fused with advice, and the files in which logs are kept."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, available
from parity.live_replay.decision_log import read_log
from tests.ninjatrader.answering import answering
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.IO;
using System.Threading;
using RLTrader;

public sealed class Script : IPolicy
{
    public Manifest Manifest { get; set; }
    public double[] Logits { get { return new double[] { 6, 5, 4.5, 3, 2, 0.1 }; } }
    public int Decide(float[] observation, bool[] mask) { return 0; }
}

public static class Show
{
    private static readonly DateTime Noon = new DateTime(2025, 3, 10, 16, 0, 0, DateTimeKind.Utc);

    public static void Main(string[] args)
    {
        if (args[0] == "keep")
        {
            for (int n = 1; n < args.Length; n++)
            {
                string folder = args[n] == "" ? null : args[n];
                DecisionLog kept = new DecisionLog(folder, "ES", Noon, Console.WriteLine);
                kept.Ended("order " + n, true, Trouble.None);
                kept.Ended("again", false, Trouble.None);
                Console.WriteLine(kept.Place ?? "nowhere");
                kept.Dispose();
                kept.Ended("after the end", true, Trouble.None);
            }
            return;
        }
        FusionSettings settings = new FusionSettings { Rule = FusionRule.Weighted, Weight = 0.625f,
            Threshold = 0.375f, Fade = 0.125f, MostAge = 17, Every = 1, Cooldown = 0 };
        Manifest manifest = new Manifest { Folder = "a bundle", Symbol = "ZZ", Certificate = "same",
            PolicyDigest = "abc", Phase = 2, Session = SessionKind.All, Window = 1, WarmupBars = 20,
            Size = 19, PositionFeatures = 8, Actions = 6, TickSize = 0.125, TickValue = 5,
            Contracts = 3, EntryOpen = 0, EntryClose = 1440, FlatBy = 1439, MaxEpisodeBars = 40,
            StopMultiple = 1, TargetRatio = 2, TrailMultiple = 1, Fusion = settings };
        AdvisedPolicy policy = new AdvisedPolicy(new Script { Manifest = manifest }, settings,
            new AdviceClient(args[0], 60000));
        Agent agent = new Agent(policy, 0);
        StringWriter text = new StringWriter();
        DecisionLog log = new DecisionLog(text, Console.Error.WriteLine);
        log.Header(manifest, "ZZ 06-25", "Simulator", Noon);
        for (int n = 0; n < 24; n++)
        {
            DateTime open = Noon.AddMinutes(n);
            agent.OnBar(open, 101, 99, 100, 7);
            double[] ohlcv = { 100, 101, 99, 100, 7 };
            Skip skip = agent.Stream.Ready ? Skip.None : Skip.Warming;
            int action = skip == Skip.None ? agent.Decide() : 0;
            log.Bar(agent, open, ohlcv, Mode.Live, action, skip, Withheld.None, 1439);
            while (policy.Client.Busy) Thread.Sleep(5);
        }
        policy.Dispose();
        Console.Write(text);
    }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("fused"), PROGRAM)


def test_a_fused_decision_is_written_with_its_advice(program: Path, tmp_path: Path) -> None:
    answers = iter([(0.25, 0.5, 0.25, 0.875), (0.125, 0.125, 0.75, 1.0), (1.0, 0.0, 0.0, 0.0)])
    names = ("hold", "buy", "sell", "confidence")
    with answering(lambda _: (200, json.dumps(dict(zip(names, next(answers), strict=True))))) as (
        at,
        _,
    ):
        command = ["mono", str(program), at]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    header, *bars = map(json.loads, done.stdout.splitlines())
    assert {
        name: header[name] for name in ("fusion", "fusion_numbers", "phase", "session", "window")
    } == {
        "fusion": "weighted",
        "fusion_numbers": [0.625, 0.375, 0.125, 17],
        "phase": 2,
        "session": "all",
        "window": 1,
    }
    assert (header["tick_size"], header["contracts"], header["certificate"]) == (0.125, 3, "same")
    assert (header["bundle"], header["policy_sha256"], header["symbol"]) == ("a bundle", "abc", "ZZ")
    assert header["position"][5:] == ["can_enter", "at_break_even", "trailing"]
    assert header["actions"][3:] == ["break_even", "trail_on", "trail_off"]
    minute = 29_027_040  # noon's, since 1970
    told = [(bar["advice"], bar["confidence"], bar["asked"]) for bar in bars if "action" in bar]
    assert told == [
        ([1, 0, 0], 0, -1),
        ([0.25, 0.5, 0.25], 0.875, minute + 21),
        ([0.125, 0.125, 0.75], 1, minute + 22),
    ]
    assert all(bar["logits"] == [6, 5, 4.5, 3, 2, 0.1] for bar in bars if "action" in bar)
    assert all({"advice", "confidence", "asked"}.isdisjoint(bar) for bar in bars if "skipped" in bar)
    path = tmp_path / "log.jsonl"
    path.write_text(done.stdout)
    log = read_log(path)
    assert log.fusion == ("weighted", (0.625, 0.375, 0.125, 17))
    assert log.advice[-2:].tolist() == [[0.25, 0.5, 0.25], [0.125, 0.125, 0.75]]
    assert (log.confidence[-2:].tolist(), log.asked[-3:].tolist()) == (
        [0.875, 1],
        [-1, minute + 21, minute + 22],
    )


def test_each_log_has_a_file_of_its_own_and_one_that_cannot_be_written_says_so_once(
    program: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    logs, missing = tmp_path / "new" / "logs", tmp_path / "file" / "logs"
    command = ["mono", str(program), "keep", str(logs), str(logs), "", str(missing), str(logs)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    stem = f"{logs}/ES-20250310-160000"
    first, second, none, why, nowhere, last = done.stdout.splitlines()
    assert (first, second, last) == (f"{stem}.jsonl", f"{stem}-2.jsonl", f"{stem}-3.jsonl")
    assert (none, nowhere) == ("nowhere", "nowhere")
    assert why.startswith("the decision log can't be written (")
    assert why.endswith("); trading goes on without it")
    for number, path in ((1, first), (2, second), (5, last)):
        content = Path(path).read_bytes()
        lines = [json.loads(line) for line in content.split(b"\n")[:-1]]
        assert [line["order"] for line in lines] == [f"order {number}", "again"]
        assert content.startswith(b'{"event":"ended"')  # no mark of its encoding before it
