"""The worker that measures a checkout: names in old and new places, and answers to requests."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import jax_port
from benchmarks.harness import tree_worker


def test_a_name_is_taken_from_the_first_place_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    places = ("no.such.module:value", "tests.benchmarks.harness.test_tree_worker:gone", "json:dumps")
    monkeypatch.setitem(tree_worker.PLACES, "value", places)
    monkeypatch.setitem(tree_worker.PLACES, "nothing", places[:2])
    assert tree_worker.find("value") is json.dumps
    with pytest.raises(
        SystemExit, match=r"^this checkout has no nothing; add its place to tree_worker\.py"
    ):
        tree_worker.find("nothing")


def test_every_name_is_in_this_checkout() -> None:
    for name in tree_worker.PLACES:
        assert tree_worker.find(name).__name__ == name


def test_workloads_are_an_environment_and_training_of_both_phases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Config:
        phase1, phase2 = (lambda: "rules 1"), (lambda: "rules 2")

    def phase_of(config: str) -> Any:
        return SimpleNamespace(make_params=lambda *given: ("params", *given))

    parts: dict[str, Any] = {
        "EnvConfig": Config, "phase_of": phase_of, "stack": lambda markets: ("stacked", *markets),
        "TrainSettings": lambda **sizes: sizes, "prepare": lambda *given: ("prepared", *given),
        "synthetic_bars": lambda symbol, days, seed: (symbol, days, seed),
        "PortWorkload": lambda *given, **named: ("environment", *given, named),
        "PortTrainer": lambda *given: ("trainer", *given),
    }  # fmt: skip
    monkeypatch.setattr(tree_worker, "find", parts.__getitem__)
    options = argparse.Namespace(days=5, envs=6, steps=7, batch_size=8)
    params = [
        ("params", ("stacked", ("prepared", ("ES", 5, 0), f"rules {phase}")), f"rules {phase}")
        for phase in (1, 2)
    ]
    settings = {"n_envs": 6, "n_steps": 7, "batch_size": 8}
    assert tree_worker.make_workloads(options) == {
        "environment, phase 1": ("environment", params[0], "obs", {"envs": 6, "steps": 7, "seed": 0}),
        "training, phase 1": ("trainer", params[0], settings),
        "training, phase 2": ("trainer", params[1], settings),
    }


def test_it_says_what_it_measures_and_answers_each_request_with_that_workload_s_rate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]

    class Work:
        def __init__(self, steps: int) -> None:
            self.steps = steps

        def prepare(self) -> float:
            return self.steps / 4

        def run(self) -> int:
            clock[0] += 0.5
            return self.steps

    workloads = {"one": Work(10), "two": Work(30)}
    asked: list[Any] = []
    monkeypatch.setattr(
        tree_worker, "make_workloads", lambda options: asked.append(options) or workloads
    )
    monkeypatch.setattr(tree_worker, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    words = ["--days", "5", "--envs", "6", "--steps", "7", "--batch-size", "8"]
    monkeypatch.setattr(sys, "argv", ["worker", *words])
    monkeypatch.setattr(sys, "stdin", io.StringIO('["two", 1.25]\n["one", 0.0]\n'))
    tree_worker.main()
    assert vars(asked[0]) == {"days": 5, "envs": 6, "steps": 7, "batch_size": 8}
    first, *answers = map(json.loads, capsys.readouterr().out.splitlines())
    root = Path(str(jax_port.__file__)).resolve().parent.parent
    assert first == {"checkout": str(root), "prepare_seconds": {"one": 2.5, "two": 7.5}}
    assert answers == [60.0, 20.0]
    assert clock[0] == 0.5 * (2 + 3 + 1)
