"""Gymnasium's Acrobot against gymnax's; ``envparity check examples.pairs.acrobot:pair``."""

import gymnasium
import numpy as np
from gymnax.environments.classic_control.acrobot import Acrobot

from parity import Accepted, Pair, Port, Reference, integer, near, real

JOINTS = ("joint_angle1", "joint_angle2")
NAMES = (*JOINTS, "velocity_1", "velocity_2")
SIGN = "half a turn is -pi in gymnax and pi in Gymnasium"


def read(env):
    """Return both joints' angles and speeds."""
    return dict(zip(NAMES, env.state, strict=True))


def write(env, state):
    """Put the joints in a state."""
    env.state = np.array([state[name] for name in NAMES])


pair = Pair(
    name="Acrobot-v1, Gymnasium and gymnax",
    reference=Reference.gymnasium(lambda: gymnasium.make("Acrobot-v1"), read, write),
    port=Port.gymnax(Acrobot),
    state={
        **dict.fromkeys(JOINTS, real(-np.pi, np.pi)),
        "velocity_1": real(-4 * np.pi, 4 * np.pi),
        "velocity_2": real(-9 * np.pi, 9 * np.pi),
        "time": integer(0, 499) | near(499),
    },
    accepted=tuple(
        Accepted(joint, SIGN, lambda before, action, after, at=joint: np.abs(after[at]) > np.pi - 1e-9)
        for joint in JOINTS
    ),
)
