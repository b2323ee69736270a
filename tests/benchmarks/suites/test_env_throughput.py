"""The throughput benchmark runs and its report says all it must; speed itself is not asserted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.baselines.environments import random_valid_actions, rollout
from benchmarks.harness.measure import take_turns
from benchmarks.harness.reports import SCHEMA, EnvReport, read_report
from benchmarks.suites import env_throughput
from benchmarks.suites.env_throughput import main
from foundation.report.format import short_rate
from jax_port.data.data_loader import prepare, stack
from jax_port.envs import env_phase1_jax as env
from jax_port.envs.state import EnvParams
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.benchmarks.refused import refused


def run(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["--quick", "--host-devices", "1", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_the_report(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "report.json"
    text = run("--loading", "--json", str(out))
    report = read_report(out)
    assert isinstance(report, EnvReport)
    assert report.schema == SCHEMA
    names = [row.name for row in report.rows]
    assert names == [
        "port, obs",
        "port, obs in 2 parts",
        "port, no obs",
        "NumPy, obs",
        "gymnax CartPole, obs",
        "reference",
        "reference, DummyVecEnv(2)",
        "reference, SubprocVecEnv(2)",
    ]
    for row in report.rows:
        assert row.rate is not None
        assert len(row.rate.samples) == 2
        assert row.rate.quartiles[0] <= row.rate.median <= row.rate.quartiles[1]
        assert row.unit == "steps/s"
        assert (row.prepare_seconds or 0) > 0
    assert [row.envs for row in report.rows] == [32, 32, 32, 32, 32, 1, 2, 2]
    sides = ["port"] * 3 + ["NumPy", "CartPole"] + ["reference"] * 3
    assert [row.side for row in report.rows] == sides
    assert [row.form for row in report.rows[:3]] == ["obs", "parts", "none"]
    assert set(report.ratios) == {*names[3:], "reference, best SubprocVecEnv"}
    bars = synthetic_bars("ES", days=4, seed=0)
    assert report.data.digest == prepare(bars, EnvConfig.phase1()).digest
    assert report.data.bars == len(bars)
    assert (report.data.device_bytes or 0) > len(bars) * 19 * 4
    assert report.config == EnvConfig.phase1().to_dict()
    around = report.machine_info
    assert around.versions["jax"] == jax.__version__
    assert around.device.platform == jax.default_backend()
    assert around.cpu
    assert report.loading is not None
    assert report.loading.bars == len(bars)
    assert report.loading.first_seconds > 0
    assert len(report.loading.cached_seconds) == 5
    assert "1,800 bars of 4 days" in text


@pytest.mark.slow
def test_without_the_reference(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    run("--no-legacy", "--json", str(out))
    report = read_report(out)
    assert isinstance(report, EnvReport)
    assert len(report.rows) == 5
    assert set(report.ratios) == {"NumPy, obs", "gymnax CartPole, obs"}


def test_bad_input_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(main, capsys, "--quick", "--data", str(tmp_path / "none.csv"))


@pytest.mark.costly
def test_sizes_that_memory_does_not_allow_are_rows_that_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env_throughput, "free_bytes", lambda: 100_000)
    out = tmp_path / "report.json"
    run("--no-legacy", "--sizes", "1", "--json", str(out))
    report = read_report(out)
    assert isinstance(report, EnvReport)
    left_out = {(row.envs, row.form): row.error or "" for row in report.rows if row.rate is None}
    assert list(left_out) == [(64, "obs")]  # 64 times two observations of 900 bytes, and the state
    assert left_out[64, "obs"].startswith("left out: it needs")


@pytest.fixture(scope="module")
def params() -> EnvParams:
    config = EnvConfig.phase1()
    return env.make_params(stack([prepare(synthetic_bars("ES", days=4, seed=0), config)]), config)


@pytest.mark.costly
def test_actions_are_valid_and_random(params: EnvParams) -> None:
    _, state = env.batch_reset(jax.random.key(0), params, 3000)
    state = state.replace(position=jnp.arange(3000, dtype=jnp.int32) % 3 - 1)
    actions = np.asarray(random_valid_actions(jax.random.key(1), state))
    flat = np.asarray(state.position) == 0
    assert (actions[~flat] == env.HOLD).all()
    assert (np.bincount(actions[flat], minlength=3) > 250).all()


@pytest.mark.slow
def test_the_forms_hand_out_the_same_observations(params: EnvParams) -> None:
    _, state = env.batch_reset(jax.random.key(0), params, 8)
    keys = jax.random.split(jax.random.key(1), (20, 2))
    obs = jnp.zeros((8, params.obs_size), jnp.float32)
    parts = (jnp.zeros((8, 20, 11), jnp.float32), jnp.zeros((8, 5), jnp.float32))
    jitted = jax.jit(rollout, static_argnums=3)
    whole: Any = jitted(keys, (state, obs), params, "obs")
    split: Any = jitted(keys, (state, parts), params, "parts")
    bare: Any = jitted(keys, (state, ()), params, "none")
    for other in (split, bare):
        jax.tree.map(np.testing.assert_array_equal, whole[0], other[0])
        np.testing.assert_allclose(whole[2], other[2], rtol=1e-6)
    joined = np.concatenate([np.asarray(split[1][0]).reshape(8, -1), split[1][1]], axis=1)
    np.testing.assert_array_equal(whole[1], joined)
    observe = jax.jit(jax.vmap(env.observe, in_axes=(0, None)))
    np.testing.assert_array_equal(whole[1], observe(whole[0], params))


@pytest.mark.parametrize(
    ("rate", "text"), [(3_412_345.0, "3.41M"), (26e6, "26M"), (4049.0, "4.05k"), (12.0, "12")]
)
def test_rates_are_short(rate: float, text: str) -> None:
    assert short_rate(rate) == text


def test_workloads_take_turns() -> None:
    order: list[str] = []

    class Recorded:
        envs = 1

        def __init__(self, name: str) -> None:
            self.name = name

        def prepare(self) -> float:
            return 0.5

        def run(self) -> int:
            order.append(self.name)
            return 10

        def close(self) -> None:
            pass

    timings = take_turns([Recorded("a"), Recorded("b")], rounds=2, seconds_per_row=0.0)
    # Once each to warm up, then each round in its turn, which moves on.
    assert order == ["a", "b", "a", "b", "b", "a"]
    assert [len(timing.samples) for timing in timings] == [2, 2]
    assert [timing.prepare_seconds for timing in timings] == [0.5, 0.5]
