"""Every worker collects the same tests in the same order, under the same names; a plugin of pytest.

Sets have another order in each process. Workers of pytest-xdist that collect other names stop the
whole run, so all of them hash alike, and a case whose name shows a set of several is refused.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

VARIABLE = "PYTHONHASHSEED"


def pytest_configure(config: pytest.Config) -> None:
    """Give the workers one seed of hashes; what they start themselves hashes as it would."""
    if hasattr(config, "workerinput"):
        os.environ.pop(VARIABLE, None)
    elif getattr(config.option, "numprocesses", None):
        os.environ.setdefault(VARIABLE, str(secrets.randbelow(2**32)))


def pytest_report_header(config: pytest.Config) -> str | None:
    """Tell the seed, with which a run can be repeated."""
    return f"{VARIABLE}={os.environ[VARIABLE]}" if VARIABLE in os.environ else None


def sets_of(value: Any) -> Iterator[set[Any] | frozenset[Any]]:
    """Yield the sets of several members in a value, however deep in lists, tuples and dicts."""
    if isinstance(value, set | frozenset):
        if len(value) > 1:
            yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from sets_of(pair)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from sets_of(one)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a case whose name another process would write in another order."""
    for item in items:
        case = getattr(item, "callspec", None)
        shown = [one for one in sets_of(getattr(case, "params", {})) if str(one) in item.nodeid]
        if shown:
            message = f"{item.nodeid} is named after a set, whose order changes: give a sorted tuple"
            raise pytest.UsageError(message)
