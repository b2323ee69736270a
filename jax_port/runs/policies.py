"""What a run ends in: each agent's policy, with what it was made from; and the best and last so far."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import jax
from msgspec import Meta

from foundation.errors import InputError
from foundation.files import write_json, writing
from foundation.json_reading import Artifact, Count, Struct, read_json
from jax_port.ppo.policy import Policy, load_policy, save_policy
from jax_port.ppo.train_ppo_jax import TrainState
from jax_port.runs.checkpoints import FOLDER
from jax_port.runs.logs.ranking import Record, rank

if TYPE_CHECKING:
    from jax_port.runs.plan import Plan

FINISHED = "finished.json"
LAST, BEST = "last.safetensors", "best.safetensors"
"""Policies of a run that goes on: at its newest checkpoint, and at the best one. Copies and no links,
so that every file system takes them."""
AGENTS = "agents"
"""Entry of a policy that says how many agents were trained side by side, of which it is one."""
CHOSEN = "chosen"
"""Entry of such a policy that says by what it was chosen."""


FINISHED_FILE = Artifact(
    "account of a finished run", "remove this file, and go on with the run (--resume) to write it anew"
)


class Finished(Struct):
    """What ``finished.json`` says: after how many updates a run ended, and its policies' number."""

    updates: Count
    policies: Annotated[int, Meta(ge=1, le=2**31 - 1)]


def policy_file(folder: Path, number: int) -> Path:
    """Return the file of an agent's policy in a run's folder."""
    return folder / f"policy-{number}.safetensors"


def missing_policies(plan: Plan, folder: Path, updates: int) -> list[int] | None:
    """Return the agents whose policies were removed since a run ended; None where it has not ended.

    Args:
        plan: of the run.
        folder: of the run.
        updates: of its newest checkpoint, which those of an earlier end are not of.

    Raises:
        InputError: ``finished.json`` is damaged.
    """
    if updates_at_end(folder) != updates:
        return None
    return [number for number in range(len(plan.agents)) if not policy_file(folder, number).is_file()]


def updates_at_end(folder: Path) -> int | None:
    """Return after how many updates a run ended; None where it is not finished.

    Raises:
        InputError: ``finished.json`` is damaged.
    """
    ended = read_finished(folder)
    return None if ended is None else ended.updates


def read_finished(folder: Path, artifact: Artifact = FINISHED_FILE) -> Finished | None:
    """Return what ``finished.json`` says of a run; None where it is not finished.

    Args:
        folder: of the run.
        artifact: what a message calls the file, and what it says to do about a damaged one.

    Raises:
        InputError: it is damaged.
    """
    path = folder / FINISHED
    return read_json(path, Finished, artifact) if path.exists() else None


def refuse_ended(folder: Path) -> None:
    """Refuse to train a run anew that has ended once: its results would be lost.

    Raises:
        InputError: there are policies, or ``finished.json``, and no checkpoint.
    """
    ended = (folder / FINISHED).exists() or any(folder.glob("policy-*.safetensors"))
    if ended and not any((folder / FOLDER).glob("[0-9]*")):
        raise InputError(
            f"{folder}: this run has ended and its checkpoints are gone, so it can't be gone on with; "
            "begin another one with a policy of it (--from-policy), or train in another folder"
        )


def no_longer_finished(folder: Path) -> None:
    """Take back that a run is finished, before it is gone on with: its policies are of its former end.

    Raises:
        WriteError: ``finished.json`` can't be removed.
    """
    path = folder / FINISHED
    with writing(path):
        path.unlink(missing_ok=True)


def write_policies(
    plan: Plan,
    folder: Path,
    agent: TrainState,
    about: Mapping[str, Any],
    only: Collection[int] | None = None,
) -> None:
    """Write each agent's policy, or those of some.

    Args:
        plan, agent, about: as for :func:`policies_of`.
        folder: of the run.
        only: numbers of the agents whose policies are written; None for all.
    """
    for number, policy in enumerate(policies_of(plan, agent, about)):
        if only is None or number in only:
            save_policy(policy_file(folder, number), policy)


def note_finished(folder: Path, updates: int, policies: int) -> None:
    """Write ``finished.json``, after which a run has nothing left to write.

    Args:
        folder: of the run.
        updates: after how many it ended.
        policies: how many it has.
    """
    write_json(folder / FINISHED, {"updates": updates, "policies": policies})


def policies_of(plan: Plan, agent: TrainState, about: Mapping[str, Any]) -> list[Policy]:
    """Return each agent's policy.

    Args:
        plan: of the run.
        agent: host arrays with a leading axis of agents.
        about: what all policies say of what they were made from; each adds its own settings.
    """
    return [_policy(plan, agent, number, about) for number in range(len(plan.seeds))]


def write_last_and_best(
    plan: Plan,
    folder: Path,
    agent: TrainState,
    about: Mapping[str, Any],
    records: Sequence[Record],
) -> None:
    """Write the policy that leads at a checkpoint as :data:`LAST`, and as :data:`BEST` if it is.

    The leader is the agent whose training episodes since the checkpoint before made most on average. It
    explored in them, on bars that it is trained on: what it is worth only ``rltrader evaluate`` says.

    Args:
        plan: of the run.
        folder: of the run.
        agent: host arrays with a leading axis of agents.
        about: what policies say of what they were made from.
        records: since the checkpoint before.
    """
    ranked = rank(records)
    if not ranked:
        return
    first = ranked[0]
    chosen = {"agent": first.agent, "updates": about["updates"], "pnl_dollars": first.pnl_dollars}
    policy = _policy(plan, agent, first.agent, {**about, CHOSEN: chosen})
    save_policy(folder / LAST, policy)
    before = _pnl_of(folder / BEST, plan)
    if before is None or (first.pnl_dollars is not None and first.pnl_dollars > before):
        save_policy(folder / BEST, policy)


def _pnl_of(path: Path, plan: Plan) -> float | None:
    """Return by which mean PnL a policy was chosen; None where there is none, or no such file."""
    try:
        policy = load_policy(path, plan.settings.own, advised=plan.data.advice is not None)
        chosen_by = policy.about[CHOSEN]["pnl_dollars"]
    except (InputError, KeyError, TypeError):
        return None
    return None if chosen_by is None else float(chosen_by)


def _policy(plan: Plan, agent: TrainState, number: int, about: Mapping[str, Any]) -> Policy:
    """Return one agent's policy, with its own settings."""
    one = jax.tree.map(lambda x: x[number], agent)
    moments = one.actor.moments
    settings = {**plan.settings.to_dict(), **plan.agents[number], "seed": plan.seeds[number]}
    return Policy(
        spec=plan.settings.network,
        params=one.learner.params,
        statistics={"mean": moments.mean, "var": moments.var, "count": moments.count},
        config=plan.config,
        about={**about, "settings": settings},
        own=plan.settings.own,
        advice=None if plan.data.advice is None else plan.data.advice.use,
    )
