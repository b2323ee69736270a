"""From Phase 1 to Phase 2: a trained policy goes on with three more flags to see and actions to take.

Phase 2 appends its flags to the observation and its actions to Phase 1's, so old weights keep their
places. Where only hold, buy and sell are allowed, probabilities and values are exactly Phase 1's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_port.envs.env_phase1_jax import HOLD
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams
from jax_port.ppo.policy import Policy
from jax_port.ppo.running_statistics import update_moments
from jax_port.ppo.settings import NetworkSpec
from jax_port.ppo.train_ppo_jax import TrainState
from jax_port.ppo.update import init_learner_state
from markets import EnvConfig, InputError

SHY = 3.0
"""How far a new action's logit begins below that of hold: about one in twenty of its probability."""

Arrays = NDArray[np.float32]


def extend(policy: Policy, config: EnvConfig) -> Policy:
    """Return a Phase 1 policy as one of Phase 2.

    First layers get a row of zeros for each new feature, so that flags change nothing at first. A
    new action's logit is hold's less :data:`SHY`. New features start with mean 0 and variance 1.

    Args:
        policy: of Phase 1.
        config: of Phase 2, with the same window.

    Raises:
        InputError: the policy is not of Phase 1, the configuration not of Phase 2, or windows differ.
    """
    if policy.own is not None:
        raise InputError(
            f"network {policy.own.name} cannot be extended from phase 1 to phase 2; train it in phase 2"
        )
    old, new = phase_of(policy.config), phase_of(config)
    if (old.number, new.number) != (1, 2):
        raise InputError(
            f"a policy of phase {old.number} can't begin a run of phase {new.number} by transfer; give "
            "one of phase 1 to a run of phase 2"
        )
    _require_window(policy, config)
    features = new.position_features - old.position_features
    layers = {name: dict(kinds) for name, kinds in policy.params["params"].items()}
    for name in ("policy_0", "value_0"):
        layers[name]["kernel"] = _with_rows(layers[name]["kernel"], features)
    layers["action_head"] = _with_actions(layers["action_head"], new.num_actions)
    statistics = policy.statistics and {
        "mean": np.append(policy.statistics["mean"], np.zeros(features)),
        "var": np.append(policy.statistics["var"], np.ones(features)),
        "count": policy.statistics["count"],
    }
    return replace(policy, params={"params": layers}, statistics=statistics, config=config)


def _with_rows(kernel: Any, count: int) -> Arrays:
    wide = np.asarray(kernel, np.float32)
    return np.concatenate([wide, np.zeros((count, wide.shape[1]), np.float32)])


def _with_actions(head: Mapping[str, Any], count: int) -> dict[str, Arrays]:
    kernel, bias = (np.asarray(head[kind], np.float32) for kind in ("kernel", "bias"))
    more = count - kernel.shape[1]
    shy = np.full(more, bias[HOLD] - np.float32(SHY), np.float32)
    columns = np.repeat(kernel[:, HOLD : HOLD + 1], more, axis=1)
    return {"kernel": np.concatenate([kernel, columns], axis=1), "bias": np.concatenate([bias, shy])}


def begin_with(agent: TrainState, policy: Policy, params: EnvParams) -> TrainState:
    """Return fresh agents (A, ...) with a policy's weights and statistics; all else stays fresh.

    First observations enter the statistics, as they do where VecNormalize is loaded and reset.

    Args:
        agent: from :func:`jax_port.ppo.train_ppo_jax.init_agents`.
        policy: of the environment's phase.
        params: of the environment.
    """
    phase = phase_of(params)

    def one(agent: TrainState) -> TrainState:
        weights = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), policy.params)
        obs = jax.vmap(phase.observe, in_axes=(0, None))(agent.actor.env_state, params)
        moments = update_moments(policy.moments, obs)
        return replace(
            agent,
            learner=init_learner_state(weights),
            actor=replace(agent.actor, moments=moments),
        )

    return jax.vmap(one)(agent)


def check_fits(policy: Policy, network: NetworkSpec, config: EnvConfig) -> None:
    """Refuse a policy that sees raw observations or another window, and weights of another shape.

    The user's own network was held to its own shapes when its file was read.

    Args:
        policy: to begin with.
        network: the run's.
        config: the run's rules, of either phase.

    Raises:
        InputError: naming both.
    """
    if policy.statistics is None:
        raise InputError(
            "the policy sees raw observations (it was trained without a VecNormalize, or with "
            "norm_obs=False), and training here always normalises them; go on with it in "
            "sb3-contrib, or give a policy that was trained behind a VecNormalize"
        )
    _require_window(policy, config)
    if policy.own is not None:
        return
    if policy.spec != network:
        raise InputError(
            f"the policy's network is pi {policy.spec.pi}, vf {policy.spec.vf}, "
            f"{policy.spec.activation}, and the run's pi {network.pi}, vf {network.vf}, "
            f"{network.activation}; give the run the policy's with --pi, --vf and --activation"
        )


def _require_window(policy: Policy, config: EnvConfig) -> None:
    """Refuse a policy of another window: beside the phase, it alone sets how much a network sees."""
    if policy.config.window_size != config.window_size:
        raise InputError(
            f"the policy sees {policy.config.window_size} bars and the run {config.window_size}; use "
            f"--set window_size={policy.config.window_size}"
        )
