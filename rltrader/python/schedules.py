"""Schedules of the learner's numbers, as SB3 has them: functions of the progress that is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from foundation.errors import InputError
from jax_port.ppo.settings import RATES, TrainSettings, check_schedule

Schedule = Callable[[float], float]
"""(progress left, from 1 to 0) -> the number."""


def table_of(schedules: Mapping[str, Schedule], settings: TrainSettings) -> dict[str, list[float]]:
    """Return each number's value in each update, so that a run's file holds it.

    The progress left is taken after the rollout, as SB3 takes it, and never falls below zero.

    Args:
        schedules: functions by a name of :data:`jax_port.ppo.settings.RATES`.
        settings: of the training.

    Raises:
        InputError: a name is no such number, a value is not valid, or ``anneal`` is on too.
    """
    points: dict[str, list[float]] = {}
    for name, schedule in schedules.items():
        if name not in RATES:
            raise InputError(f"a schedule of {name!r}; choose from {', '.join(RATES)}")
        if not callable(schedule):
            raise InputError(
                f"the schedule of {name} is {schedule!r}; give a function of progress left"
            )
        if settings.anneal and name in ("learning_rate", "clip_range"):
            raise InputError(f"anneal and a schedule both set {name}; give one of them")
        points[name] = [float(schedule(left)) for left in _progress(settings)]
        check_schedule(name, points[name])
    return points


def _progress(settings: TrainSettings) -> list[float]:
    total, size = settings.total_timesteps, settings.rollout_size
    return [max(0.0, 1.0 - (update + 1) * size / total) for update in range(settings.num_updates)]
