"""One program looked at: its counts, its cost on a card, and its heaviest kernels by source line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu_program import hlo
from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.hlo import Line
from benchmarks.gpu_program.kernels import Block, Kernel, OwnKernels, program_of
from benchmarks.gpu_program.model import UNKNOWN_TRIPS, Cost, cost, kernel_seconds

ROOT = Path(__file__).parents[2]
"""Folder that holds the project's packages."""
LIBRARIES = ("site-packages", "dist-packages", "/lib/python")
OWN = "benchmarks/gpu_program/"


@dataclass(frozen=True)
class Part:
    """A program, or a loop inside it, counted for one turn.

    Attributes:
        name: "whole", "rollout step", "minibatch" or "step".
        block: its kernels and the loops inside.
        cost: of one turn.
        kernels: launched in one turn of it, loops inside not among them.
        host_loops: kernels in one turn of each loop inside that the host must read.
        kinds: how many of ``kernels`` are of each kind.
    """

    name: str
    block: Block
    cost: Cost
    kernels: int
    host_loops: tuple[int, ...]
    kinds: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "name": self.name,
            "kernels": self.kernels,
            "host_loops": list(self.host_loops),
            "kinds": self.kinds,
            **self.cost.to_dict(),
            "list": [
                kernel_row(block.name, one) for block in self.block.walk() for one in block.kernels
            ],
        }


@dataclass(frozen=True)
class Heavy:
    """Kernels of one source line, over one call of the program.

    Attributes:
        where: file and line in the project, with the function.
        kind: of the kernels.
        launches: in one call.
        bytes: in one call.
        flops: in one call.
        seconds: by the model.
    """

    where: str
    kind: str
    launches: float
    bytes: float
    flops: float
    seconds: float


@dataclass
class Report:
    """What was seen of one program on one card.

    Attributes:
        name: of the program.
        card: its name.
        steps: single environments' steps in one call.
        whole: the program.
        parts: its step, or its rollout step and its minibatch.
        heaviest: kernels by source line, those that take longest first.
        compile_seconds, temporary_bytes: of the compilation; zero bytes where they are not known.
        measured_seconds: one call on the card, None where there is none.
    """

    name: str
    card: str
    steps: int
    whole: Part
    parts: list[Part]
    heaviest: list[Heavy]
    compile_seconds: float = 0.0
    temporary_bytes: int = 0
    measured_seconds: float | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def steps_per_second(self) -> float:
        """By the model."""
        return self.steps / self.whole.cost.seconds

    def part(self, name: str) -> Part | None:
        """Return a part by its name."""
        return next((part for part in self.parts if part.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        measured = self.measured_seconds
        return {
            "name": self.name,
            "card": self.card,
            "steps": self.steps,
            "model_steps_per_second": self.steps_per_second,
            "measured_steps_per_second": self.steps / measured if measured else None,
            "measured_over_model_seconds": measured / self.whole.cost.seconds if measured else None,
            "whole": self.whole.to_dict(),
            "parts": [part.to_dict() for part in self.parts],
            "heaviest": [heavy.__dict__ for heavy in self.heaviest],
            "compile_seconds": self.compile_seconds,
            "temporary_bytes": self.temporary_bytes,
            "notes": self.notes,
        }


def analyse(
    name: str,
    text: str,
    steps: int,
    card: Card,
    parts: Mapping[str, Callable[[Block], Block | None]],
    unknown_trips: int = UNKNOWN_TRIPS,
    heaviest: int = 20,
    own: OwnKernels | None = None,
) -> Report:
    """Return the report of a program's scheduled HLO.

    Args:
        name: of the program.
        text: scheduled HLO.
        steps: single environments' steps that one call makes.
        card: whose rates the model takes.
        parts: how to find each part in the whole.
        unknown_trips: turns of loops without a known number.
        heaviest: source lines to list.
        own: operations of Pallas kernels, see :mod:`benchmarks.gpu_program.own_kernels`.
    """
    program = program_of(hlo.parse(text), own)
    blocks = [(part, find(program)) for part, find in parts.items()]
    missing = [part for part, block in blocks if block is None]
    return Report(
        name=name,
        card=card.name,
        steps=steps,
        whole=part_of("whole", program, card, unknown_trips),
        parts=[part_of(part, block, card, unknown_trips) for part, block in blocks if block],
        heaviest=heaviest_lines(program, card, unknown_trips)[:heaviest],
        notes=[f"no loop that turns as often as a {part} does" for part in missing],
    )


def kernel_row(loop: str, kernel: Kernel) -> dict[str, Any]:
    """Return a kernel as plain values: the loop it runs in, its name, kind, bytes, flops and line."""
    return {
        "loop": loop,
        "name": kernel.name,
        "kind": kernel.kind,
        "read_bytes": kernel.read_bytes,
        "written_bytes": kernel.written_bytes,
        "flops": kernel.flops,
        "where": where(kernel),
    }


def part_of(name: str, block: Block, card: Card, unknown_trips: int = UNKNOWN_TRIPS) -> Part:
    """Return the counts of a block."""
    return Part(
        name=name,
        block=block,
        cost=cost(block, card, unknown_trips),
        kernels=len(block.kernels) + sum(known_kernels(inner) for inner in block.inside),
        host_loops=tuple(len(loop.kernels) for loop in block.loops_the_host_reads()),
        kinds=dict(Counter(kernel.kind for kernel in block.kernels).most_common()),
    )


def known_kernels(block: Block) -> int:
    """Return how many kernels a loop inside launches: none where the host decides how many."""
    if block.host_reads:
        return 0
    inner = sum(known_kernels(one) for one in block.inside)
    return (block.trips or 0) * (len(block.kernels) + inner)


def heaviest_lines(program: Block, card: Card, unknown_trips: int = UNKNOWN_TRIPS) -> list[Heavy]:
    """Return kernels joined by source line and kind, those that take longest in one call first."""
    sums: dict[tuple[str, str], list[float]] = {}
    for kernel, seconds, times in counted(program, card, unknown_trips):
        row = sums.setdefault((where(kernel), kernel.kind), [0.0] * 4)
        for number, value in enumerate((1.0, kernel.bytes, sum(kernel.flops.values()), seconds)):
            row[number] += times * value
    rows = [Heavy(place, kind, *values) for (place, kind), values in sums.items()]
    return sorted(rows, key=lambda row: -row.seconds)


def counted(
    block: Block, card: Card, unknown_trips: int, times: float = 1.0
) -> Iterator[tuple[Kernel, float, float]]:
    """Give every kernel inside a block, its seconds, and how often it is launched in one turn."""
    for kernel, seconds in zip(block.kernels, kernel_seconds(block, card), strict=True):
        yield kernel, seconds, times
    for inner in block.inside:
        trips = unknown_trips if inner.trips is None else inner.trips
        yield from counted(inner, card, unknown_trips, times * trips)


def where(kernel: Kernel) -> str:
    """Return the project's line that a kernel comes from, such as "jax_port/ppo.py:171 value_sum".

    A line of a library is named behind it.
    """
    lines: list[Line] = []
    for line in kernel.stack:  # not beyond the subject, to whoever had it compiled
        lines.append(line)
        if OWN in line.file:
            break
    ours = [line for line in lines if not any(part in line.file for part in LIBRARIES)]
    if not ours:
        return f"no line ({kernel.name.rstrip('.0123456789')})"
    file = ours[0].file
    with_root = f"{ROOT}/"
    file = file.removeprefix(with_root) if file.startswith(with_root) else file
    for package in ("jax_port/", "benchmarks/"):  # other checkouts
        if f"/{package}" in file:
            file = package + file.rsplit(f"/{package}", 1)[1]
    function = ours[0].function.replace(".<locals>", "").rsplit(".", 1)[-1]
    via = lines[0]
    library = "" if via is ours[0] else f", by {Path(via.file).name}:{via.line}"
    return f"{file}:{ours[0].line} {function}{library}"
