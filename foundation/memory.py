"""Refuse sizes that cannot fit into memory, by an estimate, before anything is allocated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from foundation.errors import InputError
from foundation.report.format import byte_size

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says what a container may use."""


CGROUP_USES = tuple(
    zip(
        CGROUP_LIMITS,
        ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        strict=True,
    )
)
"""The same, beside what the container uses; ``memory.stat`` beside that says what of it is cached."""


def machine_memory() -> int | None:
    """Return the bytes of memory that this process's machine, or container, has; None if unknown."""
    sizes = []
    with suppress(ValueError, OSError, AttributeError):
        sizes.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in CGROUP_LIMITS:
        with suppress(OSError, ValueError):
            sizes.append(int(Path(name).read_text(encoding="ascii")))
    return min(sizes, default=None)


def available_memory() -> int | None:
    """Return the bytes of memory that can be had now, here or in this container; None if unknown."""
    sizes = []
    with suppress(ValueError, OSError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                sizes.append(int(line.split()[1]) * 1024)
    for limit, used in CGROUP_USES:
        with suppress(OSError, ValueError):
            most, taken = (int(Path(name).read_text(encoding="ascii")) for name in (limit, used))
            # Pages of files that nobody reads just now are given up where memory is wanted.
            sizes.append(max(0, most - max(0, taken - _inactive(Path(used).with_name("memory.stat")))))
    return min(sizes, default=machine_memory())


def _inactive(path: Path) -> int:
    """Return the bytes of inactive file pages that a ``memory.stat`` tells, 0 where it tells none."""
    stat: dict[str, str] = {}
    with suppress(OSError, ValueError):
        stat = dict(line.split() for line in path.read_text(encoding="ascii").splitlines())
    # The older form counts the container's own pages and, as its limit does, those below it.
    told = stat.get("total_inactive_file", stat.get("inactive_file", ""))
    return int(told) if told.isdecimal() else 0


def require_memory(
    what: str, parts: Mapping[str, float], lower: Mapping[str, str], available: int | None = None
) -> None:
    """Refuse work that needs more memory than there is.

    Args:
        what: the work, such as "this training".
        parts: bytes of each of its parts, by name; all are there at once.
        lower: the options that make each part smaller, by the same names.
        available: bytes there are; by default the machine's.

    Raises:
        InputError: names the estimate, the largest part, what there is, and what to lower.
    """
    limit = machine_memory() if available is None else available
    total = sum(parts.values())
    if limit is None or total <= limit:
        return
    largest = max(parts, key=lambda name: parts[name])
    raise InputError(
        f"{what} would need at least {byte_size(total)} of memory, {byte_size(parts[largest])} of it "
        f"for {largest}, and there are {byte_size(limit)}; lower {lower[largest]}"
    )
