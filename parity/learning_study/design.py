"""What the learning study compares, fixed before its first seed was trained.

Both arms train the same network with the same numbers on the same small market with a planted edge.
A change of anything here makes another study: rows of one are refused by the other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import Bars, EnvConfig, InputError
from markets.synthetic.pattern import pattern_bars

ARMS = ("sb3", "jax")
"""MaskablePPO on the reference, and the port's trainer on the port."""

FORMAT = 1
"""Of a row, and of what the numbers in it mean."""

CURVE = "sum of a rollout's raw rewards x 100 / its steps, one number a rollout"
"""The learning curve: mean raw reward per 100 environment steps, before any normalising or clipping.

Its mean over all rollouts is the area under it, the number that is compared. Every step counts once, so
it doesn't matter where episodes end.
"""

PER_STEPS = 100


@dataclass(frozen=True)
class Design:
    """A study.

    Attributes:
        days, market_seed, strength: of the ES pattern market.
        config: rules of the environment.
        settings: of the learner, by MaskablePPO's names; ``seed`` is replaced by each row's.
        seeds: of each arm, numbered from 0. The verdict waits for all of them.
        margin_share: differences up to this share of the spread between a random and a good policy
            count as none.
        alpha: of each of the two one-sided tests.
        power: that the number of seeds was to give at least, were the true difference half the margin.
        pilot_sd: standard deviation of the area over seeds, from a pilot with other seeds.
        pilot_margin: the margin as the pilot measured it, in the curve's unit.
        yardstick_envs, yardstick_steps, yardstick_seed: how random and good policy are measured.
    """

    days: int = 250
    market_seed: int = 1
    strength: float = 2.0
    config: EnvConfig = field(default_factory=lambda: EnvConfig.phase1(max_episode_bars=120))
    settings: TrainSettings = field(
        default_factory=lambda: TrainSettings(
            n_envs=32,
            n_steps=128,
            batch_size=512,
            n_epochs=6,
            total_timesteps=65_536,
            learning_rate=1e-3,
            network=NetworkSpec((32, 32), (32, 32), "relu"),
        )
    )
    seeds: int = 45
    margin_share: float = 0.05
    alpha: float = 0.05
    power: float = 0.8
    pilot_sd: float = 0.145
    pilot_margin: float = 0.155
    yardstick_envs: int = 512
    yardstick_steps: int = 2_000
    yardstick_seed: int = 0

    def __post_init__(self) -> None:
        if self.settings.anneal or self.settings.precision != "float32":
            raise InputError(
                "a study trains at constant rates and in float32; set anneal False, precision float32"
            )
        if self.seeds < 2:
            raise InputError(f"seeds is {self.seeds}; a standard deviation needs at least 2")

    def bars(self) -> Bars:
        """Return the market."""
        return pattern_bars("ES", days=self.days, seed=self.market_seed, strength=self.strength)

    def to_dict(self) -> dict[str, Any]:
        """Return nested plain values, ready for JSON."""
        return {"format": FORMAT, "curve": CURVE, **asdict(self)}

    @property
    def digest(self) -> str:
        """SHA-256 of all the above, in hexadecimal."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


DESIGN = Design()
"""The study of ``nox -s parity_learning``."""
