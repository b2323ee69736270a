"""Further faults in gymnax's classic environments, planted after the other lists were all found.

Each was written before it was known whether it would be: clips, limits and wraps at the wrong place,
numbers of the wrong moment, and actions that are wrong only at their ends.
"""

from __future__ import annotations

from tests.parity.harness.faults.planted import Planted

CLIPPED = "velocity = jnp.clip(velocity, -params.max_speed, params.max_speed)\n"
MOVED = "position = state.position + velocity\n"
TORQUE = "u = jnp.clip(action, -params.max_torque, params.max_torque)"
RESET = "    def reset_env(\n"
LATE = (
    "    def is_truncated(self, state, params):\n"
    "        return state.time > params.max_steps_in_episode\n\n"
)
HIGH = "jax.random.uniform(key, shape=(2,), minval=-high, maxval=high)"

LATER = [
    Planted(
        "pendulum",
        "angle_normalize(state.theta) ** 2\n            + 0.1",
        "angle_normalize(state.theta + state.theta_dot * params.dt) ** 2\n            + 0.1",
        field="reward",
    ),
    Planted(
        "mountain_car_continuous",
        f"{CLIPPED}        {MOVED}",
        f"{MOVED}        {CLIPPED}",
        field="position",
    ),
    Planted(
        "acrobot",
        "* diff * go_down + how_often * diff * go_up",
        "* diff * go_down",
        field="joint_angle2",
    ),
    Planted("acrobot", "go_down = x >= big_m", "go_down = x > big_m + 1e-4", field="joint_angle2"),
    Planted("cartpole", RESET, LATE + RESET, field="truncated"),
    Planted(
        "pendulum",
        TORQUE,
        f"{TORQUE}\n        u = jnp.where(jnp.abs(u) >= params.max_torque, u * 0.999, u)",
        field="theta_dot",
    ),
    Planted(
        "mountain_car_continuous",
        "force = jnp.clip(action, params.min_action, params.max_action)",
        "force = jnp.clip(action, -0.9999, params.max_action)",
        field="velocity",
    ),
    Planted(
        "cartpole",
        "done = self.is_terminal(state, params)",
        "done = prev_terminal.astype(bool)",
        field="terminated",
    ),
    Planted(
        "acrobot",
        "params.available_torque[action]",
        "params.available_torque[jnp.minimum(action, 1)]",
        field="velocity_2",
    ),
    Planted(
        "mountain_car",
        "            state.velocity\n            + (action",
        "            state.velocity * (jnp.abs(state.velocity) < 0.0699999)\n            + (action",
        field="velocity",
    ),
    Planted("pendulum", HIGH, f"{HIGH}.round(2)", "reset from the same draws"),
    Planted(
        "mountain_car",
        "state.time + 1)",
        "jnp.where(state.position > 0.4, state.time, state.time + 1))",
        field="time",
    ),
    Planted(
        "cartpole",
        "reward = 1.0 - prev_terminal",
        "reward = jnp.where(jnp.abs(state.theta) > 0.2094, 0.0, 1.0 - prev_terminal)",
        field="reward",
    ),
    Planted(
        "cartpole",
        "        theta = state.theta + params.tau * state.theta_dot\n",
        "        theta = state.theta + params.tau * state.theta_dot\n"
        "        theta = (theta + jnp.pi) % (2 * jnp.pi) - jnp.pi\n",
        "rounding",
    ),
]
