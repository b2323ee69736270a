"""Mutants of the sample that change nothing which can be reached, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping

EQUIVALENT: Mapping[tuple[str, str, str], str] = {
    (
        "jax_port/evaluation/advice/advised.py",
        "none = zero - 1",
        "none = zero - (2)",
    ): "No bar is asked about where the number is negative; which negative one is never looked at.",
}
"""(file, lines before, lines after) -> why nobody can see a difference."""
