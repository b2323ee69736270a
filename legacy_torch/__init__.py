"""The reference: the trader's PyTorch system. Importing it registers its environments.

``gymnasium.make("legacy_torch:RLTrader-Phase1-v0", bars=bars)`` imports it by itself; ``bars`` is
a market as :func:`markets.readers.read_bars` returns it.
"""

from gymnasium.envs.registration import register

register(id="RLTrader-Phase1-v0", entry_point="legacy_torch.env_phase1:TradingEnvPhase1")
register(id="RLTrader-Phase2-v0", entry_point="legacy_torch.env_phase2:TradingEnvPhase2")
