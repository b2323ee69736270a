"""A sweep's trials, ranked: ``trials.csv``, ``sweep.json`` and the table at the end."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.table import Table

from foundation.files import write_json, write_text
from foundation.report.format import dollars, number
from rltrader.sweep.attempts import GOOD, REASON, attempts

TABLE, SWEEP, BEST = "trials.csv", "sweep.json", "best"
SHOWN = 20
"""Trials of the table that is printed; the file has all."""
ORDER = {TrialState.COMPLETE: 0, TrialState.PRUNED: 1}

Row = dict[str, Any]


def ranked(trials: Sequence[FrozenTrial]) -> list[Row]:
    """Return a row a trial that has ended: those trained to the end, best first, then the others.

    A row has rank, trial, state, value, pnl, spread (of the seeds' PnL, sample), sharpe_day (mean of
    the seeds), sharpes, days, seconds, parity, folder, why and the settings by name.
    """
    rows = []
    for origin, tries in attempts(trials).items():
        last = next((one for one in tries if one.state in GOOD), tries[-1])
        if last.state.is_finished():
            rows.append((_key(last), _row(origin, last)))
    rows.sort(key=lambda pair: pair[0])
    return [{"rank": place, **row} for place, (_, row) in enumerate(rows, 1)]


def _key(trial: FrozenTrial) -> tuple[int, float, int]:
    value = trial.value if trial.state in GOOD and trial.value is not None else -math.inf
    return ORDER.get(trial.state, 2), -value, trial.number


def _row(origin: int, trial: FrozenTrial) -> Row:
    attributes = trial.user_attrs
    sharpes, pnl = attributes.get("sharpes", []), attributes.get("pnl", [])
    words = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned"}
    return {
        "trial": origin,
        "state": words.get(trial.state, "failed"),
        "value": trial.value if trial.state in GOOD else None,
        "pnl": _mean(pnl),
        "spread": _spread(pnl),
        "sharpe_day": _mean(sharpes),
        "sharpes": sharpes,
        "days": attributes.get("days"),
        "seconds": attributes.get("seconds"),
        "parity": attributes.get("parity"),
        "folder": attributes.get("folder"),
        "why": attributes.get(REASON, "" if trial.state in GOOD else "its workers ended"),
        "settings": dict(trial.params),
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _spread(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return math.sqrt(sum((one - mean) ** 2 for one in values) / (len(values) - 1))


def write(folder: Path, rows: Sequence[Row], about: dict[str, Any], seeds: int) -> None:
    """Write the table and ``sweep.json``, and let ``best`` stand for the best trial's folder.

    ``chosen_from`` and ``sharpes`` of ``sweep.json`` are what ``rltrader evaluate`` deflates a Sharpe
    ratio with: every policy that was judged, whichever is chosen.
    """
    write_text(folder / TABLE, _csv(rows))
    best = next((row for row in rows if row["state"] == "complete"), None)
    judged = [row for row in rows if row["sharpes"]]
    values = {
        **about,
        "chosen_from": max(1, sum(len(row["sharpes"]) for row in judged)),
        "sharpes": [ratio for row in judged for ratio in row["sharpes"]],
        "seeds": seeds,
        "best": None if best is None else best["trial"],
        "trials": list(rows),
    }
    write_json(folder / SWEEP, values)
    if best is not None and best["folder"]:
        _point(folder / BEST, best["folder"])


def _csv(rows: Sequence[Row]) -> str:
    names = sorted({name for row in rows for name in row["settings"]})
    plain = [name for name in (rows[0] if rows else {}) if name not in ("settings", "sharpes")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, *names])
    for row in rows:
        own = [row["settings"].get(name) for name in names]
        writer.writerow([*(row[name] for name in plain), *own])
    return text.getvalue()


def _point(link: Path, target: str) -> None:
    """Make a link, or leave it out where the system has none or something else is in its place."""
    beside = link.with_name(f".{link.name}-{os.getpid()}")
    with suppress(OSError):
        beside.unlink(missing_ok=True)
        beside.symlink_to(target, target_is_directory=True)
        beside.replace(link)
    with suppress(OSError):
        beside.unlink(missing_ok=True)  # where a folder, such as one of a copied sweep, is in its place


def show(rows: Sequence[Row], objective: str, folder: Path, console: Console) -> None:
    """Print the ranked table."""
    names = sorted({name for row in rows for name in row["settings"]})
    table = Table(box=None, header_style="dim")
    for name in ("rank", "trial", "", "an episode", "+/-", "Sharpe of a day", *names):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    for row in rows[:SHOWN]:
        table.add_row(
            str(row["rank"]),
            str(row["trial"]),
            row["state"],
            *("" if row[name] is None else dollars(row[name]) for name in ("pnl", "spread")),
            "" if row["sharpe_day"] is None else number(row["sharpe_day"], 3),
            *(_short(row["settings"].get(name)) for name in names),
        )
    console.print(table)
    if len(rows) > SHOWN:
        console.print(f"{len(rows) - SHOWN} more in {folder / TABLE}", soft_wrap=True)
    what = "PnL of an episode" if objective == "pnl" else "Sharpe ratio of a day"
    ranked_by = f"ranked by the {what} on the days left out of training"
    console.print(f"{ranked_by}; all of it: {folder / TABLE}", soft_wrap=True)


def _short(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
