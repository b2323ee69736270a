"""Bundles of made policies, exported once a process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from jax_port.data.data_loader import prepare
from jax_port.export.bundle import export
from jax_port.ppo.policy import Policy, save_policy
from markets import Bars, EnvConfig
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.made_policy import make_policy


@cache
def scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bundles-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def config_of(phase: int) -> EnvConfig:
    return EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()


@cache
def bars() -> Bars:
    return synthetic_bars("ES", days=4, seed=5)


@cache
def made_policy(phase: int, seed: int = 3) -> Policy:
    return make_policy(
        prepare(bars(), config_of(phase)), config_of(phase), seed=seed, data={"symbol": "ES"}
    )


@cache
def bundle(phase: int) -> Path:
    """Return the bundle of a made policy; tests must not change it."""
    source = scratch() / f"policy-{phase}.safetensors"
    save_policy(source, made_policy(phase))
    export(source, scratch() / f"phase{phase}")
    return scratch() / f"phase{phase}"
