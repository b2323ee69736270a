"""Real models of SB3: decided on exactly as SB3 does, or refused by a sentence that says what to do."""

from __future__ import annotations

import base64
import json
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import TRPO, MaskablePPO, RecurrentPPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from jax_port.export.importing import read_policy
from jax_port.export.sb3 import MODEL, NORMALIZER, Spaces
from jax_port.export.sb3_description import SharedExtractor
from jax_port.ppo.policy import Policy, save_policy
from markets import EnvConfig
from rltrader.agent import MaskablePPO as Agent
from tests.sentences import refuses

ROWS = 4000
CONFIG = EnvConfig.phase1()


def vec_env(**normalizer: Any) -> VecNormalize:
    """Return a normaliser that has seen something."""
    env = VecNormalize(DummyVecEnv([lambda: Spaces(225, 3)]), **normalizer)
    if env.norm_obs:
        moments: Any = env.obs_rms
        generator = np.random.default_rng(4)
        moments.mean = generator.normal(0.0, 2.0, 225)
        moments.var = generator.uniform(0.1, 4.0, 225)
        moments.count = 1e4
    return env


def save(
    folder: Path,
    algorithm: Any = MaskablePPO,
    policy: str = "MlpPolicy",
    env: Any = None,
    **kwargs: Any,
) -> tuple[Any, VecNormalize, Path]:
    """Save a model whose biases are not zero; return it, its normaliser and its zip."""
    env = vec_env() if env is None else env
    rest = {"buffer_size": 10} if algorithm is DQN else {}
    model = algorithm(policy, env, policy_kwargs=kwargs or None, device="cpu", seed=1, **rest)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for value in model.policy.parameters():
            value += 0.3 * torch.randn(value.shape, generator=generator)
    model.save(folder / MODEL)
    env.save(str(folder / NORMALIZER))
    return model, env, folder / MODEL


def decisions(policy: Policy, folder: Path) -> tuple[Any, Any, Any]:
    """Return raw observations, masks, and what the imported policy does on them."""
    generator = np.random.default_rng(6)
    obs = generator.normal(0.0, 3.0, (ROWS, 225)).astype(np.float32)
    masks = generator.random((ROWS, 3)) < 0.7
    masks[:, 0] = True
    (folder / "policy.safetensors").unlink(missing_ok=True)
    save_policy(folder / "policy.safetensors", policy)
    return obs, masks, Agent.load(folder / "policy.safetensors").predict(obs, masks)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"net_arch": {"pi": [16, 8], "vf": [32]}},
        {"net_arch": [16, 8, 8]},
        {"net_arch": [8], "activation_fn": nn.ReLU, "share_features_extractor": False},
        {"net_arch": [8], "ortho_init": False, "optimizer_class": torch.optim.AdamW},
    ],
    ids=["dict", "list", "features not shared", "another optimiser"],
)
@pytest.mark.parametrize("normalizer", [{}, {"norm_obs": False}], ids=["normalised", "norm_obs False"])
def test_models_that_come_in_decide_as_sb3_does(
    tmp_path: Path, kwargs: dict[str, Any], normalizer: dict[str, bool]
) -> None:
    model, env, path = save(tmp_path, env=vec_env(**normalizer), **kwargs)
    policy = read_policy(path, config=CONFIG)
    assert (policy.statistics is None) == bool(normalizer)
    obs, masks, ours = decisions(policy, tmp_path)
    theirs, _ = model.predict(env.normalize_obs(obs), action_masks=masks, deterministic=True)
    assert len(set(ours.tolist())) == 3
    np.testing.assert_array_equal(ours, theirs)


REFUSED: dict[str, dict[str, Any]] = {
    "LeakyReLU": {"net_arch": [8], "activation_fn": nn.LeakyReLU},
    "no layers": {"net_arch": []},
    "no policy layer": {"net_arch": {"pi": [], "vf": [8]}},
    "no value layer": {"net_arch": {"pi": [8], "vf": []}},
    "PPO": {"algorithm": PPO, "net_arch": [8]},
    "TRPO": {"algorithm": TRPO, "net_arch": [8]},
    "DQN": {"algorithm": DQN, "net_arch": [8]},
    "RecurrentPPO": {
        "algorithm": RecurrentPPO,
        "policy": "MlpLstmPolicy",
        "net_arch": [8],
        "lstm_hidden_size": 8,
    },
    "epsilon": {"env": {"epsilon": 1e-6}, "net_arch": [8]},
    "clip_obs": {"env": {"clip_obs": 5.0}, "net_arch": [8]},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_models_that_do_not_come_in_are_told_why(tmp_path: Path, kind: str) -> None:
    made = REFUSED[kind]
    made = {**made, "env": vec_env(**made.get("env", {}))}
    path = save(tmp_path, **made)[2]
    with refuses():
        read_policy(path, config=CONFIG)


class Moving(Spaces):
    """An environment with one continuous action."""

    def __init__(self) -> None:
        super().__init__(225, 3)
        self.action_space = spaces.Box(-1.0, 1.0, (1,), np.float32)  # type: ignore[assignment]


class Several(Spaces):
    """An environment with three actions that are no choice of one."""

    def __init__(self, space: Any) -> None:
        super().__init__(225, 3)
        self.action_space = space


def test_state_dependent_exploration_is_refused(tmp_path: Path) -> None:
    model = PPO("MlpPolicy", DummyVecEnv([Moving]), use_sde=True, device="cpu")
    model.save(tmp_path / MODEL)
    with refuses():
        read_policy(tmp_path / MODEL, config=CONFIG, raw=True)


@pytest.mark.parametrize(
    "space", [spaces.MultiDiscrete([2, 1]), spaces.MultiBinary(3)], ids=["MultiDiscrete", "MultiBinary"]
)
def test_three_outputs_that_are_not_three_actions_are_refused(tmp_path: Path, space: Any) -> None:
    env = DummyVecEnv([lambda: Several(space)])
    model = MaskablePPO("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, device="cpu")
    model.save(tmp_path / MODEL)
    with refuses():
        read_policy(tmp_path / MODEL, config=CONFIG, raw=True)


class OwnNormalize(VecNormalize):
    """Normalises by a formula of its own."""

    def normalize_obs(self, obs: Any) -> Any:
        return super().normalize_obs(obs) * 2.0


def test_a_normaliser_of_ones_own_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path, env=OwnNormalize(DummyVecEnv([lambda: Spaces(225, 3)])), net_arch=[8])[2]
    with refuses():
        read_policy(path, config=CONFIG)


# Zips in the form of SB3 1.x


def older(path: Path, net_arch: Any, state: dict[str, torch.Tensor] | None = None) -> Path:
    """Rewrite a zip as SB3 1.6 would have written it: its net_arch, spaces of gym, its version."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    data = json.loads(members["data"])
    kwargs = pickle.dumps({"net_arch": net_arch, "activation_fn": nn.Tanh})
    data["policy_kwargs"] = {":serialized:": base64.b64encode(kwargs).decode()}
    for name in ("action_space", "observation_space"):  # SB3 has a name beside each pickle
        data[name][":type:"] = data[name][":type:"].replace("gymnasium.", "gym.")
        assert "<class 'gym." in data[name][":type:"]
    members |= {"data": json.dumps(data).encode(), "_stable_baselines3_version": b"1.6.2"}
    if state is not None:
        torch.save(OrderedDict(state), path.with_suffix(".pth"))
        members["policy.pth"] = path.with_suffix(".pth").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_the_old_form_of_net_arch_decides_alike(tmp_path: Path) -> None:
    model, env, path = save(tmp_path, net_arch={"pi": [16, 8], "vf": [8]})
    policy = read_policy(older(path, [{"pi": [16, 8], "vf": [8]}]), config=CONFIG)
    assert (policy.spec.pi, policy.spec.vf) == ((16, 8), (8,))
    obs, masks, ours = decisions(policy, tmp_path)
    theirs, _ = model.predict(env.normalize_obs(obs), action_masks=masks, deterministic=True)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("own", [{"pi": [8], "vf": [8, 4]}, {}], ids=["then apart", "shared alone"])
def test_layers_shared_by_policy_and_value_decide_alike(tmp_path: Path, own: dict[str, Any]) -> None:
    """SB3 2 makes no such model, so one with equal first layers stands for it."""
    pi, vf = [16, *own.get("pi", [])], [16, *own.get("vf", [])]
    model, env, path = save(tmp_path, net_arch={"pi": pi, "vf": vf})
    nets = model.policy.mlp_extractor
    with torch.no_grad():
        nets.value_net[0].weight.copy_(nets.policy_net[0].weight)
        nets.value_net[0].bias.copy_(nets.policy_net[0].bias)
    state = {}
    for name, value in model.policy.state_dict().items():
        part, _, rest = name.removeprefix("mlp_extractor.").partition("_net.")
        number, _, kind = rest.partition(".")
        if not name.startswith("mlp_extractor."):
            state[name] = value
        elif number != "0":
            state[f"mlp_extractor.{part}_net.{int(number) - 2}.{kind}"] = value
        elif part == "policy":
            state[f"mlp_extractor.shared_net.0.{kind}"] = value
    policy = read_policy(older(path, [16, *([own] if own else [])], state), config=CONFIG)
    assert (list(policy.spec.pi), list(policy.spec.vf)) == (pi, vf)
    obs, masks, ours = decisions(policy, tmp_path)
    theirs, _ = model.predict(env.normalize_obs(obs), action_masks=masks, deterministic=True)
    np.testing.assert_array_equal(ours, theirs)


def test_shared_layers_are_gone_through_before_those_of_each() -> None:
    """Two of them, with an activation after each layer; by hand in NumPy."""
    sizes = {"shared": [(5, 4), (3, 5)], "policy": [(2, 3)], "value": [(6, 3), (2, 6)]}
    rng = np.random.default_rng(0)
    state = {
        f"mlp_extractor.{part}_net.{2 * at}.{kind}": torch.tensor(
            rng.normal(size=size if kind == "weight" else size[:1]), dtype=torch.float32
        )
        for part, layers in sizes.items()
        for at, size in enumerate(layers)
        for kind in ("weight", "bias")
    }
    extractor = SharedExtractor(state, nn.Tanh)
    extractor.load_state_dict({name.removeprefix("mlp_extractor."): x for name, x in state.items()})
    features = rng.normal(size=(7, 4)).astype(np.float32)

    def through(*parts: str) -> np.ndarray:
        x = features.astype(np.float64)
        for part in parts:
            for at in range(len(sizes[part])):
                weight, bias = (
                    state[f"mlp_extractor.{part}_net.{2 * at}.{kind}"].numpy().astype(np.float64)
                    for kind in ("weight", "bias")
                )
                x = np.tanh(x @ weight.T + bias)
        return x

    with torch.no_grad():
        both = [x.numpy() for x in extractor(torch.from_numpy(features))]
    for found, part in zip(both, ("policy", "value"), strict=True):
        np.testing.assert_allclose(found, through("shared", part), rtol=1e-5, atol=1e-6)
