"""Every command and option of ``rltrader`` and ``envparity``: ``python -m tests.project.options``.

They are what scripts are written against. So what each takes, repeats, falls back on and says of itself
stands in ``options.txt``, and a change is made there too, where whoever reviews it reads it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from foundation.files import write_text
from parity.command.main import app as envparity
from rltrader.__main__ import app as rltrader
from tests.commands import commands_of

ROOT = Path(__file__).parents[2]  # as it is named: in a tree of links a changed package is a copy
FILE = ROOT / "tests/project/options.txt"
PROGRAMS: dict[str, click.Command] = {"rltrader": rltrader, "envparity": envparity}
SETTINGS = ("required", "multiple", "is_flag", "count", "hidden", "show_default", "show_envvar")
"""What an option is or is not."""
WORDS = ("envvar", "metavar")


def option_lines(option: click.Parameter) -> Iterator[str]:
    """Yield what an option or argument is, and what it says of itself."""
    names = " ".join((*option.opts, *option.secondary_opts))
    told = [_kind(option.type)]
    told += [name for name in SETTINGS if getattr(option, name, False)]
    told += [f"{name} {text}" for name in WORDS if (text := getattr(option, name, None))]
    default: Any = option.default
    if callable(default):
        told.append("default computed")
    elif (default and "UNSET" not in repr(default)) or type(default) in (int, float):
        told.append(f"default {default!r}")  # click marks what has none by a value of its own
    if option.nargs != 1:
        told.append(f"nargs {option.nargs}")
    yield f"  {names}: {', '.join(told)}"
    if text := getattr(option, "help", None):
        yield f"    {inspect.cleandoc(text)}"


def _kind(kind: click.ParamType) -> str:
    """Return a type's name and what it allows."""
    if isinstance(kind, click.Choice):
        return f"one of {', '.join(map(str, kind.choices))}"
    ends = [getattr(kind, name, None) for name in ("min", "max")]
    if any(end is not None for end in ends):
        opened = [getattr(kind, name, False) for name in ("min_open", "max_open")]
        low, high = (f"{'beyond ' if o else ''}{end}" for end, o in zip(ends, opened, strict=True))
        return f"{kind.name} from {low} to {high}"
    return kind.name


def collect() -> str:
    """Return the text of the file: each command with its options, in the order of its help."""
    lines = ["# Commands and options; see tests/project/options.py."]
    for program, command in PROGRAMS.items():
        for path, one in commands_of(command, program):
            lines += ["", path]
            if one.help:
                lines.append(f"  {inspect.cleandoc(one.help).partition(chr(10) + chr(10))[0]}")
            for option in one.params:
                lines += option_lines(option)
    return "\n".join(line.replace("\n", " ") for line in lines) + "\n"


if __name__ == "__main__":
    write_text(FILE, collect())
