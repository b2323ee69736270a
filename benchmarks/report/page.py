"""HTML page of a merged report, self-contained: the table of targets, then every section."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from benchmarks.harness.reports import MergedReport, ScalingReport, SectionResult, SectionRun
from benchmarks.report.compare import section_scatter
from benchmarks.report.plots import Plot, scaling_plots, section_plots
from benchmarks.report.sections import measured_of
from benchmarks.report.tables import PageTable, section_tables
from benchmarks.report.takeaways import takeaway
from benchmarks.report.targets import Target, command_of, targets
from foundation.report.html import templates
from foundation.report.parts import Tone, Verdict

ABOUT = {
    "env": "Random valid actions, restarts included, float32 observations; compiling is apart. A step "
    "is one minute bar of one environment, (N, 225) the 225 numbers that each of N environments "
    "observes.",
    "train": "Rollout and update, end to end: the same bars, network and epochs for all.",
    "roofline": "What a step must move (bytes) or multiply, against what this machine moved and "
    "multiplied at best in the same rounds.",
    "scaling": "One size at a time moves away from a base point.",
    "latency": "For live trading: one decision at a time, on one thread.",
    "memory": "What one more environment costs, and how busy each side keeps the machine.",
    "time_to_return": "What users wait for: wall time until unseen bars of a market with a planted "
    "pattern are traded well.",
}


@dataclass(frozen=True)
class Notice:
    """What went wrong with a run: a title, and the end of what the run printed."""

    title: str
    output: str = ""


@dataclass(frozen=True)
class Noise:
    """How far blocks of a section scatter, in words."""

    title: str
    scatter: str


@dataclass(frozen=True)
class PageSection:
    """What the template shows of one section."""

    name: str
    title: str
    about: str
    status: str
    notices: Sequence[Notice]
    command: str
    seconds: float
    runs: int
    takeaway: str = ""
    plots: Sequence[Plot] = ()
    small: Sequence[Plot] = ()
    tables: Sequence[PageTable] = field(default_factory=list)


def render(report: MergedReport) -> str:
    """Return the page of a merged report, as :func:`benchmarks.report.run.gather` returns it.

    Every section has a place on the page, also one that failed.

    Returns:
        HTML that asks for nothing outside itself.
    """
    env = templates("benchmarks.report")
    rows = targets(report)
    with warnings.catch_warnings():
        # A name in a script that the measuring font lacks is still shown in the reader's own font.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        sections = [page_section(name, part) for name, part in report.sections.items()]
    return env.get_template("benchmark.html.j2").render(
        report=report,
        targets=rows,
        verdict=verdict(report, rows),
        sections=sections,
        noise=noise(report),
    )


def verdict(report: MergedReport, rows: Sequence[Target]) -> Verdict:
    """Return the page's verdict."""
    broken = [part.title for part in report.sections.values() if part.status != "ok"]
    measured = [row for row in rows if row.met is not None]
    missed = [row.metric for row in measured if not row.met]
    unjudged = len(rows) - len(measured)
    text = f"{unjudged} of the plan's {len(rows)} rows could not be judged here."
    if missed:
        text = f"Not met: {', '.join(missed)}. {text}"
    if broken:
        text += f" Not complete: {', '.join(broken)}."
    if report.made.quick:
        quick = "Tiny sizes: it shows that everything runs, and its numbers mean nothing."
        return Verdict("warn", "A quick run.", f"{quick} {text}")
    title = f"{len(measured) - len(missed)} of {len(measured)} measured targets met."
    tone: Tone = "bad" if missed else "warn" if broken else "good"
    return Verdict(tone, title, text)


def noise(report: MergedReport) -> list[Noise]:
    """Return, by section, how far the medians of its blocks scatter, over all its rows."""
    scatter = section_scatter(measured_of(report))
    return [
        Noise(part.title, f"±{scatter[name][0]:.1%}")
        for name, part in report.sections.items()
        if name in scatter
    ]


def _notices(part: SectionResult) -> list[Notice]:
    notices = [_failure(run) for run in part.runs if run.exit_code != 0]
    if part.status == "not run":
        notices.append(Notice("This section was not run."))
    if any(run.stale for run in part.runs):
        notices.append(Notice("Measured by code that has changed since."))
    return notices


def _failure(run: SectionRun) -> Notice:
    lines = run.output.strip().splitlines() or ["it printed nothing"]
    ended = "was stopped" if run.exit_code is None else f"ended with code {run.exit_code}"
    return Notice(f"A run {ended}: {lines[-1]}", "\n".join(lines[-30:]))


def page_section(name: str, part: SectionResult) -> PageSection:
    """Return what the template shows of a section."""
    section = PageSection(
        name=name,
        title=part.title,
        about=ABOUT[name],
        status=part.status,
        notices=_notices(part),
        command=command_of(name),
        seconds=sum(run.seconds for run in part.runs),
        runs=len(part.runs),
    )
    report = part.report
    if report is None:
        return section
    return replace(
        section,
        takeaway=takeaway(report),
        plots=section_plots(report),
        small=scaling_plots(report) if isinstance(report, ScalingReport) else (),
        tables=section_tables(report),
    )
