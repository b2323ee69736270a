"""Policies of features that a file brought along are refused where features are computed."""

from __future__ import annotations

from typing import Any

import pytest

from jax_port.data.own_features import require_computed_features
from tests.sentences import refuses

OWN, COMPUTED = {"source": "own.parquet", "features": "precomputed"}, {"source": "es.csv"}


@pytest.mark.parametrize("data", [OWN, [OWN], [COMPUTED, OWN]])
def test_features_of_a_file_s_own_are_refused_with_its_name(data: Any) -> None:
    with refuses():
        require_computed_features({"data": data}, "do something else")


@pytest.mark.parametrize("data", [None, {}, [], COMPUTED, [COMPUTED, COMPUTED], "es.csv", [1]])
def test_others_pass(data: Any) -> None:
    require_computed_features({"data": data}, "do something else")
    require_computed_features({}, "do something else")
