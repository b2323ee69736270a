"""Check that every path and every name of ours that a page mentions exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.docs.pages import ROOT, Fault, Page, read

PACKAGES = ("foundation", "markets", "legacy_torch", "jax_port", "parity", "benchmarks", "rltrader")
SOURCES = re.compile(r"[\w./*-]+\.(?:py|pyi|cs|md|toml|j2|yml|yaml|ipynb|cff)")
"""Code spans of this form name a file of the project, whole or by its end."""
WRITTEN_BY_RUNS = {"torch_policy.py", "SEED.json", "run.toml", "walk_forward.toml"}
"""Sources that a command writes; they are in no folder of the project."""
READERS_OWN = {"mine.toml", "es.toml"}
"""Files that a reader of a page writes."""
SKIPPED = {
    ".git",
    ".nox",
    ".venv",
    "venv",
    "__pycache__",
    "build",
    "dist",
    "site",
    ".pytest_cache",
    ".cache",
}
DATA = re.compile(r".*\.(json|html|xml|csv|parquet|zip)")
LOCAL = re.compile(r"reports/(?!reference|README)")
"""What runs write: named by pages, never committed."""


@cache
def files() -> frozenset[str]:
    """Return the paths of all files and folders of the project."""
    found: set[str] = set()
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        if not SKIPPED.intersection(parts) and not any(part.endswith(".egg-info") for part in parts):
            found.add("/".join(parts))
    return frozenset(found)


def exists(path: str) -> bool:
    """Say whether a path from the project's folder, perhaps with wildcards, names something."""
    path = path.rstrip("/")
    return any(fnmatch(name, path) for name in files()) if "*" in path else path in files()


def ends(path: str) -> bool:
    """Say whether some file's path ends in ``path``, which may have wildcards."""
    return exists(path) or any(fnmatch(name, f"*/{path}") for name in files())


def _tops() -> set[str]:
    return {name.split("/")[0] for name in files() if (ROOT / name.split("/")[0]).is_dir()}


def check_spans(page: Page) -> Iterator[Fault]:
    """Yield a fault for every code span that names a file or a name of ours that is not there."""
    for line, span in page.spans:
        for text in span.split():
            if fault := _wrong(text, whole=text == span):
                yield Fault(page.name, line, fault)
    for block in page.blocks:
        if block.language in ("bash", "text", ""):
            for number, row in enumerate(block.code.splitlines()):
                for text in re.split(r"[\s()\"'|;<>]+", row.split(" # ")[0]):
                    if "/" in text and (fault := _wrong(text, whole=False)):
                        yield Fault(page.name, block.line + number, fault)


def _wrong(text: str, whole: bool) -> str | None:
    text = text.strip(",;:")
    if text in WRITTEN_BY_RUNS | READERS_OWN or text.startswith(("http", "/", "~", ".")):
        return None
    if "/" in text and text.split("/")[0] in _tops():
        if LOCAL.match(text) or exists(text.split("::")[0]):
            return None
        return f"`{text}`: no such file or folder"
    if whole and SOURCES.fullmatch(text):
        return None if ends(text) else f"`{text}`: no file of the project has this path"
    if (
        whole
        and not DATA.fullmatch(text)
        and re.fullmatch(r"[a-z_]\w*(\.\w+)+(\(.*\))?", text)
        and text.split(".")[0] in PACKAGES
    ):
        return None if _resolves(text.split("(")[0]) else f"`{text}`: no such module, class or function"
    return None


@cache
def _resolves(dotted: str) -> bool:
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            spec = find_spec(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        if spec is None:
            continue
        target: object = import_module(".".join(parts[:length])) if length < len(parts) else None
        for name in parts[length:]:
            if not hasattr(target, name):
                fields = getattr(target, "__dataclass_fields__", {})
                annotated = getattr(target, "__annotations__", {})
                return name in fields or name in annotated
            target = getattr(target, name)
        return True
    return False


def check_links(page: Page, others: dict[str, Page]) -> Iterator[Fault]:
    """Yield a fault for every link to a file or a heading that is not there."""
    for line, target in page.links:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, fragment = target.partition("#")
        file = (page.folder / path).resolve() if path else ROOT / page.name
        if path and not file.exists():
            yield Fault(page.name, line, f"link to {target}: no such file")
        elif fragment and file.suffix == ".md" and fragment not in _anchors(file, page, others):
            yield Fault(page.name, line, f"link to {target}: no such heading")
        elif page.name.startswith("docs/") and not any(
            file.is_relative_to(ROOT / part) for part in ("docs", "reports/reference")
        ):
            yield Fault(page.name, line, f"link to {target}: outside docs/, so the site can't have it")


def _anchors(file: Path, page: Page, others: dict[str, Page]) -> set[str]:
    name = str(file.relative_to(ROOT))
    if name == page.name:
        return page.anchors
    return others[name].anchors if name in others else read(name, file.read_text("utf-8")).anchors
