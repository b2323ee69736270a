"""What commands print: text from files is shown as it is, without markup and control characters."""

from __future__ import annotations

import io

import pytest
from rich.table import Table
from rich.text import Text

from foundation.progress import progress_bar
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


def test_numbers_of_a_report_have_no_colour_of_their_own() -> None:
    out = io.StringIO()
    report_console(file=out, force_terminal=True, color_system="truecolor").print("12 of 30, True")
    assert out.getvalue() == "12 of 30, True\n"
