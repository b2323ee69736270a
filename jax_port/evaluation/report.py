"""Write an evaluation into a folder: tables, all numbers with their provenance, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from foundation.files import atomic_folder, file_digest, finite, write_json, write_text
from foundation.provenance import now
from jax_port.data.data_loader import PreparedMarket
from jax_port.data.held_out import UNKNOWN, Relation
from jax_port.evaluation.advice_comparison.report import FILES as ADVICE_FILES
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.intrabar import Verdicts, compare, side_by_side
from jax_port.evaluation.metrics import summarize
from jax_port.evaluation.page import render
from jax_port.evaluation.prop_firm.chances import Chances
from jax_port.evaluation.sheet.tear_sheet import TearSheet
from jax_port.ppo.policy import Policy
from jax_port.runs.run import made_with

FORMAT = 1
FILES = (
    "trades.parquet",
    "trades.csv",
    "episodes.parquet",
    "equity.parquet",
    "evaluation.json",
    "report.html",
)
SECONDS_FILES = ("seconds_episodes.parquet", "seconds_trades.parquet")
"""Written where the seconds were given, and else removed: they would be of another evaluation."""
OTHER_FILES = (*ADVICE_FILES, "comparison.html", "comparison.json")
"""What else an evaluation may have left in the folder; it is removed for the same reason."""
EVERY_FILE = (*FILES, *SECONDS_FILES, *OTHER_FILES)


def to_values(
    result: Evaluation,
    policy: Policy,
    policy_path: Path,
    market: PreparedMarket,
    data_path: Path,
    relation: Relation,
    asked: tuple[date | None, date | None],
    seconds: float,
    sheet: TearSheet,
    verdicts: Verdicts | None = None,
    seconds_path: Path | None = None,
    advice: tuple[Path, Mapping[str, Any]] | None = None,
    chances: Sequence[Chances] = (),
) -> dict[str, Any]:
    """Return all numbers and where they come from, as plain values; NaN is None.

    Args:
        result: what was evaluated.
        policy, policy_path: the policy and its file.
        market, data_path: the bars and their file.
        relation: how the range stands to the training data.
        asked: --from and --to.
        seconds: that the episodes took.
        sheet: the tear sheet.
        verdicts, seconds_path: both verdicts and the file of one-second bars, where one was given;
            ``result`` is then the minute's.
        advice: path of the table and settings of the fusion, or of the training with advice, where the
            policy was advised.
        chances: of passing each evaluation that was asked for.
    """
    first, last = asked
    performance = summarize(result)
    by_second = None
    if verdicts is not None and seconds_path is not None:
        by_second = compare(verdicts, side_by_side(verdicts), performance)
        by_second["file_sha256"] = file_digest(seconds_path)
    values = {
        "format": FORMAT,
        "units": "money in US dollars, prices in points, time in UTC, days and hours in New York",
        "made": {
            "when": now(),
            "seconds": seconds,
            **made_with(),
        },
        "policy": {
            "path": str(policy_path),
            "sha256": file_digest(policy_path),
            "network": asdict(policy.spec) if policy.own is None else policy.own.to_dict(),
            "config": policy.config.to_dict(),
            "made": dict(policy.about),
        },
        "data": {
            "source": market.source,
            "symbol": market.contract.symbol,
            "contract": asdict(market.contract),
            "sha256": market.digest,
            "file_sha256": file_digest(data_path),
            "bars": len(market),
            "from": first and first.isoformat(),
            "to": last and last.isoformat(),
            "first": relation.traded.first.isoformat(),
            "last": relation.traded.last.isoformat(),
        },
        "held_out": {
            "status": relation.status,
            "training": None
            if relation.training is None
            else {
                "first": relation.training.first.isoformat(),
                "last": relation.training.last.isoformat(),
            },
            "trading_days_between": relation.trading_days_between,
        },
        "certificate": policy.about.get("certificate") or UNKNOWN,
        "performance": performance,
        "tear_sheet": sheet.values,
        "evaluation_accounts": [one.values() for one in chances],
        "seconds": by_second,
        "advice": None
        if advice is None
        else {
            "path": str(advice[0]),
            "fusion": None,
            "trained_with": None,
            **advice[1],
            **{
                name: None if result.advised is None else int(result.advised[name].sum())
                for name in ("questions", "advised", "changed")
            },
        },
    }
    return dict(finite(values))


def write(
    folder: Path,
    values: Mapping[str, Any],
    result: Evaluation,
    market: PreparedMarket,
    sheet: TearSheet,
    verdicts: Verdicts | None = None,
    chances: Sequence[Chances] = (),
) -> None:
    """Write :data:`FILES` into a folder, all or none; with both verdicts :data:`SECONDS_FILES` too.

    Raises:
        WriteError: the folder cannot be written to.
    """
    tables = {"trades": result.trades, "episodes": result.episodes, "equity": result.equity}
    if verdicts is not None:
        tables["seconds_episodes"] = side_by_side(verdicts)
        tables["seconds_trades"] = verdicts.second.trades
    page = render(values, result, market, sheet, chances)
    with atomic_folder(folder, replaces=EVERY_FILE) as made:
        for name, table in tables.items():
            table.to_parquet(made / f"{name}.parquet")
        result.trades.to_csv(made / "trades.csv", index=False)
        write_json(made / "evaluation.json", values)
        write_text(made / "report.html", page)
