"""Aspects of a learner's structure: what its compiled program, and not a number in it, depends on."""

from __future__ import annotations

from collections.abc import Iterable

from jax_port.ppo.settings import TrainSettings

Aspects = dict[str, str]
"""Aspect, such as "activation", to what a learner has there, such as "tanh"."""


def aspects_of(settings: TrainSettings) -> Aspects:
    """Return what the structure of a learner with these settings is, aspect by aspect, in words."""
    network = settings.network
    rates = [rate for _, rate in settings.layer_lr if rate != 1.0]
    partial = settings.rollout_size % settings.batch_size != 0
    return {
        "activation": network.activation,
        "policy layers": str(len(network.pi)),
        "value layers": str(len(network.vf)),
        "mlps": "equal" if network.pi == network.vf else "unequal",
        "frozen layers": _switch(0.0 in rates),
        "slower or faster layers": _switch(any(rate != 0.0 for rate in rates)),
        "anneal": _switch(settings.anneal),
        "norm_reward": _switch(settings.norm_reward),
        "clip_range_vf": _switch(settings.clip_range_vf is not None),
        "target_kl": _switch(settings.target_kl is not None),
        "last minibatch": "partial" if partial else "whole",
        "orders": "one" if settings.order_groups == 1 else "by group",
        "precision": settings.precision,
    }


def merged(aspects: Iterable[Aspects]) -> dict[str, list[str]]:
    """Return every value that each aspect has, sorted."""
    found: dict[str, set[str]] = {}
    for one in aspects:
        for name, value in one.items():
            found.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in sorted(found.items())}


def _switch(on: bool) -> str:
    return "on" if on else "off"
