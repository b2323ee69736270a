"""Damage one input after another, run the command that reads it, and judge how the command ends."""

from __future__ import annotations

import contextlib
import io
import os
import random
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from foundation.errors import run_command

CODES = (0, 1, 2)
LONGEST = 2000
"""Characters of a refusal."""

Damage = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class Kind:
    """A kind of input that the product reads.

    Attributes:
        name: for the command line and for findings.
        data: an undamaged file.
        file: its name in a folder of its own.
        damage: from random numbers and good bytes to damaged ones.
        read: reads the file as a command would; whatever it raises ends the command.
        check: after exit code 0, what is wrong with what was read, as a sentence; None for nothing.
        named: what a refusal must name, by default the file's name; several with | between them.
    """

    name: str
    data: bytes
    file: str
    damage: Damage
    read: Callable[[Path], object]
    check: Callable[[Path, bytes], str | None] = lambda path, good: None
    named: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code, both streams together, and the traceback of a crash."""

    code: int
    output: str
    crash: str = ""


@dataclass(frozen=True)
class Finding:
    """A damaged input that broke a promise; the kind and the seed make it again."""

    kind: str
    seed: int
    what: str
    detail: str = field(compare=False)


def run(command: Callable[[], object]) -> Outcome:
    """Run a command in this process as the command line would, and return how it ended."""
    stream, code = io.StringIO(), 0
    with tempfile.TemporaryDirectory() as crashes:
        before, tempfile.tempdir = tempfile.tempdir, crashes
        try:
            with (
                contextlib.redirect_stdout(stream),
                contextlib.redirect_stderr(stream),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                run_command(command)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException as error:
            stream.write("".join(traceback.format_exception(error)))
            code = -1
        finally:
            tempfile.tempdir = before
        crash = "".join(path.read_text() for path in Path(crashes).glob("envparity-crash-*"))
    return Outcome(code, stream.getvalue(), crash)


def broken_promise(kind: Kind, path: Path, outcome: Outcome) -> str | None:
    """Return what a command should not have done, or None."""
    if outcome.code not in CODES:
        last = [line for line in outcome.crash.splitlines() if line.startswith("  File ")]
        return f"exit code {outcome.code}: {last[-1].strip() if last else outcome.output[-200:]}"
    if "Traceback (most recent call last)" in outcome.output:
        return "a traceback"
    if outcome.code == 0:
        return kind.check(path, kind.data)
    if outcome.code == 1:
        return None
    errors = [line for line in outcome.output.splitlines() if line.lower().startswith("error: ")]
    if len(errors) != 1:
        return f"{len(errors)} lines of error"
    if not errors[0].isprintable():
        return "control characters in the message"
    if len(errors[0]) > LONGEST:
        return f"a message of {len(errors[0])} characters"
    if not any(name in errors[0] for name in (kind.named or path.name).split("|")):
        return "the message does not name the file"
    return None


def try_one(kind: Kind, seed: int, folder: Path) -> Finding | None:
    """Damage, read and judge one input.

    Args:
        kind: of the input.
        seed: decides the damage, together with the kind's name.
        folder: empty or reused; the file is written into it.
    """
    rng = random.Random(f"{kind.name} {seed}")
    path = folder / kind.file
    path.write_bytes(kind.damage(rng, kind.data))
    before = _names(folder)
    outcome = run(lambda: kind.read(path))
    what = broken_promise(kind, path, outcome)
    if what is None and outcome.code == 2 and (left := _names(folder) - before):
        what = f"refused, and wrote {sorted(left)[0]}"
    if what is None:
        return None
    return Finding(kind.name, seed, what, f"{outcome.output[-1500:]}\n{outcome.crash}")


def _names(folder: Path) -> set[str]:
    return {
        os.path.relpath(Path(root, name), folder)
        for root, _, names in os.walk(folder)
        for name in names
    }


def try_many(kind: Kind, seeds: range, folder: Path) -> Iterator[Finding]:
    """Yield what was found among the inputs of some seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        found = try_one(kind, seed, folder)
        if found is not None:
            yield found
