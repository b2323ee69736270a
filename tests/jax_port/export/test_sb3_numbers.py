"""What a zip of SB3 trains on with is what the policy was trained with, number by number."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from jax_port.data.data_loader import prepare
from jax_port.export import sb3_archive
from jax_port.export.sb3 import (
    MODEL,
    NORMALIZER,
    Spaces,
    make_sb3,
    require_same_decisions,
    save_sb3,
)
from jax_port.export.sb3_archive import read_archive
from jax_port.ppo.settings import RATES, NetworkSpec
from markets import EnvConfig, InputError
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.export.made_bundle import made_policy
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses

NUMBERS = {
    "learning_rate": 0.0125,
    "gamma": 0.875,
    "gae_lambda": 0.75,
    "clip_range": 0.375,
    "clip_range_vf": 0.625,
    "ent_coef": 0.03125,
    "vf_coef": 0.6875,
    "max_grad_norm": 1.25,
    "target_kl": 0.0625,
    "n_epochs": 7,
    "seed": 70_001,
}
"""A value of each that is no default of either trainer's."""
SCHEDULES = ("learning_rate", "clip_range", "clip_range_vf")
"""Of those that SB3 holds as functions of the progress left."""
SPEC = NetworkSpec((5, 3), (4,), "tanh")
CONFIG = EnvConfig.phase2(window_size=2)


def _at(value: Any, left: float) -> float | None:
    return float(value(left)) if callable(value) else value


@pytest.mark.parametrize("anneal", [False, True])
@pytest.mark.parametrize("norm_reward", [False, True])
@pytest.mark.parametrize("switched_off", [False, True])
def test_every_number_of_the_training_is_in_the_zip(
    anneal: bool, norm_reward: bool, switched_off: bool, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {**NUMBERS, "anneal": anneal, "norm_reward": norm_reward}
    if switched_off:
        settings |= {"clip_range_vf": None, "target_kl": None}
    assert {*RATES, "n_epochs", "seed"} == {*NUMBERS}
    market = prepare(synthetic_bars("ES", days=2, seed=5), CONFIG)
    policy = make_policy(market, CONFIG, seed=3, spec=SPEC, settings=settings)
    save_sb3(policy, tmp_path)
    model = MaskablePPO.load(tmp_path / MODEL, device="cpu")
    for left in (1.0, 0.5, 0.0):
        for name in RATES:
            falls = anneal and name in ("learning_rate", "clip_range")
            value = settings[name]
            expected = value if value is None or not falls else value * left
            held = model.lr_schedule if name == "learning_rate" else getattr(model, name)
            assert _at(held, left) == pytest.approx(expected), (name, left)
            assert callable(held) or name not in SCHEDULES or held is None
    assert (model.n_epochs, model.seed) == (7, 70_001)
    env = DummyVecEnv([lambda: Spaces(policy.observation_size, 6)])
    normalizer = VecNormalize.load(str(tmp_path / NORMALIZER), env)
    assert (normalizer.norm_obs, normalizer.norm_reward) == (True, norm_reward)
    assert (normalizer.gamma, normalizer.clip_obs, normalizer.epsilon) == (0.875, 10.0, 1e-8)
    moments: Any = normalizer.obs_rms
    assert policy.statistics is not None
    for name, value in policy.statistics.items():
        found = getattr(moments, name)
        np.testing.assert_array_equal(found, value)
        assert np.asarray(found).dtype == np.float64
    widths = [
        layer.out_features
        for layer in model.policy.mlp_extractor.policy_net
        if hasattr(layer, "out_features")
    ]
    assert widths == [5, 3]
    assert model.observation_space.shape == (policy.observation_size,)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize(
    ("settings", "imported", "own"),
    [(True, True, True), (True, False, True), (False, True, False), (False, False, True)],
    ids=["both", "settings", "imported", "neither"],
)
def test_a_run_s_own_word_on_rewards_comes_before_that_of_what_it_began_with(
    settings: bool, imported: bool, own: bool, scaled: bool
) -> None:
    """Of a policy that was only imported, its file's; of one that says nothing, the default."""
    about: dict[str, Any] = {"settings": {"norm_reward": scaled}} if settings else {}
    if imported:
        about |= {"imported": {"from": "x.zip", "norm_reward": not scaled}}
    made = make_sb3(replace(made_policy(1), about=about))[1]
    assert made.norm_reward is (scaled if settings else not scaled if imported else own)


def test_values_of_another_scale_are_noticed(tmp_path: Path) -> None:
    policy = made_policy(1)
    save_sb3(policy, tmp_path)
    archive = read_archive(tmp_path / MODEL)
    require_same_decisions(policy, archive)
    layers = {name: dict(kinds) for name, kinds in policy.params["params"].items()}
    layers["value_head"]["kernel"] = layers["value_head"]["kernel"] * np.float32(1.001)
    with refuses(r"(?<=differ by )[\d.e-]+"):
        require_same_decisions(replace(policy, params={"params": layers}), archive)


def test_both_members_of_a_zip_count_towards_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others are never unpacked, so what they hold is no matter."""
    weights = io.BytesIO()
    torch.save({"action_net.bias": torch.zeros(3)}, weights)
    data = json.dumps({"gamma": 0.9, "words": "x" * 500}).encode()
    with zipfile.ZipFile(tmp_path / MODEL, "w") as archive:
        archive.writestr("data", data)
        archive.writestr("policy.pth", weights.getvalue())
        archive.writestr("policy.optimizer.pth", bytes(10_000))
    size = len(data) + len(weights.getvalue())
    monkeypatch.setattr(sb3_archive, "MOST_BYTES", size)
    archive_read = read_archive(tmp_path / MODEL)
    assert (archive_read.data["gamma"], list(archive_read.state)) == (0.9, ["action_net.bias"])
    monkeypatch.setattr(sb3_archive, "MOST_BYTES", size - 1)
    with pytest.raises(InputError, match="would unpack to"):
        read_archive(tmp_path / MODEL)


def test_an_entry_of_a_description_is_a_value_or_a_pickle_that_is_whole() -> None:
    packed = base64.b64encode(pickle.dumps({"net_arch": [7]})).decode()
    archive = sb3_archive.Archive(
        Path("x.zip"), {"plain": 3, "words": {"a": 1}, "held": {":serialized:": packed},
                        "broken": {":serialized:": packed + "!?"}, "number": {":serialized:": 5},
                        "cut": {":serialized:": packed[:-8]}}, {}
    )  # fmt: skip
    assert [archive.stored(name) for name in ("plain", "words", "held", "none")] == [
        3, {"a": 1}, {"net_arch": [7]}, None
    ]  # fmt: skip
    for name in ("broken", "number", "cut"):
        with refuses():
            archive.stored(name)


class OwnMoments(RunningMeanStd):
    """Moments that may be anything."""


def test_moments_of_a_class_of_one_s_own_are_refused(tmp_path: Path) -> None:
    normalizer = VecNormalize(DummyVecEnv([lambda: Spaces(4, 3)]), norm_reward=False)
    normalizer.save(str(tmp_path / NORMALIZER))
    read = sb3_archive.read_normalizer(tmp_path / NORMALIZER)
    assert read.statistics is not None
    assert {name: (x.shape, x.dtype.name) for name, x in read.statistics.items()} == {
        "mean": ((4,), "float64"), "var": ((4,), "float64"), "count": ((), "float64")
    }  # fmt: skip
    own: Any = OwnMoments(shape=(4,))
    normalizer.obs_rms = own
    normalizer.save(str(tmp_path / NORMALIZER))
    with refuses():
        sb3_archive.read_normalizer(tmp_path / NORMALIZER)
    plain: Any = RunningMeanStd(shape=(4,))
    normalizer.obs_rms = plain
    for mean, var in ((np.zeros(3), np.ones(4)), (np.zeros((2, 2)), np.ones((2, 2)))):
        plain.mean, plain.var = mean, var
        normalizer.save(str(tmp_path / NORMALIZER))
        with refuses():
            sb3_archive.read_normalizer(tmp_path / NORMALIZER)
