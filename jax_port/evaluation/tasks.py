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

from foundation.files import json_digest
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
from jax_port.runs.policies import AGENTS, CHOSEN, FINISHED, read_finished
from jax_port.runs.run_file import RUN
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
OF_ONE_AGENT = ("settings", CHOSEN)
"""Entries in which policies of one run differ."""


@dataclass(frozen=True)
class Choice:
    """What a policy was chosen from: a sweep, the agents of its run, or nothing but itself.

    Attributes:
        source: the same for all policies that were chosen from the same ones.
        trials: policies that there were to choose from.
        sharpes: Sharpe ratios of a day of a sweep's policies; none where that is not known.
    """

    source: str
    trials: int
    sharpes: tuple[float, ...] = ()


def choice_of(policy_path: Path, about: Mapping[str, Any]) -> Choice:
    """Return what a policy was chosen from, as its sweep says, or itself, or its run.

    Args:
        policy_path: its file.
        about: what it was made from, which a copy in another folder says too.

    Raises:
        InputError: what its sweep or run wrote of that is damaged.
    """
    account = read_account(policy_path, _Swept)
    if account is not None:
        path, swept = account
        sharpes = tuple(one for one in swept.sharpes if one is not None)
        return Choice(str(path.resolve()), swept.chosen_from, sharpes)
    own, source = about.get(AGENTS), _run_of(policy_path, about)
    if type(own) is int and own >= 1:
        return Choice(source, own)
    ended = read_finished(policy_path.parent, FINISHED_FILE)
    return Choice(source, 1 if ended is None else ended.policies)


def _run_of(policy_path: Path, about: Mapping[str, Any]) -> str:
    """Return what names the run of a policy: its folder; of a copy elsewhere, where other agents may
    have been copied too, what all of them say of their run; else the file itself."""
    folder = policy_path.parent
    if any((folder / name).is_file() for name in (RUN, FINISHED)):
        return str(folder.resolve())
    if about.get(AGENTS, 1) == 1:
        return str(policy_path.resolve())
    return json_digest({name: value for name, value in about.items() if name not in OF_ONE_AGENT})


def choices_together(choices: Sequence[Choice], ratios: Sequence[float]) -> tuple[int, list[float]]:
    """Return how many policies there were to choose from in all, and the Sharpe ratios known of them.

    Policies of one sweep, or agents of one run, were chosen from the same ones, which count once.

    Args:
        choices: of the policies that are evaluated, one of each.
        ratios: their own Sharpe ratios of a day. A sweep's are among those that it judged.
    """
    apart = {choice.source: choice for choice in choices}
    known = [ratio for choice in apart.values() for ratio in choice.sharpes]
    known += [own for own, choice in zip(ratios, choices, strict=True) if not choice.sharpes]
    return max(len(choices), sum(choice.trials for choice in apart.values())), known
