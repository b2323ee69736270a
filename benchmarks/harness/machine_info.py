"""Machine, device, versions and flags that a measured number depends on."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

import jax
import msgspec

PACKAGES = ("jax", "jaxlib", "numpy", "gymnasium", "stable-baselines3", "torch")
FLAGS = ("jax_enable_x64", "jax_default_matmul_precision")


class Device(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """JAX's default device.

    Attributes:
        platform: "cpu", "gpu" or "tpu".
        kind: its model, as JAX names it.
        count: devices of that platform.
    """

    platform: str
    kind: str
    count: int


class MachineInfo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Machine and software that a report was measured with.

    Attributes:
        time: when, in UTC, ISO 8601.
        python: version of Python.
        versions: package to version.
        platform: operating system.
        cpu: model of the processor.
        cores: cores that this process may use.
        load_average: over 1, 5 and 15 minutes; None where the system has none.
        device: JAX's default device.
        flags: XLA_FLAGS and JAX's settings of precision.
    """

    time: str
    python: str
    versions: dict[str, str]
    platform: str
    cpu: str
    cores: int
    load_average: tuple[float, float, float] | None
    device: Device
    flags: dict[str, str | bool | None]


def machine_info() -> MachineInfo:
    """Return what this process runs on."""
    device = jax.devices()[0]
    return MachineInfo(
        time=utc_now(),
        python=sys.version.split()[0],
        versions={name: version(name) for name in PACKAGES},
        platform=platform.platform(),
        cpu=cpu_model(),
        cores=usable_cores(),
        load_average=os.getloadavg() if hasattr(os, "getloadavg") else None,
        device=Device(platform=device.platform, kind=device.device_kind, count=jax.device_count()),
        flags={
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
            **{name: getattr(jax.config, name) for name in FLAGS},
        },
    )


def utc_now() -> str:
    """Return the time in UTC, ISO 8601 to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def usable_cores() -> int:
    """Return how many cores this process may use."""
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
