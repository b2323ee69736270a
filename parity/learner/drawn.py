"""Drawn structures of learners: each seed's cases together have every value of every aspect.

Source: sections 2 to 10 of ``docs/learner.md``. A fault in what no fixed case has (a third layer,
MLPs of unequal width, a frozen layer) shows in these; most of them begin late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jax_port.ppo.settings import NetworkSpec, TrainSettings
from parity.learner.cases import LearnerCase
from parity.learner.late import Late
from parity.learner.structures import aspects_of, merged

Rng = np.random.Generator

STEPS, ENVS, UPDATES = 24, 4, 2
"""Of a drawn case: few transitions, so that hardly any input of a unit lies on ReLU's corner."""

LATE = Late(500, 10_000), Late(300, 150), Late(1_000, 70_000)
"""Updates and Adam's steps before: where its correction is all but gone, is large still, and beyond 16
bits."""

COUNT = 4

VALUES: dict[str, tuple[Any, ...]] = {
    "policy layers": (1, 2, 3),
    "value layers": (1, 2, 3),
    "activation": ("relu", "tanh"),
    "rates": ("none", "frozen", "slower"),
    "anneal": (True, False),
    "norm_reward": (True, False),
    "clip_range_vf": (None, 0.1),
    "target_kl": (None, 0.01),
    "batch_size": (50, 48),
    "late": (*LATE, None),
}
"""Aspects, and what each takes in turn."""

SEEN: dict[str, tuple[str, ...]] = {
    "policy layers": ("1", "2", "3"),
    "value layers": ("1", "2", "3"),
    "activation": ("relu", "tanh"),
    "mlps": ("unequal",),
    "frozen layers": ("on", "off"),
    "slower or faster layers": ("on", "off"),
    "anneal": ("on", "off"),
    "norm_reward": ("on", "off"),
    "clip_range_vf": ("on", "off"),
    "target_kl": ("on", "off"),
    "last minibatch": ("partial", "whole"),
    "begun late": ("on",),
}
"""Aspects with the values that a seed's cases must have among them."""

REQUIRED = frozenset(f"learner, {name}: {value}" for name, values in SEEN.items() for value in values)
"""What a seed's cases together must have had, or the comparison has not seen enough."""


def drawn_cases(seed: int) -> list[LearnerCase]:
    """Return a seed's drawn cases; each aspect takes its values in turn, in an order of its own."""
    rng = np.random.default_rng([seed, 51])
    turns = {name: rng.permutation(len(values)) for name, values in VALUES.items()}
    return [
        _case(
            rng,
            seed,
            number,
            {name: values[turns[name][number % len(values)]] for name, values in VALUES.items()},
        )
        for number in range(COUNT)
    ]


def _case(rng: Rng, seed: int, number: int, chosen: dict[str, Any]) -> LearnerCase:
    widths = [int(width) for width in rng.permutation(np.arange(5, 33))]
    network = NetworkSpec(
        tuple(widths[: chosen["policy layers"]]),
        tuple(widths[-chosen["value layers"] :]),
        chosen["activation"],
    )
    late = None if chosen["late"] is None else replace(chosen["late"], seed=seed)
    rollout = STEPS * ENVS
    before = 0 if late is None else late.updates
    settings = TrainSettings(
        n_envs=ENVS,
        n_steps=STEPS,
        batch_size=chosen["batch_size"],
        n_epochs=2,
        total_timesteps=rollout * (before + 40),
        learning_rate=float(rng.uniform(5e-4, 2e-3)),
        gamma=float(rng.uniform(0.9, 0.999)),
        gae_lambda=float(rng.uniform(0.8, 1.0)),
        clip_range=float(rng.uniform(0.05, 0.3)),
        clip_range_vf=chosen["clip_range_vf"],
        ent_coef=float(rng.uniform(0.0, 0.03)),
        vf_coef=float(rng.uniform(0.2, 1.0)),
        max_grad_norm=float(rng.uniform(0.2, 2.0)),
        target_kl=chosen["target_kl"],
        anneal=chosen["anneal"],
        norm_reward=chosen["norm_reward"],
        seed=seed,
        network=network,
        layer_lr=_rates(rng, network, chosen["rates"]),
    )
    return LearnerCase(f"drawn {number + 1}", settings, UPDATES, late=late)


def _rates(rng: Rng, network: NetworkSpec, kind: str) -> tuple[tuple[str, float], ...]:
    """Return no rates, some frozen layers, or some with factors, of which one is above one."""
    if kind == "none":
        return ()
    first, second = rng.choice(network.layers, 2, replace=False)
    if kind == "frozen":
        return ((str(first), 0.0),)
    return ((str(first), float(rng.uniform(0.05, 0.5))), (str(second), 2.0))


def coverage_of_structures(cases: Sequence[LearnerCase]) -> list[str]:
    """Return the branches of :data:`REQUIRED` that cases take, and others of the kind."""
    values = merged(aspects_of(case.settings) for case in cases)
    differing = [f"learner, {name}: {value}" for name, some in values.items() for value in some]
    return [*differing, *("learner, begun late: on" for case in cases if case.late is not None)]
