"""Which extra of this distribution brings a package that is missing, read from its own metadata."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version

DISTRIBUTION = "envparity"
"""The name that this project is installed by."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*?extra\s*==\s*['\"]([^'\"]+)['\"]")


def extra_of(module: str) -> str | None:
    """Return the first extra that installs a module, such as "reference" for ``torch.nn``, or None.

    A module and what installs it are held to be one where the names agree up to ``-`` and ``_``.
    """
    wanted = _plain(module.partition(".")[0])
    for extra, packages in packages_of_extras().items():
        if wanted in map(_plain, packages):
            return extra
    return None


def packages_of_extras() -> dict[str, tuple[str, ...]]:
    """Return the packages that each extra adds of its own; nothing where this is not installed."""
    try:
        declared = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return {}
    extras: dict[str, tuple[str, ...]] = {}
    for requirement in declared:
        match = _REQUIREMENT.match(requirement)
        if match and _plain(match[1]) != DISTRIBUTION:
            extras[match[2]] = (*extras.get(match[2], ()), match[1])
    return extras


def is_installed(package: str) -> bool:
    """Return whether a package of that name on the index is installed."""
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def how_to_install(module: str) -> str | None:
    """Return one sentence on a missing module of an extra; None where no extra brings it."""
    extra = extra_of(module)
    if extra is None:
        return None
    name = module.partition(".")[0]
    return (
        f"{name} is not installed, and this needs it: python -m pip install '{DISTRIBUTION}[{extra}]'"
    )


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
