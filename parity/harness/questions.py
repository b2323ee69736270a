"""Names of the questions that every verification answers, in the order of its report."""

from __future__ import annotations

OF_DRAWS = "draws within a step"
QUESTIONS = (
    "free run",
    "reset distribution",
    "restart only at an end",
    "restart after an end",
    "final observation",
    "reward on the last step",
    "terminated or truncated",
    "step after the end",
    "observation dtype and shape",
    "observation bounds",
    "observations stay inside their bounds",
    "action space",
    "actions beyond the bounds",
    "info keys",
    "info values",
    "the same seed twice",
    "eager against jitted",
    "one environment against a batch",
    "one device against many",
    OF_DRAWS,
    "reset from the same draws",
    "step from the same draws",
    "the reference's state is complete",
)
"""An accepted difference names one of these, or a field."""
