"""Run pytest many times on changed copies of the code, without importing libraries each time.

Importing JAX, torch and Stable-Baselines3 takes longer than most tests that judge a mutant. Where
processes can fork, one process imports them and forks for each run; elsewhere each run is a process
of its own. What a run does is the same.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from foundation.errors import InputError
from foundation.signals import run_child
from parity.mutants.sampled import warm_process

IMPORTED = ("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning")
"""Pytest warns that it comes too late to rewrite the assertions of a plugin; there it need not."""


@dataclass(frozen=True)
class Ran:
    """How a run of pytest ended.

    Attributes:
        code: pytest's exit code; None where it was ended because it took too long.
        stdout: what it printed.
    """

    code: int | None
    stdout: str


class Pytest(Protocol):
    """Runs pytest with arguments, in a folder, with an environment, for so many seconds at most."""

    def __call__(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float
    ) -> Ran:
        """Return how it ended."""


def run_anew(arguments: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float) -> Ran:
    """Run pytest in a process of its own."""
    command = [sys.executable, "-P", "-m", "pytest", *arguments]
    try:
        done = run_child(command, cwd=cwd, env=env, timeout=seconds)
    except subprocess.TimeoutExpired:
        return Ran(None, "")
    return Ran(done.returncode, done.stdout + done.stderr)


@dataclass(frozen=True)
class Warm:
    """A process that forks for each run.

    Attributes:
        process: runs :mod:`parity.mutants.sampled.warm_process`.
        printed: file that a run prints to.
    """

    process: subprocess.Popen[str]
    printed: Path

    def __call__(
        self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], seconds: float
    ) -> Ran:
        """Return how a run of pytest ended.

        Raises:
            InputError: the process died.
        """
        job = {
            "arguments": [*IMPORTED, *arguments],
            "cwd": str(cwd),
            "env": dict(env),
            "seconds": seconds,
            "stdout": str(self.printed),
        }
        code = self._ask(job)
        text = self.printed.read_text(encoding="utf-8", errors="replace")
        return Ran(None if code == warm_process.TOO_LONG else code, text)

    def _ask(self, job: Mapping[str, object]) -> int:
        into, out = _pipes(self.process)
        try:
            into.write(json.dumps(job) + "\n")
            into.flush()
            line = out.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise InputError(
                "the process that runs the tests died, perhaps for lack of memory; run again"
            )
        return int(line)


@contextmanager
def warm(env: Mapping[str, str], folder: Path) -> Iterator[Pytest]:
    """Give what runs pytest: forks of a process started here, or new processes where none can fork.

    Args:
        env: of that process; what JAX reads of it when it is imported holds for all runs.
        folder: where runs print to.
    """
    if not hasattr(os, "fork") or sys.platform == "darwin":  # its system libraries can't be forked
        yield run_anew
        return
    command = [sys.executable, "-I", warm_process.__file__]
    with subprocess.Popen(
        command, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        into, out = _pipes(process)
        try:
            if not out.readline():
                raise InputError("the process that runs the tests did not start; run again")
            yield Warm(process, folder / "printed.txt")
        finally:
            into.close()  # it ends when nothing more can come


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
