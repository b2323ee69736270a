"""Memory of the reference's environments: of those in one process, and of workers."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from benchmarks.baselines import reference_memory
from benchmarks.harness.rows import MemoryRow


@pytest.mark.parametrize(
    ("sizes", "size", "error"),
    [
        ([1000, 1800], 100.0, None),
        ([None, 1800], None, reference_memory.UNREADABLE),
        ([1000, None], None, reference_memory.UNREADABLE),
        ([1000, 1000], None, "the process did not grow: it had room to spare"),
    ],
)
def test_what_one_more_adds_is_told_of_eight_beside_the_first(
    sizes: list[int | None], size: float | None, error: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    left = list(sizes)
    seen: list[int] = []

    def pss(_: int) -> int | None:
        seen.append(len(made))
        return left.pop(0)

    monkeypatch.setattr(reference_memory, "TradingEnvPhase1", lambda *given: made.append(given))
    monkeypatch.setattr(reference_memory, "pss_bytes", pss)
    monkeypatch.setattr(reference_memory.gc, "collect", lambda: None)
    row = reference_memory.in_process_row("bars", "rules")  # type: ignore[arg-type]
    assert (row.bytes, row.error, seen) == (size, error, [1, 9])
    assert made == [("bars", "rules")] * 9
    assert (row.side, row.per) == ("reference", "environment")


def test_every_size_has_a_row_of_the_bars_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = MemoryRow(name="one", side="reference", per="environment")
    told: list[Any] = []

    def worker(bars: Any, config: Any, workers: int) -> MemoryRow:
        told.append((bars, config.phase, workers))
        return msgspec.structs.replace(row, name=f"{workers} workers")

    monkeypatch.setattr(reference_memory, "in_process_row", lambda *given: told.append(given[0]) or row)
    monkeypatch.setattr(reference_memory, "worker_row", worker)
    monkeypatch.setattr(
        reference_memory, "synthetic_bars", lambda symbol, days, seed: (symbol, days, seed)
    )
    monkeypatch.setattr(sys, "argv", ["x", "--symbol", "NQ", "--days", "7", "--workers", "2,5"])
    reference_memory.main()
    bars = ("NQ", 7, 0)
    assert told == [bars, (bars, 1, 2), (bars, 1, 5)]
    rows = msgspec.json.decode(capsys.readouterr().out, type=list[MemoryRow])
    assert [one.name for one in rows] == ["one", "2 workers", "5 workers"]


@pytest.mark.parametrize(
    ("sizes", "mean", "kept", "error"),
    [
        ({7: 100, 8: 300, 9: 500}, 300.0, (100, 300, 500), None),
        ({7: 100, 9: 500}, 300.0, (100, 500), None),
        ({}, None, (), reference_memory.UNREADABLE),
    ],
)
def test_workers_are_looked_at_once_they_have_stepped(
    sizes: dict[int, int], mean: float | None, kept: tuple[int, ...], error: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    done: list[Any] = []
    processes = [SimpleNamespace(pid=pid) for pid in (7, 8, 9)]
    vec = SimpleNamespace(
        processes=processes, reset=lambda: done.append("reset"),
        step=lambda actions: done.append(actions.tolist()), close=lambda: done.append("closed"),
    )  # fmt: skip

    def pss(pid: int) -> int | None:
        done.append(pid)
        return sizes.get(pid)

    module = SimpleNamespace(make_vec_env=lambda *given, **named: vec)
    monkeypatch.setitem(sys.modules, "legacy_torch.train", module)
    monkeypatch.setattr(reference_memory, "pss_bytes", pss)
    row = reference_memory.worker_row("bars", "rules", 3)  # type: ignore[arg-type]
    assert (row.bytes, row.worker_bytes, row.error) == (mean, kept, error)
    assert done == ["reset", *[[0, 0, 0]] * 50, 7, 8, 9, "closed"]
