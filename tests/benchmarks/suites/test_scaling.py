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

from benchmarks.baselines.port_trainer import PortTrainer
from benchmarks.harness.reports import ScalingReport, read_report
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
