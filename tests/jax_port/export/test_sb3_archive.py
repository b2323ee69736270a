"""Files made to run something, or to pass for another network: read without running, or refused."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import pickle
import pickletools
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize
from torch import nn

from jax_port.export.checks.tensors import CONVERTED
from jax_port.export.importing import read_policy
from jax_port.export.layers import same_bits
from jax_port.export.sb3 import MODEL, NORMALIZER, Spaces, require_same_decisions
from jax_port.export.sb3_archive import last_seen_raw, read_archive, read_normalizer
from jax_port.export.sb3_description import network_of
from markets import EnvConfig, InputError
from tests.jax_port.export.made_bundle import bundle, made_policy
from tests.sentences import refuses


class Payload:
    """Touches a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.trace,)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A bundle's SB3 files in a folder of their own."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in (MODEL, NORMALIZER):
        shutil.copy(bundle(1) / name, folder)
    return folder


def rewrite(path: Path, changes: dict[str, Callable[[bytes], bytes]]) -> None:
    """Write a zip again with some of its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {item.filename: archive.read(item) for item in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, changes.get(name, lambda same: same)(data))


@pytest.mark.costly
@pytest.mark.parametrize("entry", ["policy_class", "policy_kwargs", "clip_range", "observation_space"])
def test_a_payload_in_any_entry_of_the_description_never_runs(
    copy: Path, trace: Path, entry: str
) -> None:
    def plant(data: bytes) -> bytes:
        description = json.loads(data)
        packed = base64.b64encode(pickle.dumps(Payload(trace))).decode()
        description[entry] = {":type:": "x", ":serialized:": packed}
        return json.dumps(description).encode()

    rewrite(copy / MODEL, {"data": plant})
    with contextlib.suppress(InputError):  # entries that say nothing of the network are not looked at
        read_policy(copy / MODEL)
    assert not trace.exists()


def test_a_payload_in_the_tensors_never_runs(copy: Path, trace: Path) -> None:
    def plant(_: bytes) -> bytes:
        file = io.BytesIO()
        torch.save({"mlp_extractor.policy_net.0.weight": Payload(trace)}, file)
        return file.getvalue()

    rewrite(copy / MODEL, {"policy.pth": plant})
    with refuses():
        read_policy(copy / MODEL)
    assert not trace.exists()


def test_a_payload_in_the_normaliser_never_runs(copy: Path, trace: Path) -> None:
    (copy / NORMALIZER).write_bytes(pickle.dumps(Payload(trace)))
    with refuses():
        read_policy(copy / MODEL)
    assert not trace.exists()


@pytest.mark.parametrize(
    "module", ["numpy.f2py.__main__", "numpy.testing", "numpy.distutils.core", "os"]
)
@pytest.mark.parametrize("name", ["_reconstruct", "main", "ndarray", "scalar", "system"])
def test_no_module_is_imported_by_a_pickle(copy: Path, module: str, name: str) -> None:
    before = set(sys.modules)
    path = copy / NORMALIZER
    path.write_bytes(f"c{module}\n{name}\n(S'x'\ntR.".encode())
    pickletools.dis(path.read_bytes(), out=io.StringIO())  # it is a pickle
    with pytest.raises(InputError, match="not a VecNormalize of SB3's own"):
        read_normalizer(path)
    assert {added for added in set(sys.modules) - before if added.startswith("numpy")} == set()


def test_lists_within_lists_are_no_numbers(copy: Path) -> None:
    """Thirty lists that each hold the one before twice: 2^30 numbers to whoever walks through them."""
    laughs: Any = [1.0]
    for _ in range(30):
        laughs = [laughs, laughs]
    normalizer = VecNormalize(DummyVecEnv([lambda: Spaces(225, 3)]))
    moments: Any = normalizer.obs_rms
    moments.mean = laughs
    normalizer.save(str(copy / NORMALIZER))
    with refuses():
        read_normalizer(copy / NORMALIZER)


def test_a_zip_that_unpacks_to_gigabytes_is_refused(copy: Path) -> None:
    with zipfile.ZipFile(copy / MODEL) as archive:
        description = archive.read("data")
    with zipfile.ZipFile(copy / MODEL, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data", description)
        with archive.open("policy.pth", "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
    with refuses():
        read_archive(copy / MODEL)


def test_a_tensor_that_claims_more_than_it_holds_is_refused(copy: Path) -> None:
    def plant(_: bytes) -> bytes:
        file = io.BytesIO()
        torch.save({"mlp_extractor.policy_net.0.weight": torch.zeros(1).expand(1 << 40)}, file)
        return file.getvalue()

    rewrite(copy / MODEL, {"policy.pth": plant})
    with refuses():
        read_archive(copy / MODEL)


class Doubled(BaseFeaturesExtractor):
    """Has no weights, and changes what the network sees."""

    def __init__(self, space: Any) -> None:
        super().__init__(space, 225)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2.0 * x


def by_value(base: type) -> Any:
    """Return a class as a script has it: a pickle holds its code, and no path to find it by."""

    class Own(base):  # type: ignore[misc]
        pass

    return Own


class ReluPolicy(MaskableActorCriticPolicy):
    """Sets its activation itself, so that no argument names it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "activation_fn": nn.ReLU})


def foreign(
    folder: Path, policy: Any = "MlpPolicy", algorithm: Any = MaskablePPO, **kwargs: Any
) -> Path:
    """Save a model as somebody does who never heard of this project; return its zip."""
    env = VecNormalize(DummyVecEnv([lambda: Spaces(225, 3)]))
    rest = {"buffer_size": 10} if algorithm is DQN else {}
    algorithm(policy, env, policy_kwargs=kwargs or None, device="cpu", seed=1, **rest).save(
        folder / MODEL
    )
    env.save(str(folder / NORMALIZER))
    return folder / MODEL


@pytest.mark.parametrize(
    "made",
    [
        {"activation_fn": nn.LeakyReLU, "net_arch": [8]},
        {"activation_fn": nn.ReLU6, "net_arch": [8]},
        {"activation_fn": nn.Tanhshrink, "net_arch": [8]},
        {"activation_fn": by_value(nn.ReLU), "net_arch": [8]},
        {"policy": ReluPolicy, "net_arch": [8]},
        {"features_extractor_class": Doubled, "net_arch": [8]},
        {"features_extractor_class": by_value(Doubled), "net_arch": [8]},
        {"features_extractor_class": partial(Doubled), "net_arch": [8]},
        {"net_arch": []},
        {"algorithm": PPO, "net_arch": [8]},
        {"algorithm": DQN, "net_arch": [8]},
    ],
    ids=[
        *("leaky", "relu6", "tanhshrink", "own activation", "own policy", "own extractor", "by value"),
        *("partial", "no layer", "PPO", "DQN"),
    ],
)
def test_a_network_that_is_not_understood_is_refused(tmp_path: Path, made: dict[str, Any]) -> None:
    with refuses():
        read_policy(foreign(tmp_path, **made), config=EnvConfig.phase1())


@pytest.mark.parametrize(
    "made",
    [{}, {"activation_fn": nn.ReLU, "net_arch": {"pi": [8, 4], "vf": [16]}}, {"net_arch": [8, 8, 8]}],
)
def test_a_network_that_is_understood_comes_in(tmp_path: Path, made: dict[str, Any]) -> None:
    policy = read_policy(foreign(tmp_path, **made), config=EnvConfig.phase1())
    assert policy.spec.activation == ("relu" if made.get("activation_fn") else "tanh")


def test_the_original_and_the_imported_network_are_run_side_by_side() -> None:
    """Another activation, which no shape tells, is caught by running both."""
    archive = read_archive(bundle(1) / MODEL)
    policy = made_policy(1)
    require_same_decisions(policy, archive)
    other = "relu" if policy.spec.activation == "tanh" else "tanh"
    wrong = type(policy)(
        type(policy.spec)(policy.spec.pi, policy.spec.vf, other),
        policy.params,
        policy.statistics,
        policy.config,
    )
    import jax_port.export.sb3 as module

    original = module.original_policy
    try:
        module.original_policy = lambda archive, spec: original(archive, policy.spec)
        with refuses(r"(?<=differ by )[\d.e-]+"):
            require_same_decisions(wrong, archive)
    finally:
        module.original_policy = original


def test_a_model_without_its_normaliser_says_what_to_do(tmp_path: Path) -> None:
    path = foreign(tmp_path)
    (tmp_path / NORMALIZER).unlink()
    with refuses():
        read_policy(path, config=EnvConfig.phase1())


@pytest.mark.parametrize(
    "kind", ["weights alone", "another zip", "half a zip", "text", "empty", "none"]
)
def test_what_is_no_model_is_told_for_what_it_is(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.zip"
    if kind == "weights alone":
        torch.save({"policy_1.weight": torch.zeros(2, 2)}, path)
    elif kind in ("another zip", "half a zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("notes.txt", "no model")
        path.write_bytes(path.read_bytes()[: None if kind == "another zip" else 40])
    elif kind != "none":
        path.write_text("weights" if kind == "text" else "")
    with refuses():
        read_archive(path)


@pytest.mark.parametrize(
    ("largest", "raw"), [(9.5, False), (10.0, False), (-10.0, False), (10.5, True), (-6000.0, True)]
)
def test_observations_at_the_clip_were_normalised(largest: float, raw: bool) -> None:
    seen = np.array([[0.5, largest]], np.float32)
    archive: Any = SimpleNamespace(stored=lambda name: seen if name == "_last_obs" else None)
    assert last_seen_raw(archive) == raw
    assert last_seen_raw(SimpleNamespace(stored=lambda name: None)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [{"clip_obs": 9.5}, {"epsilon": 1e-7}, {"epsilon": 0.0}, {"clip_obs": 5.0, "epsilon": 1e-4}],
)
def test_a_normaliser_of_another_clip_or_epsilon_is_refused(
    other: dict[str, float], tmp_path: Path
) -> None:
    env = DummyVecEnv([lambda: Spaces(225, 3)])
    for numbers in ({}, other):
        VecNormalize(env, **numbers).save(str(tmp_path / NORMALIZER))
        if numbers:
            with refuses():
                read_normalizer(tmp_path / NORMALIZER)
        else:
            assert read_normalizer(tmp_path / NORMALIZER).statistics is not None


@pytest.mark.parametrize(("count", "taken"), [(0.0, True), (-1.0, False), (np.nan, False)])
def test_a_count_of_less_than_nothing_is_refused(count: float, taken: bool, tmp_path: Path) -> None:
    normalizer = VecNormalize(DummyVecEnv([lambda: Spaces(225, 3)]), norm_reward=False)
    moments: Any = normalizer.obs_rms
    moments.mean, moments.var, moments.count = np.arange(225.0), np.arange(1.0, 226.0), count
    normalizer.save(str(tmp_path / NORMALIZER))
    if not taken:
        with refuses():
            read_normalizer(tmp_path / NORMALIZER)
        return
    read = read_normalizer(tmp_path / NORMALIZER)
    assert not read.norm_reward
    assert read.statistics is not None
    assert read.statistics["mean"].tolist() == np.arange(225.0).tolist()
    assert read.statistics["var"].tolist() == np.arange(1.0, 226.0).tolist()
    assert read.statistics["count"].tolist() == 0.0


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, None])
def test_weights_of_another_type_in_a_zip_are_converted_and_it_is_said(
    kind: torch.dtype | None, copy: Path
) -> None:
    """Which are the last layer's alone."""

    def convert(data: bytes) -> bytes:
        state, made = torch.load(io.BytesIO(data), weights_only=True), io.BytesIO()
        state["value_net.bias"] = state["value_net.bias"].to(kind)
        torch.save(state, made)
        return made.getvalue()

    rewrite(copy / MODEL, {"policy.pth": convert} if kind else {})
    policy = read_policy(copy / MODEL)
    said = {} if kind is None else {CONVERTED: str(kind).removeprefix("torch.")}
    imported = {**policy.about["imported"]}
    assert imported.pop("from") == MODEL
    assert len(imported.pop("sha256")) == 64
    assert imported == {"norm_reward": True, **said}
    assert same_bits(policy, made_policy(1)) == []


def test_a_model_that_saw_nothing_is_raw_where_that_is_said_whatever_lies_beside_it(
    tmp_path: Path,
) -> None:
    path = foreign(tmp_path, net_arch=[8])
    assert read_policy(path, config=EnvConfig.phase1()).statistics is not None
    assert read_policy(path, config=EnvConfig.phase1(), raw=True).statistics is None


@pytest.mark.parametrize(
    "kwargs",
    [{"features_extractor_kwargs": {"features_dim": 3}}, {"net_arch": [16], "dist_kwargs": {}}, [8]],
    ids=["extractor", "unknown", "no names"],
)
def test_arguments_of_a_policy_that_are_not_known_are_refused(kwargs: Any) -> None:
    archive = read_archive(bundle(1) / MODEL)
    none: Any = {"features_extractor_kwargs": {}, "use_sde": False}
    activation = {"activation_fn": archive.stored("policy_kwargs")["activation_fn"]}
    known = replace(archive, data={**archive.data, "policy_kwargs": {**none, **activation}})
    assert network_of(known) == network_of(archive) == made_policy(1).spec
    with refuses():
        network_of(replace(archive, data={**archive.data, "policy_kwargs": kwargs}))
