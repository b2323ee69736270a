"""Pages that reports are: one base template with blocks, shared macros, filters for every number.

A package's own template extends ``base.html.j2`` and imports ``macros.html.j2``, both of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2
from markupsafe import Markup, escape

from foundation.errors import printable
from foundation.report import format as form


def _shown(value: Any) -> Any:
    """Return a text with its control characters escaped, as a console shows it; all else as it is."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "\n".join(printable(line) for line in value.split("\n"))


def unbroken(text: str) -> Markup:
    """Return a text in which no line ends between a minus sign and its dollars."""
    return Markup(str(escape(_shown(text))).replace("−$", "−&#8288;$"))


FILTERS: dict[str, Callable[..., Any]] = {
    "bytes": form.byte_size,
    "change": form.change,
    "difference": form.difference,
    "dollars": form.dollars,
    "duration": form.duration,
    "exponent": form.exponent,
    "figures": form.figures,
    "number": form.number,
    "percent": form.percent,
    "plain": form.plain,
    "show": form.show,
    "things": form.count,
    "unbroken": unbroken,
    "when": form.when,
}
"""Filters that every template has."""


def templates(package: str, **filters: Callable[..., Any]) -> jinja2.Environment:
    """Return a package's templates over the shared base and macros, strict about names.

    Args:
        package: its name; its templates lie in its folder ``templates``.
        filters: of its own, beside :data:`FILTERS`.

    Raises:
        ValueError: a filter would hide a shared one.
    """
    if hidden := FILTERS.keys() & filters:
        raise ValueError(f"filters of every page are not replaced: {', '.join(sorted(hidden))}")
    env = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader("foundation.report"), jinja2.PackageLoader(package)]
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    env.filters.update(FILTERS | filters)
    return env
