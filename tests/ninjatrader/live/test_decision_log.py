"""Every word and number of a decision log's lines, also of what rarely happens to a live strategy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parity.export_chain.csharp import MISSING, available
from parity.live_replay.decision_log import MODES, read_log
from parity.live_replay.fills import GIVEN_UP
from tests.ninjatrader.compiled import compiled
from tests.ninjatrader.hosting import live_bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.IO;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        DateTime noon = new DateTime(2025, 3, 10, 16, 0, 0, DateTimeKind.Utc);
        Agent agent = new Agent(args[0]);
        double[] ohlcv = { 5000.25, 5001, 4999.75, 5000.5, 123 };
        for (int n = 0; n < 200; n++)
            agent.OnBar(noon.AddMinutes(n - 199), 5001 + n % 7, 4999.75, 5000.5 + n % 5, 100 + n);
        int action = agent.Decide();
        StringWriter text = new StringWriter();
        DecisionLog log = new DecisionLog(text, Console.Error.WriteLine);
        log.Header(agent.Policy.Manifest, "ES 03-25", "Simulator", noon.AddMilliseconds(7));
        agent.Entered(-1, 5000.75);
        foreach (Mode mode in Enum.GetValues(typeof(Mode)))
        {
            foreach (Skip skip in Enum.GetValues(typeof(Skip)))
                if (skip != Skip.None)
                    log.Bar(agent, noon, ohlcv, mode, action, skip, Withheld.None, 1018);
            foreach (Withheld withheld in Enum.GetValues(typeof(Withheld)))
                log.Bar(agent, noon, ohlcv, mode, action, Skip.None, withheld, 777);
            log.Fill(() => noon.AddMilliseconds(1500), mode, -1, 3, 5000.25, "Stop loss", double.NaN);
            log.Fill(() => noon, mode, 1, 2, 0.1, "RLTrader", 12.5);
            log.Alive(noon, mode, -2, 5, true);
            log.Alive(noon, mode, 3, -4, false);
        }
        foreach (Trouble trouble in Enum.GetValues(typeof(Trouble)))
        {
            log.Ended("RLTrader", true, trouble);
            log.Ended("Profit target", false, trouble);
        }
        Console.Write(text);
        foreach (double x in agent.Observation) Console.Write(x.ToString("R") + " ");
        Console.WriteLine(action);
    }
}
"""

SKIPPED = (
    "historical",
    "warming up",
    "flat by",
    "closed on this bar",
    "an entry is on its way",
    *GIVEN_UP,
)
WITHHELD = (None, "flat by", "blocked", "platform", "account", "not connected", "off the clock")


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the lines of a log, and the numbers that were observed with the action behind them."""
    program = compiled(tmp_path_factory.mktemp("log"), PROGRAM)
    command = ["mono", str(program), str(live_bundle(1))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *log, observed = done.stdout.splitlines()
    return [json.loads(line) for line in log], observed.split()


def test_reasons_are_written_in_the_words_that_a_replay_knows(lines: Any) -> None:
    bars = [line for line in lines[0] if line.get("event") == "bar"]
    each = len(SKIPPED) + len(WITHHELD)
    assert len(bars) == each * len(MODES)
    for number, mode in enumerate(MODES):
        own = bars[number * each : (number + 1) * each]
        assert {line["mode"] for line in own} == {mode}
        assert tuple(line.get("skipped") for line in own) == (*SKIPPED, *[None] * len(WITHHELD))
        assert tuple(line.get("withheld") for line in own[len(SKIPPED) :]) == WITHHELD
        for line in own:
            assert ("action" in line) == ("skipped" not in line)


def test_a_line_of_a_bar_holds_what_was_seen_held_and_decided(lines: Any) -> None:
    log, (*observed, action) = lines
    bar = dict(next(line for line in log if "action" in line))
    features = bar.pop("features")
    assert (features[0], features[1], features[8]) == (5004.5, 299, 12)
    assert len(features) == 11
    stop, target, trail = bar.pop("distances")
    atr = features[7] / 0.25
    assert (stop, target, trail) == (int(1.5 * atr + 0.5), 3 * stop, int(atr + 0.5))
    logits = bar.pop("logits")
    assert (
        bar
        == {
            "event": "bar",
            "time": "2025-03-10T16:00:00Z",
            "number": 150,  # the first 49 bars were before 09:30
            "minute": 720,
            "mode": "historical",
            "flat_by": 777,
            "ohlcv": [5000.25, 5001, 4999.75, 5000.5, 123],
            "side": -1,
            "entry": 20_003,
            "stop": 20_003 + stop,
            "target": 20_003 - target,
            "entry_bar": 150,
            "trailing": False,
            "observed": [float(x) for x in observed[-5:]],
            "mask": [True, True, True],
            "action": int(action),
        }
    )
    assert len(logits) == 3
    assert max(range(3), key=logits.__getitem__) == int(action)
    skipped = next(line for line in log if "skipped" in line)
    assert {**skipped, "flat_by": 777} == {
        **{name: value for name, value in bar.items() if name not in ("observed", "mask", "action")},
        "features": features,
        "distances": [stop, target, trail],
        "skipped": "historical",
    }


def test_fills_ends_and_signs_of_life_are_written_whole(lines: Any) -> None:
    log = lines[0]
    fills = [line for line in log if line.get("event") == "fill"]
    stop = {"time": "2025-03-10T16:00:01.500Z", "side": -1, "quantity": 3, "price": 5000.25}
    entry = {"time": "2025-03-10T16:00:00Z", "side": 1, "quantity": 2, "price": 0.1}
    assert fills == [
        {"event": "fill", **one, "mode": mode, "order": order, "latency_ms": latency}
        for mode in MODES
        for one, order, latency in ((stop, "Stop loss", None), (entry, "RLTrader", 12.5))
    ]
    alive = [line for line in log if line.get("event") == "alive"]
    assert alive == [
        {
            "event": "alive",
            "time": "2025-03-10T16:00:00Z",
            "mode": mode,
            "net": net,
            "account": account,
            "halted": halted,
        }
        for mode in MODES
        for net, account, halted in ((-2, 5, True), (3, -4, False))
    ]
    assert [line for line in log if line.get("event") == "ended"] == [
        {"event": "ended", "order": order, "unfilled": unfilled, "trouble": trouble}
        for trouble in ("none", "rejected", "change refused")
        for order, unfilled in (("RLTrader", True), ("Profit target", False))
    ]


def test_the_header_says_what_decides_and_in_which_order(lines: Any, tmp_path: Path) -> None:
    manifest = json.loads((live_bundle(1) / "manifest.json").read_text())
    header = lines[0][0]
    assert header == {
        "kind": "rltrader decisions",
        "version": 2,
        "opened": "2025-03-10T16:00:00.007Z",
        "bundle": str(live_bundle(1)),
        "policy_sha256": manifest["files"]["policy.safetensors"],
        "certificate": "ungated",
        "symbol": "ES",
        "instrument": "ES 03-25",
        "provider": "Simulator",
        "phase": 1,
        "session": "rth",
        "window": 20,
        "tick_size": 0.25,
        "contracts": 1,
        "preload": 300,
        "features": manifest["observation"]["features"],
        "position": manifest["observation"]["position"],
        "actions": manifest["actions"],
    }
    first = next(line for line in lines[0] if "action" in line)
    (tmp_path / "log.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in (header, {**first, "number": 0}))
    )
    read = read_log(tmp_path / "log.jsonl")
    assert (len(read), read.action.tolist(), read.mode) == (1, [first["action"]], ["historical"])
