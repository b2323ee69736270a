"""The port: the trading environments and MaskablePPO as pure functions in JAX.

The names here are what a user of the library needs; each is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jax_port.data.data_loader import MarketData, load, stack
    from jax_port.envs.batch import batch_action_masks, batch_reset, batch_step, make_params
    from jax_port.envs.gymnax_api import TradingPhase1, TradingPhase2
    from jax_port.envs.state import EnvParams, EnvState
    from jax_port.evaluation.evaluate import evaluate
    from jax_port.export.bundle import export as export_bundle
    from jax_port.ppo.policy import load_policy
    from jax_port.ppo.settings import TrainSettings
    from jax_port.ppo.train_ppo_jax import make_train

__all__ = [
    "EnvParams",
    "EnvState",
    "MarketData",
    "TradingPhase1",
    "TradingPhase2",
    "TrainSettings",
    "batch_action_masks",
    "batch_reset",
    "batch_step",
    "evaluate",
    "export_bundle",
    "load",
    "load_policy",
    "make_params",
    "make_train",
    "stack",
]

_PLACES = {
    "EnvParams": "jax_port.envs.state:EnvParams",
    "EnvState": "jax_port.envs.state:EnvState",
    "MarketData": "jax_port.data.data_loader:MarketData",
    "TradingPhase1": "jax_port.envs.gymnax_api:TradingPhase1",
    "TradingPhase2": "jax_port.envs.gymnax_api:TradingPhase2",
    "TrainSettings": "jax_port.ppo.settings:TrainSettings",
    "batch_action_masks": "jax_port.envs.batch:batch_action_masks",
    "batch_reset": "jax_port.envs.batch:batch_reset",
    "batch_step": "jax_port.envs.batch:batch_step",
    "evaluate": "jax_port.evaluation.evaluate:evaluate",
    "export_bundle": "jax_port.export.bundle:export",
    "load": "jax_port.data.data_loader:load",
    "load_policy": "jax_port.ppo.policy:load_policy",
    "make_params": "jax_port.envs.batch:make_params",
    "make_train": "jax_port.ppo.train_ppo_jax:make_train",
    "stack": "jax_port.data.data_loader:stack",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, and what the module holds otherwise."""
    return sorted({*globals(), *__all__})
