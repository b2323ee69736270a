"""What both sides are given: contracts, configuration, the clock, bars. No stepping, no features."""

from markets.bars import Bars
from markets.config import AccountRules, EnvConfig, RewardConfig
from markets.contracts import SYMBOLS, Contract, get_contract, register_contract
from markets.errors import InputError

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
