"""What a step needs, counted by hand, by the benchmark and by XLA; shares follow from the rates."""

from __future__ import annotations

import io
import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks.baselines.port_and_sb3 import flops_per_step
from benchmarks.harness.measure import Timing
from benchmarks.report.compare import read_report
from benchmarks.report.sections import measured_of
from benchmarks.report.takeaways import takeaway
from benchmarks.suites.roofline import ABOVE_ONE, attained, count_bytes, main, show, xla_count
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import NUM_ACTIONS, EnvParams, make_params
from jax_port.ppo.networks import ActorCritic
from jax_port.ppo.settings import TrainSettings
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

BYTES = {
    "state, read": 60,  # 15 int32
    "state, written": 60,
    "market row, read": 32,  # 8 int32
    "reward, summed": 8,  # one float32, read and written
    "next market row, read": 32,  # for close and ATR in the position features
    "window, read": 880,  # 20 bars x 11 float32
    "observation, written": 900,  # (20 x 11 + 5) float32
}
# Products of a row of 225: 2 (225 x 256 + 256 x 256 + 256 x 3) + 2 (225 x 256 + 256 x 256 + 256 x 1).
FORWARD = 494_592
# Gradients of weights and of inputs take as much each, but for 2 (225 x 256) twice: nobody asks for the
# gradient of an observation.
BACKWARD = 2 * FORWARD - 230_400
MACHINE = {
    "large copy, XLA": "bytes/s",
    "copy of 0.027 MiB, XLA": "bytes/s",  # 32 x 900 bytes
    "windows gathered, XLA": "windows/s",
    "matrix product, XLA": "flop/s",
    "large copy, NumPy": "bytes/s",
    "windows copied, NumPy": "windows/s",
    "matrix product, torch": "flop/s",
}
STEPPING = [
    "port, no obs",
    "port, obs",
    "NumPy, obs",
    "port, 4 epochs, float32",
    "reference, 4 epochs, 2 workers, batch 64",
    "reference",
    "reference, SubprocVecEnv(2)",
]


def _params(days: int, **settings: Any) -> EnvParams:
    config = EnvConfig.phase1(**settings)
    return make_params(stack([prepare(synthetic_bars("ES", days=days, seed=0), config)]), config)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Report and text of a quick run, and the file of the report."""
    out = tmp_path_factory.mktemp("floors") / "deep" / "floors.json"
    result = CliRunner().invoke(main, ["--quick", "--json", str(out)])
    assert result.exit_code == 0, result.output
    return json.loads(out.read_text()), result.output, out


def test_bytes_are_those_counted_by_hand() -> None:
    assert count_bytes(_params(4)) == BYTES
    # A window of half as many bars: 10 x 11 and (10 x 11 + 5) float32.
    half = {**BYTES, "window, read": 440, "observation, written": 460}
    assert count_bytes(_params(4, window_size=10)) == half


def test_xla_counts_a_step_and_not_the_market(quick: Any) -> None:
    counted = quick[0]["xla_per_step"]
    assert counted == pytest.approx(xla_count(_params(8), 48))  # the run had 4 days and 32 environments
    # Kernels hand numbers on in memory, so XLA's count is the larger one.
    assert counted["bytes"] >= sum(BYTES.values())
    assert counted["flops"] > 0


def test_flops_are_those_that_xla_counts() -> None:
    network, rows = ActorCritic(NUM_ACTIONS), 64
    obs = jax.ShapeDtypeStruct((rows, 225), jnp.float32)
    weights = jax.eval_shape(network.init, jax.random.key(0), obs)

    def loss(weights: Any, obs: jax.Array) -> jax.Array:
        logits, values = network.apply(weights, obs)
        return jnp.sum(jnp.square(logits)) + jnp.sum(jnp.square(values))

    def count(work: Any) -> float:
        return float(jax.jit(work).lower(weights, obs).cost_analysis()["flops"]) / rows

    # XLA counts biases and activations, too: 4 in 1000.
    assert count(network.apply) == pytest.approx(FORWARD, rel=0.01)
    assert count(jax.grad(loss)) == pytest.approx(FORWARD + BACKWARD, rel=0.01)
    for epochs in (1, 4):
        counted = flops_per_step(TrainSettings(n_epochs=epochs), 225, NUM_ACTIONS)
        assert counted == FORWARD + epochs * (FORWARD + BACKWARD)


def test_the_report(quick: Any) -> None:
    report, text, out = quick
    assert (report["schema"], report["benchmark"]) == (1, "floors")
    units = {**MACHINE, **dict.fromkeys(STEPPING, "steps/s")}
    assert {row["name"]: row["unit"] for row in report["rows"]} == units
    for row in report["rows"]:
        rate = row["rate"]
        assert len(rate["samples"]) == 2
        assert min(rate["samples"]) > 0
        assert rate["quartiles"][0] <= rate["median"] <= rate["quartiles"][1]
        assert row["name"] in text
    assert report["bytes_per_step"] == BYTES
    assert report["surroundings"]["cores"] > 0
    measured = measured_of(read_report(out))
    assert {row.name for row in measured if row.machine} == set(MACHINE)
    assert {row.name for row in measured if not row.machine} == set(STEPPING)


def test_shares_follow_from_the_rates(quick: Any) -> None:
    report, text, _ = quick
    looking = sum(BYTES.values())
    blind = 160  # state twice, a row of the market, the reward
    training = FORWARD + 4 * (FORWARD + BACKWARD)
    fit = "copy of 0.027 MiB, XLA"
    assert [(x["rival"], x["floor"], x["per_step"]) for x in report["floors"]] == [
        ("port, no obs", "large copy, XLA", blind),
        ("port, obs", "large copy, XLA", looking),
        ("port, obs", fit, looking),
        ("port, obs", "windows gathered, XLA", 1),
        ("NumPy, obs", "large copy, NumPy", looking),
        ("NumPy, obs", "windows copied, NumPy", 1),
        ("port, 4 epochs, float32", "matrix product, XLA", training),
        ("reference, 4 epochs, 2 workers, batch 64", "matrix product, torch", training),
        ("reference", "large copy, NumPy", looking),
        ("reference, SubprocVecEnv(2)", "large copy, NumPy", looking),
    ]
    samples = {row["name"]: row["rate"]["samples"] for row in report["rows"]}
    for floor in report["floors"]:
        rounds = np.array(samples[floor["rival"]]) / np.array(samples[floor["floor"]])
        low, median, high = np.percentile(floor["per_step"] * rounds, (25, 50, 75))
        assert floor["share"]["median"] == pytest.approx(median)
        assert floor["share"]["quartiles"] == pytest.approx([low, high])
        if floor["rival"].startswith("reference"):  # at any size it is far from what memory allows
            assert 0 < floor["share"]["median"] < 1
    above = any(floor["share"]["median"] > 1 for floor in report["floors"])
    assert (" ".join(text.split()).endswith(ABOVE_ONE)) == above


def test_a_share_above_one_is_not_passed_over_and_a_failure_is_none() -> None:
    def said(rate: float, error: str | None = None) -> tuple[Any, str, str]:
        port = Timing("port, obs", 1, 0.0, [] if error else [rate, rate], error)
        timings = {"port, obs": port, "copy": Timing("copy", 1, 0.0, [1000.0, 2000.0])}
        floors = attained([("port, obs", 100.0, "copy", "bytes, against the copy")], timings)
        report = {"rows": [], "floors": floors}
        shown = Console(file=io.StringIO(), width=400)
        show(report, shown)
        return floors[0]["share"], shown.file.getvalue(), takeaway("floors", report)  # type: ignore[attr-defined]

    # 100 bytes a step at 10 steps a second, of 1000 and of 2000 bytes a second: all and half of it.
    share, text, sentence = said(10.0)
    assert share["median"] == pytest.approx(0.75)
    assert share["quartiles"] == pytest.approx([0.625, 0.875])
    assert "75.000%" in text
    assert ABOVE_ONE not in text
    assert "too low" not in sentence
    share, text, sentence = said(20.0)
    assert share["median"] == pytest.approx(1.5)
    assert ABOVE_ONE in text
    assert "that floor was measured too low" in sentence
    share, text, sentence = said(0.0, "RuntimeError: planted")
    assert share is None
    assert "failed" in text
    assert "No share could be computed" in sentence
