"""Windows of trading dates: so many to train on, a gap, so many to judge on, moved on step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from jax_port.data.held_out import EMBARGO_DAYS
from markets import InputError


@dataclass(frozen=True)
class Window:
    """New York dates of one training and of what is judged after it; all inclusive."""

    train_first: date
    train_last: date
    test_first: date
    test_last: date

    def __str__(self) -> str:
        return (
            f"trained {self.train_first} to {self.train_last}, "
            f"judged {self.test_first} to {self.test_last}"
        )


def windows_of(
    days: Sequence[date], train: int, test: int, step: int | None = None, gap: int = EMBARGO_DAYS
) -> list[Window]:
    """Return the windows that fit into a market's trading dates, the first from its first date.

    Dates that are judged never overlap; a last stretch shorter than ``test`` is left out.

    Args:
        days: dates on which the market has bars, rising.
        train: trading days of each training.
        test: trading days that each policy is judged on.
        step: trading days from one window to the next; ``test`` by default, which leaves no hole.
        gap: trading days between training and judging, at least :data:`EMBARGO_DAYS`.

    Raises:
        InputError: a number is out of range, or not one window fits.
    """
    step = test if step is None else step
    for name, value, least in (
        ("--train", train, 1),
        ("--test", test, 1),
        ("--step", step, test),
        ("--gap", gap, EMBARGO_DAYS),
    ):
        if value < least:
            why = ", so that no day is judged twice" if name == "--step" else ""
            raise InputError(f"{name} is {value} days; it must be at least {least}{why}")
    length = train + gap + test
    if len(days) < length:
        raise InputError(
            f"the bars are of {len(days)} trading days, and one window needs {length} "
            f"({train} to train, {gap} between, {test} to judge); give more bars or smaller windows"
        )
    windows_that_fit = []
    for begin in range(0, len(days) - length + 1, step):
        judged = begin + train + gap
        windows_that_fit.append(
            Window(days[begin], days[begin + train - 1], days[judged], days[judged + test - 1])
        )
    return windows_that_fit
