"""The environment that a command line asks for with ``--phase`` and ``--set``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from foundation.errors import InputError
from foundation.json_reading import Artifact, decode_json

if TYPE_CHECKING:
    from markets.config import EnvConfig

ANY = Artifact("JSON", "")


def environment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add --phase, and --set as ``overrides``, which :func:`environment` reads."""
    setting = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_over_the_file,
        help="Environment setting.",
    )
    phase = click.option("--phase", type=click.Choice(["1", "2"]), default="1", show_default=True)
    return phase(setting(command))


def _over_the_file(
    context: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what a configuration file sets, and after it what was given, which holds rule by rule."""
    name = str(option.name)
    if context.get_parameter_source(name) is click.core.ParameterSource.DEFAULT_MAP:
        return given
    return (*(context.default_map or {}).get(name, ()), *given)


def environment(phase: str, overrides: Sequence[str]) -> EnvConfig:
    """Return a phase's rules with some of them replaced.

    Args:
        phase: "1" or "2".
        overrides: NAME=VALUE texts; values are read as JSON where they are JSON.

    Raises:
        InputError: a text is no NAME=VALUE, a name is unknown or a value is not valid.
    """
    from markets.config import EnvConfig

    values: dict[str, Any] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: give NAME=VALUE, such as max_episode_bars=120")
        try:
            values[name] = decode_json(value, object, ANY, where=text)
        except InputError:
            values[name] = value  # a word
    return (EnvConfig.phase2() if phase == "2" else EnvConfig.phase1()).override(**values)
