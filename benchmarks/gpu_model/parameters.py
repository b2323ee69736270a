"""Every number that the model takes, with where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.gpu_program.cards import H100
from benchmarks.gpu_program.model import CAPTURED_SECONDS, GRAPH_KERNELS, LAUNCH_SECONDS, READ_SECONDS

How = Literal["fitted", "measured alone", "given"]
CARD = "part card of reports/reference/accelerator_h100"
ENVIRONMENT = "part environment of reports/reference/accelerator_h100"


@dataclass(frozen=True)
class Parameter:
    """One number of the model, for an H100.

    Attributes:
        name: of the constant.
        value: in SI units.
        unit: of ``shown``.
        shown: the value in that unit.
        meaning: what it is.
        how: how its value was found.
        source: where.
        row: name of the row in the report's part ``card`` that measured it alone, with the key of the
            value; empty otherwise.
    """

    name: str
    value: float
    unit: str
    shown: float
    meaning: str
    how: How
    source: str
    row: tuple[str, str] | tuple[()] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**self.__dict__, "row": list(self.row)}


def parameters() -> list[Parameter]:
    """Return the model's numbers for an H100."""
    one = "seconds"
    return [
        Parameter(
            "captured_seconds", CAPTURED_SECONDS, "µs", CAPTURED_SECONDS * 1e6,
            "start and end of one kernel that is launched with others, as one CUDA graph",
            "fitted", f"{ENVIRONMENT}: no observations, 10,000 environments",
        ),
        Parameter(
            "launch_seconds", LAUNCH_SECONDS, "µs", LAUNCH_SECONDS * 1e6,
            "launch of one kernel by the host",
            "measured alone", f"{CARD}: launch", ("launch", one),
        ),
        Parameter(
            "graph_kernels", GRAPH_KERNELS, "kernels", GRAPH_KERNELS,
            "least number of kernels that the compiler launches together",
            "given", "XLA's default, xla_gpu_graph_min_graph_size",
        ),
        Parameter(
            "read_seconds", READ_SECONDS, "µs", READ_SECONDS * 1e6,
            "wait of the host for one value",
            "measured alone", f"{CARD}: host read", ("host read", one),
        ),
        Parameter(
            "copy_rate", H100.copy_rate, "TB/s", H100.copy_rate / 1e12,
            "bytes read and written by kernels that go through arrays in order",
            "measured alone", f"{CARD}: copy (the data sheet's peak is 3.35)",
            ("copy", "bytes_per_second"),
        ),
        Parameter(
            "gather_rate", H100.gather_rate, "TB/s", H100.gather_rate / 1e12,
            "bytes read and written by kernels that look values up by an index",
            "fitted", f"{ENVIRONMENT}: observations, 262,144 environments",
        ),
        Parameter(
            "cache_rate", H100.cache_rate, "TB/s", H100.cache_rate / 1e12,
            "bytes read and written where one turn of a loop moves no more than the cache holds",
            "fitted", f"{ENVIRONMENT}: no observations, 131,072 environments",
        ),
        Parameter(
            "cache_bytes", H100.cache_bytes, "MB", H100.cache_bytes / 1e6,
            "size of the L2 cache",
            "given", "data sheet: 50 MiB",
        ),
        *(
            Parameter(
                f"{precision} rate", rate, "TFLOP/s", rate / 1e12,
                f"matrix products in {precision}",
                "measured alone", f"{CARD}: a product of two 8,192 by 8,192 matrices",
                (f"(8192, 8192) x (8192, 8192), {precision}", "flops_per_second"),
            )
            for precision, rate in H100.rates.items()
        ),
    ]  # fmt: skip
