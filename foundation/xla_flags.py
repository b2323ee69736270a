"""A check that XLA can read the environment variable ``XLA_FLAGS``, before it aborts over it.

XLA reads the variable when a device is first asked for, and aborts where it does not know a flag or a
flag's value: no exception, exit code 134. Whether it does is asked in a process of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

KNOWN = "ENVPARITY_KNOWN_XLA_FLAGS"
"""Environment variable: flags that XLA has read, so that no process started by this one asks again."""
_ASK = "import jax; jax.devices('cpu')"
_REASON = re.compile(r"^[EF]\d+ .*?\] (.*(?:XLA_FLAGS|for flag).*)$", re.MULTILINE)


def unreadable_xla_flags() -> str:
    """Return what is wrong with ``XLA_FLAGS`` as a sentence, or nothing where XLA can read it."""
    flags = os.environ.get("XLA_FLAGS", "")
    if not flags.strip() or os.environ.get(KNOWN) == flags:
        return ""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", _ASK],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    reason = _REASON.search(done.stderr) if done.returncode else None
    if reason is None:  # whatever else is wrong is told where it is met
        os.environ[KNOWN] = flags
        return ""
    return (
        f"the environment variable XLA_FLAGS is {flags!r}, which this version of XLA can't read "
        f"({reason[1].strip().rstrip('.')}); take out what it names, or unset XLA_FLAGS"
    )
