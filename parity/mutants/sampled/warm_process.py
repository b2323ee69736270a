"""Process that has imported what tests need of others, and forks for every run of them.

``python -I warm_process.py``: a script that imports nothing of ours, since each run brings its own
copy of that. A line of JSON in is a run of pytest, a line out its exit code:
:mod:`parity.mutants.sampled.warm` writes and reads them.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from typing import Any

LIBRARIES = (
    *("pytest", "hypothesis", "click", "rich", "msgspec", "numpy", "pandas", "gymnasium"),
    *("jax", "jax.numpy", "flax.linen", "optax", "orbax.checkpoint", "torch", "sb3_contrib"),
)
"""What takes long to import; what is not installed is left out."""

TICK_S = 0.02
TOO_LONG = 124
"""Exit code of a run that was ended because it took too long, as of ``timeout``."""


def run_pytest(job: dict[str, Any]) -> int:
    """Run pytest in this process, as in one that was started in a folder with an environment."""
    os.setsid()  # so that what it starts can be ended with it
    out = os.open(job["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(ours, theirs)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.path[:0] = job["env"].get("PYTHONPATH", "").split(os.pathsep)
    return int(sys.modules["pytest"].main(job["arguments"]))


def wait(child: int, seconds: float) -> int:
    """Return the exit code of a child, and end what it left; end it too when it takes too long.

    The same where nobody is there any more to be told: then this process ends with it.
    """
    until = time.monotonic() + seconds
    ended, status = os.waitpid(child, os.WNOHANG)
    alone = late = False
    while not ended and not (alone or late):
        alone = bool(select.select([0], [], [], TICK_S)[0])  # else the next line comes later
        late = time.monotonic() > until
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):  # none are left
        os.killpg(child, signal.SIGKILL)
    if ended:
        return os.waitstatus_to_exitcode(status)
    os.waitpid(child, 0)
    if alone:
        sys.exit(1)
    return TOO_LONG


def main() -> None:
    """Import, then fork for each line that comes in."""
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    print("ready", flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            code = 70
            try:
                code = run_pytest(job)
                sys.stdout.flush()
                sys.stderr.flush()
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(code)
        print(wait(child, job["seconds"]), flush=True)


if __name__ == "__main__":
    main()
