"""How many settings a walk-forward's were chosen from, which its deflated Sharpe ratio counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class Tried(NamedTuple):
    """Settings that were tried before one of them was walked forward.

    Attributes:
        trials: how many, the chosen one among them.
        sharpes: their Sharpe ratios of a day, of those that are known.
        source: the ``sweep.json`` that says so; "" for the user's own word, or none.
    """

    trials: int = 1
    sharpes: tuple[float, ...] = ()
    source: str = ""


def settings_tried(config: Path | None, trials: int | None = None) -> Tried:
    """Return what a user says, else what the sweep says that a configuration file came from.

    Args:
        config: the file; a trial's own, SWEEP/best/run.toml or SWEEP/trials/0007/run.toml, counts as
            chosen from all trials of its sweep.
        trials: as the user says; goes before the sweep's own number.
    """
    found = Tried() if config is None else _of_sweep(config)
    return found if trials is None else found._replace(trials=trials)


def _of_sweep(config: Path) -> Tried:
    for folder in config.absolute().parents[1:3]:
        file = folder / "sweep.json"
        try:
            rows = json.loads(file.read_text(encoding="utf-8"))["trials"]
            sharpes = tuple(float(row["sharpe_day"]) for row in rows if row["sharpe_day"] is not None)
        except (OSError, ValueError, TypeError, KeyError):
            continue
        return Tried(max(1, len(rows)), sharpes, str(file))
    return Tried()
