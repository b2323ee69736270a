"""The environment of each phase, by its number."""

from __future__ import annotations

from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2

ENVIRONMENTS: dict[int, type[TradingEnvPhase1]] = {1: TradingEnvPhase1, 2: TradingEnvPhase2}
