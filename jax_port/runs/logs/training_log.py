"""What a run says while it goes on: one JSON line an update and agent, and TensorBoard events."""

from __future__ import annotations

import json
import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from foundation.errors import InputError
from foundation.files import write_bytes, writing
from foundation.json_reading import Artifact, Count, Struct, decode_json
from jax_port.ppo.metrics import Metrics

LOG = "log.jsonl"
TENSORBOARD = "tensorboard"
REASONS = ("drawdown", "late_close", "end_of_data", "bar_limit")
ACTIONS = ("hold", "buy", "sell", "break_even", "trail_on", "trail_off")

Record = dict[str, Any]
T = TypeVar("T")
LINE = Artifact(
    "line of a run's log", "go on with --resume, or remove this line where the run has ended"
)


def records_of(metrics: Metrics, first_update: int, rollout_size: int, seconds: float) -> list[Record]:
    """Return one record an update and agent, updates first.

    Args:
        metrics: host arrays with leading axes (K, A).
        first_update: number of the first of the K updates, counted from 1.
        rollout_size: steps of one agent in an update.
        seconds: that the K updates took together.
    """
    count, agents = metrics.loss.shape
    rate = count * agents * rollout_size / seconds
    return [
        _record(metrics, k, agent, first_update + k, rollout_size)
        | {"steps_per_second": round(rate, 1)}
        for k in range(count)
        for agent in range(agents)
    ]


def _record(metrics: Metrics, k: int, agent: int, update: int, rollout_size: int) -> Record:
    def of(x: Any) -> float:
        return float(np.asarray(x)[k, agent])

    ends = metrics.ends
    episodes, trades = of(ends.episodes), of(ends.trades)

    def mean(x: Any, count: float, unit: float = 1.0) -> float | None:
        return round(of(x) / count / unit, 6) if count else None

    actions = np.asarray(ends.actions)[k, agent]
    reasons = np.asarray(ends.reasons)[k, agent][1:]
    return {
        "update": update,
        "agent": agent,
        "steps": update * rollout_size,
        "episodes": int(episodes),
        "episode_reward": mean(ends.reward, episodes),
        "episode_pnl_dollars": mean(ends.pnl, episodes, 100.0),
        "episode_bars": mean(ends.length, episodes),
        "episode_drawdown_dollars": mean(ends.drawdown, episodes, 100.0),
        "trades": int(trades),
        "win_rate": mean(ends.wins, trades),
        "ended_by": dict(zip(REASONS, (int(n) for n in reasons), strict=True)),
        "action_share": {
            name: round(float(n) / max(int(actions.sum()), 1), 6)
            for name, n in zip(ACTIONS, actions, strict=False)
        },
        **{
            name: _finite(of(getattr(metrics, name)))
            for name in (
                "loss",
                "policy_loss",
                "value_loss",
                "entropy",
                "approx_kl",
                "clip_fraction",
                "explained_variance",
                "learning_rate",
            )
        },
        "minibatches": int(of(metrics.minibatches)),
    }


def _finite(x: float) -> float | None:
    """Return a number, or None (null in JSON) where a diverged agent has none."""
    return x if math.isfinite(x) else None


class TrainingLog:
    """Appends records to a run's two logs.

    Args:
        folder: the run's.
        after: update that the run goes on from; later lines are of an attempt that was cut off.
        agents: number of agents.
        rollout_size: steps of an agent in an update.

    Raises:
        WriteError: the folder cannot be written to.
    """

    def __init__(self, folder: Path, after: int, agents: int, rollout_size: int) -> None:
        self._path = folder / LOG
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _cut_off(self._path, after)
            self._file = self._path.open("a", encoding="utf-8")
            places = [folder / TENSORBOARD / f"agent-{agent}" for agent in range(agents)]
            self._boards = [_Board(place, after * rollout_size + 1) for place in places]

    def write(self, records: list[Record]) -> None:
        """Append records and hand them to the system.

        Raises:
            WriteError: the disk is full, or the like.
        """
        with writing(self._path):
            self._file.write("".join(json.dumps(one, allow_nan=False) + "\n" for one in records))
            self._file.flush()
            for record in records:
                self._boards[record["agent"]].write(record)
            for board in self._boards:
                board.flush()

    def close(self) -> None:
        """Close both logs."""
        for close in (self._file.close, *(board.close for board in self._boards)):
            with suppress(OSError):  # of a disk that is full: what could be written is there
                close()

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Board:
    """TensorBoard's events of one agent, written at once, so that a full disk is known at once.

    tensorboardX imports torch where there is one, which takes seconds, so it is imported here.

    Args:
        folder: of the agent's events.
        first: step from which on TensorBoard hides what an attempt that was cut off wrote.
    """

    def __init__(self, folder: Path, first: int) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.proto.event_pb2 import SessionLog

        folder.mkdir(parents=True, exist_ok=True)
        self._file = EventsWriter(str(folder / "events"))
        self._add(first, session_log=SessionLog(status=SessionLog.START))

    def write(self, record: Record) -> None:
        """Write the real numbers of a record."""
        from tensorboardX.summary import scalar

        for name, value in scalars(record).items():
            self._add(record["steps"], summary=scalar(name, value))

    def _add(self, step: int, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        self._file.write_event(Event(step=step, wall_time=time.time(), **content))

    def flush(self) -> None:
        """Hand the events to the system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def scalars(record: Record) -> dict[str, float]:
    """Return the real numbers of a record by group and name, as boards show them."""
    return {
        f"{_group(name)}/{name}": value for name, value in record.items() if isinstance(value, float)
    }


def _group(name: str) -> str:
    if name == "steps_per_second":
        return "time"
    return "rollout" if name.startswith(("episode", "win", "trades")) else "train"


class _Line(Struct):
    update: Count
    agent: Count


def _cut_off(path: Path, after: int) -> None:
    """Drop lines of updates after one, and all from the first that is damaged or cut off."""
    if not path.exists():
        return
    lines = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            record = _decode(line, _Line, path, number)
        except InputError:
            break
        if record.update > after:
            break
        lines.append(line + b"\n")
    write_bytes(path, b"".join(lines))


def _decode(line: bytes, kind: type[T], path: Path, number: int) -> T:
    return decode_json(line, kind, LINE, where=f"{path}, line {number}")


def read_log(folder: Path) -> list[Record]:
    """Return a run's records.

    Raises:
        InputError: there is no log, or a line of it is damaged; names the line.
    """
    path = folder / LOG
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give the folder of a run") from None
    for number, line in enumerate(lines, 1):
        _decode(line, _Line, path, number)
    return [_decode(line, dict[str, Any], path, number) for number, line in enumerate(lines, 1)]
