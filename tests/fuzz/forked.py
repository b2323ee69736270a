"""Run a command in a fork of this process, disturb it, and see all of its processes end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GONE_WITHIN = 5.0
"""Seconds from a signal to the end of every process; from a command's end on the other troubles."""
LONGEST = 400.0
"""Seconds that a whole command may take on a busy machine."""


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        code: its exit code, or minus the number of the signal that ended it.
        said: what it wrote to its errors.
        seconds: from the blow (else from its end) to the end of all of its processes.
        left: those of its processes that did not end.
        computed: seconds of processor time.
    """

    code: int
    said: str
    seconds: float
    left: list[int]
    computed: float


def start(arguments: tuple[str, ...], folder: Path, errors: Path) -> int:
    """Fork a process that runs a command as the command line would; return its id and group."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        nothing = os.open(os.devnull, os.O_RDWR)
        told = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for number, file in enumerate((nothing, nothing, told)):
            os.dup2(file, number)
        sys.argv = ["rltrader", *arguments]
        from foundation.errors import run_command
        from rltrader.__main__ import app

        run_command(app)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)


def processes_of(group: int) -> list[int]:
    """Return the living processes of a group."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                fields = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(place.name))
    return found


def processor_seconds(group: int) -> float:
    """Return how long the processes of a group have been computing, those that ended among them."""
    ticks = 0
    for process in processes_of(group):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # its own, and of children that it waited for
    return ticks / os.sysconf("SC_CLK_TCK")


def run(
    arguments: tuple[str, ...], folder: Path, moment: float, strike: Callable[[int], object] | None
) -> Ended:
    """Run a command, disturb it after a while, and wait for its end and that of its group.

    Args:
        arguments: of ``rltrader``.
        folder: where it runs.
        moment: seconds of processor time that the command has before the blow, so that a busy machine
            does not move it.
        strike: given the process; None leaves it alone.
    """
    with tempfile.NamedTemporaryFile(prefix="said-") as said:
        process, began = start(arguments, folder, Path(said.name)), time.monotonic()
        struck: float | None = None
        while True:
            ended, status, used = os.wait4(process, os.WNOHANG)
            now = time.monotonic()
            if ended:
                break
            if strike is not None and struck is None and processor_seconds(process) >= moment:
                strike(process)
                struck = time.monotonic()
            if now - began > LONGEST:
                os.killpg(process, signal.SIGKILL)
            time.sleep(0.01)
        at = time.monotonic()
        while (left := processes_of(process)) and time.monotonic() < at + GONE_WITHIN:
            time.sleep(0.02)
        for one in left:
            os.kill(one, signal.SIGKILL)
        since = struck if struck is not None and strike is not None else at
        return Ended(
            code=os.waitstatus_to_exitcode(status),
            said=Path(said.name).read_text(errors="replace"),
            seconds=time.monotonic() - since,
            left=left,
            computed=used.ru_utime + used.ru_stime,
        )
