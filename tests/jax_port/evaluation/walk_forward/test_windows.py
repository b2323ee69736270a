"""Windows follow one another without judging a day twice, and bad numbers are named."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from jax_port.evaluation.walk_forward.windows import windows_of
from tests.sentences import refuses

DAYS = [date(2025, 1, 1) + timedelta(days=number) for number in range(20)]


def places(**options: int) -> list[tuple[int, ...]]:
    return [
        tuple(DAYS.index(day) for day in (w.train_first, w.train_last, w.test_first, w.test_last))
        for w in windows_of(DAYS, **options)
    ]


def test_by_default_the_judged_days_follow_one_another() -> None:
    assert places(train=6, test=3) == [(0, 5, 7, 9), (3, 8, 10, 12), (6, 11, 13, 15), (9, 14, 16, 18)]


def test_a_longer_step_and_gap() -> None:
    assert places(train=4, test=2, step=5, gap=3) == [(0, 3, 7, 8), (5, 8, 12, 13), (10, 13, 17, 18)]


def test_one_window_that_just_fits() -> None:
    assert places(train=18, test=1) == [(0, 17, 19, 19)]


def test_a_window_says_all_of_its_dates() -> None:
    (window,) = windows_of(DAYS, train=18, test=1)
    assert str(window) == "trained 2025-01-01 to 2025-01-18, judged 2025-01-20 to 2025-01-20"
    assert places(train=1, test=1, step=1, gap=1)[-2:] == [(16, 16, 18, 18), (17, 17, 19, 19)]


@pytest.mark.parametrize(
    "options",
    [
        {"train": 19, "test": 1},
        {"train": 5, "test": 3, "step": 2},
        {"train": 5, "test": 3, "gap": 0},
        {"train": 0, "test": 3},
        {"train": 5, "test": 0},
        {"train": 5, "test": -1, "step": 4},
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(options: dict[str, int]) -> None:
    with refuses():
        windows_of(DAYS, **options)
