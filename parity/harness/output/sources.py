"""Which source files and packages a verdict about a pair depends on, wherever they lie."""

from __future__ import annotations

import importlib.util
import site
import sys
import sysconfig
from collections.abc import Iterable
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

from foundation.errors import InputError
from foundation.files import file_digest
from foundation.import_closure import imports_of

LIBRARIES = (".so", ".pyd", ".dll", ".dylib")
"""How the names of compiled libraries end."""


def sources(modules: Iterable[str], also: Iterable[str] = ()) -> tuple[dict[str, str], dict[str, str]]:
    """Return what modules depend on: the SHA-256 of source files, and versions of installed packages.

    Imports are followed through every file that is no installed package's, relative imports too; of an
    installed package the version is taken. The modules to begin with and those of ``also`` are digested
    though they are installed. Of compiled code, extension modules that are imported, or among those of
    ``also``, are digested as sources are, and so are shared libraries in the folders of digested files,
    which code may load by their path.

    Args:
        modules: dotted names to begin with, such as the pair's.
        also: modules of installed packages whose files are digested too, such as those that the two
            sides' environments are defined in.

    Returns:
        Digest by module name, of a library by its folder's module and name; version by name of the
        distribution.

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
    compiled: set[Path] = set()
    folders: dict[Path, str] = {}
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
            extension = _extension_of(module)
            if extension is not None and (module in named or not _is_installed(extension)):
                files[module] = file_digest(extension)
                compiled.add(extension.resolve())
            continue
        if _is_installed(file):
            for name in installed.get(module.partition(".")[0], ()):
                packages[name] = _version(name)
            if module in named:
                files[module] = file_digest(file)
                package = _package_of(module, file)
                if package:  # beside a module of none lie the files of other packages
                    folders[file.parent.resolve()] = package
            continue
        files[module] = file_digest(file)
        folders[file.parent.resolve()] = _package_of(module, file)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
        for wanted, part in imports_of(file, module):
            waiting.append(wanted)
            if part and part != "*":
                waiting.append(f"{wanted}.{part}")
    for folder, package in folders.items():
        for library in folder.iterdir():
            is_library = library.name.endswith(LIBRARIES) or ".so." in library.name
            if is_library and library.is_file() and library.resolve() not in compiled:
                files[f"{package}/{library.name}".lstrip("/")] = file_digest(library)
    return dict(sorted(files.items())), dict(sorted(packages.items()))


def _package_of(module: str, file: Path) -> str:
    """Return the package whose folder a module's file lies in; nothing for a module of no package."""
    return module if file.name == "__init__.py" else module.rpartition(".")[0]


def source_of(module: str) -> Path | None:
    """Return a module's source file, or None: a built-in, a name that is none, a compiled one."""
    path = _file_of(module)
    return path if path is not None and path.suffix == ".py" else None


def _extension_of(module: str) -> Path | None:
    """Return the file of a compiled module, or None."""
    path = _file_of(module)
    return path if path is not None and path.name.endswith(tuple(EXTENSION_SUFFIXES)) else None


def _file_of(module: str) -> Path | None:
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return None
        origin = None if spec is None else spec.origin
    path = None if origin is None else Path(origin)
    return path if path is not None and path.is_file() else None


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
