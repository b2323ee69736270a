"""Phase 1's weights in Phase 2, on both sides: the same weights, and at first the same decisions."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import make_params, observe
from jax_port.ppo.networks import masked_log_probs
from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.policy import Policy, load_policy, save_policy
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from jax_port.ppo.train_ppo_jax import init_agents
from jax_port.ppo.transfer import SHY, begin_with, check_fits, extend
from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.transfer import transfer, transfer_statistics
from markets import EnvConfig, InputError
from markets.synthetic.bars import synthetic_bars
from rltrader.train import train
from tests.jax_port.made_policy import make_policy
from tests.sentences import check_error, refuses

SPEC = NetworkSpec((16, 16), (16, 16))
STATES = 10_000
LAYERS = {
    "policy_0": "mlp_extractor.policy_net.0",
    "policy_1": "mlp_extractor.policy_net.2",
    "value_0": "mlp_extractor.value_net.0",
    "value_1": "mlp_extractor.value_net.2",
    "action_head": "action_net",
    "value_head": "value_net",
}


def _model(
    environment: type, config: EnvConfig, sizes: tuple[int, ...] = (16, 16)
) -> tuple[MaskablePPO, VecNormalize]:
    bars = synthetic_bars("ES", days=3, seed=0)
    env = VecNormalize(DummyVecEnv([lambda: environment(bars, config)]))
    mlps = {"net_arch": {"pi": [*sizes], "vf": [16, 16]}, "activation_fn": torch.nn.ReLU}
    return MaskablePPO("MlpPolicy", env, n_steps=64, seed=0, policy_kwargs=mlps), env


def _flax(model: MaskablePPO) -> dict[str, object]:
    state = {name: value.numpy() for name, value in model.policy.state_dict().items()}
    return {
        "params": {
            ours: {"kernel": state[f"{theirs}.weight"].T, "bias": state[f"{theirs}.bias"]}
            for ours, theirs in LAYERS.items()
        }
    }


@pytest.fixture(scope="module")
def trained() -> tuple[MaskablePPO, VecNormalize]:
    """A Phase 1 model that has learned a little, with logits that differ."""
    model, env = _model(TradingEnvPhase1, EnvConfig.phase1())
    with torch.no_grad():
        model.policy.action_net.weight.mul_(30.0)
    model.learn(128)
    return model, env


@pytest.fixture(scope="module")
def policy(trained: tuple[MaskablePPO, VecNormalize]) -> Policy:
    model, env = trained
    moments = env.obs_rms
    statistics = {"mean": moments.mean, "var": moments.var, "count": np.float64(moments.count)}
    return Policy(SPEC, _flax(model), statistics, EnvConfig.phase1())


def test_both_sides_make_the_same_weights(
    trained: tuple[MaskablePPO, VecNormalize], policy: Policy
) -> None:
    target, normalizer = _model(TradingEnvPhase2, EnvConfig.phase2())
    transfer(trained[0], target)
    transfer_statistics(trained[1], normalizer)
    ours = extend(policy, EnvConfig.phase2())
    for layer, kinds in _flax(target)["params"].items():  # type: ignore[attr-defined]
        for kind, value in kinds.items():
            np.testing.assert_array_equal(ours.params["params"][layer][kind], value, err_msg=layer)
    np.testing.assert_array_equal(ours.statistics["mean"], normalizer.obs_rms.mean)
    np.testing.assert_array_equal(ours.statistics["var"], normalizer.obs_rms.var)
    assert ours.statistics["count"] == normalizer.obs_rms.count
    target.learn(64)  # it can go on


def test_decisions_are_phase_1s_where_only_its_actions_are_allowed(policy: Policy) -> None:
    """On 10,000 normalised observations with any flags, to 1e-6; the values too."""
    extended = extend(policy, EnvConfig.phase2())
    draw = np.random.default_rng(0)
    obs = draw.normal(size=(STATES, 225)).astype(np.float32) * 2
    flags = draw.integers(0, 2, (STATES, 3)).astype(np.float32)
    logits, values = policy.network.apply(policy.params, jnp.asarray(obs))
    wide, theirs = extended.network.apply(extended.params, jnp.asarray(np.hstack([obs, flags])))
    allowed = jnp.ones((STATES, 3), bool)
    only = jnp.concatenate([allowed, jnp.zeros((STATES, 3), bool)], axis=1)
    before = jnp.exp(masked_log_probs(logits, allowed))
    after = jnp.exp(masked_log_probs(wide, only))
    assert float(jnp.abs(after[:, :3] - before).max()) <= 1e-6
    assert not after[:, 3:].any()
    np.testing.assert_allclose(theirs, values, rtol=2e-6, atol=1e-6)
    assert float(jnp.abs(before - 1 / 3).max()) > 0.1  # probabilities worth comparing
    np.testing.assert_allclose(wide[:, 3:], (logits[:, :1] - SHY).repeat(3, axis=1), atol=1e-5)


def test_what_does_not_fit_is_refused(policy: Policy) -> None:
    with refuses():
        extend(policy, EnvConfig.phase1())
    with refuses():
        extend(policy, EnvConfig.phase2(window_size=7))
    narrow, _ = _model(TradingEnvPhase1, EnvConfig.phase1(window_size=7))
    target, _ = _model(TradingEnvPhase2, EnvConfig.phase2())
    wide, _ = _model(TradingEnvPhase2, EnvConfig.phase2(window_size=7))
    with refuses():
        transfer(target, wide)
    transfer(narrow, wide)
    for sizes in ((8, 16), (16,)):
        other, _ = _model(TradingEnvPhase1, EnvConfig.phase1(), sizes)
        before = {name: value.clone() for name, value in target.policy.state_dict().items()}
        with refuses():
            transfer(other, target)
        # Of a network that does not fit nothing is taken, not even the layers that would.
        assert all(value.equal(before[name]) for name, value in target.policy.state_dict().items())


def test_a_network_of_one_s_own_is_not_extended_and_fits_by_its_window(policy: Policy) -> None:
    own = OwnNetwork("Mine", lambda key, obs: {}, lambda tree, obs: None)
    mine = replace(policy, own=own)
    with pytest.raises(InputError, match="network Mine cannot be extended from phase 1 to phase 2"):
        extend(mine, EnvConfig.phase2())
    raw = extend(replace(policy, statistics=None), EnvConfig.phase2())
    assert (raw.statistics, raw.observation_size) == (None, 228)
    check_fits(mine, NetworkSpec((3,), (3,)), policy.config)
    for other in (mine, policy):
        with pytest.raises(InputError, match="the policy sees 20 bars and the run 7"):
            check_fits(other, policy.spec, EnvConfig.phase1(window_size=7))
    with pytest.raises(InputError, match="the policy sees raw observations"):
        check_fits(replace(mine, statistics=None), policy.spec, policy.config)


@pytest.mark.parametrize("name", ["pi", "vf", "activation"])
def test_a_network_of_another_shape_or_activation_does_not_begin_a_run(
    policy: Policy, name: str
) -> None:
    """No shape tells an activation: the weights of one would be read with the other in silence."""
    check_fits(policy, NetworkSpec((16, 16), (16, 16), "relu"), policy.config)
    other = {"pi": (16, 8), "vf": (16,), "activation": "tanh"}[name]
    with refuses():
        check_fits(policy, replace(policy.spec, **{name: other}), policy.config)


@pytest.mark.costly
def test_a_run_of_phase_2_begins_with_a_policy_of_phase_1(policy: Policy, tmp_path: Path) -> None:
    start, run = tmp_path / "policy-0.safetensors", tmp_path / "run"
    save_policy(start, policy)
    sizes = ["--envs", "8", "--n-steps", "8", "--batch-size", "32", "--steps", "64", "--epochs", "1"]
    options = ["--phase", "2", "--from", str(tmp_path), "--synthetic", "3", "--ungated"]
    mlps = ["--pi", "16,16", "--vf", "16,16"]
    kept = [name for name in SPEC.layers if name != "value_head"]
    mlps += [part for name in kept for part in ("--freeze", name)]
    mlps += ["--layer-rate", "value_head=0.5"]
    made = CliRunner().invoke(
        train, [*options, *sizes, *mlps, "--out", str(run)], catch_exceptions=False
    )
    assert made.exit_code == 0, made.output
    end = load_policy(run / "policy-0.safetensors")
    assert end.config.phase == 2
    assert end.statistics["count"] == pytest.approx(float(policy.statistics["count"]) + 8 + 64)
    expected = extend(policy, end.config).params["params"]
    for layer, kinds in end.params["params"].items():
        for kind, value in kinds.items():
            moved = np.abs(value - expected[layer][kind]).max()
            assert (moved > 0) == (layer == "value_head"), layer
    assert len(end.about["initial"]["sha256"]) == 64
    assert json.loads((run / "run.json").read_text())["plan"]["initial"]["path"] == str(start)
    wrong = CliRunner().invoke(train, [*options, *sizes, "--out", str(tmp_path / "x")])
    unknown = CliRunner().invoke(
        train, [*options, *sizes, "--freeze", "MLP", "--out", str(tmp_path / "x")]
    )
    check_error(unknown.exception)
    twice = ["--from-policy", str(start), *sizes, "--out", str(tmp_path / "x")]
    check_error(CliRunner().invoke(train, [*options, *twice]).exception)
    check_error(wrong.exception)
    assert not (tmp_path / "x").exists()


def test_arrays_stay_float64(policy: Policy) -> None:
    assert policy.moments.mean.dtype == jnp.float64
    assert jax.tree.leaves(policy.scale)[0].dtype == jnp.float32


def test_the_first_observations_of_every_environment_enter_the_statistics() -> None:
    """Of each agent its own, merged as VecNormalize merges them; weights are the policy's."""
    config = EnvConfig.phase1(window_size=2, max_episode_bars=8)
    market = prepare(synthetic_bars("ES", days=2, seed=1), config)
    params = make_params(stack([market]), config)
    settings = TrainSettings(n_envs=6, n_steps=4, batch_size=8).override(pi=(16, 16), vf=(8,))
    policy = make_policy(market, config)
    assert policy.statistics is not None
    agents = jax.jit(init_agents, static_argnums=2)(jnp.array([1, 2], jnp.int32), params, settings)
    begun = begin_with(agents, policy, params)
    before = {name: np.asarray(value, np.float64) for name, value in policy.statistics.items()}
    for number in range(2):
        ours, fresh = (jax.tree.map(lambda x, n=number: x[n], one) for one in (begun, agents))
        seen = jax.vmap(observe, in_axes=(0, None))(fresh.actor.env_state, params)
        obs = np.asarray(seen, np.float64)
        count, size = before["count"], len(obs)
        apart = obs.mean(0) - before["mean"]
        mean = before["mean"] + apart * size / (count + size)
        spread = before["var"] * count + obs.var(0) * size + apart**2 * count * size / (count + size)
        moments = ours.actor.moments
        np.testing.assert_allclose(moments.mean, mean, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(moments.var, spread / (count + size), rtol=1e-9, atol=1e-15)
        assert float(moments.count) == count + 6
        for one, other in zip(
            jax.tree.leaves(ours.learner.params), jax.tree.leaves(policy.params), strict=True
        ):
            np.testing.assert_array_equal(one, other)
        assert not any(np.asarray(leaf).any() for leaf in jax.tree.leaves(ours.learner.opt_state))
        rest = [replace(one.actor, moments=None) for one in (ours, fresh)]
        for one, other in zip(*map(jax.tree.leaves, rest), strict=True):
            np.testing.assert_array_equal(one, other)
        assert (ours.key == fresh.key).all()
