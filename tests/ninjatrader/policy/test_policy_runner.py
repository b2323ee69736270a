"""Networks of shapes that nobody trained yet: wider than the observation, narrow, deep, unequal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foundation.files import file_digest, write_json
from jax_port.data.data_loader import prepare
from jax_port.envs.registry import phase_of
from jax_port.export.layers import layer_names
from jax_port.export.manifest import MANIFEST, describe
from jax_port.export.stages import in_float64
from jax_port.ppo.policy import Policy, save_policy
from jax_port.ppo.settings import NetworkSpec
from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.export_chain.csharp import MISSING, Checker, available, compile_checker
from tests.jax_port.made_policy import make_policy

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

SHAPES = {
    "wider than what it sees": NetworkSpec((300, 3), (2, 290)),
    "deep and narrow": NetworkSpec((1, 2, 1, 3, 1), (1,), "tanh"),
    "one wide layer": NetworkSpec((512,), (1, 400, 1), "tanh"),
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_checker(tmp_path_factory.mktemp("mono") / "ParityCheck.exe")


def write_files(policy: Policy, folder: Path) -> None:
    """Write what the checker reads of a bundle."""
    save_policy(folder / "policy.safetensors", policy)
    told = describe(policy, get_contract("ES"), {"file": "x", "sha256": "0"})
    digest = file_digest(folder / "policy.safetensors")
    write_json(folder / MANIFEST, {**told, "files": {"policy.safetensors": digest}})


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("name", SHAPES)
def test_every_stage_is_the_ports(name: str, phase: int, program: Path, tmp_path: Path) -> None:
    make = EnvConfig.phase1 if phase == 1 else EnvConfig.phase2
    config = make(window_size=5, max_episode_bars=60)
    market = prepare(synthetic_bars("ES", days=2, seed=5), config)
    policy = make_policy(market, config, seed=3, spec=SHAPES[name])
    write_files(policy, tmp_path)
    rng = np.random.default_rng(0)
    assert policy.statistics is not None
    spread = np.sqrt(policy.statistics["var"]) * rng.choice([0.5, 15.0], (64, 1))
    obs = (policy.statistics["mean"] + rng.normal(size=(64, policy.observation_size)) * spread).astype(
        np.float32
    )
    masks = rng.random((64, phase_of(config).num_actions)) < 0.6
    masks[:, 0] = True
    theirs, ours = (
        Checker(program, tmp_path, tmp_path).side(policy)(obs, masks),
        in_float64(policy, obs, masks),
    )
    for stage in ("standardised", "clipped", *layer_names(policy.spec)):
        np.testing.assert_allclose(theirs[stage], ours[stage], rtol=1e-9, atol=1e-9, err_msg=stage)
    np.testing.assert_array_equal(theirs["action"], ours["action"])


def test_the_likeliest_allowed_action_is_taken_however_far_a_forbidden_one_lies_above(
    program: Path, tmp_path: Path
) -> None:
    """Chances of the allowed ones, beside one that is 300 above them, are no float32 above zero."""
    config = EnvConfig.phase2(window_size=5, max_episode_bars=60)
    policy = make_policy(prepare(synthetic_bars("ES", days=2, seed=5), config), config, seed=3)
    layers = dict(policy.params["params"])
    logits = np.array([-100, 200, -60, -20, 200, -90], np.float32)
    layers["action_head"] = {"kernel": 0 * layers["action_head"]["kernel"], "bias": logits}
    policy = replace(policy, params={"params": layers})
    write_files(policy, tmp_path)
    allowed = [(0, 2, 3, 5), (0, 5), (0, 2), (0,), (0, 1, 2, 3, 4, 5)]
    masks = np.array([[action in row for action in range(6)] for row in allowed])
    obs = np.zeros((len(masks), policy.observation_size), np.float32)
    theirs = Checker(program, tmp_path, tmp_path).side(policy)(obs, masks)
    np.testing.assert_array_equal(theirs["action_head"], np.broadcast_to(logits, masks.shape))
    assert theirs["action"].tolist() == [3, 5, 2, 0, 1]
