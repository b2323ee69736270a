"""Gymnasium's MountainCarContinuous against gymnax's, which has a wall of its own."""

import gymnasium
import gymnax
import numpy as np

from parity import Accepted, Pair, Port, Reference, integer, near, real


def write(env, state):
    """Put the car in a state."""
    env.state = np.array([state["position"], state["velocity"]])


pair = Pair(
    name="MountainCarContinuous-v0, Gymnasium and gymnax",
    reference=Reference.gymnasium(
        lambda: gymnasium.make("MountainCarContinuous-v0"),
        read=lambda env: {"position": env.state[0], "velocity": env.state[1]},
        write=write,
    ),
    port=Port.gymnax(lambda: gymnax.make("MountainCarContinuous-v0")),
    state={
        "position": real(-1.2, 0.6) | near(0.45),
        "velocity": real(-0.07, 0.07),
        "time": integer(0, 998),
    },
    accepted=(
        Accepted(
            ("velocity", "obs"),
            "gymnax lets the car keep its speed into the left wall; Gymnasium stops it there",
            where=lambda before, action, after: after["position"] <= -1.2,
        ),
        Accepted(
            ("velocity", "obs", "reward", "terminated"),
            "gymnax stops a car that rolls back at the goal and pays the prize for it",
            where=lambda before, action, after: (after["position"] > 0.4499) & (after["velocity"] < 0),
        ),
    ),
)
