"""Factories that the tests of the command name."""

from __future__ import annotations

import gymnasium
from gymnax.environments.classic_control.cartpole import CartPole
from gymnax.environments.classic_control.pendulum import Pendulum

__all__ = ["CartPole", "Pendulum", "cartpole", "nothing"]


def cartpole() -> gymnasium.Env:  # type: ignore[type-arg]
    return gymnasium.make("CartPole-v1")


def nothing() -> object:
    return object()
