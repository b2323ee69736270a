"""Flags that XLA would abort over end in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from foundation.xla_flags import KNOWN, unreadable_xla_flags


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        ("--xla_made_up=1", "Unknown flag in XLA_FLAGS: --xla_made_up=1"),
        ("--xla_backend_optimization_level=much", "much"),
        ("xla_backend_optimization_level", "Could not open file"),
    ],
)
def test_flags_that_xla_cannot_read_are_named(
    flags: str, names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XLA_FLAGS", flags)
    sentence = unreadable_xla_flags()
    assert names in sentence
    assert "\n" not in sentence
    assert sentence.endswith("or unset XLA_FLAGS")
    assert os.environ.get(KNOWN) != flags


def test_flags_that_xla_reads_are_asked_about_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")
    monkeypatch.delenv(KNOWN, raising=False)
    assert unreadable_xla_flags() == ""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")  # a second question would raise
    assert unreadable_xla_flags() == ""
    monkeypatch.delenv(KNOWN)


def test_a_command_ends_with_the_sentence() -> None:
    environment = {**os.environ, "XLA_FLAGS": "--xla_made_up=1"}
    command = [sys.executable, "-m", "rltrader", "data", "contracts"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: the environment variable XLA_FLAGS is '--xla_made_up=1'")
    assert done.stderr.count("\n") == 1
