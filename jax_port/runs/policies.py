"""What a run ends in: each agent's policy, with what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from foundation.files import write_json
from jax_port.ppo.policy import Policy, save_policy
from jax_port.ppo.train_ppo_jax import TrainState

if TYPE_CHECKING:
    from jax_port.runs.run import Plan

FINISHED = "finished.json"


def write_policies(plan: Plan, folder: Path, agent: TrainState, about: Mapping[str, Any]) -> None:
    """Write each agent's policy, then ``finished.json``.

    Args:
        plan: of the run.
        folder: of the run.
        agent: host arrays with a leading axis of agents.
        about: what all policies say of what they were made from; each adds its own settings.
    """
    for number, seed in enumerate(plan.seeds):
        one = jax.tree.map(lambda x: x[number], agent)  # noqa: B023
        moments = one.actor.moments
        own = {**plan.settings.to_dict(), **plan.agents[number], "seed": seed}
        policy = Policy(
            spec=plan.settings.network,
            params=one.learner.params,
            statistics={"mean": moments.mean, "var": moments.var, "count": moments.count},
            config=plan.config,
            about={**about, "settings": own},
            advice=None if plan.data.advice is None else plan.data.advice.use,
        )
        save_policy(folder / f"policy-{number}.safetensors", policy)
    write_json(folder / FINISHED, {"updates": about["updates"], "policies": len(plan.seeds)})
