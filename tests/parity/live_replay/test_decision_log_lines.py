"""A decision log of three bars by hand, read as a whole, and spoilt in one value at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from parity.live_replay import decision_log
from parity.live_replay.decision_log import Between, Fill, NothingDecidedError, read_log
from tests.parity.live_replay.made_replay import DIGEST, Lines, decided, fill, small, waiting, written
from tests.sentences import refuses

NAN = math.nan


def test_every_value_of_a_log_is_read_into_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, small())
    log = read_log(path)
    assert (log.path, len(log), log.torn, log.header["policy_sha256"]) == (path, 3, False, DIGEST)
    assert log.header == small()[0]
    open_ns = np.datetime64("2025-01-06T14:30:00", "ns").astype(np.int64)
    expected: dict[str, Any] = {
        "time_ns": open_ns + np.arange(3) * 60_000_000_000,
        "ohlcv": [
            [6000, 6003.25, 5998.5, 6001.75, 120],
            [6001, 6003.25, 5997.5, 6001.75, 121],
            [6002, 6003.25, 5996.5, 6001.75, 122],
        ],
        "minute": [570, 571, 572],
        "flat_by": [950, 951, 952],
        "features": [
            [NAN, *range(1, 11)],
            [0.125, NAN, *(x + 0.125 for x in range(2, 11))],
            [0.25, 1.25, NAN, *(x + 0.25 for x in range(3, 11))],
        ],
        "distances": [[8, 17, 5], [9, 17, 5], [10, 17, 5]],
        "held": [[0] * 6, [0] * 6, [-1, 24_002, 24_010, 23_979, 1, 1]],
        "observed": [[NAN] * 8, [NAN] * 8, [-1, 0.25, 0.5, -0.75, 0.125, 1, 0, 1]],
        "mask": [[False] * 6, [False] * 6, [True, False, False, True, True, False]],
        "logits": [[NAN] * 6, [NAN] * 6, [0.5, -2, 1.5, 3, -0.25, 0.5]],
        "action": [-1, -1, 3],
        "advice": [[NAN] * 3] * 3,
        "confidence": [NAN] * 3,
        "asked": [-1] * 3,
        "decided": [False, False, True],
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(getattr(log, name), values, err_msg=name)
    assert log.mode == ["historical", "virtual", "live"]
    assert log.skipped == ["warming up", "warming up", None]
    assert log.withheld == [None, "too late", None]
    assert log.fusion is None
    time = "2025-01-06T14:31:02Z"
    assert log.between == [
        Between(),
        Between(),
        Between([Fill(time, -1, 2, 6000.25, "RLTrader", "live", 41.5)], ["RLTrader", "Stop loss"]),
        Between(
            [
                Fill(time, 1, 1, 5994.75, "Profit target", "backtest", None),
                Fill(time, 1, 1, 6002.5, "Stop loss", "virtual", 0.0),
            ]
        ),
    ]


def fused_lines() -> Lines:
    lines = small(fusion="gated", fusion_numbers=[2.0, 0.75, 0.25, 4])
    lines[6] |= {"advice": [0.5, 0.375, 0.125], "confidence": 0.875, "asked": 28_935_271}
    return lines


def test_advice_is_read_where_the_header_tells_of_a_fusion(tmp_path: Path) -> None:
    lines = fused_lines()
    log = read_log(written(tmp_path, lines))
    assert log.fusion == ("gated", (2.0, 0.75, 0.25, 4))
    np.testing.assert_array_equal(log.advice, [[NAN] * 3, [NAN] * 3, [0.5, 0.375, 0.125]])
    np.testing.assert_array_equal(log.confidence, [NAN, NAN, 0.875])
    assert log.asked.tolist() == [-1, -1, 28_935_271]
    del lines[0]["fusion"], lines[0]["fusion_numbers"]
    bare = read_log(written(tmp_path, lines))
    assert np.isnan(bare.advice).all()
    assert bare.asked.tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    "values",
    [
        {"advice": [0.5, 0.375, None]},
        {"advice": [0.5, 0.375]},
        {"advice": [0.5, 0.25, 0.125, 0.125]},
        {"confidence": None},
        {"asked": None},
        {"asked": 0.5},
    ],
)
def test_advice_that_is_not_whole_is_refused(values: dict[str, Any], tmp_path: Path) -> None:
    """No chance at all would lose every comparison, and leave the first action."""
    lines = fused_lines()
    lines[6] |= values
    with refuses():
        read_log(written(tmp_path, lines))


def test_the_first_action_is_a_decision_and_the_last_is_one(tmp_path: Path) -> None:
    for phase, last in ((1, 2), (2, 5)):
        for action in (0, last):
            size = 8 if phase == 2 else 5
            line = decided(0, action=action, observed=[0.0] * size, entry_bar=0)
            line |= {"mask": [True] * (last + 1), "logits": [0.0] * (last + 1)}
            log = read_log(written(tmp_path, [small(phase)[0], line]))
            assert (log.action.tolist(), log.decided.tolist()) == ([action], [True])
            for wrong in (-1, last + 1):
                with pytest.raises(InputError, match=r"line 2: .* one of [36] actions are needed"):
                    read_log(written(tmp_path, [small(phase)[0], {**line, "action": wrong}]))
            skipped = {**line, "skipped": "halted"}
            assert read_log(written(tmp_path, [small(phase)[0], skipped])).action.tolist() == [-1]


@pytest.mark.parametrize("kept", [1, 40])
def test_a_last_line_without_its_end_is_left_out_and_told(kept: int, tmp_path: Path) -> None:
    """The end of a line is what says that it is whole; a line that is only a header needs a bar."""
    path = written(tmp_path, small()[:3])
    whole = path.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    path.write_bytes(whole[: last + kept])
    log = read_log(path)
    assert (log.torn, len(log)) == (True, 1)
    path.write_bytes(whole[:-1])
    assert (read_log(path).torn, len(read_log(path))) == (True, 1)
    path.write_bytes(whole)
    assert (read_log(path).torn, len(read_log(path))) == (False, 2)
    path.write_bytes(whole + "é".encode()[:1])  # cut within a character
    assert (read_log(path).torn, len(read_log(path))) == (True, 2)


@pytest.mark.parametrize("kept", [0, 1, 40], ids=str)
def test_a_log_without_a_whole_first_line_decides_nothing(kept: int, tmp_path: Path) -> None:
    """As where the strategy or the machine ended while it was begun; among several it is left out."""
    path = written(tmp_path, small()[:1])
    path.write_bytes(path.read_bytes()[:kept])
    with refuses(kind=NothingDecidedError):
        read_log(path)


def spoilt(at: int, **values: Any) -> Callable[[Lines, Path], None]:
    def spoil(lines: Lines, path: Path) -> None:
        lines[at] |= values
        for name, value in values.items():
            if value is ...:
                del lines[at][name]
        written(path.parent, lines)

    return spoil


SPOILT: dict[str, Callable[[Lines, Path], None]] = {
    "another kind": spoilt(0, kind="decisions"),
    "an older version": spoilt(0, version=1),
    "a newer version": spoilt(0, version=3),
    "no version": spoilt(0, version=...),
    "a third phase": spoilt(0, phase=3),
    "phase 0": spoilt(0, phase=0),
    "no preload": spoilt(0, preload=...),
    "a window in words": spoilt(0, window="3", contracts=None),
    "features in another order": spoilt(0, features=["volume", "close"]),
    "the other phase's position": spoilt(0, position=small(1)[0]["position"]),
    "the other phase's actions": spoilt(0, actions=small(1)[0]["actions"]),
    "a fusion without numbers": spoilt(0, fusion="gated"),
    "a fusion of no rule": spoilt(0, fusion=1, fusion_numbers=[2.0, 0.75, 0.25, 4]),
    "the first bar of all is missing": spoilt(1, number=1),
    "a bar is told twice": spoilt(2, number=0),
    "time stands still": spoilt(2, time="2025-01-06T14:30:00Z"),
    "time runs backwards": spoilt(2, time="2025-01-06T14:29:00Z"),
    "an unknown mode of a bar": spoilt(2, mode="paper"),
    "an unknown mode of a fill": spoilt(3, mode="paper"),
    "an unknown mode of a sign of life": spoilt(7, mode="paper"),
    "a fill of no side": spoilt(3, side=0),
    "a fill of two sides": spoilt(3, side=2),
    "a fill of nothing": spoilt(3, quantity=0),
    "a fill of less than nothing": spoilt(3, quantity=-1),
    "a latency in words": spoilt(8, latency_ms="soon"),
    "a fill without a latency": spoilt(8, latency_ms=...),
    "an order that ended without a name": spoilt(4, order=...),
    "an unknown event": spoilt(7, event="note"),
    "four prices": spoilt(1, ohlcv=[1.0, 2.0, 0.5, 1.5]),
    "six prices": spoilt(1, ohlcv=[1.0, 2.0, 0.5, 1.5, 7, 7]),
    "a distance too many": spoilt(6, distances=[1, 2, 3, 4]),
    "a feature too few": spoilt(6, features=[0.5] * 10),
    "a position of the other phase": spoilt(6, observed=[0.5] * 5),
    "a mask of the other phase": spoilt(6, mask=[True] * 3),
    "logits of the other phase": spoilt(6, logits=[0.5] * 3),
    "an action after the last": spoilt(6, action=6),
    "no action though decided": spoilt(6, action=-1),
    "no logits though decided": spoilt(6, logits=...),
    "no end of the day": spoilt(1, flat_by=...),
    "a time that is none": spoilt(1, time="noon"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_one_spoilt_value_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    SPOILT[name](small(), tmp_path / "log.jsonl")
    with refuses():
        read_log(tmp_path / "log.jsonl")


def test_a_log_whose_first_bar_is_cut_off_holds_none(tmp_path: Path) -> None:
    for lines, end in ((small()[:2], ""), (small()[:1], "\n"), ([small()[0], fill()], "\n")):
        with refuses(kind=NothingDecidedError):
            read_log(written(tmp_path, lines, end=end))


@pytest.mark.parametrize("value", [math.inf, -math.inf, NAN, "1", True])
def test_what_is_no_finite_number_is_none(value: Any) -> None:
    with pytest.raises(ValueError, match="is no number"):
        decision_log._number(value)


def test_a_line_longer_than_a_million_bytes_is_not_read(tmp_path: Path) -> None:
    """Neither the first, which has a limit of its own, nor a later one."""
    for place in (0, 2):
        lines = small()
        lines[place]["note"] = "x" * ((1 << 20) - 2000)
        assert len(read_log(written(tmp_path, lines))) == 3
        lines[place]["note"] = "x" * (1 << 20)
        with refuses():
            read_log(written(tmp_path, lines))


def test_lines_of_every_kind_may_repeat(tmp_path: Path) -> None:
    lines = [small()[0], fill(), waiting(0), fill(price=1.5), fill(price=2.5), waiting(1)]
    log = read_log(written(tmp_path, lines))
    assert [[one.price for one in some.fills] for some in log.between] == [[6000.25], [1.5, 2.5], []]
