"""Gymnasium's CartPole against gymnax's; ``envparity check examples.pairs.cartpole:pair``."""

import gymnasium
import numpy as np
from gymnax.environments.classic_control.cartpole import CartPole

from parity import Pair, Port, Reference, integer, near, real

NAMES = ("x", "x_dot", "theta", "theta_dot")
X, THETA = 2.4, 12 * 2 * np.pi / 360


def read(env):
    """Return the four numbers that CartPole steps."""
    return dict(zip(NAMES, env.state, strict=True))


def write(env, state):
    """Put CartPole in a state, and let it forget that an episode ended."""
    env.state = np.array([state[name] for name in NAMES])
    env.steps_beyond_terminated = None


pair = Pair(
    name="CartPole-v1, Gymnasium and gymnax",
    reference=Reference.gymnasium(lambda: gymnasium.make("CartPole-v1"), read, write),
    port=Port.gymnax(CartPole),
    state={
        "x": real(-X, X) | near(-X, X),
        "x_dot": real(-4, 4),
        "theta": real(-THETA, THETA) | near(-THETA, THETA),
        "theta_dot": real(-4, 4),
        "time": integer(0, 499) | near(499),
    },
)
