"""Import one module from changed source, wherever it is installed; the files stay as they are."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

from foundation.errors import InputError


class _ChangedLoader(importlib.machinery.SourceFileLoader):
    """Loads a module's file with other bytes; nothing is read from compiled files or written there."""

    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._source, self.path)


class _ChangedFinder(importlib.abc.MetaPathFinder):
    """Finds one module as it is found without it, and hands it to :class:`_ChangedLoader`."""

    def __init__(self, module: str, source: bytes) -> None:
        self._module, self._source = module, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.origin is not None:
                loader = _ChangedLoader(fullname, spec.origin, self._source)
                return importlib.util.spec_from_file_location(
                    fullname,
                    spec.origin,
                    loader=loader,
                    submodule_search_locations=spec.submodule_search_locations,
                )
        return None


def import_changed(module: str, source: bytes) -> None:
    """Have a module that is not imported yet be imported from other source, in this process.

    Raises:
        InputError: it is imported already, so that a change would not reach who imported it.
    """
    if module in sys.modules:
        raise InputError(
            f"{module} is a part of what judges, and cannot be changed; name a module of the port"
        )
    sys.meta_path.insert(0, _ChangedFinder(module, source))


def source_file(module: str) -> Path:
    """Return a module's source file.

    Raises:
        InputError: there is no such module, or it has no source in Python.
    """
    loaded = sys.modules.get(module)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        origin = None if spec is None else spec.origin
    if origin is None or not origin.endswith(".py") or not Path(origin).is_file():
        raise InputError(f"{module} is no module with source in Python; name one that the port is in")
    return Path(origin)
