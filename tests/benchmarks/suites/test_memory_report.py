"""Which programs' memory and use of the machine are measured, how, and what the report says."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest
from click.testing import CliRunner
from msgspec.structs import replace as replace_fields
from rich.console import Console

from benchmarks.baselines.reference_trainer import reference_settings
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import SCHEMA, MarketData, MemoryReport
from benchmarks.harness.rows import MemoryRow, UtilisationRow
from benchmarks.suites import memory
from benchmarks.suites.memory import main
from foundation.report.format import byte_size
from jax_port.data.data_loader import prepare
from jax_port.ppo.settings import TrainSettings
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.commands import Parts

ROW = MemoryRow(name="program", side="port", per="environment")


class Made:
    """Stands for a workload; knows what it was made of."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.name, self.envs, self.given = "made", named.get("envs", 1), (*given, named)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no workload be made of more than its words, on four devices."""
    for name in ("PortWorkload", "NumpyWorkload", "ReferenceWorkload", "VecEnvWorkload"):
        monkeypatch.setattr(memory, name, Made)
    for name in ("PortTrainer", "ReferenceTrainer"):
        monkeypatch.setattr(memory, name, Made)
    monkeypatch.setattr(jax, "device_count", lambda: 4)


MARKET: Any = SimpleNamespace(
    params="params", bars="bars", config="rules", prepared="prepared",
    data=MarketData(source="x", symbol="NQ", bars=9, starts=3, digest="0", device_bytes=1),
)  # fmt: skip


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("quick", [True, False])
def test_every_program_s_memory_and_use_of_the_machine_is_in_the_report(
    legacy: bool, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = Parts(monkeypatch)
    told = parts.told

    def part(name: str, answer: Any) -> None:
        parts.stand_for({f"benchmarks.suites.memory.{name}": answer})

    def row(*words: Any) -> MemoryRow:
        return replace_fields(ROW, name=" ".join(map(str, words)))

    part("read_or_generate", lambda *_: "bars")
    part("make_market", lambda _: MARKET)
    part("reference_rows", lambda *_: [row("workers"), row("more workers")])
    part("loop_row", lambda params, form, size: row(form, size))
    part("trainer_row", lambda params, settings: row("trained", settings.n_envs))
    part("market_rows", lambda _: [row("market"), row("bars")])
    part("utilisation", lambda workload, side, seconds: (side, workload.given, seconds))
    options = {
        "symbol": "NQ", "days": 7, "sizes": "64,4000,8", "workers": "5,9,2", "legacy": legacy,
        "seconds_per_row": 0.5,
    }  # fmt: skip
    report = memory.measure(options, quick)
    assert told["read_or_generate"] == [(None, "NQ", 7)]
    assert told["make_market"] == [("bars",)]
    assert told.get("reference_rows") == ([("NQ", 7, "5,9,2")] if legacy else None)
    trained = TrainSettings(n_envs=16, n_steps=8, batch_size=64) if quick else TrainSettings()
    assert told["trainer_row"] == [("params", trained)]
    loops = [f"{form} {size}" for size in (64, 4000, 8) for form in ("obs", "none")]
    assert [one.name for one in report.rows] == [
        *(["workers", "more workers"] if legacy else []), *loops, f"trained {trained.n_envs}",
        "market", "bars",
    ]  # fmt: skip
    envs = 4000 if quick else 10_000
    theirs = reference_settings(*((1, 9, 64, 64) if quick else (4, 9, 512, 4096)))
    use: Any = report.utilisation
    sizes = {"envs": envs, "seed": 0}
    assert [(side, *given) for side, given, _ in use] == [
        ("port", "params", "obs", {**sizes, "steps": 100}),
        ("port", "params", "none", {**sizes, "steps": 400}),
        ("NumPy", "prepared", "rules", {**sizes, "steps": 10}),
        ("port", "params", trained, {}),
        ("port", "params", "obs", {**sizes, "steps": 100, "devices": 4}),
        *(
            [
                ("reference", "bars", "rules", {"steps": 500, "seed": 0}),
                (
                    *("reference", "bars", "rules"),
                    {"workers": 9, "in_process": False, "steps": 200, "seed": 0},
                ),
                ("reference", "bars", "rules", theirs, {}),
            ]
            if legacy
            else []
        ),
    ]
    assert {seconds for *_, seconds in use} == {0.5}
    assert (report.data, report.settings["sizes"]) == (MARKET.data, "64,4000,8")


def test_rows_of_the_reference_come_from_its_own_process_or_say_why_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    rows = b'[{"kind": "memory", "name": "a", "side": "reference", "per": "environment", "bytes": 7.0}]'
    ends = [(0, rows.decode(), "warned"), (3, "", "first\nlast\n"), (1, "", " ")]

    def run(command: list[str], **how: Any) -> Any:
        asked.append(command[1:])
        assert how == {"capture_output": True, "text": True, "check": False}
        code, out, error = ends.pop(0)
        return SimpleNamespace(returncode=code, stdout=out, stderr=error)

    monkeypatch.setattr(memory.subprocess, "run", run)
    found = [memory.reference_rows("NQ", 7, "2,4")[0] for _ in range(3)]
    words = ["--symbol", "NQ", "--days", "7", "--workers", "2,4"]
    assert asked == [["-m", "benchmarks.baselines.reference_memory", *words]] * 3
    assert [(row.name, row.bytes, row.error) for row in found] == [
        ("a", 7.0, None), ("reference, workers", None, "last"),
        ("reference, workers", None, "it printed nothing"),
    ]  # fmt: skip


def test_the_trainer_is_planned_for_so_many_environments_and_for_twice_as_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def update(params: Any, settings: TrainSettings) -> Any:
        assert (params, settings.n_steps) == ("params", 5)
        sizes = {"argument": 100, "output": 60, "alias": 40, "temp": 7}
        plan = {f"{name}_size_in_bytes": 1000 + size * settings.n_envs for name, size in sizes.items()}
        return SimpleNamespace(memory_analysis=lambda: SimpleNamespace(**plan))

    monkeypatch.setattr(memory, "_update", update)
    settings = TrainSettings(n_envs=12, n_steps=5, batch_size=60)
    row = memory.trainer_row("params", settings)  # type: ignore[arg-type]
    assert row.name == "port, training, 12 environments x 5 steps"
    assert row.parts == {"arguments": 100.0, "results": 20.0, "temporary": 7.0}
    assert (row.bytes, row.envs, row.shared_bytes, row.error) == (127.0, 12, 2000.0, None)


def test_a_loop_s_two_sizes_are_prepared_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []

    class Loop(Made):
        def prepare(self) -> None:
            done.append(("prepared", self.given))
            self.compiled = self.envs

        def close(self) -> None:
            done.append(("closed", self.envs))

    monkeypatch.setattr(memory, "PortWorkload", Loop)
    monkeypatch.setattr(
        memory, "planned", lambda row, *given: replace_fields(row, bytes=float(sum(given)))
    )
    row = memory.loop_row("params", "none", 3000)  # type: ignore[arg-type]
    assert row.name == "port, without observations, 3,000 environments"
    assert (row.form, row.envs, row.bytes) == ("none", 3000, 3000 + 6000 + 3000)
    assert done == [
        *(
            ("prepared", ("params", "none", {"envs": envs, "steps": 8, "seed": 0}))
            for envs in (3000, 6000)
        ),
        *(("closed", envs) for envs in (3000, 6000)),
    ]


def test_a_market_s_bytes_are_those_of_its_session() -> None:
    params = SimpleNamespace(market=SimpleNamespace(nbytes=12345))
    config, whole = EnvConfig.phase1(), synthetic_bars("ES", days=2, seed=0, session="all")
    market: Any = SimpleNamespace(
        bars=whole, config=config, params=params, prepared=prepare(whole, config)
    )
    port, reference = memory.market_rows(market)
    frame = whole.session("rth").frame
    assert (port.bytes, port.bars, reference.bars) == (12345, 900, 900)
    assert reference.bytes == frame.memory_usage(index=True, deep=True).sum()
    assert (port.side, reference.side, port.per, reference.per) == (
        *("port", "reference"),
        *("market", "market"),
    )


class Run:
    """A workload of ten steps a run, which may break at its second one."""

    name, envs = "run", 7

    def __init__(self, breaks: bool = False) -> None:
        self.done, self.breaks = [], breaks  # type: ignore[var-annotated]

    def prepare(self) -> None:
        self.done.append("prepared")

    def run(self) -> int:
        self.done.append("run")
        if self.breaks and self.done.count("run") > 1:
            raise RuntimeError("it broke\nthere")
        return 10

    def close(self) -> None:
        self.done.append("closed")


def test_use_of_the_machine_is_watched_after_a_first_run(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 1.0, 2.0, 3.0])
    watched: list[Any] = []

    @contextmanager
    def watch() -> Any:
        watched.append(list(one.done))
        yield SimpleNamespace(
            wall_seconds=3.0, cpu_seconds=4.5, cores=2, gpu_share=None, gpu_reason="no"
        )
        watched.append(list(one.done))

    monkeypatch.setattr(memory, "watch_utilisation", watch)
    monkeypatch.setattr(memory, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    one = Run()
    row = memory.utilisation(one, "NumPy", 2.5)
    assert watched == [["prepared", "run"], ["prepared", *["run"] * 4]]
    assert one.done[-1] == "closed"
    assert (row.name, row.side, row.envs, row.steps, row.wall_seconds) == ("run", "NumPy", 7, 30, 3.0)
    assert (row.cpu_seconds, row.cores, row.gpu_reason, row.error) == (4.5, 2, "no", None)
    clock = iter([0.0])
    one = Run(breaks=True)
    row = memory.utilisation(one, "port", 2.5)
    assert (row.error, row.steps, one.done[-1]) == ("RuntimeError: it broke", 0, "closed")


def test_both_tables_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        replace_fields(ROW, how="so", bytes=2048.0),
        replace_fields(ROW, name="b", error="it broke"),
    )
    busy = UtilisationRow(
        name="c",
        side="port",
        envs=1,
        steps=1,
        wall_seconds=2.0,
        cpu_seconds=3.0,
        cores=2,
        gpu_share=0.5,
    )
    idle = replace_fields(busy, name="d", gpu_share=None, gpu_reason="none", cpu_seconds=1.0)
    report = MemoryReport(
        schema=SCHEMA, machine_info=machine_info(), settings={}, data=MARKET.data, rows=rows,
        utilisation=(busy, idle, replace_fields(busy, name="e", cpu_seconds=None, error="it died")),
    )  # fmt: skip
    memory.show(report, Console(width=130))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "memory per how bytes", f"program environment so {byte_size(2048)}", "b environment -",
        "b: it broke", "utilisation CPU GPU", "c 75% of 2 cores 50%", "d 25% of 2 cores none", "e - -",
        "e: it died",
    ]  # fmt: skip
    short = replace_fields(busy, wall_seconds=0.5, cpu_seconds=0.5)
    memory.show(replace_fields(report, utilisation=(busy, short)), Console(width=130))
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Shares of less than 1 s are rough: CPU time is read in hundredths."
    )


def test_options_reach_what_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(memory.cli, "use_host_devices", lambda: None)
    monkeypatch.setattr(memory, "measure", lambda *given: asked.append(given) or "report")
    monkeypatch.setattr(memory, "publish", lambda *given: asked.append(given))
    words = ["--symbol", "NQ", "--days", "9", "--sizes", "5", "--workers", "3", "--no-legacy"]
    words += ["--seconds-per-row", "0.5", "--json", "o.json"]
    for more in ([], ["--quick"]):
        assert CliRunner().invoke(main, [*words, *more]).exit_code == 0
    options = {"symbol": "NQ", "days": 9, "sizes": "5", "workers": "3", "seconds_per_row": 0.5}
    options |= {"legacy": False}
    few = {"days": 4, "sizes": "32", "workers": "2", "seconds_per_row": 0.02}
    published = ("report", memory.show, Path("o.json"))
    assert asked == [(options, False), published, ({**options, **few}, True), published]
