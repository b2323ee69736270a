"""Gymnasium's MountainCarContinuous against gymnax's, which has a wall of its own."""

import gymnasium
import numpy as np
from gymnax.environments.classic_control.continuous_mountain_car import ContinuousMountainCar

from parity import Accepted, Pair, Port, Reference, integer, near, real


def read(env):
    """Return where the car is and how fast."""
    return {"position": env.state[0], "velocity": env.state[1]}


def write(env, state):
    """Put the car in a state."""
    env.state = np.array([state["position"], state["velocity"]])


pair = Pair(
    name="MountainCarContinuous-v0, Gymnasium and gymnax",
    reference=Reference.gymnasium(lambda: gymnasium.make("MountainCarContinuous-v0"), read, write),
    port=Port.gymnax(ContinuousMountainCar),
    state={
        "position": real(-1.2, 0.6) | near(-1.2, 0.45, 0.6),
        "velocity": real(-0.07, 0.07) | near(-0.07, 0.07),
        "time": integer(0, 998) | near(998),
    },
    accepted=(
        Accepted(
            ("velocity", "obs"),
            "gymnax lets the car keep its speed into the left wall; Gymnasium stops it there",
            lambda before, action, after: after["position"] <= -1.2,
        ),
        Accepted(
            ("velocity", "obs", "reward", "terminated"),
            "gymnax stops a car that rolls back at the goal and pays the prize for it",
            lambda before, action, after: (after["position"] > 0.4499) & (after["velocity"] < 0),
        ),
    ),
)
