"""To SB3 and back, bit for bit, without running anything that a file holds."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from jax_port.export.importing import read_policy
from jax_port.export.layers import same_bits, to_flax, to_torch
from jax_port.export.sb3 import MODEL, NORMALIZER, Spaces, load_sb3
from jax_port.ppo.policy import load_policy
from markets import EnvConfig, InputError
from rltrader.export import export as export_command
from rltrader.export import import_
from tests.jax_port.export.made_bundle import bundle, made_policy


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("name", ["", "maskable_ppo.zip", "policy.pt"])
def test_there_and_back_is_bit_identical(phase: int, name: str) -> None:
    back = read_policy(bundle(phase) / name)
    assert same_bits(made_policy(phase), back) == []
    assert back.spec == made_policy(phase).spec
    assert back.config == made_policy(phase).config
    assert back.about["data"] == {"symbol": "ES"}


def test_another_bit_is_noticed() -> None:
    policy = made_policy(1)
    layers = {name: dict(kinds) for name, kinds in policy.params["params"].items()}
    layers["value_0"]["bias"] = np.nextafter(layers["value_0"]["bias"], np.float32(1))
    assert same_bits(policy, replace(policy, params={"params": layers})) == ["value_0.bias"]


def test_weights_that_were_trained_further_lose_their_proof(tmp_path: Path) -> None:
    model = MaskablePPO.load(bundle(1) / MODEL, device="cpu")
    with torch.no_grad():
        model.policy.action_net.bias += 0.5
    model.save(tmp_path / MODEL)
    shutil.copy(bundle(1) / NORMALIZER, tmp_path)
    policy = read_policy(tmp_path / MODEL)
    assert policy.about["certificate"] == "ungated"
    assert policy.about["ancestor"] == made_policy(1).about
    assert same_bits(policy, made_policy(1)) == ["action_head.bias"]


def _foreign(folder: Path, **normalizer: float) -> None:
    """Save a model as somebody does who never heard of this project."""
    env = VecNormalize(DummyVecEnv([lambda: Spaces(225, 3)]), **normalizer)
    MaskablePPO("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, device="cpu").save(folder / MODEL)
    env.save(str(folder / NORMALIZER))


def test_a_model_from_elsewhere_needs_its_phase_said(tmp_path: Path) -> None:
    _foreign(tmp_path)
    with pytest.raises(InputError, match="--phase"):
        read_policy(tmp_path / MODEL)
    policy = read_policy(tmp_path / MODEL, config=EnvConfig.phase1())
    assert policy.spec.activation == "tanh"  # SB3's own default, which no shape tells
    assert (policy.spec.pi, policy.spec.vf) == ((8,), (8,))
    with pytest.raises(InputError, match="phase 2"):
        read_policy(tmp_path / MODEL, config=EnvConfig.phase2())


def test_another_formula_is_refused(tmp_path: Path) -> None:
    _foreign(tmp_path, clip_obs=5.0)
    with pytest.raises(InputError, match="clip_obs 5"):
        read_policy(tmp_path / MODEL, config=EnvConfig.phase1())


class _Bomb:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def test_a_pickle_is_read_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (tmp_path / NORMALIZER).write_bytes(pickle.dumps(_Bomb(trace)))
    with pytest.raises(InputError, match="not a VecNormalize"):
        load_sb3(bundle(1) / MODEL, tmp_path / NORMALIZER)
    assert not trace.exists()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / MODEL).write_text("no zip")
    with pytest.raises(InputError, match="not a model of SB3"):
        read_policy(tmp_path / MODEL)
    with pytest.raises(InputError, match="no such file"):
        read_policy(tmp_path / "gone.zip")
    with pytest.raises(InputError, match="neither a bundle"):
        read_policy(tmp_path)


def test_layers_that_do_not_fit_are_named() -> None:
    policy = made_policy(1)
    weights = to_torch(policy.params)
    with pytest.raises(InputError, match=r"value_0\.bias"):
        to_flax({name: x for name, x in weights.items() if name != "value_0.bias"}, policy.spec)
    with pytest.raises(InputError, match="layer policy_1"):
        to_flax({**weights, "policy_1.weight": weights["policy_1.weight"][:, :8]}, policy.spec)


def test_the_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    made = runner.invoke(
        export_command, [str(bundle(1) / "policy.safetensors"), "--to", str(tmp_path / "again")]
    )
    assert made.exit_code == 0, made.output
    back = runner.invoke(import_, [str(tmp_path / "again"), "--to", str(tmp_path / "back.safetensors")])
    assert back.exit_code == 0, back.output
    assert same_bits(load_policy(tmp_path / "back.safetensors"), made_policy(1)) == []
    listed = runner.invoke(export_command, ["--help"])
    assert "verify" in listed.output
    assert "bundle" in listed.output
