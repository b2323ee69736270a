"""Lines of progress where there is no terminal, and none where there is one."""

from __future__ import annotations

import io
import re
import threading
import time

import pytest
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from foundation import progress


def console(terminal: bool = False) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=300)


def lines(of: Console) -> list[str]:
    assert isinstance(of.file, io.StringIO)
    return [line for line in of.file.getvalue().splitlines() if line.strip()]


def test_a_bar_off_a_terminal_prints_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.05)
    quiet = console()
    with progress.progress_bar("parity", "{task.fields[world]}", console=quiet) as bar:
        task = bar.add_task("", total=10, world="[bold]ES[/] :smile:: 4,000 steps")
        bar.update(task, advance=4)
        deadline = time.monotonic() + 5
        while not lines(quiet) and time.monotonic() < deadline:
            time.sleep(0.01)
        bar.update(task, completed=10)
    first = lines(quiet)[0]
    assert first.startswith("parity, 4 of 10, [bold]ES[/] :smile:: 4,000 steps, after ")


def test_a_bar_on_a_terminal_stops_when_its_work_ends() -> None:
    screen = console(terminal=True)
    with progress.progress_bar("parity", console=screen) as bar:
        bar.add_task("", total=1)
        assert bar.live.is_started
    assert not bar.live.is_started
    with progress.progress_bar("parity", console=screen):  # one alone may be shown at a time
        pass


def test_a_status_says_what_goes_on_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.05)
    quiet = console()
    with progress.status(quiet, "exporting") as update:
        update("writing policy.onnx")
        deadline = time.monotonic() + 5
        while not lines(quiet) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert lines(quiet)[0].startswith("writing policy.onnx, after ")


def test_a_short_command_and_a_terminal_get_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet, screen = console(), console(terminal=True)
    with progress.progress_bar("evaluating", console=quiet) as bar:
        bar.add_task("", total=1)
    assert lines(quiet) == []
    monkeypatch.setattr(progress, "EVERY", 0.01)
    with progress.status(screen, "exporting"):
        time.sleep(0.1)
    assert not any(line.startswith("exporting, after") for line in lines(screen))


def test_a_line_for_each_task_that_goes_on_and_is_shown() -> None:
    with progress.progress_bar("parity", console=console(terminal=True)) as bar:
        tasks = [bar.add_task("", total=total) for total in (10, None, 1, 4)]
        bar.update(tasks[0], completed=3)
        bar.update(tasks[1], completed=1234)
        bar.update(tasks[2], completed=1)  # done
        bar.update(tasks[3], visible=False)
        told = [line.split(", after")[0] for line in bar.lines()]
    assert told == ["parity, 3 of 10", "parity, 1,234 of ?"]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "progress lines"]


def wait_for(of: Console, count: int) -> None:
    deadline = time.monotonic() + 5
    while len(lines(of)) < count and time.monotonic() < deadline:
        time.sleep(0.01)


def test_lines_are_whole_and_end_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of several, on a console that is narrower; empty ones are none."""
    monkeypatch.setattr(progress, "EVERY", 60.0)
    narrow = Console(file=io.StringIO(), force_terminal=False, width=20)
    texts = ["the first of these lines is longer than twenty", "", "[red]:smile: 2"]
    with progress.Lines(narrow, lambda: texts, every=0.02):
        assert threads() == ["progress lines"]
        wait_for(narrow, 2)
    assert threads() == []
    assert narrow.file.getvalue().splitlines()[:2] == [texts[0], texts[2]]  # type: ignore[attr-defined]
    rare = console()
    with progress.Lines(rare, lambda: ["too soon"]):
        time.sleep(0.1)
    assert (lines(rare), threads()) == ([], [])


def test_a_bar_is_over_when_its_work_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.02)
    quiet = console()

    def work() -> None:
        with progress.progress_bar("parity", "{task.fields[note]}", console=quiet) as bar:
            task = bar.add_task("", total=1234, note="")
            bar.update(task, advance=1005)
            wait_for(quiet, 1)
            assert threads() == ["progress lines"]
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        work()
    assert threads() == []
    assert re.fullmatch(r"parity, 1,005 of 1,234, after \d s", lines(quiet)[0])


@pytest.mark.parametrize("kind", ["force_terminal", "force_jupyter"])
def test_a_notebook_has_bars_as_a_terminal_has(kind: str) -> None:
    with progress.Lines(Console(file=io.StringIO(), **{kind: True}), lambda: ["x"], every=0.01):
        assert threads() == []


def test_a_line_tells_the_times_that_a_bar_shows() -> None:
    now = [100.0]
    bar = progress.ReportedProgress(
        "a text alone", TextColumn("work"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console(),
        get_time=lambda: now[0],
    )  # fmt: skip
    task = bar.add_task("", total=7200)
    assert bar.lines() == ["work, 0 of 7,200, after 0 s"]
    for _ in range(4):
        now[0] += 20.1
        bar.update(task, advance=100.5)  # five a second: 6,798 are left
    assert bar.lines() == ["work, 402 of 7,200, after 1.33 min, some 22.7 min left"]


def test_a_bar_has_a_unit_where_one_is_named_and_its_own_console() -> None:
    shown = console(terminal=True)
    plain, counted = (progress.progress_bar("a", *unit, console=shown) for unit in ((), ("steps",)))
    assert [type(one) for one in plain.columns] == [
        TextColumn, BarColumn, MofNCompleteColumn, TimeElapsedColumn,
    ]  # fmt: skip
    assert [type(one) for one in counted.columns] == [
        TextColumn, BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn,
    ]  # fmt: skip
    assert plain.console is counted.console is shown
    assert (plain.live.transient, progress.progress_bar("a", transient=False).live.transient) == (
        True,
        False,
    )
    assert progress.progress_bar("a").console.stderr


def test_a_spinner_says_what_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, told = console(terminal=True), []

    class Spinner:
        def __enter__(self) -> Spinner:
            return self

        def __exit__(self, *error: object) -> None:
            told.append("over")

        def update(self, what: object) -> None:
            told.append(what)

    def status(what: object) -> Spinner:
        told.append(what)
        return Spinner()

    monkeypatch.setattr(screen, "status", status)
    with progress.status(screen, "[b]one\x1b") as update:
        update("[i]two\x07")
    assert [one if isinstance(one, str) else (type(one), one.plain) for one in told] == [
        (Text, "[b]one\\x1b"), (Text, "[i]two\\x07"), "over",
    ]  # fmt: skip
