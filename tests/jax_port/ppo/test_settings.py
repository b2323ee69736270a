"""Numbers of the learner arrive as they are given, none and zero included."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from jax_port.ppo.settings import BY_NAME, OFF, RATES, TrainSettings, hyper_params
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


@pytest.mark.parametrize(("steps", "updates"), [(1, 1), (64, 1), (65, 2), (128, 2), (1000, 16)])
def test_no_fewer_steps_are_made_than_asked_for(steps: int, updates: int) -> None:
    settings = TrainSettings(n_envs=8, n_steps=8, batch_size=32, total_timesteps=steps)
    assert settings.num_updates == updates
