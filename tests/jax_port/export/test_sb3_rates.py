"""Each layer of a MaskablePPO learns at its own rate, and a frozen one not at all."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.logger import Logger

from jax_port.export.sb3_rates import FACTOR, give_layer_rates, scheduled

RATES = (("policy_0", 0.0), ("value_1", 0.25), ("action_head", 2.0))
OWN = {"mlp_extractor.value_net.2": 0.25, "action_net": 2.0}
FROZEN = "mlp_extractor.policy_net.0"


class TwoChoices(gymnasium.Env[Any, Any]):
    """Pays one for the first of two actions; an episode is four steps."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space: Any = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return self.np_random.uniform(-1, 1, 3).astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        obs = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return obs, float(action == 0), self.steps == 4, False, {}

    def action_masks(self) -> Any:
        return np.ones(2, bool)


def _model() -> MaskablePPO:
    mlps: Any = {"net_arch": {"pi": [4, 4], "vf": [4, 4]}}
    return MaskablePPO(
        "MlpPolicy", TwoChoices(), n_steps=8, batch_size=4, n_epochs=1, seed=0, device="cpu",
        learning_rate=0.01, policy_kwargs=mlps,
    )  # fmt: skip


def test_each_layer_is_in_the_group_of_its_factor() -> None:
    model: Any = give_layer_rates(_model(), RATES)
    names = {id(weight): name for name, weight in model.policy.named_parameters()}
    found = {
        names[id(weight)]: group[FACTOR]
        for group in model.policy.optimizer.param_groups
        for weight in group["params"]
    }
    wanted = {
        name: OWN.get(name.rpartition(".")[0], 1.0)
        for name, _ in model.policy.named_parameters()
        if not name.startswith(FROZEN)
    }
    assert found == wanted
    model._current_progress_remaining = 1.0
    model.set_logger(Logger(None, []))
    model._update_learning_rate(model.policy.optimizer)
    for group in model.policy.optimizer.param_groups:
        assert group["lr"] == pytest.approx(0.01 * group[FACTOR])


def test_the_frozen_layer_alone_stays_as_it_was() -> None:
    model: Any = give_layer_rates(_model(), RATES)
    model.set_logger(Logger(None, []))
    before = {name: weight.detach().clone() for name, weight in model.policy.named_parameters()}
    model.learn(16)
    same = {
        name
        for name, weight in model.policy.named_parameters()
        if torch.equal(weight.detach(), before[name])
    }
    assert same == {f"{FROZEN}.weight", f"{FROZEN}.bias"}


def test_without_rates_nothing_is_touched() -> None:
    model: Any = _model()
    optimizer = model.policy.optimizer
    assert give_layer_rates(model, ()).policy.optimizer is optimizer
    assert "_update_learning_rate" not in vars(model)


def test_rate_and_clip_range_fall_to_zero_where_a_trainer_anneals() -> None:
    given = {"learning_rate": 0.5, "clip_range": 0.2, "gamma": 0.9}
    assert scheduled(given, anneal=False) == given
    falling = scheduled(given, anneal=True)
    assert falling["gamma"] == 0.9
    for name in ("learning_rate", "clip_range"):
        assert [falling[name](left) for left in (1.0, 0.5, 0.0)] == pytest.approx(
            [given[name], given[name] / 2, 0.0]
        )


def test_a_layer_that_was_frozen_learns_again_where_it_is_given_a_rate() -> None:
    model = give_layer_rates(give_layer_rates(_model(), RATES), (("policy_0", 0.5), ("value_0", 0.0)))
    weights = {name: weight.clone() for name, weight in model.policy.named_parameters()}
    model.learn(16)
    changed = {
        name for name, weight in model.policy.named_parameters() if (weight != weights[name]).any()
    }
    still = {name.rpartition(".")[0] for name in weights.keys() - changed}
    assert still == {"mlp_extractor.value_net.0"}
