"""Write an evaluation into a folder: tables, all numbers with their provenance, and the page."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jax_port.data.data_loader import PreparedMarket
from jax_port.data.held_out import UNKNOWN, Relation
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.intrabar import Verdicts, compare, side_by_side
from jax_port.evaluation.metrics import summarize
from jax_port.evaluation.page import render
from jax_port.ppo.policy import Policy
from jax_port.runs.run import file_digest, made_with, write_json
from markets import InputError

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


def to_values(
    result: Evaluation,
    policy: Policy,
    policy_path: Path,
    market: PreparedMarket,
    data_path: Path,
    relation: Relation,
    asked: tuple[date | None, date | None],
    seconds: float,
    verdicts: Verdicts | None = None,
    seconds_path: Path | None = None,
) -> dict[str, Any]:
    """Return all numbers and where they come from, as plain values; NaN is None.

    Args:
        result: what was evaluated.
        policy, policy_path: the policy and its file.
        market, data_path: the bars and their file.
        relation: how the range stands to the training data.
        asked: --from and --to.
        seconds: that the episodes took.
        verdicts, seconds_path: both verdicts and the file of one-second bars, where one was given;
            ``result`` is then the minute's.
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
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": seconds,
            **made_with(),
        },
        "policy": {
            "path": str(policy_path),
            "sha256": file_digest(policy_path),
            "network": asdict(policy.spec),
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
        "seconds": by_second,
    }
    return dict(plain(values))


def plain(values: Any) -> Any:
    """Return nested values with None for every float that is not finite."""
    if isinstance(values, Mapping):
        return {key: plain(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [plain(value) for value in values]
    if isinstance(values, float) and not math.isfinite(values):
        return None
    return values


def write(
    folder: Path,
    values: Mapping[str, Any],
    result: Evaluation,
    market: PreparedMarket,
    verdicts: Verdicts | None = None,
) -> None:
    """Write :data:`FILES` into a folder, each beside its place and then renamed.

    With both verdicts :data:`SECONDS_FILES` too.

    Raises:
        InputError: the folder cannot be written to.
    """
    tables = {"trades": result.trades, "episodes": result.episodes, "equity": result.equity}
    if verdicts is not None:
        tables["seconds_episodes"] = side_by_side(verdicts)
        tables["seconds_trades"] = verdicts.second.trades
    page = render(values, result, market)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            _beside(folder / f"{name}.parquet", table.to_parquet)
        for name in SECONDS_FILES if verdicts is None else ():
            (folder / name).unlink(missing_ok=True)
        _beside(folder / "trades.csv", lambda path: result.trades.to_csv(path, index=False))
        write_json(folder / "evaluation.json", dict(values))
        _beside(folder / "report.html", lambda path: path.write_text(page, encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another --out"
        ) from None


def _beside(path: Path, write_to: Callable[[Path], object]) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_to(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
