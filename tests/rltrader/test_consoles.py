"""What commands print: text from files is shown as it is, without markup and control characters."""

from __future__ import annotations

import ast
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.table import Table
from rich.text import Text

from foundation.progress import EACH_TASK, progress_bar, status
from markets.advice.table import COLUMNS, About, AdviceTable, TableKey
from rltrader.advice.tables import show_table
from rltrader.consoles import report_console, say

HOSTILE = "a[bold red]b[/] :smile: \x1b[2J\x07\x9b31m\u202e"
SHOWN = r"a[bold red]b[/] :smile: \x1b[2J\x07\x9b31m\u202e"


def test_lines_and_cells_are_shown_as_they_are() -> None:
    out = io.StringIO()
    console = report_console(file=out, force_terminal=False)
    console.print(f"{HOSTILE}\nnext", style="red")
    table = Table("name", title=HOSTILE)
    table.add_row(HOSTILE)
    console.print(table)
    console.print(Text("plain"))
    assert out.getvalue().count(SHOWN) == 3
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().startswith(f"{SHOWN}\nnext\n")


def test_a_line_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    say(HOSTILE)
    assert capsys.readouterr().out == SHOWN + "\n"


def test_a_world_with_brackets_in_its_name_does_not_break_the_progress_bar() -> None:
    out = io.StringIO()
    console = report_console(file=out, force_terminal=True)
    with progress_bar("task", "{task.fields[world]}", console=console) as bar:
        bar.update(bar.add_task("", total=1, world="[/nothing]"), advance=1)
        bar.refresh()
    assert "[/nothing]" in out.getvalue()


NAME = "a[bold]b[/bold][/none]\\[c]\\"
"""Of a file, as a user may call it: what rich reads as markup."""


def test_what_goes_on_is_shown_as_it_is_called() -> None:
    for begin in (
        lambda console: status(console, NAME),
        lambda console: progress_bar(EACH_TASK, console=console),
        lambda console: progress_bar(NAME, console=console),
    ):
        out = io.StringIO()
        console = report_console(file=out, force_terminal=True)
        with begin(console) as shown:
            if hasattr(shown, "add_task"):
                shown.add_task(NAME, total=1)
                shown.refresh()
            else:
                shown(f"then {NAME}")
        assert NAME in out.getvalue()


def test_what_a_table_holds_is_shown_as_it_is_called() -> None:
    frame = pd.DataFrame({name: np.zeros(0, object) for name in COLUMNS})
    frame[["latency_ms", "attempts", "prompt_tokens"]] = np.zeros((0, 3))
    table = AdviceTable(About(TableKey("0", "chat", NAME, "1"), "ES", 9), frame)
    out = io.StringIO()
    show_table(report_console(file=out, force_terminal=False), table)
    assert f"chat, {NAME}" in out.getvalue()


def paths_broken_up(code: str) -> list[str]:
    """Return what a module prints with a path in it, where a long one would be broken up."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func).endswith("console.print")
            and node.args
        ):
            held = [part for part in ast.walk(node.args[0]) if isinstance(part, ast.FormattedValue)]
            names = {name.id for part in held for name in ast.walk(part) if isinstance(name, ast.Name)}
            whole = any(one.arg == "soft_wrap" for one in node.keywords)
            if names & {"out", "folder", "path", "file", "go_on"} and not whole:
                found.append(ast.unparse(node))
    return found


def test_a_path_is_printed_on_one_line() -> None:
    room = Path(__file__).parents[2] / "rltrader"
    broken = {str(file): paths_broken_up(file.read_text("utf-8")) for file in room.rglob("*.py")}
    assert {file: calls for file, calls in broken.items() if calls} == {}
    assert paths_broken_up("console.print(f'page: {out / PAGE}')")
    assert not paths_broken_up("console.print(f'page: {out / PAGE}', soft_wrap=True)")


def test_numbers_of_a_report_have_no_colour_of_their_own() -> None:
    out = io.StringIO()
    report_console(file=out, force_terminal=True, color_system="truecolor").print("12 of 30, True")
    assert out.getvalue() == "12 of 30, True\n"
