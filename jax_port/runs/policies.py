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
    from jax_port.runs.plan import Plan

FINISHED = "finished.json"


def write_policies(plan: Plan, folder: Path, agent: TrainState, about: Mapping[str, Any]) -> None:
    """Write each agent's policy, then ``finished.json``; the arguments are :func:`policies_of`'s."""
    policies = policies_of(plan, agent, about)
    for number, policy in enumerate(policies):
        save_policy(folder / f"policy-{number}.safetensors", policy)
    write_json(folder / FINISHED, {"updates": about["updates"], "policies": len(policies)})


def policies_of(plan: Plan, agent: TrainState, about: Mapping[str, Any]) -> list[Policy]:
    """Return each agent's policy.

    Args:
        plan: of the run.
        agent: host arrays with a leading axis of agents.
        about: what all policies say of what they were made from; each adds its own settings.
    """
    policies = []
    for number, seed in enumerate(plan.seeds):
        one = jax.tree.map(lambda x: x[number], agent)  # noqa: B023
        moments = one.actor.moments
        own = {**plan.settings.to_dict(), **plan.agents[number], "seed": seed}
        policies.append(
            Policy(
                spec=plan.settings.network,
                params=one.learner.params,
                statistics={"mean": moments.mean, "var": moments.var, "count": moments.count},
                config=plan.config,
                about={**about, "settings": own},
                own=plan.settings.own,
            )
        )
    return policies
