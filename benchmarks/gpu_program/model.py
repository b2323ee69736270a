"""How long a compiled program should take on a card, and what it waits for.

Kernels are launched one after another, and a launch takes some microseconds whatever the kernel does;
a value that the host must read stops it for longer. A block takes the larger of its launches and its
work, and its work is its bytes over the bandwidth plus its matrix products over their rate. What
several cards do together comes on top (:mod:`benchmarks.gpu_program.machines`). Caches, autotuned
products and command buffers are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import Block

LAUNCH_SECONDS = 3e-6
"""One kernel of a loop, launched by the host."""
READ_SECONDS = 20e-6
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
        seconds: the model's time.
    """

    launches: float
    host_reads: float
    bytes: float
    flops: float
    launch_seconds: float
    byte_seconds: float
    product_seconds: float
    read_seconds: float
    collective_seconds: float
    seconds: float

    @property
    def wall(self) -> Wall:
        """The term that decides."""
        terms: dict[Wall, float] = {
            "launches": self.launch_seconds,
            "bytes": self.byte_seconds,
            "products": self.product_seconds,
            "host": self.read_seconds,
            "collectives": self.collective_seconds,
        }
        if self.launch_seconds < self.byte_seconds + self.product_seconds:
            del terms["launches"]
        return max(terms, key=lambda name: terms[name])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**self.__dict__, "wall": self.wall}


def cost(block: Block, card: Card, unknown_trips: int = UNKNOWN_TRIPS) -> Cost:
    """Return what one turn of a block takes.

    Args:
        block: a program, a loop's body or a branch.
        card: whose rates to divide by.
        unknown_trips: turns of loops without a known number.
    """
    moved = float(sum(kernel.bytes for kernel in block.kernels))
    flops: dict[str, float] = {}
    for kernel in block.kernels:
        for precision, count in kernel.flops.items():
            flops[precision] = flops.get(precision, 0.0) + count
    own_launch = LAUNCH_SECONDS * len(block.kernels)
    own_bytes = moved / card.bandwidth
    own_products = sum(count / card.rates[name] for name, count in flops.items())
    launches, reads, total = float(len(block.kernels)), 0.0, sum(flops.values())
    launch_seconds, byte_seconds, product_seconds = own_launch, own_bytes, own_products
    read_seconds = 0.0
    collective_seconds = sum(
        card.machine.seconds(kernel.collective, kernel.result_bytes)
        for kernel in block.kernels
        if kernel.collective
    )
    seconds = max(own_launch, own_bytes + own_products) + collective_seconds
    for inner in block.inside:
        one = cost(inner, card, unknown_trips)
        trips = unknown_trips if inner.trips is None else inner.trips
        asked = trips + 1 if inner.trips is None else trips if inner.is_branch else 0
        launches += trips * one.launches
        reads += trips * one.host_reads + asked
        moved += trips * one.bytes
        total += trips * one.flops
        launch_seconds += trips * one.launch_seconds
        byte_seconds += trips * one.byte_seconds
        product_seconds += trips * one.product_seconds
        read_seconds += trips * one.read_seconds + asked * READ_SECONDS
        collective_seconds += trips * one.collective_seconds
        seconds += trips * one.seconds + asked * READ_SECONDS
    return Cost(
        launches=launches,
        host_reads=reads,
        bytes=moved,
        flops=total,
        launch_seconds=launch_seconds,
        byte_seconds=byte_seconds,
        product_seconds=product_seconds,
        read_seconds=read_seconds,
        collective_seconds=collective_seconds,
        seconds=seconds,
    )
