"""Digests of the source that this process runs: of loaded modules, not of files beside them.

Another copy of a package may lie earlier on the path, and Python may run a compiled file that is not of
the source beside it. So files are found as the import system finds them, from loaded modules where they
are loaded, and a compiled file that would be run must be what its source compiles to.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from foundation.errors import InputError
from foundation.files import file_digest, json_digest
from foundation.import_closure import PACKAGES, follow

CHECKED, HASHED = 0b10, 0b01
"""Flags of a compiled file: it names its source by hash, and that hash is checked when it is loaded."""
HEADER = 16
PARTS = ("__wrapped__", "__func__", "fget", "fset", "fdel", "func")
"""Where decorations, methods of a class, properties and cached ones keep their functions."""
DEEPEST = 100
"""Objects within each other that are looked at; some make another one for every name."""


def loaded_digests(modules: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of every file of ours that the modules import, as this process loads them.

    Args:
        modules: dotted names to begin with.

    Returns:
        Path below the folder of the packages (with forward slashes) to digest, sorted.

    Raises:
        InputError: a module has no file or no source, or what was loaded is not what its source says.
    """
    finder = _Finder()
    files = follow(finder.find, modules, "on this process's path")
    for name, path in files.items():
        finder.check(name, path)
    return {name: file_digest(path) for name, path in files.items()}


@cache
def code_digest(modules: tuple[str, ...]) -> str:
    """Return one digest of :func:`loaded_digests`: the identity of the code that this process runs.

    Raises:
        InputError: as for :func:`loaded_digests`.
    """
    return json_digest(loaded_digests(modules))


def loaded_modules() -> set[str]:
    """Return which modules of ours are loaded, as paths such as ``markets/bars.py``."""
    loaded = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.partition(".")[0] in PACKAGES and file:
            end = "/__init__.py" if Path(file).stem == "__init__" else ".py"
            loaded.add(name.replace(".", "/") + end)
    return loaded


class _Finder:
    """Finds modules without importing them; those that are loaded where they were loaded from."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find(self, name: str) -> Path | None:
        spec = self._spec(name)
        if spec is None or spec.origin is None:
            return None
        if not isinstance(spec.loader, SourceFileLoader):
            raise InputError(
                f"{spec.origin}: {name} is not loaded from a source file, so nobody can say what it "
                "does; remove this file or put the source beside it"
            )
        return Path(spec.origin)

    def check(self, name: str, path: Path) -> None:
        """Refuse a module whose compiled file, or whose functions in memory, are not its source's."""
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        source = path.read_bytes()
        code = compile(source, str(path), "exec", dont_inherit=True)
        spec = self._specs[module]
        if spec is not None and spec.cached and (cached := Path(spec.cached)).is_file():
            data = cached.read_bytes()
            if _is_run(data, path, source) and marshal.loads(data[HEADER:]) != code:
                raise InputError(f"{cached}: this is not what {path} compiles to; remove it")
        if loaded := sys.modules.get(module):
            _check_functions(loaded, code, path)

    def _spec(self, name: str) -> ModuleSpec | None:
        if name not in self._specs:
            self._specs[name] = self._look(name)
        return self._specs[name]

    def _look(self, name: str) -> ModuleSpec | None:
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is not None:
            return spec
        above = name.rpartition(".")[0]
        if not above:
            return importlib.util.find_spec(name)
        parent = self._spec(above)
        if parent is None or parent.submodule_search_locations is None:
            return None
        return PathFinder.find_spec(name, list(parent.submodule_search_locations))


def _is_run(data: bytes, path: Path, source: bytes) -> bool:
    """Say whether Python runs a compiled file instead of compiling the source."""
    if data[:4] != importlib.util.MAGIC_NUMBER or len(data) < HEADER:
        return False
    flags = int.from_bytes(data[4:8], "little")
    if not flags & HASHED:
        stat = path.stat()
        written = int(stat.st_mtime) & 0xFFFFFFFF, stat.st_size & 0xFFFFFFFF
        return written == (
            int.from_bytes(data[8:12], "little"),
            int.from_bytes(data[12:16], "little"),
        )
    return not flags & CHECKED or data[8:16] == importlib.util.source_hash(source)


def _check_functions(module: ModuleType, code: CodeType, path: Path) -> None:
    """Refuse a module with a function that its file does not hold: one of the two was changed since."""
    written: dict[str, list[CodeType]] = {}
    for one in _codes(code):
        written.setdefault(one.co_qualname, []).append(one)
    for function in _functions(module):
        own = function.__code__
        if own.co_filename == code.co_filename and own not in written.get(own.co_qualname, []):
            raise InputError(
                f"{path}: {own.co_qualname} in memory is not what this file says: the file was changed "
                "after it was loaded; start the program again"
            )


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    """Yield the functions and methods that a module defines, those within decorations too."""
    for value in list(vars(module).values()):
        owner = getattr(value, "__module__", None)
        if owner != module.__name__:
            continue
        members = vars(value).values() if isinstance(value, type) else (value,)
        for member in members:
            yield from _within(member, set())


def _within(member: object, seen: set[int]) -> Iterator[FunctionType]:
    """Yield a function and all that it decorates; what decorates it may be of another file.

    Args:
        member: of a module or a class.
        seen: what was looked at on the way, since some objects name themselves.
    """
    if id(member) in seen or len(seen) > DEEPEST:
        return
    seen.add(id(member))
    if isinstance(member, FunctionType):
        yield member
    for part in PARTS:
        if (inner := getattr(member, part, None)) is not None:
            yield from _within(inner, seen)
