"""How a command line ends: one sentence and a code, whatever happens."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from foundation.errors import is_out_of_memory, printable, reason_of
from tests.sentences import check_process

RUN = """
from foundation.errors import InputError, run_command
def command():
    {}
run_command(command)
"""


def run(body: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", RUN.format(body)],
        capture_output=True,
        text=True,
        env={"TMPDIR": str(folder), "PYTHONPATH": ":".join(sys.path)},
    )


def test_bad_input_is_one_sentence_and_code_2(tmp_path: Path) -> None:
    done = run("raise InputError('x.csv: no such file; give one')", tmp_path)
    assert done.stdout == ""
    check_process(done)
    assert list(tmp_path.iterdir()) == []


def test_what_is_unexpected_is_one_sentence_a_file_and_code_70(tmp_path: Path) -> None:
    done = run("raise KeyError('what')", tmp_path)
    assert done.stdout == ""
    (crash,) = tmp_path.iterdir()
    check_process(done, re.escape(crash.name), code=70)
    text = crash.read_text()
    assert "Traceback" in text
    assert "KeyError: 'what'" in text


@pytest.mark.parametrize(
    "error",
    ["RecursionError('deep\\nlines')", "ValueError('\\x1b[31m')"],
)
def test_sentences(tmp_path: Path, error: str) -> None:
    done = run(f"raise {error}", tmp_path)
    (crash,) = tmp_path.iterdir()
    check_process(done, re.escape(crash.name), code=70)


@pytest.mark.parametrize(
    "raised",
    ["MemoryError()", "RuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\\nmore')"],
)
def test_memory_that_is_used_up_is_bad_input(tmp_path: Path, raised: str) -> None:
    check_process(run(f"raise {raised}", tmp_path))


def test_the_midst_of_a_very_long_sentence_is_left_out(tmp_path: Path) -> None:
    done = run("raise InputError('a.csv: ' + 'x' * 100_000 + '; mend it')", tmp_path)
    assert done.returncode == 2
    assert len(done.stderr) < 1300
    assert done.stderr.startswith("error: a.csv: xxx")
    assert done.stderr.endswith("; mend it\n")


@pytest.mark.parametrize("length", [1200, 1201])
def test_a_sentence_is_whole_up_to_its_length(tmp_path: Path, length: int) -> None:
    done = run(f"raise InputError(''.join(str(n % 10) for n in range({length})))", tmp_path)
    whole = "".join(str(number % 10) for number in range(length))
    shown = whole if length == 1200 else f"{whole[:600]} [...] {whole[-600:]}"
    assert (done.returncode, done.stderr) == (2, f"error: {shown}\n")


def test_a_file_that_the_system_does_not_let_us_use_is_bad_input_if_it_has_a_name(
    tmp_path: Path,
) -> None:
    done = run("raise PermissionError(13, 'Permission denied', 'bars.csv')", tmp_path)
    check_process(done)
    assert list(tmp_path.iterdir()) == []
    done = run("raise OSError(5, 'Input/output error')", tmp_path)
    (crash,) = tmp_path.iterdir()
    check_process(done, re.escape(crash.name), code=70)


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (MemoryError(), True),
        (RuntimeError("CUDA out of memory. Tried to allocate"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("no room"), False),
        (ValueError("Out of memory"), False),
        (OSError("out of memory"), False),
    ],
    ids=repr,
)
def test_memory_is_used_up_where_its_own_errors_say_so(error: Exception, is_it: bool) -> None:
    assert is_out_of_memory(error) is is_it


def test_a_crash_file_that_cannot_be_written_does_not_hide_the_error(tmp_path: Path) -> None:
    body = "import tempfile; tempfile.tempdir = '/no/such/folder'; raise KeyError('what')"
    done = run(body, tmp_path)
    check_process(done, code=70)


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[2J\x00\n\u202e\ud800 é✓") == r"a\x1b[2J\x00\n\u202e\ud800 é✓"


CLICK = """
import click
from foundation.errors import run_command
@click.command()
@click.option("--days", type=int, required=True)
def make(days):
    if days == 3: raise SystemExit(3)
    if days == 4: click.get_current_context().exit(4)
    click.echo(f"{{days}} days")
run_command(lambda: None)
import sys
import zipfile
sys.argv = ["make", *{}]
run_command(make)
"""


def make(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    code = CLICK.format(arguments)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


@pytest.mark.parametrize(
    "arguments", [["--dais", "2"], ["--days", "two"], []], ids=["unknown", "no number", "missing"]
)
def test_an_option_that_is_not_known_is_one_sentence_like_all_else(arguments: list[str]) -> None:
    check_process(make(arguments))


def test_a_command_s_own_exit_code_is_the_process_s() -> None:
    for days, code, shown in (("3", 3, ""), ("4", 4, ""), ("2", 0, "2 days\n")):
        done = make(["--days", days])
        assert (done.returncode, done.stdout, done.stderr) == (code, shown, "")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileNotFoundError(2, "No such file or directory", "a"), "No such file or directory"),
        (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid start byte"), "no UTF-8 at byte 1"),
        (zipfile.BadZipFile("File is not a zip file"), "no whole zip"),
        (KeyError("data"), "no 'data' in it"),
        (KeyError(b"data"), "no 'data' in it"),
        (KeyError("There is no item here"), "there is no item here"),
        (ValueError("Bad\x1b[31m.\nmore"), r"bad\x1b[31m"),
        (ValueError(), "damaged"),
        (ValueError("A" + "b" * 300 + "."), "a" + "b" * 199),
        (KeyError(), "no '' in it"),
        (ValueError("of two parts", 3), "('of two parts', 3)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_a_reason_is_words_and_no_name_of_a_class(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
