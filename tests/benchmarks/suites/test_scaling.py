"""Points move one axis at a time, compile times are compile times, and a quick run says all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from click.testing import CliRunner
from jax.experimental.compilation_cache.compilation_cache import reset_cache
from msgspec.structs import replace
from rich.console import Console

from benchmarks.baselines.port_trainer import PortTrainer
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import ScalingReport, read_report
from benchmarks.harness.rows import CompileRow, LoadingRow
from benchmarks.harness.statistics import Samples
from benchmarks.report.sections import measured_of
from benchmarks.suites import scaling
from benchmarks.suites.scaling import compile_times, fitting, main, training_points
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import make_params
from jax_port.envs.state import EnvParams
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

TRAINED = "training, 32 environments, 8 steps, 64 minibatch"
FAILED = "training, 16 environments, 8 steps, 64 minibatch"
LEFT_OUT = "training, 4 environments, 8 steps, 64 minibatch"


class Broken(PortTrainer):
    """The port's trainer, which fails with sixteen environments."""

    def prepare(self) -> float:
        if self.envs == 16:
            raise RuntimeError("planted")
        return super().prepare()


@pytest.fixture(scope="module")
def params() -> EnvParams:
    jax.devices()  # a run would ask for several, which would be there for every test that follows
    config = EnvConfig.phase1()
    return make_params(stack([prepare(synthetic_bars("ES", days=4, seed=0), config)]), config)


@pytest.fixture(scope="module")
def quick(params: EnvParams, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Report and text of a quick run with a point too small and one that fails, and its file."""
    out = tmp_path_factory.mktemp("scaling") / "deep" / "scaling.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scaling, "PortTrainer", Broken)
        patch.setitem(scaling.QUICK, "train_envs", "4,32,16")
        result = CliRunner().invoke(main, ["--quick", "--json", str(out)])
    assert result.exit_code == 0, result.output
    return read_report(out), result.output, out


def test_one_axis_at_a_time_moves() -> None:
    lists = {"train_envs": (8, 16, 64), "n_steps": (2, 4), "batches": (32, 128, 512)}
    points = training_points(lists)
    # The middle of three and the later of two; of minibatches the second.
    base = {"environments": 16, "steps": 4, "minibatch": 128}
    assert points == [
        base,
        *({**base, "environments": value} for value in (8, 16, 64)),
        *({**base, "steps": value} for value in (2, 4)),
        *({**base, "minibatch": value} for value in (32, 128, 512)),
    ]


def test_devices_that_are_not_there_do_not_count(params: EnvParams) -> None:
    there = jax.device_count()
    assert fitting((1, there, there + 1, 2**20), 2**20 * there) == [1, there]
    assert fitting((1, 2), 1) == [1]


@pytest.mark.slow
def test_the_report(quick: Any, params: EnvParams) -> None:
    report, text, out = quick
    assert isinstance(report, ScalingReport)
    rows = {row.name: row for row in report.rows}
    several = [name for name in rows if name.startswith("training over devices")]
    assert bool(several) == (jax.device_count() > 1)
    counts = fitting((1, 2), 32)
    stepping = [
        f"environment{form} over devices, 32 environments, {count} devices"
        for count in counts
        for form in ("", " without observations")
    ]
    over_data = [f"environment over data, 32 environments, {days} days" for days in (2, 4)]
    assert [name for name in rows if name not in several] == [
        TRAINED,
        FAILED,
        *stepping,
        *over_data,
        LEFT_OUT,
    ]
    assert rows[TRAINED].axes == {"environments": 32, "steps": 8, "minibatch": 64}
    measured = [row for row in report.rows if row.error is None]
    for row in measured:
        assert row.rate is not None
        assert len(row.rate.samples) == 2
        assert row.rate.quartiles[0] <= row.rate.median <= row.rate.quartiles[1]
        assert row.envs == row.axes["environments"]
    # What failed or could not be is a row that says why, and no row to compare.
    assert rows[FAILED].error == "RuntimeError: planted"
    assert rows[LEFT_OUT].error == "left out: its rollout has 32 steps, fewer than a minibatch"
    assert len(measured) == len(rows) - 2
    assert rows[LEFT_OUT].error in text
    assert [row.name for row in measured_of(read_report(out))] == [row.name for row in measured]


@pytest.mark.slow
def test_compiling_and_loading_are_in_the_report(quick: Any, params: EnvParams) -> None:
    report, text, _ = quick
    assert [(row.environments, row.steps) for row in report.compile] == [(1, 2), (16, 2)]
    assert all(len(row.seconds) == 2 and min(row.seconds) > 0 for row in report.compile)
    small, large = report.loading
    # 450 bars a day.
    assert [(row.days, row.bars) for row in (small, large)] == [(2, 900), (4, 1800)]
    assert large.device_bytes == params.market.nbytes
    # A bar is 11 float32 and 8 int32, and a start, of which there is one a bar at most, 2 int32.
    assert 76 <= (large.device_bytes - small.device_bytes) / 900 <= 84
    assert "2 days: 900 bars" in text


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    """Cache every compiled program in a folder."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [getattr(jax.config, name) for name in names]
    for name, value in zip(names, (str(folder), 0.0), strict=True):
        jax.config.update(name, value)
    reset_cache()
    try:
        yield
    finally:
        for name, value in zip(names, before, strict=True):
            jax.config.update(name, value)
        reset_cache()


@pytest.mark.slow
def test_compile_times_are_never_those_of_a_look_up(params: EnvParams, tmp_path: Path) -> None:
    with _cache(tmp_path):
        (row,) = compile_times(params, (4,), (2,))
        assert list(tmp_path.iterdir()) == []
        jax.jit(lambda x: 3 * x)(jnp.arange(7))
        assert list(tmp_path.iterdir()) != []  # else nothing would ever be looked up
    assert (row.environments, row.steps) == (4, 2)


class Stepped:
    """Stands for a workload; knows what it was made of, and how often it was prepared and closed."""

    made: list[Stepped]

    def __init__(self, params: Any, *given: Any, **named: Any) -> None:
        self.name, self.envs, self.given = "workload", 1, (params, *given, *named.items())
        self.done: list[str] = []
        self.made.append(self)

    def prepare(self) -> float:
        self.done.append("prepared")
        return float(len(self.made))

    def close(self) -> None:
        self.done.append("closed")


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> list[Stepped]:
    """Let no workload be made of more than its words, with four devices; return those that were."""
    made: list[Stepped] = []
    monkeypatch.setattr(Stepped, "made", made, raising=False)
    for name in ("PortTrainer", "DeviceTrainer", "PortWorkload"):
        monkeypatch.setattr(scaling, name, Stepped)
    monkeypatch.setattr(jax, "device_count", lambda: 4)
    return made


LISTS = {
    "train_envs": (4, 16, 64), "n_steps": (8, 32), "batches": (64, 512), "devices": (1, 2, 3, 4, 8),
}  # fmt: skip


def test_each_point_of_training_is_an_entry_once_or_a_row_that_says_why_not(
    stepped: list[Stepped],
) -> None:
    entries, left_out = scaling.training_entries("params", LISTS)  # type: ignore[arg-type]
    base = {"environments": 16, "steps": 32, "minibatch": 512}
    points = [base, {**base, "environments": 64}, {**base, "minibatch": 64}]
    split = [{**base, "devices": count} for count in (1, 2, 4)]
    rows = [entry.row for entry in entries]
    assert [row.axes for row in rows] == [points[0], *split, *points[1:]]
    series = ["training", *["training over devices"] * 3, "training", "training"]
    assert [row.series for row in rows] == series
    assert [row.name for row in rows[1:3]] == [
        f"training over devices, 16 environments, 32 steps, 512 minibatch, {count} devices"
        for count in (1, 2)
    ]
    assert [(row.side, row.unit, row.envs) for row in rows] == [
        ("port", "steps/s", row.axes["environments"]) for row in rows
    ]
    assert all(entry.may_fail and entry.workload.name == entry.row.name for entry in entries)
    for entry in entries:
        axes, (params, settings, *more) = entry.row.axes, entry.workload.given  # type: ignore[attr-defined]
        assert params == "params"
        sizes = settings.n_envs, settings.n_steps, settings.batch_size
        assert sizes == (axes["environments"], axes["steps"], axes["minibatch"])
        assert more == ([axes["devices"]] if "devices" in axes else [])
    assert [(row.axes, row.error) for row in left_out] == [
        (
            {**base, "environments": 4},
            "left out: its rollout has 128 steps, fewer than a minibatch",
        ),
        ({**base, "steps": 8}, "left out: its rollout has 128 steps, fewer than a minibatch"),
    ]


def test_the_environment_alone_is_measured_over_devices_and_over_data(stepped: list[Stepped]) -> None:
    params: Any = {5: "five", 9: "nine"}
    entries = [
        *scaling.device_entries("params", (1, 3, 4, 8), 16),  # type: ignore[arg-type]
        *scaling.data_entries(params, 16),
    ]
    sizes = (("envs", 16), ("steps", 200), ("seed", 0))
    assert [(entry.row.name, entry.workload.given) for entry in entries] == [  # type: ignore[attr-defined]
        *(
            (
                f"environment{words} over devices, 16 environments, {count} devices",
                ("params", form, *sizes, ("devices", count)),
            )
            for count in (1, 4)
            for form, words in (("obs", ""), ("none", " without observations"))
        ),
        *(
            (f"environment over data, 16 environments, {days} days", (held, "obs", *sizes))
            for days, held in ((5, "five"), (9, "nine"))
        ),
    ]


def test_a_loop_is_compiled_twice_for_each_size_and_each_length(
    stepped: list[Stepped], monkeypatch: pytest.MonkeyPatch
) -> None:
    cleared: list[int] = []
    monkeypatch.setattr(jax, "clear_caches", lambda: cleared.append(len(stepped)))
    rows = compile_times("params", (3, 40), (2, 10, 100))  # type: ignore[arg-type]
    points = [(3, 2), (40, 2), (3, 10), (3, 100)]
    assert [(row.environments, row.steps) for row in rows] == points
    assert [row.seconds for row in rows] == [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0)]
    assert cleared == list(range(8))
    assert [one.given[2:] for one in stepped[::2]] == [
        (("envs", envs), ("steps", steps), ("seed", 0)) for envs, steps in points
    ]
    assert all(one.done == ["prepared", "closed"] for one in stepped)


def test_markets_are_loaded_once_more_than_they_are_timed() -> None:
    params, rows = scaling.load_markets("NQ", (3, 2))
    assert list(params) == [3, 2]
    assert [(row.days, row.bars) for row in rows] == [(3, 1350), (2, 900)]
    assert [row.device_bytes for row in rows] == [one.market.nbytes for one in params.values()]
    assert all(0 < row.prepare_seconds < 60 for row in rows)


def test_a_report_is_of_all_points_in_their_order_and_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    def part(name: str, answer: Any) -> None:
        def called(*given: Any) -> Any:
            asked[name] = given
            return answer

        monkeypatch.setattr(scaling, name, called)

    def row(number: int, **more: Any) -> Any:
        return replace(scaling.blank_row("training", {"environments": number, "steps": 5}), **more)

    rated = row(3, rate=Samples.of([2500.0, 3500.0]), prepare_seconds=1.239)
    failed, late = row(4, error="RuntimeError: planted"), row(7, error="left out")
    loading = LoadingRow(days=1250, bars=4500, device_bytes=3 * 2**19, prepare_seconds=0.125)
    compiled = CompileRow(environments=1000, steps=2000, seconds=(1.25, 2.0))
    part("load_markets", ({5: "five", 2: "two", 9: "nine"}, [loading]))
    part("training_entries", (["training"], [late]))
    part("device_entries", ["devices"])
    part("data_entries", ["data"])
    part("measure_entries", [rated, failed])
    part("compile_times", (compiled,))
    part("machine_info", machine_info())
    words = {"train_envs": "4,8", "n_steps": "7", "batches": "9,10", "devices": "1,2"}
    words |= {"days": "5,2,9", "compile_envs": "11", "compile_steps": "12,13"}
    options = {**words, "symbol": "NQ", "envs": 77, "rounds": 6, "seconds_per_row": 0.5}
    report = scaling.measure(options)
    lists = {name: tuple(map(int, text.split(","))) for name, text in words.items()}
    assert asked["load_markets"] == ("NQ", (5, 2, 9))
    assert asked["training_entries"] == ("two", lists)
    assert asked["device_entries"] == ("two", (1, 2), 77)
    assert asked["data_entries"] == ({5: "five", 2: "two", 9: "nine"}, 77)
    assert asked["measure_entries"] == (["training", "devices", "data"], 6, 0.5)
    assert asked["compile_times"] == ("two", (11,), (12, 13))
    assert (report.rows, report.compile, report.loading) == (
        (rated, failed, late), (compiled,), (loading,),
    )  # fmt: skip
    assert report.settings == {name: str(value) for name, value in options.items()}
    scaling.show(report, Console(width=130))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "point steps/s ready in",
        "training, 3 environments, 5 steps 3k 1.24 s",
        "training, 4 environments, 5 steps - 0.00 s",
        "training, 7 environments, 5 steps - 0.00 s",
        "training, 4 environments, 5 steps: RuntimeError: planted",
        "training, 7 environments, 5 steps: left out",
        "environments compiled for steps seconds",
        "1,000 2,000 1.25, 2.00",
        "1,250 days: 4,500 bars, 1.5 MiB on the device, prepared in 0.12 s",
    ]


def test_a_quick_run_has_its_own_sizes_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(scaling.cli, "use_host_devices", lambda: None)
    monkeypatch.setattr(scaling, "measure", lambda options: asked.append(options) or "report")
    monkeypatch.setattr(scaling, "publish", lambda *given: asked.append({"published": given}))
    words = ["--symbol", "NQ", "--envs", "77", "--days", "5", "--json", "out.json"]
    for more in ([], ["--quick"]):
        assert CliRunner().invoke(main, [*words, *more]).exit_code == 0
    usual = {**scaling.FULL, "symbol": "NQ", "envs": 77, "days": "5", "rounds": 3}
    assert asked[0] == {**usual, "seconds_per_row": 6.0}
    sizes = {"envs": 32, "rounds": 2, "seconds_per_row": 0.02}
    assert asked[2] == {**scaling.QUICK, "symbol": "NQ", **sizes}
    assert asked[1] == asked[3] == {"published": ("report", scaling.show, Path("out.json"))}
