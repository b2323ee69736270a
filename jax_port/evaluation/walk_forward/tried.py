"""How many settings a walk-forward's were chosen from, which its deflated Sharpe ratio counts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from foundation.json_reading import Artifact, Struct, read_json

SWEPT_FILE = Artifact(
    "account of a sweep",
    "copy it from the sweep again, since a Sharpe ratio is deflated by it; or say --trials and give a "
    "configuration that lies elsewhere",
)


class _Trial(Struct):
    sharpe_day: float | None


class _Swept(Struct):
    trials: list[_Trial]


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

    Raises:
        InputError: what the sweep wrote is damaged.
    """
    found = Tried() if config is None else _of_sweep(config)
    return found if trials is None else found._replace(trials=trials)


def _of_sweep(config: Path) -> Tried:
    for folder in config.absolute().parents[1:3]:
        file = folder / "sweep.json"
        if file.exists():
            rows = read_json(file, _Swept, SWEPT_FILE).trials
            sharpes = tuple(row.sharpe_day for row in rows if row.sharpe_day is not None)
            return Tried(max(1, len(rows)), sharpes, str(file))
    return Tried()
