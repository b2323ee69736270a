"""Training of the reference with MaskablePPO: ``python -m legacy_torch.train --symbol ES --out DIR``.

A run's folder holds ``model.zip`` and ``vecnormalize.pkl``, in the formats of sb3-contrib and SB3, and
``run.json``, which says what they were made from; they appear together.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sb3_contrib import MaskablePPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecNormalize
from torch import nn

from foundation.errors import InputError, run_command
from foundation.files import atomic_folder, write_from_memory, write_json
from foundation.provenance import versions
from foundation.signals import end_with_parent, stop_on_signal
from legacy_torch.phases import ENVIRONMENTS
from markets.bars import Bars
from markets.config import EnvConfig
from markets.contracts import contract_of_file

MODEL_FILE = "model.zip"
NORMALIZER_FILE = "vecnormalize.pkl"
RUN_FILE = "run.json"
PACKAGES = ("gymnasium", "numpy", "pandas", "sb3-contrib", "stable-baselines3", "torch")


SMALLEST, LARGEST = 1e-30, 1e30
LIMITS = {
    "learning_rate": (0.0, LARGEST),
    "gamma": (0.0, 1.0),
    "gae_lambda": (0.0, 1.0),
    "clip_range": (SMALLEST, LARGEST),
    "ent_coef": (0.0, LARGEST),
    "vf_coef": (0.0, LARGEST),
    "max_grad_norm": (SMALLEST, LARGEST),
    "target_kl": (SMALLEST, LARGEST),
}
"""Least and most of the numbers that are not whole."""


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What MaskablePPO is trained with. Steps are environment steps, summed over environments.

    Attributes:
        n_envs: environments; above one, each has its own process.
        n_steps: steps of each environment in a rollout.
        batch_size: steps in a minibatch.
        n_epochs: passes over a rollout.
        learning_rate: of Adam.
        gamma: discount, of the returns and of the reward normaliser.
        gae_lambda: of generalised advantage estimation.
        clip_range: of the probability ratio.
        ent_coef: weight of the entropy.
        vf_coef: weight of the value loss.
        max_grad_norm: gradients are scaled down to this norm.
        target_kl: an update stops early above 1.5 times this; None never.
        total_timesteps: at least this many steps, rounded up to whole rollouts.
        seed: of weights, sampling and environments.
    """

    n_envs: int = 8
    n_steps: int = 2048
    batch_size: int = 512
    n_epochs: int = 10
    learning_rate: float = 3e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float | None = None
    total_timesteps: int = 2_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("n_envs", "n_steps", "batch_size", "n_epochs", "total_timesteps"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise InputError(f"{name} is {value!r}; it must be a whole number, at least 1")
        for name, (least, most) in LIMITS.items():
            value = getattr(self, name)
            if name == "target_kl" and value is None:
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not number or not least <= value <= most:  # nor what is no number
                raise InputError(f"{name} is {value!r}; it must be from {least:g} to {most:g}")
        if type(self.seed) is not int or not 0 <= self.seed < 2**32:  # NumPy's own bounds
            raise InputError(f"seed is {self.seed!r}; it must be a whole number from 0 to 2^32 - 1")
        if self.batch_size < 2 or self.n_envs * self.n_steps % self.batch_size == 1:
            raise InputError(
                f"a rollout of {self.n_envs} x {self.n_steps} steps in batches of {self.batch_size} "
                "has a batch of one, whose advantages cannot be normalised; choose another batch_size"
            )

    @property
    def whole_timesteps(self) -> int:
        """Steps that a training makes: those asked for, rounded up to whole rollouts."""
        rollout = self.n_envs * self.n_steps
        return -(-self.total_timesteps // rollout) * rollout


def train(
    bars: Bars,
    config: EnvConfig,
    train_config: TrainConfig,
    out_dir: Path,
    progress: bool = True,
) -> Path:
    """Train a policy and save it. Ctrl-C and SIGTERM end the training early and it still saves.

    Args:
        bars: the market to train on.
        config: the environment's rules.
        train_config: the learner's settings.
        out_dir: folder for the three files, made if need be; older ones are replaced.
        progress: show a progress bar on stderr.

    Returns:
        ``out_dir``.

    Raises:
        InputError: the bars cannot be traded under these rules.
    """
    ENVIRONMENTS[config.phase](bars, config)  # bad input is refused here, not in a worker
    normalizer = VecNormalize(make_vec_env(bars, config, train_config.n_envs), gamma=train_config.gamma)
    try:
        model = make_model(normalizer, train_config)
        started = time.perf_counter()
        with stop_on_signal() as stop:
            stop.answer()
            callback = TrainingProgress(train_config.whole_timesteps, show=progress, stop=stop)
            with callback.bar:
                model.learn(train_config.total_timesteps, callback=callback)
        seconds = time.perf_counter() - started
        save_run(
            out_dir, model, normalizer, describe(bars, config, train_config, model, callback, seconds)
        )
    finally:
        normalizer.close()
    return out_dir


def make_vec_env(bars: Bars, config: EnvConfig, n_envs: int) -> VecEnv:
    """Return environments in this process if there is one, else in a process each."""
    if n_envs == 1:
        return DummyVecEnv([partial(make_env, bars, config)])
    return SubprocVecEnv([partial(make_worker_env, bars, config) for _ in range(n_envs)])


def make_env(bars: Bars, config: EnvConfig) -> Monitor[Any, Any]:
    """Return one environment that reports its episodes' return and length."""
    return Monitor(ENVIRONMENTS[config.phase](bars, config))


def make_worker_env(bars: Bars, config: EnvConfig) -> Monitor[Any, Any]:
    """Return one environment for a process of its own, which leaves Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    return make_env(bars, config)


def make_model(vec_env: VecEnv, config: TrainConfig) -> MaskablePPO:
    """Return an untrained policy: two MLPs of 256 and 256 with ReLU."""
    return MaskablePPO(
        "MlpPolicy",
        vec_env,
        learning_rate=config.learning_rate,
        n_steps=config.n_steps,
        batch_size=config.batch_size,
        n_epochs=config.n_epochs,
        gamma=config.gamma,
        gae_lambda=config.gae_lambda,
        clip_range=config.clip_range,
        ent_coef=config.ent_coef,
        vf_coef=config.vf_coef,
        max_grad_norm=config.max_grad_norm,
        target_kl=config.target_kl,
        seed=config.seed,
        policy_kwargs={
            "net_arch": {"pi": [256, 256], "vf": [256, 256]},
            "activation_fn": nn.ReLU,
        },
        device="cpu",
    )


class TrainingProgress(BaseCallback):
    """Shows steps, steps per second and time left, and ends the training when asked to.

    Args:
        total: steps of the training.
        show: show the bar.
        stop: asked after every step; True ends the training, so that no step is torn.

    Attributes:
        bar: the progress bar, to be entered around the training.
        stopped: the training was asked to end early.
    """

    def __init__(self, total: int, show: bool, stop: Callable[[], bool]) -> None:
        super().__init__()
        self._stop = stop
        self.stopped = False
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:,.0f} steps/s"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not show,
        )
        self._task = self.bar.add_task("training", total=total, rate=0.0)
        self._started = 0.0

    def _on_training_start(self) -> None:
        self._started = time.perf_counter()

    def _on_step(self) -> bool:
        rate = self.num_timesteps / (time.perf_counter() - self._started)
        self.bar.update(self._task, completed=self.num_timesteps, rate=rate)
        self.stopped = self._stop()
        return not self.stopped


def describe(
    bars: Bars,
    config: EnvConfig,
    train_config: TrainConfig,
    model: MaskablePPO,
    callback: TrainingProgress,
    seconds: float,
) -> dict[str, Any]:
    """Return what a run was made from, ready for JSON."""
    return {
        "versions": versions(PACKAGES),
        "data": {
            "source": bars.source,
            "sha256": bars.digest,
            "bars": len(bars),
            "contract": asdict(bars.contract),
        },
        "env_config": config.to_dict(),
        "train_config": asdict(train_config),
        "seed": train_config.seed,
        "timesteps": model.num_timesteps,
        "interrupted": callback.stopped,
        "seconds": round(seconds, 3),
        "steps_per_second": round(model.num_timesteps / seconds, 1),
    }


def save_run(out_dir: Path, model: MaskablePPO, normalizer: VecNormalize, run: dict[str, Any]) -> None:
    """Write the three files into a folder, all of them or none."""
    with atomic_folder(out_dir, replaces=(MODEL_FILE, NORMALIZER_FILE, RUN_FILE)) as made:
        write_from_memory(made / MODEL_FILE, model.save)
        normalizer.save(str(made / NORMALIZER_FILE))
        write_json(made / RUN_FILE, run)


DAYS = 60
"""Of synthetic bars, where no file is given."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option(
    "--data", type=click.Path(path_type=Path), help="File of bars; synthetic ones without it."
)
@click.option("--symbol", help="Contract of the bars; ES for synthetic ones.")
@click.option(
    "--days", type=click.IntRange(min=1), help=f"Synthetic trading days; {DAYS} without a file."
)
@click.option("--steps", default=TrainConfig().total_timesteps, type=click.IntRange(min=1))
@click.option("--envs", default=TrainConfig().n_envs, type=click.IntRange(min=1))
@click.option("--seed", default=TrainConfig().seed, type=click.IntRange(min=0))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
def command(
    data: Path | None, symbol: str | None, days: int | None, steps: int, envs: int, seed: int, out: Path
) -> None:
    """Train the reference (Phase 1) and save it into a folder."""
    if data is None:
        from markets.synthetic.bars import synthetic_bars

        bars = synthetic_bars(symbol or "ES", days=days or DAYS, seed=seed)
    elif days is not None:
        raise InputError("--days is of synthetic bars; leave it out, or leave out --data")
    else:
        from markets.readers import read_bars

        bars = read_bars(data, contract_of_file(data, symbol))
    settings = TrainConfig(n_envs=envs, total_timesteps=steps, seed=seed)
    click.echo(f"saved in {train(bars, EnvConfig.phase1(), settings, out)}")


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()
