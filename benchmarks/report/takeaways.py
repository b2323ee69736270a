"""What each section shows, in two sentences computed from its numbers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.harness.statistics import median_of
from benchmarks.report.merge import pair_rows
from benchmarks.report.targets import best, best_vectorised, duration, looking
from benchmarks.suites.env_throughput import short
from benchmarks.suites.memory import size_words

Values = Mapping[str, Any]


def takeaway(section: str, report: Values) -> str:
    """Return a section's two sentences; what was not measured is said to be so."""
    return SENTENCES[section](report)


def times(ratio: Values | None) -> str:
    """Return a ratio with its quartiles, such as "3.1 times (2.9 to 3.3)"."""
    if ratio is None:
        return "an unknown number of times"
    low, high = ratio["quartiles"]
    return f"{_digits(ratio['median'])} times ({_digits(low)} to {_digits(high)})"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def base_row(rows: Sequence[Values]) -> Values | None:
    """Return the port's row with observations that others are compared with."""
    return next((row for row in rows if row["name"] == "port, obs" and median_of(row)), None)


def _env(report: Values) -> str:
    rows = report["rows"]
    base, vec = base_row(rows), best_vectorised(rows)
    if base is None:
        return "The port's own row failed. See the table for why."
    first = (
        f"At {base['envs']:,} environments the port makes {short(median_of(base) or 0)} steps/s with"
    )
    first += " every (N, 225) observation written"
    if vec is not None:
        first += f", {times(pair_rows(base, vec))} the best SubprocVecEnv"
    numpy = best(row for row in rows if row.get("side") == "NumPy")
    top = best(looking(rows)) or base
    second = f"Its best number of environments is {top['envs']:,}, with {short(median_of(top) or 0)}"
    if numpy is not None:
        second += f"; against the same rules in NumPy it is {times(pair_rows(base, numpy))} as fast"
    return f"{first}. {second}."


def _train(report: Values) -> str:
    rows = report["rows"]
    epochs = max((row["epochs"] for row in rows if row.get("epochs") and median_of(row)), default=None)
    same = [row for row in rows if row.get("epochs") == epochs]

    def of(side: str) -> Values | None:
        return best(row for row in same if row["side"] == side)

    ours, theirs, rival = of("port"), of("reference"), of("rival")
    if ours is None:
        return "The port's trainer failed. See the table for why."
    first = f"At {epochs} epochs the port trains {short(median_of(ours) or 0)} steps/s"
    if theirs is not None:
        first += f", {times(pair_rows(ours, theirs))} the best MaskablePPO"
    failed = [row["name"] for row in rows if row.get("error")]
    if rival is not None:
        second = f"The fastest other JAX trainer is {rival['name']}, which has"
        second += (
            f" {'' if rival.get('masks') else 'no '}masks: the port is {times(pair_rows(ours, rival))}"
        )
        second += " as fast"
    else:
        second = "No other JAX trainer was measured"
    if failed:
        second += f"; {len(failed)} row{'s' if len(failed) > 1 else ''} failed and say so"
    return f"{first}. {second}."


def _floors(report: Values) -> str:
    shares = [floor for floor in report["floors"] if floor["share"]]
    ours = [floor for floor in shares if floor["rival"].startswith("port")]
    theirs = [floor for floor in shares if floor["rival"].startswith("reference")]
    if not ours:
        return "No share could be computed. See the table for why."
    top = max(ours, key=lambda floor: float(floor["share"]["median"]))
    first = f"Nearest to what the machine allows is {top['rival']}: {top['share']['median']:.0%} of its"
    first += f" {top['words']}"
    if top["share"]["median"] > 1:
        first += ", so that floor was measured too low, or not all that it counts was done"
    if not theirs:
        return f"{first}. The reference was not measured here."
    low = max(theirs, key=lambda floor: float(floor["share"]["median"]))
    return f"{first}. The reference comes no nearer than {low['share']['median']:.2g} ({low['rival']})."


def _scaling(report: Values) -> str:
    rows = [row for row in report["rows"] if median_of(row)]

    def over(what: str) -> list[Values]:
        return [row for row in rows if row["what"] == what]

    devices = sorted(over("environment over devices"), key=lambda row: row["axes"]["devices"])
    if len(devices) > 1:
        ratio = times(pair_rows(devices[-1], devices[0]))
        first = f"{devices[-1]['axes']['devices']} devices step environments {ratio} as fast as one"
    else:
        first = "There was one device only, so nothing is said of several"
    seconds = [sum(row["seconds"]) / len(row["seconds"]) for row in report["compile"]]
    second = "Compile time was not measured"
    if seconds:
        sizes = {axis: [row[axis] for row in report["compile"]] for axis in ("environments", "steps")}
        ends = [f"{min(found):,} to {max(found):,} {axis}" for axis, found in sizes.items()]
        second = f"Compiling takes {min(seconds):.2f} to {max(seconds):.2f} s over {' and '.join(ends)}"
    return f"{first}. {second}."


def _latency(report: Values) -> str:
    rows = sorted(
        (row for row in report["rows"] if not row.get("error")), key=lambda row: float(row["median_us"])
    )
    if not rows:
        return "No rival could be run. See the table for why."
    first, last = rows[0], rows[-1]
    return (
        f"The fastest decision is {first['name']}'s with {first['median_us']:.0f} µs, the slowest "
        f"{last['name']}'s with {last['median_us']:.0f} µs. A decision is due once a minute bar, so "
        "any of them is fast enough."
    )


def _memory(report: Values) -> str:
    rows = [row for row in report["rows"] if "bytes" in row]
    workers = [row for row in rows if "SubprocVecEnv" in row["name"]]
    loops = [row for row in rows if row.get("form")]
    if not loops:
        return "The port's loop could not be compiled. See the table for why."
    parts = [f"{size_words(row['bytes'])} {row['name'].split(', ')[1]}" for row in loops[-2:]]
    first = f"An environment of the port takes {' and '.join(parts)}"
    if workers:
        low = min(workers, key=lambda row: float(row["bytes"]))
        first += f"; a worker process of the reference takes {size_words(low['bytes'])}"
    busy = [row for row in report["utilisation"] if "cpu_share" in row]
    if not busy:
        return f"{first}. Utilisation was not measured."
    most = max(busy, key=lambda row: float(row["cpu_share"]))
    second = f"Of {most['cores']} cores, {most['name']} keeps {most['cpu_share']:.0%} busy"
    bare = next((row for row in busy if row["name"] == "reference"), None)
    second += f", the bare reference {bare['cpu_share']:.0%}" if bare else ""
    return f"{first}. {second}."


def _time_to_return(report: Values) -> str:
    took: dict[str, list[float]] = {}
    for row in report["rows"]:
        if not row.get("error"):
            late = row["seconds"] is None
            took.setdefault(row["name"], []).append(math.inf if late else float(row["seconds"]))
    middle = {name: statistics.median_high(runs) for name, runs in took.items()}
    there = sorted((name for name in took if middle[name] < math.inf), key=middle.__getitem__)
    if not there:
        return "No trainer reached the return within its limit. The curves show how far each came."
    runs = took[there[0]]
    several = len(runs) > 1
    first = f"{there[0]} is first, after {duration(middle[there[0]])} of training"
    if several:
        ends = [duration(end) if end < math.inf else "never" for end in (min(runs), max(runs))]
        first += f", the median of {len(runs)} seeds ({ends[0]} to {ends[1]})"
    if len(there) == 1:
        return f"{first}. Nobody else got there."
    second = f"{there[-1]} is the last to get there, after {duration(middle[there[-1]])}"
    missing = len(took) - len(there)
    if missing:
        second += f", and {missing} did not within the limit"
    if several:
        before = [name for name in there[1:] if min(took[name]) < max(runs)]
        if before:
            second += f". With some seed {' and '.join(before)} came before the slowest of the first"
    return f"{first}. {second}."


SENTENCES: Mapping[str, Callable[[Values], str]] = {
    "env": _env,
    "train": _train,
    "floors": _floors,
    "scaling": _scaling,
    "latency": _latency,
    "memory": _memory,
    "time_to_return": _time_to_return,
}
