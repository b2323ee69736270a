"""Each layer of a MaskablePPO learns at its own rate, and a frozen one not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.logger import Logger

from jax_port.export.sb3_rates import FACTOR, give_layer_rates, scheduled
from tests.sentences import refuses

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
        name: OWN.get(name.rpartition(".")[0], 1.0) for name, _ in model.policy.named_parameters()
    }
    wanted |= {f"{FROZEN}.weight": 0.0, f"{FROZEN}.bias": 0.0}
    assert found == wanted


def test_gradients_of_before_count_for_nothing_any_more() -> None:
    """One left in a layer that is frozen now would count in the norm that gradients are cut to."""
    model: Any = _model()
    for weight in model.policy.parameters():
        weight.grad = torch.ones_like(weight)
    give_layer_rates(model, RATES)
    assert [name for name, weight in model.policy.named_parameters() if weight.grad is not None] == []


@pytest.mark.parametrize(("gradient", "share"), [(3.0, 1.0), (1e-5, 0.5)])
def test_a_step_is_as_long_as_a_layers_factor_says(gradient: float, share: float) -> None:
    """The first of Adam's steps is the rate itself, but for gradients as small as its epsilon."""
    model: Any = give_layer_rates(_model(), RATES)
    model._current_progress_remaining = 1.0
    model.set_logger(Logger(None, []))
    model._update_learning_rate(model.policy.optimizer)
    before = {name: weight.detach().clone() for name, weight in model.policy.named_parameters()}
    for weight in model.policy.parameters():
        weight.grad = torch.full_like(weight, gradient) if weight.requires_grad else None
    model.policy.optimizer.step()
    for name, weight in model.policy.named_parameters():
        factor = 0.0 if name.startswith(FROZEN) else OWN.get(name.rpartition(".")[0], 1.0)
        moved = (before[name] - weight.detach()).numpy()
        assert moved == pytest.approx(np.full(weight.shape, 0.01 * share * factor), rel=1e-3)
    assert {group["lr"] for group in model.policy.optimizer.param_groups} == {0.01}


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


def test_a_model_with_layer_rates_is_saved_and_loaded_as_any_other(tmp_path: Path) -> None:
    """As a checkpoint is: by SB3 alone, with Adam's moments, and on with the training."""
    model: Any = give_layer_rates(_model(), RATES)
    model.learn(16)
    model.save(tmp_path / "model.zip")
    loaded: Any = MaskablePPO.load(tmp_path / "model.zip", env=TwoChoices(), device="cpu")
    assert type(loaded.policy.optimizer) is torch.optim.Adam
    assert "_update_learning_rate" not in vars(loaded)
    ours, theirs = model.policy.optimizer.state, loaded.policy.optimizer.state
    for weight, same in zip(model.policy.parameters(), loaded.policy.parameters(), strict=True):
        assert torch.equal(weight, same)
        assert set(ours.get(weight, {})) == set(theirs.get(same, {}))
        for name, value in ours.get(weight, {}).items():
            assert torch.equal(value, theirs[same][name])
    loaded.learn(16)
    changed = {
        name
        for (name, weight), same in zip(
            loaded.policy.named_parameters(), model.policy.parameters(), strict=True
        )
        if not torch.equal(weight, same)
    }
    assert any(name.startswith(FROZEN) for name in changed)  # the zip does not hold the rates


def test_parameters_of_a_zip_come_into_a_model_with_layer_rates(tmp_path: Path) -> None:
    model: Any = give_layer_rates(_model(), RATES)
    model.learn(16)
    model.save(tmp_path / "model.zip")
    other: Any = give_layer_rates(_model(), (("value_0", 0.5),))
    other.set_parameters(tmp_path / "model.zip")
    factors = [group[FACTOR] for group in other.policy.optimizer.param_groups]
    assert sorted(factors) == [0.5] * 2 + [1.0] * 10
    one, same = model.policy.optimizer.state_dict(), other.policy.optimizer.state_dict()
    assert one["param_groups"] == same["param_groups"]
    assert one["state"].keys() == same["state"].keys()


@pytest.mark.parametrize(
    "rates", [(("policy_7", 0.1),), (("policy_0", -0.1),), (("policy_0", 0.1), ("policy_0", 0.2))]
)
def test_rates_that_the_model_cannot_have_are_refused(rates: Any) -> None:
    model: Any = _model()
    optimizer = model.policy.optimizer
    with refuses():
        give_layer_rates(model, rates)
    assert model.policy.optimizer is optimizer
