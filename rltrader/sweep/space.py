"""The ``[search]`` table of a configuration file: which settings are searched, and between what.

learning_rate = { low = 1e-5, high = 1e-2, log = true }
n_steps = { low = 64, high = 256, step = 64 }
pi = [[64, 64], [256, 256]]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from foundation.errors import InputError
from foundation.toml_files import toml
from jax_port.ppo.settings import BY_NAME, NetworkSpec
from rltrader.lazy_group import name_of
from rltrader.options import config_file
from rltrader.options.train_plan import hidden_sizes

FIXED = ("total_timesteps", "seed")
"""Settings that are the same in every trial: what it may cost, and which seeds."""
SHAPES = ("pi", "vf", "activation")
PARTS = {"low", "high", "step", "log"}

Space = dict[str, BaseDistribution]
"""By the name that the command's options have."""


def read_space(table: Mapping[str, Any], command: click.Command, path: Path) -> Space:
    """Return the search space of a table.

    Args:
        table: a setting's name, as the configuration file has it, to what may be chosen.
        command: whose options they are.
        path: the file, for messages.

    Raises:
        InputError: a name is no setting that can be searched, or a range is not valid.
    """
    if not table:
        raise InputError(
            f"{path}: nothing to search; give a table such as [search] with a line "
            "learning_rate = { low = 1e-5, high = 1e-2, log = true }"
        )
    known = {
        name: param
        for name, param in config_file.names(command).items()
        if param.name in {*BY_NAME, *SHAPES} - {*FIXED}
    }
    space: Space = {}
    for name, asked in table.items():
        param = known.get(name.replace("-", "_"))
        if param is None:
            raise InputError(
                f"{path}: [search] {name} cannot be searched; choose from {', '.join(known)}"
            )
        assert param.name is not None
        if param.name in space:
            raise InputError(
                f"{path}: [search] {name_of(param)} stands here twice, with a dash and without; leave "
                "one out"
            )
        space[param.name] = _distribution(f"{path}: [search] {name}", param.name, asked)
    return space


def _distribution(place: str, setting: str, asked: Any) -> BaseDistribution:
    if isinstance(asked, list):
        return _choices(place, setting, asked)
    if not isinstance(asked, Mapping) or not {"low", "high"} <= set(asked) <= PARTS:
        raise InputError(
            f"{place} is {toml(asked)}; give a list of choices, or {{ low = ..., high = ... }} with "
            "log = true or a step"
        )
    kind = BY_NAME[setting].kind if setting in BY_NAME else "none"
    if kind not in ("count", "number"):
        raise InputError(f"{place}: is no number; give a list of choices")
    for part in ("low", "high"):
        _check(place, setting, asked[part])
    if not isinstance(asked.get("log", False), bool):
        raise InputError(f"{place}: log is {toml(asked['log'])}; give true or false")
    if "step" in asked:
        _check_step(place, kind, asked["step"])
    make = IntDistribution if kind == "count" else FloatDistribution
    try:
        return make(**asked)
    except (ValueError, TypeError) as error:
        raise InputError(f"{place}: {error}") from None


def _choices(place: str, setting: str, asked: list[Any]) -> BaseDistribution:
    if not asked:
        raise InputError(f"{place} is an empty list; give the choices")
    if setting in ("pi", "vf") and any(isinstance(one, int) for one in asked):
        # The same text as an option is one network of several layers.
        raise InputError(
            f"{place} is {toml(asked)}; give the sizes of each network in brackets of their own, such "
            "as [[64, 128], [256]]"
        )
    choices = [_choice(place, setting, one) for one in asked]
    if len(set(choices)) < len(choices):
        raise InputError(f"{place}: a choice is there twice; leave one out")
    return CategoricalDistribution(choices)


def _choice(place: str, setting: str, value: Any) -> Any:
    """Return a choice as the command line has it: sizes such as [64, 64] as a text."""
    if setting not in ("pi", "vf"):
        _check(place, setting, value)
        return value
    text = ",".join(map(str, value)) if isinstance(value, list) else value
    _check(place, setting, text)
    return ",".join(map(str, hidden_sizes(setting, text)))


def _check_step(place: str, kind: str, step: Any) -> None:
    number = int if kind == "count" else (int, float)
    if isinstance(step, bool) or not isinstance(step, number) or not 0 < step < math.inf:
        needed = "a whole number" if kind == "count" else "a number"
        raise InputError(f"{place}: step is {toml(step)}; give {needed} above zero")


def _check(place: str, setting: str, value: Any) -> None:
    is_switch = setting in BY_NAME and BY_NAME[setting].kind == "switch"
    if not isinstance(value, str | int | float) or (isinstance(value, bool) and not is_switch):
        needed = "true or false" if is_switch else "a number or a text"
        raise InputError(f"{place} is {toml(value)}; give {needed}")
    try:
        if setting in ("pi", "vf"):
            NetworkSpec(pi=hidden_sizes(setting, str(value)))
        elif setting == "activation":
            NetworkSpec(activation=str(value))
        else:
            BY_NAME[setting].check(value)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
