"""What MiniGrid and Navix do apart in DoorKey is found, each with a case; all else is equal.

Both are installed in `nox -s foreign_pairs`, which runs this.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import pytest

pytest.importorskip("navix", reason="nox -s foreign_pairs installs it")
pytest.importorskip("minigrid", reason="nox -s foreign_pairs installs it")

from parity import Report, verify

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
SIZES: dict[str, Any] = {"transitions": 4000, "resets": 400}


@pytest.fixture(scope="module")
def reports() -> tuple[Report, Report]:
    from examples.pairs.minigrid_doorkey import pair

    # Foreign code promotes and broadcasts as it likes; the strict settings are for our own.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        return verify(pair, **SIZES), verify(replace(pair, accepted=()), **SIZES)


def test_nothing_differs_but_what_is_accepted_and_all_of_that_is_seen(
    reports: tuple[Report, Report],
) -> None:
    report, _ = reports
    assert report.passed, str(report)
    assert not report.unused


def test_every_difference_is_found_and_called_logic(reports: tuple[Report, Report]) -> None:
    _, report = reports
    wrong = {one.name for one in report.fields if not one.passed}
    assert wrong == {"truncated", "reward", "obs", "carries", "open", "key_row", "key_col"}
    assert all(report.field(name).logic for name in wrong)
    assert report.answer("reset distribution").status == "different"
    limit = min(one.state["time"] for one in report.smallest if "truncated" in one.reference)
    assert limit == 99
    dropped = next(one for one in report.smallest if set(one.reference) == {"carries"})
    assert dropped.action == 4
    assert dropped.reference["carries"] is False
    assert dropped.port["carries"] is True
