"""Compile a JAX function for a GPU that this machine does not have.

XLA's CUDA plugin compiles for a described card: what comes back is the scheduled HLO text after fusion,
the list of kernels that such a card would run. Needs ``jax[cuda12]`` or ``jax[cuda13]``; no driver.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import jax
from jax.experimental import topologies

from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import OwnKernels
from benchmarks.gpu_program.own_kernels import own_kernels
from foundation.errors import InputError

MISSING = (
    "no CUDA compiler: JAX's CUDA plugin is not installed; install 'jax[cuda12]' in a virtual "
    "environment of its own, or run `nox -s gpu_program`"
)
NARROW = {"float64": "float32", "int64": "int32", "uint64": "uint32"}


@dataclass(frozen=True)
class Compiled:
    """A function compiled for a card.

    Attributes:
        text: scheduled HLO, after fusion.
        seconds: that compiling took.
        temporary_bytes: device memory beside arguments and results.
        argument_bytes, output_bytes: of arguments and results.
        own_kernels: operations of Pallas kernels by name, see
            :mod:`benchmarks.gpu_program.own_kernels`.
    """

    text: str
    seconds: float
    temporary_bytes: int
    argument_bytes: int
    output_bytes: int
    own_kernels: OwnKernels


def has_compiler() -> bool:
    """Return whether JAX's CUDA plugin is installed: a compiler, with or without a card."""
    names = (f"jax_plugins.xla_cuda{version}" for version in (12, 13))
    return find_spec("jax_plugins") is not None and any(find_spec(name) for name in names)


def device_of(card: Card, devices: int = 1) -> Any:
    """Return the first device of a described machine with so many of a card.

    Raises:
        InputError: the CUDA plugin is not installed.
    """
    return topology_of(card, devices).devices[0]


def topology_of(card: Card, devices: int = 1, hosts: int = 1) -> Any:
    """Return the description of ``hosts`` machines with ``devices`` of a card each.

    Raises:
        InputError: the CUDA plugin is not installed.
    """
    try:
        return topologies.get_topology_desc(
            platform="cuda",
            topology_name="",  # refused when left out
            topology=f"1x{hosts}x{devices}",
            target_config=card.target_config,
        )
    except Exception as error:
        if "cuda" in str(error).lower() or "platform" in str(error).lower():
            raise InputError(f"{MISSING} ({str(error).splitlines()[0][:120]})") from None
        raise


def narrow_shapes(tree: Any, places: Any) -> Any:
    """Return a tree of arrays, or of shapes, as shapes on described devices, 64-bit ones as 32-bit.

    Outside ``enable_x64`` JAX has no shapes of 64-bit numbers to trace with.

    Args:
        tree: of arrays or shapes.
        places: a like tree of shardings.
    """

    def one(x: Any, place: Any) -> jax.ShapeDtypeStruct:
        dtype = NARROW.get(str(x.dtype), x.dtype)
        return jax.ShapeDtypeStruct(x.shape, dtype, sharding=place)

    return jax.tree.map(one, tree, places)


def widened(tree: Any, like: Any) -> Any:
    """Return traced arrays with the 64-bit types that :func:`narrow_shapes` took from them."""
    with jax.enable_x64(True):
        return jax.tree.map(
            lambda x, wanted: x.astype(wanted.dtype) if str(wanted.dtype) in NARROW else x, tree, like
        )


def compile_for(
    card: Card,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    donate: tuple[int, ...] = (),
    places: Any = None,
) -> Compiled:
    """Compile a function for a card.

    Args:
        card: see :mod:`benchmarks.gpu_program.cards`.
        function: traced afresh.
        arguments: trees of arrays or of ``jax.ShapeDtypeStruct``.
        donate: arguments whose memory results may take.
        places: a tree of shardings like the arguments, of a described machine's devices; by default
            all are on one card.

    Raises:
        InputError: the CUDA plugin is not installed.
    """
    if places is None:
        alone = jax.sharding.SingleDeviceSharding(device_of(card))
        places = jax.tree.map(lambda _: alone, arguments)
    shapes = narrow_shapes(arguments, places)
    began = time.perf_counter()

    def fresh(*given: Any) -> Any:
        return function(*widened(given, arguments))

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Some donated buffers were not usable")  # those made wider
        jax.clear_caches()  # a program traced before is no measure of how long this takes
        traced = jax.jit(fresh, donate_argnums=donate).trace(*shapes)
        program = traced.lower(lowering_platforms=("cuda",)).compile()
    jax.clear_caches()
    memory = program.memory_analysis()
    return Compiled(
        text=program.as_text(),
        seconds=time.perf_counter() - began,
        temporary_bytes=int(memory.temp_size_in_bytes),
        argument_bytes=int(memory.argument_size_in_bytes),
        output_bytes=int(memory.output_size_in_bytes),
        own_kernels=own_kernels(traced.jaxpr),
    )
