"""Gymnasium's Pendulum against gymnax's; ``envparity check examples.pairs.pendulum:pair``."""

import gymnasium
import numpy as np
from gymnax.environments.classic_control.pendulum import Pendulum

from parity import Pair, Port, Reference, integer, near, real


def read(env):
    """Return the angle and its speed."""
    return {"theta": env.state[0], "theta_dot": env.state[1]}


def write(env, state):
    """Put the pendulum in a state."""
    env.state = np.array([state["theta"], state["theta_dot"]])


pair = Pair(
    name="Pendulum-v1, Gymnasium and gymnax",
    reference=Reference.gymnasium(lambda: gymnasium.make("Pendulum-v1"), read, write),
    port=Port.gymnax(Pendulum, leave_out=("last_u",)),
    state={
        "theta": real(-10, 10) | near(-np.pi, np.pi),
        "theta_dot": real(-8, 8) | near(-8, 8),
        "time": integer(0, 199) | near(199),
    },
)
