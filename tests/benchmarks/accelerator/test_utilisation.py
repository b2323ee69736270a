"""How busy a card is: what its tool is asked, which lines count, and of which time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.accelerator import utilisation
from benchmarks.accelerator.utilisation import EVERY_MS, FIELDS, NAMES, Monitor


def line(*first: float) -> str:
    return ", ".join(str(value) for value in (*first, *[1.0] * (len(NAMES) - len(first)))) + "\n"


def test_the_card_s_tool_is_read_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    lines = [
        line(10.0),
        "[N/A], 5\n",
        line(30.0),
        "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12\n",
        line(80.0),
    ]
    process = SimpleNamespace(
        stdout=lines, terminate=lambda: told.append("ended"), wait=lambda: told.append("waited")
    )
    clock = iter([1.0, 2.0, 3.0, 4.0, 5.0])

    class Thread:
        def __init__(self, target: Any, daemon: bool) -> None:
            assert daemon
            self.start = target

    monkeypatch.setattr(utilisation.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(
        utilisation.subprocess, "Popen", lambda command, **how: told.append(command) or process
    )
    monkeypatch.setattr(utilisation.threading, "Thread", Thread)
    monkeypatch.setattr(utilisation, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monitor = Monitor()
    assert told == [
        ["/bin/nvidia-smi", "-i", "0", f"--query-gpu={','.join(FIELDS)}",
         "--format=csv,noheader,nounits", f"--loop-ms={EVERY_MS}"],
    ]  # fmt: skip
    assert monitor.between(0.0, 9.0)["samples"] == 3
    within = monitor.between(1.0, 3.0)
    assert (within["samples"], within[NAMES[0]]["median"]) == (2, 20.0)
    assert monitor.between(3.5, 4.5) == {}
    monitor.close()
    monitor.close()
    assert told[1:] == ["ended", "waited"]


def test_without_the_tool_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(utilisation.shutil, "which", lambda name: None)
    monkeypatch.setattr(utilisation.subprocess, "Popen", lambda *_, **__: 1 / 0)
    monitor = Monitor()
    assert monitor.between(0.0, 1e9) == {}
    monitor.close()
