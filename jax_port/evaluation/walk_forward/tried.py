"""How many settings a walk-forward's were chosen from, which its deflated Sharpe ratio counts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from foundation.json_reading import Struct
from jax_port.evaluation.sweep_account import read_account, read_sweep


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


def settings_tried(config: Path | None, trials: int | None = None, sweep: Path | None = None) -> Tried:
    """Return what a user says, else what the sweep says that a configuration file came from.

    Args:
        config: the file; a trial's own, SWEEP/best/run.toml or SWEEP/trials/0007/run.toml, counts as
            chosen from all trials of its sweep.
        trials: as the user says; goes before the sweep's own number.
        sweep: folder or sweep.json of the sweep, which goes before what lies above ``config``.

    Raises:
        InputError: what the sweep wrote is damaged, or not there.
    """
    account = None
    if sweep is not None:
        account = read_sweep(sweep, _Swept)
    elif config is not None:
        account = read_account(config, _Swept)
    tried = Tried() if account is None else _of_sweep(*account)
    return tried if trials is None else tried._replace(trials=trials)


def _of_sweep(file: Path, swept: _Swept) -> Tried:
    sharpes = tuple(row.sharpe_day for row in swept.trials if row.sharpe_day is not None)
    return Tried(max(1, len(swept.trials)), sharpes, str(file))
