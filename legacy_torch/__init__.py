"""The reference: the trader's PyTorch system. Importing it registers its environments."""

from gymnasium.envs.registration import register

register(id="RLTrader-Phase1-v0", entry_point="legacy_torch.env_phase1:TradingEnvPhase1")
register(id="RLTrader-Phase2-v0", entry_point="legacy_torch.env_phase2:TradingEnvPhase2")
