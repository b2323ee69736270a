"""Bundles of made policies, exported once a process."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecNormalize

from jax_port.data.data_loader import prepare
from jax_port.export.bundle import export
from jax_port.export.importing import read_policy
from jax_port.ppo.policy import Policy, save_policy
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import Bars, EnvConfig
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.made_policy import make_policy

PRIOR = AdviceUse(
    "prior",
    FusionSettings("gated", weight=2.0, threshold=0.3, fade=0.2, most_age=4),
    *("rules", "rules", "", "", "never"),
)


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


@cache
def prior_bundle() -> Path:
    """Return the bundle of a policy that was trained with advice as a prior; not to be changed."""
    source = scratch() / "prior.safetensors"
    save_policy(source, replace(made_policy(1), advice=PRIOR))
    export(source, scratch() / "prior")
    return scratch() / "prior"


def trained_by_sb3(folder: Path, steps: int = 32, **normalizer: object) -> Path:
    """Train a MaskablePPO as SB3's users do by default and return its zip.

    ``normalizer`` holds the arguments of a VecNormalize; without any there is none.
    """
    env: VecEnv = DummyVecEnv([lambda: TradingEnvPhase1(bars(), config_of(1))])
    if normalizer:
        env = VecNormalize(env, **normalizer)
    model = MaskablePPO("MlpPolicy", env, n_steps=32, batch_size=16, n_epochs=1, seed=2, device="cpu")
    if steps:
        model.learn(steps)
    model.save(folder / "model.zip")
    if isinstance(env, VecNormalize):
        env.save(str(folder / "vecnormalize.pkl"))
    return folder / "model.zip"


@cache
def raw_bundle() -> Path:
    """Return the bundle of a model that was trained without a VecNormalize; not to be changed."""
    source = scratch() / "raw.safetensors"
    save_policy(source, read_policy(trained_by_sb3(scratch()), config=config_of(1)))
    export(source, scratch() / "raw", "ES")
    return scratch() / "raw"
