"""How far rounding alone can move the layers of a network that sees raw observations.

Normalised numbers are small, and fixed limits serve. Raw prices near 6,500 cancel in the first layer,
so what rounding leaves behind depends on the row. It is followed here layer by layer, as a running
error analysis does (Higham, Accuracy and Stability of Numerical Algorithms, section 3.3), with errors
of different units taken as independent of each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from jax_port.export.stages import Stages
from jax_port.ppo.policy import Policy

UNITS = {"float32": 2.0**-24, "float64": 2.0**-53}
"""Largest relative error of one rounding."""
ROUNDINGS = 8.0
"""Roundings of its absolute terms that a sum is allowed; in one of some hundred numbers most cancel."""

Bounds = dict[str, NDArray[np.float64]]


def rounding_of(policy: Policy, exact: Stages, kind: str) -> Bounds:
    """Return how far rounding may move each layer's output in each row: layer to (N,).

    Args:
        policy: whose network it is; one that normalises has fixed limits, and gets no bounds.
        exact: its stages in float64, from :func:`jax_port.export.stages.in_float64`.
        kind: "float32" or "float64", of the sums.
    """
    if policy.statistics is not None:
        return {}
    unit, bounds, layers = ROUNDINGS * UNITS[kind], {}, policy.params["params"]
    for names in policy.spec.mlps.values():
        seen = np.asarray(exact["clipped"], np.float64)
        error = np.zeros_like(seen)
        for name in names:
            kernel, bias = (
                np.abs(np.asarray(layers[name][part], np.float64)) for part in ("kernel", "bias")
            )
            error = np.sqrt(np.square(error) @ np.square(kernel))
            error = error + unit * (np.abs(seen) @ kernel + bias)
            bounds[name] = error.max(axis=1)
            seen, slope = _activated(exact[name], error, policy.spec.activation)
            error = slope * error + unit * np.abs(seen)
    return bounds


def _activated(
    output: NDArray[Any], error: NDArray[np.float64], activation: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return an output after its activation, and the steepest slope within the error: (N, units)."""
    wide = np.asarray(output, np.float64)
    if activation == "tanh":
        nearest = np.maximum(np.abs(wide) - error, 0.0)
        return np.tanh(wide), 1.0 - np.square(np.tanh(nearest))
    return np.maximum(wide, 0.0), (wide + error > 0).astype(np.float64)
