"""Sandbox for mutants: copy the port, put a fault in, try it in a process of its own."""

from __future__ import annotations

import compileall
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from foundation.import_closure import PACKAGES_ROOT
from foundation.json_reading import Artifact, read_json
from foundation.signals import run_child
from parity.mutants.mutant import Mutant

PACKAGES = ("foundation", "markets", "legacy_torch", "jax_port", "parity")
PORT = "jax_port"
PATIENCE_S = 600
RESULT = Artifact("result of a process that tried a mutant", "run it again")


@dataclass(frozen=True)
class Trial:
    """What a child said of one port.

    Attributes:
        checks: what every judge said: scenario, world, check, passed, field and counts.
        outputs: digest of each output array.
        error: the end of what it printed, where it did not run.
        seconds, cpu_seconds: wall time, and user and system time of the child.
    """

    checks: Sequence[dict[str, Any]] = ()
    outputs: dict[str, str] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def objections(self) -> list[dict[str, Any]]:
        """Return the checks that failed, in order."""
        return [check for check in self.checks if not check["passed"]]


def snapshot(folder: Path) -> None:
    """Copy our packages into a folder, so that nobody's edits reach a run that has begun.

    They are compiled, so that a copy of one in which a line is changed need not be, as a whole.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    for name in PACKAGES:
        shutil.copytree(PACKAGES_ROOT / name, folder / name, ignore=ignored)
        compileall.compile_dir(folder / name, quiet=2)


def change_file(file: Path, content: bytes) -> None:
    """Write a source file anew, and remove what was compiled of it."""
    file.write_bytes(content)
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


@cache
def compiler_flags() -> str:
    """Return what makes XLA compile fastest on the CPU; it ends a process over a flag unknown to it."""
    plain = "--xla_backend_optimization_level=0"
    fastest = f"{plain} --xla_cpu_use_fusion_emitters=false"
    probe = [sys.executable, "-c", "import jax; jax.devices()"]
    known = {**os.environ, "XLA_FLAGS": fastest, "JAX_PLATFORMS": "cpu"}
    done = run_child(probe, env=known)
    return plain if done.returncode else fastest


def environment(port: Path, sources: Path, cache: Path) -> dict[str, str]:
    """Return a child's environment: this port first, the rest of ours behind it, on the CPU.

    Compiled code is kept in ``cache`` under a hash of the program itself, so a fault can't be answered
    from it. Nothing is optimised, so that compiling takes less than half the time; the gate itself
    certifies the form that a trainer runs, and the control shows that this one agrees too.

    Args:
        port: holds the port's package, with or without a fault.
        sources: from :func:`snapshot`.
        cache: where compiled code is kept.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    return {
        **ours,
        "PYTHONPATH": os.pathsep.join((str(port), str(sources))),
        "XLA_FLAGS": compiler_flags(),
        "JAX_PLATFORMS": "cpu",
        "JAX_TRACEBACK_FILTERING": "off",  # so that the last line names the error
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


@dataclass(frozen=True)
class Sandbox:
    """A folder in which ports are tried: recordings, sources, and a folder for each port.

    Attributes:
        folder: holds everything.
    """

    folder: Path

    @property
    def recordings(self) -> Path:
        """Where :func:`parity.mutants.recordings.make` has written."""
        return self.folder / "recordings"

    @property
    def sources(self) -> Path:
        """Where :func:`snapshot` has written."""
        return self.folder / "sources"

    @property
    def compiled(self) -> Path:
        """Where compiled programs are kept."""
        return self.folder / "compiled"

    def attempt(self, mutant: Mutant | None) -> Trial:
        """Copy the port, put a fault in, and hold it against the recordings in a new process.

        Args:
            mutant: the fault; without one everything is tried, to the end.
        """
        place = self.folder / ("control" if mutant is None else f"mutant-{mutant.id}")
        shutil.copytree(self.sources / PORT, place / PORT)
        if mutant is not None:
            file = place / mutant.file
            change_file(file, mutant.apply(file.read_text(encoding="utf-8")).encode())
        if mutant is None:
            return self.try_port(place, everything=True)
        return self.try_port(place, everything=False, phase=mutant.phase, learner=mutant.learner)

    def try_port(
        self, place: Path, *, everything: bool, phase: int = 1, learner: bool = False
    ) -> Trial:
        """Hold the port in a folder against the recordings.

        Args:
            place: holds the port's package; the result is written there too.
            everything: go on after the first scenario on which a judge objects.
            phase: whose scenarios come first.
            learner: try the learner before the environments.
        """
        result = place / "result.json"
        # Without -P the present folder would come first, and with it perhaps another port.
        command = [
            sys.executable,
            "-P",
            "-m",
            "parity.mutants.child",
            str(self.recordings),
            str(result),
        ]
        command += ["--phase", str(phase), *(["--learner"] if learner else [])]
        began = time.perf_counter()
        try:
            done = run_child(
                [*command, "--all"] if everything else command,
                cwd=place,
                env=environment(place, self.sources, self.compiled),
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired:
            return Trial(error=f"no answer within {PATIENCE_S} s", seconds=PATIENCE_S)
        seconds = time.perf_counter() - began
        if done.returncode not in (0, 1) or not result.is_file():
            lines = done.stderr.strip().splitlines()
            return Trial(error=lines[-1] if lines else f"exit code {done.returncode}", seconds=seconds)
        answer = read_json(result, dict[str, Any], RESULT)
        if Path(answer["port"]).resolve() != (place / PORT).resolve():
            return Trial(error=f"the child ran {answer['port']}, not the copy", seconds=seconds)
        return Trial(answer["checks"], answer["outputs"], "", seconds, answer["cpu_seconds"])
