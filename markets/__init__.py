"""What both sides are given: contracts, configuration, the clock, bars. No stepping, no features."""

from typing import TYPE_CHECKING, Any

from foundation.errors import InputError
from markets.config import AccountRules, EnvConfig, RewardConfig
from markets.contracts import SYMBOLS, Contract, get_contract, register_contract

if TYPE_CHECKING:
    from markets.bars import Bars

__all__ = [
    "SYMBOLS",
    "AccountRules",
    "Bars",
    "Contract",
    "EnvConfig",
    "InputError",
    "RewardConfig",
    "get_contract",
    "register_contract",
]


def __getattr__(name: str) -> Any:
    """Import the class of bars, and pandas with it, when it is first asked for."""
    if name != "Bars":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from markets.bars import Bars

    globals()["Bars"] = Bars
    return Bars
