"""Whether the package ``parity`` that Python imports is this distribution's own.

The index has other distributions with a package of that name, parity-check among them; what is
installed last wins, or its files lie among ours.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from foundation.extras import DISTRIBUTION

MARK = f'DISTRIBUTION = "{DISTRIBUTION}"'
"""A line of our own ``parity/__init__.py``."""


def stranger() -> str:
    """Return a sentence on the package ``parity`` if it is not ours, or nothing; imports none."""
    loaded = sys.modules.get("parity")
    if loaded is not None:
        origin = getattr(loaded, "__file__", None)
    else:
        spec = find_spec("parity")
        origin = None if spec is None else spec.origin
    file = None if origin is None else Path(origin)
    if (
        file is not None
        and file.is_file()
        and MARK in file.read_text(encoding="utf-8", errors="replace")
    ):
        return ""
    where = "is found nowhere" if file is None else f"at {file.parent} is of another project"
    return (
        f"the package parity {where}; parity-check installs one of that name: uninstall it "
        f"(python -m pip uninstall parity-check), install {DISTRIBUTION} again "
        f"(python -m pip install --force-reinstall --no-deps {DISTRIBUTION}), or use an environment of "
        "its own"
    )


def main() -> None:
    """Run ``envparity``, or say in a sentence why the package that it needs is not there."""
    sentence = stranger()
    if sentence:
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(2)
    from importlib import import_module

    import_module("parity.command.main").main()
