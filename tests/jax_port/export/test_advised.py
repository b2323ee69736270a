"""Export of policies that were trained with advice: a prior goes out as its fusion, columns do not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jax_port.export import torch_policy
from jax_port.export.advised import TRAINED_WITH, fusion_of, load_network
from jax_port.export.bundle import POLICY, export
from jax_port.export.manifest import read_manifest
from jax_port.ppo.policy import save_policy
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from tests.jax_port.export.made_bundle import PRIOR, bundle, made_policy, prior_bundle
from tests.sentences import refuses


def test_a_prior_goes_out_as_its_fusion() -> None:
    manifest = read_manifest(prior_bundle())
    assert AdviceUse.from_dict(manifest[TRAINED_WITH]) == PRIOR
    asked_every_bar = replace(PRIOR.settings, every=1, cooldown=0, at_entries=False)
    assert FusionSettings.from_dict(manifest["fusion"]) == asked_every_bar
    network, use = load_network(prior_bundle() / POLICY)
    assert use == PRIOR
    assert network.advice is None
    assert read_manifest(bundle(1))[TRAINED_WITH] is None


def test_the_module_adds_the_prior() -> None:
    policy = torch_policy.load(prior_bundle())
    obs, masks = torch.zeros(4, policy.observations), torch.ones(4, 3, dtype=torch.bool)
    advice = torch.tensor([[0.0, 1.0, 0.0]]).repeat(4, 1)
    confidence, ages = torch.tensor([0.9, 0.9, 0.2, 0.9]), torch.tensor([0, -1, 0, 5])
    prior = torch_policy.prior_of(prior_bundle(), advice, confidence, ages)
    # Fresh advice weighs 2; none, one that is not sure enough and one that is too old weigh nothing.
    assert (prior[1:] == 0).all()
    assert prior[0].tolist() == pytest.approx([2 * -4.60517, 2 * -0.0202027, 2 * -4.60517])
    _, logits = policy.advised(obs, masks, prior)
    actions, bare = policy(obs, masks)
    assert torch.equal(logits[1:], bare[1:])
    assert torch.equal(logits, bare + prior)
    assert policy.advised(obs, masks, prior)[0].tolist() == [1, *actions[1:].tolist()]


@pytest.mark.parametrize(
    ("way", "fusion"),
    [
        ("columns", None),
        ("prior", FusionSettings()),
    ],
)
def test_what_cannot_go_out_is_refused(tmp_path: Path, way: str, fusion: FusionSettings | None) -> None:
    source = tmp_path / "policy.safetensors"
    save_policy(source, replace(made_policy(1), advice=replace(PRIOR, way=way)))  # type: ignore[arg-type]
    with refuses():
        export(source, tmp_path / "bundle", fusion=fusion)
    assert not (tmp_path / "bundle").exists()


def test_advice_counts_up_to_the_age_that_training_let_it_count() -> None:
    """The last minute included: four, of which each fades by a fifth."""
    ages = torch.tensor([0, 1, PRIOR.settings.most_age, PRIOR.settings.most_age + 1])
    advice = torch.tensor([[0.0, 1.0, 0.0]]).repeat(4, 1)
    prior = torch_policy.prior_of(prior_bundle(), advice, torch.ones(4), ages)[:, 0]
    wanted = [2 * -4.60517 * 0.8**age for age in (0, 1, 4)]
    assert prior.tolist() == pytest.approx([*wanted, 0.0])
    # where there is none, whatever its rows hold
    none = torch.full((4, 3), torch.nan), torch.full((4,), torch.nan), torch.full((4,), -1)
    assert (torch_policy.prior_of(prior_bundle(), *none) == 0).all()


def test_advice_counts_from_the_confidence_that_was_asked_for_on() -> None:
    least = torch.tensor(PRIOR.settings.threshold, dtype=torch.float32)
    confidence = torch.stack([least, torch.nextafter(least, torch.tensor(0.0)), torch.tensor(1.0)])
    advice = torch.tensor([[0.0, 1.0, 0.0]]).repeat(3, 1)
    prior = torch_policy.prior_of(prior_bundle(), advice, confidence, torch.zeros(3))[:, 0]
    assert (prior != 0).tolist() == [True, False, True]


def test_a_bundle_without_a_prior_has_none_to_add() -> None:
    none = torch.zeros(1, 3), torch.zeros(1), torch.zeros(1)
    with refuses(kind=ValueError):
        torch_policy.prior_of(bundle(1), *none)


@pytest.mark.parametrize("rule", ["weighted", "gated"])
def test_a_prior_is_computed_in_double_precision_and_rounded_at_the_end(
    rule: str, tmp_path: Path
) -> None:
    """Of float32 settings; the actions on an open trade take what hold has."""
    told = {"rule": rule, "weight": 1.7, "threshold": 0.3, "fade": 0.15, "most_age": 6}
    manifest = {"trained_with_advice": {"way": "prior"}, "fusion": told, "actions": [*"abcdef"]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    rng = np.random.default_rng(0)
    advice = rng.dirichlet([1.0, 0.5, 2.0], 400).astype(np.float32)
    confidence = rng.random(400).astype(np.float32)
    ages = rng.integers(-1, 9, 400)
    weight, fade = (np.float64(np.float32(told[name])) for name in ("weight", "fade"))
    fresh = np.power(1.0 - fade, np.maximum(ages, 0)).astype(np.float32).astype(np.float64)
    counts = (ages >= 0) & (ages <= 6)
    if rule == "gated":
        counts &= confidence >= np.float32(0.3)
    logs = np.log(0.97 * advice.astype(np.float64) + 0.01)[:, [0, 1, 2, 0, 0, 0]]
    expected = (np.where(counts, weight * fresh, 0.0)[:, None] * logs).astype(np.float32)
    prior = torch_policy.prior_of(tmp_path, *map(torch.from_numpy, (advice, confidence, ages)))
    np.testing.assert_array_equal(prior.numpy(), expected)
    assert prior.dtype == torch.float32
    assert 0.2 < counts.mean() < 0.8


def test_a_prior_is_asked_for_at_every_bar_and_is_otherwise_as_it_was_trained_with() -> None:
    """As in training, which had an answer at each: no pause after one, and no question of its own."""
    trained = FusionSettings("weighted", 1.5, 0.4, 5, 0.1, 7, 4, True, 0.2, 9)
    use = AdviceUse("prior", trained, "rules", "rules", "", "", "never")
    bare = FusionSettings("weighted", 1.5, 0.4, 5, 0.1, 1, 0, False, 0.2, 9)
    assert fusion_of(use, "here") == bare
    with refuses():
        fusion_of(replace(use, way="columns"), "here")
