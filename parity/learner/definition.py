"""Hold the trainer's gradients, in each form of its program, to ``jax.grad`` of the loss's definition.

The reference's gradients say that the loss is right; these say that the loss which one reads,
:func:`jax_port.ppo.losses.ppo_loss`, is the one that is trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jax_port.envs.registry import phase_of
from jax_port.ppo.losses import Batch, LossTerms, ppo_loss
from jax_port.ppo.optimizer.layer_lr import without_frozen
from jax_port.ppo.policy import functions_of, make_network
from jax_port.ppo.settings import HyperParams, NetworkSpec
from jax_port.ppo.train_ppo_jax import PRECISION
from parity.engine.compare import Array, Comparison
from parity.engine.measure import measure_table, of_error
from parity.engine.pair import Fields
from parity.engine.verify import CheckResult
from parity.learner.cases import LearnerCase
from parity.learner.port import PortRun, hyper_at, part_of, quick_compiler, to_flax, to_torch
from parity.pairs.port_lines import port_at_work

CHECK = "learner gradients"

LIMIT, SHARE = 2e-5, 0.01
"""Largest relative error of a tensor, some ten times what an honest port has, and the share of all
tensors' length that a tensor's counts as at least."""

GradientFn = Callable[[Any, Batch, HyperParams], tuple[Any, LossTerms]]


def check_definition(case: LearnerCase, weights: Mapping[str, Array], run: PortRun) -> CheckResult:
    """Compare the first minibatch of every update with the gradients of the loss as it is defined.

    Later minibatches of an update are of weights that no program returns.

    Args:
        case: what was done.
        weights: before, by torch's names.
        run: what the trainer's program did.
    """
    result = CheckResult(CHECK, case.name, 0)
    measure = of_error(0.0, LIMIT, 0)
    try:
        for number, table in enumerate(run.updates):
            if int(table["gradient steps"]):
                measure.merge(_compare(case, number, weights, table))
                result.compared += case.settings.batch_size
            weights = part_of(table, "weights")
        if not result.compared:
            result.error = "no update took a gradient step, so nothing is compared"
    except ValueError as error:
        result.error = str(error)
    result.measures = {"gradients": measure}
    return result


def _compare(case: LearnerCase, number: int, weights: Mapping[str, Array], table: Fields) -> Comparison:
    """Compare one update's first minibatch."""
    with port_at_work():
        hyper = hyper_at(case, number)
        gradients = _gradients(case.settings.network, phase_of(case.config).num_actions)
        with jax.default_matmul_precision(PRECISION[case.settings.precision]):
            defined, _ = gradients(to_flax(weights, case.settings), first_minibatch(case, table), hyper)
        defined = without_frozen(defined, case.settings.layer_lr)  # as torch has no gradient for them
    recorded = {name: value[0] for name, value in part_of(table, "gradients").items()}
    return measure_table(to_torch(defined), recorded, LIMIT, SHARE, f"update {number + 1}, ")


def first_minibatch(case: LearnerCase, table: Fields) -> Batch:
    """Return the first minibatch of an update, B transitions numbered environment by environment."""
    numbers = table["orders"][0, : case.settings.batch_size]

    def some(name: str) -> jax.Array:
        value = table[name]
        flat = np.swapaxes(value, 0, 1).reshape(-1, *value.shape[2:])
        return jax.device_put(flat[numbers])

    return Batch(
        obs=some("obs"),
        actions=some("actions").astype(jnp.int32),
        masks=some("masks"),
        log_probs=some("log_probs"),
        values=some("values"),
        advantages=some("advantages"),
        returns=some("returns"),
        prior=some("prior") if "prior" in table else None,
    )


@cache
def _gradients(spec: NetworkSpec, num_actions: int) -> GradientFn:
    """Return the compiled gradients of the loss, for flax's own network of a structure."""
    network = functions_of(make_network(spec, num_actions=num_actions))

    def gradients(params: Any, batch: Batch, hyper: HyperParams) -> tuple[Any, LossTerms]:
        return jax.grad(ppo_loss, has_aux=True)(params, network, batch, hyper)

    compiled: GradientFn = jax.jit(gradients, compiler_options=quick_compiler())
    return compiled
