"""Several cards in one machine or in several, and how long a collective takes among them.

A collective takes a latency, and its bytes over the links between the cards. Within a machine cards are
joined all to all; between machines each card has a network adapter of its own, and sums are made in
each machine first. Nothing here was measured by this project.

Sources: NVIDIA H100 and H200 data sheets (NVLink: 900 GB/s both ways together, so 450 GB/s each way)
and the DGX H100 user guide (eight 400 Gb/s adapters a machine, so 50 GB/s for each card). Of both, four
fifths are taken; that and the latencies are assumed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from foundation.errors import InputError

NVLINK = 0.8 * 450e9
"""Bytes per second between cards of one machine, each way."""
ADAPTER = 0.8 * 50e9
"""Bytes per second of each card's network adapter, each way."""
LATENCY_INSIDE = 20e-6
"""Of one collective among cards of one machine."""
LATENCY_BETWEEN = 40e-6
"""Of one collective among cards of several machines."""

NAME = re.compile(r"([1-9]\d{0,2})x([1-9]\d{0,2})")


@dataclass(frozen=True)
class Machine:
    """Cards that a program is divided over.

    Attributes:
        hosts: machines.
        devices: cards in each.
    """

    hosts: int = 1
    devices: int = 1

    @property
    def size(self) -> int:
        """Cards of all machines."""
        return self.hosts * self.devices

    def __str__(self) -> str:
        return f"{self.hosts}x{self.devices}"

    def seconds(self, opcode: str, size: float) -> float:
        """Return how long a collective takes.

        Args:
            opcode: of HLO, such as "all-reduce-start".
            size: bytes of each card's result.
        """
        if self.size == 1:
            return 0.0
        # What a card sends inside its machine, and through its adapter, for each byte of the result:
        # a sum is scattered and gathered, and of another machine's part each adapter takes its share.
        passes = 2.0 if opcode.startswith("all-reduce") else 1.0
        inside = passes * (self.devices - 1) / self.devices
        between = passes * (self.hosts - 1) / self.hosts / self.devices
        if opcode.startswith("collective-permute"):
            inside, between = 1.0, float(self.hosts > 1)
        latency = LATENCY_BETWEEN if self.hosts > 1 else LATENCY_INSIDE
        return latency + size * (inside / NVLINK + between / ADAPTER)


ALONE = Machine()


def machine_of(name: str) -> Machine:
    """Return the machines of a name such as "2x8": two with eight cards each.

    Raises:
        InputError: it is no such name, or one card alone.
    """
    match = NAME.fullmatch(name)
    machine = Machine(*map(int, match.groups())) if match else Machine()
    if machine.size == 1:
        raise InputError(
            f"--machines {name}: give HOSTSxCARDS of at least two cards, such as 1x8 or 2x8"
        )
    return machine
