"""The paths of evaluation accounts are drawn as they were when somebody looked at them."""

from __future__ import annotations

from datetime import date

import numpy as np

from jax_port.evaluation.prop_firm.chances import Chances
from jax_port.evaluation.prop_firm.plots import paths_plot
from jax_port.evaluation.prop_firm.replay import DAILY_LOSS, FLOOR, PASSED, RUNNING, TIME
from jax_port.evaluation.prop_firm.rules import Rules
from tests.drawings import Drawings


def test_accounts_are_drawn_as_reviewed(drawings: Drawings) -> None:
    rules = Rules("a firm", "its page", date(2026, 1, 1), 50_000, 3_000, 2_000, "end of day")
    passed, failed = [0, 10, 20, 31, 31, 31], [0, -5, -21, -21, -21, -21]
    runs_on, rests = [0, 1, 2, 1, 2, 3], [0] * 6
    lost, too_late = [0, 4, -9, -9, -9, -9], [0, 4, 9, 11, 11, 11]
    traces = 100.0 * np.array([passed, failed, runs_on, rests, lost, too_late])
    ends = np.array([PASSED, FLOOR, RUNNING, RUNNING, DAILY_LOSS, TIME], np.int8)
    none = (0.0, 0.0)
    chances = Chances(rules, 6, "", 1, 1 / 6, 2 / 6, none, none, {}, (3, 3, 3), none, traces, ends)
    with drawings():
        paths_plot("paths", chances)
