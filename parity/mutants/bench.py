"""Try ports in processes of their own: copy the package, put a fault in, run the child."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parent.parent.parent
"""The folder that holds the packages."""

PACKAGE = "jax_port"
PATIENCE_S = 600
DID_NOT_RUN = "does not run"


@dataclass(frozen=True)
class Trial:
    """What a child said of one port.

    Attributes:
        checks: what every judge said: bed, world, check, passed, field and counts.
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


def environment(port: Path, cache: Path) -> dict[str, str]:
    """Return a child's environment: this port first, the rest of ours behind it, on the CPU.

    Compiled code is kept in ``cache`` under a hash of the program itself, so that a fault can't be
    answered from it. The gate's own settings apply, not those of whoever calls.
    """
    ours = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    return {
        **ours,
        "PYTHONPATH": os.pathsep.join((str(port), str(ROOT))),
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def copy_port(folder: Path, mutant: Mutant | None) -> None:
    """Write the port's package into a folder, with a fault if one is given."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=ignored)
    if mutant is not None:
        file = folder / mutant.file
        file.write_text(mutant.apply(file.read_text(encoding="utf-8")), encoding="utf-8")


def attempt(material: Path, folder: Path, mutant: Mutant | None) -> Trial:
    """Copy the port, put the fault in, and hold it against the recordings in a new process.

    Args:
        material: from :func:`parity.mutants.material.make`.
        folder: not yet there; it holds the copy and the result.
        mutant: the fault; without one everything is tried, to the end.
    """
    copy_port(folder, mutant)
    result = folder / "result.json"
    # Without -P the present folder would come first, and with it perhaps another port.
    command = [sys.executable, "-P", "-m", "parity.mutants.child", str(material), str(result)]
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command + ([] if mutant else ["--all"]),
            cwd=folder,
            env=environment(folder, material.parent / "compiled"),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Trial(error=f"no answer within {PATIENCE_S} s", seconds=PATIENCE_S)
    seconds = time.perf_counter() - began
    if done.returncode not in (0, 1) or not result.is_file():
        said = done.stderr.strip().splitlines()
        return Trial(error=said[-1] if said else f"exit code {done.returncode}", seconds=seconds)
    found = json.loads(result.read_text(encoding="utf-8"))
    if Path(found["port"]).resolve() != (folder / PACKAGE).resolve():
        return Trial(error=f"the child ran {found['port']}, not the copy", seconds=seconds)
    return Trial(found["checks"], found["outputs"], "", seconds, found["cpu_seconds"])
