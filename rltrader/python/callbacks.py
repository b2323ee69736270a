"""Callbacks of ``MaskablePPO.learn``: called after every call of the compiled program.

A callback is any function of a :class:`Call`; one that returns True ends the training, which is saved
as if it had come to its end. Nothing of it is traced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.errors import InputError

if TYPE_CHECKING:
    from jax_port.evaluation.validation import Score, Validation
    from jax_port.ppo.policy import Policy
    from jax_port.runs.run import Moment
    from markets import Bars, EnvConfig

Record = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """Where a training stands after a call of the program.

    Attributes:
        moment: as the run tells it.
        rollout_size: transitions of an update.
        total_updates: that the training will make.
    """

    moment: Moment
    rollout_size: int
    total_updates: int

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.moment.updates

    @property
    def steps(self) -> int:
        """Transitions seen so far."""
        return self.updates * self.rollout_size

    @property
    def records(self) -> list[Record]:
        """What each update since the last call did, as in ``log.jsonl``."""
        return self.moment.records

    @property
    def last(self) -> bool:
        """Whether the training is at its end."""
        return self.updates >= self.total_updates

    @cached_property
    def policy(self) -> Policy:
        """The policy as it is now; asking for it copies the weights from the device."""
        return self.moment.policies()[0]


Callback = Callable[[Call], bool | None]


def together(callback: Callback | Sequence[Callback] | None) -> Callback:
    """Return one callback for none, one or several; all are called, and one that says True ends it."""
    each = () if callback is None else callback if isinstance(callback, Sequence) else (callback,)
    for one in each:
        if not callable(one):
            raise InputError(f"callback is {one!r}; give a function of a Call, or a list of such")

    def call(now: Call) -> bool:
        answers = [one(now) for one in each]
        return any(answers)

    return call


class EvaluateEvery:
    """Judge the policy on other bars every so many steps, keep the best, stop when it gets no better.

    Args:
        bars: to judge on, which training must not hold: dates that it has seen are refused, of each
            call of ``learn()`` that it is given to.
        steps: between two judgements; the next call of the program at or after them is judged.
        best: file to write the best policy to, as ``MaskablePPO.save`` does, with how many it was
            chosen from, which an evaluation asks; none by default.
        patience: judgements without a new best after which the training ends; no end by default.
        objective: "pnl", mean dollars of an episode, or "sharpe", of a day.

    Attributes:
        scores: (steps, :class:`jax_port.evaluation.validation.Score`) of each judgement. It goes on
            over several calls of ``learn()``, whose steps begin anew.

    Raises:
        InputError: a number is not positive, or the objective is unknown.
    """

    def __init__(
        self,
        bars: Bars,
        steps: int,
        *,
        best: str | Path | None = None,
        patience: int | None = None,
        objective: str = "pnl",
    ) -> None:
        if steps < 1 or (patience is not None and patience < 1):
            raise InputError(f"steps {steps} and patience {patience}; give numbers above zero")
        if objective not in ("pnl", "sharpe"):
            raise InputError(f"objective is {objective!r}; choose pnl or sharpe")
        self._bars, self._steps, self._patience = bars, steps, patience
        self._best, self._objective = None if best is None else Path(best), objective
        self._validation: Validation | None = None
        self._made_for: tuple[EnvConfig, Any] | None = None
        self._kept: Any = None
        self.scores: list[tuple[int, Score]] = []

    @property
    def best_steps(self) -> int | None:
        """Steps of its ``learn()`` after which the policy was the best; None before any judgement."""
        return self.scores[self._best_at()][0] if self.scores else None

    def __call__(self, now: Call) -> bool:
        """Judge, where it is time."""
        since = now.steps // self._steps
        before = (now.updates - max(1, len(now.records))) * now.rollout_size // self._steps
        if since == before and not now.last:
            return False
        from jax_port.ppo.policy import save_policy

        validation = self._judged_on(now.policy)
        self.scores.append((now.steps, validation.score(now.policy)))
        since_best = len(self.scores) - 1 - self._best_at()
        if self._best is not None:
            if since_best == 0:
                self._kept = now.policy
            # Written at every judgement, since one that is no better counts among those tried too.
            save_policy(self._best, _chosen_from(self._kept, len(self.scores)))
        return self._patience is not None and since_best >= self._patience

    def _best_at(self) -> int:
        """Return which judgement is the best, the first of equals; steps begin anew with learn()."""
        values = [self._value(score) for _, score in self.scores]
        return values.index(max(values))

    def _value(self, score: Score) -> float:
        return score.pnl if self._objective == "pnl" else score.sharpe_day

    def _judged_on(self, policy: Policy) -> Validation:
        """Return the bars, prepared by its rules; refused where its training has seen their dates."""
        made_for = policy.config, policy.about.get("data")
        if self._validation is None or self._made_for != made_for:
            from jax_port.data import held_out
            from jax_port.data.data_loader import prepare
            from jax_port.evaluation.validation import Validation

            config: EnvConfig = policy.config
            market = prepare(self._bars, config)
            rows = held_out.starts_within(market, config, None, None)
            held_out.require_held_out(held_out.relate(market, config, rows, policy.about), market)
            self._validation = Validation(market, config, None, None)
            self._made_for = made_for
        return self._validation


def _chosen_from(policy: Policy, judged: int) -> Policy:
    """Return a policy that says it is the best of so many, beside the agents it was trained with."""
    from jax_port.runs.policies import AGENTS

    return replace(policy, about={**policy.about, AGENTS: judged * policy.about.get(AGENTS, 1)})
