"""How far rounding alone can move the outputs of a policy's layers, row by row.

What rounding leaves behind depends on the size of the numbers that are added up: raw prices near 6,500
cancel in the first layer, and logits 200 apart are sums of large terms. It is followed here layer by
layer, as a running error analysis does (Higham, Accuracy and Stability of Numerical Algorithms, section
3.3), with errors of different units taken as independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from jax_port.ppo.policy import Policy

Kind = Literal["float32", "float64"]
UNITS: dict[Kind, float] = {"float32": 2.0**-24, "float64": 2.0**-53}
"""Largest relative error of one rounding."""
ROUNDINGS = 8.0
"""Roundings of its absolute terms that a sum is allowed; in one of some hundred numbers most cancel."""

MOST_EXPONENT = 50.0
"""Beyond it a probability may be anything, and an exponential would leave the numbers."""

Bounds = dict[str, NDArray[np.float64]]


def layer_rounding(policy: Policy, seen: NDArray[Any], kind: Kind) -> Bounds:
    """Return how far rounding may move each layer's output in each row: layer to (N,).

    A layer y = x W + b moves by at most sqrt(e^2 W^2) + 8 u (|x| |W| + |b|), where e is how far x may
    have moved, squares are taken number by number, and u is 2^-24 in float32 and 2^-53 in float64.

    Args:
        policy: whose network it is.
        seen: what the network sees, (N, D), after normalising.
        kind: "float32" or "float64", of the sums.
    """
    return layer_roundings(policy, seen, (kind,))[kind]


def layer_roundings(
    policy: Policy, seen: NDArray[Any], kinds: Sequence[Kind] = tuple(UNITS)
) -> dict[Kind, Bounds]:
    """Return :func:`layer_rounding` of several kinds, whose sums are made once."""
    layers = policy.params["params"]
    bounds: dict[Kind, Bounds] = {kind: {} for kind in kinds}
    for names in policy.spec.mlps.values():
        x = np.asarray(seen, np.float64)
        errors: dict[Kind, NDArray[np.float64]] = {}  # what the first layer sees is exact
        for name in names:
            kernel, bias = (np.asarray(layers[name][part], np.float64) for part in ("kernel", "bias"))
            terms = np.abs(x) @ np.abs(kernel) + np.abs(bias)
            output = x @ kernel + bias
            for kind in kinds:
                unit = ROUNDINGS * UNITS[kind]
                error = unit * terms
                if (before := errors.get(kind)) is not None:
                    error = np.sqrt(np.square(before) @ np.square(kernel)) + error
                bounds[kind][name] = error.max(axis=1)
                x, slope = _activated(output, error, policy.spec.activation)
                errors[kind] = slope * error + unit * np.abs(x)
    return bounds


def probability_limit(
    probabilities: NDArray[Any], logits: NDArray[Any], rounding: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far masked probabilities of two float32 networks may differ by rounding alone: (N, A).

    With d = 2 r + 16 u max|l| for a row, where r is how far rounding may move each of its logits
    (:func:`layer_rounding`; both networks round, hence twice) and the second term is for the two
    log-softmaxes of numbers as large as the largest logit l (u is 2^-24), every logit less its row's
    log-sum moves by at most 2 d. A probability p so moves by at most p (exp(2 d) - 1), and 1e-6 beside
    for what exp itself rounds.

    Args:
        probabilities: of one of the networks, (N, A).
        logits: before masking, (N, A).
        rounding: r, (N,).
    """
    largest = np.abs(np.asarray(logits, np.float64)).max(axis=1)
    apart = 2 * rounding + 2 * ROUNDINGS * UNITS["float32"] * largest
    wide = np.asarray(probabilities, np.float64)
    grown = np.expm1(np.minimum(2 * apart, MOST_EXPONENT))
    return np.minimum(wide * grown[:, None], 1.0) + 1e-6


def _activated(
    output: NDArray[Any], error: NDArray[np.float64], activation: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an output after its activation, and the steepest slope within the error: (N, units)."""
    wide = np.asarray(output, np.float64)
    if activation == "tanh":
        nearest = np.maximum(np.abs(wide) - error, 0.0)
        return np.tanh(wide), 1.0 - np.square(np.tanh(nearest))
    return np.maximum(wide, 0.0), (wide + error > 0).astype(np.float64)
