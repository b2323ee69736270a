"""How a command line ends: one sentence and a code, whatever happens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from foundation.errors import printable

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
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: x.csv: no such file; give one\n"
    assert list(tmp_path.iterdir()) == []


def test_what_is_unexpected_is_one_sentence_a_file_and_code_70(tmp_path: Path) -> None:
    done = run("raise KeyError('what')", tmp_path)
    assert (done.returncode, done.stdout) == (70, "")
    (crash,) = tmp_path.iterdir()
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: an unexpected error")
    assert str(crash) in done.stderr
    text = crash.read_text()
    assert "Traceback" in text
    assert "KeyError: 'what'" in text


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise RecursionError('deep\\nlines')", "RecursionError: deep"),
        ("raise ValueError('\\x1b[31m')", r"ValueError: \x1b[31m"),
    ],
)
def test_sentences(tmp_path: Path, body: str, words: str) -> None:
    done = run(body, tmp_path)
    assert done.returncode == 70
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "raised",
    ["MemoryError()", "RuntimeError('RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\\nmore')"],
)
def test_memory_that_is_used_up_is_bad_input(tmp_path: Path, raised: str) -> None:
    done = run(f"raise {raised}", tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: out of memory (")
    assert "ask for less at once" in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_midst_of_a_very_long_sentence_is_left_out(tmp_path: Path) -> None:
    done = run("raise InputError('a.csv: ' + 'x' * 100_000 + '; mend it')", tmp_path)
    assert done.returncode == 2
    assert len(done.stderr) < 1300
    assert done.stderr.startswith("error: a.csv: xxx")
    assert done.stderr.endswith("; mend it\n")


def test_a_crash_file_that_cannot_be_written_does_not_hide_the_error(tmp_path: Path) -> None:
    body = "import tempfile; tempfile.tempdir = '/no/such/folder'; raise KeyError('what')"
    done = run(body, tmp_path)
    assert done.returncode == 70
    assert "KeyError: 'what'; its details could not be written" in done.stderr
    assert done.stderr.count("\n") == 1


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
sys.argv = ["make", *{}]
run_command(make)
"""


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--dais", "2"], 2, "error: no such option '--dais'. Did you mean '--days'? See make --help"),
        (
            ["--days", "two"],
            2,
            "error: invalid value for '--days': 'two' is not a valid integer; see make --help",
        ),
        ([], 2, "error: missing option '--days'; see make --help"),
        (["--days", "3"], 3, ""),
        (["--days", "4"], 4, ""),
        (["--days", "2"], 0, "2 days"),
    ],
)
def test_an_option_that_is_not_known_is_one_sentence_like_all_else(
    arguments: list[str], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLICK.format(arguments)], capture_output=True, text=True
    )
    assert done.returncode == code
    assert (done.stdout + done.stderr).strip() == said
