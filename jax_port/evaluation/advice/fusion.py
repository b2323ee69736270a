"""Fusion of a policy with advice at the action, pure and jitted.

Source: "Fusion" in ``docs/advice.md``. With a weight of 0, or without advice, the scores are those of
:func:`jax_port.ppo.networks.masked_log_probs` to the bit.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.ppo.networks import FORBIDDEN_LOGIT, mode
from markets.advice.fusion import FLOOR, RULES, Fused, FusionSettings, Situation


@struct.dataclass
class FusionParams:
    """Settings of a fusion on the device; see :class:`markets.advice.fusion.FusionSettings`.

    Attributes:
        rule: int32, its place in ``RULES``; not static, so that all rules are one program.
        weight, threshold, least_left: float32.
        most_losses, every, cooldown: int32.
        at_entries: bool.
        freshness: float32 (most_age + 1,).
    """

    weight: jax.Array
    threshold: jax.Array
    least_left: jax.Array
    most_losses: jax.Array
    every: jax.Array
    cooldown: jax.Array
    at_entries: jax.Array
    freshness: jax.Array
    rule: jax.Array


def fusion_params(settings: FusionSettings) -> FusionParams:
    """Put settings on the device."""
    return FusionParams(
        weight=jnp.float32(settings.weight),
        threshold=jnp.float32(settings.threshold),
        least_left=jnp.float32(settings.least_left),
        most_losses=jnp.int32(settings.most_losses),
        every=jnp.int32(settings.every),
        cooldown=jnp.int32(settings.cooldown),
        at_entries=jnp.bool_(settings.at_entries),
        freshness=jnp.asarray(settings.freshness()),
        rule=jnp.int32(RULES.index(settings.rule)),
    )


def log_chances(given: Situation, params: FusionParams) -> jax.Array:
    """Return log probabilities of one fused decision, float32 (A,).

    Args:
        given: logits (A,), masks (A,), advice (3,), and scalars.
        params: from :func:`fusion_params`.
    """
    number = jnp.arange(given.logits.shape[0])
    is_entry = (number == BUY) | (number == SELL)
    base = jax.nn.log_softmax(given.logits)
    asked = jnp.log(jnp.float32(1 - FLOOR) * given.advice + jnp.float32(FLOOR / 3))
    log_advice = jnp.where(is_entry, asked[jnp.minimum(number, SELL)], asked[HOLD])
    has_advice = given.fresh > 0
    unsure = _is(params, "gated") & ~(given.confidence >= params.threshold)
    strength = jnp.where(unsure | _is(params, "agreement"), jnp.float32(0), params.weight * given.fresh)
    shifted = jnp.where(strength > 0, base + strength * log_advice, base)
    scores = jnp.where(_is(params, "alone"), log_advice, shifted)

    wish = jnp.argmax(jnp.where(given.masks, log_advice, -jnp.inf))
    disagrees = has_advice & is_entry & (number != wish)
    risky = (given.losses >= params.most_losses) | (given.left < params.least_left)
    withheld = (
        (_is(params, "alone") & ~has_advice & (number != HOLD))
        | (_is(params, "agreement") & disagrees)
        | (_is(params, "veto") & risky & is_entry)
    )
    active = params.weight > 0
    allowed = given.masks & ~(active & withheld)
    scores = jnp.where(active, scores, base)
    return jax.nn.log_softmax(jnp.where(allowed, scores, jnp.float32(FORBIDDEN_LOGIT)))


def _is(params: FusionParams, rule: str) -> jax.Array:
    return params.rule == RULES.index(rule)


@jax.jit
def fuse(given: Situation, params: FusionParams) -> Fused:
    """Return probabilities, float32 (N, A), and actions, int32 (N,), of N fused decisions."""
    logs = jax.vmap(log_chances, in_axes=(0, None))(given, params)
    return Fused(jnp.exp(logs), mode(logs))


def fuse_on_host(given: Situation, settings: FusionSettings) -> Fused:
    """Return the same as NumPy arrays, from NumPy arrays."""
    device: dict[str, jax.Array] = {}
    for name, values in given._asdict().items():
        kind = {"masks": np.bool_, "losses": np.int32}.get(name, np.float32)
        device[name] = jnp.asarray(np.asarray(values, kind))
    return Fused(*(np.asarray(x) for x in fuse(Situation(**device), fusion_params(settings))))
