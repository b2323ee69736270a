"""What a step needs, counted by hand, by the benchmark and by XLA; shares follow from the rates."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from rich.console import Console

from benchmarks.baselines.machine_rates import flops_per_step
from benchmarks.baselines.reference_trainer import reference_settings
from benchmarks.harness.machine_info import machine_info
from benchmarks.harness.reports import RooflineReport, read_report
from benchmarks.harness.rows import EnvironmentRow, MachineRow, ShareRow
from benchmarks.harness.statistics import Samples, Summary
from benchmarks.report.sections import measured_of
from benchmarks.suites import roofline
from benchmarks.suites.roofline import ABOVE_ONE, attained, count_bytes, main, show, xla_count
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import NUM_ACTIONS, make_params
from jax_port.envs.state import EnvParams
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
    out = tmp_path_factory.mktemp("roofline") / "deep" / "roofline.json"
    result = CliRunner().invoke(main, ["--quick", "--json", str(out)])
    assert result.exit_code == 0, result.output
    return read_report(out), result.output, out


def test_bytes_are_those_counted_by_hand() -> None:
    assert count_bytes(_params(4)) == BYTES
    # A window of half as many bars: 10 x 11 and (10 x 11 + 5) float32.
    half = {**BYTES, "window, read": 440, "observation, written": 460}
    assert count_bytes(_params(4, window_size=10)) == half


@pytest.mark.slow
def test_xla_counts_a_step_and_not_the_market(quick: Any) -> None:
    counted = quick[0].xla_per_step
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


@pytest.mark.slow
def test_the_report(quick: Any) -> None:
    report, text, out = quick
    assert isinstance(report, RooflineReport)
    units = {**MACHINE, **dict.fromkeys(STEPPING, "steps/s")}
    assert {row.name: row.unit for row in report.rows} == units
    for row in report.rows:
        assert row.rate is not None
        assert len(row.rate.samples) == 2
        assert row.rate.quartiles[0] <= row.rate.median <= row.rate.quartiles[1]
        assert row.name in text
    assert report.bytes_per_step == BYTES
    assert report.machine_info.cores > 0
    measured = measured_of(read_report(out))
    assert {row.name for row in measured if row.machine} == set(MACHINE)
    assert {row.name for row in measured if not row.machine} == set(STEPPING)


@pytest.mark.slow
def test_shares_follow_from_the_rates(quick: Any) -> None:
    report, text, _ = quick
    observing = sum(BYTES.values())
    without = 160  # state twice, a row of the market, the reward
    training = FORWARD + 4 * (FORWARD + BACKWARD)
    fit = "copy of 0.027 MiB, XLA"
    assert [(share.name, share.limit, share.needs_per_step) for share in report.shares] == [
        ("port, no obs", "large copy, XLA", without),
        ("port, obs", "large copy, XLA", observing),
        ("port, obs", fit, observing),
        ("port, obs", "windows gathered, XLA", 1),
        ("NumPy, obs", "large copy, NumPy", observing),
        ("NumPy, obs", "windows copied, NumPy", 1),
        ("port, 4 epochs, float32", "matrix product, XLA", training),
        ("reference, 4 epochs, 2 workers, batch 64", "matrix product, torch", training),
        ("reference", "large copy, NumPy", observing),
        ("reference, SubprocVecEnv(2)", "large copy, NumPy", observing),
    ]
    samples = {row.name: row.rate.samples for row in report.rows}
    for row in report.shares:
        rounds = np.array(samples[row.name]) / np.array(samples[row.limit])
        low, median, high = np.percentile(row.needs_per_step * rounds, (25, 50, 75))
        assert row.share.median == pytest.approx(median)
        assert row.share.quartiles == pytest.approx((low, high))
        if row.name.startswith("reference"):  # at any size it is far from what memory allows
            assert 0 < row.share.median < 1
    above = any(row.share.median > 1 for row in report.shares)
    assert (" ".join(text.split()).endswith(ABOVE_ONE)) == above


def _report(quick: RooflineReport, rate: float | None) -> RooflineReport:
    """A report of one share: of 100 bytes a step, at a rate of the port, against a copy."""
    samples = Samples.of([rate, rate]) if rate else None
    error = None if rate else "RuntimeError"
    port = EnvironmentRow(
        name="port, obs", side="port", envs=1, unit="steps/s", rate=samples, error=error
    )
    copied = Samples.of([1000.0, 2000.0])
    copy = MachineRow(name="copy", side="machine", envs=1, unit="bytes/s", rate=copied)
    share = ShareRow(name="port, obs", limit="copy", needs_per_step=100, description="bytes")
    return replace(quick, rows=(port, copy), shares=attained([share], [port, copy]))


def _text(report: RooflineReport) -> str:
    console = Console(file=io.StringIO(), width=400)
    show(report, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.slow
def test_a_share_above_one_is_not_passed_over(quick: Any) -> None:
    # 100 bytes a step at 10 steps a second, of 1000 and of 2000 bytes a second: all and half of it.
    half = _report(quick[0], 10.0)
    (row,) = half.shares
    assert row.share is not None
    assert row.share.median == pytest.approx(0.75)
    assert row.share.quartiles == pytest.approx((0.625, 0.875))
    assert ABOVE_ONE not in _text(half)
    above = _report(quick[0], 30.0)
    assert ABOVE_ONE in _text(above)


@pytest.mark.slow
def test_a_share_whose_row_failed_is_none(quick: Any) -> None:
    (row,) = _report(quick[0], None).shares
    assert row.share is None
    assert row.error == "a row that it needs failed"


class Made:
    """Stands for a workload; knows what it was made of, and is called by that."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self.envs, self.given = named.get("envs", 1), (*given, named)
        self.name = f"{given[1]} {named}" if isinstance(given[1], str) else f"made {len(given)} {named}"


@pytest.mark.parametrize("legacy", [True, False])
@pytest.mark.parametrize("quick", [True, False])
def test_every_program_is_measured_and_has_its_share_of_the_limit_that_it_is_held_to(
    legacy: bool, quick: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PortWorkload", "NumpyWorkload", "PortTrainer", "ReferenceTrainer"):
        monkeypatch.setattr(roofline, name, Made)
    for name in ("ReferenceWorkload", "VecEnvWorkload", "MachineWorkload"):
        monkeypatch.setattr(roofline, name, Made)
    for name in ("xla_copy", "xla_gather", "numpy_copy", "numpy_gather"):
        monkeypatch.setattr(roofline, name, lambda *given, name=name: (name, *given))
    market: Any = SimpleNamespace(
        params=SimpleNamespace(obs_size=225), prepared="prepared", config="rules", bars="bars"
    )
    told: dict[str, Any] = {}

    def measured(entries: Any, rounds: int, seconds: float) -> Any:
        told.update(entries=entries, asked=(rounds, seconds))
        return [replace(one.row, rate=Samples.of([4.0, 4.0])) for one in entries]

    monkeypatch.setattr(roofline, "read_or_generate", lambda *given: given)
    monkeypatch.setattr(roofline, "make_market", lambda bars: told.update(bars=bars) or market)
    monkeypatch.setattr(roofline, "count_bytes", lambda params: BYTES)
    monkeypatch.setattr(roofline, "xla_count", lambda params, envs: {"flops": float(envs)})
    monkeypatch.setattr(roofline, "measure_entries", measured)
    options = {
        "symbol": "NQ", "days": 9, "envs": 5000, "train_envs": 16, "n_steps": 8, "batch_size": 32,
        "workers": 3, "rounds": 6, "seconds_per_row": 0.5, "legacy": legacy,
    }  # fmt: skip
    large = 2**20 if quick else roofline.LARGE
    report = roofline.measure(options, large)
    assert (told["bars"], told["asked"]) == ((None, "NQ", 9), (6, 0.5))
    machine, programs = told["entries"][:7], told["entries"][7:]
    fit = f"copy of {900 * 5000 / 2**20:.2g} MiB, XLA"
    assert [(one.row.name, one.row.unit, one.workload.given[2]) for one in machine] == [
        ("large copy, XLA", "bytes/s", 2 * large), (fit, "bytes/s", 2 * 900 * 5000),
        ("windows gathered, XLA", "windows/s", 5000),
        ("matrix product, XLA", "flop/s", roofline.PRODUCT_FLOPS),
        ("large copy, NumPy", "bytes/s", 2 * large), ("windows copied, NumPy", "windows/s", 5000),
        ("matrix product, torch", "flop/s", roofline.PRODUCT_FLOPS),
    ]  # fmt: skip
    makes = [one.workload.given[1] for one in machine]
    assert [make for make in makes if isinstance(make, tuple)] == [
        ("xla_copy", large), ("xla_copy", 900 * 5000), ("xla_gather", market.params, 5000),
        ("numpy_copy", large), ("numpy_gather", "prepared", market.params, 5000),
    ]  # fmt: skip
    monkeypatch.setattr(roofline, "make_product", lambda library: f"product of {library}")
    assert [make() for make in makes if callable(make)] == ["product of xla", "product of torch"]
    assert all(one.may_fail for one in told["entries"])

    def settings(epochs: int) -> TrainSettings:
        return TrainSettings(n_envs=16, n_steps=8, batch_size=32, n_epochs=epochs)

    sizes = {"envs": 5000, "seed": 0}
    theirs = reference_settings(4, 3, 32, 32)
    wanted: list[Any] = [
        ("port", (market.params, "none", {**sizes, "steps": 400})),
        ("port", (market.params, "obs", {**sizes, "steps": 200})),
        ("NumPy", ("prepared", "rules", {**sizes, "steps": 20})),
    ]
    for epochs in (4,) if quick else (1, 4):
        wanted.append(("port", (market.params, settings(epochs), {})))
    if legacy:
        vec = {"workers": 3, "in_process": False, "steps": 200, "seed": 0}
        wanted.append(("reference", ("bars", "rules", theirs, {})))
        wanted.append(("reference", ("bars", "rules", {"steps": 1000, "seed": 0})))
        wanted.append(("reference", ("bars", "rules", vec)))
    assert [(one.row.side, one.workload.given) for one in programs] == wanted
    assert [getattr(one.row, "form", None) for one in programs[:2]] == ["none", "obs"]
    names = [one.row.name for one in programs]
    observing = sum(BYTES.values())
    needs: list[Any] = [
        (names[0], "large copy, XLA", 160), (names[1], "large copy, XLA", observing),
        (names[1], fit, observing), (names[1], "windows gathered, XLA", 1),
        (names[2], "large copy, NumPy", observing), (names[2], "windows copied, NumPy", 1),
    ]  # fmt: skip
    for number, epochs in enumerate((4,) if quick else (1, 4), 3):
        flops = FORWARD + epochs * (FORWARD + BACKWARD)
        needs.append((names[number], "matrix product, XLA", flops))
        if legacy and epochs == 4:
            needs.append((names[number + 1], "matrix product, torch", flops))
    needs += [(name, "large copy, NumPy", observing) for name in names[-2:] if legacy]
    shares = report.shares
    assert [(one.name, one.limit, one.needs_per_step) for one in shares] == needs
    assert [one.share and one.share.median for one in shares] == pytest.approx(
        [one[2] for one in needs]
    )
    words = [one.description.split(" if")[0] for one in shares if "matrix" in one.limit]
    assert words[0] == ("operations of 4 epochs" if quick else "operations of 1 epoch")
    assert (report.bytes_per_step, report.xla_per_step) == (BYTES, {"flops": 5000.0})


@pytest.mark.parametrize(
    ("size", "words"), [(28_800, "0.027"), (9.94 * 2**20, "9.9"), (10 * 2**20, "10"), (2**31, "2,048")]
)
def test_a_copy_is_called_by_its_size(size: float, words: str) -> None:
    assert roofline.cached_copy_name(int(size)) == f"copy of {words} MiB, XLA"


def test_options_reach_what_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(roofline, "measure", lambda *given: asked.append(given) or "report")
    monkeypatch.setattr(roofline, "publish", lambda *given: asked.append(given))
    given = {"symbol": "NQ", "days": 9, "envs": 5, "train_envs": 6, "n_steps": 7, "batch_size": 8}
    given |= {"workers": 3, "rounds": 4, "seconds_per_row": 0.5}
    words = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    for more in ([], ["--quick"]):
        assert CliRunner().invoke(main, [*words, "--no-legacy", *more, "--json", "o"]).exit_code == 0
    few = {"days": 4, "envs": 32, "train_envs": 16, "n_steps": 8, "batch_size": 64, "workers": 2}
    few |= {"rounds": 2, "seconds_per_row": 0.02}
    published = ("report", show, Path("o"))
    options = {**given, "legacy": False}
    assert asked == [(options, 2**28), published, ({**options, **few}, 2**20), published]


@pytest.mark.parametrize("median", [0.75, 1.5])
def test_rates_and_shares_are_shown_and_one_above_all_is_no_share(median: float) -> None:
    rate = Samples.of([2e6, 2e6])
    copy = MachineRow(name="copy", side="machine", envs=1, unit="bytes/s", rate=rate)
    port = EnvironmentRow(name="port", side="port", envs=1, unit="steps/s", error="it broke")
    share = ShareRow(name="a", limit="copy", needs_per_step=3.0, description="of bytes")
    shares = (
        replace(share, share=Summary(median=median, quartiles=(0.5, 2.0))),
        replace(share, name="b", description="of others", error="a row that it needs failed"),
    )
    report = RooflineReport(
        schema=1, machine_info=machine_info(), settings={}, bytes_per_step={}, xla_per_step={},
        rows=(copy, port), shares=shares,
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in _text(report).splitlines()]
    assert lines == [
        "row rate unit", "copy 2M bytes/s", "port - steps/s", "port: it broke", "program share of",
        f"a {median:.3%} of bytes", "b failed of others", *([ABOVE_ONE] if median > 1 else []),
    ]  # fmt: skip


def test_a_share_needs_both_of_its_rows_and_is_of_each_round() -> None:
    rates = {"fast": [10.0, 30.0], "slow": [5.0, 60.0], "gone": []}
    rows = [
        MachineRow(
            name=name, side="machine", envs=1, unit="u", rate=Samples.of(each) if each else None,
            error=None if each else "gone",
        )
        for name, each in rates.items()
    ]  # fmt: skip

    def of(name: str, limit: str) -> ShareRow:
        return ShareRow(name=name, limit=limit, needs_per_step=4.0, description="x")

    one, other, *without = attained(
        [of("fast", "slow"), of("slow", "fast"), of("gone", "slow"), of("slow", "gone")], rows
    )
    assert one.share is not None
    assert other.share is not None
    assert (one.share.median, one.error) == (4 * (2.0 + 0.5) / 2, None)
    assert other.share.median == 4 * (0.5 + 2.0) / 2
    assert [(row.share, row.error) for row in without] == [(None, "a row that it needs failed")] * 2
