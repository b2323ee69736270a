"""``run.json``: what decides a run, and the lineage that it has gone through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foundation.files import write_json
from foundation.json_reading import Artifact, read_json
from jax_port.runs import lineage
from jax_port.runs.lineage import Proof, Stretch

RUN = "run.json"
RUN_FILE = Artifact(
    "run",
    "start the run anew in another folder",
    absent="no run here; give the folder of a run that `rltrader train` began",
    most_bytes=8 * 1024 * 1024,
)


def shown_proof(folder: Path) -> Proof:
    """Return the weakest proof of all that a run's ``run.json`` says it went through.

    Raises:
        InputError: there is none, or it is damaged.
    """
    values = read_json(folder / RUN, dict[str, dict[str, Any]], RUN_FILE)
    stored = values.get("lineage", {})
    stretches = lineage.read_stretches(stored.get("stretches"), folder / RUN)
    return lineage.weakest(stretches, stored.get("grew_from"))


def note_lineage(
    folder: Path, stretches: Sequence[Stretch], grew_from: Mapping[str, Any] | None
) -> None:
    """Write a run's lineage, and the weakest proof in it, into its ``run.json`` if there is one.

    Raises:
        InputError: ``run.json`` is damaged.
    """
    if (folder / RUN).exists():
        values = read_json(folder / RUN, dict[str, Any], RUN_FILE)
        described = lineage.lineage_of(stretches, grew_from)
        write_json(folder / RUN, {**values, "lineage": described})
