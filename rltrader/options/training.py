"""The options of ``rltrader train`` that set the learner, generated from its declared settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from foundation.command_line.numbers import Number
from jax_port.ppo.optimizer.hyperparameters import (
    ACTIVATION,
    HIDDEN,
    HYPERPARAMETERS,
    PRECISION,
    SEED,
    Hyperparameter,
)

SHORT = {"total_timesteps": "steps", "n_envs": "envs", "n_epochs": "epochs"}
"""Settings whose option has another name than the setting's own with dashes."""
OTHERS = (
    ("seed", int, "Of the first agent.", SEED),
    ("precision", str, "Of products.", PRECISION),
)
"""Settings of the trainer that are no hyperparameters: name, type, help and default."""
TYPES = {"count": int, "number": Number()}

Command = Callable[..., None]


def settings_options(command: Command) -> Command:
    """Add an option for each setting of the learner, and --pi and --vf for the sizes of its network.

    Left out, the setting's own default holds.
    """
    for add in reversed(_options()):
        command = add(command)
    return command


def chosen_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings that a command line gives, by name."""
    names = {one.name for one in HYPERPARAMETERS} | {name for name, *_ in OTHERS} | {"activation"}
    return {name: given[name] for name in names & set(given) if given[name] is not None}


def _options() -> list[Callable[[Command], Command]]:
    others = [_valued(*other) for other in OTHERS]
    activation = _valued("activation", str, "Of hidden layers.", ACTIVATION)
    return [*_sizes(), *(_option(one) for one in HYPERPARAMETERS), *others, activation]


def _sizes() -> list[Callable[[Command], Command]]:
    return [
        _valued(name, str, f"Hidden sizes of the {what}.", ",".join(map(str, HIDDEN)))
        for name, what in (("pi", "policy"), ("vf", "value"))
    ]


def _option(one: Hyperparameter) -> Callable[[Command], Command]:
    if one.kind != "switch":
        return _valued(one.name, TYPES[one.kind], one.help, one.default)
    value = not one.default
    flag = f"--no-{_dashed(one.name)}" if one.default else f"--{_dashed(one.name)}"
    text = one.help if value else f"Set {one.name} to {value}."
    return click.option(flag, one.name, flag_value=value, type=bool, default=None, help=text)


def _valued(name: str, kind: Any, text: str, default: Any) -> Callable[[Command], Command]:
    shown = "none" if default is None else default
    return click.option(f"--{_dashed(name)}", name, type=kind, help=f"{text}  [default: {shown}]")


def _dashed(name: str) -> str:
    return SHORT.get(name, name.replace("_", "-"))
