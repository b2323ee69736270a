"""What both sides are given: contracts, configuration, the clock, bars. No stepping, no features."""

from foundation.errors import InputError
from markets.bars import Bars
from markets.config import AccountRules, EnvConfig, RewardConfig
from markets.contracts import SYMBOLS, Contract, get_contract, register_contract

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
