"""What a try of a port notes: every judge's word, and a digest of every output to the bit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jax_port
from parity.engine.compare import Comparison
from parity.engine.verify import CheckResult, Mismatch
from parity.mutants.findings import Findings, first_disagreement

GOOD = CheckResult("replay", "ES", 12, fields={"balance": Comparison(compared=24)})
BAD = CheckResult("generated", "M2K", 7, fields={"reward": Comparison(compared=7, mismatches=3)})
BROKEN = CheckResult("data", "RTY", 0, error="no bar is left")


def digest(value: Any) -> str:
    findings = Findings()
    findings.put("x", value)
    return findings.outputs["x"]


def test_an_output_is_noted_by_dtype_shape_and_bits() -> None:
    plain = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert digest(plain) == hashlib.sha256(b"int32(2, 3)" + plain.tobytes()).hexdigest()
    assert digest(plain.T.copy().T) == digest(plain)  # however it lies in memory
    last = plain.copy()
    last[-1, -1] += 1
    others = [plain.astype(np.int64), plain.view(np.uint32), plain.reshape(3, 2), last, plain[:, :2]]
    zeros = [np.array([0.0]), np.array([-0.0]), np.array([np.nan])]
    assert len({digest(value) for value in (plain, *others, *zeros)}) == 9


def test_every_output_is_noted_under_its_name() -> None:
    findings = Findings()
    for name, value in (("a", 1), ("b", 2)):
        findings.put(name, np.array(value))
    assert findings.outputs == {"a": digest(np.array(1)), "b": digest(np.array(2))}
    assert findings.outputs["a"] != findings.outputs["b"]


@pytest.mark.parametrize("bad", [BAD, BROKEN])
def test_one_objection_of_any_judge_anywhere_kills(bad: CheckResult) -> None:
    findings = Findings()
    assert not findings.killed
    findings.judge("odd settings", GOOD)
    findings.judge("symbols")
    assert not findings.killed
    findings.judge("stress", GOOD, bad, GOOD)
    assert findings.killed
    findings.judge("draws", GOOD)
    assert findings.killed
    assert [scenario for scenario, _ in findings.checks] == [
        *["odd settings"],
        *["stress"] * 3,
        "draws",
    ]


def mismatch(field: str) -> Mismatch:
    values: dict[str, Any] = dict.fromkeys(Mismatch.__annotations__, 0)
    return Mismatch(**{**values, "field": field})


def measures(*errors: float) -> dict[str, Comparison]:
    """Return stages with these errors, of which a thousandth is allowed."""
    return {
        f"stage {n}": Comparison(error=error, limit=1e-3, compared=5, mismatches=int(error > 1e-3))
        for n, error in enumerate(errors)
    }


def test_what_disagreed_first_is_named() -> None:
    assert first_disagreement(GOOD) == ""
    assert first_disagreement(BROKEN) == "no bar is left"
    far = CheckResult("learner", "quiet", 1, measures=measures(0, 2e-3, 0.5))
    assert first_disagreement(far) == "stage 1"
    assert first_disagreement(CheckResult("learner", "quiet", 1, measures=measures(0, 1e-4))) == ""
    both = CheckResult("replay", "ES", 1, first=mismatch("obs"), measures=measures(2e-3))
    assert first_disagreement(both) == "obs"


def test_the_result_says_all_of_every_check() -> None:
    findings = Findings()
    findings.put("a", np.ones(2))
    bad = CheckResult("generated", "M2K", 7, BAD.fields, first=mismatch("reward"))
    findings.judge("odd settings", GOOD, bad)
    findings.judge("learner", CheckResult("learner", "quiet", 1, measures=measures(1.0, 2.0)))
    told = findings.to_dict()
    assert told.pop("cpu_seconds") > 0
    assert told == {
        "port": str(Path(str(jax_port.__file__)).parent),
        "outputs": {"a": digest(np.ones(2))},
        "checks": [
            {
                "scenario": "odd settings",
                "world": "ES",
                "check": "replay",
                "compared": 12,
                "passed": True,
                "mismatches": 0,
                "field": "",
            },
            {
                "scenario": "odd settings",
                "world": "M2K",
                "check": "generated",
                "compared": 7,
                "passed": False,
                "mismatches": 3,
                "field": "reward",
            },
            {
                "scenario": "learner",
                "world": "quiet",
                "check": "learner",
                "compared": 1,
                "passed": False,
                "mismatches": 2,
                "field": "stage 0",
            },
        ],
    }
