"""What was measured on a card, each beside the model's time for the same program.

Some points the model's parameters were fitted on; all others check it. A rollout's step and a minibatch
are not timed by themselves: their times are differences between trainings of one epoch and of four.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.gpu_model.programs import about_of, block_of
from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import Block, Kernel
from benchmarks.gpu_program.model import UNKNOWN_TRIPS, Cost, cost
from foundation.errors import InputError
from foundation.report.format import count

Values = Mapping[str, Any]
Role = Literal["fitted", "checked"]
BOUND = 1.5
"""Measured and predicted times are to be within this factor of each other."""
FITTED: Mapping[str, dict[str, Any]] = {
    "captured_seconds": {"form": "no observations", "phase": 1, "envs": 10_000},
    "cache_rate": {"form": "no observations", "phase": 1, "envs": 131_072},
    "gather_rate": {"form": "observations", "phase": 1, "envs": 262_144},
}
"""The environment's row that each of the model's fitted parameters was fitted on."""
PRODUCT_TURNS, PRODUCTS_A_TURN = 8, 2
"""Of the loop in which :mod:`benchmarks.accelerator.ceilings` times a product."""
TRAINING = ("training, search of sizes", "training")
"""Parts of a card's report with trainings."""


@dataclass(frozen=True)
class Point:
    """One measured time beside the model's.

    Attributes:
        subject: what ran.
        sizes: in words.
        card: its name.
        measured_seconds, predicted_seconds: of a call, or of a turn.
        steps: single environments' steps in that time; None where it is no number of them.
        role: whether a parameter was fitted on it.
        wall: the model's largest term.
        terms: the model's seconds by what they are spent on.
        reason: why it is beyond :data:`BOUND`, where it is and that is known.
        derived: whether it is a difference between other points.
    """

    subject: str
    sizes: str
    card: str
    measured_seconds: float
    predicted_seconds: float
    steps: int | None
    role: Role
    wall: str
    terms: dict[str, float]
    reason: str = ""
    derived: bool = False

    @property
    def ratio(self) -> float:
        """The measured time over the predicted."""
        return self.measured_seconds / self.predicted_seconds

    @property
    def within(self) -> bool:
        """Whether both are within :data:`BOUND` of each other."""
        return max(self.ratio, 1 / self.ratio) <= BOUND

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        rates = {}
        if self.steps is not None:
            rates = {
                "measured_steps_per_second": self.steps / self.measured_seconds,
                "predicted_steps_per_second": self.steps / self.predicted_seconds,
            }
        return {**self.__dict__, **rates, "ratio": self.ratio, "within": self.within}


def points_of(
    report: Values, programs: Sequence[Values], card: Card, apart: Sequence[Values] = ()
) -> list[Point]:
    """Return all that a card's report measured beside the model.

    Args:
        report: of :mod:`benchmarks.accelerator`.
        programs: those it measured, see :mod:`benchmarks.gpu_model.compiled`; rows that have a
            ``program`` of their own need none.
        card: it was measured on.
        apart: rows measured outside the report; with a ``reason`` where the model is known to fail.

    Raises:
        InputError: a measured program is not among the programs.
    """
    timed = [(row, program_of_row(row, programs)) for row in [*measured_rows(report["parts"]), *apart]]
    points = [_point(row, block, card) for row, block in timed]
    points += _differences([pair for pair in timed if "batch_size" in pair[0]], card)
    return points + _products(report["parts"].get("card", {}).get("rows", []), card)


def measured_rows(parts: Values) -> Iterator[Values]:
    """Give the rows of the environment and of training that have a speed.

    Args:
        parts: of a card's report.
    """
    for name in ("environment", *TRAINING):
        for row in parts.get(name, {}).get("rows", []):
            if "steps_per_second" in row:  # none that failed
                yield row


def program_of_row(row: Values, programs: Sequence[Values]) -> Block:
    """Return a measured row's program.

    Raises:
        InputError: there is none.
    """
    if "program" in row:
        return block_of(row["program"])
    about = about_of(row)
    for one in programs:
        if one["about"] == about:
            return block_of(one["program"])
    words = ", ".join(f"{name} {value}" for name, value in about.items())
    raise InputError(
        f"no compiled program of {words}: compile it with --compile (needs JAX's CUDA plugin)"
    )


def seconds_of(row: Values) -> float:
    """Return a row's seconds of a call: the median."""
    return float(row["steps_per_call"] / row["steps_per_second"]["median"])


def _point(row: Values, block: Block, card: Card) -> Point:
    about = about_of(row)
    if "batch_size" in row:
        subject = f"training, {row['precision']}, {count(row['n_epochs'], 'epoch')}"
        subject += ", the CPU's form" if about["form"] == "cpu" else ""
        sizes = sizes_of(row)
    else:
        subject = f"environment, phase {row['phase']}, {row['form']}"
        sizes = f"{row['envs']:,} environments"
    fitted = any(all(about.get(k) == v for k, v in wanted.items()) for wanted in FITTED.values())
    return _of_cost(
        cost(block, card), subject, sizes, card, seconds_of(row), row["steps_per_call"],
        role="fitted" if fitted else "checked", reason=row.get("reason", ""),
    )  # fmt: skip


def _of_cost(
    model: Cost, subject: str, sizes: str, card: Card, measured: float, steps: int | None = None,
    role: Role = "checked", reason: str = "", derived: bool = False,
) -> Point:  # fmt: skip
    return Point(
        subject=subject,
        sizes=sizes,
        card=card.name,
        measured_seconds=measured,
        predicted_seconds=model.seconds,
        steps=steps,
        role=role,
        wall=model.wall,
        terms={name: value for name, value in model.terms.items() if value},
        reason=reason,
        derived=derived,
    )


def _differences(timed: Sequence[tuple[Values, Block]], card: Card) -> list[Point]:
    """Return a minibatch and a step of the rollout: by what one epoch takes and what four take."""
    points = []
    by_sizes: dict[tuple[Any, ...], dict[int, tuple[Values, Block]]] = {}
    for row, block in timed:
        same = tuple(row[name] for name in ("precision", "n_envs", "n_steps", "batch_size"))
        by_sizes.setdefault((*same, about_of(row)["form"]), {})[row["n_epochs"]] = (row, block)
    for (precision, envs, steps, batch, _), epochs in by_sizes.items():
        if len(epochs) < 2:
            continue
        few, many = min(epochs), max(epochs)
        minibatches = -(-envs * steps // batch)
        taken = {n: seconds_of(row) for n, (row, _) in epochs.items()}
        model = {n: cost(block, card, UNKNOWN_TRIPS) for n, (_, block) in epochs.items()}
        epoch = (taken[many] - taken[few]) / (many - few)
        epoch_model = Cost().plus(model[many].plus(model[few], -1.0), 1 / (many - few))
        sizes = sizes_of(epochs[few][0])
        points.append(
            _of_cost(
                Cost().plus(epoch_model, 1 / minibatches),
                f"a minibatch, {precision}, with its share of an epoch's shuffling",
                sizes,
                card,
                epoch / minibatches,
                derived=True,
            )
        )
        rest = model[few].plus(epoch_model, -float(few))
        points.append(
            _of_cost(
                Cost().plus(rest, 1 / steps),
                f"a step of the rollout, {precision}, with its share of what an update does once",
                sizes,
                card,
                (taken[few] - few * epoch) / steps,
                envs,
                derived=True,
            )
        )
    return points


def _products(rows: Sequence[Values], card: Card) -> list[Point]:
    """Return the products of a layer's shape; the large square ones are what the rates are."""
    points = []
    for row in rows:
        if "flops_per_second" not in row:
            continue
        shape, precision = row["name"].rsplit(", ", 1)
        rows_of, width = (int(n) for n in shape.split(")")[0].strip("(").split(","))
        if rows_of == width:
            continue
        size = 2 if precision == "bf16" else 4
        flops = 2.0 * rows_of * width * width
        read = size * (rows_of * width + width * width)
        one = Kernel("", "product", read, size * rows_of * width, {precision: flops}, ())
        loop = Block("products", PRODUCT_TURNS, kernels=[one] * PRODUCTS_A_TURN)
        model = cost(Block("entry", inside=[loop]), card)
        times = 1 / (PRODUCT_TURNS * PRODUCTS_A_TURN)
        points.append(
            _of_cost(
                Cost().plus(model, times),
                f"a product, {precision}",
                f"{rows_of:,} rows of {width} numbers by a matrix {width} x {width}",
                card,
                flops / row["flops_per_second"],
            )
        )
    return points


def sizes_of(row: Values) -> str:
    """Return a training's sizes in words."""
    return f"{row['n_envs']:,} environments x {row['n_steps']}, minibatches of {row['batch_size']:,}"
