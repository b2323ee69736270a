"""Templates of the pages that reports are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2


def templates(package: str, **filters: Callable[..., Any]) -> jinja2.Environment:
    """Return a package's templates, strict about names, with filters of its own."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    env.filters.update(filters)
    return env
