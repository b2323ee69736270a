"""The options of ``rltrader train`` that set the learner, generated from its settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

from jax_port.ppo.settings import NetworkSpec, TrainSettings

SHORT = {"total_timesteps": "steps", "n_envs": "envs", "n_epochs": "epochs"}
"""Settings whose option has another name than the setting's own with dashes."""

Command = Callable[..., None]


def settings_options(command: Command) -> Command:
    """Add an option for each setting of the learner; left out, the setting's own default holds."""
    for add in reversed(_options()):
        command = add(command)
    return command


def chosen_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those settings that a command line gives, by name."""
    names = {item.name for item in fields(TrainSettings)} | {"activation"}
    return {name: given[name] for name in names & set(given) if given[name] is not None}


def _options() -> list[Callable[[Command], Command]]:
    hints = get_type_hints(TrainSettings)
    options = [_option(item, hints[item.name]) for item in fields(TrainSettings)]
    text = f"[default: {NetworkSpec().activation}]"
    activation = click.option("--activation", help=text)
    return [option for option in options if option is not None] + [activation]


def _option(item: Field[Any], hint: Any) -> Callable[[Command], Command] | None:
    """Return the option of a setting, or None for one that has options of its own."""
    dashed = SHORT.get(item.name, item.name.replace("_", "-"))
    if hint is bool:
        flag = f"--no-{dashed}" if item.default else f"--{dashed}"
        value = not item.default
        return click.option(
            flag,
            item.name,
            flag_value=value,
            type=bool,
            default=None,
            help=f"Set {item.name} to {value}.",
        )
    kind = _type(hint)
    if kind is None or item.default is MISSING:
        return None
    shown = "none" if item.default is None else item.default
    return click.option(f"--{dashed}", item.name, type=kind, help=f"[default: {shown}]")


def _type(hint: Any) -> Any:
    """Return click's type of a setting's, or None where one option cannot hold it."""
    if get_origin(hint) is Literal:
        return str
    if isinstance(hint, UnionType):
        (hint,) = (kind for kind in get_args(hint) if kind is not type(None))
    return hint if hint in (int, float, str) else None
