"""The chain on made policies of both phases, its comparisons, its page, and faults it must name."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sb3_contrib import MaskablePPO
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from jax_port.data.data_loader import prepare
from jax_port.export import bundle as exporter
from jax_port.export import golden, manifest, sb3
from jax_port.export.importing import read_policy
from jax_port.export.layers import to_torch
from jax_port.export.stages import in_float32, in_float64, lead
from jax_port.export.torch_policy import TradingPolicy
from jax_port.ppo.policy import Policy, save_policy
from legacy_torch import train as reference
from legacy_torch.evaluate import load_run
from parity.engine.compare import Tolerance
from parity.export_chain.comparison import EQUAL, Board, StageComparison
from parity.export_chain.csharp import available
from parity.export_chain.decisions import _spread, compare_decisions
from parity.export_chain.observations import of_episodes
from parity.export_chain.page import render
from parity.export_chain.replay import ENVIRONMENTS
from parity.export_chain.verify import Request, verify
from rltrader.export_verify import verify as verify_command
from tests.jax_port import made_policy as making
from tests.jax_port.export.made_bundle import bars, bundle, made_policy
from tests.jax_port.made_kinds import bars_of, policy_of
from tests.sentences import refuses


@cache
def report_of(phase: int) -> dict[str, Any]:
    return verify(Request(bundle(phase), bars(), observations=2000, episodes=2))


@pytest.mark.parametrize("phase", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_every_hop_is_the_same(phase: int) -> None:
    report = report_of(phase)
    assert report["first_divergence"] is None
    assert report["verdict"] == "same"
    assert report["actions"]["compared"] >= 2000
    assert report["replay"]["trades"] > 5
    pnl = report["replay"]["pnl_dollars"]
    assert pnl["jax"] == pnl["sb3 in the reference"] != 0
    hops = {comparison["hop"] for comparison in report["hops"]}
    assert {
        "PyTorch float64",
        "SB3 float64",
        "PyTorch float32",
        "PyTorch program (.pt2)",
        "ONNX Runtime",
    } <= hops
    assert ("C#" in hops) == available()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "phase"), [("all at once", 1), ("all at once", 2), ("zero head", 1), ("zero head", 2)]
)
def test_every_hop_is_the_same_for_a_policy_of_another_kind(
    kind: str, phase: int, tmp_path: Path
) -> None:
    save_policy(tmp_path / "policy.safetensors", policy_of(kind, phase))
    exporter.export(tmp_path / "policy.safetensors", tmp_path / "bundle")
    report = verify(Request(tmp_path / "bundle", bars_of(kind), observations=1000, episodes=2))
    assert report["first_divergence"] is None
    spread = {hop["hop"] for hop in report["hops"] if "logits up to" in hop["hop"]}
    assert spread == {f"PyTorch float32, logits up to {largest}" for largest in (24, 200)}


def test_a_head_of_zeros_has_no_logits_to_set_apart() -> None:
    """What was divided by the largest logit was no number, and so "different"."""
    policy, board = policy_of("zero head", 1), Board()
    market = prepare(bars_of("zero head"), policy.config)
    batch = next(of_episodes(policy, market, 100))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = manifest.describe(policy, manifest.contract_of(policy, "ES"), {"file": "", "sha256": ""})
        (folder / "manifest.json").write_text(json.dumps(made))
        torch.save(exporter.state_of(policy), folder / "policy.pt")
        _spread(board, folder, policy, batch, 200.0)
        assert board.first_divergence() is None
        torch.save(exporter.state_of(policy_of("off the grid", 1)), folder / "policy.pt")
        _spread(board, folder, policy, batch, 200.0)
        assert board.first_divergence() is not None


def test_decisions_are_of_all_kinds() -> None:
    """Clipping acts, and so does every mask but those that no state can have."""
    clipped = next(
        comparison
        for comparison in report_of(2)["hops"]
        if (comparison["hop"], comparison["stage"]) == ("PyTorch float64", "clipped")
    )
    assert clipped["rows"] == report_of(2)["actions"]["compared"]
    cases = json.loads((bundle(2) / "golden.json").read_text())["cases"]
    masks = {tuple(case["mask"]) for case in cases}
    assert len(masks) >= 5
    assert {case["action"] for case in cases} >= {0, 1, 2}


@pytest.mark.costly
def test_the_page_tells_it() -> None:
    page = render(report_of(1))
    assert "Every hop decides the same." in page
    assert "ONNX Runtime" in page
    broken = {**report_of(1), "verdict": "different", "first_divergence": "PyTorch, policy_1: <wrong>"}
    assert "policy_1: &lt;wrong&gt;" in render(broken)


@pytest.mark.costly
def test_the_command_writes_both_reports(tmp_path: Path) -> None:
    bars().frame.to_csv(tmp_path / "bars.csv")
    asked = ["--observations", "500", "--episodes", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(
        verify_command, [str(bundle(1)), "--data", str(tmp_path / "bars.csv"), *asked]
    )
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "chain.json").read_text())["verdict"] == "same"
    assert (tmp_path / "chain.html").read_text().startswith("<!DOCTYPE html>")


def test_no_bundle_is_refused(tmp_path: Path) -> None:
    with refuses():
        verify(Request(tmp_path))


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(bundle(1), folder)
    (folder / "policy.onnx").write_bytes(b"cut off")
    with refuses():
        verify(Request(folder, bars()))
    (folder / "policy.onnx").unlink()
    with refuses():
        verify(Request(folder, bars()))


# Comparisons


def test_a_comparison_names_the_first_place_and_the_largest_difference() -> None:
    comparison = StageComparison.of("hop", "stage", Tolerance(0.1))
    comparison.update([[0.0, 1.0]], [[0.05, 1.0]])
    assert comparison.passed
    assert comparison.share == pytest.approx(0.5)
    comparison.update([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.0], [2.0, 3.5]])
    assert not comparison.passed
    assert (
        comparison.mismatches,
        comparison.max_abs,
        comparison.first["row"],
        comparison.first["place"],
    ) == (1, 0.5, 2, [1])
    assert (
        comparison.sentence()
        == "hop, stage: 1 of 3 rows differ; first in row 2 at 1: 3 expected, 3.5 found"
    )


@pytest.mark.parametrize("found", [[float("nan")], [float("inf")], [1.0, 2.0]])
def test_a_comparison_fails_on_what_is_no_number_or_no_row(found: list[float]) -> None:
    assert not StageComparison.of("hop", "stage", Tolerance(1.0)).update([1.0], found).passed


def test_a_comparison_that_saw_nothing_fails() -> None:
    board = Board()
    board.at("hop", "stage", EQUAL)
    divergence = board.first_divergence()
    assert divergence is not None
    assert "nothing was compared" in divergence.sentence()


def test_a_row_limit_is_of_the_rows_largest_number() -> None:
    limit = Tolerance(0.0, 0.1, relative_to="row")
    assert limit.allowed(np.array([[1.0, -10.0], [2.0, 0.0]])).tolist() == [[1.0, 1.0], [0.2, 0.2]]


# Faults of the exporter, each with the stage that the first divergence must name


def transposed_kernel(patch: pytest.MonkeyPatch) -> None:
    def wrong(params: Any) -> dict[str, np.ndarray]:
        found = to_torch(params)
        return {**found, "policy_1.weight": np.ascontiguousarray(found["policy_1.weight"].T)}

    patch.setattr(exporter, "to_torch", wrong)


def swapped_mlps(patch: pytest.MonkeyPatch) -> None:
    def wrong(params: Any) -> dict[str, np.ndarray]:
        other = {"policy": "value", "value": "policy"}
        found = to_torch(params)
        heads = {name: x for name, x in found.items() if "head" in name}
        return heads | {
            f"{other[name.split('_')[0]]}_{name.split('_')[1]}": x
            for name, x in found.items()
            if "head" not in name
        }

    patch.setattr(exporter, "to_torch", wrong)


def missing_clip(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        TradingPolicy,
        "normalize",
        lambda self, obs: self.standardize(obs).to(self.action_head.weight.dtype),
    )


def epsilon_outside_the_root(patch: pytest.MonkeyPatch) -> None:
    def wrong(self: TradingPolicy, obs: torch.Tensor) -> torch.Tensor:
        return (obs.double() - self.statistics.mean) / (torch.sqrt(self.statistics.var) + self.epsilon)

    patch.setattr(TradingPolicy, "standardize", wrong)


def wrong_activation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sb3, "ACTIVATIONS", {"relu": torch.nn.Tanh, "tanh": torch.nn.ReLU})


def feature_order(patch: pytest.MonkeyPatch) -> None:
    features = list(manifest.FEATURES)
    features[2], features[3] = features[3], features[2]
    patch.setattr(manifest, "FEATURES", tuple(features))


def features_in_another_order(patch: pytest.MonkeyPatch) -> None:
    right = golden.compute_features
    patch.setattr(golden, "compute_features", lambda bars: right(bars)[:, [0, 1, 3, 2, *range(4, 11)]])


def statistics_of_another_run(patch: pytest.MonkeyPatch) -> None:
    right = exporter.state_of
    other = right(made_policy(1))
    shifted = {**other, "statistics.mean": other["statistics.mean"] * 1.001}

    def wrong(policy: Policy) -> dict[str, torch.Tensor]:
        return {**right(policy), "statistics.mean": shifted["statistics.mean"]}

    patch.setattr(exporter, "state_of", wrong)


def mask_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        TradingPolicy, "choose", lambda self, logits, masks: torch.argmax(logits + 0 * masks, -1)
    )


FAULTS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    transposed_kernel: "PyTorch float64, policy_1:",
    swapped_mlps: "PyTorch float64, policy_0:",
    missing_clip: "PyTorch float64, clipped:",
    epsilon_outside_the_root: "PyTorch float64, standardised:",
    wrong_activation: "JAX to SB3 to JAX, activation: 1 of 1 rows differ: relu expected, tanh found",
    feature_order: "files, manifest: observation:",
    features_in_another_order: "golden.json against the reference, features: sma_5:",
    statistics_of_another_run: "PyTorch float64, standardised:",
    mask_ignored: "PyTorch float64, action:",
}


@pytest.mark.costly
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_named(
    fault: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        making, "SPEC", making.NetworkSpec((16, 16), (16, 16))
    )  # MLPs that fit each other
    policy = making.make_policy(
        golden.prepare(bars(), made_policy(1).config),
        made_policy(1).config,
        seed=4,
        data={"symbol": "ES"},
    )
    save_policy(tmp_path / "policy.safetensors", policy)
    request = Request(tmp_path / "out", bars(), observations=500, episodes=1)
    # None of these is in C#, which takes a compiler and seconds each time.
    monkeypatch.setattr("parity.export_chain.verify.available", lambda: False)
    with monkeypatch.context() as patch:
        fault(patch)
        exporter.export(tmp_path / "policy.safetensors", request.folder)
        in_code = fault in (missing_clip, epsilon_outside_the_root, mask_ignored)
        # What is wrong in the module itself is wrong wherever the module is run.
        report = verify(request) if in_code else None
    report = report or verify(request)
    assert report["verdict"] == "different"
    assert report["first_divergence"].startswith(FAULTS[fault])
    baked = {g["hop"] for g in report["hops"] if not g["passed"]}
    if in_code:
        assert {"PyTorch program (.pt2)", "ONNX Runtime"} <= baked


def test_a_chain_without_a_decision_is_no_proof() -> None:
    policy, board = made_policy(1), Board()
    compared = compare_decisions(board, bundle(1), policy, prepare(bars(), policy.config), 0).compared
    first = board.first_divergence()
    assert compared == 0
    assert first is not None
    assert first.sentence() == "decisions, observations of episodes: nothing was compared"


# What a user does with it


@pytest.mark.parametrize("phase", [1, 2])
def test_sb3_goes_on_training(phase: int) -> None:
    """The zip opens on the reference's environment, learns, and its statistics move on."""
    env = DummyVecEnv([lambda: Monitor(ENVIRONMENTS[phase](bars(), made_policy(phase).config))])
    normalizer = VecNormalize.load(str(bundle(phase) / sb3.NORMALIZER), env)
    count = normalizer.obs_rms.count
    model = MaskablePPO.load(
        bundle(phase) / sb3.MODEL, env=normalizer, device="cpu", n_steps=32, batch_size=16, n_epochs=1
    )
    before = {name: value.clone() for name, value in model.policy.state_dict().items()}
    model.learn(64)
    assert normalizer.obs_rms.count == count + 65  # 64 steps and a reset
    moved = [name for name, value in model.policy.state_dict().items() if not value.equal(before[name])]
    assert len(moved) == len(before)
    assert (model.gamma, model.ent_coef) == (0.99, 0.01)
    assert model.policy.activation_fn is torch.nn.ReLU


def test_a_run_of_the_reference_comes_in(tmp_path: Path) -> None:
    """What ``legacy_torch.train`` saved is read with its own rules, and decides as it did."""
    config = made_policy(1).config
    reference.train(
        bars(),
        config,
        reference.TrainConfig(n_envs=1, n_steps=32, batch_size=16, n_epochs=1, total_timesteps=32),
        tmp_path,
        progress=False,
    )
    policy = read_policy(tmp_path)
    assert policy.config == config
    model, normalizer, _ = load_run(tmp_path, bars())
    cases = json.loads((bundle(1) / "golden.json").read_text())["cases"]
    obs = np.array([case["observation"] for case in cases], np.float32)
    masks = np.array([case["mask"] for case in cases])
    theirs, _ = model.predict(
        np.asarray(normalizer.normalize_obs(obs)), action_masks=masks, deterministic=True
    )
    clear = lead(in_float64(policy, obs, masks)["action_head"], masks) > 1e-5
    assert clear.mean() > 0.9
    assert in_float32(policy, obs, masks)["action"][clear].tolist() == theirs[clear].tolist()
