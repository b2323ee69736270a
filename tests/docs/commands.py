"""Check that every command in a page parses: its subcommands, options and values exist."""

from __future__ import annotations

import argparse
import ast
import re
import runpy
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import click

from foundation.errors import InputError
from tests.commands import commands_of
from tests.docs.pages import ROOT, Fault, Page
from tests.docs.paths import PACKAGES

FOREIGN = {
    "apt-get",
    "cd",
    "codespell",
    "docker",
    "eval",
    "git",
    "grep",
    "lint-imports",
    "ls",
    "mcs",
    "mkdocs",
    "mlflow",
    "mono",
    "mypy",
    "nvidia-smi",
    "openssl",
    "pre-commit",
    "pytest",
    "ruff",
    "optuna-dashboard",
    "source",
    "tensorboard",
    "unzip",
    "wandb",
    "xdg-open",
}
"""Other programs that pages call; their options are not checked."""
FOREIGN_MODULES = {"pip", "venv", "build", "pytest", "mkdocs"}
FOREIGN_OPTIONS = {"--import-mode", "--durations", "--user"}
"""Options of other programs that pages name alone."""


class CommandError(Exception):
    """A command that does not parse; the message says why."""


def split(code: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line from 0, words) of each command in a block of shell code."""
    code = re.sub(r"\\\n\s*", lambda match: " " * 1 + "\0", code)
    line = 0
    for row in code.split("\n"):
        joined = row.count("\0")
        row = row.replace("\0", "")
        for inner in re.findall(r"\$\(([^()]*)\)", row):
            yield from ((line, words) for _, words in split(inner))
        row = re.sub(r"\$\([^()]*\)", "X", row)
        lexer = shlex.shlex(row, posix=True, punctuation_chars="&|;<>")
        lexer.whitespace_split, lexer.commenters = True, "#"
        words: list[str] = []
        for word in [*lexer, "&&"]:
            if word in ("&&", "||", ";", "|", "&"):
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words.pop(0)
                if words:
                    yield line, words
                words = []
            else:
                words.append(word)
        line += 1 + joined


def check(words: Sequence[str], lenient: bool = False) -> None:
    """Raise :class:`CommandError` if a command does not parse.

    Args:
        words: the command.
        lenient: required options may be missing and values may be placeholders, as in running text.
    """
    name, rest = words[0], [word for word in words[1:] if not (lenient and word == "...")]
    if ">" in rest:
        rest = rest[: rest.index(">")]
    if name == "rltrader":
        _click(import_module("rltrader.__main__").app, rest, lenient)
    elif name == "envparity":
        _click(import_module("parity.command.main").app, rest, lenient)
    elif name in ("python", "python3") and rest[:2] == ["-m", "parity"]:
        _click(import_module("parity.command.main").app, rest[2:], lenient)
    elif name == "nox":
        _nox(rest, lenient)
    elif name in ("python", "python3") and rest[:1] == ["-m"]:
        _module(rest[1], rest[2:], lenient)
    elif name in ("python", "python3"):
        if rest and rest[0].endswith(".py") and not (ROOT / rest[0]).is_file():
            raise CommandError(f"{rest[0]}: no such script")
    elif name == "pip":
        _pip(rest)
    elif name not in FOREIGN:
        raise CommandError(f"{name}: unknown command; if it is another project's, name it in FOREIGN")


def _click(command: click.Command, arguments: Sequence[str], lenient: bool) -> None:
    name, rest, parent = command.name or "", list(arguments), None
    while True:
        try:
            context = command.make_context(name, rest, parent=parent)
            if not isinstance(command, click.Group):
                return
            left = [*getattr(context, "_protected_args", ()), *context.args]
            if not left:
                return
            name, subcommand, rest = command.resolve_command(context, left)
            assert subcommand is not None
            command, parent = subcommand, context
        except click.exceptions.Exit:
            return
        except (
            InputError
        ):  # a file that is named and not here; all names were parsed before it was read
            return
        except (click.NoSuchOption, click.BadOptionUsage, click.BadParameter) as error:
            if lenient and not isinstance(error, click.NoSuchOption):
                return
            raise CommandError(error.format_message()) from None
        except click.exceptions.NoArgsIsHelpError:
            return
        except click.UsageError as error:
            raise CommandError(error.format_message()) from None


@cache
def sessions() -> dict[str, tuple[str, ...] | None]:
    """Return the sessions of noxfile.py and the command that gets each one's arguments, if any."""
    functions = {
        node.name: node
        for node in ast.parse((ROOT / "noxfile.py").read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    return {
        name: _takes_arguments(node, functions)
        for name, node in functions.items()
        if any("session" in ast.unparse(decorator) for decorator in node.decorator_list)
    }


def _takes_arguments(
    function: ast.FunctionDef, functions: Mapping[str, ast.FunctionDef]
) -> tuple[str, ...] | None:
    """Return the words before ``*session.posargs``, in a function or in one that it calls.

    They are empty where the arguments are looked at first, and None where nothing takes them.
    """
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in calls:
        if any(ast.unparse(argument) == "*session.posargs" for argument in call.args):
            words = (a.value for a in call.args if isinstance(a, ast.Constant))
            return tuple(str(word) for word in words)
    if "session.posargs" in ast.unparse(function):
        return ()
    for call in calls:
        helper = functions.get(ast.unparse(call.func))
        if helper is not None and (words := _takes_arguments(helper, functions)) is not None:
            return words
    return None


def _nox(rest: Sequence[str], lenient: bool) -> None:
    own, posargs = list(rest), []
    if "--" in own:
        own, posargs = own[: own.index("--")], own[own.index("--") + 1 :]
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("-s", "--sessions", nargs="+", default=[])
    for flags in (("-l", "--list"), ("-R",), ("-r",), ("--non-interactive",)):
        parser.add_argument(*flags, action="store_true")
    parsed, unknown = parser.parse_known_args(own)
    if unknown:
        raise CommandError(f"nox has no option {unknown[0]} that these pages use")
    for name in parsed.sessions:
        if name not in sessions():
            raise CommandError(f"nox has no session {name}; there are {', '.join(sessions())}")
        target = sessions()[name]
        if posargs and target is None:
            raise CommandError(f"the session {name} takes no arguments")
        if posargs and target and target[0] in ("rltrader", "python"):
            check([*target, *posargs], lenient)


def _module(name: str, arguments: list[str], lenient: bool) -> None:
    if name == "nox":
        return _nox(arguments, lenient)
    if name == "pip":
        return _pip(arguments)
    if name in FOREIGN_MODULES:
        return None
    if name.split(".")[0] not in (*PACKAGES, "tests"):
        raise CommandError(f"{name}: not a module of the project")
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise CommandError(f"{name}: no such module")
    if spec.submodule_search_locations:
        return _module(f"{name}.__main__", arguments, lenient)
    source = Path(spec.origin).read_text("utf-8")
    main = re.search(r'^if __name__ == "__main__":\n(.*)', source, re.DOTALL | re.MULTILINE)
    if main is None:
        raise CommandError(f"{name}: prints nothing when run as a module")
    called = _called(main[1])
    inner = re.search(
        rf"^def {called}\(.*?\n(    run_command\(\w+\))", source, re.DOTALL | re.MULTILINE
    )
    command = getattr(import_module(name), _called(inner[1]) if inner else called, None)
    if isinstance(command, click.Command):
        return _click(command, arguments, lenient)
    if shown := re.search(
        rf"^def {called}\(.*?\n    from (\S+) import", source, re.DOTALL | re.MULTILINE
    ):
        place = find_spec(shown[1])  # main leaves the work, and its arguments, to another module
        source += Path(place.origin).read_text("utf-8") if place and place.origin else ""
    return _argparse(name, source, arguments)


def _called(code: str) -> str:
    """Return the name that a module's last lines call, or hand to ``run_command``."""
    names = [
        n.id
        for n in ast.walk(ast.parse(re.sub(r"^    ", "", code, flags=re.M)))
        if isinstance(n, ast.Name)
    ]
    return next((name for name in reversed(names) if name not in ("run_command", "sys")), "")


class _ParsedError(BaseException):
    """Ends a module at its parser; no command line may take it for a fault of its own."""


def _argparse(name: str, source: str, arguments: list[str]) -> None:
    """Run the module up to its parser, which reads the arguments, and no further."""
    if "ArgumentParser" not in source:
        if arguments:
            raise CommandError(f"{name}: takes no arguments")
        return
    parse = argparse.ArgumentParser.parse_args

    def stop(
        self: argparse.ArgumentParser, args: Sequence[str] | None = None, namespace: object = None
    ) -> None:
        parse(self, args)
        raise _ParsedError

    module = sys.modules.pop(name, None)
    try:
        with (
            patch.object(argparse.ArgumentParser, "parse_args", stop),
            patch.object(sys, "argv", [name, *arguments]),
        ):
            runpy.run_module(name, run_name="__main__")
    except _ParsedError:
        return
    except SystemExit as error:
        if error.code:
            raise CommandError(f"{name} does not take {' '.join(arguments)}") from None
    finally:
        if module is not None:
            sys.modules[name] = module


def _pip(rest: Sequence[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    for word in rest:
        if match := re.fullmatch(r"(?:\.|rltrader)\[([\w,-]+)\]", word):
            for extra in match[1].split(","):
                if extra not in extras:
                    raise CommandError(
                        f"the project has no extra {extra}; there are {', '.join(extras)}"
                    )


@cache
def options() -> frozenset[str]:
    """Return every option of every command of the project."""
    found: set[str] = set()
    modules = ("rltrader.__main__", "parity.command.main")
    commands: list[click.Command] = [import_module(name).app for name in modules]
    for path in sorted(ROOT.glob("*/**/*.py")):
        package = path.relative_to(ROOT).parts[0]
        if package in PACKAGES:
            source = path.read_text("utf-8")
            found.update(re.findall(r'add_argument\(\s*"(--[\w-]+)"', source))
            if "__main__" in source and "click" in source:
                name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                commands += [
                    c for c in vars(import_module(name)).values() if isinstance(c, click.Command)
                ]
    every = (one for command in commands for _, one in commands_of(command))
    found.update(o for one in every for p in one.params for o in [*p.opts, *p.secondary_opts])
    return frozenset(found | FOREIGN_OPTIONS)


def check_page(page: Page) -> Iterator[Fault]:
    """Yield a fault for every command of a page that does not parse."""
    for block in page.blocks:
        if block.language == "":
            yield Fault(
                page.name, block.line - 1, "a code block without a language; say bash, python, text"
            )
        if block.language in ("bash", "sh", "console"):
            for line, words in split(block.code):
                try:
                    check(words)
                except CommandError as error:
                    yield Fault(page.name, block.line + line, f"{shlex.join(words)}: {error}")
    for line, span in page.spans:
        if re.match(r"rltrader [a-z-]|envparity [a-z-]|nox -|python -m |pip install ", span):
            for _, words in split(span):
                try:
                    check(words, lenient=True)
                except CommandError as error:
                    yield Fault(page.name, line, f"`{span}`: {error}")
        elif (match := re.match(r"(--[a-z][\w-]*)", span)) and match[1] not in options():
            yield Fault(page.name, line, f"`{span}`: no command of the project has this option")
