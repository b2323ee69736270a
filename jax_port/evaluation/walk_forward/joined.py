"""The windows' evaluations as one, and all numbers of a walk-forward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foundation.files import atomic_folder, finite, write_json, write_text
from foundation.provenance import now
from foundation.report.format import count, dollars
from foundation.report.html import templates
from foundation.report.parts import Verdict
from jax_port.data.data_loader import PreparedMarket
from jax_port.evaluation.evaluate import Evaluation
from jax_port.evaluation.metrics import chain, summarize
from jax_port.evaluation.plots import equity_plot
from jax_port.evaluation.sheet.baselines import play_baselines
from jax_port.evaluation.sheet.tear_sheet import TearSheet, evidence, tear_sheet
from jax_port.evaluation.walk_forward.tried import Tried
from jax_port.evaluation.walk_forward.windows import Window
from jax_port.ppo.policy import Policy
from jax_port.runs.run import made_with

FORMAT = 1
FILES = (
    "walk_forward.html",
    "walk_forward.json",
    "episodes.parquet",
    "trades.parquet",
    "equity.parquet",
)


@dataclass(frozen=True)
class Judged:
    """One window, the policy that was trained in it, and what it did afterwards.

    Attributes:
        window: its dates.
        policy: what was trained.
        result: on the dates that were judged.
        report: the window's own page, relative to the walk-forward's folder.
    """

    window: Window
    policy: Policy
    result: Evaluation
    report: Path


def join(results: Sequence[Evaluation]) -> Evaluation:
    """Return evaluations of following dates as one: episodes are numbered on."""
    tables: dict[str, list[pd.DataFrame]] = {"episodes": [], "trades": [], "equity": []}
    begun = 0
    for result in results:
        for name, parts in tables.items():
            table = getattr(result, name)
            parts.append(table.assign(episode=table["episode"] + begun))
        begun += int(result.episodes["episode"].max()) + 1
    joined = {
        name: pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
        for name, parts in tables.items()
    }
    return Evaluation(**joined, trades_of=results[0].trades_of)


def judge(
    windows: Sequence[Judged], market: PreparedMarket, tried: Tried
) -> tuple[Evaluation, TearSheet]:
    """Return all windows as one evaluation, and its tear sheet."""
    joined, last = join([one.result for one in windows]), windows[-1].policy
    baselines = play_baselines(last, market, joined)
    known = np.array(tried.sharpes) if len(tried.sharpes) > 1 else None
    return joined, tear_sheet(joined, last, market, baselines, tried.trials, known)


def to_values(
    windows: Sequence[Judged],
    joined: Evaluation,
    sheet: TearSheet,
    market: PreparedMarket,
    tried: Tried,
) -> dict[str, Any]:
    """Return all numbers as plain values; NaN is None."""
    rows = []
    for one in windows:
        account = summarize(one.result)["account"]
        rows.append(
            {
                **{name: str(day) for name, day in asdict(one.window).items()},
                "report": str(one.report),
                "certificate": one.policy.about.get("certificate"),
                "steps": one.policy.about.get("steps"),
                "performance": account,
                "trades": len(one.result.trades),
            }
        )
    values = {
        "format": FORMAT,
        "units": "money in US dollars, days in New York",
        "made": {"when": now(), **made_with()},
        "data": {"source": market.source, "sha256": market.digest, "symbol": market.contract.symbol},
        "tried": tried._asdict(),
        "windows": rows,
        "performance": summarize(joined),
        "tear_sheet": sheet.values,
    }
    return dict(finite(values))


def verdict(values: Mapping[str, Any]) -> Verdict:
    """Return what all judged days made, and how much they can say."""
    account, rows = values["performance"]["account"], values["windows"]
    made = "made" if account["pnl"] >= 0 else "lost"
    ahead = sum(row["performance"]["pnl"] > 0 for row in rows)
    headline = (
        f"{count(len(rows), 'window')}, each judged on days after its training, {made} "
        f"{dollars(abs(account['pnl']))} in {count(account['days'], 'day')}."
    )
    sure_of = evidence(values["tear_sheet"], account["pnl"])
    reason = f"{ahead} of {len(rows)} windows ended ahead. {sure_of}"
    low, _ = values["tear_sheet"]["intervals"]["pnl"]
    sure = low is not None and low > 0
    return Verdict("good" if sure else "bad" if account["pnl"] < 0 else "warn", headline, reason)


def render(values: Mapping[str, Any], joined: Evaluation) -> str:
    """Return the page; it asks for nothing outside, and links each window's own."""
    first = np.flatnonzero(joined.equity["step"].to_numpy() == 0)
    days = joined.episodes.loc[joined.episodes["daily"], "day"].tolist()
    curve = equity_plot(chain(joined.equity) / 100, days, first)
    page = templates("jax_port.evaluation").get_template("walk_forward.html.j2")
    return page.render(v=values, verdict=verdict(values), rows=values["windows"], curve=curve)


def write(folder: Path, values: Mapping[str, Any], joined: Evaluation) -> None:
    """Write :data:`FILES` into a folder, all or none, beside the windows' own folders.

    Raises:
        WriteError: the folder cannot be written to.
    """
    page = render(values, joined)
    with atomic_folder(folder, replaces=FILES) as made:
        for name in ("episodes", "trades", "equity"):
            getattr(joined, name).to_parquet(made / f"{name}.parquet")
        write_json(made / "walk_forward.json", values)
        write_text(made / "walk_forward.html", page)
