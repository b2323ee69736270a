"""Stop a training that has diverged: a loss or weights that are no numbers, by update and agent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from jax_port.ppo.train_ppo_jax import TrainState
from jax_port.runs.logs.training_log import Record
from markets import InputError


def require_finite_losses(records: Sequence[Record], folder: Path, saved: int) -> None:
    """Stop a training whose loss is no number, at the first such update.

    Raises:
        InputError: names the update, the agent and the newest checkpoint.
    """
    for record in records:
        if record["loss"] is None:
            raise _diverged(record["update"], record["agent"], "loss", folder, saved)


def require_finite_weights(agent: TrainState, update: int, folder: Path, saved: int) -> None:
    """Stop a training with weights that are no numbers, before they are saved.

    Args:
        agent: host arrays with a leading axis of agents.
        update: updates made.
        folder, saved: of the run, and its newest checkpoint's update.

    Raises:
        InputError: names the update, the agent and the newest checkpoint.
    """
    for leaf in jax.tree.leaves(agent.learner.params):
        good = np.isfinite(leaf).reshape(len(leaf), -1).all(axis=1)
        if not good.all():
            raise _diverged(update, int(np.argmin(good)), "weights", folder, saved)


def _diverged(update: int, agent: int, what: str, folder: Path, saved: int) -> InputError:
    verb = "are no numbers" if what == "weights" else "is no number"
    rest = f"the checkpoint of update {saved} is the last good one" if saved else "nothing was saved"
    return InputError(
        f"{folder}: at update {update} the {what} of agent {agent} {verb}: training stopped; {rest}; "
        "start a new run with a lower learning rate or max_grad_norm"
    )
