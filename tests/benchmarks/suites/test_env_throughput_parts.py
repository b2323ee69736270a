"""Which environments are measured at which sizes, how loading is timed, and what the report says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from rich.console import Console

from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import SCHEMA, EnvReport, LoadingTimes, MarketData
from benchmarks.harness.rows import EnvironmentRow
from benchmarks.harness.statistics import Samples
from benchmarks.suites import env_throughput
from benchmarks.suites.env_throughput import main
from markets import EnvConfig


class Made:
    """Stands for a workload; knows what it was made of."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.name, self.envs, self.given = "made", named.get("envs", 1), (*given, named)


SIZES = env_throughput.Sizes(
    envs=1600, sizes=(1, 64, 1600, 9000, 64), workers=(3, 5), steps=40, rounds=6, seconds_per_row=0.5,
    seed=7, legacy=True,
)  # fmt: skip
MARKET: Any = SimpleNamespace(
    params=SimpleNamespace(obs_size=225), bars="bars", config="rules", prepared="prepared"
)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no workload be made of more than its words, on four devices."""
    for name in ("PortWorkload", "NumpyWorkload", "CartPoleWorkload", "ReferenceWorkload"):
        monkeypatch.setattr(env_throughput, name, Made)
    monkeypatch.setattr(env_throughput, "VecEnvWorkload", Made)
    monkeypatch.setattr(jax, "device_count", lambda: 4)


@pytest.mark.usefixtures("made")
def test_the_port_is_measured_in_each_form_and_size_that_memory_allows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Of one environment 2 x 900 + 192 bytes with observations, and 192 without.
    monkeypatch.setattr(env_throughput, "free_bytes", lambda: 64 * (1992 + 192) + 1992 + 192 + 191)
    entries, left_out = env_throughput.port_entries(MARKET, SIZES)
    shown = [
        (one.row.name, one.row.form, one.row.devices, one.row.envs, one.workload.given)
        for one in entries
    ]  # type: ignore[attr-defined]

    def wanted(form: str, envs: int, steps: int, devices: int = 1, suffix: str = "") -> Any:
        named = {"envs": envs, "steps": steps, "seed": 7, "devices": devices}
        return f"made{suffix}", form, devices, envs, (MARKET.params, form, named)

    assert shown == [
        *(wanted(form, 1600, 40) for form in ("obs", "parts", "none")),
        *(wanted(form, 1600, 40, 4) for form in ("obs", "none")),
        *(wanted(form, 1, 4000, suffix=", 1 environment") for form in ("obs", "none")),
        *(wanted(form, 64, 1000, suffix=", 64 environments") for form in ("obs", "none")),
    ]
    assert {one.row.side for one in entries} == {"port"}
    assert [(row.name, row.form, row.envs) for row in left_out] == [
        ("made, 9,000 environments", form, 9000) for form in ("obs", "none")
    ]
    assert {row.error for row in left_out} == {"left out: it needs 0.0 GiB, and 0.0 are free"}
    monkeypatch.setattr(env_throughput, "free_bytes", lambda: None)
    monkeypatch.setattr(jax, "device_count", lambda: 3)
    entries, left_out = env_throughput.port_entries(MARKET, SIZES)
    assert [one.row.devices for one in entries] == [1] * 9
    assert (entries[-1].workload.given[-1]["steps"], left_out) == (8, [])  # type: ignore[attr-defined]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("legacy", [True, False])
def test_all_environments_of_the_same_bars_are_in_the_report(
    legacy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    def measured(entries: Any, rounds: int, seconds: float) -> Any:
        told.update(entries=entries, asked=(rounds, seconds))
        return ["rows"]

    late = EnvironmentRow(name="late", side="port", envs=1, unit="s", error="left out")
    market: Any = SimpleNamespace(
        **{**vars(MARKET), "config": EnvConfig.phase1()},
        data=MarketData(source="x", symbol="ES", bars=9, starts=3, digest="0", device_bytes=1),
    )
    monkeypatch.setattr(env_throughput, "port_entries", lambda *given: (["port"], [late]))
    monkeypatch.setattr(env_throughput, "measure_entries", measured)
    monkeypatch.setattr(env_throughput, "ratios", lambda rows: {"of": rows})
    report = env_throughput.measure(market, dataclasses.replace(SIZES, legacy=legacy), {"a": "b"})
    assert told["asked"] == (6, 0.5)
    first, *entries = told["entries"]
    assert first == "port"
    vec = {"steps": 40, "seed": 7}
    assert [(one.row.side, one.row.name, one.workload.given) for one in entries] == [
        ("NumPy", "made", ("prepared", market.config, {"envs": 1600, "steps": 4, "seed": 7})),
        (
            *("NumPy", "made, 1,000 environments"),
            ("prepared", market.config, {"envs": 1000, "steps": 6, "seed": 7}),
        ),
        ("CartPole", "made", ({"envs": 1600, "steps": 40, "seed": 7},)),
        *(
            [
                ("reference", "made", ("bars", market.config, {"steps": 160, "seed": 7})),
                *(
                    (
                        *("reference", "made"),
                        ("bars", market.config, {"workers": count, "in_process": own, **vec}),
                    )
                    for count, own in ((2, True), (3, False), (5, False))
                ),
            ]
            if legacy
            else []
        ),
    ]
    assert (report.rows, report.ratios) == (("rows", late), {"of": ["rows"]})
    assert (report.settings, report.data) == ({"a": "b"}, market.data)
    assert report.config == EnvConfig.phase1().to_dict()


def rated(name: str, side: Any, *samples: float) -> EnvironmentRow:
    rate = Samples.of(samples) if samples else None
    return EnvironmentRow(
        name=name, side=side, envs=2000, unit="s", rate=rate, error=None if rate else "it failed"
    )


def test_the_port_is_compared_with_every_other_and_with_the_best_of_the_workers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = replace(rated("port", "port", 4000.0, 6000.0, 8000.0), prepare_seconds=1.239)
    rows = [
        port, rated("port, split", "port", 1.0, 1.0, 1.0), rated("NumPy", "NumPy", 40.0, 30.0, 20.0),
        rated("SubprocVecEnv 2", "reference", 2.0, 2.0, 2.0), rated("broken", "CartPole"),
        rated("SubprocVecEnv 4", "reference", 4.0, 8.0, 8.0),
    ]  # fmt: skip
    found = env_throughput.ratios(rows)
    assert {name: one.rounds for name, one in found.items()} == {
        "NumPy": (100.0, 200.0, 400.0), "SubprocVecEnv 2": (2000.0, 3000.0, 4000.0),
        "SubprocVecEnv 4": (1000.0, 750.0, 1000.0),
        "reference, best SubprocVecEnv": (1000.0, 750.0, 1000.0),
    }  # fmt: skip
    report = EnvReport(
        schema=SCHEMA, machine_info=machine_info(), settings={}, config={}, ratios=found,
        data=MarketData(
            source="made", symbol="NQ", bars=900, starts=3, digest="0", device_bytes=3 * 2**19
        ),
        rows=(port, rows[2], rows[4]),
        loading=LoadingTimes(
            days=1260, bars=567_000, file_bytes=1, cache_bytes=2, first_seconds=3.456,
            cached_seconds=(0.5, 0.1, 0.4, 0.2, 0.3),
        ),
    )  # fmt: skip
    env_throughput.show(report, Console(width=200))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("NQ, 900 bars (made), 1.5 MiB on ")
    assert lines[1:] == [
        "environment envs steps/s quartiles port ready in",
        "port 2,000 6k 5k - 7k 1.24 s",
        "NumPy 2,000 30 25 - 35 200x 0.00 s",
        "broken 2,000 it failed",
        "steps/s: medians; port: how many times as fast the port with observations is, the median of "
        "the rounds' ratios.",
        "567,000 bars of 1260 days: 3.46 s from CSV, 0.300 s from the cache",
    ]


def test_loading_is_timed_once_anew_and_five_times_from_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loaded: list[Any] = []

    def load(path: Path, contract: Any, config: Any, cache_dir: Path) -> str:
        loaded.append((len(path.read_text().splitlines()) - 1, contract.symbol, cache_dir.name))
        cache_dir.mkdir(exist_ok=True)
        (cache_dir / f"{min(len(loaded), 2)}.bin").write_bytes(b"x" * 100 * min(len(loaded), 2))
        return "seven b"

    clock = iter([0.0, 4.0, *(second for n in range(1, 6) for second in (10.0 * n, 10.5 * n))])
    monkeypatch.setattr(env_throughput, "load", load)
    monkeypatch.setattr(env_throughput, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    times = env_throughput.time_loading("NQ", 2, 3)
    assert loaded == [(900, "NQ", "cache")] * 7
    assert (times.days, times.bars, times.cache_bytes) == (2, 7, 300)
    assert times.file_bytes > 900 * 20
    assert times.first_seconds == 4.0
    assert times.cached_seconds == (0.5, 1.0, 1.5, 2.0, 2.5)


def test_free_memory_is_the_device_s_else_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    stats: list[Any] = [{"bytes_limit": 1000, "bytes_in_use": 300}, {"bytes_in_use": 3}, None, None]
    device = SimpleNamespace(memory_stats=lambda: stats.pop(0))
    monkeypatch.setattr(jax, "devices", lambda: [device])
    text = "MemTotal: 9 kB\nMemFree: 8 kB\nMemAvailable:    77 kB\nSwap: 5 kB\n"
    monkeypatch.setattr(env_throughput.Path, "read_text", lambda _: text)
    assert [env_throughput.free_bytes() for _ in range(3)] == [700, 77 * 1024, 77 * 1024]
    monkeypatch.setattr(env_throughput.Path, "read_text", lambda _: "MemTotal: 9 kB\n")
    assert env_throughput.free_bytes() is None


@pytest.mark.parametrize(
    ("envs", "transitions", "steps"),
    [(10, 999, 99), (10, 89, 8), (10, 0, 8), (1, 4001, 4000), (1, 3999, 3999)],
)
def test_a_scan_makes_about_as_many_transitions(envs: int, transitions: int, steps: int) -> None:
    assert env_throughput.steps_for(envs, transitions) == steps


def test_options_reach_the_market_and_the_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def part(name: str, answer: Any) -> None:
        monkeypatch.setattr(env_throughput, name, lambda *given: told.append((name, *given)) or answer)

    part("read_or_generate", "bars")
    part("make_market", "market")
    part("measure", "report")
    part("time_loading", "times")
    part("publish", None)
    monkeypatch.setattr(env_throughput, "replace", lambda report, loading: (report, loading))
    monkeypatch.setattr(
        env_throughput.cli, "use_host_devices", lambda count: told.append(("devices", count))
    )
    words = ["--data", "a.csv", "--symbol", "NQ", "--days", "9", "--envs", "70", "--sizes", "5,6"]
    words += ["--workers", "2,3", "--steps", "8", "--rounds", "4", "--seconds-per-row", "0.5"]
    words += ["--seed", "11", "--no-legacy", "--loading", "--host-devices", "6", "--json", "o.json"]
    sizes = env_throughput.Sizes(70, (5, 6), (2, 3), 8, 4, 0.5, 11, legacy=False)
    few = env_throughput.Sizes(32, (1, 64), (2,), 4, 2, 0.02, 11, legacy=False)
    for more, days, wanted, loaded in ((["--quick"], 4, few, 4), ([], 9, sizes, 1260)):
        told.clear()
        assert CliRunner().invoke(main, [*words, *more]).exit_code == 0
        assert told[:3] == [
            ("devices", 6),
            ("read_or_generate", Path("a.csv"), "NQ", days, 11),
            ("make_market", "bars"),
        ]  # fmt: skip
        assert told[3][:3] == ("measure", "market", wanted)
        assert told[3][3]["symbol"] == "NQ"
        assert told[4:] == [
            ("time_loading", "NQ", loaded, 11),
            ("publish", ("report", "times"), env_throughput.show, Path("o.json")),
        ]
