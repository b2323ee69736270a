"""Many environments at once, of whichever phase the configuration or the parameters are of.

The same functions take a phase of their own in :mod:`jax_port.envs.env_phase1_jax`; here it is read off
the parameters, so that parameters of Phase 2 are never stepped by the rules of Phase 1.
"""

from __future__ import annotations

import jax

from jax_port.data.data_loader import MarketData
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.phase import Transition
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState
from markets import EnvConfig


def make_params(market: MarketData, config: EnvConfig) -> EnvParams:
    """Return the parameters of a configuration's environments on these markets, on the device.

    Args:
        market: from :func:`jax_port.data.data_loader.stack`, prepared with the same configuration.
        config: rules of the environment; its phase decides.
    """
    return phase_of(config).make_params(market, config)


def batch_reset(key: jax.Array, params: EnvParams, num_envs: int) -> tuple[jax.Array, EnvState]:
    """Start ``num_envs`` episodes at random; see :func:`jax_port.envs.env_phase1_jax.batch_reset`.

    Returns:
        Observations float32 (N, D) and states with leaves (N, ...).
    """
    return env.batch_reset(key, params, num_envs, phase_of(params))


def batch_step(key: jax.Array, state: EnvState, action: jax.Array, params: EnvParams) -> Transition:
    """Step every environment once, and start those anew whose episode ended.

    Args:
        key: for the new episodes' starts.
        state: leaves (N, ...).
        action: int32 (N,).
        params: the environments'.
    """
    return env.batch_step(key, state, action, params, phase_of(params))


def batch_action_masks(state: EnvState, params: EnvParams) -> jax.Array:
    """Return which actions are allowed in each environment: bool (N, A)."""
    return env.batch_action_masks(state, params, phase_of(params))
