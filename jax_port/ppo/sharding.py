"""One program on one device or many: environments are split over a mesh, weights are on every device.

The compiler sums gradients over devices. The same numbers are drawn on any number of devices, so
results differ only by the order of floating-point sums.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jax_port.ppo.fast.scale_out import AXIS
from jax_port.ppo.minibatches import ONE_DEVICE, Layout
from jax_port.ppo.rollout import RolloutState
from jax_port.ppo.train_ppo_jax import TrainState
from markets import InputError


def make_mesh() -> Mesh:
    """Return all devices of all processes in one row."""
    return jax.make_mesh((jax.device_count(),), (AXIS,), axis_types=(AxisType.Auto,))


def check_split(mesh: Mesh, n_envs: int, order_groups: int = 1) -> None:
    """Refuse a number of environments, or of groups of them, that the devices can't share evenly.

    Raises:
        InputError: naming both numbers.
    """
    if n_envs % mesh.size:
        raise InputError(
            f"{n_envs} environments can't be split evenly over {mesh.size} devices; choose a multiple "
            f"of {mesh.size}"
        )
    if order_groups > 1 and order_groups % mesh.size:
        raise InputError(
            f"order_groups {order_groups} can't be split evenly over {mesh.size} devices; choose "
            f"--order-groups {mesh.size}, or a multiple of it"
        )


def make_layout(mesh: Mesh) -> Layout:
    """Return how minibatches and buffers lie on a mesh."""
    if mesh.size == 1:
        return ONE_DEVICE
    whole = NamedSharding(mesh, PartitionSpec())

    def split(x: jax.Array) -> jax.Array:
        if x.shape[0] % mesh.size:  # the partial last minibatch: every device makes all of it
            return jax.lax.with_sharding_constraint(x, whole)
        return jax.lax.with_sharding_constraint(x, NamedSharding(mesh, PartitionSpec(AXIS)))

    return Layout(lambda x: jax.lax.with_sharding_constraint(x, whole), split, mesh)


def agent_shardings(mesh: Mesh, agent: TrainState) -> TrainState:
    """Return the place of every leaf of agents (A, ...): environments split, the rest everywhere."""
    whole = NamedSharding(mesh, PartitionSpec())
    by_env = NamedSharding(mesh, PartitionSpec(None, AXIS))

    def all_of(tree: Any, place: NamedSharding) -> Any:
        return jax.tree.map(lambda _: place, tree)

    actor: RolloutState = all_of(agent.actor, by_env)
    moments = all_of(agent.actor.moments, whole)
    rewards = replace(actor.rewards, moments=all_of(agent.actor.rewards.moments, whole))
    return TrainState(
        learner=all_of(agent.learner, whole),
        actor=replace(actor, moments=moments, rewards=rewards),
        key=all_of(agent.key, whole),
        updates=all_of(agent.updates, whole),
    )


def spread(tree: Any, places: Any) -> Any:
    """Return a tree of host values, the same in every process, as device arrays at their places."""

    def one(value: Any, place: NamedSharding) -> jax.Array:
        host = np.asarray(value)
        return jax.make_array_from_callback(host.shape, place, lambda index: host[index])

    with jax.enable_x64(True):  # else float64 statistics would be cut to float32
        return jax.tree.map(one, tree, places)


def everywhere(mesh: Mesh, tree: Any) -> Any:
    """Return a tree of host values with a copy on every device."""
    whole = NamedSharding(mesh, PartitionSpec())
    return spread(tree, jax.tree.map(lambda _: whole, tree))


def to_host(mesh: Mesh, tree: Any) -> Any:
    """Return a tree of device arrays as NumPy arrays, whole in every process."""
    whole = NamedSharding(mesh, PartitionSpec())
    gathered = jax.jit(lambda x: x, out_shardings=whole)(tree)
    return jax.tree.map(lambda x: jax.device_get(x.addressable_data(0)), gathered)
