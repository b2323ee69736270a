"""Faults in gymnax's five classic environments, written before it was known which would be found.

Slips as they happen in a port: a limit that belongs to the other side, a clip left out, a constant
wrong in the sixth digit, a number that outlives a restart, fields swapped, an end of the wrong kind.
"""

from __future__ import annotations

from tests.parity.harness.faults.planted import Planted

RESET = "    def reset_env(\n"


def overridden(lines: str) -> str:
    """Return a ``step`` that changes what gymnax's own restarting step gives back, before a reset."""
    body = "".join(f"        {line}\n" for line in lines.split("\n"))
    return (
        "    def step(self, key, state, action, params=None):\n"
        "        obs, new, reward, ended, cut, info = super().step(key, state, action, params)\n"
        "        over = ended | cut\n"
        f"{body}"
        "        return obs, new, reward, ended, cut, info\n\n"
        f"{RESET}"
    )


DRAWS, STARTS, AGAIN = "reset from the same draws", "reset distribution", "restart after an end"
BEYOND, LAST, ENDS = "actions beyond the bounds", "reward on the last step", "terminated or truncated"
SHAPE, BOUNDS = "observation dtype and shape", "observation bounds"
ONLY, FINAL = "restart only at an end", "final observation"
LIMIT = "state.time >= params.max_steps_in_episode"

CARTPOLE = [
    ("state.theta < -params.theta", "state.theta <= -params.theta", "logic", "terminated"),
    ("state.x > params.x", "state.x >= params.x", "logic", ""),
    ("return jnp.logical_or(done1, done2)", "return done1", "logic", "terminated"),
    (
        "return jnp.logical_or(done1, done2)",
        f"return jnp.logical_or(done1, done2) | ({LIMIT})",
        ENDS,
        "terminated",
    ),
    ("gravity: float = 9.8\n", "gravity: float = 9.80001\n", "logic", "theta_dot"),
    ("length: float = 0.5\n", "length: float = 0.500001\n", "logic", "theta_dot"),
    ("params.force_mag * (1 - action)", "9.99999 * (1 - action)", "logic", "x_dot"),
    ("costheta**2", "costheta**2.00001", "logic", "theta_dot"),
    (
        "costheta = jnp.cos(state.theta)",
        "costheta = 1 - state.theta**2 / 2 + state.theta**4 / 24",
        "logic",
        "theta_dot",
    ),
    (
        "x = state.x + params.tau * state.x_dot\n",
        "x = state.x + params.tau * (state.x_dot + params.tau * xacc)\n",
        "logic",
        "x",
    ),
    (
        "[state.x, state.x_dot, state.theta, state.theta_dot]",
        "[state.x, state.x_dot, state.theta, state.theta]",
        "logic",
        "obs",
    ),
    (
        "jnp.array([state.x, state.x_dot, state.theta, state.theta_dot])",
        "jnp.array([state.x, state.x_dot, state.theta, state.theta_dot], jnp.float16)",
        SHAPE,
        "",
    ),
    ("reward = 1.0 - prev_terminal", "reward = 1.0 * (state.time > 0)", "logic", "reward"),
    ("time=state.time + 1", "time=jnp.minimum(state.time + 1, 499)", "logic", "truncated"),
    ("maxval=0.05", "maxval=0.0500001", DRAWS, ""),
    ("maxval=0.05", "maxval=0.04", STARTS, ""),
    (RESET, overridden("new = new.replace(time=jnp.where(over, state.time, new.time))"), AGAIN, ""),
    (RESET, overridden("reward = jnp.where(ended, 0.0, reward)"), ONLY, ""),
    (RESET, overridden('info = {**info, "final_observation": obs}'), FINAL, ""),
    (
        "return spaces.Discrete(2)",
        "return spaces.Discrete(3)",
        "action space",
        "",
    ),
    ("tau: float = 0.02", "tau: float = 0.1 / 5", "equivalent", ""),
]

MOUNTAIN_CAR = [
    ("(action - 1) * params.force", "(action - 1) * 0.00100001", "logic", "velocity"),
    ("(action - 1) * params.force", "(1 - action) * params.force", "logic", "velocity"),
    (
        "velocity * (1 - (position == params.min_position) * (velocity < 0))",
        "velocity",
        "logic",
        "velocity",
    ),
    ("(position == params.min_position)", "(position <= -1.1999)", "logic", "velocity"),
    ("(position == params.min_position)", "(position == params.max_position)", "logic", "velocity"),
    ("jnp.cos(3 * state.position)", "jnp.cos(3 * state.position + 1e-6)", "logic", "velocity"),
    ("jnp.cos(3 * state.position)", "jnp.cos(3.00001 * state.position)", "logic", "velocity"),
    (
        "velocity = jnp.clip(velocity, -params.max_speed, params.max_speed)",
        "velocity = jnp.minimum(velocity, params.max_speed)",
        "logic",
        "velocity",
    ),
    (
        "position = jnp.clip(position, params.min_position, params.max_position)",
        "position = jnp.maximum(position, params.min_position)",
        "logic",
        "position",
    ),
    ("position = state.position + velocity", "position = state.position + state.velocity", "logic", ""),
    ("reward = -1.0\n", "reward = -1.0 * (position < params.goal_position)\n", LAST, "reward"),
    ("goal_position: float = 0.5", "goal_position: float = 0.5000005", "logic", "terminated"),
    ("return done1\n", f"return done1 | ({LIMIT})\n", ENDS, "terminated"),
    ("done1 = (state.position", "done1 = (state.velocity < 9) * (state.position", "equivalent", ""),
    (
        "return jnp.array([state.position, state.velocity])",
        "return jnp.array([state.velocity, state.position])",
        "logic",
        "obs",
    ),
    ("maxval=-0.4", "maxval=-0.4000004", DRAWS, ""),
    ("velocity=jnp.array(0.0), time=0", "velocity=jnp.array(1e-6), time=0", STARTS, ""),
    ("max_steps_in_episode: int = 200", "max_steps_in_episode: int = 201", "logic", "truncated"),
    (
        RESET,
        overridden("new = new.replace(velocity=jnp.where(over, state.velocity, new.velocity))"),
        AGAIN,
        "",
    ),
]

CONTINUOUS = [
    ("goal_position: float = 0.45", "goal_position: float = 0.4500005", "logic", ""),
    ("power: float = 0.0015", "power: float = 0.00150001", "logic", "velocity"),
    ("jnp.cos(3 * state.position)", "jnp.cos(3.00001 * state.position)", "logic", "velocity"),
    ("+ 100 * (", "+ 100.0001 * (", "logic", "reward"),
    (
        "velocity = jnp.clip(velocity, -params.max_speed, params.max_speed)",
        "velocity = jnp.maximum(velocity, -params.max_speed)",
        "logic",
        "velocity",
    ),
    ("position = state.position + velocity", "position = state.position + state.velocity", "logic", ""),
    ("reward = -0.1 * action**2", "reward = -0.1 * force**2", BEYOND, ""),
    ("reward = -0.1 * action**2", "reward = -0.1 * jnp.abs(action)", "logic", "reward"),
    (
        "reward = reward.squeeze()",
        "reward = jnp.where(position >= params.goal_position, 0.0, reward).squeeze()",
        LAST,
        "reward",
    ),
    (
        "jnp.array([state.position, state.velocity]).squeeze()",
        "jnp.array([state.velocity, state.position]).squeeze()",
        "logic",
        "obs",
    ),
    (
        "jnp.array([state.position, state.velocity]).squeeze()",
        "jnp.array([[state.position, state.velocity]])",
        SHAPE,
        "",
    ),
    ("max_steps_in_episode: int = 999", "max_steps_in_episode: int = 998", "logic", "truncated"),
    ("max_action: float = 1.0", "max_action: float = 0.999999", "action space", ""),
    ("velocity=jnp.array(0.0), time=0", "velocity=jnp.array(1e-6), time=0", STARTS, ""),
    ("minval=-0.6", "minval=-0.5999994", DRAWS, ""),
    ("return done1.squeeze()", f"return done1.squeeze() | ({LIMIT})", ENDS, "terminated"),
]

PENDULUM = [
    ("% (2 * jnp.pi)) - jnp.pi", "% 6.283180) - jnp.pi", "logic", "reward"),
    (
        "return ((x + jnp.pi) % (2 * jnp.pi))",
        "return jnp.fmod(x + jnp.pi, 2 * jnp.pi)",
        "logic",
        "reward",
    ),
    (
        "return ((x + jnp.pi) % (2 * jnp.pi)) - jnp.pi",
        "return jnp.arctan2(jnp.sin(x), jnp.cos(x))",
        "equivalent",
        "",
    ),
    ("+ 0.001 * (u**2)", "+ 0.001 * (action**2)", BEYOND, ""),
    ("+ 0.1 * state.theta_dot**2", "+ 0.1 * jnp.abs(state.theta_dot)", "logic", "reward"),
    (
        "newthdot = jnp.clip(newthdot, -params.max_speed, params.max_speed)\n"
        "        newth = state.theta + newthdot * params.dt",
        "newth = state.theta + newthdot * params.dt\n"
        "        newthdot = jnp.clip(newthdot, -params.max_speed, params.max_speed)",
        "logic",
        "theta",
    ),
    (
        "newthdot = jnp.clip(newthdot, -params.max_speed, params.max_speed)",
        "newthdot = jnp.minimum(newthdot, params.max_speed)",
        "logic",
        "theta_dot",
    ),
    (
        "newth = state.theta + newthdot * params.dt",
        "newth = state.theta + 0.5 * (state.theta_dot + newthdot) * params.dt",
        "logic",
        "theta",
    ),
    (
        "newth = state.theta + newthdot * params.dt",
        "newth = angle_normalize(state.theta + newthdot * params.dt)",
        "logic",
        "theta",
    ),
    ("+ 3.0 / (params", "- 3.0 / (params", "logic", "theta_dot"),
    ("dt: float = 0.05", "dt: float = 0.0500001", "logic", "theta"),
    (
        "jnp.cos(state.theta),\n                jnp.sin(state.theta),",
        "jnp.sin(state.theta),\n                jnp.cos(state.theta),",
        "logic",
        "obs",
    ),
    ("                state.theta_dot,\n", "                state.theta_dot / 8,\n", "logic", "obs"),
    ("minval=-high", "minval=-high * 0.999999", DRAWS, ""),
    ("theta=state[0], theta_dot=state[1]", "theta=state[1], theta_dot=state[0]", STARTS, ""),
    ("return jnp.array(False)", f"return {LIMIT}", ENDS, "terminated"),
    ("high = jnp.array([1.0, 1.0, params", "high = jnp.array([1.0, 1.0, 2 * params", BOUNDS, ""),
    ("max_torque: float = 2.0", "max_torque: float = 2.00001", "action space", ""),
    ("3 * params.g / (2 * params.l)", "3 * params.g / 2 * params.l", "equivalent", ""),
]

ACROBOT = [
    ("params.dt / 6.0", "params.dt / 6.00001", "logic", "velocity_1"),
    ("2 * k2 + 2 * k3 + k4", "2 * k2 + k3 + 2 * k4", "logic", "velocity_1"),
    ("dsdt(y0 + params.dt * k3", "dsdt(y0 + dt2 * k3", "logic", "velocity_1"),
    ("(m1 * lc1 + m2 * l1) * g", "(m1 * lc1 + m2 * lc2) * g", "logic", "velocity_1"),
    (" - m2 * l1 * lc2 * dtheta1**2 * jnp.sin(theta2) - phi2", " - phi2", "logic", "velocity_2"),
    ("g = 9.8\n", "g = 9.80001\n", "logic", "velocity_1"),
    ("i1, i2 = params.link_moi,", "i1, i2 = 1.000001 * params.link_moi,", "logic", "velocity_1"),
    (
        "jnp.clip(ns[3], -params.max_vel_2, params.max_vel_2)",
        "jnp.clip(ns[3], -params.max_vel_1, params.max_vel_1)",
        "logic",
        "velocity_2",
    ),
    ("jnp.clip(ns[2], -params.max_vel_1, params.max_vel_1)", "ns[2]", "logic", "velocity_1"),
    ("joint_angle1 = wrap(ns[0], -jnp.pi, jnp.pi)", "joint_angle1 = ns[0]", "logic", "joint_angle1"),
    ("wrap(ns[1], -jnp.pi, jnp.pi)", "wrap(ns[1], 0.0, 2 * jnp.pi)", "logic", "joint_angle2"),
    ("reward = -1.0 * (1 - done_angle)", "reward = jnp.float32(-1.0)", LAST, "reward"),
    (
        "- jnp.cos(state.joint_angle2 + state.joint_angle1)",
        "- jnp.cos(state.joint_angle2)",
        "logic",
        "terminated",
    ),
    (
        "return EnvParams(available_torque=jnp.array([-1.0, 0.0, +1.0]))",
        "return EnvParams(available_torque=jnp.array([-1.0, 0.0, +1.00001]))",
        "logic",
        "velocity_2",
    ),
    (
        "return EnvParams(available_torque=jnp.array([-1.0, 0.0, +1.0]))",
        "return EnvParams(available_torque=jnp.array([-1.0, +1.0, 0.0]))",
        "logic",
        "velocity_2",
    ),
    (
        "jnp.cos(state.joint_angle2),\n                jnp.sin(state.joint_angle2),",
        "jnp.sin(state.joint_angle2),\n                jnp.cos(state.joint_angle2),",
        "logic",
        "obs",
    ),
    ("maxval=0.1", "maxval=0.0999999", DRAWS, ""),
    ("velocity_1=init_state[2]", "velocity_1=init_state[3]", STARTS, ""),
    ("torque_noise_max: float = 0.0", "torque_noise_max: float = 1e-3", "draws within a step", ""),
    ("return done_angle\n", f"return done_angle | ({LIMIT})\n", ENDS, "terminated"),
    (
        RESET,
        overridden("new = new.replace(velocity_2=jnp.where(over, state.velocity_2, new.velocity_2))"),
        AGAIN,
        "",
    ),
    (
        "lc1, lc2 = params.link_com_pos_1, params",
        "lc2, lc1 = params.link_com_pos_1, params",
        "equivalent",
        "",
    ),
]

BY_A_STRANGER = [
    Planted(pair, old, new, label, field)
    for pair, faults in (
        ("cartpole", CARTPOLE),
        ("mountain_car", MOUNTAIN_CAR),
        ("mountain_car_continuous", CONTINUOUS),
        ("pendulum", PENDULUM),
        ("acrobot", ACROBOT),
    )
    for old, new, label, field in faults
]
