"""The certificate of a pair: the verdict, and exactly which code it is about."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from foundation.errors import InputError
from foundation.files import json_digest
from foundation.json_reading import Artifact, Int32, Struct, convert, read_json
from foundation.provenance import package_version
from parity.harness.output.sources import source_of, sources
from parity.harness.pair import Pair
from parity.harness.places import find_here
from parity.harness.report import SAME, Report
from parity.harness.sides.side import Side

FORMAT = 1
MEND = "make a new one with `envparity check`"
FILE = Artifact(
    "certificate", MEND, absent="there is no certificate here; make one with `envparity check`"
)
BINDING = ("jax", "jaxlib", "numpy")


class _Certificate(Struct):
    """What a certificate must hold to be held against the code at hand."""

    format: Int32
    pair: str
    verdict: str
    modules: list[str]
    environments: list[str]
    sources: dict[str, str]
    packages: dict[str, str]
    bound: dict[str, str]


def environments(side: Side) -> list[str]:
    """Return the modules that a side's environment is defined in."""
    environment = side.environment()
    inner = getattr(environment, "unwrapped", environment)
    classes = {*type(environment).__mro__, *type(inner).__mro__}
    return sorted({one.__module__ for one in classes} - {"builtins", "typing", "abc", "__main__"})


def bound_modules(pair: Pair, module: str) -> tuple[list[str], list[str]]:
    """Return the modules that a verdict depends on, and those that the environments are defined in.

    Args:
        pair: that is verified.
        module: the module in which the pair is declared.
    """
    sides = {*pair.reference.sources, *pair.port.sources}
    modules = sorted({module, *sides, "parity.harness.verify"} - {"__main__"})
    return modules, sorted({*environments(pair.reference), *environments(pair.port)})


def bound_code(pair: Pair, module: str) -> dict[str, Any]:
    """Return all that a verdict depends on, ready for JSON: sources, and versions that are in use.

    Args:
        pair: that is verified.
        module: the module in which the pair is declared.
    """
    files, packages = sources(*bound_modules(pair, module))
    return {"sources": files, "packages": packages, "bound": _bound()}


def told_of_code(bound: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`bound_code` returned for an account of a run: a digest of the sources and,
    by name, packages and versions."""
    return {
        "code": json_digest(bound["sources"]),
        "packages": bound["packages"],
        "versions": bound["bound"],
    }


def issue(pair: Pair, report: Report, module: str) -> dict[str, Any]:
    """Return a certificate for a report.

    Args:
        pair: the pair that was verified.
        report: what was found.
        module: the module in which the pair is declared.
    """
    modules, defined = bound_modules(pair, module)
    return {
        "format": FORMAT,
        "pair": pair.name,
        "place": report.place,
        "verdict": report.verdict,
        "made": dict(report.made),
        "settings": dict(report.settings),
        "rules": {one.name: one.rule for one in report.fields},
        "accepted": report.accepted,
        "modules": modules,
        "environments": defined,
        **bound_code(pair, module),
    }


def _bound() -> dict[str, str]:
    versions_used = {"python": platform.python_version(), "device": jax.devices()[0].platform}
    return versions_used | {name: package_version(name) for name in BINDING}


def misfits(path: Path) -> list[str]:
    """Return why a certificate does not fit the code at hand; nothing if it does.

    Modules of the current folder are found as ``envparity check`` finds them.

    Raises:
        InputError: there is none, it is none of this format, or a module of it is not found here.
    """
    values: Mapping[str, Any] = read_json(path, dict[str, Any], FILE)
    held = convert(values, _Certificate, FILE, where=path)
    if held.format != FORMAT:
        raise InputError(f"{path}: certificate format {held.format} is not {FORMAT}; {MEND}")
    find_here()
    for module in held.modules:
        if source_of(module) is None:
            raise InputError(
                f"{path}: there is no module {module}; run it in the folder that holds it, or {MEND}"
            )
    reasons = [] if held.verdict == SAME else [f"its verdict is {held.verdict!r}"]
    files, packages = sources(held.modules, held.environments)
    for what, then, now in (
        ("", held.sources, files),
        ("version of ", held.packages, packages),
        ("version of ", held.bound, _bound()),
    ):
        for name in sorted(set(then) | set(now)):
            if then.get(name) != now.get(name):
                change = (
                    "is gone" if name not in now else "is new" if name not in then else "has changed"
                )
                reasons.append(f"{what}{name} {change}")
    return reasons
