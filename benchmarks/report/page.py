"""The report as one self-contained HTML page: the plan's table, then every section."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.report.compare import section_scatter
from benchmarks.report.plots import (
    busy_plot,
    envs_plot,
    floors_plot,
    latency_plot,
    memory_plot,
    return_plot,
    scaling_plots,
    train_plot,
)
from benchmarks.report.sections import measured_of
from benchmarks.report.tables import TABLES
from benchmarks.report.takeaways import takeaway
from benchmarks.report.targets import command_of, plan_rows
from foundation.report.html import templates

Values = Mapping[str, Any]

PLOTS: Mapping[str, list[tuple[str, Callable[[Values], Any]]]] = {
    "env": [("Steps a second over environments; bands are quartiles", envs_plot)],
    "train": [("Training steps a second; lines are quartiles", train_plot)],
    "floors": [("What each reaches of what the machine gave in the same rounds", floors_plot)],
    "scaling": [],
    "latency": [("One raw observation in, one action out", latency_plot)],
    "memory": [("Bytes", memory_plot), ("How busy each keeps the machine", busy_plot)],
    "time_to_return": [("Mean dollars an episode on unseen bars", return_plot)],
}

ABOUT = {
    "env": "Random valid actions, restarts included, float32 observations; compiling is apart.",
    "train": "Rollout and update, end to end: the same bars, network and epochs for all.",
    "floors": "What a step must move or multiply, against the machine's own rates in the same rounds.",
    "scaling": "One size at a time moves away from a base point.",
    "latency": "For live trading: one decision at a time, on one thread.",
    "memory": "What one more environment costs, and how busy each side keeps the machine.",
    "time_to_return": "What users wait for: wall time until unseen bars of a market with a planted "
    "pattern are traded well.",
}


def render(report: Values) -> str:
    """Return the page of a merged report, as :func:`benchmarks.report.run.gather` returns it.

    Every section has a place on the page, also one that failed.

    Returns:
        HTML that asks for nothing outside itself.
    """
    env = templates("benchmarks.report")
    rows = plan_rows(report)
    with warnings.catch_warnings():
        # A name in a script that the measuring font lacks is still shown in the reader's own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        sections = [_section(name, part) for name, part in report["sections"].items()]
    return env.get_template("benchmark.html.j2").render(
        report=report,
        plan=rows,
        headline=headline(report, rows),
        sections=sections,
        noise=noise(report),
    )


def headline(report: Values, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the page's verdict: tone, sign, title, and a sentence."""
    broken = [part["title"] for part in report["sections"].values() if part["status"] != "ok"]
    measured = [row for row in rows if row["met"] is not None]
    missed = [row["metric"] for row in measured if not row["met"]]
    met = len(measured) - len(missed)
    said = f"{len(rows) - len(measured)} of the plan's {len(rows)} rows could not be judged here."
    if missed:
        said = f"Not met: {', '.join(missed)}. {said}"
    if broken:
        said += f" Not complete: {', '.join(broken)}."
    title = f"{met} of {len(measured)} measured targets met."
    if report["made"]["quick"]:
        quick = "Tiny sizes: it shows that everything runs, and its numbers mean nothing."
        return {"tone": "warn", "sign": "!", "title": "A quick run.", "said": f"{quick} {said}"}
    tone, sign = ("bad", "✕") if missed else ("warn", "!") if broken else ("good", "✓")
    return {"tone": tone, "sign": sign, "title": title, "said": said}


def noise(report: Values) -> list[dict[str, str]]:
    """Return, by section, how far the medians of its blocks scatter, over all its rows."""
    scatter = section_scatter(measured_of(report))
    return [
        {"title": part["title"], "spread": f"±{scatter[name][0]:.1%}"}
        for name, part in report["sections"].items()
        if name in scatter
    ]


def _section(name: str, part: Values) -> dict[str, Any]:
    """Return what the template shows of a section."""
    found, notices = part["report"], []
    for run in part["runs"]:
        if run["exit_code"] == 0:
            continue
        lines = run["said"].strip().splitlines() or ["it said nothing"]
        ended = "was stopped" if run["exit_code"] is None else f"ended with code {run['exit_code']}"
        notices.append({"title": f"A run {ended}: {lines[-1]}", "said": "\n".join(lines[-30:])})
    if part["status"] == "not run":
        notices.append({"title": "This section was not run.", "said": ""})
    if any(run["stale"] for run in part["runs"]):
        notices.append({"title": "Measured by code that has changed since.", "said": ""})
    shown: dict[str, Any] = {
        "name": name,
        "title": part["title"],
        "about": ABOUT[name],
        "status": part["status"],
        "notices": notices,
        "command": command_of(name),
        "seconds": sum(run["seconds"] for run in part["runs"]),
        "runs": len(part["runs"]),
        "takeaway": "",
        "plots": [],
        "small": [],
        "tables": [],
    }
    if found is None:
        return shown
    shown["takeaway"] = takeaway(name, found)
    shown["plots"] = [{"title": title, "svg": draw(found)} for title, draw in PLOTS[name]]
    shown["small"] = scaling_plots(found) if name == "scaling" else []
    shown["tables"] = TABLES[name](found)
    return shown
