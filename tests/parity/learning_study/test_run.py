"""The study's run: what is trained and in which order, what is written, said, and how it ends."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from foundation.errors import InputError
from parity.learning.statistics import DIFFERENT, EQUIVALENT, TOO_FEW
from parity.learning_study import run
from parity.learning_study.design import DESIGN, Design
from parity.learning_study.rows import Row, code_of, path_of, write_row
from tests.commands import telling_bar
from tests.parity.learning_study.test_rows import made


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Train nothing; return the arms and seeds whose training was asked for, in order."""
    asked: list[tuple[str, int]] = []

    def train_row(design: Design, arm: str, seed: int) -> Row:
        assert design is DESIGN
        asked.append((arm, seed))
        return made(arm, seed, code_of(arm)) | {"seconds": 90.0 + seed}

    for name in run.ONE_THREAD:
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setattr(run, "train_row", train_row)
    return asked


def test_what_is_missing_is_trained_seed_by_seed_and_each_row_kept_before_it_is_told(
    trained: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_row(tmp_path, made("sb3", 1, code_of("sb3")))
    write_row(tmp_path, made("jax", 0, "older"))
    kept = path_of(tmp_path, "sb3", 1).read_bytes()
    told: list[tuple[str, int]] = []

    def tell(row: Row) -> None:
        assert json.loads(path_of(tmp_path, row["arm"], row["seed"]).read_text()) == row
        told.append((row["arm"], row["seed"]))

    monkeypatch.delenv("OMP_NUM_THREADS")
    run.train(DESIGN, tmp_path, ("sb3", "jax"), 3, 0, tell)
    assert trained == told == [("jax", 0), ("sb3", 0), ("jax", 1), ("jax", 2), ("sb3", 2)]
    assert path_of(tmp_path, "sb3", 1).read_bytes() == kept
    assert (os.environ["OMP_NUM_THREADS"], os.environ["XLA_FLAGS"]) == ("1", "the user's")
    run.train(DESIGN, tmp_path, ("sb3", "jax"), 3, 0, tell)
    assert len(told) == 5


def test_progress_begins_with_what_is_there_and_counts_each_arm_for_itself(
    trained: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arm, seed in (("sb3", 0), ("sb3", 3), ("jax", 2)):
        write_row(tmp_path, made(arm, seed, code_of(arm)))
    seen: list[Any] = []
    monkeypatch.setattr(run, "progress_bar", telling_bar(seen))
    run.watch(Console(quiet=True), ("sb3", "jax"), 4, 0, tmp_path)
    assert seen[:2] == [
        ("sb3", {"total": 4, "completed": 2, "done": ""}),
        ("jax", {"total": 4, "completed": 1, "done": ""}),
    ]
    assert [(task, *fields.items()) for task, fields in seen[2:]] == [
        (f"task {arm}", ("advance", 1), ("done", f"seed {seed} in {(90 + seed) / 60:.3g} min"))
        for arm, seed in (("jax", 0), ("jax", 1), ("sb3", 1), ("sb3", 2), ("jax", 3))
    ]


@pytest.mark.parametrize(
    ("words", "watched"),
    [
        ((), (("sb3", "jax"), 45, 1)),
        (("--arm", "jax", "--seeds", "7", "--jobs", "0"), (("jax",), 7, 0)),
        (("--arm", "sb3"), (("sb3",), 45, 1)),
        (("--seeds", "0"), None),
    ],
)
@pytest.mark.parametrize(("verdict", "code"), [(EQUIVALENT, 0), (DIFFERENT, 1), (TOO_FEW, 1)])
def test_a_study_is_trained_judged_and_written_and_ends_with_its_verdict(
    words: tuple[str, ...], watched: Any, verdict: str, code: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told: list[Any] = []
    report = {"verdict": verdict, "of": 7}
    monkeypatch.setattr(run, "watch", lambda _, *given: told.append(given))
    monkeypatch.setattr(run, "read_rows", lambda *given: ("rows", *given))
    monkeypatch.setattr(run, "judge", lambda *given: told.append(given) or report)
    monkeypatch.setattr(run, "show", lambda _, *given: told.append(given))
    monkeypatch.setattr("parity.learning_study.page.render", lambda report: f"<{report['verdict']}>")
    done = CliRunner().invoke(run.command, [*words, "--out", str(tmp_path)])
    assert done.exit_code == code
    expected = [] if watched is None else [(*watched, tmp_path)]
    assert told == [*expected, (DESIGN, ("rows", tmp_path, DESIGN)), (report, tmp_path)]
    assert json.loads((tmp_path / "learning.json").read_text()) == report
    assert (tmp_path / "learning.html").read_text() == f"<{verdict}>"


def test_the_verdict_is_shown_with_its_numbers() -> None:
    report: dict[str, Any] = {
        "verdict": EQUIVALENT, "design": {"seeds": 9}, "test": None,
        "arms": {"sb3": {"seeds": 5}, "jax": {"seeds": 7}},
    }  # fmt: skip
    test = {"difference": 0.12346, "low": -0.25, "high": 0.5, "margin": 0.155}

    def shown(**more: Any) -> list[str]:
        console = Console(file=io.StringIO(), width=100)
        run.show(console, {**report, **more}, Path("out"))
        return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]

    seeds, page = ["seeds of sb3 5 of 9", "seeds of jax 7 of 9"], "page out/learning.html"
    assert shown() == [*seeds, page, EQUIVALENT]
    numbers = ["difference +0.1235 per 100 steps", "interval -0.2500 to +0.5000", "margin ±0.1550"]
    assert shown(test=test) == [*seeds, *numbers, page, EQUIVALENT]


def test_a_process_that_died_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[int] = []

    class Future:
        def cancel(self) -> None:
            cancelled.append(1)

        def result(self) -> None:
            raise run.BrokenProcessPool

    class Pool:
        def __init__(self, jobs: int, **_: Any) -> None:
            assert jobs == 3

        def __enter__(self) -> Pool:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def submit(self, *_: Any) -> Future:
            return Future()

    for name in run.ONE_THREAD:
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setattr(run, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(run, "as_completed", lambda waiting: waiting)
    with pytest.raises(InputError, match=r"a training process died, .* run again with fewer --jobs"):
        run.train(DESIGN, tmp_path, ("sb3",), 4, 3)
    assert len(cancelled) == 4
