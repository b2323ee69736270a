"""Exported files as a user loads them: each stage under its own name, and a file that does not load."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from foundation.files import write_json
from jax_port.data.data_loader import prepare
from jax_port.export.bundle import STATE, state_of
from jax_port.export.manifest import MANIFEST, contract_of, describe
from jax_port.export.programs import ONNX, PROGRAM
from jax_port.export.sb3 import MODEL, NORMALIZER, save_sb3
from jax_port.ppo.policy import Policy
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig, InputError
from markets.synthetic.bars import synthetic_bars
from parity.export_chain import sides
from tests.jax_port.made_policy import make_policy
from tests.sentences import refuses

CONFIG = EnvConfig.phase2(window_size=2)
SPEC = NetworkSpec((5, 3), (4,), "tanh")
ROWS = 40

Numbers = dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def policy() -> Policy:
    """A small policy of which no bias is zero."""
    market = prepare(synthetic_bars("ES", days=2, seed=5), CONFIG)
    made = make_policy(market, CONFIG, seed=3, spec=SPEC, data={"symbol": "ES"})
    rng = np.random.default_rng(1)
    for kinds in made.params["params"].values():
        kinds["bias"] = rng.normal(size=kinds["bias"].shape).astype(np.float32)
    return made


@pytest.fixture(scope="module", params=["normalised", "raw"])
def made(
    request: pytest.FixtureRequest, policy: Policy, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Policy]:
    """A folder with the files that are loaded here, and the policy that they are of."""
    own = policy if request.param == "normalised" else replace(policy, statistics=None)
    folder = tmp_path_factory.mktemp("files")
    save_sb3(own, folder)
    torch.save(state_of(own), folder / STATE)
    manifest = describe(own, contract_of(own, None), {"file": "p", "sha256": "0"})
    write_json(folder / MANIFEST, {**manifest, "files": {}})
    return folder, own


def decisions(policy: Policy) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return observations, of which some lie beyond the clip, and masks."""
    rng = np.random.default_rng(2)
    size = policy.observation_size
    mean, spread = np.zeros(size), np.ones(size)
    if policy.statistics is not None:
        mean, spread = policy.statistics["mean"], np.sqrt(policy.statistics["var"])
    away = rng.normal(size=(ROWS, size)) * rng.choice([1.0, 12.0], (ROWS, 1), p=[0.8, 0.2])
    masks = rng.random((ROWS, 6)) < 0.6
    masks[:, 0] = True
    return (mean + spread * away).astype(np.float32), masks


def by_hand(policy: Policy, obs: Any, masks: Any, factor: float = 1.0) -> Numbers:
    """Return every stage in NumPy, with the action head multiplied."""
    seen = obs.astype(np.float64)
    if policy.statistics is not None:
        spread = np.sqrt(policy.statistics["var"] + 1e-8)
        seen = np.clip((seen - policy.statistics["mean"]) / spread, -10.0, 10.0)
    stages: Numbers = {"clipped": seen}
    layers = policy.params["params"]
    for names in (("policy_0", "policy_1", "action_head"), ("value_0", "value_head")):
        x = seen
        for name in names:
            times = factor if name == "action_head" else 1.0
            kernel, bias = (
                times * layers[name][kind].astype(np.float64) for kind in ("kernel", "bias")
            )
            stages[name] = x @ kernel + bias
            x = np.tanh(stages[name])
    stages["action"] = np.where(masks, stages["action_head"], -np.inf).argmax(axis=1)
    return stages


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_sb3_s_stages_are_those_of_the_weights_by_our_names(
    dtype: torch.dtype, made: tuple[Path, Policy]
) -> None:
    """In float64 to its last digits, where SB3 itself would round the observation to float32."""
    folder, own = made
    obs, masks = decisions(own)
    expected = by_hand(own, obs, masks)
    side = sides.sb3(folder, own, dtype)
    near = 1e-12 if dtype == torch.float64 else 1e-5
    for rows in (slice(0, 1), slice(0, ROWS), slice(7, 19)):
        found = side(obs[rows], masks[rows])
        assert set(found) == set(expected)
        assert found["action"].tolist() == expected["action"][rows].tolist()
        for name in set(expected) - {"action"}:
            np.testing.assert_allclose(
                found[name], expected[name][rows], rtol=near, atol=near, err_msg=name
            )
    assert found["action_head"].dtype == np.dtype(str(dtype).removeprefix("torch."))
    assert len(set(expected["action"].tolist())) > 2


@pytest.mark.parametrize("factor", [1.0, 40.0])
def test_a_head_is_multiplied_with_its_bias_and_nothing_else_is(
    factor: float, made: tuple[Path, Policy]
) -> None:
    folder, own = made
    obs, masks = decisions(own)
    expected = by_hand(own, obs, masks, factor)
    found = sides.scaled_pytorch(folder, factor)(obs, masks)
    assert set(found) == {"action_head", "action"}
    far = 2e-5 * factor
    np.testing.assert_allclose(found["action_head"], expected["action_head"], rtol=1e-5, atol=far)
    assert found["action"].tolist() == expected["action"].tolist()
    # The file's own module is as it was.
    plain = sides.pytorch(folder, torch.float64)(obs, masks)
    for name, value in by_hand(own, obs, masks).items():
        np.testing.assert_allclose(plain[name], value, rtol=1e-12, atol=1e-12, err_msg=name)


def test_a_normaliser_that_is_loaded_learns_no_more(made: tuple[Path, Policy]) -> None:
    folder, own = made
    model, normalizer = sides.load_sb3(folder)
    assert (normalizer.training, normalizer.norm_reward) == (False, False)
    spaces: Any = model.observation_space, model.action_space
    assert (spaces[0].shape, spaces[1].n) == ((own.observation_size,), 6)
    assert normalizer.observation_space.shape == spaces[0].shape
    assert normalizer.norm_obs == (own.statistics is not None)


LOADS: dict[str, Callable[[Path], Any]] = {
    PROGRAM: sides.program,
    ONNX: sides.onnx,
    MODEL: sides.load_sb3,
    NORMALIZER: sides.load_sb3,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LOADS)
def test_a_file_that_does_not_load_is_named(
    name: str, made: tuple[Path, Policy], tmp_path: Path
) -> None:
    """Whatever its library raises; the others beside it are whole."""
    folder, _ = made
    for other in (MODEL, NORMALIZER):
        (tmp_path / other).write_bytes((folder / other).read_bytes())
    (tmp_path / name).write_bytes(b"no such file\n" * 9)
    said = re.escape(f"{tmp_path / name}: does not load (")
    with pytest.raises(InputError, match=rf"^{said}\w+: .*\); export the policy anew$"):
        LOADS[name](tmp_path)


def test_weights_that_do_not_fit_their_manifest_do_not_load(policy: Policy, tmp_path: Path) -> None:
    manifest = describe(policy, contract_of(policy, None), {"file": "p", "sha256": "0"})
    manifest["network"]["value"][0]["out"] = 2
    write_json(tmp_path / MANIFEST, {**manifest, "files": {}})
    torch.save(state_of(policy), tmp_path / STATE)
    said = re.escape(f"{tmp_path / STATE}: does not load (RuntimeError: ")
    loads: tuple[Callable[[], Any], ...] = (
        lambda: sides.pytorch(tmp_path, torch.float32),
        lambda: sides.scaled_pytorch(tmp_path, 2.0),
    )
    for load in loads:
        with pytest.raises(InputError, match=rf"^{said}"):
            load()
    (tmp_path / STATE).write_bytes(b"no tensors")
    with refuses():
        sides.pytorch(tmp_path, torch.float32)


def test_without_onnx_runtime_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with refuses():
        sides.onnx_session(tmp_path)
