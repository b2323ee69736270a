"""Workers that would collect sets in another order collect them alike; names of sets are refused."""

from __future__ import annotations

import pytest

from tests.docs.pages import ROOT

pytest_plugins = ["pytester"]

ORDERED = """
import os, pytest
pytest_plugins = ["tests.one_order"]
"""
BY_SETS = """
import os, subprocess, sys, pytest

@pytest.mark.parametrize("word", {f"word{n}" for n in range(50)})
def test_words(word):
    assert "PYTHONHASHSEED" not in os.environ
"""


@pytest.fixture
def ordered(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # of the processes that it starts
    monkeypatch.syspath_prepend(ROOT)
    pytester.makeconftest(ORDERED)
    return pytester


def test_workers_collect_sets_in_one_order(ordered: pytest.Pytester) -> None:
    ordered.makepyfile(BY_SETS)
    run = ordered.runpytest_subprocess("-n", "2", "-p", "no:cacheprovider")
    run.assert_outcomes(passed=50)
    run.stdout.fnmatch_lines("PYTHONHASHSEED=*")


@pytest.mark.parametrize("value", ["{'a', 'b'}", "('c', [{'a', 'b'}])", "{1: frozenset('ab')}"])
def test_a_case_named_after_a_set_is_refused(ordered: pytest.Pytester, value: str) -> None:
    ordered.makepyfile(
        f"import pytest\n@pytest.mark.parametrize('x', [{value}], ids=str)\ndef test_it(x): pass"
    )
    run = ordered.runpytest_inprocess("-p", "no:cacheprovider")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    run.stderr.fnmatch_lines("*test_it* is named after a set, whose order changes*")


@pytest.mark.parametrize("value", ["{'a'}", "set()", "('a', 'b')", "{'a': 1, 'b': 2}"])
def test_other_names_are_taken(ordered: pytest.Pytester, value: str) -> None:
    ordered.makepyfile(
        f"import pytest\n@pytest.mark.parametrize('x', [{value}], ids=str)\ndef test_it(x): pass"
    )
    ordered.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
