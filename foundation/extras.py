"""Which extra of this distribution brings a package that is missing, read from its own metadata."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires

DISTRIBUTION = "envparity"
"""The name that this project is installed by."""

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*?extra\s*==\s*['\"]([^'\"]+)['\"]")


def extra_of(module: str) -> str | None:
    """Return the first extra that installs a module, such as "reference" for ``torch.nn``, or None.

    A module and what installs it are held to be one where the names agree up to ``-`` and ``_``.
    """
    wanted = _plain(module.partition(".")[0])
    try:
        declared = requires(DISTRIBUTION) or []
    except PackageNotFoundError:
        return None
    for requirement in declared:
        match = _REQUIREMENT.match(requirement)
        if match and _plain(match[1]) == wanted:
            return match[2]
    return None


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
