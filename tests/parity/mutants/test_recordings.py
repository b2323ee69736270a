"""Recordings are read in the order in which they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.mutants import learner, recordings


def test_more_than_ten_recordings_are_read_in_the_order_of_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is tried first is what finds most faults soonest."""
    for number in reversed(range(26)):
        for what in ("scenario", "learner"):
            (tmp_path / f"{what}-{number}").mkdir()
    assert len(recordings.AMOUNT) == 26
    for module, load, load_one in (
        (recordings, "load", "_load_scenario"),
        (learner, "load_learner", "_load"),
    ):
        monkeypatch.setattr(module, load_one, lambda place: int(place.name.rpartition("-")[2]))
        assert getattr(module, load)(tmp_path) == list(range(26))
