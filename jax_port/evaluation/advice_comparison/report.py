"""The comparison of fusions as numbers and as a page: the verdict, every arm, and the nulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from foundation.files import atomic_folder, file_digest, finite, write_json, write_text
from foundation.provenance import now
from foundation.report.format import count, dollars
from foundation.report.html import templates
from foundation.report.parts import Tone, Verdict
from jax_port.data.data_loader import PreparedMarket
from jax_port.evaluation.advice_comparison.comparison import (
    ALONE,
    BARE,
    FUSED,
    LEAST_SEEDS,
    NULL,
    Arm,
    Counts,
    Played,
    after_cutoff,
    gain,
    holm,
)
from jax_port.runs.run import made_with
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.advice.table import AdviceTable

NUMBERS = "advice.json"
FILES = (NUMBERS, "advice.html", "advice_days.parquet")
SIGNIFICANT = 0.05

Values = Mapping[str, Any]


def to_values(
    arms: Sequence[Arm],
    played: Mapping[str, Played],
    days: Sequence[date],
    table: AdviceTable,
    table_path: Path,
    settings: FusionSettings | AdviceUse,
    policies: Sequence[Path],
    market: PreparedMarket,
    tried: int = 0,
) -> dict[str, Any]:
    """Return all numbers of a comparison as plain values.

    Args:
        arms, played, days: see :func:`jax_port.evaluation.advice_comparison.comparison.play_arms`.
        table, table_path: the advice and its file.
        settings: the fusion that is judged, or how the policies were trained with advice.
        policies: files of the policies.
        market: the bars.
        tried: more fusions that were tried elsewhere on these days.
    """
    unseen = after_cutoff(days, table.about.cutoff)
    head = unseen if unseen.any() else np.ones(len(days), bool)
    rows = [_row(arm, played, head) for arm in arms]
    judged = [row for row in rows if row["kind"] not in (BARE, NULL)]
    for row, p in zip(judged, holm([row["p"] for row in judged], tried), strict=True):
        row["p_corrected"] = p
    judged_arm = _judged(arms, settings)
    values = {
        "format": 1,
        "units": "US dollars a New York day, one episode a day, after commission and slippage",
        "made": {"when": now(), **made_with()},
        "advice": {
            "path": str(table_path),
            "sha256": file_digest(table_path),
            "about": msgspec.to_builtins(table.about),
            "totals": table.totals(),
        },
        "settings": _plain(settings),
        "trained_with": settings.to_dict() if isinstance(settings, AdviceUse) else None,
        "judged": judged_arm,
        "policies": [{"path": str(path), "sha256": file_digest(path)} for path in policies],
        "data": {
            "source": market.source,
            "symbol": market.contract.symbol,
            "sha256": market.digest,
            "first": days[0].isoformat(),
            "last": days[-1].isoformat(),
            "days": len(days),
            "after_cutoff": int(unseen.sum()),
            "judged_on": "days after the cutoff" if unseen.any() else "all days",
        },
        "tried": len(judged) + tried,
        "arms": rows,
        "before": _rows_before(arms, played, ~unseen) if unseen.any() and not unseen.all() else [],
        "nulls": _nulls(rows, judged_arm),
    }
    return dict(finite(values))


def _row(arm: Arm, all_played: Mapping[str, Played], chosen: NDArray[np.bool_]) -> dict[str, Any]:
    played, bare, alone = (all_played[name] for name in (arm.name, "bare policy", "advisor alone"))
    brought, over_alone = gain(played, bare, chosen), gain(played, alone, chosen)
    pnl = played.pnl[:, chosen]
    each = (played.pnl - bare.pnl)[:, chosen].mean(axis=1)

    def share(of: Counts | None, each: float) -> float | None:
        return None if of is None else int(of[:, chosen].sum()) / each

    steps = int(played.steps[:, chosen].sum())
    return {
        "name": arm.name,
        "kind": arm.kind,
        "settings": None if arm.settings is None else arm.settings.to_dict(),
        "null": arm.null,
        "mean_day": float(pnl.mean()),
        "gain": brought.mean,
        "low": brought.low,
        "high": brought.high,
        "p": brought.p,
        "p_corrected": None,
        "over_advisor": {"gain": over_alone.mean, "low": over_alone.low, "high": over_alone.high},
        "gain_by_policy": each.tolist(),
        "trades": int(played.trades[:, chosen].sum()),
        "advised": share(played.advised, steps),
        "changed": share(played.changed, steps),
        "questions_a_day": share(played.questions, pnl.size),
    }


def _rows_before(
    arms: Sequence[Arm], played: Mapping[str, Played], chosen: NDArray[np.bool_]
) -> list[dict[str, Any]]:
    return [_row(arm, played, chosen) for arm in arms if arm.kind != NULL]


def _judged(arms: Sequence[Arm], settings: FusionSettings | AdviceUse) -> str:
    """Return the name of the arm that the verdict is on."""
    if isinstance(settings, AdviceUse):
        return next(arm.name for arm in arms if arm.kind == FUSED)
    return "advisor alone" if settings.rule == "alone" else settings.rule


def _plain(settings: FusionSettings | AdviceUse) -> dict[str, Any]:
    """Return the settings that count."""
    if isinstance(settings, FusionSettings):
        return settings.to_dict()
    return {"as": settings.way, **settings.used()}


def _nulls(rows: Sequence[Values], judged: str) -> list[dict[str, Any]]:
    """Return, of each kind of null, its gains and how many the real advice does not beat."""
    real = next(row["gain"] for row in rows if row["name"] == judged)
    made = []
    for null in ("shuffled", "random"):
        gains = [row["gain"] for row in rows if row["null"] == null]
        if gains:
            made.append(
                {
                    "null": null,
                    "seeds": len(gains),
                    "mean": float(np.mean(gains)),
                    "least": min(gains),
                    "most": max(gains),
                    "not_beaten": sum(value >= real for value in gains),
                }
            )
    return made


def judged_row(values: Values) -> Values:
    """Return the row of the fusion that is judged."""
    judged: Values = next(row for row in values["arms"] if row["name"] == values["judged"])
    return judged


def verdict(values: Values) -> Verdict:
    """Return what the judged fusion brings, and whether that tells an edge from luck or look-ahead."""
    row, data = judged_row(values), values["data"]
    amount = row["gain"]
    made = "gained" if amount > 0 else "lost" if amount < 0 else "changed nothing against"
    rest = f" {dollars(abs(amount))} a day on" if amount else ""
    headline = f"Fused ({row['name']}), the policy {made}{rest} the bare policy."
    if values["trained_with"]:
        way = values["trained_with"]["as"]
        headline = f"With its advice (as {way}), the policy {made}{rest} itself without answers."
    if not data["after_cutoff"]:
        cutoff = values["advice"]["about"]["cutoff"]
        known = f"is {cutoff}" if cutoff else "is unknown"
        return Verdict(
            "bad",
            headline,
            f"This says nothing: the model's cutoff date {known}, so in training it may have read of "
            f"these days ({count(data['days'], 'day')}). Give --cutoff, and days after it.",
        )
    days = f"{count(data['after_cutoff'], 'day')} that the advisor cannot have been trained on"
    if row["low"] is None:
        return Verdict("warn", headline, f"{days}: too few to tell an edge from luck.")
    unbeaten = sum(null["not_beaten"] for null in values["nulls"])
    seeds = sum(null["seeds"] for null in values["nulls"])
    interval = f"95%: {dollars(row['low'])} to {dollars(row['high'])} over {days}"
    corrected = row["p_corrected"]
    chance = (
        f"no p, since it is the same on every day; {count(values['tried'], 'fusion')} tried"
        if corrected is None
        else f"p {corrected:.3g} after correction for {values['tried']} fusions tried"
    )
    reason = f"{interval}; {chance}; {seeds - unbeaten} of {seeds} nulls are beaten."
    beats_advisor = row["kind"] == ALONE or row["over_advisor"]["gain"] > 0
    if not beats_advisor:
        reason += " The advisor alone makes more."
    few = len(values["policies"]) < LEAST_SEEDS
    if few:
        reason += f" Fewer than {LEAST_SEEDS} policies: how training's luck enters is not known."
    clear = corrected is not None and corrected < SIGNIFICANT
    tone: Tone = "warn"
    if clear and amount < 0:
        tone = "bad"
    elif clear and amount > 0 and beats_advisor and not unbeaten and not few:
        tone = "good"
    return Verdict(tone, headline, reason)


def render(values: Values) -> str:
    """Return the page, which asks for nothing outside itself."""
    groups = {
        "The policy, the advisor and their fusions": ("bare", "alone", "fusion"),
        "What each setting brings": ("setting",),
        "Nulls": ("null",),
    }
    tables = {
        title: [row for row in values["arms"] if row["kind"] in kinds]
        for title, kinds in groups.items()
    }
    tables = {title: rows for title, rows in tables.items() if rows}
    page = templates("jax_port.evaluation").get_template("advice.html.j2")
    return page.render(v=values, verdict=verdict(values), tables=tables, judged=judged_row(values))


def write(folder: Path, values: Values, played: Mapping[str, Played], days: Sequence[date]) -> None:
    """Write :data:`FILES` into a folder, all or none.

    Raises:
        WriteError: the folder cannot be written to.
    """
    stamps = pd.DatetimeIndex(pd.to_datetime(list(days)))
    long = pd.concat(
        [
            pd.DataFrame({"arm": name, "policy": number, "day": stamps, "pnl": pnl})
            for name, arm in played.items()
            for number, pnl in enumerate(arm.pnl)
        ],
        ignore_index=True,
    )
    with atomic_folder(folder, replaces=FILES) as made:
        long.to_parquet(made / "advice_days.parquet")
        write_json(made / NUMBERS, values)
        write_text(made / "advice.html", render(values))
