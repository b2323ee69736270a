"""Which source files a result depends on, found by following imports without running anything."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

from foundation.errors import InputError
from foundation.files import file_digest

PACKAGES_ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds the packages of this project."""
PACKAGES = ("foundation", "markets", "legacy_torch", "jax_port", "parity", "benchmarks", "rltrader")
"""The packages of this project; in an installation, others lie beside them."""
TYPE_CHECKING = ("TYPE_CHECKING", "typing.TYPE_CHECKING")

Find = Callable[[str], Path | None]
"""From a module's dotted name to the file it lies in, None where there is no such module."""


def closure(root: Path, modules: Iterable[str]) -> dict[str, Path]:
    """Return every file of ours under ``root`` that the modules import, directly or not.

    Ours are :data:`PACKAGES` and the packages of ``modules``.

    Imports inside functions count, relative ones too, and so do the packages a module lies in.
    Imports for type checkers alone (``if TYPE_CHECKING:``) do not: they are never run.

    Args:
        root: the folder that holds the packages.
        modules: dotted names to begin with.

    Returns:
        Path relative to ``root`` (with forward slashes) to absolute path, sorted.

    Raises:
        InputError: one of ``modules``, or a module of ours that one of the files imports, has no
            file; a list that leaves out a renamed module would pass for complete.
    """
    return follow(partial(_module_file, root), modules, f"under {root}")


def follow(find: Find, modules: Iterable[str], where: str) -> dict[str, Path]:
    """Return what :func:`closure` does, of files that ``find`` finds; ``where`` is said in errors.

    Raises:
        InputError: as for :func:`closure`.
    """
    files: dict[str, Path] = {}
    waiting = [(module, "the list that names it") for module in modules]
    ours = {*PACKAGES, *(module.partition(".")[0] for module, _ in waiting)}
    done: set[str] = set()
    while waiting:
        module, named_by = waiting.pop()
        if module in done:
            continue
        done.add(module)
        file = find(module)
        if file is None:
            raise InputError(f"{module}: there is no such module {where}; mend {named_by}")
        name = module.replace(".", "/") + ("/__init__.py" if file.name == "__init__.py" else ".py")
        files[name] = file
        waiting += [(wanted, name) for wanted in imported_by(find, module, file, ours)]
    return dict(sorted(files.items()))


def imported_by(find: Find, module: str, file: Path, ours: Collection[str]) -> list[str]:
    """Return the modules of ours that one file imports, with the package it lies in.

    Args:
        find: as for :func:`follow`.
        module, file: its dotted name and place.
        ours: names of packages.
    """
    wanted = [module.rpartition(".")[0]] if "." in module else []
    for name, part in imports_of(file, module):
        if name.partition(".")[0] in ours:
            wanted.append(name)
            if part and _may_be_module(find, name, part):
                wanted.append(f"{name}.{part}")
    return wanted


def digests(root: Path, modules: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of every file in the modules' closure, by path relative to ``root``.

    Raises:
        InputError: as for :func:`closure`.
    """
    return {name: file_digest(path) for name, path in closure(root, modules).items()}


def _module_file(root: Path, module: str) -> Path | None:
    base = root.joinpath(*module.split("."))
    for candidate in (base / "__init__.py", base.with_suffix(".py")):  # as Python looks for them
        if candidate.is_file():
            return candidate
    return None


def _may_be_module(find: Find, package: str, name: str) -> bool:
    """Say whether ``from package import name`` takes a module: it has a file, or nothing else fits."""
    if find(f"{package}.{name}") is not None:
        return True
    file = find(package)
    if file is None or file.name != "__init__.py":
        return False
    bound = set(_bound(ast.parse(file.read_text(encoding="utf-8")), package))
    return not bound & {name, "__getattr__", "*"} and name != "*"


def _bound(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the names that a package's own file defines; the modules it imports of itself are none."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "") == ("" if node.level else package):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)


def imports_of(file: Path, module: str) -> Iterator[tuple[str, str]]:
    """Yield what a file imports: a module, and the name taken from it, which may be a module too."""
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    for node in _executed(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            parts = [*above, node.module or ""] if node.level else [node.module or ""]
            yield from ((".".join(filter(None, parts)), alias.name) for alias in node.names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node but those under ``if TYPE_CHECKING:``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) in TYPE_CHECKING:
            for other in child.orelse:
                yield other
                yield from _executed(other)
            continue
        yield child
        yield from _executed(child)
