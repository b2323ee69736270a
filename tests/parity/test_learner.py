"""The port's update against sb3-contrib's, on rollouts with ends, forbidden actions and clipping."""

from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from jax_port.networks import ActorCritic
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import EnvConfig
from markets.synthetic import synthetic_bars
from parity.suites.learner import Update, compare_update, record_update, settings_of, to_flax, to_torch

LIMITS = {
    **dict.fromkeys(("advantages", "returns"), 1e-6),
    **dict.fromkeys(("first gradients", "value_loss", "entropy_loss"), 1e-5),
    **dict.fromkeys(("policy_gradient_loss", "weights", "second moment"), 3e-5),
    "first moment": 1e-4,
    "steps": 0.0,
}
"""About three times what an honest port was seen to reach; the traps are 10 times further off."""

SETTINGS = {
    "one step": {"n_epochs": 1, "batch_size": 256},
    "clipping, partial batch": {
        "n_epochs": 3,
        "batch_size": 50,
        "clip_range": 0.02,
        "clip_range_vf": 0.05,
        "ent_coef": 0.01,
        "max_grad_norm": 0.3,
    },
    "stopped by target_kl": {
        "n_epochs": 4,
        "batch_size": 50,
        "target_kl": 0.002,
        "learning_rate": 1e-3,
    },
}
NETWORK = ActorCritic(3, (32, 32), (32, 32))


def _record(name: str) -> tuple[MaskablePPO, Update]:
    bars = synthetic_bars("ES", days=6, seed=0)
    config = EnvConfig.phase1(max_episode_bars=23, trailing_drawdown_dollars=400.0)
    env = VecNormalize(DummyVecEnv([lambda: TradingEnvPhase1(bars, config)] * 4))
    towers = {"pi": [32, 32], "vf": [32, 32]}
    policy = {"net_arch": towers, "activation_fn": torch.nn.ReLU}
    model = MaskablePPO("MlpPolicy", env, n_steps=64, seed=0, policy_kwargs=policy, **SETTINGS[name])
    return model, record_update(model)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def clipped() -> tuple[MaskablePPO, Update]:
    return _record("clipping, partial batch")


def _errors(model: MaskablePPO, update: Update) -> dict[str, float]:
    return compare_update(update, NETWORK, settings_of(model), model.batch_size)


@pytest.mark.parametrize("name", SETTINGS)
def test_one_update_is_the_same(name: str) -> None:
    model, update = _record(name)
    errors = _errors(model, update)
    assert {key: value for key, value in errors.items() if value > LIMITS[key]} == {}


def test_the_recorded_rollout_is_worth_comparing_on(clipped: tuple[MaskablePPO, Update]) -> None:
    _, update = clipped
    assert update.rollout["episode_starts"][1:].sum() >= 4
    assert not update.rollout["masks"].all()
    assert update.losses["clip_fraction"] > 0.01
    assert update.steps == 18  # 256 transitions in five batches of 50 and one of 6, three times


def _ddof_zero(advantages: jax.Array) -> jax.Array:
    return (advantages - jnp.mean(advantages)) / (jnp.std(advantages) + 1e-8)


def _unmasked_entropy(log_probs: jax.Array, masks: jax.Array) -> jax.Array:
    return -jnp.sum(jnp.exp(log_probs) * jnp.maximum(log_probs, -20.0), axis=-1) * 1.001


def _clip_each(grads: object, max_norm: jax.Array) -> object:
    return jax.tree.map(
        lambda g: g * jnp.minimum(1.0, max_norm / jnp.linalg.norm(g.reshape(-1))), grads
    )


TRAPS: dict[str, tuple[str, object]] = {
    "population deviation of advantages": ("standardize", _ddof_zero),
    "another entropy": ("entropy", _unmasked_entropy),
    "a norm for each tensor": ("clip_gradients", _clip_each),
    "Adam's epsilon of the default": ("adam.EPS", 1e-8),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_found(trap: str, clipped: tuple[MaskablePPO, Update]) -> None:
    model, update = clipped
    name, fault = TRAPS[trap]
    with patch(f"jax_port.ppo.{name}", fault):
        errors = _errors(model, update)
    assert any(value > LIMITS[key] for key, value in errors.items()), errors


def test_other_hyperparameters_are_found(clipped: tuple[MaskablePPO, Update]) -> None:
    model, update = clipped
    for name, factor in (("gae_lambda", 0.99), ("clip_range_vf", 1.1), ("vf_coef", 1.01)):
        hyper = settings_of(model)
        hyper = hyper.replace(**{name: getattr(hyper, name) * factor})
        errors = compare_update(update, NETWORK, hyper, model.batch_size)
        assert any(value > LIMITS[key] for key, value in errors.items()), (name, errors)


def test_weights_go_there_and_back(clipped: tuple[MaskablePPO, Update]) -> None:
    _, update = clipped
    back = to_torch(to_flax(update.before))
    assert back.keys() == update.before.keys()
    for name, value in update.before.items():
        np.testing.assert_array_equal(back[name], value)
