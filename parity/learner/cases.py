"""What learners are compared on: settings chosen so that everything that MaskablePPO can do happens.

Source: section 13 of ``docs/learner.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import Bars, EnvConfig
from markets.synthetic.stress import stress_bars
from parity.learner.late import Late

SPREAD = 30.0
"""Factor on a fresh action head, so that logits differ as they do late in training."""

QUIET = 1e-4
"""Factor on a fresh value head, so that its values are as small as rewards are where all is quiet."""

KL_ENDS_ALL = "stopped by target_kl, where a later epoch alone would go on"

LIMIT = 23
"""Bars of an episode at most, where episodes are short."""

SMALL = NetworkSpec((32, 32), (32, 32))
SMOOTH = NetworkSpec((32, 32), (32, 32), "tanh")


@dataclass(frozen=True)
class LearnerCase:
    """One learner to compare.

    Attributes:
        name: for reports.
        settings: as the trainer takes them.
        updates: how many are compared, one after the other.
        config: the environment's rules.
        action_spread, value_spread: factors on the heads of the fresh network.
        late: how late in a run both sides begin; None where they are fresh.
        advice: how the policy is trained with drawn advice, "prior" or "columns"; "" for without.
        must_show: what has to happen in it, by the reference's names; with a seed in which it does not,
            the case says nothing.
    """

    name: str
    settings: TrainSettings
    updates: int
    config: EnvConfig = field(default_factory=lambda: short_episodes())
    action_spread: float = SPREAD
    value_spread: float = 1.0
    late: Late | None = None
    advice: str = ""
    must_show: tuple[str, ...] = ()

    @property
    def bars(self) -> Bars:
        """The market: hostile bars, whose features reach further than ten deviations."""
        return stress_bars("ES", seed=0, days=4)

    def about(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            **asdict(self),
            "settings": self.settings.to_dict(),
            "config": self.config.to_dict(),
        }

    @classmethod
    def from_about(cls, values: Mapping[str, Any]) -> LearnerCase:
        """Rebuild a case from :meth:`about`'s values."""
        return cls(
            **{
                **values,
                "settings": TrainSettings.from_dict(values["settings"]),
                "config": EnvConfig.from_dict(values["config"]),
                "late": None if values.get("late") is None else Late(**values["late"]),
                "must_show": tuple(values["must_show"]),
            }
        )


def short_episodes() -> EnvConfig:
    """Return rules under which episodes soon end in both ways: by a breach, and by the bar limit.

    Phase 2, whose masks leave some actions and forbid others. Two limits make a rollout, so that
    episodes also end on a rollout's last step.
    """
    return EnvConfig.phase2(max_episode_bars=LIMIT, trailing_drawdown_dollars=300.0)


def shortest_episodes() -> EnvConfig:
    """Return rules under which half of all steps are truncated, and a breach is dear.

    The few breaches' rewards are more than ten deviations.
    """
    return EnvConfig.phase1(
        max_episode_bars=2, trailing_drawdown_dollars=700.0, violation_penalty=-100.0
    )


def quiet_rewards() -> EnvConfig:
    """Return rules under which the formulas' epsilons count.

    Rewards are small, and a position is soon opened and long held, during which only one action is
    allowed and the policy has no gradient.
    """
    return EnvConfig.phase1(
        max_episode_bars=40,
        sl_atr_mult=40.0,
        trailing_drawdown_dollars=40_000.0,
        pnl_divisor_dollars=10_000_000.0,
        hold_penalty=-0.000001,
        patience_reward=0.000002,
        violation_penalty=-0.0001,
    )


def learner_cases(seed: int = 0) -> list[LearnerCase]:
    """Return the cases; ``seed`` is that of weights, environments and draws.

    The first two differ only in numbers that are arguments of the compiled program, and run in it side
    by side; their last minibatch is a partial one, and their rates fall after every rollout. The second
    stops within an epoch, and a later epoch's first minibatch alone would not have stopped it. The
    third is the network that users train, where rewards, values and gradients are small. The last has
    so many environments, truncations and transitions a minibatch that the port takes them in chunks;
    its environments have orders in two groups. Where much is computed the network has no corners, of
    which rounding could choose a side.
    """
    shape = TrainSettings(
        n_envs=4,
        n_steps=2 * LIMIT,
        batch_size=50,
        n_epochs=3,
        total_timesteps=1_000,
        anneal=True,
        seed=seed,
        network=SMOOTH,
    )
    clipping = shape.override(
        learning_rate=1e-3,
        gamma=0.97,
        gae_lambda=0.9,
        clip_range=0.03,
        clip_range_vf=0.1,
        ent_coef=0.02,
        vf_coef=0.7,
        max_grad_norm=0.6,
    )
    stopped = shape.override(learning_rate=2e-3, max_grad_norm=5.0, target_kl=0.002)
    quiet = shape.override(
        n_steps=24,
        batch_size=48,
        n_epochs=2,
        ent_coef=0.0,
        max_grad_norm=0.0001,
        anneal=False,
        norm_reward=False,
        network=NetworkSpec(),
    )
    wide = shape.override(
        n_envs=1024,
        n_steps=4,
        batch_size=1100,
        n_epochs=1,
        total_timesteps=20_000,
        ent_coef=0.01,
        order_groups=2,
    )
    return [
        LearnerCase("clipping", clipping, 3),
        LearnerCase("target_kl", stopped, 3, must_show=(KL_ENDS_ALL,)),
        LearnerCase("quiet", quiet, 2, quiet_rewards(), 1.0, QUIET),
        LearnerCase("wide", wide, 1, shortest_episodes(), 4 * SPREAD),
    ]


def small_cases(seed: int = 0) -> list[LearnerCase]:
    """Return the cases with small networks all, for trying many ports."""
    return [
        replace(case, settings=case.settings.override(pi=SMALL.pi, vf=SMALL.vf))
        for case in learner_cases(seed)
    ]
