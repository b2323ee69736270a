"""Checkpoints: whatever lineage is written is read again, and a larger one is refused before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from jax_port.runs import checkpoints
from jax_port.runs.checkpoints import Checkpoints
from tests.sentences import refuses

TREE = {"weights": np.arange(6, dtype=np.float32).reshape(2, 3)}
PROOF = {"verdict": "same", "sha256": "1" * 64}
STRETCH: dict[str, Any] = {"updates": [0, 5], "certificate": PROOF, "code": "", "made": {}}


def lineage_of(bytes_of_it: int) -> list[dict[str, Any]]:
    """Return stretches of so many bytes as JSON."""
    count = bytes_of_it // len(json.dumps([STRETCH, STRETCH]))
    stretches = [dict(STRETCH) for _ in range(count)]
    stretches[-1]["code"] += "a" * (bytes_of_it - len(json.dumps(stretches)))
    return stretches


def test_the_longest_lineage_that_is_written_is_read_and_a_longer_one_leaves_what_there_is(
    tmp_path: Path,
) -> None:
    kept = Checkpoints(tmp_path, "a" * 64)
    longest = lineage_of(checkpoints.MOST_LINEAGE)
    kept.save(2**31 - 1, TREE, longest)
    found = kept.latest(TREE)
    assert found is not None
    assert found[0] == 2**31 - 1
    assert found[2] == longest
    np.testing.assert_array_equal(found[1]["weights"], TREE["weights"])
    with refuses(r"(?<=through )[\d,]+"):
        kept.save(2**31 - 1, TREE, lineage_of(checkpoints.MOST_LINEAGE + 1))
    again = kept.latest(TREE)
    assert again is not None
    assert again[2] == longest


def test_a_run_gone_on_with_hundreds_of_times_is_gone_on_with_again(tmp_path: Path) -> None:
    """Each of the size that a certificate in brief has."""
    kept = Checkpoints(tmp_path, "a" * 64)
    stretches = [
        {**STRETCH, "code": str(number), "made": {"device": "x" * 500}} for number in range(300)
    ]
    kept.save(300, TREE, stretches)
    found = kept.latest(TREE)
    assert found is not None
    assert found[2] == stretches
