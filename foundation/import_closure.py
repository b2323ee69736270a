"""Which source files a verdict depends on, found by following imports without running anything."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

from foundation.errors import InputError

PACKAGES_ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds the packages of this project."""


def _module_file(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(tree: ast.AST) -> Iterable[str]:
    """Yield every module a file may import, ``from a import b`` as both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(root: Path, modules: Iterable[str]) -> dict[str, Path]:
    """Return every file under ``root`` that the modules import, directly or not.

    Imports inside functions count too, and so do the packages a module lies in.

    Args:
        root: the folder that holds the packages.
        modules: dotted names to begin with.

    Returns:
        Path relative to ``root`` (with forward slashes) to absolute path, sorted.

    Raises:
        InputError: one of ``modules`` has no file under ``root``; a list of files that leaves out a
            renamed module would pass for complete.
    """
    files: dict[str, Path] = {}
    waiting = list(modules)
    for module in waiting:
        if _module_file(root, module) is None:
            raise InputError(
                f"{module}: there is no such module under {root}; mend the list that names it"
            )
    done: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in done:
            continue
        done.add(module)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
        file = _module_file(root, module)
        if file is None:
            continue
        files[file.relative_to(root).as_posix()] = file
        waiting.extend(_imports(ast.parse(file.read_text(encoding="utf-8"))))
    return dict(sorted(files.items()))


def digests(root: Path, modules: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of every file in the modules' closure, by path relative to ``root``."""
    files = closure(root, modules)
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
