"""The checker's commands on small files: what each writes, and in which words it refuses."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.export_chain.csharp import MISSING, available, compile_checker
from tests.ninjatrader.policy.test_policy_runner_files import MEAN, NETWORK, VAR, arrays, bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

USAGE = (
    "usage: ParityCheck golden BUNDLE | golden BUNDLE BARS DAY | features BUNDLE BARS OUT | decide "
    "BUNDLE IN OUT | clock BUNDLE IN OUT | fuse SETTINGS IN OUT | advised BUNDLE BARS MS OUT | "
    "latency BUNDLE COUNT\n"
)
HEAD = "timestamp,open,high,low,close,volume\n"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_checker(tmp_path_factory.mktemp("check") / "ParityCheck.exe")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(bundle(tmp_path_factory.mktemp("made") / "bundle", {}, arrays()))


def run(program: Path, *words: object) -> tuple[int, str, str]:
    command = ["mono", str(program), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "words",
    [
        *("", "golden", "golden b x", "golden b x y z", "decide b x", "features b", "clock b x y z"),
        *("fuse s x", "latency b", "latency b 1 2", "advised b x 1", "another b x y", "Golden b"),
    ],
)
def test_other_words_are_told_how_to_ask(program: Path, words: str) -> None:
    assert run(program, *words.split()) == (2, "", USAGE)


def test_files_that_are_not_there_are_named(program: Path, folder: Path, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    no_bundle = f"error: {nowhere}/manifest.json: no bundle here; give a folder that `rltrader export` "
    for words in (("golden", nowhere), ("decide", nowhere, "x", "y"), ("features", nowhere, "x", "y")):
        if words[0] != "golden":
            assert run(program, *words) == (2, "", f"{no_bundle}wrote\n")
        else:
            code, _, why = run(program, *words)
            assert (code, why.endswith("; give files that are there\n")) == (2, True)
            assert "golden.json" in why
    out = tmp_path / "out"
    for command in ("features", "decide"):
        code, said, why = run(program, command, folder, nowhere, out)
        assert (code, said) == (2, "")
        assert why.startswith("error: ")
        assert str(nowhere) in why
        assert why.endswith('"; give files that are there\n')
    bars = tmp_path / "bars.csv"
    bars.write_text(HEAD)
    why = f"error: {bars}: no bar in it; give a file of one-minute bars\n"
    assert run(program, "features", folder, bars, out) == (2, "", why)
    why = f"error: {folder}: its manifest holds no fusion settings\n"
    assert run(program, "advised", folder, bars, 0, out) == (2, "", why)


def test_a_culture_is_shown_in_force_or_named(program: Path) -> None:
    assert run(program, "--culture=de-DE", "golden") == (2, "", f"1,5\n{USAGE}")
    assert run(program, "--culture=", "golden") == (2, "", f"1.5\n{USAGE}")
    name = "--culture=no_such_one"
    why = f"error: {name} names no culture; give one such as de-DE\n"
    assert run(program, name, "golden") == (2, "", why)


def test_features_are_those_of_bars_that_are_kept(program: Path, folder: Path, tmp_path: Path) -> None:
    """From 09:28 in New York on: the session keeps the third and later ones."""
    lines = [f"2025-03-10 13:{28 + n}:00,1,{5001 + n},{4999 - n},{5000 + n},{n + 7}" for n in range(20)]
    (tmp_path / "bars.csv").write_text(HEAD + "\n".join(lines) + "\n")
    assert run(program, "features", folder, tmp_path / "bars.csv", tmp_path / "out")[0] == 0
    rows = np.fromfile(tmp_path / "out").reshape(-1, 14)
    assert rows[:, 0].tolist() == [5000 + n for n in range(2, 20)]
    assert rows[:, 1].tolist() == [n + 7 for n in range(2, 20)]
    assert (rows[:13, 11:] == 0).all()
    ranges = [2 + 2 * n for n in range(2, 20)]
    atr = [np.mean(ranges[n - 13 : n + 1]) * 4 for n in range(13, 18)]
    wanted = [[np.floor(0.5 * x + 0.5), 2 * np.floor(0.5 * x + 0.5), x] for x in atr]
    assert rows[13:, 11:].tolist() == wanted


def test_times_are_told_in_minutes_of_new_york(program: Path, folder: Path, tmp_path: Path) -> None:
    times = {1_741_613_459: 570, 1_741_613_460: 571, 1_736_208_000: 19 * 60, -60: 18 * 60 + 59}
    data = struct.pack(f"<i{len(times)}q", len(times), *times)
    (tmp_path / "in").write_bytes(data + b"\0" * 8)
    assert run(program, "clock", folder, tmp_path / "in", tmp_path / "out") == (0, "", "")
    assert np.fromfile(tmp_path / "out", "<i4").tolist() == list(times.values())


def test_every_stage_of_a_decision_is_written_in_its_order(
    program: Path, folder: Path, tmp_path: Path
) -> None:
    rng, tensors = np.random.default_rng(8), arrays()
    seen = (MEAN + rng.normal(size=(3, 27), scale=6)).astype(np.float32)
    masks = [[1, 1, 1], [0, 1, 0], [1, 0, 1]]
    rows = b"".join(x.tobytes() + bytes(mask) for x, mask in zip(seen, masks, strict=True))
    (tmp_path / "in").write_bytes(struct.pack("<i", 3) + rows)
    assert run(program, "decide", folder, tmp_path / "in", tmp_path / "out") == (0, "", "")
    table = np.fromfile(tmp_path / "out").reshape(3, -1)
    standardised = (seen.astype(np.float64) - MEAN) / np.sqrt(VAR + 0.25)
    clipped = np.clip(standardised, -7.5, 7.5)
    assert (standardised != clipped).any()
    stages: list[Any] = [standardised, clipped]
    for mlp in ("policy", "value"):
        x = clipped
        for number, layer in enumerate(NETWORK[mlp]):
            x = np.maximum(x, 0) if number else x
            x = x @ tensors[f"{layer['name']}.kernel"].astype(np.float64)
            x = x + tensors[f"{layer['name']}.bias"].astype(np.float64)
            stages.append(x)
    logits = np.where(np.array(masks) > 0, stages[3], -np.inf)
    wanted = np.hstack([*stages, logits.argmax(axis=1)[:, None]])
    np.testing.assert_allclose(table, wanted, rtol=1e-9, atol=1e-9)


def test_single_decisions_are_timed_one_by_one(program: Path, folder: Path) -> None:
    case: dict[str, Any] = {"observation": [0.5] * 27, "mask": [True, False, True]}
    golden = folder / "golden.json"
    golden.write_text(json.dumps({"cases": [case, case]}))
    for number in (0, 1, 5):
        code, said, _ = run(program, "latency", folder, number)
        times = json.loads(said)
        assert (code, len(times)) == (0, number)
        assert all(0 < time < 1e6 for time in times)
    for name, length in (("observation", 27), ("mask", 3)):
        golden.write_text(json.dumps({"cases": [case, {**case, name: case[name][1:]}]}))
        why = f'error: "{name}" does not hold {length} values; the file is not of this bundle, so '
        assert run(program, "latency", folder, 1) == (2, "", why + "make it anew\n")
    golden.write_text(json.dumps({"cases": []}))
    why = "error: golden.json holds no case; export the policy anew\n"
    assert run(program, "latency", folder, 1) == (2, "", why)
