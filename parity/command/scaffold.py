"""Write a first pair to complete: look at both sides' states and match what can be matched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from foundation.errors import InputError
from parity.harness.places import load
from parity.harness.sides.adapters import gymnax_side
from parity.harness.trees import Fields, flatten

STEPS = 60


@dataclass
class Look:
    """What could be seen of a side.

    Attributes:
        kind: "gymnasium", "gymnax" or "state_api".
        numbers: name to values seen, (N, ...), of what looks like state.
    """

    kind: str
    numbers: Fields


def look_at_reference(make: Any) -> Look:
    """Step a Gymnasium environment and return the attributes whose numbers change.

    Raises:
        InputError: it is none.
    """
    env = _made(make)
    if not (hasattr(env, "unwrapped") and hasattr(env, "action_space")):
        raise InputError(
            f"the reference is a {type(env).__name__}, no Gymnasium environment; write the pair by "
            "hand, with Reference.mutable"
        )
    env.reset(seed=0)
    env.action_space.seed(0)
    rows = [_numbers(env.unwrapped)]
    for step in range(STEPS):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        rows.append(_numbers(env.unwrapped))
        if terminated or truncated:
            env.reset(seed=step + 1)
            rows.append(_numbers(env.unwrapped))
    names = set.intersection(*(set(row) for row in rows))
    values: Fields = {}
    for name in sorted(names):
        if len({np.shape(row[name]) for row in rows}) == 1:
            seen = np.stack([np.asarray(row[name]) for row in rows])
            if (seen != seen[0]).any():
                values[name] = seen
    return Look("gymnasium", values)


def _made(make: Any) -> Any:
    """Return what a factory makes.

    Raises:
        InputError: it cannot be called, or raises.
    """
    if not callable(make):
        raise InputError(f"the factory is a {type(make).__name__}; name a function that makes one")
    try:
        return make()
    except Exception as error:  # whatever a foreign factory raises
        raise InputError(f"the factory raises {type(error).__name__}: {error}") from None


def _numbers(env: Any) -> Fields:
    numbers: Fields = {}
    for name, value in vars(env).items():
        if name.startswith("_") or value is None or isinstance(value, str):
            continue
        try:
            array = np.asarray(value)
        except ValueError:
            continue
        if array.dtype.kind in "biuf" and array.size <= 64:
            numbers[name] = array.copy()
    return numbers


def look_at_port(make: Any) -> Look:
    """Return the state fields of a gymnax environment.

    Raises:
        InputError: it is none.
    """
    made = _made(make)
    env = made[0] if isinstance(made, tuple) else made
    if not (hasattr(env, "step_env") and hasattr(env, "default_params")):
        raise InputError(
            f"the port is a {type(env).__name__}, without the methods of a gymnax environment; write "
            "the pair by hand, with Port.functional, Port.state_api or Port.mutable"
        )
    side = gymnax_side(lambda: made)
    seen = side.reset(np.arange(STEPS)).state
    order = flatten(side.make().reset(jax.random.PRNGKey(0))[1])  # as it was declared
    return Look("gymnax", {name: seen[name] for name in order})


def scaffold(reference: str, port: str) -> tuple[str, list[str]]:
    """Return the text of a module that declares a pair, and what is left to do.

    Args:
        reference, port: "module:factory".
    """
    mine = look_at_reference(load(reference, "factory"))
    theirs = look_at_port(load(port, "factory"))
    fields = [name for name in theirs.numbers if name != "time"]
    lines, todo = _reading(mine, fields)
    domains = [f'        "{name}": {_domain(theirs.numbers[name])},' for name in fields]
    if "time" in theirs.numbers:
        domains.append('        "time": integer(0, 99) | near(99),')
        todo.append(
            "set the domain of time to the steps an episode may have taken, its last one aimed at"
        )
    todo.append("widen the domains to every state that an episode can visit, and aim at thresholds")
    (one, make), (two, other) = reference.split(":"), port.split(":")
    text = "\n".join(
        [
            f'"""{make} against {other}; complete what says TODO."""',
            "",
            "import numpy as np",
            f"from {one} import {make} as make_reference",
            f"from {two} import {other} as make_port",
            "",
            "from parity import Pair, Port, Reference, integer, near, real",
            "",
            "",
            *lines,
            "",
            "",
            "pair = Pair(",
            f'    name="{make} and {other}",',
            "    reference=Reference.gymnasium(make_reference, read, write),",
            "    port=Port.gymnax(make_port),",
            "    state={",
            "        # TODO: every state that an episode can visit",
            *domains,
            "    },",
            ")",
            "",
        ]
    )
    return text, todo


def _reading(mine: Look, fields: list[str]) -> tuple[list[str], list[str]]:
    """Return the functions that read and write the reference's state, and what to check of them."""
    by_name = [name for name in fields if name in mine.numbers]
    if fields and len(by_name) == len(fields):
        pairs = ", ".join(f'"{name}": env.{name}' for name in fields)
        puts = [f'    env.{name} = state["{name}"]' for name in fields]
        return [
            "def read(env):",
            f"    return {{{pairs}}}",
            "",
            "",
            "def write(env, state):",
            *puts,
        ], []
    for name, values in mine.numbers.items():
        if values.ndim == 2 and values.shape[1] == len(fields):
            names = ", ".join(f'"{one}"' for one in fields)
            return [
                f"NAMES = ({names})  # TODO: in the order of env.{name}",
                "",
                "",
                "def read(env):",
                f"    return dict(zip(NAMES, env.{name}, strict=True))",
                "",
                "",
                "def write(env, state):",
                f"    env.{name} = np.array([state[name] for name in NAMES])",
            ], [f"see that NAMES has the order of env.{name}"]
    seen = ", ".join(mine.numbers) or "nothing"
    body = ", ".join(f'"{name}": env.TODO' for name in fields)
    return [
        f"# TODO: the port's state has {', '.join(fields)}; of the reference, these change: {seen}",
        "def read(env):",
        f"    return {{{body}}}",
        "",
        "",
        "def write(env, state):",
        "    raise NotImplementedError  # TODO",
    ], ["complete read and write"]


def _domain(values: Any) -> str:
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind == "f":
        return f"real({min(low, -1.0):.3g}, {max(high, 1.0):.3g})"
    return f"integer({int(low)}, {int(high) + 1})"
