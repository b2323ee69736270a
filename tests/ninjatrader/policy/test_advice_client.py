"""Which answers of a service count as advice, which addresses it may have, and what it is asked."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from parity.export_chain.csharp import MISSING, available
from tests.ninjatrader.answering import Answer, Question, answering
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

PROGRAM = """
using System;
using System.Globalization;
using System.Linq;
using System.Threading;
using RLTrader;

public static class Show
{
    // One question to each address, or only whether it may be one.
    public static void Main(string[] args)
    {
        if (args[0] == "late")
        {
            AdviceClient late = new AdviceClient(args[1], 900);
            System.Diagnostics.Stopwatch watch = System.Diagnostics.Stopwatch.StartNew();
            Console.Write(Ask(late, 7, "question"));
            Console.Write(watch.ElapsedMilliseconds > 800 ? " waited" : " at once");
            Console.WriteLine(watch.ElapsedMilliseconds < 5000 ? " in time" : " for ever");
            return;
        }
        for (int n = 1; n < args.Length; n++)
            try
            {
                AdviceClient client = new AdviceClient(args[n], 60000);
                Console.WriteLine(args[0] == "ask" ? Ask(client, 6 + n, "question " + n) : "taken");
            }
            catch (BundleException error) { Console.WriteLine(error.Message); }
    }

    private static string Ask(AdviceClient client, long minute, string question)
    {
        bool asked = client.Ask(minute, question);
        while (client.Busy) Thread.Sleep(5);
        client.Dispose();
        bool more = client.Ask(minute, question);
        string told = asked + " " + more + " " + client.Asked + " " + client.Failed;
        LiveAdvice newest = client.Newest;
        if (newest == null) return told;
        float[] numbers = newest.Chances.Concat(new[] { newest.Confidence }).ToArray();
        return told + " " + newest.Minute + " " + string.Join(" ", numbers.Select(
            x => x.ToString("R", CultureInfo.InvariantCulture)));
    }
}
"""
MOST = 64 * 1024
"""Bytes of which an answer has to have fewer."""


def advice(hold: Any = 0.2, buy: Any = 0.5, sell: Any = 0.3, confidence: Any = 0.75) -> str:
    return json.dumps({"hold": hold, "buy": buy, "sell": sell, "confidence": confidence})


GOOD: dict[str, tuple[str, str]] = {
    "usual": (advice(), "0.2 0.5 0.3 0.75"),
    "a little above one": (advice(sell=0.3009), "0.2 0.5 0.3009 0.75"),
    "a little below one": (advice(sell=0.2991), "0.2 0.5 0.2991 0.75"),
    "all of one": (advice(0, 0, 1, 0), "0 0 1 0"),
    "sure": (advice(1, 0, 0, 1), "1 0 0 1"),
    "long": (advice().ljust(MOST - 1), "0.2 0.5 0.3 0.75"),
}
BAD: dict[str, Answer] = {
    "above one": (200, advice(sell=0.3012)),
    "below one": (200, advice(sell=0.2988)),
    "of nothing": (200, advice(0, 0, 0)),
    "hold below zero": (200, advice(-0.1, 0.6, 0.5)),
    "buy below zero": (200, advice(0.6, -0.1, 0.5)),
    "sell above one": (200, advice(0, -0.1, 1.1)),
    "less than not sure": (200, advice(confidence=-0.01)),
    "more than sure": (200, advice(confidence=1.01)),
    "a text": (200, advice(buy="0.5")),
    "nothing": (200, advice(confidence=None)),
    "no number": (200, advice(confidence=float("nan"))),
    "without sell": (200, '{"hold": 0.5, "buy": 0.5, "confidence": 1}'),
    "without confidence": (200, '{"hold": 0.5, "buy": 0.2, "sell": 0.3}'),
    "a list": (200, "[0.2, 0.5, 0.3, 0.75]"),
    "empty": (200, ""),
    "two": (200, advice() + advice()),
    "too long": (200, advice().ljust(MOST)),
    "an error": (500, advice()),
    "another success": (201, advice()),
    "elsewhere": (302, "/usual"),
}
ANSWERS = {name: (200, body) for name, (body, _) in GOOD.items()} | BAD


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("client"), PROGRAM)


def shown(program: Path, *words: str) -> list[str]:
    command = ["mono", str(program), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_an_answer_counts_where_it_is_of_three_chances_and_a_confidence(program: Path) -> None:
    names = {f"/{name.replace(' ', '-')}": name for name in ANSWERS}
    with answering(lambda question: ANSWERS[names[question.path]]) as (address, asked):
        told = shown(program, "ask", *(address + path for path in names))
    wanted = {
        name: f"True False 1 0 {minute} {GOOD[name][1]}" if name in GOOD else "True False 1 1"
        for minute, name in enumerate(ANSWERS, 7)
    }
    assert dict(zip(ANSWERS, told, strict=True)) == wanted
    # Each was asked once, with its own words, and nobody was asked elsewhere.
    assert asked == [
        Question("POST", path, "application/json", f"question {n}") for n, path in enumerate(names, 1)
    ]


def test_an_answer_is_waited_for_as_long_as_was_said(program: Path) -> None:
    """A service that says nothing keeps nobody, and its question is one that failed."""
    over = threading.Event()

    def silent(_: Question) -> Answer:
        over.wait(10)
        return 200, advice()

    with answering(silent) as (address, asked):
        try:
            for _ in range(3):
                command = ["mono", str(program), "late", address + "/ask"]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if not done.returncode:  # Mono may abort itself at the end, once all is done
                    break
        finally:
            over.set()
    assert done.stdout.startswith("True False 1 1 waited in time\n")
    assert asked


def test_a_service_is_on_this_machine(program: Path) -> None:
    here = ["http://127.0.0.1:8711/ask", "http://localhost/", "http://127.0.0.9:1/x", "http://[::1]:5/"]
    elsewhere = [
        "https://127.0.0.1/",
        "http://192.168.0.1:8711/ask",
        "http://localhost.example/",
        "ask",
        "",
    ]
    assert shown(program, "look", *here, *elsewhere) == ["taken"] * len(here) + [
        f"the advice service {one} is not on this machine; give an address such as "
        "http://127.0.0.1:8711/ask"
        for one in elsewhere
    ]
