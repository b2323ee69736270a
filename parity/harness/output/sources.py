"""Which source files and packages a verdict about a pair depends on, wherever they lie."""

from __future__ import annotations

import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from foundation.errors import InputError
from foundation.files import file_digest
from foundation.import_closure import imports_of


def sources(modules: Iterable[str], also: Iterable[str] = ()) -> tuple[dict[str, str], dict[str, str]]:
    """Return what modules depend on: the SHA-256 of source files, and versions of installed packages.

    Imports are followed through every file that is no installed package's, relative imports too; of an
    installed package the version is taken. The modules to begin with and those of ``also`` are digested
    though they are installed.

    Args:
        modules: dotted names to begin with, such as the pair's.
        also: modules of installed packages whose files are digested too, such as those that the two
            sides' environments are defined in.

    Returns:
        Digest by module name, and version by name of the distribution.

    Raises:
        InputError: a module to begin with has no source file.
    """
    files: dict[str, str] = {}
    packages: dict[str, str] = {}
    installed = packages_distributions()
    waiting = list(modules)
    first = set(waiting)
    named = first | set(also)
    waiting += named - first
    done: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in done:
            continue
        done.add(module)
        file = source_of(module)
        if file is None:
            if module in first:
                raise InputError(
                    f"{module} has no source file that could be bound; name a module of Python"
                )
            continue
        if _is_installed(file):
            for name in installed.get(module.partition(".")[0], ()):
                packages[name] = _version(name)
            if module in named:
                files[module] = file_digest(file)
            continue
        files[module] = file_digest(file)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
        for wanted, part in imports_of(file, module):
            waiting.append(wanted)
            if part and part != "*":
                waiting.append(f"{wanted}.{part}")
    return dict(sorted(files.items())), dict(sorted(packages.items()))


def source_of(module: str) -> Path | None:
    """Return a module's source file, or None: a built-in, a name that is none, a compiled one."""
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return None
        origin = None if spec is None else spec.origin
    path = None if origin is None else Path(origin)
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _is_installed(file: Path) -> bool:
    """Say whether a file lies where packages, or Python itself, are installed."""
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    folders |= {*site.getsitepackages(), site.getusersitepackages()}
    return any(file.resolve().is_relative_to(Path(folder).resolve()) for folder in folders)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
