"""What a result was made with: versions, machine, devices, flags. Imports neither JAX nor torch.

Devices and JAX's configuration are passed in by whoever has imported JAX already.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

ABSENT = "not installed"
FLAGS = ("jax_enable_x64", "jax_default_matmul_precision")
"""Settings of JAX that a number may depend on."""


class Device(Protocol):
    """What is asked of a device of JAX."""

    @property
    def platform(self) -> str:
        """Such as "cpu" or "gpu"."""

    @property
    def device_kind(self) -> str:
        """Its name."""


def now() -> str:
    """Return the time in UTC, to the second, such as 2025-01-31T09:30:00+00:00."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def package_version(name: str) -> str:
    """Return an installed package's version, or :data:`ABSENT`."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ABSENT


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the version of Python and of each package by name; :data:`ABSENT` for a missing one."""
    return {"python": platform.python_version()} | {name: package_version(name) for name in packages}


def device_info(devices: Sequence[Device]) -> dict[str, Any]:
    """Return platform, kind and count of ``jax.devices()``."""
    first = devices[0]
    return {"platform": first.platform, "kind": first.device_kind, "count": len(devices)}


def device_name(devices: Sequence[Device]) -> str:
    """Return ``jax.devices()`` in words, such as "1 x cpu (cpu)"."""
    return f"{len(devices)} x {devices[0].platform} ({devices[0].device_kind})"


def jax_flags(jax_config: object) -> dict[str, str]:
    """Return the settings of JAX and XLA that a number may depend on, as text; empty where not set.

    Args:
        jax_config: ``jax.config``, of which :data:`FLAGS` are read.
    """
    values = {name: getattr(jax_config, name) for name in FLAGS}
    own = {name: "" if value in (None, False) else str(value) for name, value in values.items()}
    return {**own, "XLA_FLAGS": " ".join(sorted(os.environ.get("XLA_FLAGS", "").split()))}


def made_with(packages: Iterable[str], devices: Sequence[Device]) -> dict[str, Any]:
    """Return versions and devices, for the provenance of an artifact."""
    return {"versions": versions(packages), "device": device_name(devices)}


def machine_info(
    packages: Iterable[str], devices: Sequence[Device], jax_config: object
) -> dict[str, Any]:
    """Return what a measured speed depends on, ready for JSON.

    Args:
        packages: whose versions matter.
        devices: ``jax.devices()``.
        jax_config: ``jax.config``, of which :data:`FLAGS` are read.
    """
    installed = versions(packages)
    return {
        "time": now(),
        "python": installed.pop("python"),
        "versions": installed,
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cores": cores(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "device": device_info(devices),
        "flags": {
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            **{name: getattr(jax_config, name) for name in FLAGS},
        },
    }


def cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """Return the processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


KNOWN_XLA_FLAGS = "ENVPARITY_KNOWN_XLA_FLAGS"
"""Environment variable: flags that XLA has read, so that no process started by this one asks again."""
_ASK = "import jax; jax.devices('cpu')"
_REASON = re.compile(r"^[EF]\d+ .*?\] (.*(?:XLA_FLAGS|for flag).*)$", re.MULTILINE)


def unreadable_xla_flags() -> str:
    """Return what is wrong with ``XLA_FLAGS`` as a sentence, or nothing where XLA can read it.

    XLA reads the variable when a device is first asked for, and aborts where it does not know a flag or
    a flag's value: no exception, exit code 134. Whether it does is asked in a process of its own.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if not flags.strip() or os.environ.get(KNOWN_XLA_FLAGS) == flags:
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
        os.environ[KNOWN_XLA_FLAGS] = flags
        return ""
    return (
        f"the environment variable XLA_FLAGS is {flags!r}, which this version of XLA can't read "
        f"({reason[1].strip().rstrip('.')}); take out what it names, or unset XLA_FLAGS"
    )
