"""Learner parity: one update of sb3-contrib's MaskablePPO, repeated by the port on the same rollout.

Weights alone are a weak gate (a wrong deviation moves them by 3e-6 while it moves gradients by
3e-3), so loss terms, raw gradients, Adam's moments and weights are all compared, in relative terms.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.utils import configure_logger

from jax_port.networks import ActorCritic
from jax_port.ppo import (
    Apply,
    Batch,
    HyperParams,
    TrainState,
    gae,
    hyper_params,
    init_train_state,
    ppo_loss,
    run_epochs,
)

F32 = NDArray[np.float32]
Weights = dict[str, F32]

LAYERS = {
    "policy_0": "mlp_extractor.policy_net.0",
    "policy_1": "mlp_extractor.policy_net.2",
    "value_0": "mlp_extractor.value_net.0",
    "value_1": "mlp_extractor.value_net.2",
    "action_head": "action_net",
    "value_head": "value_net",
}
"""The port's layer by torch's module."""


def to_flax(weights: Mapping[str, F32]) -> dict[str, Any]:
    """Return torch's weights as the port's: kernels are transposed."""
    return {
        "params": {
            ours: {
                "kernel": jnp.asarray(weights[f"{theirs}.weight"].T),
                "bias": jnp.asarray(weights[f"{theirs}.bias"]),
            }
            for ours, theirs in LAYERS.items()
        }
    }


def to_torch(params: Mapping[str, Any]) -> Weights:
    """Return the port's weights, gradients or moments under torch's names."""
    found: Weights = {}
    for ours, theirs in LAYERS.items():
        found[f"{theirs}.weight"] = np.asarray(params["params"][ours]["kernel"]).T
        found[f"{theirs}.bias"] = np.asarray(params["params"][ours]["bias"])
    return found


@dataclass
class Update:
    """One update of the reference, written down.

    Attributes:
        before, after: weights.
        rollout: float32 arrays (T, N, ...): obs, actions, masks, log_probs, values, rewards,
            episode_starts, advantages, returns; and last_values, last_dones (N,).
        permutations: int (E, M).
        gradients: of every minibatch, before clipping.
        first_moment, second_moment: Adam's, after the update.
        losses: means over all minibatches, by SB3's names.
        steps: gradient steps taken.
    """

    before: Weights
    rollout: dict[str, NDArray[Any]]
    permutations: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    after: Weights = field(default_factory=dict)
    gradients: list[Weights] = field(default_factory=list)
    first_moment: Weights = field(default_factory=dict)
    second_moment: Weights = field(default_factory=dict)
    losses: dict[str, float] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """Gradient steps that were taken."""
        return len(self.gradients)


class _Silent(BaseCallback):
    def _on_step(self) -> bool:
        return True


def _weights(policy: torch.nn.Module) -> Weights:
    names = [name for name, _ in policy.named_parameters()]
    state = policy.state_dict()
    return {name: state[name].detach().numpy().copy() for name in names}


def record_update(model: MaskablePPO, spread: float = 30.0) -> Update:
    """Collect one rollout with a model, train on it, and write everything down.

    Args:
        model: fresh, on its environment; it is trained by one update.
        spread: factor on the action head, so that logits differ as they do late in training.
    """
    with torch.no_grad():
        model.policy.action_net.weight.mul_(spread)  # type: ignore[operator]
    model.set_logger(configure_logger(0, None, "", False))
    total, callback = model._setup_learn(model.n_steps * model.n_envs, _Silent())
    last: dict[str, Any] = {}
    compute = model.rollout_buffer.compute_returns_and_advantage

    def keep(last_values: torch.Tensor, dones: NDArray[np.bool_]) -> None:
        last.update(last_values=last_values.numpy().reshape(-1).copy(), last_dones=dones.copy())
        compute(last_values, dones)

    buffer = model.rollout_buffer
    env = model.get_env()
    assert env is not None
    with patch.object(buffer, "compute_returns_and_advantage", keep):
        model.collect_rollouts(env, callback, buffer, model.n_steps, use_masking=True)
    names = ("actions", "log_probs", "values", "rewards", "episode_starts", "advantages", "returns")
    rollout = {name: getattr(buffer, name).copy() for name in names}
    rollout["obs"] = buffer.observations.copy()
    rollout["masks"] = buffer.action_masks.reshape(*rollout["rewards"].shape, -1) > 0.5
    rollout["actions"] = rollout["actions"].reshape(rollout["rewards"].shape).astype(np.int32)
    update = Update(_weights(model.policy), {**rollout, **last})
    model._update_current_progress_remaining(model.num_timesteps, total)
    with _watching(model, update):
        model.train()
    update.after = _weights(model.policy)
    named = dict(model.policy.named_parameters())
    for name, moments in (("first_moment", "exp_avg"), ("second_moment", "exp_avg_sq")):
        found = {key: model.policy.optimizer.state[p][moments].numpy() for key, p in named.items()}
        setattr(update, name, found)
    logger: Logger = model.logger
    update.losses = {
        key.removeprefix("train/"): float(value)
        for key, value in logger.name_to_value.items()
        if key.startswith("train/")
    }
    return update


def _gradient(parameter: torch.nn.Parameter) -> F32:
    assert parameter.grad is not None
    return parameter.grad.numpy().copy()


@contextmanager
def _watching(model: MaskablePPO, update: Update) -> Iterator[None]:
    """Write down the minibatches' order and their raw gradients while a model trains."""
    orders: list[NDArray[np.int64]] = []
    permute, clip = np.random.permutation, torch.nn.utils.clip_grad_norm_

    def permutation(size: int) -> NDArray[np.int64]:
        orders.append(permute(size))
        return orders[-1]

    def clipping(parameters: Any, max_norm: float, *rest: Any, **more: Any) -> torch.Tensor:
        named = model.policy.named_parameters()
        update.gradients.append({name: _gradient(p) for name, p in named})
        return clip(parameters, max_norm, *rest, **more)

    orders_kept = patch("numpy.random.permutation", permutation)
    with orders_kept, patch("torch.nn.utils.clip_grad_norm_", clipping):
        yield
    update.permutations = np.stack(orders)


def settings_of(model: MaskablePPO) -> HyperParams:
    """Return a model's present hyperparameters as the port's."""
    left = model._current_progress_remaining
    schedules: Any = model  # floats when constructed, functions of the remaining progress since
    clip_vf = None if model.clip_range_vf is None else float(schedules.clip_range_vf(left))
    return hyper_params(
        learning_rate=float(model.lr_schedule(left)),
        gamma=model.gamma,
        gae_lambda=model.gae_lambda,
        clip_range=float(schedules.clip_range(left)),
        clip_range_vf=clip_vf,
        ent_coef=model.ent_coef,
        vf_coef=model.vf_coef,
        max_grad_norm=model.max_grad_norm,
        target_kl=model.target_kl,
    )


def relative(ours: Mapping[str, F32], theirs: Mapping[str, F32]) -> float:
    """Return the largest |a - b| / |b| over tensors, in Euclidean norms."""
    return max(
        float(np.linalg.norm(ours[name] - value) / max(float(np.linalg.norm(value)), 1e-30))
        for name, value in theirs.items()
    )


def compare_update(
    update: Update, network: ActorCritic, hyper: HyperParams, batch_size: int
) -> dict[str, float]:
    """Repeat an update in the port and return the largest relative errors, by what was compared."""
    kept = update.rollout
    with jax.default_matmul_precision("highest"):
        advantages, returns = jax.jit(gae)(
            kept["rewards"],
            kept["values"],
            kept["episode_starts"] > 0.5,
            kept["last_values"],
            kept["last_dones"],
            hyper,
        )
        flat = _flatten(kept, advantages, returns)

        def take(numbers: jax.Array) -> Batch:
            return jax.tree.map(lambda x: x[numbers], flat)

        state = init_train_state(to_flax(update.before))
        order = jnp.asarray(update.permutations.astype(np.int32))
        first = take(order[0, :batch_size])
        grads, terms = jax.jit(jax.grad(ppo_loss, has_aux=True), static_argnums=1)(
            state.params, _apply(network), first, hyper
        )
        final, records = _epochs(state, order, flat, batch_size, network, hyper)
    terms = records.terms
    applied = np.asarray(records.applied)
    scale = float(np.abs(kept["advantages"]).max())
    names = {"policy_gradient_loss": "policy_loss", "value_loss": "value_loss"}
    names |= {"entropy_loss": "entropy_loss"}
    seen = np.arange(applied.size) <= applied.sum()  # SB3 counts the step that stopped it too
    losses = {
        theirs: float(np.asarray(getattr(terms, ours)).reshape(-1)[seen].mean())
        for theirs, ours in names.items()
    }
    adam = final.opt_state
    return {
        "advantages": float(np.abs(np.asarray(advantages) - kept["advantages"]).max()) / scale,
        "returns": float(np.abs(np.asarray(returns) - kept["returns"]).max()) / scale,
        "first gradients": relative(to_torch(grads), update.gradients[0]),
        **{
            name: abs(value - update.losses[name]) / max(abs(update.losses[name]), 1e-3)
            for name, value in losses.items()
        },
        "first moment": relative(to_torch(adam.mu), update.first_moment),
        "second moment": relative(to_torch(adam.nu), update.second_moment),
        "weights": relative(to_torch(final.params), update.after),
        "steps": abs(float(applied.sum()) - update.steps),
    }


def _flatten(kept: Mapping[str, NDArray[Any]], advantages: jax.Array, returns: jax.Array) -> Batch:
    """Return the rollout as one batch in SB3's order: environment by environment."""

    def flat(x: Any) -> jax.Array:
        x = jnp.asarray(x)
        return jnp.swapaxes(x, 0, 1).reshape(-1, *x.shape[2:])

    fields = ("obs", "actions", "masks", "log_probs", "values")
    kept_fields = {name: flat(kept[name]) for name in fields}
    return Batch(**kept_fields, advantages=flat(advantages), returns=flat(returns))


def _apply(network: ActorCritic) -> Apply:
    def apply(params: Any, obs: jax.Array) -> tuple[jax.Array, jax.Array]:
        out: Any = network.apply(params, obs)
        return out[0], out[1]

    return apply


def _epochs(
    state: TrainState,
    order: jax.Array,
    flat: Batch,
    batch_size: int,
    network: ActorCritic,
    hyper: HyperParams,
) -> Any:
    def run(state: TrainState, order: jax.Array, flat: Batch, hyper: HyperParams) -> Any:
        def take(numbers: jax.Array) -> Batch:
            return jax.tree.map(lambda x: x[numbers], flat)

        return run_epochs(state, order, take, batch_size, _apply(network), hyper)

    return jax.jit(run)(state, order, flat, hyper)
