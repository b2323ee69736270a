"""Count false alarms: a side of a pair is held against itself, with one seed after another.

All runs share one process, so that nothing is compiled twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import copy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import jax

from foundation import provenance
from foundation.files import write_json
from foundation.json_reading import Artifact
from parity.harness.output.certificate import bound_code, told_of_code
from parity.harness.pair import Pair
from parity.harness.places import load_pair
from parity.harness.sides.side import Side
from parity.harness.spaces import Space
from parity.harness.verify import VERSIONED, verify
from parity.mutation.by_seed import Ledger, Line, counted, judge_seeds

LINES, NUMBERS = "alarms.jsonl", "alarms.json"
LINE = Artifact("line of a count of false alarms", "remove the file to begin anew")
Sides = Literal["port", "reference", "pair"]
Progress = Callable[[str, int, int], None]
"""(what was done last, runs judged, in all)."""


@dataclass(frozen=True)
class Runs:
    """How false alarms are counted.

    Attributes:
        place: "module:name" of the pair.
        against: what is compared: "port" or "reference", with itself; "pair", both as they are, which
            are known to be the same.
        runs: how many, with seeds from ``seed`` on.
        seed: of the first run.
        transitions, resets: of each run.
    """

    place: str
    against: Sides = "port"
    runs: int = 1000
    seed: int = 0
    transitions: int = 64
    resets: int = 1000


def against_itself(pair: Pair, which: Sides) -> Pair:
    """Return a pair of one side of a pair, twice; the pair itself for "pair".

    Actions are drawn from the pair's action space and handed over as the pair hands them to that side.
    """
    if which == "pair":
        return pair
    side = getattr(pair, which)
    partner: Side = side.partner
    asked = pair.reference.spaces()["action"] or pair.port.spaces()["action"]
    if _words(asked) != _words(side.spaces()["action"]):
        declared = {**side.spaces(), "action": asked}
        side = copy(side)
        side.spaces = lambda: declared
    twice = replace(pair, name=f"{pair.name}: {which} twice", reference=side, port=side, accepted=())
    side.partner = partner  # its own, not itself
    return twice


def _words(space: Space | None) -> dict[str, str]:
    return {name: leaf.describe() for name, leaf in (space or {}).items()}


def count_alarms(wanted: Runs, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Verify with every seed that has not been tried yet, and return what all of them came to.

    Args:
        wanted: what to run.
        out: folder for alarms.jsonl and alarms.json; runs of the same kind that lie there count.
        progress: called after every run.

    Returns:
        "runs", "alarms" (seeds with what was said), "at_most" (upper end of a 95% interval of the
        chance of an alarm), "seconds", the settings, and versions and device.

    Raises:
        InputError: the pair cannot be compared, or the folder holds runs of another kind.
    """
    shipped = load_pair(wanted.place)
    pair = against_itself(shipped, wanted.against)
    out.mkdir(parents=True, exist_ok=True)

    def judge(seed: int) -> dict[str, Any]:
        began = time.perf_counter()
        report = verify(pair, transitions=wanted.transitions, resets=wanted.resets, seed=seed)
        return {"alarm": report.differences, "seconds": round(time.perf_counter() - began, 3)}

    def told(line: Line, done: int, of: int) -> None:
        if progress is not None:
            progress(f"seed {line['seed']}", done, of)

    ledger = Ledger(out / LINES, LINE, _asked(wanted, shipped))
    lines = judge_seeds(ledger, range(wanted.seed, wanted.seed + wanted.runs), judge, told)
    alarms = [{"seed": line["seed"], "said": line["alarm"]} for line in lines if line["alarm"]]
    result = {
        "format": 1,
        "pair": pair.name,
        **counted(lines, alarms),
        "settings": asdict(wanted),
        "made": {"when": provenance.now(), **provenance.made_with(VERSIONED, jax.devices())},
    }
    write_json(out / NUMBERS, result)
    return result


def _asked(wanted: Runs, pair: Pair) -> dict[str, Any]:
    """Return what a line is about: the pair, all sources and versions, and how large a run is."""
    names = ("against", "transitions", "resets")
    bound = bound_code(pair, wanted.place.partition(":")[0])
    sizes = {name: getattr(wanted, name) for name in names}
    return {"pair": wanted.place, **sizes, **told_of_code(bound)}
