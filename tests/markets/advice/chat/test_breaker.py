"""The circuit breaker sends one question on trial, and only that one's end is the trial's."""

from __future__ import annotations

import asyncio

from markets.advice.chat.breaker import Breaker, ServerGone
from tests.sentences import refuses


def waits(breaker: Breaker) -> bool:
    """Return whether a question that asks now is held back."""

    async def ask() -> None:
        await asyncio.wait_for(breaker.wait(), 0.05)

    try:
        asyncio.run(ask())
    except TimeoutError:
        return True
    return False


def opened(under_way: int) -> Breaker:
    """Return a breaker that five of so many questions opened just now; its pause is over."""
    breaker = Breaker(failures=5, pause=0.0)
    for _ in range(under_way):
        assert asyncio.run(breaker.wait()) is None
    for _ in range(5):
        breaker.note(False)
    assert breaker.opened == 1
    return breaker


def test_a_question_from_before_that_fails_is_not_the_trial() -> None:
    breaker = opened(8)
    for number in range(1, breaker.most_opens):
        trial = asyncio.run(breaker.wait())
        assert trial is not None
        breaker.note(False)
        assert breaker.opened == number
        assert waits(breaker)  # the trial is still under way
        breaker.note(False, trial)
        assert breaker.opened == number + 1
    with refuses(kind=ServerGone):
        asyncio.run(breaker.wait())


def test_a_question_from_before_that_is_answered_closes_it() -> None:
    breaker = opened(8)
    trial = asyncio.run(breaker.wait())
    breaker.note(True)
    assert breaker.opened == 0
    breaker.note(False, trial)  # an ordinary failure by now
    assert breaker.opened == 0
    assert not waits(breaker)


def test_a_trial_that_is_answered_lets_all_through() -> None:
    breaker = opened(5)
    breaker.note(True, asyncio.run(breaker.wait()))
    assert not waits(breaker)
    for _ in range(4):
        breaker.note(False)
    assert breaker.opened == 0
