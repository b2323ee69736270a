"""Bytes as XLA plans them against bytes counted by hand, and a quick run of both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from click.testing import CliRunner

from benchmarks.baselines.environments import rollout
from benchmarks.baselines.reference_memory import UNREADABLE
from benchmarks.harness.reports import MemoryReport, read_report
from benchmarks.harness.rows import MemoryRow
from benchmarks.report.sections import measured_of
from benchmarks.suites.memory import loop_row, main, planned
from foundation.report.format import byte_size
from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.state import EnvParams
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.sentences import refuses

STATE = 60  # 15 int32
OBSERVATION = 900  # (20 x 11 + 5) float32
TICK = 0.01
"""Seconds of CPU time that the system counts in."""
ROW = MemoryRow(name="program", side="port", per="environment")


@pytest.fixture(scope="module")
def params() -> EnvParams:
    config = EnvConfig.phase1()
    return env.make_params(stack([prepare(synthetic_bars("ES", days=4, seed=0), config)]), config)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Report and text of a quick run, and the file of the report."""
    jax.devices()  # the run would ask for several, which would be there for every test that follows
    out = tmp_path_factory.mktemp("memory") / "deep" / "memory.json"
    result = CliRunner().invoke(main, ["--quick", "--json", str(out)])
    assert result.exit_code == 0, result.output
    return read_report(out), result.output, out


def _programs(work: Any, envs: int, **options: Any) -> list[Any]:
    shared = jax.ShapeDtypeStruct((1000,), jnp.float32)
    sizes = [jax.ShapeDtypeStruct((size, 3), jnp.float32) for size in (envs, 2 * envs)]
    return [jax.jit(work, **options).lower(size, shared).compile() for size in sizes]


def test_growth_is_told_from_what_is_shared() -> None:
    def work(x: jax.Array, shared: jax.Array) -> jax.Array:
        return x * shared[0]

    # Three float32 go in and three come out for each, and a thousand are there for all.
    row = planned(ROW, *_programs(work, 64), 64)
    assert row.parts == {"arguments": 12.0, "results": 12.0, "temporary": 0.0}
    assert (row.bytes, row.envs) == (24.0, 64)
    assert 4000 <= (row.shared_bytes or 0) < 4100
    # What comes out where it went in counts once.
    row = planned(ROW, *_programs(work, 64, donate_argnums=0), 64)
    assert row.parts == {"arguments": 12.0, "results": 0.0, "temporary": 0.0}


def test_programs_that_do_not_grow_are_refused() -> None:
    small, _ = _programs(lambda x, shared: x + shared[0], 64)
    with refuses(kind=ValueError):
        planned(ROW, small, small, 64)


def test_a_loop_that_keeps_its_carry_is_seen(params: EnvParams) -> None:
    # Planted: the workload's own loop, but for its giving up of the carry.
    def compiled(envs: int) -> Any:
        _, state = jax.eval_shape(lambda: env.batch_reset(jax.random.key(0), params, envs))
        keys = jax.random.split(jax.random.key(0), (8, 2))
        keeping = jax.jit(rollout, static_argnums=3)
        return keeping.lower(keys, (state, ()), params, "none").compile()

    row = planned(ROW, compiled(32), compiled(64), 32)
    assert row.parts["arguments"] == STATE
    assert row.parts["results"] == STATE


def test_a_loop_that_fails_is_a_row_that_says_so(params: EnvParams) -> None:
    row = loop_row(replace(params, window_size=10**6), "obs", 32)
    assert row.name == "port, with observations, 32 environments"
    assert row.error
    assert row.bytes is None


@pytest.mark.slow
def test_bytes_of_the_report(quick: Any, params: EnvParams) -> None:
    report, _text, out = quick
    assert isinstance(report, MemoryReport)
    rows = {row.name: row for row in report.rows}
    assert list(rows) == [
        "reference, one more in the same process",
        "reference, SubprocVecEnv(2), each worker",
        "port, with observations, 32 environments",
        "port, without observations, 32 environments",
        "port, training, 16 environments x 8 steps",
        "port, market",
        "reference, bars before features",
    ]
    bars = 1800  # 4 sessions of 450 minutes
    assert report.data.bars == bars
    # 11 features and 8 integers a bar, 2 integers a start, and six numbers of the market.
    starts = params.market.starts.shape[0]
    assert rows["port, market"].bytes == 4 * (19 * bars + 2 * starts + 6)
    # Five columns and the index, 8 bytes each.
    assert rows["reference, bars before features"].bytes == 48 * bars
    observing, without, training = list(rows.values())[2:5]
    for row, arguments in ((observing, STATE + OBSERVATION), (without, STATE)):
        assert row.parts["arguments"] == arguments
        assert row.parts["results"] == 0  # the loop consumes its carry
    # What the loop lays aside may lie where the next observation will, so only this much is sure.
    assert (observing.bytes or 0) >= STATE + OBSERVATION
    assert 0 < (without.bytes or 0) < OBSERVATION
    assert (observing.shared_bytes or 0) >= rows["port, market"].bytes
    assert training.parts["arguments"] >= STATE
    # Beside the state a rollout keeps at least action, reward, value and log probability of 8 steps.
    assert training.parts["temporary"] >= 8 * 4 * 4
    for row in (observing, without, training):
        assert row.bytes == sum(row.parts.values())
    workers = rows["reference, SubprocVecEnv(2), each worker"]
    if workers.error != UNREADABLE:
        assert len(workers.worker_bytes) == 2
        assert workers.bytes == sum(workers.worker_bytes) / 2
        # A process with PyTorch in it takes more than an environment.
        assert workers.bytes > 10 * (rows["reference, one more in the same process"].bytes or 0)
    measured = [row for row in measured_of(read_report(out)) if row.exact]
    assert {row.name for row in measured} == {row.name for row in report.rows if row.bytes is not None}


@pytest.mark.slow
def test_utilisation_of_the_report(quick: Any) -> None:
    report, text, _ = quick
    assert [(row.side, row.name, row.envs) for row in report.utilisation] == [
        ("port", "port, obs", 32),
        ("port", "port, no obs", 32),
        ("NumPy", "NumPy, obs", 32),
        ("port", "port, 4 epochs, float32", 16),
        ("reference", "reference", 1),
        ("reference", "reference, SubprocVecEnv(2)", 2),
        ("reference", "reference, 1 epochs, 2 workers, batch 64", 2),
    ]
    for row in report.utilisation:
        assert row.steps > 0
        # User and system time of each process are cut to whole ticks.
        ticks = 2 * TICK * (1 + row.envs) / row.wall_seconds / row.cores
        assert row.cpu_share is not None
        assert 0 <= row.cpu_share <= 1 + ticks
    assert "Shares of less than 1 s are rough" in text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (132, "132 B"),
        (1864, "1.82 KiB"),
        (999.6 * 2**10, "1,000 KiB"),
        (2**20 - 1, "1,024 KiB"),
        (217 * 2**20, "217 MiB"),
        (3 * 2**30, "3 GiB"),
    ],
)
def test_sizes_are_short(size: float, text: str) -> None:
    assert byte_size(size) == text
