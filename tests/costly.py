"""The marker ``costly(keep=0)``, for tests of some seconds; a plugin of pytest.

They have a session of their own, ``nox -s costly``. Of a test's cases the first ``keep`` stay in the
ordinary tests, where they show what the others show for more.
"""

from __future__ import annotations

from collections import Counter

import pytest

MARKER = "costly"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Take the marker from the cases that are kept, before pytest chooses by it."""
    met: Counter[str] = Counter()
    for item in items:
        marker = item.get_closest_marker(MARKER)
        if marker is None:
            continue
        test = item.nodeid.partition("[")[0]
        met[test] += 1
        if met[test] <= marker.kwargs.get("keep", 0):
            item.own_markers = [one for one in item.own_markers if one.name != MARKER]
