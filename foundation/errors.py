"""The exception for bad input, and how a command line ends on it and on everything unexpected."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from foundation.extras import how_to_install

BAD_INPUT, UNEXPECTED = 2, 70
"""Exit codes; the second is EX_SOFTWARE of ``sysexits.h``."""
LONGEST = 1200
"""Characters of a sentence, so that a hostile file's words do not fill the screen."""


class InputError(ValueError):
    """Something the user gave cannot be used.

    The message is one sentence that says what is wrong, where, and what to do. The command line
    prints it without a traceback and exits with code 2.
    """


def printable(text: str) -> str:
    """Return text whose control characters and lone surrogates are escaped, safe for any terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def reason_of(error: Exception) -> str:
    """Return in a few words why something could not be read, for a sentence: no names of classes."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start:,}"
    if isinstance(error, zipfile.BadZipFile):
        return "no whole zip"
    words = str(error)
    if isinstance(error, KeyError) and error.args:
        key = error.args[0]
        words = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
    if isinstance(error, KeyError) and " " not in words:
        return f"no {words!r} in it"
    first = words.partition("\n")[0]
    return printable(f"{first[:1].lower()}{first[1:200]}".rstrip(".")) or "damaged"


def run_command(command: Callable[[], object]) -> None:
    """Run a command line and end the process where it fails.

    Bad input, options that a command of click does not know, a file that the system does not let us
    use, a package of an extra that is not installed, an ``XLA_FLAGS`` over which XLA would abort, and
    memory that is used up print one sentence and exit with code 2. SIGINT and SIGTERM end with 128 and
    their number. Whatever else is raised prints one sentence too, leaves the traceback in a file that
    the sentence names, and exits with code 70.
    """
    from foundation.signals import end_on_signal

    try:
        if os.environ.get("XLA_FLAGS"):
            _require_xla_flags()
        with end_on_signal():
            code = _call(command)
        if isinstance(code, int) and code:
            sys.exit(code)
    except InputError as error:
        _refuse(str(error))
    except Exception as error:
        if hasattr(error, "format_message"):
            _refuse_usage(error)
        if isinstance(error, ModuleNotFoundError) and (how := how_to_install(error.name or "")):
            _refuse(how)
        if is_out_of_memory(error):
            _refuse(f"out of memory ({_first_line(error)}); {_LESS}")
        if isinstance(error, OSError) and error.filename is not None:
            _refuse(f"{error.filename}: {error.strerror}; give a file or folder that can be used")
        print(f"error: {_unexpected(error)}", file=sys.stderr)
        sys.exit(UNEXPECTED)


def _require_xla_flags() -> None:
    from foundation.provenance import unreadable_xla_flags

    if wrong := unreadable_xla_flags():
        raise InputError(wrong)


def _call(command: Callable[[], object]) -> object:
    """Run a command; one of click's raises its own errors instead of printing them in another form."""
    main = getattr(command, "main", None)
    if main is None:
        return command()
    try:
        return main(standalone_mode=False)
    except Exception as error:
        if type(error).__name__ == "Abort":  # a question that was answered by Ctrl-C
            sys.exit(130)
        raise


def _refuse_usage(error: Any) -> NoReturn:
    """Print what click says of a command line as a sentence, with the command whose help to read."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(BAD_INPUT)
    message = str(error.format_message()).strip()
    message = f"{message[:1].lower()}{message[1:]}".removesuffix(".")
    context = getattr(error, "ctx", None)
    if context is None:
        _refuse(message)
    joined = f"{message} See" if message.endswith("?") else f"{message}; see"
    _refuse(f"{joined} {context.command_path} --help")


_LESS = "ask for less at once (environments, agents, days, workers), or use a larger machine"
_OUT_OF_MEMORY = ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory", "std::bad_alloc")
"""How JAX, Arrow and torch say that an allocation failed."""


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an exception says that memory is used up, whoever raised it."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)
    )


def _refuse(sentence: str) -> NoReturn:
    """Print bad input's sentence, the midst of a very long one left out, and end with its code."""
    shown = printable(sentence)
    if len(shown) > LONGEST:
        shown = f"{shown[: LONGEST // 2]} [...] {shown[-LONGEST // 2 :]}"
    print(f"error: {shown}", file=sys.stderr)
    sys.exit(BAD_INPUT)


def _first_line(error: Exception) -> str:
    first = str(error).strip().partition("\n")[0][:200]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _unexpected(error: Exception) -> str:
    what = printable(_first_line(error))
    try:
        where = f"; please report it with the details in {_write_crash_file(error)}"
    except OSError as reason:
        where = f"; its details could not be written to a file ({reason.strerror})"
    return f"an unexpected error, which is a fault of this program: {what}{where}"


def _write_crash_file(error: Exception) -> Path:
    """Write what was run and where it failed; return the file, in the folder for temporary files."""
    when = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    handle, name = tempfile.mkstemp(prefix=f"envparity-crash-{when}-", suffix=".txt")
    details = "".join(traceback.format_exception(error))
    text = f"{shlex.join(sys.argv)}\nin {Path.cwd()}, Python {sys.version}\n\n{details}"
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(name)


def error_in_words(error: BaseException, most: int = 160) -> str:
    """Return the type and first line of what foreign code raised, at most so many characters of it."""
    first = str(error).strip().split("\n")[0][:most]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
