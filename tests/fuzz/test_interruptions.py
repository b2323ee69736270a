"""Stopping commands at random moments: the small disk, planted faults, and a few moments of each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from foundation.files import WriteError, write_json
from tests.fuzz.interruptions import TROUBLES
from tests.fuzz.small_disk import SmallDisk, can_make_disks
from tests.fuzz.whole import unsound

needs_disks = pytest.mark.skipif(not can_make_disks(), reason="needs root and loop devices")


@needs_disks
def test_a_full_disk_and_one_that_turns_read_only_leave_what_was_there(tmp_path: Path) -> None:
    disk = SmallDisk(tmp_path)
    try:
        path = disk.root / "file.json"
        write_json(path, [1])
        for trouble, back, words in (
            (disk.fill, disk.empty, "the disk is full"),
            (disk.fail, disk.mend, "this place is read-only"),
        ):
            trouble()
            with pytest.raises(WriteError, match=rf"file\.json: cannot be written: {words}"):
                write_json(path, [2] * 10_000)
            assert path.read_text() == "[\n 1\n]\n"
            back()
            assert path.read_text() == "[\n 1\n]\n"
            write_json(path, [1])
    finally:
        disk.close()


PLANTED = """
import subprocess, sys, time
from pathlib import Path
import rltrader.__main__
from tests.fuzz import forked, interruptions

interruptions.LATE, forked.GONE_WITHIN = {late}, 0.3

def app():
    for number in range(20):
        Path("place").mkdir(exist_ok=True)
        Path("place", str(number % 4) + ".json").write_text(str(time.time_ns()))
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass

def app_with_fault():
    app()
    {fault}

rltrader.__main__.app = app
like = interruptions.Undisturbed("planted", interruptions.Subject((), "place"), Path(sys.argv[1]))
rltrader.__main__.app = app_with_fault
for one in interruptions.try_moments(like, sys.argv[2], range({moments}), seed=3):
    print(one)
"""


@pytest.mark.parametrize(
    ("fault", "trouble", "words"),
    [
        ("pass", "SIGKILL", "HALF: "),
        pytest.param(
            "subprocess.Popen(['sleep', '30'])", "SIGINT", "processes are left", marks=pytest.mark.slow
        ),
        pytest.param("raise SystemExit(7)", "SIGTERM", "exit code 7", marks=pytest.mark.slow),
    ],
)
def test_a_command_with_a_fault_is_found_out(
    fault: str, trouble: str, words: str, tmp_path: Path
) -> None:
    # One fault is in how it writes; the others come at the end, so that is when they are looked for.
    late, moments = (1.05, 4) if fault == "pass" else (50.0, 1)
    script = PLANTED.format(fault=fault, late=late, moments=moments)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), trouble],
        capture_output=True,
        text=True,
        check=False,
    )
    assert words in done.stdout, done.stdout + done.stderr


def test_what_is_not_whole_is_named(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text("{}")
    (tmp_path / "log.jsonl").write_text('{}\n{"half')
    assert unsound(tmp_path) == ""
    for name, data in (("a.json", "{"), ("b.safetensors", "x"), ("c.html", "<html>"), ("d.csv", "")):
        (tmp_path / name).write_text(data)
        assert name in unsound(tmp_path)
        (tmp_path / name).unlink()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["train", "evaluate", "export", "parity"])
def test_a_command_stopped_at_random_moments_leaves_the_old_or_the_new(command: str) -> None:
    options = [] if can_make_disks() else [part for one in TROUBLES[:3] for part in ("--trouble", one)]
    script = [sys.executable, "-m", "tests.fuzz.interruptions", "--command", command, "--moments", "3"]
    done = subprocess.run([*script, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
