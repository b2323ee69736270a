"""Numbers of the learner arrive as they are given, none and zero included."""

from __future__ import annotations

import numpy as np
import pytest

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


@pytest.mark.parametrize(("steps", "updates"), [(1, 1), (64, 1), (65, 2), (128, 2), (1000, 16)])
def test_no_fewer_steps_are_made_than_asked_for(steps: int, updates: int) -> None:
    settings = TrainSettings(n_envs=8, n_steps=8, batch_size=32, total_timesteps=steps)
    assert settings.num_updates == updates
