"""Holds whole sentences of errors to ``tests/sentences.txt``; a plugin of pytest.

A test asks with ``refuses()`` around what must fail, or with ``check_error`` or ``check_sentence``.
The file has the sentences of a test in the order in which it asks. ``pytest --update-sentences`` writes
them anew for the tests that it runs, and drops those of tests that are gone; read what it changed.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from foundation.errors import InputError, printable

FILE = "tests/sentences.txt"
VARIES = "<...>"
"""What stands for a part that differs between machines or runs."""

Golden = dict[str, dict[str, list[str]]]
"""Sentences by module, a path below ``tests``, and by test, as ``test_name[parameter]``."""


def read_golden(path: Path) -> Golden:
    """Read the sentences; modules begin a line, tests stand below them, and sentences below these.

    Tests that stand one below the other share the sentences that follow.
    """
    golden: Golden = {}
    module: dict[str, list[str]] = {}
    tests: list[list[str]] = []
    complete = False
    for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
        if line.startswith("    "):
            complete = True
            for sentences in tests:
                sentences.append(line[4:])
        elif line.startswith("  "):
            if complete:
                tests, complete = [], False
            tests.append(module.setdefault(line[2:], []))
        elif line and not line.startswith("#"):
            module, tests = golden.setdefault(line, {}), []
    return golden


def write_golden(path: Path, golden: Golden) -> None:
    """Write the sentences, sorted by module and test; tests of the same sentences stand together."""
    lines = [
        "# What the product says, when it refuses and on its pages, by test; see tests/sentences.py."
    ]
    for module, tests in sorted(golden.items()):
        alike: dict[tuple[str, ...], list[str]] = {}
        for test, sentences in sorted(tests.items()):
            if sentences:
                alike.setdefault(tuple(sentences), []).append(test)
        if alike:
            lines += ["", module]
        for sentences, names in alike.items():
            lines += [f"  {name}" for name in names] + [f"    {sentence}" for sentence in sentences]
    path.write_text("\n".join(lines) + "\n", "utf-8")


@dataclass
class Asked:
    """The test that runs now: what the file has of it, and what it was asked so far."""

    node: str
    golden: list[str]
    updates: bool
    folders: tuple[tuple[str, str], ...]
    sentences: list[str] = field(default_factory=list)

    def ask(self, text: str, varies: Iterable[str]) -> None:
        """Compare one sentence with the next of the file, or note it where the file is written anew."""
        __tracebackhide__ = True
        sentence = self.same_everywhere(text, varies)
        number = len(self.sentences)
        self.sentences.append(sentence)
        if self.updates:
            return
        if number >= len(self.golden):
            pytest.fail(f"{FILE} has no sentence {number + 1} of this test:\n{sentence}\n{self.how()}")
        if sentence != self.golden[number]:
            change = changed_words(self.golden[number], sentence)
            pytest.fail(f"sentence {number + 1} is not that of {FILE}:\n{change}\n{self.how()}")

    def same_everywhere(self, text: str, varies: Iterable[str]) -> str:
        """Return a text in one line without what differs between machines and runs."""
        for pattern, name in self.folders:
            text = re.sub(pattern, name, text)
        for pattern in varies:
            text, count = re.subn(pattern, VARIES, text)
            if not count:
                pytest.fail(f"nothing varies as {pattern!r} in: {text}")
        text = re.sub(r"\bcpython-\d+\b", "cpython-<version>", text)
        text = re.sub(r"(\w)\1{40,}", r"\1...", text)
        text = re.sub(r"\b127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
        text = re.sub(r"\bPython \d+\.\d+(\.\d+)?", "Python <version>", text)
        text = re.sub(r"\b(?=[0-9a-f]*[a-f])(?=[a-f]*\d)[0-9a-f]{12,}\b", "<digest>", text)
        return printable(text)

    def how(self) -> str:
        """Return what to do when the new sentence is right."""
        return f"if it should say so: pytest --update-sentences '{self.node}'"


def changed_words(old: str, new: str) -> str:
    """Return both sentences, one below the other, with marks below the words that differ."""
    before, after = (re.findall(r"\s+|\w+|[^\w\s]", text) for text in (old, new))
    marks = {"file": "", "said": ""}
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        mark = " " if kind == "equal" else "^"
        marks["file"] += mark * len("".join(before[a:b]))
        marks["said"] += mark * len("".join(after[c:d]))
    lines = []
    for name, text in (("file", old), ("said", new)):
        lines += [f"{name}: {text}", f"      {marks[name]}".rstrip()]
    return "\n".join(line for line in lines if line)


_running: Asked | None = None


def check_sentence(text: str, *varies: str) -> None:
    """Compare a whole sentence with the next of this test in the file.

    Args:
        text: what the product said.
        varies: patterns of parts that differ between machines, or are another library's words.
    """
    __tracebackhide__ = True
    if _running is None:
        raise RuntimeError("a sentence is compared in a test, not in a fixture")
    _running.ask(text, varies)


@contextmanager
def refuses(
    *varies: str, kind: type[Exception] = InputError
) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """Expect an exception of exactly this kind, with the next sentence of this test in the file."""
    __tracebackhide__ = True
    with pytest.raises(kind) as caught:
        yield caught
    check_error(caught.value, *varies, kind=kind)


def check_error(error: BaseException | None, *varies: str, kind: type[Exception] = InputError) -> None:
    """Hold an exception, as of click's ``Result``, to a kind and the next sentence of this test."""
    __tracebackhide__ = True
    if type(error) is not kind:
        pytest.fail(f"raised {error!r}, which is not exactly of {kind.__name__}")
    check_sentence(str(error), *varies)


def check_process(done: subprocess.CompletedProcess[str], *varies: str, code: int = 2) -> None:
    """Hold a process to an exit code and to one line of errors, the next sentence of this test."""
    __tracebackhide__ = True
    assert done.returncode == code, done.stdout + done.stderr
    begin, sentence = done.stderr[:7], done.stderr[7:]
    assert (begin, sentence.count("\n"), sentence[-1:]) == ("error: ", 1, "\n"), done.stderr
    check_sentence(sentence[:-1], *varies)


def place_of(node: str) -> tuple[str, str]:
    """Return the module of a test, below ``tests``, and its name with parameters."""
    module, _, test = node.partition("::")
    return module.removeprefix("tests/"), test


class Plugin:
    """Reads the file once, follows which test runs, and writes the file anew at the end if asked."""

    def __init__(self, config: pytest.Config) -> None:
        self.path = config.rootpath / FILE
        self.golden = read_golden(self.path)
        self.updates = bool(config.getoption("update_sentences"))
        self.whole = not any("::" in argument for argument in config.args)
        self.collected: set[tuple[str, str]] = set()
        self.said: dict[tuple[str, str], list[str]] = {}
        temporary = re.escape(tempfile.gettempdir())
        own = rf"{temporary}/pytest-of-[^/\s]+/pytest-\d+"
        if chosen := config.getoption("basetemp"):
            own = re.escape(str(Path(chosen).resolve()))
        self.folders = (
            (rf"{own}/(popen-gw\d+/)?[\w.-]+", "<tmp>"),
            (re.escape(sysconfig.get_path("purelib")), "<packages>"),
            (re.escape(sys.executable), "<python>"),
            (re.escape(str(config.rootpath)), "<checkout>"),
            (rf"{temporary}/[\w.-]+(/tmp\w{{8}})?", "<tmp>"),
        )

    def gone(self) -> list[str]:
        """Return tests that the file knows and that are not there; of modules read as a whole alone."""
        modules = {module for module, _ in self.collected} if self.whole else set()
        return [
            f"{module}::{test}"
            for module, tests in self.golden.items()
            for test in tests
            if not (self.path.parent / module).is_file()
            or (module in modules and (module, test) not in self.collected)
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note every test before some are deselected."""
        self.collected = {place_of(item.nodeid) for item in items}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Have sentences compared with those of this test, and require that it asked for each."""
        global _running
        module, test = place = place_of(item.nodeid)
        golden = self.golden.get(module, {}).get(test, [])
        asked = _running = Asked(item.nodeid, golden, self.updates, self.folders)
        try:
            result = yield
        finally:
            _running = None
        if self.updates:
            self.said[place] = asked.sentences
        elif left := golden[len(asked.sentences) :]:
            unused = "\n".join(left)
            pytest.fail(f"{FILE} has more sentences of this test:\n{unused}\n{asked.how()}")
        return result

    def pytest_sessionfinish(self) -> None:
        """Write the sentences of tests that ran and passed, and drop those of tests that are gone."""
        if not self.updates:
            return
        for node in self.gone():
            module, test = place_of(node)
            del self.golden[module][test]
        for (module, test), sentences in self.said.items():
            self.golden.setdefault(module, {})[test] = sentences
        write_golden(self.path, self.golden)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-sentences",
        action="store_true",
        help=f"write {FILE} anew for the tests that run, instead of comparing with it",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("update_sentences") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--update-sentences writes one file: run it with -n 0")
    config.pluginmanager.register(Plugin(config), "sentences")
