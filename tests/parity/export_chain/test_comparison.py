"""Stages of the export chain: what is not finite is beyond every limit."""

from __future__ import annotations

import math

import pytest

from parity.export_chain.comparison import EQUAL, FLOAT32, LOGITS32, StageComparison


@pytest.mark.parametrize("limit", [EQUAL, FLOAT32, LOGITS32], ids=["equal", "float32", "of the row"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_beyond_every_limit(limit: object, value: float) -> None:
    for expected, found in ((value, value), (value, 1.0), (1.0, value)):
        stage = StageComparison.of("hop", "stage", limit)  # type: ignore[arg-type]
        stage.update([[1.0, expected]], [[1.0, found]])
        assert not stage.passed
        assert stage.to_dict()["largest_difference"] is None
