"""Foreign environments promote and broadcast as they like; the strict settings are for our own code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

FOREIGN = ("command", "harness")
"""Folders whose tests run environments of others, or such as others write."""


@pytest.fixture(autouse=True)
def _as_foreign_code_runs(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.path.relative_to(Path(__file__).parent).parts[0] not in FOREIGN:
        yield
        return
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield
