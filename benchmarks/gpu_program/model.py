"""How long a compiled program should take on a card, and what it waits for.

Kernels run one after another. Each takes a fixed time to start and to end, then its bytes over the rate
at which such a kernel moves them, then its matrix products over their rate. Nothing overlaps:

- A block of :data:`GRAPH_KERNELS` kernels or more is launched as one CUDA graph, in which a kernel
  costs :data:`CAPTURED_SECONDS`. The host launches the kernels of a shorter one by themselves, and
  where their work takes less than :data:`LAUNCH_SECONDS` each, the card waits for the host.
- Kernels stream their bytes at the card's copy rate; those that look values up by an index reach its
  gather rate; a block whose turn moves no more than the cache holds reaches the cache's rate.
- Every value that the host must read costs :data:`READ_SECONDS`.

What several cards do together comes on top (:mod:`benchmarks.gpu_program.machines`). The constants here
hold for the driver and the host, those of a card are in :mod:`benchmarks.gpu_program.cards`. How far
predictions are from what was measured: :mod:`benchmarks.gpu_model`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import Block, Kernel

GRAPH_KERNELS = 5
"""Kernels from which on XLA captures them in a CUDA graph: ``xla_gpu_graph_min_graph_size``."""
CAPTURED_SECONDS = 1.4e-6
"""One kernel in a CUDA graph, its work left out."""
LAUNCH_SECONDS = 4.3e-6
"""One kernel that the host launches by itself."""
READ_SECONDS = 7.7e-6
"""The host waits for one value of the device."""
UNKNOWN_TRIPS = 4
"""Turns that a loop is taken to make where the compiler knows no number."""

Wall = Literal["launches", "bytes", "products", "host", "collectives"]


@dataclass(frozen=True)
class Cost:
    """What running a block once takes, blocks inside and all their turns among it.

    Attributes:
        launches: kernels launched.
        host_reads: values that the host waits for.
        bytes: of device memory, read and written.
        flops: of matrix products, all precisions.
        launch_seconds, byte_seconds, product_seconds, read_seconds: each alone.
        collective_seconds: of what several cards do together.
    """

    launches: float = 0.0
    host_reads: float = 0.0
    bytes: float = 0.0
    flops: float = 0.0
    launch_seconds: float = 0.0
    byte_seconds: float = 0.0
    product_seconds: float = 0.0
    read_seconds: float = 0.0
    collective_seconds: float = 0.0

    @property
    def terms(self) -> dict[Wall, float]:
        """The seconds by what they are spent on; their sum is the model's time."""
        return {
            "launches": self.launch_seconds,
            "bytes": self.byte_seconds,
            "products": self.product_seconds,
            "host": self.read_seconds,
            "collectives": self.collective_seconds,
        }

    @property
    def seconds(self) -> float:
        """The model's time."""
        return sum(self.terms.values())

    @property
    def wall(self) -> Wall:
        """The largest term."""
        terms = self.terms
        return max(terms, key=lambda name: terms[name])

    def plus(self, other: Cost, times: float = 1.0) -> Cost:
        """Return this and ``times`` another."""
        return Cost(
            **{name: value + times * getattr(other, name) for name, value in self.__dict__.items()}
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**self.__dict__, "seconds": self.seconds, "wall": self.wall}


def fits_cache(block: Block, card: Card) -> bool:
    """Return whether all that one turn of a block moves, blocks inside left out, fits the card's cache.

    Then what one turn wrote is still there when the next one reads it.
    """
    return sum(kernel.bytes for kernel in block.kernels) <= card.cache_bytes


def byte_seconds(kernel: Kernel, card: Card, in_cache: bool = False) -> float:
    """Return how long a kernel moves its bytes."""
    if in_cache:
        return kernel.bytes / card.cache_rate
    return kernel.bytes / (card.gather_rate if kernel.kind == "gather" else card.copy_rate)


def product_seconds(kernel: Kernel, card: Card) -> float:
    """Return how long a kernel's matrix products take."""
    return sum(count / card.rates[name] for name, count in kernel.flops.items())


def work_seconds(kernel: Kernel, card: Card, in_cache: bool = False) -> float:
    """Return how long a kernel works, its launch left out."""
    return byte_seconds(kernel, card, in_cache) + product_seconds(kernel, card)


def launch_seconds(kernels: int, work: float) -> float:
    """Return what launching adds to the work of a block's kernels.

    Args:
        kernels: how many.
        work: their seconds.
    """
    captured = CAPTURED_SECONDS * kernels
    if kernels >= GRAPH_KERNELS:
        return captured
    return max(captured, LAUNCH_SECONDS * kernels - work)  # the card waits where the host is slower


def kernel_seconds(block: Block, card: Card) -> list[float]:
    """Return the seconds of each of a block's own kernels, what launching adds divided evenly."""
    in_cache = fits_cache(block, card)
    works = [work_seconds(kernel, card, in_cache) for kernel in block.kernels]
    each = launch_seconds(len(works), sum(works)) / max(len(works), 1)
    return [work + each for work in works]


def cost(block: Block, card: Card, unknown_trips: int = UNKNOWN_TRIPS) -> Cost:
    """Return what one turn of a block takes.

    Args:
        block: a program, a loop's body or a branch.
        card: whose rates to divide by.
        unknown_trips: turns of loops without a known number.
    """
    kernels, in_cache = block.kernels, fits_cache(block, card)
    moving = sum(byte_seconds(kernel, card, in_cache) for kernel in kernels)
    multiplying = sum(product_seconds(kernel, card) for kernel in kernels)
    total = Cost(
        launches=len(kernels),
        bytes=sum(kernel.bytes for kernel in kernels),
        flops=sum(sum(kernel.flops.values()) for kernel in kernels),
        launch_seconds=launch_seconds(len(kernels), moving + multiplying),
        byte_seconds=moving,
        product_seconds=multiplying,
        collective_seconds=sum(
            card.machine.seconds(kernel.collective, kernel.result_bytes)
            for kernel in kernels
            if kernel.collective
        ),
    )
    for inner in block.inside:
        trips = unknown_trips if inner.trips is None else inner.trips
        asked = trips + 1 if inner.trips is None else trips if inner.is_branch else 0
        total = total.plus(cost(inner, card, unknown_trips), trips)
        total = total.plus(Cost(host_reads=asked, read_seconds=asked * READ_SECONDS))
    return total
