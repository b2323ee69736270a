"""What is written for the C# checker and read back, with a program that answers as it is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from jax_port.export.layers import layer_names
from parity.export_chain import csharp
from parity.export_chain.csharp import Checker, _run, missing
from parity.export_chain.day import to_csv
from tests.jax_port.export.made_bundle import bars, made_policy


def said(command: str, may_fail: bool = False) -> str:
    return _run(["bash", "-c", command], may_fail)


def test_a_program_s_answer_is_what_it_prints_and_its_failure_is_told() -> None:
    assert said("echo one; echo two >&2") == "one\n"
    assert said("echo all; exit 1", may_fail=True) == "all\n"
    for command, may_fail, words in (
        ("echo out; echo first >&2; echo second >&2; exit 1", False, "bash failed: first"),
        ("echo out; echo more; exit 2", True, "bash failed: out"),
        ("exit 3", True, "bash failed: no message"),
    ):
        with pytest.raises(InputError) as raised:
            said(command, may_fail)
        assert str(raised.value) == words


def test_a_program_that_takes_too_long_is_ended_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csharp, "SECONDS", 0.2)
    with pytest.raises(InputError, match=r"^bash did not answer within 0\.2 seconds; export"):
        said("sleep 30")


@pytest.mark.parametrize("here", [(), ("mcs",), ("mono",), ("mcs", "mono")])
def test_the_compiler_and_the_runtime_are_both_needed(
    monkeypatch: pytest.MonkeyPatch, here: tuple[str, ...]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name in here else None)
    assert missing() == (None if len(here) == 2 else csharp.MISSING)
    assert csharp.available() == (len(here) == 2)
    monkeypatch.setattr(csharp, "SOURCES", Path("/nowhere"))
    assert missing() == csharp.NO_SOURCES


class Told:
    """Notes what the checker is called with, and answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.calls: list[list[str]] = []
        self.may_fail: list[bool] = []
        self.answer: Any = {}
        self.made: Any = None
        self.read: list[bytes] = []
        self.checker = Checker(Path("check.exe"), Path("bundle"), folder)
        monkeypatch.setattr(csharp, "_run", self.run)

    def run(self, command: list[str], may_fail: bool = False) -> str:
        self.calls.append(list(command))
        self.may_fail.append(may_fail)
        self.read = [Path(one).read_bytes() for one in command[4:] if Path(one).is_file()]
        if self.made is not None:
            Path(command[-1]).write_bytes(self.made.tobytes())
        return json.dumps(self.answer)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    return Told(monkeypatch, tmp_path)


def test_golden_values_and_a_day_may_fail_and_are_answered(told: Told, tmp_path: Path) -> None:
    told.answer = {"features": 3}
    assert told.checker.golden() == {"features": 3}
    assert told.calls == [["mono", "check.exe", "golden", "bundle"]]
    few = bars().select(np.arange(len(bars())) < 5)
    seconds = (few.timestamps_ns // 1_000_000_000).tolist()
    day = {"features": [{"time": seconds[1]}, {"time": seconds[3]}]}
    assert told.checker.day(few, day) == {"features": 3}
    assert told.calls[1][2:] == ["golden", "bundle", *(str(tmp_path / x) for x in csharp_files())]
    assert told.read[0].decode() == to_csv(few, seconds[3])
    assert json.loads(told.read[1]) == day
    assert told.may_fail == [True, True]
    told.answer = [7.5, 8.0]
    assert told.checker.latency(20) == [7.5, 8.0]
    assert told.calls[2][2:] == ["latency", "bundle", "20"]
    assert told.may_fail[2] is False


def csharp_files() -> tuple[str, str]:
    return "bars.csv", "day.json"


def test_features_are_a_row_a_bar(told: Told, tmp_path: Path) -> None:
    told.made = np.arange(3 * 14, dtype=np.float64)
    few = bars().select(np.arange(len(bars())) < 3)
    found = told.checker.features(few)
    assert found.tolist() == told.made.reshape(3, 14).tolist()
    assert told.read[0].decode() == to_csv(few)
    file = tmp_path / "own.csv"
    file.write_text("as it is")
    told.checker.features(file)
    assert told.calls[-1][2:5] == ["features", "bundle", str(file)]
    assert told.read[0] == b"as it is"


def test_times_are_told_with_their_number_and_minutes_come_back(told: Told) -> None:
    told.made = np.array([570, 1019], np.int32)
    assert told.checker.minutes(np.array([5, 1 << 40])).tolist() == [570, 1019]
    assert told.read[0] == np.int32(2).tobytes() + np.array([5, 1 << 40], "<i8").tobytes()


def test_every_stage_of_a_decision_is_its_own_columns(told: Told) -> None:
    policy = made_policy(2)
    size, names = policy.observation_size, layer_names(policy.spec)
    widths = [size, size, *(len(policy.params["params"][name]["bias"]) for name in names), 1]
    rng = np.random.default_rng(0)
    obs = rng.normal(size=(2, size)).astype(np.float32)
    masks = rng.random((2, 6)) < 0.5
    table = np.arange(2 * sum(widths), dtype=np.float64).reshape(2, -1)
    table[:, -1] = [4, 2]
    told.made = table
    stages = told.checker.side(policy)(obs, masks)
    assert list(stages) == ["standardised", "clipped", *names, "action"]
    begin = 0
    for name, width in zip(stages, widths, strict=True):
        if name != "action":
            np.testing.assert_array_equal(stages[name], table[:, begin : begin + width])
        begin += width
    assert stages["action"].tolist() == [4, 2]
    assert stages["action"].dtype == np.int64
    rows = b"".join(o.tobytes() + m.tobytes() for o, m in zip(obs, masks, strict=True))
    assert told.read[0] == np.int32(2).tobytes() + rows


def test_the_checker_is_compiled_strictly_of_all_that_it_is_made_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Sources of each program by folder, and by name within one; the library's come first."""
    names = {
        "policy": ["B.cs", "A.cs"], "live": ["D.cs", "C.cs"], "check": ["Check.cs"],
        "strategy": ["Strategy.cs"], "host": ["Host.cs"], "host/stubs": ["Stub.cs"],
    }  # fmt: skip
    for folder, files in names.items():
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for file in (*files, "notes.txt"):
            (tmp_path / folder / file).write_text("")
    monkeypatch.setattr(csharp, "SOURCES", tmp_path)
    library = [tmp_path / name for name in ("policy/A.cs", "policy/B.cs", "live/C.cs", "live/D.cs")]
    assert csharp.library() == library
    assert csharp.strategy_sources() == [*library, tmp_path / "strategy/Strategy.cs"]
    host = [tmp_path / name for name in ("strategy/Strategy.cs", "host/stubs/Stub.cs", "host/Host.cs")]
    assert csharp.host_sources() == [*library, *host]
    sources = [*library, tmp_path / "check/Check.cs"]
    assert csharp.checker_sources() == sources
    ran: list[tuple[Any, ...]] = []
    monkeypatch.setattr(csharp, "_run", lambda *given: ran.append(given) or "")
    monkeypatch.setattr(csharp, "missing", lambda: None)
    out = tmp_path / "made.exe"
    assert csharp.compile_checker(out) == out
    options = ["-langversion:5", "-warnaserror", f"-out:{out}"]
    assert ran == [(["mcs", *options, *map(str, sources)],)]
    monkeypatch.setattr(csharp, "missing", lambda: "something is missing")
    with pytest.raises(InputError, match=r"^something is missing$"):
        csharp.compile_checker(out)
    assert len(ran) == 1


def test_an_answer_that_is_none_is_the_checker_s_fault(told: Told) -> None:
    for answer in ("no object", [1], None):
        told.answer = answer
        with pytest.raises(InputError, match=r"^ParityCheck\.exe: "):
            told.checker.golden()
    told.answer = {"features": 3}
    with pytest.raises(InputError, match=r"^ParityCheck\.exe: "):
        told.checker.latency(3)
