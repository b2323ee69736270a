"""What a checker is given to read, byte by byte, and what its answer is taken for."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from markets.advice.fusion import FusionSettings, Situation
from parity.fusion import sides
from parity.fusion.cases import situations
from parity.fusion.sides import csharp_side, jax_side, numpy_side, torch_side
from tests.sentences import refuses

SETTINGS = FusionSettings(
    "veto", weight=1.25, threshold=0.41, most_losses=2, least_left=0.35, every=7, fade=0.3, most_age=6
)


@pytest.mark.parametrize(("count", "actions"), [(1, 3), (3, 6), (5, 3)])
def test_a_checker_reads_every_decision_and_answers_in_their_order(
    count: int, actions: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = situations(count, actions, 8, SETTINGS)
    answer = np.arange(count * (actions + 1), dtype="<f8").reshape(count, actions + 1) / 7
    answer[:, -1] = np.arange(count)[::-1] % actions
    asked: list[Any] = []

    def run_child(command: list[str], timeout: float) -> Any:
        mono, program, what, words, cases, made = command
        asked.append((mono, program, what, timeout, Path(words).parent, Path(made).parent))
        asked.append(json.loads(Path(words).read_text("utf-8")))
        asked.append(Path(cases).read_bytes())
        Path(made).write_bytes(answer.tobytes())
        return SimpleNamespace(returncode=0, stderr="a warning", stdout="")

    monkeypatch.setattr(sides, "run_child", run_child)
    fused = csharp_side(tmp_path / "check.exe", tmp_path)(given, SETTINGS)
    called, words, cases = asked
    assert called == ("mono", str(tmp_path / "check.exe"), "fuse", 600, tmp_path, tmp_path)
    assert words == {
        "rule": "veto",
        "weight": 1.25,
        "threshold": 0.41,
        "most_losses": 2,
        "least_left": 0.35,
        "every": 7,
        "cooldown": 3,
        "at_entries": True,
        "fade": 0.3,
        "most_age": 6,
    }
    rows = [struct.pack("<ii", count, actions)]
    for row in range(count):
        one = Situation(*(value[row] for value in given))
        rows.append(
            struct.pack(
                f"<{actions}f{actions}B3fffif",
                *one.logits,
                *map(int, one.masks),
                *one.advice,
                one.confidence,
                one.fresh,
                one.losses,
                one.left,
            )
        )
    assert cases == b"".join(rows)
    np.testing.assert_array_equal(fused.probabilities, answer[:, :actions])
    assert (fused.probabilities.dtype, fused.action.dtype) == (np.float64, np.int64)
    assert fused.action.tolist() == [n % actions for n in range(count)][::-1]


@pytest.mark.parametrize("code", [1, 70, -6])
def test_a_checker_that_ends_badly_is_told_in_its_first_line(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = situations(2, 3, 0, SETTINGS)
    (tmp_path / "fused.bin").write_bytes(np.zeros((2, 4)).tobytes())  # of an earlier run
    for said in ("it fell\nand more\n", "", None):
        ended = SimpleNamespace(returncode=code, stderr=said, stdout="not this")
        monkeypatch.setattr(sides, "run_child", lambda *given, ended=ended, **more: ended)
        with refuses():
            csharp_side(tmp_path / "check.exe", tmp_path)(given, SETTINGS)


def test_sides_answer_in_numpy_arrays_in_their_own_precision() -> None:
    given = situations(20, 6, 1, SETTINGS)
    exact, mine, theirs = (side(given, SETTINGS) for side in (numpy_side, torch_side, jax_side))
    assert exact.probabilities.dtype == np.float64
    for fused in (mine, theirs):
        assert isinstance(fused.probabilities, np.ndarray)
        assert fused.probabilities.dtype == np.float32
        np.testing.assert_allclose(fused.probabilities, exact.probabilities, atol=1e-6)
        assert np.asarray(fused.action).tolist() == exact.action.tolist()
