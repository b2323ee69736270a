"""Try a pair's port, changed or not, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundation.errors import InputError
from foundation.files import write_json
from foundation.json_reading import Artifact, read_json
from foundation.signals import run_child
from parity.harness.report import SAME, UNSEEN
from parity.mutation.operators import Change
from parity.mutation.recorder import NOTHING, ROUNDING
from parity.mutation.score import CRASHED, SURVIVED, UNJUDGED

KILLED = "killed"
RESULT = Artifact("result of a process that tried a mutant", "run it again")
FAST = "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false"
"""For XLA: compile fast, and compute on one thread, so that bits do not depend on chance."""


@dataclass(frozen=True)
class Fate:
    """What became of a mutant.

    Attributes:
        outcome: "killed", "crashed", "survived", "rounding" (it changed nothing but by rounding, and is
            likely equivalent), "no effect" (every output was the same to the bit) or "not judged".
        by: which field or question objected, how it crashed, or where a survivor changed something.
    """

    outcome: str
    by: str = ""


@dataclass(frozen=True)
class Trials:
    """How mutants of one pair are tried.

    Attributes:
        place: "module:name" of the pair.
        folder: for what the processes are given and leave behind.
        transitions, resets, seed: of each verification.
        patience: seconds that one may take.
    """

    place: str
    folder: Path
    transitions: int
    resets: int
    seed: int
    patience: float

    def control(self, files: Sequence[Path]) -> set[tuple[str, int]]:
        """Try the unchanged port and record what it puts out; return the functions that it enters.

        Raises:
            InputError: it does not pass.
        """
        answer = self._run("control", self._job(record="unchanged", files=files))
        if isinstance(answer, str):
            raise InputError(f"{self.place}: the unchanged port cannot be verified: {answer}")
        if answer["verdict"] == UNSEEN:
            raise InputError(
                f"{self.place}: of the unchanged port not enough was seen ({answer['by']}), so no "
                "mutant can be told from it; ask for more --transitions"
            )
        if answer["verdict"] != SAME:
            raise InputError(
                f"{self.place}: the unchanged port is {answer['verdict']} ({answer['by']}), so no "
                "mutant can be told from it; see `envparity check`, and accept what is known"
            )
        return {(str(file), int(line)) for file, line in answer["entered"]}

    def judge(self, module: str, change: Change, source: bytes, number: int) -> Fate:
        """Return what becomes of a change of a module's source; ``number`` names its files."""
        name = f"mutant-{number}"
        changed = self.folder / f"{name}.py"
        changed.write_bytes(change.apply(source))
        job = self._job(module=module, source=str(changed), record="unchanged")
        try:
            answer = self._run(name, job)
        except subprocess.TimeoutExpired:
            return Fate(UNJUDGED, f"no answer within {self.patience:g} s")
        finally:
            changed.unlink()
        if isinstance(answer, str):
            return Fate(CRASHED, answer)
        if answer["verdict"] != SAME:
            return Fate(KILLED, str(answer["by"]))
        if answer["effect"] in (NOTHING, ROUNDING):
            return Fate(str(answer["effect"]))
        return Fate(SURVIVED, f"changes {answer['where']}")

    def _job(
        self, module: str = "", source: str = "", record: str = "", files: Sequence[Path] = ()
    ) -> dict[str, Any]:
        return {
            "place": self.place,
            "module": module,
            "source": source,
            "transitions": self.transitions,
            "resets": self.resets,
            "seed": self.seed,
            "record": str(self.folder / record),
            "files": [str(file) for file in files],
        }

    def _run(self, name: str, job: dict[str, Any]) -> dict[str, Any] | str:
        """Return what a process wrote, or the end of what it printed if it did not run."""
        given, result = self.folder / f"{name}.job.json", self.folder / f"{name}.result.json"
        write_json(given, job)
        command = [sys.executable, "-P", "-m", "parity.mutation.child", str(given), str(result)]
        done = run_child(
            command,
            env=environment(self.folder / "compiled"),
            timeout=None if name == "control" else self.patience,
        )
        given.unlink()
        if done.returncode or not result.is_file():
            lines = [line for line in done.stderr.strip().splitlines() if line.strip()]
            return lines[-1][:200] if lines else f"exit code {done.returncode}"
        answer = read_json(result, dict[str, Any], RESULT)
        result.unlink()
        return answer


def environment(cache: Path) -> dict[str, str]:
    """Return a process's environment: what can be imported here can be there, compiled code is kept.

    Compiled code is kept under a hash of the program itself, so a mutant cannot be answered from it.
    """
    here = [str(Path(path).resolve()) for path in sys.path if path]
    flags = os.environ.get("XLA_FLAGS", "")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(here),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XLA_FLAGS": f"{flags} {FAST}".strip(),
        "JAX_PLATFORMS": os.environ.get("JAX_PLATFORMS", "cpu"),
        "JAX_TRACEBACK_FILTERING": "off",  # so that the last line names the error
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
