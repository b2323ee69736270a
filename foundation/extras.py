"""Which extra of this distribution brings a package that is missing, read from its own metadata."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

DISTRIBUTION = "envparity"
"""The name that this project is installed by."""

SOURCES = Path(__file__).resolve().parents[1]
"""The folder that this package lies in; of sources, where it is not installed."""

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


def packages_in_sources(folder: Path = SOURCES) -> dict[str, tuple[str, ...]]:
    """Return the same from the ``pyproject.toml`` of a folder of sources, if there is one."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    except (OSError, KeyError, UnicodeError, tomllib.TOMLDecodeError):
        return {}
    if project.get("name") != DISTRIBUTION:
        return {}
    names = {
        extra: [re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0] for one in requirements]
        for extra, requirements in project.get("optional-dependencies", {}).items()
    }
    own = {
        extra: tuple(name for name in of if _plain(name) != DISTRIBUTION) for extra, of in names.items()
    }
    return {extra: packages for extra, packages in own.items() if packages}


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
