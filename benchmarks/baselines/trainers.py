"""Who else trains on the port's environments: by name, and in what portions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.baselines.learners import Learner
from benchmarks.baselines.purejaxrl_style import PureJaxRlRival
from benchmarks.baselines.rejax_ppo import RejaxRival
from benchmarks.baselines.sbx_ppo import SbxRival
from benchmarks.harness.measure import Timing
from benchmarks.harness.statistics import paired
from jax_port.envs.env_phase1_jax import EnvParams
from jax_port.ppo.settings import TrainSettings
from markets import InputError

RIVALS: Mapping[str, Callable[[EnvParams, TrainSettings], Learner]] = {
    "purejaxrl": PureJaxRlRival,
    "rejax": RejaxRival,
    "sbx": SbxRival,
}


def rival_names(text: str) -> list[str]:
    """Return the rivals that a list with commas names; "none" names none.

    Raises:
        InputError: there is no such rival.
    """
    names = [] if text == "none" else text.split(",")
    for name in names:
        if name not in RIVALS:
            raise InputError(f"{name!r} is no rival; choose from {', '.join(RIVALS)}, or none")
    return names


def layouts(text: str, ours: TrainSettings) -> list[TrainSettings]:
    """Return settings with our own portions, and with each of those that a list names.

    Args:
        text: such as "512x64x4096,256x128x4096": environments, steps in a rollout, minibatch.
        ours: all other settings.

    Raises:
        InputError: a part of the list is not three whole numbers.
    """
    found = {ours: None}  # in order, each once
    for part in text.split(",") if text else ():
        try:
            envs, steps, batch = (int(number) for number in part.split("x"))
        except ValueError:
            raise InputError(
                f"{part!r}: give environments, steps and minibatch as three whole numbers, such as "
                "512x64x4096"
            ) from None
        found[replace(ours, n_envs=envs, n_steps=steps, batch_size=batch)] = None
    return list(found)


def ahead(
    timings: Sequence[Timing], meaning: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return, by rival and epochs, the port's best row over the rival's best, paired by rounds.

    Args:
        timings: one a row.
        meaning: of rows by name: ``side``, ``epochs``, and of a rival's ``rival``.
    """

    def best(side: str, epochs: int, rival: str | None = None) -> Timing | None:
        found = [
            timing
            for timing in timings
            if timing.error is None
            and meaning[timing.name]["side"] == side
            and meaning[timing.name]["epochs"] == epochs
            and meaning[timing.name].get("rival") == rival
        ]
        return max(found, key=lambda timing: timing.median, default=None)

    ratios = {}
    rows = [about for about in meaning.values() if about["side"] == "rival"]
    for rival, epochs in dict.fromkeys((about["rival"], about["epochs"]) for about in rows):
        ours, theirs = best("port", epochs), best("rival", epochs, rival)
        if ours and theirs:
            ratios[f"ahead of {rival}, {epochs} epochs"] = {
                "ours": ours.name,
                "theirs": theirs.name,
                **paired(ours.samples, theirs.samples),
            }
    return ratios
