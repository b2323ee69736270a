"""Machine, device, versions and flags that a measured number depends on."""

from __future__ import annotations

import jax
import msgspec

from benchmarks.harness.record import Record
from foundation import provenance

PACKAGES = ("jax", "jaxlib", "numpy", "gymnasium", "stable-baselines3", "torch")


class Device(Record, frozen=True, kw_only=True):
    """JAX's default device.

    Attributes:
        platform: "cpu", "gpu" or "tpu".
        kind: its model, as JAX names it.
        count: devices of that platform.
    """

    platform: str
    kind: str
    count: int


class MachineInfo(Record, frozen=True, kw_only=True):
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
    values = provenance.machine_info(PACKAGES, jax.devices(), jax.config)
    return msgspec.convert(values, MachineInfo)
