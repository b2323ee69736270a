"""A digest of arrays tells apart what numbers alone do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jax_port.data.array_digest import array_digest

ARRAYS: dict[str, Any] = {"a": np.arange(6, dtype=np.int32), "b": np.zeros(2, np.float32)}


@pytest.mark.parametrize(
    "other",
    [
        {**ARRAYS, "a": ARRAYS["a"].reshape(2, 3)},
        {**ARRAYS, "a": ARRAYS["a"].view(np.uint32)},
        {**ARRAYS, "a": ARRAYS["a"].astype(np.int64)},
        {"a": ARRAYS["a"], "c": ARRAYS["b"]},
        {"a": ARRAYS["b"], "b": ARRAYS["a"]},
        {**ARRAYS, "b": np.array([0.0, -0.0], np.float32)},
        {"a": ARRAYS["a"]},
    ],
)
def test_names_types_shapes_and_bits_count(other: dict[str, Any]) -> None:
    assert array_digest(other) != array_digest(ARRAYS)


def test_order_of_names_and_place_in_memory_do_not() -> None:
    wide = np.arange(12, dtype=np.int32)[::2] // 2  # not contiguous
    assert array_digest({"b": ARRAYS["b"], "a": wide}) == array_digest(ARRAYS)
