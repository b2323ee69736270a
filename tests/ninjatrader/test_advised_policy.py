"""The live policy with advice: asked over HTTP in the background, bare where nothing came."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from foundation.files import file_digest
from jax_port.data.data_loader import prepare
from jax_port.export.manifest import MANIFEST, describe
from jax_port.ppo.policy import save_policy
from markets import EnvConfig, get_contract
from markets.advice.answers import Advice
from markets.advice.fusion import FusionSettings, Situation, fuse
from markets.advice.service import AdviceService, ask_rules, in_words
from markets.advice.view import MarketView
from markets.synthetic.pattern import pattern_bars
from parity.export_chain.csharp import available, compile_checker
from parity.export_chain.day import to_csv
from tests.jax_port.made_policy import make_policy
from tests.ninjatrader.compiled import compiled

pytestmark = pytest.mark.skipif(not available(), reason="no Mono here")

CONFIG = EnvConfig.phase1()
BARS = pattern_bars(days=2, seed=1)
SETTINGS = FusionSettings(rule="weighted", weight=4.0)
FIRST = 300
"""Bar of the first decision."""


class Decisions(NamedTuple):
    """What the checker wrote of each decision."""

    logits: np.ndarray
    masks: np.ndarray
    advice: np.ndarray
    confidence: np.ndarray
    fresh: np.ndarray
    bare: np.ndarray
    action: np.ndarray
    milliseconds: np.ndarray


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_checker(tmp_path_factory.mktemp("checker") / "ParityCheck.exe")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a strategy reads of a bundle, with a fusion, and the bars beside it."""
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(folder, CONFIG)
    (folder / "bars.csv").write_text(to_csv(BARS))
    return folder


def write_bundle(folder: Path, config: EnvConfig, settings: FusionSettings = SETTINGS) -> None:
    policy = make_policy(prepare(BARS, config), config)
    manifest = describe(policy, get_contract("ES"), {"file": "p", "sha256": "0"})
    save_policy(folder / "policy.safetensors", policy)
    files = {"policy.safetensors": file_digest(folder / "policy.safetensors")}
    manifest |= {"files": files, "fusion": settings.to_dict()}
    (folder / MANIFEST).write_text(json.dumps(manifest))


@contextmanager
def serving(ask: Callable[[MarketView], Advice | None]) -> Iterator[str]:
    with AdviceService(ask, 0) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            yield service.address
        finally:
            service.shutdown()
            thread.join()


def decide(checker: Path, bundle: Path, address: str, pause: int = 4) -> tuple[Decisions, int, int]:
    """Return all decisions of a day, how many questions were asked and how many failed."""
    made = bundle / "made.bin"
    command = [
        "mono",
        str(checker),
        "advised",
        str(bundle),
        str(bundle / "bars.csv"),
        str(pause),
        str(made),
    ]
    for _ in range(3):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, env={"RLTRADER_ADVICE": address}
        )
        if "threadpool-io.c" not in done.stderr:  # Mono may abort itself at the end, once all is done
            break
    assert done.returncode == 0, done.stdout + done.stderr
    table = np.fromfile(made, "<f8").reshape(-1, 14)
    parts = np.split(table, [3, 6, 9], axis=1)
    asked, failed = map(int, done.stdout.split())
    return Decisions(*parts[:3], *parts[3].T), asked, failed


def reference(found: Decisions) -> np.ndarray:
    """Return the actions of the fusion's reference on the same decisions."""
    count = len(found.action)
    given = Situation(
        found.logits,
        found.masks > 0,
        found.advice,
        found.confidence,
        found.fresh,
        np.zeros(count),
        np.ones(count),
    )
    return fuse(given, SETTINGS).action


@pytest.mark.costly
def test_advice_of_a_service_is_fused(checker: Path, bundle: Path) -> None:
    seen: list[MarketView] = []

    def ask(view: MarketView) -> Advice | None:
        seen.append(view)
        return ask_rules(view)

    with serving(ask) as address:
        found, asked, failed = decide(checker, bundle, address)
    assert (found.action == reference(found)).all()
    assert (found.fresh > 0).mean() > 0.5
    assert (found.action != found.bare).any()
    assert asked > 10
    assert failed == 0
    # What the service saw are the market's own bars and features, and its advice is what came back.
    market = prepare(BARS, CONFIG)
    for view in seen:
        (row,) = np.flatnonzero(market.timestamps_ns == view.timestamps_ns[-1])
        assert view.features[-20:] == pytest.approx(
            market.features[row - 19 : row + 1], rel=1e-5, abs=1e-4
        )
    assert {view.position for view in seen} == {"none"}  # this program opens no trade
    advised = found.advice[found.fresh > 0]
    answers = [ask_rules(view) for view in seen]
    chances = np.array([[answer.hold, answer.buy, answer.sell] for answer in answers])
    assert np.abs(advised[:, None] - chances[None]).max(axis=2).min(axis=1).max() < 1e-6


def shown(
    folder: Path, source: str, ask: Callable[[MarketView], Advice | None], *arguments: str
) -> str:
    """Return what a program on the bundle of a folder prints while a service answers it."""
    command = ["mono", str(compiled(folder, source)), str(folder), *arguments]
    with serving(ask) as address:
        env = {"RLTRADER_ADVICE": address}
        return subprocess.run(
            command, check=True, timeout=200, stdout=subprocess.PIPE, text=True, env=env
        ).stdout


ASK_ONCE = """
using System;
using System.Threading;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        AdvisedPolicy policy = (AdvisedPolicy)AdvisedPolicy.Load(args[0]);
        DateTime open = new DateTime(2025, 3, 10, 14, 0, 0, DateTimeKind.Utc);
        for (int n = 0; n < 80; n++)
            policy.Bar(open.AddMinutes(n), 5001, 4999, 5000, new double[Manifest.KnownFeatures.Length]);
        float[] observation = new float[policy.Manifest.Size];
        int before = observation.Length - policy.Manifest.PositionFeatures - 1;
        for (int n = 1; n < args.Length; n++) observation[before + n] = float.Parse(args[n]);
        bool[] mask = new bool[policy.Manifest.Actions];
        for (int n = 0; n < mask.Length; n++) mask[n] = true;
        policy.Decide(observation, mask);
        for (int n = 0; n < 600 && policy.Client.Newest == null; n++) Thread.Sleep(50);
        policy.Dispose();
    }
}
"""


@pytest.mark.parametrize("phase", [1, 2])
def test_a_question_tells_of_the_position_what_both_phases_have(phase: int, tmp_path: Path) -> None:
    config = EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()
    write_bundle(tmp_path, config)
    held = [-1.0, 1.25, 1.5, 3.0, 0.25, *([] if phase == 1 else [0.0, 1.0, 1.0])]
    seen: list[MarketView] = []

    def ask(view: MarketView) -> Advice | None:
        seen.append(view)
        return Advice(0.2, 0.5, 0.3, 0.5)

    shown(tmp_path, ASK_ONCE, ask, *map(str, held))
    assert [view.position for view in seen] == [in_words(held[:5])]


ASK_AT_ENTRIES = """
using System;
using System.Threading;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        AdvisedPolicy policy = (AdvisedPolicy)AdvisedPolicy.Load(args[0]);
        DateTime open = new DateTime(2025, 3, 10, 14, 0, 0, DateTimeKind.Utc);
        Random random = new Random(1);
        bool[] mask = new bool[policy.Manifest.Actions];
        for (int n = 0; n < mask.Length; n++) mask[n] = true;
        for (int n = 0; n < 60; n++)
        {
            policy.Bar(open.AddMinutes(n), 5001, 4999, 5000, new double[Manifest.KnownFeatures.Length]);
            float[] observation = new float[policy.Manifest.Size];
            for (int i = 0; i < observation.Length; i++)
                observation[i] = (float)(9000 * random.NextDouble());
            int before = policy.Client.Asked, action = policy.Decide(observation, mask);
            bool asked = policy.Client.Asked > before;
            long minute = (long)(open.AddMinutes(n) - new DateTime(1970, 1, 1)).TotalMinutes;
            for (int wait = 0; asked && wait < 2000; wait++)
                if (policy.Client.Newest != null && policy.Client.Newest.Minute == minute) break;
                else Thread.Sleep(10);
            Console.WriteLine((n + 1) + " " + policy.Bare + " " + action + " " + (asked ? 1 : 0));
        }
        policy.Dispose();
    }
}
"""


def test_the_policy_s_own_wish_to_enter_is_a_reason_to_ask(tmp_path: Path) -> None:
    """Whether or not older advice lets it: else that advice would never be renewed when it matters."""
    settings = replace(SETTINGS, every=50, cooldown=0, at_entries=True, weight=10.0)
    write_bundle(tmp_path, CONFIG, settings)
    told = shown(tmp_path, ASK_AT_ENTRIES, lambda view: Advice(0.98, 0.01, 0.01, 1.0))
    bar, bare, action, asked = np.array([line.split() for line in told.splitlines()], int).T
    assert ((bare > 0) & (action == 0)).sum() > 5
    np.testing.assert_array_equal(asked == 1, (bare > 0) | (bar % 50 == 0))


BAR_BY_BAR = """
using System;
using System.IO;
using System.Threading;
using RLTrader;

public static class Show
{
    public static void Main(string[] args)
    {
        AdvisedPolicy policy = (AdvisedPolicy)AdvisedPolicy.Load(args[0]);
        DateTime open = new DateTime(2025, 3, 10, 14, 0, 0, DateTimeKind.Utc);
        bool[] mask = new bool[policy.Manifest.Actions];
        for (int n = 0; n < mask.Length; n++) mask[n] = true;
        BODY
        policy.Dispose();
    }
}
"""


def bar_by_bar(body: str) -> str:
    """Return a program that loads a policy, allows every action, and then does what is given."""
    return BAR_BY_BAR.replace("BODY", body)


ASK_WHILE_BUSY = """
        for (int n = 1; n <= 9; n++)
        {
            policy.Bar(open.AddMinutes(n), 5001, 4999, 5000, new double[Manifest.KnownFeatures.Length]);
            int before = policy.Client.Asked;
            policy.Decide(new float[policy.Manifest.Size], mask);
            if (policy.Client.Asked > before) Console.Write(n + " ");
            if (n == 7) File.WriteAllText(args[1], "");
            while (n == 7 && policy.Client.Busy) Thread.Sleep(10);
        }
"""


def test_a_question_that_could_not_be_asked_begins_no_cooldown(tmp_path: Path) -> None:
    """The first is under way when the next is due, at bar 7; once it is answered, bar 8 asks."""
    write_bundle(tmp_path, CONFIG, replace(SETTINGS, every=1, cooldown=5))
    released = tmp_path / "released"

    def ask(view: MarketView) -> Advice | None:
        for _ in range(6000):
            if released.exists():
                break
            time.sleep(0.01)
        return Advice(0.2, 0.5, 0.3, 0.5)

    assert shown(tmp_path, bar_by_bar(ASK_WHILE_BUSY), ask, str(released)) == "1 8 "


ASK_UNTIL_IT_FAILS = """
        float[] observation = new float[policy.Manifest.Size];
        for (int n = 0; n < 2000 && policy.Client.Failed == 0; n++)
        {
            policy.Bar(open.AddMinutes(n), 5001, 4999, 5000, new double[Manifest.KnownFeatures.Length]);
            if (n >= 80) policy.Decide(observation, mask);
            if (n >= 80) Thread.Sleep(10);
        }
        Console.Write(policy.Client.Failed > 0 && policy.Client.Newest != null);
"""


def test_an_answer_outlives_the_questions_after_it_that_fail(tmp_path: Path) -> None:
    write_bundle(tmp_path, CONFIG)
    asked: list[MarketView] = []

    def ask(view: MarketView) -> Advice | None:
        asked.append(view)
        return Advice(0.2, 0.5, 0.3, 0.5) if len(asked) == 1 else None

    assert shown(tmp_path, bar_by_bar(ASK_UNTIL_IT_FAILS), ask) == "True"
    assert len(asked) > 1


def test_a_slow_service_never_holds_a_bar_up(checker: Path, bundle: Path) -> None:
    ended = threading.Event()

    def ask(view: MarketView) -> Advice | None:
        ended.wait(60)
        return ask_rules(view)

    with serving(ask) as address:
        found, asked, _ = decide(checker, bundle, address, pause=1)
        ended.set()  # the question was given up when the program ended, or the program says not
    assert asked == 1  # and no second while it is under way
    assert (found.fresh == 0).all()
    assert (found.action == found.bare).all()
    assert np.median(found.milliseconds) < 5
    assert found.milliseconds.max() < 1500


def silent(view: MarketView) -> Advice | None:
    return None


def impossible(view: MarketView) -> Advice | None:
    return Advice(0.9, 0.9, 0.9, 2.0)


@pytest.mark.costly
@pytest.mark.parametrize("ask", [silent, impossible])
def test_no_usable_answer_is_the_bare_policy(
    checker: Path, bundle: Path, ask: Callable[[MarketView], Advice | None]
) -> None:
    with serving(ask) as address:
        found, asked, failed = decide(checker, bundle, address)
    assert (found.action == found.bare).all()
    assert asked > 5
    assert failed >= asked - 1  # the last may be under way still


def test_no_service_is_the_bare_policy(checker: Path, bundle: Path) -> None:
    found, asked, failed = decide(checker, bundle, "http://127.0.0.1:9/ask")
    assert (found.action == found.bare).all()
    assert failed >= asked - 1 > 0


@pytest.mark.parametrize("trained", [{"as": "prior"}, {"as": "columns"}])
def test_a_policy_that_lacks_the_advice_of_its_training_is_refused(
    checker: Path, bundle: Path, tmp_path: Path, trained: dict[str, str]
) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    manifest = json.loads((bundle / MANIFEST).read_text())
    if trained["as"] == "prior":
        del manifest["fusion"]
    manifest["trained_with_advice"] = trained
    (tmp_path / "bundle" / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(AssertionError, match="trained with advice, and its fusion is not there"):
        decide(checker, tmp_path / "bundle", "http://127.0.0.1:9/ask")


def test_a_service_elsewhere_is_refused(checker: Path, bundle: Path) -> None:
    with pytest.raises(AssertionError, match="not on this machine"):
        decide(checker, bundle, "http://example.com/ask")
