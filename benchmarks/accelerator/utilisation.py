"""How busy the card is while something runs, as ``nvidia-smi`` sees it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
import time
from typing import Any

import msgspec

from benchmarks.harness.statistics import summarise

FIELDS = ("utilization.gpu", "utilization.memory", "memory.used", "power.draw", "clocks.sm")
NAMES = ("gpu_percent", "memory_percent", "memory_used_mib", "power_watts", "clock_mhz")
EVERY_MS = 200


class Monitor:
    """Reads the first card's state five times a second until closed; nothing where there is none."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, tuple[float, ...]]] = []
        self._process: subprocess.Popen[str] | None = None
        tool = shutil.which("nvidia-smi")
        if tool is None:
            return
        query = f"--query-gpu={','.join(FIELDS)}"
        command = [tool, "-i", "0", query, "--format=csv,noheader,nounits", f"--loop-ms={EVERY_MS}"]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.take(line, time.perf_counter())

    def take(self, line: str, now: float) -> None:
        """Keep one line of numbers; one that holds none, such as "[N/A]", is left out."""
        with contextlib.suppress(ValueError):
            values = tuple(float(cell) for cell in line.split(","))
            if len(values) == len(NAMES):
                self._samples.append((now, values))

    def between(self, began: float, ended: float) -> dict[str, Any]:
        """Return medians and quartiles over a time, by :data:`NAMES`; empty without a sample in it.

        Args:
            began, ended: of ``time.perf_counter``.
        """
        rows = [values for when, values in self._samples if began <= when <= ended]
        if not rows:
            return {}
        return {
            "samples": len(rows),
            **{
                name: msgspec.to_builtins(summarise(column))
                for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)
            },
        }

    def close(self) -> None:
        """End the reading."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
