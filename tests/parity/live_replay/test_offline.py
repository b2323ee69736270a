"""A log of fused decisions, replayed with the advice that it holds: it agrees, and faults are found."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from click.testing import CliRunner, Result

from jax_port.export.manifest import MANIFEST
from markets.advice.fusion import FusionSettings
from markets.advice.service import AdviceService, ask_rules
from parity.export_chain.csharp import MISSING, available
from parity.live_replay.decision_log import read_log
from rltrader.live.replay import replay
from tests.ninjatrader.hosting import host, live_bundle, live_files, live_log, run_host, scratch
from tests.sentences import check_error, refuses

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

SETTINGS = FusionSettings(
    "weighted", weight=6.0, every=20, cooldown=19, at_entries=False, fade=0.0, most_age=1000
)
# The platform plays a day within the time of an answer, so here each question waits for its own.
WAITING = ("AdviceClient.cs", "            return true;", "while (Busy) Thread.Sleep(1); return true;")
Lines = list[dict[str, Any]]


@cache
def fused() -> tuple[Path, Path]:
    """Return a bundle with a fusion, and the log of its strategy beside a service of the rules."""
    folder = scratch() / "fused"
    shutil.copytree(live_bundle(2), folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "fusion": SETTINGS.to_dict()}))
    user = Path(tempfile.mkdtemp(dir=scratch()))
    with AdviceService(ask_rules, 0) as service:
        thread = threading.Thread(target=service.serve_forever)
        thread.start()
        try:
            with patch.dict(os.environ, RLTRADER_ADVICE=service.address):
                run_host(user, folder, "ES", "fill", str(live_files()[1]), program=host(WAITING))
        finally:
            service.shutdown()
            thread.join()
    (log,) = (user / "rltrader").glob("*.jsonl")
    return folder, log


def run(log: Path, bundle: Path) -> Result:
    return CliRunner().invoke(replay, [*command(log, bundle), "--json"])


def command(log: Path, bundle: Path) -> list[str]:
    return [str(log), "--data", str(live_files()[0]), "--bundle", str(bundle)]


@pytest.mark.costly
def test_fused_decisions_agree_with_the_advice_that_the_log_holds() -> None:
    folder, path = fused()
    log = read_log(path)
    assert (log.asked >= 0).sum() > 100
    done = run(path, folder)
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["verdict"] == "same"
    assert report["log"]["fusion"]["rule"] == "weighted"
    assert report["log"]["with_advice"] == (log.asked >= 0).sum()
    said = CliRunner().invoke(replay, command(path, folder)).output
    without = (log.decided & (log.asked < 0)).sum()
    assert (
        f"decisions are fused with advice (rule weighted): {(log.asked >= 0).sum():,} decisions had an "
        f"answer of the service, {without:,} had none"
    ) in said
    # Fused, the policy decides otherwise than its own logits say, which the replay has followed.
    own = np.where(log.mask, log.logits, -np.inf).argmax(axis=1)
    assert (own[log.decided] != log.action[log.decided]).any()


def first_advised(lines: Lines, told: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    return next(line for line in lines if line.get("asked", -1) >= 0 and told(line))


def other_advice(lines: Lines) -> tuple[int, str]:
    entry = first_advised(lines, lambda line: line["action"] in (1, 2) and line["advice"][0] < 0.5)
    entry["advice"] = [1.0, 0.0, 0.0]
    return entry["number"], "action"


def advice_of_the_future(lines: Lines) -> tuple[int, str]:
    entry = first_advised(lines, lambda line: True)
    entry["asked"] += 100_000
    return entry["number"], "advice"


@pytest.mark.costly
@pytest.mark.parametrize("plant", [other_advice, advice_of_the_future])
def test_a_planted_difference_is_found(plant: Callable[[Lines], Any], tmp_path: Path) -> None:
    folder, path = fused()
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    bar, stage = plant(lines)
    changed = tmp_path / "log.jsonl"
    changed.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    done = run(changed, folder)
    assert done.exit_code == 1, done.output
    first = json.loads(done.stdout)["first"]
    assert (first["bar"], first["stage"]) == (bar, stage)


def test_a_log_belongs_to_the_bundle_of_its_fusion(tmp_path: Path) -> None:
    folder, path = fused()
    named = r"(?<=/ES-)\d+-\d+"  # by the time at which it began
    check_error(run(path, live_bundle(2)).exception, named)
    check_error(run(live_log(2), folder).exception, named)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    manifest = json.loads((other / MANIFEST).read_text())
    for name, value in (("weight", 2.0), ("threshold", 0.5), ("fade", 0.25), ("most_age", 999)):
        changed = {**manifest, "fusion": {**manifest["fusion"], name: value}}
        (other / MANIFEST).write_text(json.dumps(changed))
        check_error(run(path, other).exception, named)


def test_numbers_of_a_fusion_are_four(tmp_path: Path) -> None:
    lines = fused()[1].read_text(encoding="utf-8").splitlines()
    header = json.loads(lines[0])
    assert header["fusion_numbers"] == [6.0, np.float32(0.7), 0.0, 1000.0]
    for numbers in ([], [6.0, 0.7, 0.0], [6.0, 0.7, 0.0, 1000.0, 1.0], [6.0, 0.7, 0.0, True], None):
        spoilt = [json.dumps({**header, "fusion_numbers": numbers}), *lines[1:]]
        (tmp_path / "log.jsonl").write_text("\n".join(spoilt) + "\n", encoding="utf-8")
        with refuses():
            read_log(tmp_path / "log.jsonl")
