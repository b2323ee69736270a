"""From a policy that was played to its report: tear sheet, evaluation accounts and all numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from foundation.json_reading import Artifact, Struct
from jax_port.data.data_loader import PreparedMarket
from jax_port.data.held_out import Relation
from jax_port.evaluation.advice.advised import Advised
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.intrabar import Verdicts
from jax_port.evaluation.metrics import cents, daily
from jax_port.evaluation.prop_firm.chances import Chances, chances, check_days
from jax_port.evaluation.prop_firm.day_paths import day_paths
from jax_port.evaluation.prop_firm.rules import Rules
from jax_port.evaluation.report import to_values
from jax_port.evaluation.sheet.baselines import play_baselines
from jax_port.evaluation.sheet.tear_sheet import TearSheet, tear_sheet
from jax_port.evaluation.sweep_account import MEND, read_account
from jax_port.ppo.policy import Policy
from jax_port.runs.policies import AGENTS, read_finished
from markets.advice.schedule import AdviceOnBars

MICROS = 10
"""Micros that count as one contract of full size."""


@dataclass(frozen=True)
class Played:
    """A policy, its bars, and what it did on them.

    Attributes:
        policy, policy_path: the policy and its file.
        market, data_path: the bars and their file.
        relation: how the range stands to the training data.
        asked: the dates that were asked for.
        took: seconds that the episodes took.
        result: the evaluation by the minute.
        rows: bars that were started at.
        both, seconds_path: both verdicts and the file of one-second bars, where one was given.
        advised, advice_path: what the policy was fused with, and its table, where one was given.
        laid: the table's answers on the bars.
        others: policies of other seeds that the fusion is compared with beside it.
    """

    policy: Policy
    policy_path: Path
    market: PreparedMarket
    data_path: Path
    relation: Relation
    asked: tuple[date | None, date | None]
    took: float
    result: Evaluation
    rows: NDArray[np.integer[Any]]
    both: Verdicts | None = None
    seconds_path: Path | None = None
    advised: Advised | None = None
    advice_path: Path | None = None
    laid: AdviceOnBars | None = None
    others: tuple[Policy, ...] = ()

    @property
    def advice(self) -> tuple[Path, dict[str, Any]] | None:
        """The table of advice, and the settings of its fusion or of the training; or None."""
        if self.advice_path is None:
            return None
        if self.advised is not None:
            return self.advice_path, {"fusion": self.advised.settings.to_dict()}
        assert self.policy.advice is not None
        return self.advice_path, {"trained_with": self.policy.advice.to_dict()}

    @property
    def pnl(self) -> NDArray[np.int64]:
        """Cents of each day, an open trade marked at its end, shape (days,)."""
        return cents(daily(self.result)["pnl"])


@dataclass(frozen=True)
class Report:
    """What is written of a played policy.

    Attributes:
        values: all numbers, plain, NaN as None.
        sheet: the tear sheet.
        chances: of passing each evaluation that was asked for.
    """

    values: dict[str, Any]
    sheet: TearSheet
    chances: list[Chances]


def finish(played: Played, rules: Sequence[Rules], trials: int, sharpes: Sequence[float]) -> Report:
    """Play the baselines and the evaluation accounts, and put all numbers together.

    Args:
        played: the policy.
        rules: of the evaluations that are asked for.
        trials: policies that this one was chosen from, itself among them.
        sharpes: Sharpe ratios of a day of those that are known, its own among them.

    Raises:
        InputError: too few days for an evaluation account.
    """
    policy, market, both = played.policy, played.market, played.both
    if rules:
        check_days(len(played.pnl))
    sheet = tear_sheet(
        played.result,
        policy,
        market,
        play_baselines(policy, market, played.result),
        trials,
        np.array(sharpes) if len(sharpes) > 1 else None,
    )
    made: list[Chances] = []
    if rules:
        account = policy.config.account
        contracts = account.contracts
        paths = (
            day_paths(played.result, market, contracts, account=account)
            if both is None
            else day_paths(both.second, market, contracts, both.seconds, account=account)
        )
        full = contracts / MICROS if market.contract.full_size else contracts
        made = [chances(one, paths, full) for one in rules]
    values = to_values(
        played.result,
        policy,
        played.policy_path,
        market,
        played.data_path,
        played.relation,
        played.asked,
        played.took,
        sheet,
        verdicts=both,
        seconds_path=played.seconds_path,
        advice=played.advice,
        chances=made,
    )
    return Report(values, sheet, made)


class _Swept(Struct):
    chosen_from: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    sharpes: list[float | None]


FINISHED_FILE = Artifact("account of a finished run", MEND)


def trials_of(policy_path: Path, about: Mapping[str, Any]) -> int:
    """Return how many policies one was chosen from, as its sweep says, or itself, or its run; else 1.

    Args:
        policy_path: its file.
        about: what it was made from, which a copy in another folder says too.

    Raises:
        InputError: what its sweep or run wrote of that is damaged.
    """
    swept = _sweep_of(policy_path)
    if swept is not None:
        return swept[0]
    own = about.get(AGENTS)
    if type(own) is int and own >= 1:
        return own
    ended = read_finished(policy_path.parent, FINISHED_FILE)
    return 1 if ended is None else ended.policies


def sharpes_of(policy_path: Path) -> list[float]:
    """Return the Sharpe ratios of a day of all policies of a policy's sweep; none where it has none.

    Raises:
        InputError: what its sweep wrote of them is damaged.
    """
    swept = _sweep_of(policy_path)
    return [] if swept is None else swept[1]


def _sweep_of(policy_path: Path) -> tuple[int, list[float]] | None:
    """Return what the account of a policy's sweep says: policies judged, and their Sharpe ratios."""
    account = read_account(policy_path, _Swept)
    if account is None:
        return None
    _, swept = account
    return swept.chosen_from, [one for one in swept.sharpes if one is not None]
