"""Several runs of one section as one report, samples by block: the spread between blocks shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.harness.statistics import paired, scaled, spread

RATES = ("steps_per_second", "rate")


def merge(reports: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return one report of a section's blocks.

    Args:
        reports: by block, at least one; None where the block failed.

    Returns:
        The first report there is, with every row's samples of all blocks. A row that failed in some
        block keeps what the others measured, and its error.
    """
    there = [report for report in reports if report is not None]
    if len(reports) == 1:
        return dict(there[0])
    merged: dict[str, Any] = {key: value for key, value in there[0].items() if key != "ratios"}
    names = dict.fromkeys(row["name"] for report in there for row in report["rows"])
    by_block = [
        {row["name"]: row for row in report["rows"]} if report is not None else {} for report in reports
    ]
    merged["rows"] = [_merge_row([block.get(name) for block in by_block]) for name in names]
    if "floors" in merged:
        rows = {row["name"]: row for row in merged["rows"]}
        merged["floors"] = [
            {**floor, "share": _share(floor, rows)} for floor in merged["floors"]
        ]  # fmt: skip
    for key in ("compile", "loading"):
        if key in merged:
            merged[key] = _gather(key, there)
    return merged


def _merge_row(rows: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Return one row of its blocks; None where a block hasn't got it."""
    there = [row for row in rows if row is not None]
    good = [row for row in there if not row.get("error")] or there
    merged = dict(good[0])
    errors = [row["error"] for row in there if row.get("error")]
    if good[0].get("error"):
        return merged
    if errors:
        merged["errors"] = errors
    for key in RATES:
        if key in merged:
            blocks = [
                list(row[key]["samples"]) if row is not None and not row.get("error") else []
                for row in rows
            ]
            samples = [sample for block in blocks for sample in block]
            merged[key] = {**spread(samples), "samples": samples, "blocks": blocks}
    if "prepare_seconds" in merged:
        merged["prepare_seconds"] = float(np.median([row["prepare_seconds"] for row in good]))
    if "median_us" in merged:
        merged["blocks"] = [[row["median_us"]] for row in good]
        for key in ("median_us", "p99_us"):
            merged[key] = float(np.median([row[key] for row in good]))
    return merged


def pair_rows(above: Mapping[str, Any], below: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the spread of above / below over the rounds that both have; None if there are none."""
    first, second = _blocks(above), _blocks(below)
    pairs = [(a, b) for a, b in zip(first, second, strict=False) if a and len(a) == len(b)]
    if not pairs:
        return None
    return paired([x for a, _ in pairs for x in a], [x for _, b in pairs for x in b])


def _blocks(row: Mapping[str, Any]) -> list[Any]:
    """Return a row's samples by block; one block where it was not merged."""
    rates: Mapping[str, Any] = next((row[key] for key in RATES if key in row), {})
    return list(rates.get("blocks") or [rates.get("samples", [])])


def _share(floor: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, Any] | None:
    ratio = pair_rows(rows[floor["rival"]], rows[floor["floor"]])
    return None if ratio is None else scaled(ratio, floor["per_step"])


def _gather(key: str, reports: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first report's list with the seconds of all."""
    first: list[dict[str, Any]] = [dict(row) for row in reports[0][key]]
    name = "seconds" if key == "compile" else "prepare_seconds"
    for number, row in enumerate(first):
        seconds = [report[key][number][name] for report in reports]
        row[name] = (
            [x for some in seconds for x in some] if key == "compile" else float(np.median(seconds))
        )
    return first


def block_spread(row: Mapping[str, Any]) -> float | None:
    """Return how far the medians of a row's blocks scatter: their standard deviation over their mean.

    None with fewer than two blocks.
    """
    timed = next((row[key] for key in RATES if key in row), row)
    medians = [float(np.median(block)) for block in timed.get("blocks") or () if block]
    if len(medians) < 2:
        return None
    return float(np.std(medians, ddof=1) / np.mean(medians))
