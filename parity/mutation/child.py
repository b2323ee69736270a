"""Judge one mutant of a port: ``python -P -m parity.mutation.child JOB RESULT`` in its own process.

The module is imported from changed source before anything else is, the pair is verified as by
``envparity check``, at first with few cases, and what the port put out is held to what the unchanged
one did. Exit code 0: a result was written; anything else: it did not even run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from foundation.files import write_json
from foundation.json_reading import Artifact, Struct, read_json
from parity.mutation.changed_module import import_changed

JOB = Artifact("job of a mutant", "start it by `envparity mutate`")
FEW = 600
"""Cases of the first, quick verification."""


class Job(Struct):
    """What a process is to do.

    Attributes:
        place: "module:name" of the pair.
        module: that is changed; empty for the unchanged port.
        source: file with its changed source.
        transitions, resets, seed: of the verification.
        record: file with what the unchanged port put out, without ".npz"; of the unchanged port, where
            to write it; empty for none.
        files: of the port's modules, whose functions are noted as they are entered.
    """

    place: str
    module: str
    source: str
    transitions: int
    resets: int
    seed: int
    record: str
    files: list[str]


def judge(job: Job) -> dict[str, Any]:
    """Verify a pair whose port may be changed; return its verdict and how far the port changed."""
    if job.module:
        import_changed(job.module, Path(job.source).read_bytes())
    from parity.harness.places import load_pair
    from parity.harness.verify import verify
    from parity.mutation.recorder import CHANGED, Recorder, apart

    pair = load_pair(job.place)
    recorder = Recorder([Path(file) for file in job.files])
    recorder.attach(pair.port)
    sizes = [(min(FEW, job.transitions), min(FEW, job.resets)), (job.transitions, job.resets)]
    for transitions, resets in sizes:
        report = verify(
            pair,
            transitions=transitions,
            resets=resets,
            seed=job.seed,
            stop_early=bool(job.module),
        )
        if report.differences:  # that too little was seen, the whole verification alone can say
            break
    if job.module and not report.passed:
        return {"verdict": report.verdict, "by": _first(report), "effect": CHANGED, "where": ""}
    if job.module and job.record:
        with np.load(f"{job.record}.npz") as held:
            effect, where = apart({name: held[name] for name in held.files}, recorder.arrays)
        return {"verdict": report.verdict, "by": "", "effect": effect, "where": where}
    if job.record:
        np.savez(job.record, allow_pickle=False, **recorder.arrays)
    return {
        "verdict": report.verdict,
        "by": _first(report),
        "entered": sorted([*one] for one in recorder.entered),
    }


def _first(report: Any) -> str:
    """Return what objects to a port: a field with its verdict, or a question."""
    for one in report.fields:
        if not one.passed:
            beyond_alone = one.beyond and not one.logic
            return f"field {one.name}: {'rounding' if beyond_alone else one.verdict}"
    for one in report.answers:
        if one.status == "different":
            return str(one.question)
    return f"never seen: {', '.join(report.missing)}" if report.missing else ""


def main() -> None:
    """Read a job, do it, write the result."""
    job, result = Path(sys.argv[1]), Path(sys.argv[2])
    values = judge(read_json(job, Job, JOB))
    write_json(result, values)
    sys.stdout.flush()
    os._exit(0)  # nothing is left to be done, and libraries take long to take apart


if __name__ == "__main__":
    main()
