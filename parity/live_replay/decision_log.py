"""Decision log of a live strategy, as ``ninjatrader/live/DecisionLog.cs`` writes it, read back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.json_reading import Artifact, decode_json
from jax_port.export.manifest import ACTIONS, POSITION
from markets import InputError
from markets.bars import COLUMNS, FEATURES

KIND = "rltrader decisions"
VERSION = 2
ENTRY_ORDER = "RLTrader"
MODES = ("historical", "backtest", "virtual", "live")
"""Whose fills a line goes by: nobody's, the Strategy Analyzer's, the rules' on paper, an account's."""
DISTANCES = ("stop_ticks", "target_ticks", "trail_ticks")
HELD = ("side", "entry", "stop", "target", "entry_bar", "trailing")
"""Of the position; all but the last are numbers."""
TEXTS = ("skipped", "withheld", "mode")
FUSION_NUMBERS = ("weight", "threshold", "fade", "most_age")
"""Of a fusion, in the order of the header's "fusion_numbers"."""
HEADER: dict[str, type] = {
    **dict.fromkeys(("bundle", "policy_sha256", "symbol", "session"), str),
    **dict.fromkeys(("phase", "window", "preload", "contracts"), int),
}


_MEND = "give the file that the strategy wrote, unchanged"
HEADER_LINE = Artifact("decision log", _MEND, most_bytes=1 << 20)
LINE = Artifact("line of a decision log", _MEND, most_bytes=1 << 20)


class NothingDecidedError(InputError):
    """A log in which the strategy has decided nothing, so that there is nothing to compare."""


@dataclass(frozen=True)
class Fill:
    """A fill as the host told it.

    Attributes:
        time: UTC, as written.
        side: 1 bought, -1 sold.
        quantity: contracts.
        price: points.
        order: the name of the order, which says why.
        mode: one of :data:`MODES`.
        latency_ms: milliseconds since the order was sent; None where it waited at the broker.
    """

    time: str
    side: int
    quantity: int
    price: float
    order: str
    mode: str = "live"
    latency_ms: float | None = None


@dataclass
class Between:
    """What the host told between two bars: fills, and names of orders that ended without one."""

    fills: list[Fill] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LiveLog:
    """A strategy's bars, T of them, and what it made of each.

    Attributes:
        path: the file.
        header: what made it.
        torn: whether the last line was cut off and left out.
        time_ns: int64 (T,), bar opens in UTC.
        ohlcv: float64 (T, 5), as the host gave them.
        minute: int64 (T,), in New York.
        mode: T of :data:`MODES`.
        flat_by: int64 (T,), New York minute of the first bar at whose close live wanted to be flat.
        withheld: T reasons why an entry that was decided was not sent; None where none was held back.
        features: float64 (T, 11); NaN where none was defined.
        distances: int64 (T, 3) ticks: stop, target, trail.
        held: int64 (T, 6), the position before the decision, by the names of :data:`HELD`; prices
            are ticks.
        skipped: T reasons why nothing was decided; None where something was.
        observed: float64 (T, 5 or 8), the position's part of the observation; NaN where none was made.
        mask: bool (T, A).
        logits: float64 (T, A); NaN where nothing was decided.
        action: int64 (T,); -1 where nothing was decided.
        advice: float64 (T, 3), chances of hold, buy and sell that the decision was fused with; NaN in
            a log of a bare policy, and where nothing was decided.
        confidence: float64 (T,), likewise.
        asked: int64 (T,), minutes since 1970 at which the bar opened that was asked about; -1 for none.
        between: T + 1 entries; number t lies between the lines of bars t - 1 and t.
    """

    path: Path
    header: Mapping[str, Any]
    torn: bool
    time_ns: NDArray[np.int64]
    ohlcv: NDArray[np.float64]
    minute: NDArray[np.int64]
    mode: list[str]
    flat_by: NDArray[np.int64]
    withheld: list[str | None]
    features: NDArray[np.float64]
    distances: NDArray[np.int64]
    held: NDArray[np.int64]
    skipped: list[str | None]
    observed: NDArray[np.float64]
    mask: NDArray[np.bool_]
    logits: NDArray[np.float64]
    action: NDArray[np.int64]
    advice: NDArray[np.float64]
    confidence: NDArray[np.float64]
    asked: NDArray[np.int64]
    between: list[Between]

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Which bars something was decided on, (T,)."""
        return self.action >= 0

    @property
    def fusion(self) -> tuple[str, tuple[float, ...]] | None:
        """What decisions were fused with: rule, and :data:`FUSION_NUMBERS`. None for bare."""
        if self.header.get("fusion") is None:
            return None
        return self.header["fusion"], tuple(self.header["fusion_numbers"])


def read_log(path: Path) -> LiveLog:
    """Read a decision log. A last line that was cut off, as a crash leaves it, is left out.

    Raises:
        NothingDecidedError: it holds no bar, or not even a whole first line.
        InputError: there is no such file, it is no such log or of another version, or a line in its
            midst can't be read; names the line.
    """
    try:
        whole, end, rest = path.read_bytes().rpartition(b"\n")
        # What was cut off may end within a character, so it is never decoded.
        lines = whole.decode("utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read ({_why(error)}); give a decision log") from None
    torn = bool(rest)  # a whole file ends with a line's end
    if not end:
        what = "its first line is cut off" if torn else "it is empty"
        raise NothingDecidedError(f"{path}: {what}, so nothing says what made it; give another log")
    entries = [_parse(path, number, line) for number, line in enumerate(lines, 1)]
    header = _header(path, entries)
    bars: list[dict[str, Any]] = []
    between = [Between()]
    for number, entry in enumerate(entries[1:], 2):
        try:
            _take(entry, header, bars, between)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"{path}, line {number}: not a line of a decision log ({_why(error)}); copy the file "
                "again"
            ) from None
    if not bars:
        raise NothingDecidedError(f"{path}: it holds no bar; let the strategy run and give a later log")
    texts: dict[str, Any] = {name: [bar[name] for bar in bars] for name in TEXTS}
    columns: dict[str, Any] = {
        name: np.array([bar[name] for bar in bars]) for name in bars[0] if name not in TEXTS
    }
    return LiveLog(path, header, torn, between=between, **texts, **columns)


def _parse(path: Path, number: int, line: str) -> dict[str, Any]:
    return decode_json(
        line, dict[str, Any], HEADER_LINE if number == 1 else LINE, where=f"{path}, line {number}"
    )


def _header(path: Path, entries: list[dict[str, Any]]) -> dict[str, Any]:
    header = entries[0] if entries else {}
    if header.get("kind") != KIND:
        raise InputError(f"{path}: no header of a decision log in its first line; give the whole file")
    if header.get("version") != VERSION:
        raise InputError(
            f"{path}: version {header.get('version')!r} of the log is not {VERSION}; use the version "
            "of this program that the strategy came with"
        )
    phase = header.get("phase")
    missing = [name for name, kind in HEADER.items() if not isinstance(header.get(name), kind)]
    if missing or phase not in (1, 2):
        raise InputError(
            f"{path}: its header says no {', '.join(missing) or 'phase'}; copy the file again"
        )
    if "fusion" in header:
        numbers = header.get("fusion_numbers")
        has_numbers = isinstance(numbers, list) and [type(x) in (int, float) for x in numbers] == [
            True for _ in FUSION_NUMBERS
        ]
        if not isinstance(header["fusion"], str) or not has_numbers:
            raise InputError(f"{path}: what its header says of the fusion is damaged; copy it again")
    own = {
        "features": list(FEATURES),
        "position": list(POSITION[: 5 if phase == 1 else 8]),
        "actions": list(ACTIONS[: 3 if phase == 1 else 6]),
    }
    for name, names in own.items():
        if header.get(name) != names:
            raise InputError(
                f"{path}: its {name} are not {', '.join(names)}; use the version of this program that "
                "the strategy came with"
            )
    return header


def _take(
    entry: dict[str, Any], header: Mapping[str, Any], bars: list[dict[str, Any]], between: list[Between]
) -> None:
    """Add a line to what was read so far."""
    event = entry["event"]
    if event == "fill":
        side, quantity = _whole(entry["side"]), _whole(entry["quantity"])
        if side not in (-1, 1) or quantity < 1:
            raise ValueError("a fill has side 1 or -1 and a quantity")
        latency = entry["latency_ms"]
        fill = Fill(
            str(entry["time"]),
            side,
            quantity,
            _number(entry["price"]),
            str(entry["order"]),
            _mode(entry),
            None if latency is None else _number(latency),
        )
        between[-1].fills.append(fill)
    elif event == "ended":
        between[-1].ended.append(str(entry["order"]))
    elif event == "alive":
        _mode(entry)
    elif event == "bar":
        bar = _bar(entry, header)
        if entry["number"] != len(bars):
            raise ValueError(f"bar {len(bars)} is missing")
        if bars and bar["time_ns"] <= bars[-1]["time_ns"]:
            raise ValueError("time stands still or runs backwards")
        bars.append(bar)
        between.append(Between())
    else:
        raise ValueError(f"{event!r} is no event")


def _bar(entry: dict[str, Any], header: Mapping[str, Any]) -> dict[str, Any]:
    position, actions = len(header["position"]), len(header["actions"])
    skipped = entry.get("skipped")
    nothing: dict[str, Any] = {
        "observed": [None] * position,
        "mask": [False] * actions,
        "logits": [None] * actions,
        "action": -1,
    }
    silent: dict[str, Any] = {"advice": [None] * 3, "confidence": None, "asked": -1}
    made = entry if skipped is None else nothing
    fused = entry if skipped is None and "fusion" in header else silent
    mask = np.array([_flag(x) for x in made["mask"]], np.bool_)
    action = _whole(made["action"])
    if mask.shape != (actions,) or not -1 <= action < actions or (action < 0) != (skipped is not None):
        raise ValueError(f"a mask of {actions} and one of {actions} actions are needed")
    advice = _numbers([*fused["advice"], fused["confidence"]], 4)
    if fused is entry and not np.isfinite(advice).all():
        raise ValueError("three chances and a confidence are needed")
    return {
        "time_ns": np.datetime64(str(entry["time"]).removesuffix("Z"), "ns").astype(np.int64),
        "ohlcv": _numbers(entry["ohlcv"], len(COLUMNS)),
        "minute": _whole(entry["minute"]),
        "mode": _mode(entry),
        "flat_by": _whole(entry["flat_by"]),
        "withheld": None if entry.get("withheld") is None else str(entry["withheld"]),
        "features": _numbers(entry["features"], len(FEATURES)),
        "distances": np.array(
            [_whole(x) for x in _numbers(entry["distances"], len(DISTANCES))], np.int64
        ),
        "held": np.array(
            [*(_whole(entry[name]) for name in HELD[:-1]), _flag(entry[HELD[-1]])], np.int64
        ),
        "skipped": None if skipped is None else str(skipped),
        "observed": _numbers(made["observed"], position),
        "mask": mask,
        "logits": _numbers(made["logits"], actions),
        "action": action,
        "advice": advice[:3],
        "confidence": advice[3],
        "asked": _whole(fused["asked"]),
    }


def _mode(entry: dict[str, Any]) -> str:
    mode = str(entry["mode"])
    if mode not in MODES:
        raise ValueError(f"{mode!r} is none of {', '.join(MODES)}")
    return mode


def _numbers(values: Any, count: int) -> NDArray[np.float64]:
    """Return numbers as float64, null as NaN."""
    numbers = np.array([np.nan if x is None else _number(x) for x in values], np.float64)
    if numbers.shape != (count,):
        raise ValueError(f"{count} numbers are needed where there are {len(numbers)}")
    return numbers


def _number(value: Any) -> float:
    """Return a number of a line; a word such as "nan", which would be within any limit, is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _flag(value: Any) -> bool:
    """Return a flag of a line; any word, "false" among them, would be taken for true."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _whole(value: Any) -> int:
    """Return a whole number of a line; a broken one would be taken for the one below it."""
    number = _number(value)
    if number != int(number):
        raise ValueError(f"{value!r} is no whole number")
    return int(number)


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no {error.args[0]}"
    return getattr(error, "strerror", None) or str(error)
