"""Faults planted in gymnax's classic environments, each with what it must be called."""

from __future__ import annotations

import importlib
import inspect
import sys
import types
from dataclasses import dataclass, replace
from typing import Any

from parity import Pair, Port

BASE = "gymnax.environments.classic_control"
TINY = "(1 + 1e-6)"


@dataclass(frozen=True)
class Planted:
    """A fault: a text of an environment's module, what it becomes, and what that must be called.

    Attributes:
        pair: module of ``examples.pairs``.
        old, new: texts of gymnax's module.
        label: "logic", a question of the contract, or "rounding" or "equivalent" (no fault at all;
            rounding must show, or need not).
        field: one that must be called wrong, none in particular if empty.
    """

    pair: str
    old: str
    new: str
    label: str = "logic"
    field: str = ""

    def __str__(self) -> str:
        return f"{self.pair}: {' '.join(self.new.split())[:60]}"


MODULES = {
    "acrobot": ("acrobot", "Acrobot"),
    "cartpole": ("cartpole", "CartPole"),
    "mountain_car": ("mountain_car", "MountainCar"),
    "mountain_car_continuous": ("continuous_mountain_car", "ContinuousMountainCar"),
    "pendulum": ("pendulum", "Pendulum"),
}


def source(pair: str) -> str:
    """Return the text of gymnax's module."""
    return inspect.getsource(importlib.import_module(f"{BASE}.{MODULES[pair][0]}"))


def constants(pair: str) -> list[Planted]:
    """Return a fault for every constant that a step uses: it is changed by one part in a million."""
    skip = {"goal_velocity", "masscart"}  # zero, and not used by the step
    clips = {"min_action", "max_action", "max_torque"}  # only actions beyond the bounds reach them
    faults = []
    for line in source(pair).split("\n"):
        name, colon, rest = line.strip().partition(": float = ")
        if colon and name not in skip:
            value = rest.partition("  #")[0]
            label = "actions beyond the bounds" if name in clips else "logic"
            faults.append(Planted(pair, line, f"    {name}: float = ({value}) * {TINY}", label))
    return faults


def with_fault(pair: Pair, fault: Planted) -> Pair:
    """Return a pair whose port has the fault; its module is made anew, so that nothing is cached."""
    text = source(fault.pair)
    assert text.count(fault.old) == 1, f"{fault.old!r} is {text.count(fault.old)} times in gymnax"
    return made_anew(pair, fault.pair, text.replace(fault.old, fault.new))


def made_anew(pair: Pair, which: str, text: str) -> Pair:
    """Return a pair whose port is made of another text of gymnax's module."""
    module, name = MODULES[which]
    made = types.ModuleType(f"planted_{module}")
    sys.modules[made.__name__] = made  # dataclasses look their module up
    exec(compile(text, made.__name__, "exec"), made.__dict__)
    factory: Any = getattr(made, name)
    port: Any = pair.port
    return replace(pair, port=Port.gymnax(factory, leave_out=port.leave_out))


FAULTS = [
    *constants("cartpole"),
    *constants("mountain_car_continuous"),
    *constants("pendulum"),
    # CartPole
    Planted("cartpole", "gravity: float = 9.8\n", "gravity: float = 9.8098\n"),
    Planted("cartpole", "(4.0 / 3.0 -", f"(4.0 / 3.0 * {TINY} -"),
    Planted("cartpole", "max_steps_in_episode: int = 500", "max_steps_in_episode: int = 501"),
    Planted("cartpole", "state.theta > params.theta", "state.theta >= params.theta"),
    Planted("cartpole", "state.x < -params.x", "state.x <= -params.x"),
    Planted("cartpole", "params.masspole * costheta**2", "params.masspole * costheta"),
    Planted("cartpole", "jnp.array(reward),", "jnp.array(1.0 - done),", "reward on the last step"),
    Planted(
        "cartpole",
        "theta = state.theta + params.tau * state.theta_dot\n",
        "theta = state.theta + params.tau * (state.theta_dot + params.tau * thetaacc)\n",
    ),
    Planted("cartpole", "params.force_mag * (1 - action)", "params.force_mag * (2 - action)"),
    Planted(
        "cartpole",
        "[state.x, state.x_dot, state.theta, state.theta_dot]",
        "[state.x, state.x_dot, state.theta_dot, state.theta]",
    ),
    Planted("cartpole", "minval=-0.05", "minval=-0.04", "reset distribution"),
    Planted("cartpole", "minval=-0.05", "minval=0.0", "reset distribution"),
    Planted("cartpole", "x=init_state[0]", "x=init_state[1]", "reset distribution"),
    Planted(
        "cartpole",
        "jax.random.uniform(key,",
        "jax.random.uniform(jax.random.PRNGKey(0),",
        "reset distribution",
    ),
    Planted("cartpole", "time=0,", "time=1,", "restart after an end"),
    Planted("cartpole", "time=state.time + 1", "time=state.time + 2"),
    Planted(
        "cartpole",
        "temp - params.polemass_length * thetaacc * costheta / params.total_mass",
        "temp - costheta * thetaacc * (params.polemass_length / params.total_mass)",
        "rounding",
    ),
    Planted(
        "cartpole",
        "x = state.x + params.tau * state.x_dot\n",
        "x = (state.x * 50.0 + state.x_dot) * params.tau\n",
        "rounding",
    ),
    # MountainCar
    Planted(
        "mountain_car",
        "state.position >= params.goal_position",
        "state.position > params.goal_position",
        field="terminated",
    ),
    # MountainCarContinuous
    Planted(
        "mountain_car_continuous",
        "jnp.cos(3 * state.position)",
        f"jnp.cos(3 * {TINY} * state.position)",
    ),
    Planted(
        "mountain_car_continuous", "reward = -0.1 * action**2", f"reward = -0.1 * {TINY} * action**2"
    ),
    Planted("mountain_car_continuous", "+ 100 * (", f"+ 100 * {TINY} * ("),
    Planted(
        "mountain_car_continuous",
        "* (velocity >= params.goal_velocity)\n        )\n        reward",
        "* (velocity > params.goal_velocity)\n        )\n        reward",
        field="reward",
    ),
    Planted(
        "mountain_car_continuous",
        "force = jnp.clip(action, params.min_action, params.max_action)",
        "force = action",
        "actions beyond the bounds",
    ),
    Planted(
        "mountain_car_continuous",
        "position = jnp.clip(position, params.min_position, params.max_position)",
        "position = jnp.maximum(position, params.min_position)",
    ),
    Planted("mountain_car_continuous", "- jnp.cos(3", "+ jnp.cos(3"),
    Planted("mountain_car_continuous", "maxval=-0.4", "maxval=-0.5", "reset distribution"),
    Planted(
        "mountain_car_continuous",
        "+ force * params.power\n            - jnp.cos(3 * state.position) * params.gravity",
        "- (jnp.cos(3 * state.position) * params.gravity - params.power * force)",
        "rounding",
    ),
    # Pendulum
    Planted("pendulum", "+ 0.1 * state.theta_dot**2", f"+ 0.1 * {TINY} * state.theta_dot**2"),
    Planted("pendulum", "+ 0.001 * (u**2)", f"+ 0.001 * {TINY} * (u**2)"),
    Planted("pendulum", "+ 3.0 / (params", f"+ 3.0 * {TINY} / (params"),
    Planted(
        "pendulum",
        "newth = state.theta + newthdot * params.dt",
        "newth = state.theta + state.theta_dot * params.dt",
    ),
    Planted(
        "pendulum",
        "u = jnp.clip(action, -params.max_torque, params.max_torque)",
        "u = action * 1.0",
        "actions beyond the bounds",
    ),
    Planted("pendulum", "angle_normalize(state.theta) ** 2", "state.theta ** 2"),
    Planted("pendulum", "max_steps_in_episode: int = 200", "max_steps_in_episode: int = 199"),
    Planted(
        "pendulum",
        "high = jnp.array([jnp.pi, 1])",
        "high = jnp.array([jnp.pi, 2])",
        "reset distribution",
    ),
    Planted("pendulum", "jnp.cos(state.theta),", "jnp.cos(newer := state.theta + 1e-5),"),
    Planted(
        "pendulum",
        "3 * params.g / (2 * params.l) * jnp.sin(state.theta)",
        "jnp.sin(state.theta) / (2 * params.l) * (params.g * 3)",
        "rounding",
    ),
]
