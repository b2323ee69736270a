"""The bars and the rules of an environment that an agent is given in place of bars."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from foundation.errors import InputError
from markets.bars import Bars
from markets.config import EnvConfig

GIVE = (
    "give bars, as markets.readers.read_bars returns them, a list of such bars, or an environment of "
    "this project: gym.make('legacy_torch:RLTrader-Phase1-v0', bars=bars) or "
    "jax_port.TradingPhase1.from_bars(bars)"
)


def bars_and_rules(given: Any) -> tuple[tuple[Bars, ...], EnvConfig | None]:
    """Return the bars to train on, and the rules where an environment brings its own, else None.

    Args:
        given: bars, several of them, ``legacy_torch``'s Gymnasium environment, with or without
            wrappers, or ``jax_port.envs.gymnax_api``'s that was made from bars.

    Raises:
        InputError: it is something else, or an environment that does not hold its bars.
    """
    if isinstance(given, Bars):
        return (given,), None
    if (env := _gymnasium(given)) is not None:
        return (env.bars,), env.config
    if (env := _gymnax(given)) is not None:
        if not env.bars:
            raise InputError(
                f"this {type(env).__name__} was made from parameters alone, which hold no bars to "
                f"train on; make it with {type(env).__name__}.from_bars(bars, config), or give the bars"
            )
        return env.bars, env.config
    if isinstance(given, Sequence) and all(isinstance(one, Bars) for one in given):
        return tuple(given), None
    raise InputError(f"an agent can't be trained on {_named(given)}; {GIVE}")


def _gymnasium(given: Any) -> Any:
    """Return the reference's environment under any wrappers, or None; loads nothing to see."""
    module = sys.modules.get("legacy_torch.env_phase1")
    env = getattr(given, "unwrapped", given)
    return env if module is not None and isinstance(env, module.TradingEnvPhase1) else None


def _gymnax(given: Any) -> Any:
    """Return the port's environment for gymnax, or None; loads nothing to see."""
    module = sys.modules.get("jax_port.envs.gymnax_api")
    if module is None:
        return None
    env = given.environment if isinstance(given, module.FiveValueStep) else given
    return env if isinstance(env, module.TradingPhase1) else None


def _named(given: Any) -> str:
    if isinstance(given, str):
        return f"the text {given[:60]!r}"
    if isinstance(given, Sequence):
        other = next(one for one in given if not isinstance(one, Bars))
        return f"a {type(given).__name__} that holds {type(other).__name__}"
    return f"a {type(given).__module__}.{type(given).__qualname__}"
