"""Gymnasium's MountainCar against gymnax's; ``envparity check examples.pairs.mountain_car:pair``."""

import gymnasium
import numpy as np
from gymnax.environments.classic_control.mountain_car import MountainCar

from parity import Pair, Port, Reference, integer, near, real


def read(env):
    """Return where the car is, and how fast."""
    return {"position": env.state[0], "velocity": env.state[1]}


def write(env, state):
    """Put the car in a state."""
    env.state = np.array([state["position"], state["velocity"]])


pair = Pair(
    name="MountainCar-v0, Gymnasium and gymnax",
    reference=Reference.gymnasium(lambda: gymnasium.make("MountainCar-v0"), read, write),
    port=Port.gymnax(MountainCar),
    state={
        "position": real(-1.2, 0.6) | near(0.5),
        "velocity": real(-0.07, 0.07),
        "time": integer(0, 199) | near(199),
    },
)
