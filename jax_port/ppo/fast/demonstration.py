"""``python -m jax_port.ppo.train_ppo_jax``: train a little on synthetic bars, show steps per second."""

from __future__ import annotations

import argparse
import time

import jax
import jax.numpy as jnp

from foundation.errors import InputError
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.batch import make_params
from jax_port.ppo.settings import TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import init_agents, make_train
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars

ABOUT = "Train a small MaskablePPO on synthetic bars and print its training steps per second."
DAYS = 20
"""Synthetic days of ES."""

LIMITS = {"envs": (2, 1_000_000), "n_steps": (1, 10_000), "updates": (1, 1_000)}
"""Least and most of each option."""


def show_training(arguments: list[str] | None = None) -> None:
    """Train a small MaskablePPO and print what each update made, and the training steps per second.

    Args:
        arguments: of the command line; those of the process by default.

    Raises:
        InputError: a number is outside its limits.
    """
    parser = argparse.ArgumentParser(
        prog="python -m jax_port.ppo.train_ppo_jax", description=__doc__.partition(": ")[2]
    )
    parser.add_argument("--envs", type=int, default=256, help="side by side (%(default)s)")
    parser.add_argument(
        "--n-steps", type=int, default=64, help="steps of each, an update (%(default)s)"
    )
    parser.add_argument("--updates", type=int, default=5, help="updates to make (%(default)s)")
    given = parser.parse_args(arguments)
    for name, (least, most) in LIMITS.items():
        if not least <= (value := getattr(given, name)) <= most:
            option = name.replace("_", "-")
            raise InputError(f"--{option} is {value}; give a whole number from {least} to {most:,}")
    steps = given.envs * given.n_steps
    settings = TrainSettings().override(
        n_envs=given.envs,
        n_steps=given.n_steps,
        batch_size=given.envs * max(1, given.n_steps // 8),
        n_epochs=4,
        total_timesteps=steps * given.updates,
        learning_rate=1e-3,
        pi=(64, 64),
        vf=(64, 64),
    )
    config = EnvConfig.phase1()
    params = make_params(stack([prepare(synthetic_bars("ES", days=DAYS, seed=0), config)]), config)
    print(
        f"{jax.devices()[0]}, the program for a {params.form.upper()}; an update is {given.envs:,} "
        f"environments x {given.n_steps} steps, then {settings.n_epochs} epochs in minibatches of "
        f"{settings.batch_size:,}"
    )
    agents = jax.jit(init_agents, static_argnums=2)(jnp.zeros(1, jnp.int32), params, settings)
    hyper = jax.tree.map(
        lambda number: number[None], hyper_params(learning_rate=settings.learning_rate)
    )
    began = time.perf_counter()
    train = jax.jit(make_train(settings, 1, 1), donate_argnums=0).lower(agents, hyper, params).compile()
    print(f"compiled in {time.perf_counter() - began:.1f} s")
    took = 0.0
    for number in range(settings.num_updates):
        began = time.perf_counter()
        agents, metrics = jax.block_until_ready(train(agents, hyper, params))
        seconds = time.perf_counter() - began
        took += seconds
        loss, entropy = metrics.loss.item(), metrics.entropy.item()  # of one agent and one update
        print(
            f"update {number + 1}: {steps / seconds:,.0f} steps per second, loss {loss:+.4f}, "
            f"entropy {entropy:.3f}"
        )
    print(f"{settings.total_timesteps:,} steps in {took:.1f} s")
    print(f"{settings.total_timesteps / took:,.0f} training steps per second")
