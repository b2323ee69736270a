"""The fusion that a bundle carries is proved on every side, and a fault in one of them is found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.export.advised import load_network
from jax_port.export.bundle import POLICY
from jax_port.export.manifest import read_manifest
from jax_port.export.stages import in_float32
from markets.advice.fusion import Fused, FusionSettings, Situation
from parity.export_chain.comparison import Board
from parity.export_chain.csharp import Checker, available, compile_checker
from parity.export_chain.observations import of_episodes
from parity.export_chain.verify import Chain, compare_prior, prove_nothing_more
from parity.fusion import bundle as proof
from parity.fusion.bundle import prove_fusion
from parity.fusion.cases import situations
from parity.fusion.sides import numpy_side, torch_side
from tests.jax_port.export.made_bundle import bars, bundle, config_of, made_policy, prior_bundle
from tests.sentences import refuses

SETTINGS = FusionSettings("weighted", weight=2.0)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "OBSERVATIONS", 500)
    monkeypatch.setattr(proof, "DRAWN", 2000)


def chain(tmp_path: Path, phase: int = 1, **fusion: object) -> Chain:
    """Return the chain of a bundle that carries a fusion."""
    folder = bundle(phase)
    told = {**SETTINGS.to_dict(), **fusion}
    checker = None
    if available():
        checker = Checker(compile_checker(tmp_path / "ParityCheck.exe"), folder, tmp_path)
    return Chain(
        Board(),
        folder,
        {**read_manifest(folder), "fusion": told},
        made_policy(phase),
        folder,
        prepare(bars(), config_of(phase)),
        tmp_path,
        checker,
    )


def test_every_side_fuses_as_the_port_does(tmp_path: Path) -> None:
    made = chain(tmp_path, 2)
    found = prove_fusion(made)
    assert made.board.first_divergence() is None
    assert found is not None
    assert found["settings"] == SETTINGS.to_dict()
    batch = next(of_episodes(made.policy, made.market, 500, seed=1))
    assert (found["observations"], found["drawn"]) == (len(batch), 2000)
    logits = in_float32(made.policy, batch.obs, batch.masks)["action_head"]
    drawn = situations(len(batch), 6, 7, SETTINGS)._replace(masks=batch.masks, logits=logits)
    bare = np.where(batch.masks, logits, -np.inf).argmax(axis=1)
    changed = int((numpy_side(drawn, SETTINGS).action != bare).sum())
    assert 10 < changed < len(batch) // 2
    assert abs(found["changed"] - changed) <= 2  # but for near-ties
    hops = {one.hop for one in made.board.comparisons}
    assert {"fusion, PyTorch", "fusion, ONNX Runtime", "fusion, PyTorch program (.pt2)"} <= hops
    assert not available() or {"fusion, C#", "fusion alone, C#"} <= hops


def test_a_planted_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(given: Situation, settings: FusionSettings) -> Fused:
        return torch_side(given, replace(settings, weight=settings.weight * 1.001))

    monkeypatch.setattr(proof, "torch_side", faulty)
    made = chain(tmp_path)
    prove_fusion(replace(made, checker=None))
    assert made.board.first_divergence("fusion alone, PyTorch") is not None
    assert made.board.first_divergence("fusion, ONNX Runtime") is not None


def test_an_action_that_is_not_the_likeliest_is_found_where_probabilities_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(given: Situation, settings: FusionSettings) -> Fused:
        fused = torch_side(given, settings)
        ordered = np.argsort(fused.probabilities, axis=1)
        return fused._replace(
            action=np.where(given.masks.sum(axis=1) == 2, ordered[:, -2], fused.action)
        )

    monkeypatch.setattr(proof, "torch_side", faulty)
    made = chain(tmp_path, 2)
    prove_fusion(replace(made, checker=None))
    differing = {one.hop for one in made.board.comparisons if not one.passed}
    assert differing == {
        "fusion alone, PyTorch",
        "fusion, PyTorch",
        "fusion, PyTorch program (.pt2)",
        "fusion, ONNX Runtime",
    }
    assert {one.stage for one in made.board.comparisons if not one.passed} == {"action"}


def prior_chain(tmp_path: Path) -> Chain:
    """Return the chain of a bundle that was trained with advice as a prior."""
    folder = prior_bundle()
    network, use = load_network(folder / POLICY)
    made = replace(chain(tmp_path), folder=folder, running=folder, policy=network, use=use)
    checker = None if made.checker is None else Checker(made.checker.program, folder, tmp_path)
    return replace(made, manifest=read_manifest(folder), checker=checker)


@pytest.mark.costly
def test_a_prior_is_the_fusion_on_every_side(tmp_path: Path) -> None:
    made = prior_chain(tmp_path)
    compare_prior(made.board, made.manifest, made.use)
    prove_fusion(made)
    assert made.board.first_divergence() is None
    hops = {one.hop for one in made.board.comparisons}
    sides = {"PyTorch module", "PyTorch", "PyTorch program (.pt2)", "ONNX Runtime"}
    assert {f"fusion is the prior, {side}" for side in sides} <= hops
    assert not available() or "fusion is the prior, C#" in hops


@pytest.mark.costly
def test_another_prior_than_that_of_training_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = replace(prior_chain(tmp_path), checker=None)
    right = proof.prior_at
    monkeypatch.setattr(proof, "prior_at", lambda *given: 1.001 * right(*given))
    prove_fusion(made)
    for side in ("PyTorch module", "PyTorch", "ONNX Runtime"):
        assert made.board.first_divergence(f"fusion is the prior, {side}") is not None
        assert made.board.first_divergence(f"fusion, {side}") is None
    other = {**made.manifest, "fusion": {**made.manifest["fusion"], "weight": 1.9}}
    compare_prior(made.board, other, made.use)
    found = made.board.first_divergence("files")
    assert found is not None
    assert "fusion is the prior" in found.sentence()


def test_a_fusion_that_nobody_proves_is_a_divergence(tmp_path: Path) -> None:
    made = replace(chain(tmp_path), checker=None)
    assert prove_nothing_more(made) is None
    found = made.board.first_divergence()
    assert found is not None
    assert "not proved" in found.sentence()
    bare = replace(made, board=Board(), manifest=read_manifest(made.folder))
    assert prove_nothing_more(bare) is prove_fusion(bare) is None
    assert not bare.board.comparisons
    with refuses():
        prove_fusion(replace(bare, manifest={"fusion": {**SETTINGS.to_dict(), "weight": 300.0}}))
