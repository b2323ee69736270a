"""Matrix products: how many operations a step of training needs, and how many the machine does."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import jax
import jax.numpy as jnp
import torch

from jax_port.ppo.settings import TrainSettings

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
