"""Training divided over several cards: its collectives, their bytes, and how it scales by the model.

Every card has as many environments, and as large a share of a minibatch, as the one card that it is
compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jax.sharding import AxisType, Mesh
from markupsafe import escape
from rich.console import Console
from rich.table import Table

from benchmarks.gpu_program.analysis import Report, where
from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import Block
from benchmarks.gpu_program.machines import Machine
from benchmarks.gpu_program.report import html_table, seconds, short
from benchmarks.gpu_program.subjects import Subject, update
from benchmarks.gpu_program.target import topology_of
from foundation.errors import InputError
from jax_port.ppo.fast.scale_out import AXIS
from jax_port.ppo.settings import TrainSettings

LINKED = ("H100", "H200")
"""Cards whose links :mod:`benchmarks.gpu_program.machines` describes."""

COLUMNS = (
    "program", "steps/s by the model", "of as many cards alone", "collectives", "bytes", "time",
)  # fmt: skip
COLLECTIVE_COLUMNS = ("collective", "in", "an update", "bytes each", "time each", "line")


@dataclass(frozen=True)
class Collective:
    """What cards do together at one place of a program.

    Attributes:
        opcode: such as "all-reduce".
        part: of the program that it stands in; "the rest" for none that is named.
        times: in one update.
        bytes: of its result on each card.
        seconds: each, by the model.
        where: source line.
    """

    opcode: str
    part: str
    times: float
    bytes: int
    seconds: float
    where: str


def divided(
    settings: TrainSettings, phase: int, days: int, card: Card, machine: Machine, own_orders: bool
) -> tuple[Subject, Card]:
    """Return an update divided over a machine's cards, and the card as one among them.

    Args:
        settings: of one card; environments and minibatches become as many times larger.
        phase: 1 or 2.
        days: of the market.
        card: see :mod:`benchmarks.gpu_program.cards`.
        machine: how many of it.
        own_orders: whether each card orders its own transitions, or one order goes over all of them.

    Raises:
        InputError: the card's links are not described, or the CUDA plugin is not installed.
    """
    if card.name not in LINKED:
        raise InputError(
            f"--machines {machine}: links are known of {' and '.join(LINKED)}, not of {card.name}"
        )
    devices = topology_of(card, machine.devices, machine.hosts).devices
    mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
    larger = replace(
        settings,
        n_envs=settings.n_envs * machine.size,
        batch_size=settings.batch_size * machine.size,
        order_groups=machine.size if own_orders else 1,
    )
    subject = update(larger, phase, days, mesh=mesh)
    orders = "own orders" if own_orders else "one order"
    return replace(subject, name=f"{subject.name}, {machine} cards, {orders}"), replace(
        card, machine=machine
    )


def collectives_of(report: Report, card: Card) -> list[Collective]:
    """Return a program's collectives, those that take longest in an update first."""
    named = {id(part.block): part.name for part in report.parts}
    collectives: list[Collective] = []

    def visit(block: Block, times: float, part: str) -> None:
        part = named.get(id(block), part)
        for kernel in block.kernels:
            if kernel.collective:
                took = card.machine.seconds(kernel.collective, kernel.result_bytes)
                opcode = kernel.collective.removesuffix("-start")
                collectives.append(
                    Collective(opcode, part, times, kernel.result_bytes, took, where(kernel))
                )
        for inner in block.inside:
            visit(inner, times * (1 if inner.trips is None else inner.trips), part)

    visit(report.whole.block, 1.0, "the rest")
    return sorted(collectives, key=lambda one: -one.times * one.seconds)


def scaling_row(report: Report, alone: Report, card: Card) -> dict[str, Any]:
    """Return what is told of a divided program, ready for JSON.

    Args:
        report: of it.
        alone: of the same program on one card.
        card: one of its own.
    """
    collectives = collectives_of(report, card)
    values = report.to_dict()
    del values["heaviest"]
    for part in (values["whole"], *values["parts"]):
        del part["list"]  # as on one card
    return {
        **values,
        "hosts": card.machine.hosts,
        "devices": card.machine.size,
        "efficiency": report.steps_per_second / (card.machine.size * alone.steps_per_second),
        "collectives": [one.__dict__ for one in collectives],
        "collective_bytes": sum(one.times * one.bytes for one in collectives),
        "collective_seconds": sum(one.times * one.seconds for one in collectives),
    }


def cells_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a row's cells."""
    return (
        f"{row['name']}, {row['card']}",
        short(row["model_steps_per_second"]),
        f"{100 * row['efficiency']:.1f} %",
        f"{sum(one['times'] for one in row['collectives']):,.0f}",
        short(row["collective_bytes"], "B"),
        seconds(row["collective_seconds"]),
    )


def collective_cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a collective's cells."""
    return (
        one["opcode"],
        one["part"],
        f"{one['times']:,.0f}",
        short(one["bytes"], "B"),
        seconds(one["seconds"]),
        one["where"],
    )


def show_scaling(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print tables: all divided programs, then the collectives of each."""
    table = Table(*COLUMNS, title="several cards")
    for row in rows:
        table.add_row(*cells_of(row))
    console.print(table)
    for row in rows:
        each = Table(*COLLECTIVE_COLUMNS, title=f"{row['name']}, {row['card']}: collectives")
        for one in row["collectives"]:
            each.add_row(*collective_cells(one))
        console.print(each)


def html_scaling(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a section for a page, collectives folded away."""
    parts = [
        "<section id='gpu-scaling'><h2>What several GPUs would do together</h2>",
        "<p>Compiled for described machines, without a card; each card has as many environments as the "
        "one it is compared with. Latencies and links are assumed, not measured.</p>",
        html_table(COLUMNS, [cells_of(row) for row in rows]),
    ]
    for row in rows:
        table = html_table(COLLECTIVE_COLUMNS, [collective_cells(one) for one in row["collectives"]])
        title = f"{row['name']}, {row['card']}: collectives"
        parts.append(f"<details><summary>{escape(title)}</summary>{table}</details>")
    return "\n".join([*parts, "</section>"])
