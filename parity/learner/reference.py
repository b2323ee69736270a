"""Drive sb3-contrib's MaskablePPO itself through what the port drew, and write down what it did.

Nothing of the library is done over: its own ``learn`` collects rollouts on the reference environment
under ``VecNormalize`` and trains on them. It is only told what to draw: the actions, the bar at which
each episode begins, and the minibatches' orders.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import DummyVecEnv

from jax_port.export.sb3_rates import give_layer_rates
from parity.engine.compare import Array
from parity.engine.pair import Fields
from parity.learner.cases import KL_ENDS_ALL, LearnerCase
from parity.learner.late import LateState
from parity.learner.led import ENVIRONMENTS, advised
from parity.learner.port import Draws
from parity.learner.sb3_settings import sb3_arguments

NEVER = math.inf
SELDOM = 10**9
"""Iterations between the library's own logs."""

ROUNDING = 2e-6
"""How far apart two right programs may be in what a decision hangs on: about ten times what is seen."""


@dataclass
class ReferenceRun:
    """What the reference did.

    Attributes:
        updates: a table for each.
        coverage: how often each thing happened.
        margin: how near the nearest decision came to falling the other way; see :class:`_Watch`.
    """

    updates: list[Fields] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)
    margin: float = NEVER


class Reference:
    """A fresh MaskablePPO of a case.

    Attributes:
        case: what it is set up for.
        model: the library's own.
        weights: before training, by torch's names.
    """

    def __init__(self, case: LearnerCase) -> None:
        settings = case.settings
        self.case = case
        first = ENVIRONMENTS[case.config.phase](case.bars, case.config)
        # Copies share the bars and their features, which nobody changes.
        self._envs = [copy(first) for _ in range(settings.n_envs)]
        worn, normalize, policy_class = advised(case, first, self._envs)
        self.width = (first.observation_space.shape or (0,))[0]
        normalizer = normalize(
            DummyVecEnv([lambda env=env: env for env in worn]),  # type: ignore[misc]
            gamma=settings.gamma,
            norm_reward=settings.norm_reward,
        )
        self.normalizer: Any = normalizer  # whose statistics could be a dict's
        self.unaided = RunningMeanStd(shape=normalizer.observation_space.shape or ())
        arguments = sb3_arguments(settings)
        for name in ("learning_rate", "clip_range"):
            arguments[name] = _schedule(arguments[name], settings.anneal)
        model = MaskablePPO(policy_class, normalizer, **arguments)
        self.model: Any = give_layer_rates(model, settings.layer_lr)
        # The library's own logger makes a folder in the temporary one and leaves it there.
        self.model.set_logger(Logger(None, []))
        with torch.no_grad():
            policy: Any = self.model.policy
            policy.action_net.weight.mul_(case.action_spread)
            policy.value_net.weight.mul_(case.value_spread)
        self.weights: Fields = self._weights()

    def learn(self, draws: Draws) -> ReferenceRun:
        """Make the case's updates with what the port drew."""
        for env, starts in zip(self._envs, draws.starts.T, strict=True):
            env.starts = deque(int(start) for start in starts[starts >= 0])
        watch = _Watch(self, draws)
        late, settings = self.case.late, self.case.settings
        self.model.num_timesteps = 0 if late is None else late.updates * settings.rollout_size
        left = settings.total_timesteps - self.model.num_timesteps
        try:
            with watch.leading(), _one_thread():
                self.model.learn(left, watch, log_interval=SELDOM, reset_num_timesteps=late is None)
        except _EnoughError:
            pass
        return watch.run

    def begin_late(self, state: LateState, adam_steps: int) -> None:
        """Put the model and its normaliser into a state late in a run."""
        optimizer = self.model.policy.optimizer
        for name, parameter in self.model.policy.named_parameters():
            if parameter.requires_grad:
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(adam_steps)),
                    "exp_avg": torch.tensor(state.first[name]),
                    "exp_avg_sq": torch.tensor(state.second[name]),
                }
        for moments in (self.normalizer.obs_rms, self.unaided):
            moments.mean, moments.var = state.obs_mean.copy(), state.obs_var.copy()
            moments.count = state.seen
        returns = self.normalizer.ret_rms
        returns.mean, returns.var = np.float64(state.return_mean), np.float64(state.return_var)
        returns.count = state.seen

    def move_weights(self, rng: np.random.Generator) -> None:
        """Move every weight to the next float32, up or down as drawn."""
        with torch.no_grad():
            for parameter in self.model.policy.parameters():
                towards = rng.choice([-np.inf, np.inf], size=parameter.shape)
                moved = torch.nextafter(parameter, torch.as_tensor(towards, dtype=torch.float32))
                parameter.copy_(moved)

    def decide(self, logits: Array, masks: Array) -> Array:
        """Return the deterministic action of each row, int64 (M,); the weights are lost."""
        policy = self.model.policy
        space = policy.observation_space.shape
        chosen = []
        with torch.no_grad():
            for parameter in policy.parameters():
                parameter.zero_()
            for row, mask in zip(logits, masks, strict=True):
                policy.action_net.bias.copy_(torch.as_tensor(row))
                action, _ = self.model.predict(
                    np.zeros(space, np.float32), deterministic=True, action_masks=mask
                )
                chosen.append(int(action))
        return np.array(chosen, np.int64)

    def _weights(self) -> Fields:
        names = [name for name, _ in self.model.policy.named_parameters()]
        state = self.model.policy.state_dict()
        return {name: state[name].detach().numpy().copy() for name in names}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch add in one order, and leave the other cores alone."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _schedule(value: float, anneal: bool) -> Any:
    return (lambda left: left * value) if anneal else value


class _EnoughError(Exception):
    """Ends ``learn`` between two updates; it has no way of its own."""


class _Watch(BaseCallback):
    """Tells a model what to draw and writes down what it does.

    The margin is the smallest distance to the other outcome, over all decisions whose outcome jumps:
    of a log ratio to the clip range, of a value's change to its range, of the KL estimate to its
    limit, of a unit's input to ReLU's corner. It is in units of what rounding may do, so where it is
    below one, the two sides may rightly decide differently.
    """

    def __init__(self, reference: Reference, draws: Draws) -> None:
        super().__init__()
        self.run = ReferenceRun()
        self._reference, self._draws = reference, draws
        self._actions = iter(draws.actions.reshape(-1, draws.actions.shape[-1]))
        self._orders = iter(draws.orders[0])
        self._table: Fields = {}
        self._gradients: list[Fields] = []
        self._ends: Counter[str] = Counter()
        self._last_values: Array = np.zeros(0)

    def _note_corner(self, size: torch.Tensor) -> None:
        """Keep how near to ReLU's corner the sizes of a layer's inputs come, as their own share."""
        self.run.margin = min(self.run.margin, float(size.min() / size.mean()) / ROUNDING)

    @contextmanager
    def leading(self) -> Iterator[None]:
        """Let the model draw what it is told to, while it learns."""
        policy = self._reference.model.policy
        clip, evaluate = torch.nn.utils.clip_grad_norm_, policy.evaluate_actions
        self._evaluate = evaluate
        buffer = self._reference.model.rollout_buffer
        compute = buffer.compute_returns_and_advantage

        def sample() -> torch.Tensor:
            return torch.as_tensor(next(self._actions))

        def permutation(size: int) -> Array:
            order: Array = next(self._orders)
            assert order.shape == (size,)
            self._numbers = deque(order)
            return order

        def evaluated(*args: Any, **more: Any) -> Any:
            found = evaluate(*args, **more)
            self._look(found[0].detach().numpy().reshape(-1), found[1].detach().numpy())
            return found

        def clipping(parameters: Any, max_norm: float, *rest: Any, **more: Any) -> torch.Tensor:
            named = policy.named_parameters()
            self._gradients.append(
                {name: _array(p.grad if p.requires_grad else torch.zeros_like(p)) for name, p in named}
            )
            norm: torch.Tensor = clip(parameters, max_norm, *rest, **more)
            self.run.coverage["norm clipped" if norm > max_norm else "norm not clipped"] += 1
            return norm

        def returns(last_values: torch.Tensor, dones: Array) -> None:
            self._last_values = last_values.numpy().reshape(-1).copy()
            compute(last_values, dones)

        def corner(module: torch.nn.Module, inputs: tuple[torch.Tensor], out: torch.Tensor) -> None:
            if torch.is_grad_enabled():
                self._note_corner(inputs[0].detach().abs())

        statistics, unaided = self._reference.normalizer.obs_rms, self._reference.unaided
        merge = statistics.update

        def merged(obs: Array) -> None:
            # NumPy would take a float32 batch's mean in float32, and what is then divided by a
            # small deviation would be off by 1e-6, which would hide faults of that size.
            merge(obs.astype(np.float64))
            unaided.update(obs)

        for module in policy.modules():
            if isinstance(module, torch.nn.ReLU):
                module.register_forward_hook(corner)
        with (
            patch.object(statistics, "update", merged),
            patch.object(policy.action_dist, "sample", sample),
            patch.object(policy, "evaluate_actions", evaluated),
            patch.object(buffer, "compute_returns_and_advantage", returns),
            patch("numpy.random.permutation", permutation),
            patch("torch.nn.utils.clip_grad_norm_", clipping),
        ):
            yield

    def _look(self, values: Array, log_probs: Array) -> None:
        """Note how near a minibatch's decisions are."""
        model, settings = self._reference.model, self._reference.case.settings
        buffer = model.rollout_buffer
        numbers = [self._numbers.popleft() for _ in values]
        # By the time it is read, the buffer is flat and ordered by environment.
        moved = log_probs.astype(np.float64) - buffer.log_probs[numbers].reshape(-1)
        clip = float(model.clip_range(model._current_progress_remaining))
        margins = [np.abs(moved - np.log1p(side * clip)).min() / ROUNDING for side in (-1, 1)]
        self.run.coverage["ratio clipped"] += int((np.abs(np.expm1(moved)) > clip).sum())
        if (near := settings.clip_range_vf) is not None:
            change = np.abs(values.astype(np.float64) - buffer.values[numbers].reshape(-1))
            margins.append(np.abs(change - near).min() / ROUNDING)
            self.run.coverage["value clipped"] += int((change > near).sum())
        if settings.target_kl is not None:
            estimate = np.mean(np.expm1(moved) - moved)
            margins.append(abs(estimate - 1.5 * settings.target_kl) / ROUNDING)
            if estimate > (limit := 1.5 * settings.target_kl):
                self.run.coverage["stopped by target_kl"] += 1
                self.run.coverage[KL_ENDS_ALL] += self._epochs_that_begin_below(limit - ROUNDING)
        if len(values) < settings.batch_size:
            self.run.coverage["partial minibatch"] += 1
        self.run.margin = min(self.run.margin, *(float(margin) for margin in margins))

    def _epochs_that_begin_below(self, limit: float) -> int:
        """Return in how many later epochs of a stopped update the first KL is below a limit."""
        buffer, later = self._reference.model.rollout_buffer, list(self._orders)
        self._orders = iter(later)
        count = 0
        for order in later:
            first = order[: self._reference.case.settings.batch_size]
            parts = (buffer.observations, buffer.actions, buffer.action_masks)
            obs, actions, masks = (torch.as_tensor(part[first]) for part in parts)
            with torch.no_grad():
                log_probs = self._evaluate(obs, actions.long().flatten(), action_masks=masks)[1].numpy()
            moved = log_probs.astype(np.float64) - buffer.log_probs[first].reshape(-1)
            count += int(np.mean(np.expm1(moved) - moved) < limit)
        return count

    def _on_step(self) -> bool:
        rewards = self.locals["rewards"]  # the value of what truncation cut off is yet to be added
        self.run.coverage["reward clipped"] += int((np.abs(rewards) >= 10).sum())
        for done, info in zip(self.locals["dones"], self.locals["infos"], strict=True):
            if done:
                self._ends["truncated" if info["TimeLimit.truncated"] else "terminated"] += 1
        return True

    def _on_rollout_start(self) -> None:
        if self._table:
            self._after_training()
        if len(self.run.updates) == self._reference.case.updates:
            raise _EnoughError

    def _on_rollout_end(self) -> None:
        buffer = self._reference.model.rollout_buffer
        shape = buffer.rewards.shape
        names = ("log_probs", "values", "rewards", "advantages", "returns")
        self._table = {
            "obs": buffer.observations[..., : self._reference.width].copy(),
            "masks": buffer.action_masks.reshape(*shape, -1) > 0.5,
            "actions": buffer.actions.reshape(shape).astype(np.int8),
            "episode_starts": buffer.episode_starts > 0.5,
            **{name: getattr(buffer, name).copy() for name in names},
            "last_values": self._last_values,
            "terminations": np.asarray(self._ends["terminated"]),
            "truncations": np.asarray(self._ends["truncated"]),
            **self._statistics(),
        }
        self._cover()
        self._ends.clear()
        self._orders = iter(self._draws.orders[len(self.run.updates)])

    def _cover(self) -> None:
        table, seen = self._table, self.run.coverage
        last = self._reference.normalizer.num_envs
        seen["terminated"] += int(table["terminations"])
        seen["truncated, value added"] += int(table["truncations"])
        seen["forbidden action"] += int((~table["masks"]).sum())
        seen["observation clipped"] += int((np.abs(table["obs"]) >= 10).sum())
        seen["ended on a rollout's last step"] += int(self.locals["dones"].sum())
        seen["went on after a rollout's last step"] += last - int(self.locals["dones"].sum())

    def _statistics(self) -> Fields:
        normalizer, own = self._reference.normalizer, slice(self._reference.width)
        obs, rewards = normalizer.obs_rms, normalizer.ret_rms
        return {
            "obs mean": obs.mean[own].copy(),
            "obs var": obs.var[own].copy(),
            "obs count": np.asarray(obs.count),
            "float32 obs mean": self._reference.unaided.mean[own].copy(),
            "float32 obs var": self._reference.unaided.var[own].copy(),
            "return var": np.asarray(rewards.var),
            "return count": np.asarray(rewards.count),
            "running returns": normalizer.returns.copy(),
        }

    def _after_training(self) -> None:
        model, policy = self._reference.model, self._reference.model.policy
        logged = model.logger.name_to_value
        adam = policy.optimizer.state
        named = dict(policy.named_parameters())
        moments = {"first moments": "exp_avg", "second moments": "exp_avg_sq"}
        described = {
            "policy loss": "policy_gradient_loss",
            "value loss": "value_loss",
            "entropy loss": "entropy_loss",
            "clip fraction": "clip_fraction",
            "approximate KL": "approx_kl",
            "last loss": "loss",
            "explained variance": "explained_variance",
            "learning rate": "learning_rate",
            "clip range": "clip_range",
        }
        gradients = self._gradients
        steps = [int(adam[parameter]["step"]) for parameter in named.values() if parameter in adam]
        frozen = {name: torch.zeros_like(parameter) for name, parameter in named.items()}
        self.run.updates.append(
            {
                **self._table,
                **{name: np.asarray(float(logged[f"train/{key}"])) for name, key in described.items()},
                "gradient steps": np.asarray(len(gradients)),
                "adam steps": np.asarray(max(steps)),
                **{f"gradients/{name}": np.stack([one[name] for one in gradients]) for name in named},
                **{
                    f"{part}/{name}": _array(adam.get(parameter, {}).get(key, frozen[name]))
                    for part, key in moments.items()
                    for name, parameter in named.items()
                },
                **{f"weights/{name}": value for name, value in self._reference._weights().items()},
            }
        )
        self._table, self._gradients = {}, []


def _array(tensor: torch.Tensor | None) -> Array:
    assert tensor is not None
    return tensor.detach().numpy().copy()
