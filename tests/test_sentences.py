"""A changed word fails, the file can be written anew, and it holds no sentence that nobody asks for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.sentences import Plugin, changed_words, place_of, read_golden

pytest_plugins = ["pytester"]

MODULE = """
import tempfile
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from foundation.errors import InputError
from foundation.files import WriteError
from tests.sentences import check_error, check_process, check_sentence, refuses


@pytest.mark.parametrize("name", ["a", "b"])
def test_it(name, tmp_path):
    with refuses():
        raise InputError(f"{tmp_path / name}: no such file; give one")
    check_sentence("3.2 GiB of Python 3.12.1\\n at " + "ab12" * 16, r"[\\d.]+ GiB")
"""
GOLDEN = """\
# What the product says, when it refuses and on its pages, by test; see tests/sentences.py.

test_made.py
  test_it[a]
    <tmp>/a: no such file; give one
    <...> of Python <version>\\n at <digest>
  test_it[b]
    <tmp>/b: no such file; give one
    <...> of Python <version>\\n at <digest>
"""


@pytest.fixture
def made(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A checkout with one module of tests, and the plugin of this one."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (pytester.path / "tests").mkdir()
    (pytester.path / "tests" / "test_made.py").write_text(MODULE)
    pytester.makeini("[pytest]\naddopts = -p tests.sentences -p no:cacheprovider")
    return pytester


def golden(made: pytest.Pytester) -> Path:
    return made.path / "tests" / "sentences.txt"


def test_written_and_held_to(made: pytest.Pytester) -> None:
    made.runpytest("--update-sentences").assert_outcomes(passed=2)
    assert golden(made).read_text() == GOLDEN
    made.runpytest().assert_outcomes(passed=2)
    made.runpytest_subprocess("-p", "xdist", "-n", "2").assert_outcomes(passed=2)


def test_a_changed_word_is_shown(made: pytest.Pytester) -> None:
    golden(made).write_text(GOLDEN.replace("b: no such", "b: not such"))
    done = made.runpytest()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*sentence 1 is not that of tests/sentences.txt:",
            "*file: <tmp>/b: not such file; give one",
            "*                ^^^",
            "*said: <tmp>/b: no such file; give one",
            "*                ^^",
            "*pytest --update-sentences 'tests/test_made.py::test_it[[]b]'",
        ]
    )


def test_a_missing_sentence_and_one_too_many_are_told(made: pytest.Pytester) -> None:
    lines = GOLDEN.splitlines(keepends=True)
    golden(made).write_text("".join([*lines[:5], *lines[6:], "    and more\n"]))
    done = made.runpytest()
    done.assert_outcomes(failed=2)
    done.stdout.fnmatch_lines(["*has no sentence 2 of this test:", "*<...> of Python <version>*"])
    done.stdout.fnmatch_lines(["*has more sentences of this test:", "*and more"])


def test_writing_anew_drops_what_is_gone_and_keeps_what_did_not_run(made: pytest.Pytester) -> None:
    extra = GOLDEN + "  test_renamed\n    gone\n\ntest_removed.py\n  test_it\n    gone\n"
    golden(made).write_text(extra)
    made.runpytest("--update-sentences", "tests/test_made.py::test_it[a]")
    assert golden(made).read_text() == extra.partition("\ntest_removed.py")[0]
    made.runpytest("--update-sentences", "-k", "a")
    assert golden(made).read_text() == GOLDEN


def test_a_test_that_fails_keeps_its_sentences(made: pytest.Pytester) -> None:
    golden(made).write_text(GOLDEN)
    module = made.path / "tests" / "test_made.py"
    module.write_text(module.read_text() + "    assert name == 'a'\n")
    made.runpytest("--update-sentences").assert_outcomes(passed=1, failed=1)
    assert golden(made).read_text() == GOLDEN


def test_several_processes_do_not_write(made: pytest.Pytester) -> None:
    done = made.runpytest_subprocess("--update-sentences", "-p", "xdist", "-n", "2")
    done.stderr.fnmatch_lines(["ERROR: --update-sentences writes one file: run it with -n 0"])
    assert not golden(made).exists()


WRONG = {
    "with refuses():\n        pass": "DID NOT RAISE*InputError*",
    "with refuses():\n        raise WriteError('a', 'b')": "raised WriteError*not exactly*",
    "with refuses(kind=WriteError):\n        raise InputError('a')": "InputError: a",
    "check_error(ValueError('a'))": "raised ValueError*not exactly of InputError",
    "check_sentence('a', 'b')": "nothing varies as 'b' in: a",
    "check_process(CompletedProcess([], 1, '', 'error: a\\n'))": "assert 1 == 2",
    "check_process(CompletedProcess([], 2, '', 'a\\nerror: a\\n'))": "*a*error: a*",
}


def test_what_is_not_refused_so_fails(made: pytest.Pytester) -> None:
    tests = [f"def test_{number}():\n    {body}\n" for number, body in enumerate(WRONG)]
    head = MODULE.partition("@pytest")[0]
    (made.path / "tests" / "test_made.py").write_text("\n".join([head, *tests]))
    for options in ([], ["--update-sentences"]):
        done = made.runpytest(*options)
        done.assert_outcomes(failed=len(WRONG))
        done.stdout.fnmatch_lines([f"*{words}" for words in WRONG.values()])
    assert read_golden(golden(made)) == {}


def test_words_that_differ_are_marked() -> None:
    assert changed_words("a bad b", "a b") == "file: a bad b\n        ^^^^\nsaid: a b"


def test_every_sentence_is_of_a_test(request: pytest.FixtureRequest) -> None:
    plugin: Plugin = request.config.pluginmanager.get_plugin("sentences")
    assert plugin.gone() == []
    functions = {
        module: (ROOT / "tests" / module).read_text("utf-8") for module in read_golden(plugin.path)
    }
    assert functions
    for module, tests in plugin.golden.items():
        for test in tests:
            name = place_of(f"{module}::{test}")[1].partition("[")[0].rpartition("::")[2]
            assert f"def {name}(" in functions[module], f"{module}::{test}"
