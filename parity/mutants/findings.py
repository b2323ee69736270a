"""Findings of one try: what every judge said of a port, and digests of what the port put out."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import numpy as np

import jax_port
from parity.engine.compare import Array
from parity.engine.verify import CheckResult


class Findings:
    """Results of the judges, and digests of every array that the port put out."""

    def __init__(self) -> None:
        self.checks: list[tuple[str, CheckResult]] = []
        self.outputs: dict[str, str] = {}

    def put(self, name: str, value: Array) -> None:
        """Note an output's dtype, shape and bits."""
        value = np.ascontiguousarray(value)
        about = f"{value.dtype}{value.shape}".encode()
        self.outputs[name] = hashlib.sha256(about + value.tobytes()).hexdigest()

    def judge(self, scenario: str, *results: CheckResult) -> None:
        """Note what judges said."""
        self.checks += [(scenario, result) for result in results]

    @property
    def killed(self) -> bool:
        """Whether a judge objected."""
        return any(not result.passed for _, result in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {
            "port": str(Path(str(jax_port.__file__)).parent),
            "outputs": self.outputs,
            "checks": [
                {
                    "scenario": scenario,
                    "world": result.world,
                    "check": result.check,
                    "compared": result.compared,
                    "passed": result.passed,
                    "mismatches": result.mismatches,
                    "field": first_disagreement(result),
                }
                for scenario, result in self.checks
            ],
            "cpu_seconds": round(time.process_time(), 2),
        }


def first_disagreement(result: CheckResult) -> str:
    """Return what disagreed first, in words; empty if nothing did."""
    if result.error:
        return result.error
    far = [name for name, measure in result.measures.items() if not measure.passed]
    return result.first.field if result.first else "".join(far[:1])
