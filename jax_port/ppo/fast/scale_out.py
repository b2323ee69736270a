"""Training on several devices, each with its own environments and its own share of the rollout.

Nothing of a transition leaves its device: every device orders its own, takes an equal share of each
minibatch, and sums over all devices are taken of gradients, terms of the loss, and advantages alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
from jax.sharding import Mesh, PartitionSpec

AXIS = "env"
"""Of a mesh: environments are split along it."""

Tree = TypeVar("Tree")
Function = TypeVar("Function", bound=Callable[..., Any])

EVERYWHERE = PartitionSpec()
BY_ENVIRONMENT = PartitionSpec(None, AXIS)
"""Of arrays (T, N, ...), and of each group's orders (E, G, M / G): groups are of environments."""


def devices_of(axis: str | None) -> int:
    """Return how many devices lie along an axis; 1 for no axis."""
    return 1 if axis is None else jax.lax.axis_size(axis)


def sum_over(tree: Tree, axis: str | None) -> Tree:
    """Return the sums of all devices' arrays along an axis; the arrays themselves for no axis."""
    summed: Tree = tree if axis is None else jax.lax.psum(tree, axis)
    return summed


def mean_over(tree: Tree, axis: str | None) -> Tree:
    """Return the means of all devices' arrays along an axis; the arrays themselves for no axis."""
    mean: Tree = tree if axis is None else jax.lax.pmean(tree, axis)
    return mean


def on_each_device(function: Function, mesh: Mesh | None, given: Any, returned: Any) -> Function:
    """Return a function that every device runs on its own part of the arguments.

    Args:
        function: of arrays; may sum over :data:`AXIS`.
        mesh: the devices; None gives the function as it is.
        given, returned: how each argument, and the result, are divided: :data:`EVERYWHERE` or
            :data:`BY_ENVIRONMENT`, or trees of them.
    """
    if mesh is None:
        return function
    # Sums over devices are written out, none is left to the types: check_vma would add its own to
    # gradients, inside loops that turn more often on one device than on another.
    each: Any = jax.shard_map(function, mesh=mesh, in_specs=given, out_specs=returned, check_vma=False)
    return each
