"""Numbers of the learner arrive as they are given, none and zero included."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.settings import BY_NAME, OFF, RATES, NetworkSpec, TrainSettings, hyper_params
from tests.sentences import refuses


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("value", [0.0, 0.125, 1.0])
def test_a_number_arrives_and_the_others_have_their_defaults(name: str, value: float) -> None:
    made = hyper_params(**{name: value})
    for other in RATES:
        default = BY_NAME[other].default
        wanted = value if other == name else OFF if default is None else default
        assert getattr(made, other) == np.float32(wanted), other


def test_none_is_off() -> None:
    made = hyper_params(clip_range_vf=None, target_kl=None)
    assert (made.clip_range_vf, made.target_kl) == (OFF, OFF)
    with refuses():
        hyper_params(batch_size=1)


@pytest.mark.parametrize("name", ["ent_coef", "vf_coef", "gamma", "gae_lambda"])
def test_a_setting_of_zero_is_kept(name: str) -> None:
    settings = TrainSettings().override(**{name: 0.0})
    assert getattr(settings, name) == 0.0
    assert settings.to_dict()[name] == 0.0


@pytest.mark.parametrize("name", ["gamma", "gae_lambda"])
def test_a_limit_itself_is_allowed(name: str) -> None:
    assert getattr(TrainSettings().override(**{name: 1.0}), name) == 1.0
    with refuses():
        TrainSettings().override(**{name: 1.0000001})


@pytest.mark.parametrize("name", ["clip_range", "clip_range_vf", "max_grad_norm", "target_kl"])
def test_what_must_be_above_zero_is_above_it_on_the_device(name: str) -> None:
    for value in (0.0, 1e-50, 2.0**-127):
        with refuses():
            TrainSettings().override(**{name: value})
    assert getattr(TrainSettings().override(**{name: 2.0**-126}), name) > 0
    assert TrainSettings().override(ent_coef=1e-50).ent_coef == 1e-50  # as good as none


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        (
            {"n_envs": 1, "n_steps": 66, "batch_size": 64},
            {"n_envs": 1, "n_steps": 65, "batch_size": 64},
        ),
        ({"n_envs": 2, "n_steps": 1, "batch_size": 2}, {"n_envs": 2, "n_steps": 1, "batch_size": 1}),
        ({"n_envs": 2**30, "n_steps": 1}, {"n_envs": 2**30, "n_steps": 2}),
        (
            {"n_envs": 1, "n_steps": 2, "batch_size": 2, "total_timesteps": 2**32 - 2},
            {"n_envs": 1, "n_steps": 2, "batch_size": 2, "total_timesteps": 2**32 - 1},
        ),
        ({"n_envs": 12, "order_groups": 4}, {"n_envs": 14, "order_groups": 4}),
        (
            {"n_envs": 12, "n_steps": 8, "batch_size": 24, "order_groups": 4},
            {"n_envs": 12, "n_steps": 8, "batch_size": 26, "order_groups": 4},
        ),
        ({"precision": "bf16"}, {"precision": "f16"}),
        ({"seed": 2**31 - 1}, {"seed": 2**31}),
        ({"pi": (1,)}, {"pi": ()}),
        ({"vf": (2, 1)}, {"vf": (2, 0)}),
        ({"activation": "tanh"}, {"activation": "gelu"}),
        ({"learning_rate": 3.4028234e38}, {"learning_rate": 3.4028236e38}),
        ({"vf_coef": 10**38}, {"vf_coef": 10**400}),
        ({"clip_range": 1e-30}, {"clip_range": 0.0}),
    ],
    ids=lambda values: ", ".join(map(str, values.items()))[:60],
)
def test_what_goes_together_ends_where_it_must(allowed: Any, refused: Any) -> None:
    settings = TrainSettings().override(**allowed)
    assert TrainSettings.from_dict(settings.to_dict()) == settings
    with refuses():
        TrainSettings().override(**refused)


def test_settings_that_lack_one_are_refused_and_take_no_default() -> None:
    whole = TrainSettings().override(pi=(7,), gamma=0.5).to_dict()
    for name in whole:
        with pytest.raises(InputError, match=f"^the training's settings: {name} missing"):
            TrainSettings.from_dict({one: whole[one] for one in whole if one != name})
    for name in whole["network"]:
        less = {one: whole["network"][one] for one in whole["network"] if one != name}
        with pytest.raises(InputError, match=f"^its network: {name} missing"):
            TrainSettings.from_dict({**whole, "network": less})
    with pytest.raises(InputError, match=r"^the training's settings: unknown setting pi"):
        TrainSettings.from_dict({**whole, "pi": (7,)})


def test_a_network_is_given_whole_or_by_its_sizes_and_is_none_of_the_user_s_own() -> None:
    """Each of its sizes for itself; the others stay as they were."""
    base = TrainSettings().override(pi=(4, 3), vf=(5,), activation="tanh", seed=7)
    assert base.override(vf=(6, 2)).network == NetworkSpec((4, 3), (6, 2), "tanh")
    assert base.override(pi=(9,)).network == NetworkSpec((9,), (5,), "tanh")
    given = {"pi": [8], "vf": [7, 1], "activation": "relu"}
    assert base.override(network=given).network == NetworkSpec((8,), (7, 1))
    both = base.override(network=given, activation="tanh", gamma=0.5)
    assert both.network == NetworkSpec((8,), (7, 1), "tanh")
    assert (both.gamma, both.seed, base.gamma) == (0.5, 7, 0.99)
    with pytest.raises(InputError, match="network 'Mine' is the user's own code, in no file"):
        base.override(network={"own": "Mine"})
    with pytest.raises(InputError, match="unknown training setting alpha, beta: choose"):
        base.override(beta=1, gamma=0.5, alpha=2)


def test_layers_are_named_hidden_ones_first_and_each_mlp_ends_in_its_head() -> None:
    spec = NetworkSpec((4, 3), (5, 6, 7))
    hidden = ("policy_0", "policy_1", "value_0", "value_1", "value_2")
    assert spec.layers == (*hidden, "action_head", "value_head")
    assert spec.mlps == {
        "policy": ("policy_0", "policy_1", "action_head"),
        "value": ("value_0", "value_1", "value_2", "value_head"),
    }


def test_what_files_say_of_a_network_of_one_s_own_is_its_name() -> None:
    own = OwnNetwork("Mine", lambda key, obs: {}, lambda tree, obs: None)
    values = replace(TrainSettings(seed=3), own=own).to_dict()
    assert values["network"] == {"own": "Mine"}
    assert "own" not in values
    assert values["seed"] == 3


LIMITS: dict[str, tuple[list[Any], list[Any]]] = {
    "n_envs": ([1, 2], [0, -1, 1.0, True, None, "1"]),
    "n_epochs": ([1], [0, 1.0]),
    "total_timesteps": ([1], [0, None]),
    "learning_rate": ([0, 0.0, 5.0], [-1e-9, math.nan, math.inf, None, True, "1"]),
    "gamma": ([0.0, 1.0, 1], [-1e-9, 1.0001, None]),
    "gae_lambda": ([0.0, 1.0], [-0.1, 1.1, -math.inf]),
    "clip_range": ([1e-9, 3.0], [0.0, -0.1, None]),
    "clip_range_vf": ([None, 1e-9], [0.0, -0.1, False]),
    "ent_coef": ([0.0, 2.0], [-0.1, None]),
    "vf_coef": ([0.0, 2.0], [-0.1, None]),
    "max_grad_norm": ([1e-9, 100.0], [0.0, None, 10**400]),
    "target_kl": ([None, 1e-9], [0.0, -1.0, math.nan]),
    "anneal": ([True, False], [0, 1, None]),
    "norm_reward": ([True, False], [0, None]),
}
"""Values that are taken and values that are not, by number of the learner."""


@pytest.mark.parametrize("name", LIMITS)
def test_each_number_of_the_learner_has_limits_of_its_own(name: str) -> None:
    taken, refused = LIMITS[name]
    for value in taken:
        BY_NAME[name].check(value)
    for value in refused:
        with pytest.raises(InputError, match=f"^{name} is "):
            BY_NAME[name].check(value)


@pytest.mark.parametrize(("steps", "updates"), [(1, 1), (64, 1), (65, 2), (128, 2), (1000, 16)])
def test_no_fewer_steps_are_made_than_asked_for(steps: int, updates: int) -> None:
    settings = TrainSettings(n_envs=8, n_steps=8, batch_size=32, total_timesteps=steps)
    assert settings.num_updates == updates
