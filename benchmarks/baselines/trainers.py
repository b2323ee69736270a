"""Baseline trainers on the port's environments: by name, and in what batch layouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from benchmarks.baselines.learners import Learner
from benchmarks.baselines.purejaxrl_style import PureJaxRlTrainer
from benchmarks.baselines.rejax_ppo import RejaxTrainer
from benchmarks.baselines.sbx_ppo import SbxTrainer
from jax_port.envs.state import EnvParams
from jax_port.ppo.settings import TrainSettings
from markets import InputError

BASELINES: Mapping[str, Callable[[EnvParams, TrainSettings], Learner]] = {
    "purejaxrl": PureJaxRlTrainer,
    "rejax": RejaxTrainer,
    "sbx": SbxTrainer,
}


def baseline_names(text: str) -> list[str]:
    """Return the names of baselines in a list with commas; "none" is an empty list.

    Raises:
        InputError: there is no such baseline.
    """
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in BASELINES:
            raise InputError(f"{name!r} is no baseline; choose from {', '.join(BASELINES)}, or none")
    return names


def batch_layouts(text: str, settings: TrainSettings) -> list[TrainSettings]:
    """Return settings with the port's own layout, and with each of those that a list names.

    Args:
        text: such as "512x64x4096,256x128x4096": environments, steps in a rollout, minibatch.
        settings: the port's own layout, and all other settings.

    Raises:
        InputError: a part of the list is not three whole numbers.
    """
    layouts = {settings: None}  # in order, each once
    for part in text.split(",") if text else ():
        try:
            envs, steps, batch = (int(number) for number in part.split("x"))
        except ValueError:
            raise InputError(
                f"{part!r}: give environments, steps and minibatch as three whole numbers, such as "
                "512x64x4096"
            ) from None
        layouts[replace(settings, n_envs=envs, n_steps=steps, batch_size=batch)] = None
    return list(layouts)
