"""Export of policies that were trained with advice: a prior goes out as its fusion, columns do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jax_port.export import torch_policy
from jax_port.export.advised import TRAINED_WITH, load_network
from jax_port.export.bundle import POLICY, export
from jax_port.export.manifest import read_manifest
from jax_port.ppo.policy import save_policy
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from tests.jax_port.export.made_bundle import PRIOR, bundle, made_policy, prior_bundle
from tests.sentences import refuses


@pytest.mark.costly
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
