"""Write a first pair to complete: look at both sides' states and match what can be matched."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from keyword import iskeyword
from typing import Any

import numpy as np

from foundation.errors import InputError
from parity.command.look import SideFacts, look_at_port, look_at_reference, made
from parity.harness.places import load

WORDS = ("Pair", "Port", "Reference", "integer", "near", "real")
"""Names of the public face that a first pair may need."""


@dataclass
class Draft:
    """What is written of a pair.

    Attributes:
        functions: lines of the functions that read and write, and of others.
        port: lines of the argument ``port``.
        names: fields of the state.
        time: the field that counts steps, "" without one.
        todo: what is left to do.
    """

    functions: list[str] = field(default_factory=list)
    port: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    time: str = ""
    todo: list[str] = field(default_factory=list)


def scaffold(reference: str, port: str) -> tuple[str, list[str]]:
    """Return the text of a module that declares a pair, and what is left to do.

    Args:
        reference, port: "module:factory".

    Raises:
        InputError: a factory cannot be called, or makes something that no first pair can be written of.
    """
    for place in (reference, port):
        odd = [part for part in re.split(r"[.:]", place) if not part.isidentifier() or iskeyword(part)]
        if odd and place.count(":") == 1:
            raise InputError(
                f"{place}: no line of Python imports {odd[0]!r}; rename the module or factory"
            )
    make_reference = load(reference, "factory")
    mine = look_at_reference(make_reference)
    space = made(make_reference).action_space
    space.seed(1)
    theirs = look_at_port(load(port, "factory"), space.sample)
    pure = theirs.kind in ("gymnax", "functional")
    draft = _of_functions(mine, theirs) if pure else _of_object(mine, theirs)
    draft.todo.append(
        "widen the domains to every state that an episode can visit, and aim at thresholds"
    )
    (one, make), (two, other) = reference.split(":"), port.split(":")
    domains = [f'        "{name}": {_domain(theirs.numbers[name])},' for name in draft.names]
    if draft.time:
        domains.append(_time(mine, draft))
    time = "" if draft.time or mine.limit is None else ", time=None"
    body = [
        *draft.functions,
        "",
        "",
        "pair = Pair(",
        f'    name="{make} and {other}",',
        f"    reference=Reference.gymnasium(make_reference, read, write{time}),",
        *draft.port,
        "    state={",
        "        # TODO: every state that an episode can visit",
        *domains,
        "    },",
        ")",
        "",
    ]
    used = [word for word in WORDS if any(f"{word}(" in line or f"{word}." in line for line in body)]
    head = [
        f'"""{make} against {other}; complete what says TODO."""',
        "",
        *(["import numpy as np"] if any("np." in line for line in body) else []),
        f"from {one} import {make} as make_reference",
        f"from {two} import {other} as make_port",
        "",
        f"from parity import {', '.join(used)}",
        "",
        "",
    ]
    return "\n".join(head + body), draft.todo


def _of_functions(mine: SideFacts, theirs: SideFacts) -> Draft:
    """Return what is written of a port that is pure functions: every field of its state but keys."""
    left = [name for name in theirs.keys if name not in mine.numbers]
    named = "".join(f'"{name}", ' for name in left).rstrip(" " if len(left) == 1 else ", ")
    without = f", leave_out=({named})" if left else ""
    draft = Draft(port=[f"    port=Port.{theirs.kind}(make_port{without}),"])
    if left:
        draft.todo.append(
            f"see that the port's {', '.join(left)}, left out of the state, is a key of random numbers"
        )
    if theirs.refusal:
        draft.todo.append(
            f"give the port a convert_action: its step raises {theirs.refusal}, with an action of the "
            "reference; the domains are of resets alone"
        )
    draft.names = [name for name in theirs.numbers if name != "time" and name not in left]
    draft.time = "time" if "time" in theirs.numbers else ""
    draft.functions = _reading(mine, draft)
    return draft


def _time(mine: SideFacts, draft: Draft) -> str:
    """Return the domain of the steps taken."""
    last = 99 if mine.limit is None else mine.limit - 1
    if mine.limit is None:
        draft.todo.append(
            "set the domain of time to the steps an episode may have taken, its last one aimed at"
        )
    return f'        "time": integer(0, {last}) | near({last}),'


def _of_object(mine: SideFacts, theirs: SideFacts) -> Draft:
    """Return what is written of a port that is an object which is stepped: the fields of its state that
    the reference has too, or whose number is that of an array of the reference."""
    draft, fields = Draft(), theirs.numbers
    counter = theirs.counter if mine.limit is not None and theirs.counter not in mine.numbers else ""
    others = [name for name in fields if name != counter]
    draft.names = [name for name in others if _alike(mine, theirs, name)]
    if not draft.names or (len(draft.names) < len(others) and _array_of(mine, others) is not None):
        draft.names = others
    draft.time = "time" if counter or (theirs.kind == "gymnasium" and theirs.limit) else ""
    draft.functions = _reading(mine, draft)
    left = [name for name in others if name not in draft.names]
    lacks = [name for name in mine.numbers if name not in draft.names and _known(mine, draft, name)]
    if left:
        text = f"the port's {', '.join(left)} change too: read them as well if a step depends on them"
        draft.todo.append(text)
    if lacks:
        text = f"the reference's {', '.join(lacks)} change too: read them if a step depends on them"
        draft.todo.append(text)
    if mine.limit is not None and not draft.time:
        draft.todo.append(
            f"the reference ends an episode after {mine.limit} steps; no number of the port counts "
            "them: without it, truncation is not compared (time=None)"
        )
    if theirs.kind == "gymnasium":
        draft.functions += ["", "", *_port_functions(theirs, draft, "")]
        time = "" if draft.time or theirs.limit is None else ", time=None"
        draft.port = [f"    port=Port.gymnasium(make_port, read_port, write_port{time}),"]
        return draft
    draft.functions += ["", "", *_port_functions(theirs, draft, counter)]
    draft.port = _mutable(theirs)
    if theirs.values < 5:
        draft.todo.append("say in step_port which ends are a time limit's: they are truncated")
    if not theirs.before and "seed" not in theirs.reset:
        draft.todo.append("let reset_port use its seed: the port's reset takes none")
    return draft


def _alike(mine: SideFacts, theirs: SideFacts, name: str) -> bool:
    """Say whether a number of the port is one of the reference's by name and shape."""
    return name in mine.numbers and mine.numbers[name].shape[1:] == theirs.numbers[name].shape[1:]


def _known(mine: SideFacts, draft: Draft, name: str) -> bool:
    """Say whether a number of the reference is not read as an array of all fields."""
    return not (mine.numbers[name].ndim == 2 and mine.numbers[name].shape[1] == len(draft.names))


def _port_functions(theirs: SideFacts, draft: Draft, counter: str) -> list[str]:
    """Return the functions that read and write an object, and those by which it is driven."""
    sources = {name: name for name in draft.names}
    if draft.time and counter:
        sources["time"] = counter
    inner = "port.unwrapped" if theirs.kind == "gymnasium" else "port"
    at = {name: f"port.{theirs.paths.get(path, path)}" for name, path in sources.items()}
    pairs = ", ".join(f'"{name}": {path}' for name, path in at.items())
    lines = [
        "def read_port(port):",
        f"    return {{{pairs}}}",
        "",
        "",
        "def write_port(port, state):",
    ]
    for name, path in at.items():
        value = f'state["{name}"]'
        kind = theirs.types.get(
            sources[name], "array" if theirs.numbers[sources[name]].ndim > 1 else ""
        )
        value = f"{value}.copy()" if kind == "array" else f"{kind}({value})" if kind else value
        lines.append(f"    {path} = {value}")
    if not at:
        lines.append("    raise NotImplementedError  # TODO: no number of the port is seen to change")
        draft.todo.append("complete read_port and write_port: no number of the port is seen to change")
    if inner != "port":
        return lines
    lines += ["", "", "def reset_port(port, seed):"]
    lines += [f"    {theirs.before}"] if theirs.before else []
    lines += [f"    return {theirs.reset}"]
    if theirs.values < 5:
        names = ("obs", "reward", "ended", "info")[: theirs.values]
        info = "info" if theirs.values == 4 else "{}"
        lines += [
            "",
            "",
            "def step_port(port, action):",
            f"    {', '.join(names)} = port.step(action)",
            f"    return obs, reward, ended, False, {info}  # TODO: is it truncated?",
        ]
    if theirs.generator:
        lines += [
            "",
            "",
            "def reseed_port(port, seed):",
            f"    port.{theirs.generator} = np.random.default_rng(seed)",
        ]
    return lines


def _mutable(theirs: SideFacts) -> list[str]:
    """Return the argument ``port`` for an object."""
    step = "step_port" if theirs.values < 5 else "lambda port, action: port.step(action)"
    lines = [
        "    port=Port.mutable(",
        "        make=make_port,",
        "        read=read_port,",
        "        write=write_port,",
        "        reset_one=reset_port,",
        f"        step_one={step},",
    ]
    if theirs.generator:
        lines.append("        reseed=reseed_port,")
    for name in ("action_space", "observation_space"):
        if getattr(theirs, name):
            lines.append(f"        {name}=lambda port: port.{name},")
    return [*lines, "    ),"]


def _array_of(mine: SideFacts, names: list[str]) -> str | None:
    """Return the reference's array that has one number for each name."""
    arrays = (n for n, v in mine.numbers.items() if v.ndim == 2 and v.shape[1] == len(names))
    return next(arrays, None)


def _reading(mine: SideFacts, draft: Draft) -> list[str]:
    """Return the functions that read and write the reference's state, and note what to check."""
    names = draft.names
    if names and all(name in mine.numbers for name in names):
        at = {name: f"env.{mine.paths.get(name, name)}" for name in names}
        pairs = ", ".join(f'"{name}": {path}' for name, path in at.items())
        puts = [_put(mine, name, path) for name, path in at.items()]
        return [
            "def read(env):",
            f"    return {{{pairs}}}",
            "",
            "",
            "def write(env, state):",
            *puts,
        ]
    array = _array_of(mine, names)
    if array is not None:
        array = mine.paths.get(array, array)
        draft.todo.append(f"see that NAMES has the order of env.{array}")
        every = ", ".join(f'"{name}"' for name in names)
        return [
            f"NAMES = ({every}{',' if len(names) == 1 else ''})  # TODO: in the order of env.{array}",
            "",
            "",
            "def read(env):",
            f"    return dict(zip(NAMES, env.{array}, strict=True))",
            "",
            "",
            "def write(env, state):",
            f"    env.{array} = np.array([state[name] for name in NAMES])",
        ]
    draft.todo.append("complete read and write")
    seen = ", ".join(mine.numbers) or "nothing"
    at = {name: f"env.{mine.paths.get(name, name)}" for name in names if name in mine.numbers}
    body = ", ".join(f'"{name}": {at.get(name, "env.TODO")}' for name in names)
    puts = [_put(mine, name, path) for name, path in at.items()]
    left = ", ".join(name for name in names if name not in at)
    return [
        f"# TODO: the port's state has {', '.join(names) or 'nothing that is seen to change'}; of the "
        f"reference, these change: {seen}",
        "def read(env):",
        f"    return {{{body}}}",
        "",
        "",
        "def write(env, state):",
        *puts,
        f"    raise NotImplementedError  # TODO{f': {left}' if left else ''}",
    ]


def _put(mine: SideFacts, name: str, path: str) -> str:
    """Return the line that puts a field of the state into the reference."""
    return f'    {path} = state["{name}"]{".copy()" if mine.numbers[name].ndim > 1 else ""}'


def _domain(values: Any) -> str:
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)].astype(np.float64)
        low, high = float(finite.min(initial=-1)), float(finite.max(initial=1))
        return f"real({_outwards(low, -1)}, {_outwards(high, 1)})"
    if values.dtype == np.bool_:
        return "integer(0, 1)"
    most = min(int(values.max()) + 1, int(np.iinfo(values.dtype).max))
    return f"integer({int(values.min())}, {most})"


def _outwards(end: float, least: int) -> str:
    """Return an end of a domain in three figures: beyond what was seen, and at least ``least``."""
    size = Decimal(end) * least
    if size <= 1:
        return str(least)
    step = Decimal(10) ** (size.adjusted() - 2)
    ended = (size / step).to_integral_value(ROUND_CEILING) * step * least
    return f"{ended.normalize():f}" if size < 10**15 else f"{ended:.2e}"
