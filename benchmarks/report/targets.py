"""The plan's own table: what it estimated, what it wants, and what was measured on both sides.

Source: the migration plan's table of performance and its target metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.harness.statistics import median_of
from benchmarks.report.merge import pair_rows
from benchmarks.report.sections import SECTIONS
from benchmarks.suites.env_throughput import short
from benchmarks.suites.memory import size_words

TWO_MILLION = 2_000_000
EPOCHS = 4
"""Passes over a rollout that the plan's training time is read at, where they were measured."""
NOT_MEASURED = "not measured"


def plan_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the table.

    Returns:
        For each: metric, plan_now, plan_target, legacy, port (words), ratio (how many times better the
        port is, of speeds the median of the rounds' own ratios, or None), met (True, False, or None
        where it was not measured), how, command.
    """
    env, train, memory = (_rows(report, name) for name in ("env", "train", "memory"))
    return [
        _env_steps(env),
        _at_size(env, 1_000, 100_000),
        _at_size(env, 10_000, 500_000),
        _training(train),
        _gpu(report),
        _memory(memory),
        _market(memory),
    ]


def _rows(report: Mapping[str, Any], section: str) -> list[dict[str, Any]]:
    found = report["sections"].get(section, {}).get("report")
    return list(found["rows"]) if found else []


def command_of(section: str) -> str:
    """Return the command that measures a section's rows."""
    one = next(section_ for section_ in SECTIONS if section_.name == section)
    return " ".join(["python", "-m", one.module, *one.options])


def _row(metric: str, now: str, target: str, section: str, how: str, **about: Any) -> dict[str, Any]:
    empty = {"legacy": NOT_MEASURED, "port": NOT_MEASURED, "ratio": None, "met": None}
    row = {"metric": metric, "plan_now": now, "plan_target": target, "how": how}
    return {**row, "command": command_of(section), **empty, **about}


def best(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the row of the highest median; None if no row has one."""
    measured = [row for row in rows if median_of(row) is not None]
    return max(measured, key=lambda row: median_of(row) or 0.0, default=None)


def _rate(row: Mapping[str, Any] | None) -> float | None:
    return None if row is None else median_of(row)


def _per_second(rate: float | None) -> str:
    return NOT_MEASURED if rate is None else f"{short(rate)} steps/s"


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _gain(above: Mapping[str, Any] | None, below: Mapping[str, Any] | None) -> float | None:
    ratio = pair_rows(above, below) if above and below else None
    return None if ratio is None else float(ratio["median"])


def best_vectorised(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the fastest ``SubprocVecEnv`` of the reference; None if none was measured."""
    return best(row for row in rows if "SubprocVecEnv" in row["name"])


def looking(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the port's rows that write whole observations."""
    return [row for row in rows if row.get("side") == "port" and row.get("form") == "obs"]


def _env_steps(rows: list[dict[str, Any]]) -> dict[str, Any]:
    old = best_vectorised(rows)
    new = best(looking(rows))
    legacy, port = _rate(old), _rate(new)
    how = "best SubprocVecEnv; the port's best, (N, 225) observations written in every step"
    if old and new:
        how = f"{old['name']}; {new['name']} at {new['envs']:,} environments, all (N, 225) written"
    return _row(
        "Environment steps a second",
        "~5,000",
        "~2,000,000",
        "env",
        how,
        legacy=_per_second(legacy),
        port=_per_second(port),
        ratio=_gain(new, old),
        met=None if port is None else port >= 2_000_000,
    )


def _at_size(rows: list[dict[str, Any]], envs: int, target: int) -> dict[str, Any]:
    old = best_vectorised(rows)
    new = best(row for row in looking(rows) if row["envs"] == envs and row.get("devices", 1) == 1)
    port = _rate(new)
    return _row(
        f"{envs // 1000}k environments",
        "",
        f"> {target // 1000}k steps/s",
        "env",
        f"the port with observations at {envs:,} environments, one device; best SubprocVecEnv",
        legacy=_per_second(_rate(old)),
        port=_per_second(port),
        ratio=_gain(new, old),
        met=None if port is None else port > target,
    )


def _training(rows: list[dict[str, Any]]) -> dict[str, Any]:
    there = sorted({row["epochs"] for row in rows if row.get("epochs") and median_of(row)})
    epochs = EPOCHS if EPOCHS in there or not there else there[0]
    same = [row for row in rows if row.get("epochs") == epochs]
    old, new = (best(row for row in same if row["side"] == side) for side in ("reference", "port"))
    legacy, port = _rate(old), _rate(new)
    words = [NOT_MEASURED if rate is None else duration(TWO_MILLION / rate) for rate in (legacy, port)]
    return _row(
        "Training, 2 million steps",
        "6-8 h",
        "15-30 min",
        "train",
        f"2,000,000 over the best rate of each side at {epochs} epochs, 225-(256, 256) twice",
        legacy=words[0],
        port=words[1],
        ratio=_gain(new, old),
        met=None if port is None else TWO_MILLION / port <= 30 * 60,
    )


def _gpu(report: Mapping[str, Any]) -> dict[str, Any]:
    memory = report["sections"].get("memory", {}).get("report")
    metric, how = "GPU utilisation", "share of time with a kernel running, while training"
    if not memory:
        return _row(metric, "~20%", "~85%", "memory", how)
    training = [row for row in memory["utilisation"] if "epochs" in row["name"]]
    shares, words = {}, {}
    for side in ("reference", "port"):
        row: Mapping[str, Any] = next((row for row in training if row["side"] == side), {})
        shares[side] = row.get("gpu_share")
        why = row.get("error") or row.get("gpu_reason") or NOT_MEASURED
        words[side] = why if shares[side] is None else f"{shares[side]:.0%}"
    port = shares["port"]
    return _row(
        metric,
        "~20%",
        "~85%",
        "memory",
        how,
        legacy=words["reference"],
        port=words["port"],
        ratio=_ratio(port, shares["reference"]),
        met=None if port is None else port >= 0.85,
    )


def _memory(rows: list[dict[str, Any]]) -> dict[str, Any]:
    workers = [row["bytes"] for row in rows if "SubprocVecEnv" in row["name"] and "bytes" in row]
    loops = [row["bytes"] for row in rows if row.get("form") == "obs" and "bytes" in row]
    legacy, port = (min(workers) if workers else None), (loops[-1] if loops else None)
    return _row(
        "Memory per environment",
        "~50 MB",
        "~0.1 MB",
        "memory",
        "PSS of a SubprocVecEnv worker, the smallest; the port's compiled loop with observations",
        legacy=NOT_MEASURED if legacy is None else size_words(legacy),
        port=NOT_MEASURED if port is None else size_words(port),
        ratio=_ratio(legacy, port),
        met=None if port is None else port <= 100_000,
    )


def _market(rows: list[dict[str, Any]]) -> dict[str, Any]:
    one = next((row for row in rows if row["name"] == "port, market" and "bytes" in row), None)
    how = "all arrays of one market on the device"
    if one is None:
        return _row("Memory per market", "", "< 500 MB", "memory", how)
    return _row(
        "Memory per market",
        "",
        "< 500 MB",
        "memory",
        f"{how}, {one['bars']:,} bars; once for all environments",
        legacy="in each worker",
        port=size_words(one["bytes"]),
        met=one["bytes"] < 500e6,
    )


def duration(seconds: float) -> str:
    """Return seconds for reading, such as "23 min"."""
    for size, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds:.3g} s"
