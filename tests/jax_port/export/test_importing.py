"""What a bundle says itself is not to be said otherwise; changed weights lose their proof."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from foundation.files import file_digest, write_json
from jax_port.export.bundle import POLICY, STATE
from jax_port.export.checks.tensors import CONVERTED
from jax_port.export.importing import REFERENCE_MODEL, REFERENCE_RUN, read_policy
from jax_port.export.manifest import MANIFEST, UNGATED
from jax_port.export.sb3 import MODEL, NORMALIZER, make_sb3
from jax_port.ppo.policy import load_policy
from markets import EnvConfig
from tests.jax_port.export.made_bundle import bundle, made_policy, prior_bundle, raw_bundle
from tests.sentences import refuses


@pytest.mark.parametrize("name", ["", STATE])
def test_rules_and_a_normaliser_beside_those_of_a_bundle_are_refused(name: str) -> None:
    source = bundle(1) / name
    assert read_policy(source, config=EnvConfig.phase1()).config == EnvConfig.phase1()
    with refuses():
        read_policy(source, config=EnvConfig.phase2())
    with refuses():
        read_policy(source, config=EnvConfig.phase1(sl_atr_mult=1.25))
    with refuses():
        read_policy(source, normalizer=bundle(1) / NORMALIZER)
    with refuses():
        read_policy(source, raw=True)


def test_rules_beside_those_of_a_run_of_the_references_trainer_are_refused(tmp_path: Path) -> None:
    own = EnvConfig.phase1(sl_atr_mult=1.25)
    shutil.copy(bundle(1) / MODEL, tmp_path / REFERENCE_MODEL)
    shutil.copy(bundle(1) / NORMALIZER, tmp_path)
    write_json(tmp_path / REFERENCE_RUN, {"env_config": own.to_dict()})
    assert read_policy(tmp_path).config == read_policy(tmp_path, config=own).config == own
    for given in (EnvConfig.phase1(), EnvConfig.phase2()):
        with refuses():
            read_policy(tmp_path, config=given)


def test_raw_observations_may_be_said_of_a_bundle_without_a_normaliser() -> None:
    assert read_policy(raw_bundle(), raw=True).statistics is None


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(bundle(1), tmp_path / "bundle")
    return tmp_path / "bundle"


def test_weights_as_they_were_exported_keep_what_the_policy_says_of_itself(copy: Path) -> None:
    imported = dict(read_policy(copy).about)
    assert set(imported.pop("imported")) == {"from", "sha256"}
    assert imported == load_policy(copy / POLICY).about


def test_weights_of_other_types_are_the_same_policy_and_their_types_are_said(copy: Path) -> None:
    state = torch.load(copy / STATE, weights_only=True)
    state["policy_1.bias"] = state["policy_1.bias"].half()
    state["value_head.weight"] = state["value_head.weight"].double()
    torch.save(state, copy / STATE)
    about = read_policy(copy).about
    assert about["imported"] == {
        "from": STATE, "sha256": file_digest(copy / STATE), CONVERTED: "float16 and float64"
    }  # fmt: skip
    assert about["data"] == load_policy(copy / POLICY).about["data"]


@pytest.mark.parametrize(
    "name",
    [
        *("policy_0.weight", "policy_1.bias", "action_head.weight"),
        *("value_0.bias", "value_head.weight"),
        *("statistics.mean", "statistics.var", "statistics.count"),
    ],
)
def test_one_bit_of_any_tensor_makes_it_another_policy_without_a_proof(copy: Path, name: str) -> None:
    state = torch.load(copy / STATE, weights_only=True)
    last = state[name].reshape(-1)[-1:]
    last[:] = torch.nextafter(last, last + 1)
    torch.save(state, copy / STATE)
    about = dict(read_policy(copy).about)
    imported = about.pop("imported")
    assert imported == {"from": STATE, "sha256": file_digest(copy / STATE)}
    assert "data" in load_policy(copy / POLICY).about
    assert about == {"certificate": UNGATED, "ancestor": load_policy(copy / POLICY).about}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statistics.var", -1e-9),
        ("statistics.count", -1.0),
        ("statistics.mean", None),
        ("statistics.count", [1.0]),
        ("statistics.mean", [0.0]),
    ],
)
def test_moments_that_are_none_are_refused(copy: Path, name: str, value: Any) -> None:
    state = torch.load(copy / STATE, weights_only=True)
    if value is None:
        del state[name]
    elif isinstance(value, list):
        state[name] = torch.tensor(value, dtype=torch.float64)
    else:
        state[name].reshape(-1)[-1:] = value
    torch.save(state, copy / STATE)
    with refuses():
        read_policy(copy)


def test_other_rules_in_the_manifest_are_no_rules_of_the_run(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["env_config"]["sl_atr_mult"] = 1.25
    (copy / MANIFEST).write_text(json.dumps(manifest))
    policy = read_policy(copy)
    assert policy.config.sl_atr_mult == 1.25
    assert policy.about["certificate"] == UNGATED
    assert "data" not in policy.about


def test_a_zip_read_with_other_rules_than_the_runs_loses_the_proof(copy: Path) -> None:
    given = read_policy(copy / MODEL, config=EnvConfig.phase1())
    assert given.about["data"] == {"symbol": "ES"}
    other = read_policy(copy / MODEL, config=EnvConfig.phase1(sl_atr_mult=9.0))
    assert other.config.sl_atr_mult == 9.0
    assert other.about["certificate"] == UNGATED
    assert "data" not in other.about
    assert other.about["ancestor"]["data"] == {"symbol": "ES"}


def test_a_zip_with_another_activation_than_the_runs_loses_the_proof(tmp_path: Path) -> None:
    """The same weights, behind tanh where relu was trained."""
    model, normalizer = make_sb3(made_policy(1))
    model.policy_kwargs["activation_fn"] = torch.nn.Tanh
    model.save(tmp_path / MODEL)
    normalizer.save(str(tmp_path / NORMALIZER))
    policy = read_policy(tmp_path / MODEL)
    assert policy.spec.activation == "tanh"
    assert policy.about["certificate"] == UNGATED
    assert "data" not in policy.about


@pytest.mark.parametrize("name", ["", STATE, MODEL])
def test_what_was_trained_with_a_prior_does_not_come_in_bare(name: str) -> None:
    with refuses():
        read_policy(prior_bundle() / name)


def test_a_folder_s_one_zip_is_its_model(tmp_path: Path) -> None:
    """A folder of that name is none."""
    for name in (MODEL, NORMALIZER):
        shutil.copy(bundle(1) / name, tmp_path)
    (tmp_path / "a.zip").mkdir()
    assert read_policy(tmp_path).about["imported"]["from"] == MODEL
    shutil.copy(bundle(1) / MODEL, tmp_path / "other.zip")
    with refuses():
        read_policy(tmp_path)
