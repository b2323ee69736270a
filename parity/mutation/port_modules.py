"""Which modules a pair's port is written in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foundation.errors import InputError
from parity.harness.pair import Pair
from parity.mutation.changed_module import source_file

OURS = ("parity", "foundation")
"""Packages that judge."""


def port_modules(pair: Pair, declared_in: str, wanted: Sequence[str] = ()) -> dict[str, Path]:
    """Return the source files of the modules that are mutated, by module.

    Args:
        pair: whose port it is.
        declared_in: the module that declares the pair.
        wanted: modules by name; by default, the one that the port's environment is defined in, or the
            modules of the functions that it is made of.

    Raises:
        InputError: none can be told, or one has no source.
    """
    names = list(wanted) or _defined_in(pair, declared_in)
    for name in names:
        if name.partition(".")[0] in OURS:
            raise InputError(f"{name} judges mutants and cannot be one; name a module of the port")
    return {name: source_file(name) for name in names}


def modules_of_reference(pair: Pair) -> set[str]:
    """Return the modules that the reference is made in, and that its environment is defined in."""
    environment = pair.reference.environment()
    inner = getattr(environment, "unwrapped", environment)
    return {*pair.reference.sources, type(inner).__module__}


def _defined_in(pair: Pair, declared_in: str) -> list[str]:
    environment = pair.port.environment()
    inner = getattr(environment, "unwrapped", environment)
    if environment is not None and type(inner).__module__ not in ("builtins", "__main__"):
        return [type(inner).__module__]
    named = [name for name in pair.port.sources if name != declared_in]
    named += [name for name in _called(pair.port) if name not in named]
    reference = set(pair.reference.sources) - {declared_in}
    chosen = [name for name in named if name not in reference and name.partition(".")[0] not in OURS]
    return chosen or [declared_in]


def _called(port: Any) -> list[str]:
    """Return the modules of what a port's factory, such as a lambda, calls by name."""
    make = getattr(port, "make", None)
    code, space = getattr(make, "__code__", None), getattr(make, "__globals__", {})
    if code is None:
        return []
    values = [space[name] for name in code.co_names if name in space]
    return [one.__module__ for one in values if callable(one) and hasattr(one, "__module__")]
