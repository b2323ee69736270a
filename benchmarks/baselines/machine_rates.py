"""Rates of the machine: copies, gathered windows, matrix products; and what training needs of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import torch

from benchmarks.baselines.environments import forget
from jax_port.data.data_loader import PreparedMarket
from jax_port.envs.observation import window_at
from jax_port.envs.state import EnvParams
from jax_port.ppo.settings import TrainSettings

WORD = 4
"""Bytes of a float32 or int32."""

MakeWork = Callable[[], Callable[[], object]]
"""Returns work ready to be called; a call ends when the work is done."""


class MachineWorkload:
    """Work whose rate the hardware sets, such as a copy.

    Args:
        name: of the row.
        make: returns the work, ready to be called; a call ends when the work is done.
        amount: bytes, operations or windows in one call.
    """

    envs = 1

    def __init__(self, name: str, make: MakeWork, amount: int) -> None:
        self.name, self._make, self._amount = name, make, amount

    def prepare(self) -> float:
        """Allocate and compile."""
        began = time.perf_counter()
        self._work = self._make()
        self._work()
        return time.perf_counter() - began

    def run(self) -> int:
        """Do it once and return its amount."""
        self._work()
        return self._amount

    def close(self) -> None:
        """Forget the arrays."""
        forget(self, "_work")


def xla_copy(size: int) -> MakeWork:
    """Return a maker of work that reads and writes ``size`` bytes on the default device, in place.

    A copy into fresh memory would measure how fast the system hands out pages.
    """

    def make() -> Callable[[], object]:
        held = [jnp.zeros(size // WORD, jnp.float32)]
        add = jax.jit(lambda x: x + 1, donate_argnums=0)

        def work() -> None:
            held[0] = add(held[0]).block_until_ready()

        return work

    return make


def numpy_copy(size: int) -> MakeWork:
    """Return a maker of a copy of ``size`` bytes on one thread."""

    def make() -> Callable[[], object]:
        # Ones, since pages of zeros that were never written are all one page, which a cache holds.
        source, target = np.ones(size // WORD, np.float32), np.ones(size // WORD, np.float32)
        return lambda: np.copyto(target, source)

    return make


def xla_gather(params: EnvParams, envs: int) -> MakeWork:
    """Return a maker of the windows of ``envs`` random bars: (envs, 220) float32."""

    def make() -> Callable[[], object]:
        rows = jnp.asarray(_some_bars(params, envs))

        def windows(rows: jax.Array, params: EnvParams) -> jax.Array:
            return jax.vmap(window_at, in_axes=(0, None))(rows, params).reshape(envs, -1)

        gather = jax.jit(windows)
        return lambda: gather(rows, params).block_until_ready()

    return make


def numpy_gather(market: PreparedMarket, params: EnvParams, envs: int) -> MakeWork:
    """Return a maker of the same windows on one thread."""

    def make() -> Callable[[], object]:
        size, width = params.window_size, market.features.shape[1]
        flat = np.ascontiguousarray(market.features)
        windows = np.lib.stride_tricks.as_strided(
            flat, (len(flat) - size + 1, size * width), flat.strides, writeable=False
        )
        rows = _some_bars(params, envs) - size
        target = np.empty((envs, size * width), np.float32)

        def work() -> None:
            target[:] = windows[rows]

        return work

    return make


def _some_bars(params: EnvParams, envs: int) -> Any:
    last = int(params.market.features.shape[0]) - 1
    low = int(params.market.starts[0, 0])
    return np.random.default_rng(0).integers(low, last, envs, np.int32)


Library = Literal["xla", "torch"]
ROWS, WIDTH = 8192, 256
"""The left factor is (8192, 256) and the right one (256, 256), as in the networks."""
PRODUCT_FLOPS = 2 * ROWS * WIDTH * WIDTH
"""Floating-point operations of one such product."""


def flops_per_step(settings: TrainSettings, obs_size: int, actions: int) -> float:
    """Return the floating-point operations of matrix products in one step of training.

    Acting takes one forward pass; each epoch one forward pass, the gradients of all weights, and the
    gradients of all inputs but the first layer's.
    """
    forward = first = 0
    for sizes, outputs in ((settings.network.pi, actions), (settings.network.vf, 1)):
        widths = (obs_size, *sizes, outputs)
        products = [2 * a * b for a, b in pairwise(widths)]
        forward += sum(products)
        first += products[0]
    return forward + settings.n_epochs * (3 * forward - first)


def make_product(library: Library) -> Callable[[], object]:
    """Return a function that computes one float32 product to its end."""
    if library == "torch":
        left, right = torch.ones(ROWS, WIDTH), torch.ones(WIDTH, WIDTH)
        return lambda: torch.mm(left, right)
    one, other = jnp.ones((ROWS, WIDTH), jnp.float32), jnp.ones((WIDTH, WIDTH), jnp.float32)
    multiply = jax.jit(jnp.matmul)
    return lambda: multiply(one, other).block_until_ready()


def product_rates(repeats: int = 20) -> dict[str, float]:
    """Return the fastest rate of the product in operations a second, by library."""
    rates: dict[str, float] = {}
    libraries: tuple[Library, ...] = ("xla", "torch")
    for library in libraries:
        multiply, fastest = make_product(library), float("inf")
        for _ in range(repeats):
            began = time.perf_counter()
            multiply()
            fastest = min(fastest, time.perf_counter() - began)
        rates[library] = PRODUCT_FLOPS / fastest
    return rates
