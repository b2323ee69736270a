"""CPU time and memory of a tree of processes, read from what the system writes, and a card's share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.harness import processes
from benchmarks.harness.processes import _read_gpu, pss_bytes, tree_cpu_seconds, watch_utilisation

TICKS = os.sysconf("SC_CLK_TCK")


def written(folder: Path, pid: int, parent: int, user: int, system: int, name: str = "python") -> None:
    """Write the account of a process as Linux does: the name may hold spaces and brackets."""
    (folder / str(pid)).mkdir()
    before = f"{pid} ({name}) S {parent} 1 1 0 -1 4194560 100 200 0 0"
    (folder / str(pid) / "stat").write_text(f"{before} {user} {system} 3333 4444 20 0 1 0 9 9")


def test_the_whole_tree_s_seconds_count_and_nobody_else_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    me = os.getpid()
    written(tmp_path, me, 1, 100, 50)
    written(tmp_path, 5001, me, 20, 3, "a (b) c)")
    written(tmp_path, 5002, 5001, 7, 0)  # a grandchild
    written(tmp_path, 5003, 1, 9999, 9999)  # another's
    (tmp_path / "5004").mkdir()  # gone by now
    (tmp_path / "self").mkdir()
    assert tree_cpu_seconds() == pytest.approx((150 + 23 + 7) / TICKS)


def test_memory_is_the_proportional_set_in_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    (tmp_path / "7").mkdir()
    assert pss_bytes(7) is None
    lines = "00400000-7fff [rollup]\nRss:   9000 kB\nPss:   1234 kB\nPss_Anon:  999 kB\n"
    (tmp_path / "7" / "smaps_rollup").write_text(lines)
    assert pss_bytes(7) == 1234 * 1024
    (tmp_path / "7" / "smaps_rollup").write_text("Rss:   9000 kB\n")
    assert pss_bytes(7) is None


@pytest.mark.parametrize(
    ("printed", "share"),
    [("0\n50\n100\n", 0.5), ("[N/A]\n7\n", 0.07), ("No devices\n", None), ("", None)],
)
def test_a_card_s_share_is_the_mean_of_its_readings(printed: str, share: float | None) -> None:
    watcher = subprocess.Popen(
        [sys.executable, "-c", f"print({printed!r}, end='')"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watcher.wait()
    found, why = _read_gpu(watcher)
    assert found == (None if share is None else pytest.approx(share))
    assert why == ("" if share is not None else f"nvidia-smi gave no number: {printed.strip()}")


def test_what_was_used_is_the_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([10.0, 14.5])
    walls = iter([100.0, 103.0])
    monkeypatch.setattr(processes, "tree_cpu_seconds", lambda: next(seconds))
    monkeypatch.setattr(processes.time, "perf_counter", lambda: next(walls))
    with watch_utilisation() as use:
        assert use.cpu_seconds == 0.0
    assert (use.cpu_seconds, use.wall_seconds, use.gpu_share) == (4.5, 3.0, None)
    assert use.gpu_reason == processes.NO_GPU
    assert use.cores == len(os.sched_getaffinity(0))
