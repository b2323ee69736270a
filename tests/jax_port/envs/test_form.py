"""The form of a program is chosen where parameters are made; what is traced asks for no device."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn

import jax
import jax.numpy as jnp
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.batch import make_params
from jax_port.envs.form import FORMS, Form, form_of
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import init_agents, make_train
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

CONFIG = EnvConfig.phase1()
MARKET = stack([prepare(synthetic_bars("ES", days=3, seed=0), CONFIG)])
SETTINGS = TrainSettings().override(
    n_envs=4, n_steps=4, batch_size=8, n_epochs=1, total_timesteps=16, pi=(8,), vf=(8,)
)


def ask() -> NoReturn:
    raise AssertionError("a program asked for its device")


@pytest.mark.parametrize(("backend", "form"), [("cpu", "cpu"), ("gpu", "gpu"), ("tpu", "gpu")])
def test_parameters_hold_the_form_for_the_device(
    backend: str, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert make_params(MARKET, CONFIG).form == form
    assert (form_of(""), form_of("columns"), form_of("prior")) == (form, form, "cpu")


def test_nothing_that_is_traced_asks_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    params = make_params(MARKET, CONFIG)
    monkeypatch.setattr(jax, "default_backend", ask)
    traced = {form: str(trace_training(replace(params, form=form))) for form in FORMS}
    assert traced["cpu"] != traced["gpu"]


def trace_training(params: object) -> object:
    def train(seeds: jax.Array, params: object) -> object:
        hyper = jax.tree.map(lambda x: x[None], hyper_params())
        return make_train(SETTINGS, 1, 1)(init_agents(seeds, params, SETTINGS), hyper, params)

    return jax.make_jaxpr(train)(jnp.zeros(1, jnp.int32), params)
