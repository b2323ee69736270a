"""Drive the port's learner, in the very program that the trainer compiles, and write down what it did.

An update becomes a flat table of arrays under the names that the reference's updates have too, and
so does everything that was drawn on the way: actions, starts of episodes, orders of minibatches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jax_port.data.advised_market import with_advice
from jax_port.data.data_loader import prepare, stack
from jax_port.envs.form import Form, default_form
from jax_port.envs.registry import phase_of
from jax_port.envs.state import EnvParams, EnvState
from jax_port.export.layers import sb3_layer
from jax_port.ppo.fast.program import network_of
from jax_port.ppo.metrics import Metrics
from jax_port.ppo.networks import masked_log_probs
from jax_port.ppo.observations import reconstruct_obs
from jax_port.ppo.prior import prior_at
from jax_port.ppo.rollout import Rollout
from jax_port.ppo.running_statistics import RunningMoments, update_moments
from jax_port.ppo.settings import RATES, HyperParams, TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import (
    PRECISION,
    Trace,
    TrainState,
    annealed,
    init_agent,
    make_train,
    traced_update,
)
from jax_port.ppo.update import init_learner_state
from parity.engine.compare import Array
from parity.engine.pair import Fields
from parity.learner.advice import drawn_advice
from parity.learner.cases import LearnerCase
from parity.learner.late import Late, LateState, late_state
from parity.pairs.port_lines import port_at_work


class Draws(NamedTuple):
    """What the port drew in K updates; no other library would draw the same, so the reference is told.

    Attributes:
        actions: int64 (K, T, N).
        starts: int64 (K T + 1, N); where an episode begins, the bar; elsewhere -1. The last row is
            after the last step.
        orders: int64 (K, E, M), of transitions, one for each epoch.
    """

    actions: Array
    starts: Array
    orders: Array


@dataclass(frozen=True)
class PortRun:
    """What the port did: a table for each update, and what it drew."""

    updates: Sequence[Fields]
    draws: Draws


def to_torch(params: Mapping[str, Any]) -> Fields:
    """Return the port's weights, gradients or moments under torch's names: kernels are transposed."""
    fields: Fields = {}
    for ours, kinds in params["params"].items():
        fields[f"{sb3_layer(ours)}.weight"] = np.swapaxes(np.asarray(kinds["kernel"]), -1, -2)
        fields[f"{sb3_layer(ours)}.bias"] = np.asarray(kinds["bias"])
    return fields


def to_flax(weights: Mapping[str, Array], settings: TrainSettings) -> dict[str, Any]:
    """Return torch's weights as the port's, for the network of these settings."""
    return {
        "params": {
            ours: {
                "kernel": jax.device_put(weights[f"{sb3_layer(ours)}.weight"].T),
                "bias": jax.device_put(weights[f"{sb3_layer(ours)}.bias"]),
            }
            for ours in settings.network.layers
        }
    }


def make_params(case: LearnerCase) -> EnvParams:
    """Return the port's environment of a case."""
    market = prepare(case.bars, case.config)
    if case.advice:
        market = with_advice(market, *drawn_advice(case.bars.session(case.config.session), case.advice))
    return phase_of(case.config).make_params(stack([market]), case.config)


def hyper_of(settings: TrainSettings) -> HyperParams:
    """Return the numbers that are arguments of the compiled program."""
    return hyper_params(**{name: getattr(settings, name) for name in RATES})


def hyper_at(case: LearnerCase, number: int) -> HyperParams:
    """Return the numbers of one of a case's updates, counted from 0, as annealing has them."""
    done = number + (case.late.updates if case.late else 0)
    return annealed(hyper_of(case.settings), jnp.int32(done), case.settings)


def program_settings(settings: TrainSettings) -> TrainSettings:
    """Return what a program is compiled for: settings without what it takes as an argument."""
    plain = TrainSettings()
    return settings.override(**{name: getattr(plain, name) for name in (*RATES, "seed")})


@cache
def traced_program(settings: TrainSettings, form: Form = "cpu") -> Any:
    """Return :func:`jax_port.ppo.train_ppo_jax.traced_update`, compiled, in a form of the program."""

    def run(
        agent: TrainState, hyper: HyperParams, params: EnvParams
    ) -> tuple[TrainState, Metrics, Trace]:
        with jax.default_matmul_precision(PRECISION[settings.precision]):
            return traced_update(agent, hyper, params, settings, form=form)

    # Compiling is nearly all of the time. The form that the trainer compiles is compared by itself.
    return jax.jit(run, compiler_options=quick_compiler())


@cache
def quick_compiler() -> dict[str, bool | int] | None:
    """Return options with which XLA soon has a program for the CPU, as far as it knows them."""
    if jax.default_backend() != "cpu":
        return None
    plain: dict[str, bool | int] = {"xla_backend_optimization_level": 0}
    for options in ({**plain, "xla_cpu_use_fusion_emitters": False}, plain):
        try:
            jax.jit(jnp.negative, compiler_options=options).lower(0.0).compile()
        except jax.errors.JaxRuntimeError:
            continue
        return options
    return None


def fresh_agent(case: LearnerCase, weights: Mapping[str, Array], params: EnvParams) -> TrainState:
    """Return the agent that a run begins with, but for its weights."""
    program = _fresh_program(program_settings(case.settings))
    seed, own = jnp.int32(case.settings.seed), to_flax(weights, case.settings)
    fresh: TrainState = program(seed, params, own)
    return fresh if case.late is None else _begun_late(case, case.late, weights, fresh, params)


def _begun_late(
    case: LearnerCase, late: Late, weights: Mapping[str, Array], agent: TrainState, params: EnvParams
) -> TrainState:
    """Return an agent as it would be late in a run; its environments are fresh."""
    state = state_of_late(case, late, weights, params)
    adam = replace_state(
        agent.learner.opt_state,
        count=jnp.int32(late.adam_steps),
        mu=to_flax(state.first, case.settings),
        nu=to_flax(state.second, case.settings),
    )
    with jax.enable_x64(True):
        count = jnp.float64(state.seen)
        given = RunningMoments(jax.device_put(state.obs_mean), jax.device_put(state.obs_var), count)
        returns = RunningMoments(jnp.float64(state.return_mean), jnp.float64(state.return_var), count)
    rewards = replace(agent.actor.rewards, moments=returns)
    return replace(
        agent,
        learner=agent.learner._replace(opt_state=adam),
        actor=replace(
            agent.actor, moments=_with_first_obs(given, agent.actor.env_state, params), rewards=rewards
        ),
        updates=jnp.int32(late.updates),
    )


@jax.jit
def _with_first_obs(moments: RunningMoments, states: EnvState, params: EnvParams) -> RunningMoments:
    """Return moments that have also seen what N environments show, each in its state."""
    obs = jax.vmap(phase_of(params).observe, in_axes=(0, None))(states, params)
    return update_moments(moments, obs)


def state_of_late(
    case: LearnerCase, late: Late, weights: Mapping[str, Array], params: EnvParams
) -> LateState:
    """Return the state with which both sides of a case begin late."""
    features, window = np.asarray(params.market.features), case.config.window_size
    rollout, rates = case.settings.rollout_size, case.settings.layer_lr
    frozen = tuple(sb3_layer(name) for name, rate in rates if rate == 0)
    return late_state(late, weights, features, window, params.obs_size, rollout, frozen)


def replace_state(state: optax.ScaleByAdamState, **values: Any) -> optax.ScaleByAdamState:
    """Return Adam's state with other values."""
    changed: optax.ScaleByAdamState = state._replace(**values)
    return changed


@cache
def _fresh_program(settings: TrainSettings) -> Any:
    """Return what makes a fresh agent of (seed, parameters, weights), compiled."""

    def fresh(seed: jax.Array, params: EnvParams, weights: Any) -> TrainState:
        # Weights that init_agent draws are not returned, so they are not even compiled.
        return replace(init_agent(seed, params, settings), learner=init_learner_state(weights))

    return jax.jit(fresh, compiler_options=quick_compiler())


def run_port(
    case: LearnerCase, weights: Mapping[str, Array], params: EnvParams, form: Form = "cpu"
) -> PortRun:
    """Make a case's updates, one call each, from given weights.

    Args:
        case: what to do.
        weights: by torch's names.
        params: from :func:`make_params`.
        form: of the program.
    """
    program = traced_program(program_settings(case.settings), form)
    hyper = hyper_of(case.settings)
    with port_at_work():
        agent = fresh_agent(case, weights, params)
        program.trace(agent, hyper, params)
    updates, traces = [], []
    for number in range(case.updates):
        before = agent.learner.params
        agent, metrics, trace = program(agent, hyper, params)
        traces.append(trace)
        table = _table(case, number, agent, metrics, trace, params)
        updates.append({**table, "probabilities": _probabilities(case, before, table)})
    started = np.concatenate(
        [np.where(t.rollout.episode_starts, t.rollout.step_idx, -1) for t in traces]
        + [np.where(agent.actor.episode_start, agent.actor.env_state.step_idx, -1)[None]]
    )
    draws = Draws(
        actions=np.stack([t.rollout.actions for t in traces]).astype(np.int64),
        starts=started.astype(np.int64),
        orders=np.stack([t.orders for t in traces]).astype(np.int64),
    )
    return PortRun(updates, draws)


def run_trainer(
    cases: Sequence[LearnerCase],
    weights: Sequence[Mapping[str, Array]],
    params: EnvParams,
    form: Form = "cpu",
) -> list[Fields]:
    """Make all updates of several agents in one call of the trainer's program; return where they end.

    Args:
        cases: they differ in numbers alone.
        weights: of each case.
        params: of all of them.
        form: of the program.
    """
    first = cases[0]
    agents = [fresh_agent(case, own, params) for case, own in zip(cases, weights, strict=True)]
    with jax.enable_x64(True):  # the statistics are float64 and stay so
        agent = jax.tree.map(lambda *leaves: jnp.stack(leaves), *agents)
    hyper = jax.tree.map(lambda *x: jnp.stack(x), *[hyper_of(case.settings) for case in cases])
    with port_at_work():
        train: Any = make_train(program_settings(first.settings), first.updates, len(cases), form=form)
        traced = train.trace(agent, hyper, params)
    # Its device's form is compiled as a trainer compiles it; another is run by no trainer here.
    options = None if form == default_form() else quick_compiler()
    agent, _ = traced.lower().compile(compiler_options=options)(agent, hyper, params)
    host = jax.tree.map(np.asarray, agent)
    return [_state(jax.tree.map(lambda x, n=n: x[n], host)) for n in range(len(cases))]


def _table(
    case: LearnerCase, number: int, agent: TrainState, metrics: Metrics, trace: Trace, params: EnvParams
) -> Fields:
    """Return one update as a table."""
    rollout, records = trace.rollout, trace.records
    applied = np.asarray(records.applied).reshape(-1)
    taken = int(applied.sum())
    seen = np.arange(applied.size) <= taken  # MaskablePPO counts the step that stopped it, too
    flat = {name: np.asarray(x).reshape(-1)[seen] for name, x in records.terms._asdict().items()}
    per_epoch = records.applied.shape[1]
    last_epoch = (flat["loss"].size - 1) // per_epoch * per_epoch
    gradients = to_torch(jax.tree.map(_rows, records.gradients))
    hyper = hyper_at(case, number)
    reasons = np.asarray(metrics.ends.reasons)
    prior = _prior(rollout, params)
    return {
        **({} if prior is None else {"prior": np.asarray(prior)}),
        "obs": np.asarray(_observations(rollout, params)),
        **{
            name: np.asarray(getattr(rollout, name))
            for name in ("masks", "actions", "log_probs", "values", "rewards", "episode_starts")
        },
        "last_values": np.asarray(trace.last_values),
        "advantages": np.asarray(trace.advantages),
        "returns": np.asarray(trace.returns),
        "terminations": reasons[1] + reasons[2],
        "truncations": reasons[3] + reasons[4],
        "gradient steps": np.asarray(taken),
        "orders": np.asarray(trace.orders),
        "learning rate": np.asarray(metrics.learning_rate),
        "clip range": np.asarray(hyper.clip_range),
        "policy loss": flat["policy_loss"].mean(),
        "value loss": flat["value_loss"].mean(),
        "entropy loss": flat["entropy_loss"].mean(),
        "clip fraction": flat["clip_fraction"].mean(),
        "approximate KL": flat["approx_kl"][last_epoch:].mean(),
        "last loss": flat["loss"][-1],
        "explained variance": np.asarray(metrics.explained_variance),
        **{f"gradients/{name}": value[:taken] for name, value in gradients.items()},
        **_state(agent),
    }


def _rows(x: jax.Array) -> Array:
    """Return (E, B, ...) as (E B, ...)."""
    return np.asarray(x).reshape(-1, *x.shape[2:])


@jax.jit
def _observations(rollout: Rollout, params: EnvParams) -> jax.Array:
    """Return what the policy saw, float32 (T, N, D)."""
    return jax.vmap(reconstruct_obs, in_axes=(0, 0, 0, None))(
        rollout.step_idx, rollout.position, rollout.scales, params
    )


def _prior(rollout: Rollout, params: EnvParams) -> jax.Array | None:
    """Return what advice added to the logits, float32 (T, N, A); None without."""
    actions = rollout.masks.shape[-1]
    return jax.vmap(prior_at, in_axes=(0, None, None))(rollout.step_idx, actions, params)


def part_of(table: Fields, part: str) -> dict[str, Array]:
    """Return the tensors of one part of an update's table, such as "weights", by torch's names."""
    prefix = f"{part}/"
    return {key.removeprefix(prefix): x for key, x in table.items() if key.startswith(prefix)}


def _probabilities(case: LearnerCase, weights: Any, table: Fields) -> Array:
    """Return every action's probability at every step, float32 (T, N, A)."""
    program = _log_probs_program(program_settings(case.settings), phase_of(case.config).num_actions)
    return np.exp(np.asarray(program(weights, table["obs"], table["masks"])))


@cache
def _log_probs_program(settings: TrainSettings, actions: int) -> Any:
    """Return the logarithms of all actions' probabilities of (weights, obs, masks), compiled."""
    network = network_of(settings, actions)

    def log_probs(weights: Any, obs: jax.Array, masks: jax.Array) -> jax.Array:
        return masked_log_probs(network.policy(weights, obs), masks)

    return jax.jit(log_probs, compiler_options=quick_compiler())


def _state(agent: TrainState) -> Fields:
    """Return what an update leaves behind: weights, moments, statistics."""
    moments, rewards = agent.actor.moments, agent.actor.rewards
    adam = agent.learner.opt_state
    parts = {
        "weights": to_torch(agent.learner.params),
        "first moments": to_torch(adam.mu),
        "second moments": to_torch(adam.nu),
    }
    return {
        "adam steps": np.asarray(adam.count),
        "obs mean": np.asarray(moments.mean),
        "obs var": np.asarray(moments.var),
        "obs count": np.asarray(moments.count),
        "return var": np.asarray(rewards.moments.var),
        "return count": np.asarray(rewards.moments.count),
        "running returns": np.asarray(rewards.returns),
        **{f"{part}/{name}": value for part, table in parts.items() for name, value in table.items()},
    }
