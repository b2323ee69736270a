"""Lines of progress where there is no terminal, and none where there is one."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

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
