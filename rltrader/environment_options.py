"""The environment that a command line asks for with ``--phase`` and ``--set``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markets import EnvConfig, InputError


def environment(phase: str, overrides: Sequence[str]) -> EnvConfig:
    """Return a phase's rules with some of them replaced.

    Args:
        phase: "1" or "2".
        overrides: NAME=VALUE texts; values are read as JSON where they are JSON.

    Raises:
        InputError: a text is no NAME=VALUE, a name is unknown or a value is not valid.
    """
    found: dict[str, Any] = {}
    for text in overrides:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: give NAME=VALUE, such as max_episode_bars=120")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return (EnvConfig.phase2() if phase == "2" else EnvConfig.phase1()).override(**found)
