"""Faults of the learner that only a long run, or layers with rates of their own, show."""

from __future__ import annotations

from parity.mutants.catalog.update import ADAM, PPO
from parity.mutants.mutant import Mutant

_CORRECTED = "learner 8. both moments bias-corrected, counted over all updates"
_RATES = "learner 8. A layer's own rate is a factor on the learning rate"

LONG_RUNS = (
    Mutant(
        "adam-correction-stops",
        ADAM,
        "count.astype(jnp.float32) * math.log(beta)",
        "jnp.minimum(count, 100).astype(jnp.float32) * math.log(beta)",
        _CORRECTED,
    ),
    Mutant(
        "adam-count-of-16-bits",
        ADAM,
        "count.astype(jnp.float32) * math.log(beta)",
        "count.astype(jnp.int16).astype(jnp.float32) * math.log(beta)",
        _CORRECTED,
    ),
    Mutant(
        "layer-rates-ignored",
        PPO,
        "factors = layer_lr.factors(state.params, rates) if rates else None",
        "factors = None",
        _RATES,
    ),
    Mutant(
        "frozen-layers-in-the-norm",
        PPO,
        "grads = layer_lr.without_frozen(grads, rates) if rates else grads",
        "grads = grads",
        _RATES,
    ),
)
