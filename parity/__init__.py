"""Parity of an environment and its port; ``from parity import Pair, Reference, Port, verify``.

Names are imported when they are first asked for: ``import parity`` alone is light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from parity.harness.fields import angle, close, exact, integer, near, real
    from parity.harness.pair import Accepted, Pair, Port, Reference
    from parity.harness.report import Report
    from parity.harness.sides.functional import Program
    from parity.harness.verify import verify

DISTRIBUTION = "envparity"
"""What installs this package; :mod:`foundation.own_parity` tells it from others' by this line."""

_PLACES = {
    "Accepted": "pair",
    "Pair": "pair",
    "Port": "pair",
    "Program": "sides.functional",
    "Reference": "pair",
    "Report": "report",
    "angle": "fields",
    "close": "fields",
    "exact": "fields",
    "integer": "fields",
    "near": "fields",
    "real": "fields",
    "verify": "verify",
}

__all__ = [
    "Accepted",
    "Pair",
    "Port",
    "Program",
    "Reference",
    "Report",
    "angle",
    "close",
    "exact",
    "integer",
    "near",
    "real",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"parity.harness.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'parity' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
