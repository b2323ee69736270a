"""The checker of golden values: what agrees passes, and each value that is off fails and is named."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.export_chain.csharp import MISSING, available, compile_checker
from tests.ninjatrader.policy.test_policy_runner_files import arrays, bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

FIRST = datetime(2025, 3, 10, 13, 30, tzinfo=UTC)
COUNT = 40
CLOSES = 5000 + 0.25 * (np.arange(COUNT) * 7 % 5)
"""Each bar reaches a point above its close and one below, so that the ATR is eight ticks."""
AT = 30
"""Bar of the first decision, of three."""
FLAT = [0, 1, 0, 0, 0]


def minutes(count: int) -> datetime:
    return FIRST + timedelta(minutes=count)


def time(bar: int) -> int:
    return int(minutes(bar).timestamp())


def run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mono", str(program), *words], capture_output=True, text=True, check=False)


def decided(program: Path, folder: Path, seen: list[Any], masks: list[list[bool]]) -> np.ndarray:
    """Return logits and action of each observation, by the checker's own network."""
    rows = [np.array(x, "<f4").tobytes() + bytes(mask) for x, mask in zip(seen, masks, strict=True)]
    (folder / "in.bin").write_bytes(np.int32(len(rows)).tobytes() + b"".join(rows))
    run(program, "decide", str(folder), str(folder / "in.bin"), str(folder / "out.bin"))
    table = np.fromfile(folder / "out.bin").reshape(len(rows), -1)
    return table[:, [84, 85, 86, -1]]  # behind 27 standardised, 27 clipped and the first layer's 30


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_checker(tmp_path_factory.mktemp("golden") / "ParityCheck.exe")


@pytest.fixture(scope="module")
def agreeing(program: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Return a bundle and golden values that agree with what this code makes of it."""
    folder = Path(bundle(tmp_path_factory.mktemp("made") / "bundle", {}, arrays()))
    lines = [
        f"{minutes(n):%Y-%m-%d %H:%M:%S},{close},{close + 1},{close - 1},{close},{n + 10}"
        for n, close in enumerate(CLOSES)
    ]
    (folder / "bars.csv").write_text("timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    run(program, "features", str(folder), str(folder / "bars.csv"), str(folder / "features.bin"))
    rows = np.fromfile(folder / "features.bin").reshape(-1, 14)
    assert rows[AT, 11:].tolist() == [4, 8, 8]
    entry = CLOSES[AT] / 0.25 + 1
    close = CLOSES[AT + 1] / 0.25
    held = [1, entry / close, abs(entry - 4 - close) / 8, abs(entry + 8 - close) / 8, 1]
    seen = [
        [*rows[bar - 2 : bar, :11].astype(np.float32).ravel().tolist(), *np.float32(position).tolist()]
        for bar, position in ((AT, FLAT), (AT + 1, held), (AT + 2, FLAT))
    ]
    masks = [[True] * 3, [True, False, False], [True] * 3]
    far = [[n * 999.0 for n in range(27)], [-n * 999.0 for n in range(27)]]
    made = decided(program, folder, seen + far, [*masks, masks[0], masks[1]])
    wanted = made[:, 3].astype(int).tolist()
    steps: list[dict[str, Any]] = [
        {"time": time(AT), "wanted": wanted[0], "taken": 1, "entered": {"side": 1, "price": entry / 4}},
        {"time": time(AT + 1), "wanted": wanted[1], "taken": 0, "exited": True},
        {"time": time(AT + 2), "wanted": wanted[2], "taken": 0},
    ]
    distances = {"stop_ticks": 4, "target_ticks": 8, "trail_ticks": 8}
    stated = {
        "bars": {
            "time": [time(n) for n in range(COUNT)],
            "high": (CLOSES + 1).tolist(),
            "low": (CLOSES - 1).tolist(),
            "close": CLOSES.tolist(),
            "volume": [n + 10 for n in range(COUNT)],
        },
        "features": [
            {"time": time(n), "values": rows[n, :11].tolist(), **distances} for n in (AT, AT + 5)
        ],
        "episodes": [steps],
        "cases": [
            {"episode": 0, "step": n, "observation": seen[n], "mask": masks[n]}
            | {"logits": made[n, :3].tolist()}
            for n in range(3)
        ],
        "far": [
            {"observation": far[n], "mask": masks[n], "logits": made[3 + n, :3].tolist()}
            | {"action": wanted[3 + n]}
            for n in range(2)
        ],
    }
    return folder, stated


def checked(program: Path, folder: Path, stated: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    (folder / "golden.json").write_text(json.dumps(stated))
    done = run(program, "golden", str(folder))
    return done.returncode, json.loads(done.stdout) if done.returncode < 2 else {"": done.stderr}


COUNTS = {"features": 2, "decisions": 3, "cases": 3, "far": 2}
DIFFER = ("distances_differ", "masks_differ", "actions_differ")
STAGES = ("features", "observation", "logits", "far_logits")


def test_what_agrees_passes_and_is_counted(program: Path, agreeing: Any) -> None:
    code, told = checked(program, *agreeing)
    assert code == 0
    assert {name: told[name] for name in (*COUNTS, *DIFFER)} == COUNTS | dict.fromkeys(DIFFER, 0)
    assert max(told[f"{stage}_share_of_limit"] for stage in STAGES) <= 1e-3
    assert not [name for name in told if name.endswith("_first")]


def more(container: Any, name: Any, by: float) -> None:
    container[name] += by


FAULTS: dict[str, tuple[Callable[[Any], Any], str, Any]] = {
    "a feature of the last bar": (
        lambda it: more(it["features"][-1]["values"], 10, 1e-8),
        "features_first",
        "min_to_close",
    ),
    "a stop": (lambda it: more(it["features"][-1], "stop_ticks", 1), "distances_differ", 1),
    "a target": (lambda it: more(it["features"][0], "target_ticks", 1), "distances_differ", 1),
    "a trail": (lambda it: more(it["features"][0], "trail_ticks", -1), "distances_differ", 1),
    "a position's part": (
        lambda it: more(it["cases"][1]["observation"], 26, 1e-5),
        "observation_first",
        "number 26",
    ),
    "a mask": (lambda it: it["cases"][-1].update(mask=[True, True, False]), "masks_differ", 1),
    "a logit": (lambda it: more(it["cases"][-1]["logits"], 2, 1e-4), "logits_first", "sell"),
    "a wish": (lambda it: more(it["episodes"][0][1], "wanted", 1), "actions_differ", 1),
    "an entry": (
        lambda it: more(it["episodes"][0][0]["entered"], "price", 0.25),
        "observation_first",
        "number 23",
    ),
    "an exit": (lambda it: it["episodes"][0][1].pop("exited"), "masks_differ", 1),
    "a logit beyond the clip": (
        lambda it: more(it["far"][-1]["logits"], 1, 1e-3),
        "far_logits_first",
        "buy",
    ),
    "an action beyond the clip": (lambda it: more(it["far"][-1], "action", 1), "actions_differ", 1),
    "a step of another time": (
        lambda it: more(it["episodes"][0][-1], "time", 1),
        "decisions",
        2,
    ),
    "a case of no step": (lambda it: it["cases"][-1].update(step=3), "cases", 2),
    "a feature of no bar": (lambda it: more(it["features"][-1], "time", 1), "features", 1),
    "no features": (lambda it: it["features"].clear(), "features", 0),
    "no cases": (lambda it: it["cases"].clear(), "cases", 0),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_value_that_is_off_fails_and_is_named(name: str, program: Path, agreeing: Any) -> None:
    folder, stated = agreeing
    change, key, value = FAULTS[name]
    planted = copy.deepcopy(stated)
    change(planted)
    code, told = checked(program, folder, planted)
    assert (code, told.get(key)) == (1, value), told


def test_nothing_beyond_the_clip_is_refused(program: Path, agreeing: Any) -> None:
    folder, stated = agreeing
    code, told = checked(program, folder, {**stated, "far": []})
    words = "error: golden.json says nothing beyond the clip; export the policy anew\n"
    assert (code, told) == (2, {"": words})
