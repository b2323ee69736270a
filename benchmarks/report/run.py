"""Benchmark report: every section in a process of its own, merged into one JSON file and one page.

    python -m benchmarks.report.run [--quick] [--sections env,train] [--minutes 60]

Sections run in blocks, one round of all of them after another, so that samples are spread over the
whole run. Interrupted, it goes on where it stopped: a section is run again only if its settings, the
code it imports, or the machine have changed. A section that fails is a notice on the page.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from msgspec.structs import replace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

from benchmarks.harness.options import quick_option
from benchmarks.harness.output import write_report
from benchmarks.harness.reports import SCHEMA, Made, MergedReport, SectionResult
from benchmarks.report.blocks import (
    FULL_MINUTES,
    block_paths,
    code_digest,
    is_done,
    read_run,
    read_section,
    run_block,
    section_command,
)
from benchmarks.report.merge import merge
from benchmarks.report.sections import SECTIONS, Section
from foundation.command_line.numbers import Number
from foundation.errors import InputError, run_command
from foundation.files import write_text
from foundation.progress import ReportedProgress
from foundation.provenance import now

OUT = Path("reports/benchmarks")
SLACK_MINUTES = 15.0
"""What a section may take beyond three times its share, before it is stopped."""


@dataclass(frozen=True)
class Request:
    """What is run and where it is written.

    Attributes:
        out: folder of the report.
        sections: of the report.
        blocks: rounds of all sections.
        minutes: about as long, on two cores.
        quick: whether sizes are tiny.
    """

    out: Path
    sections: Sequence[Section]
    blocks: int
    minutes: float
    quick: bool

    @property
    def command(self) -> str:
        """The command that makes this report again."""
        options = ["--out", str(self.out), "--blocks", str(self.blocks)]
        options += ["--minutes", f"{self.minutes:g}"]
        if len(self.sections) < len(SECTIONS):
            options += ["--sections", ",".join(section.name for section in self.sections)]
        options += ["--quick"] if self.quick else []
        return shlex.join(["nox", "-s", "benchmark", "--", *options])

    def made(self, seconds: float) -> Made:
        """Return how a report is made of it."""
        return Made(
            when=now(),
            command=self.command,
            seconds=seconds,
            quick=self.quick,
            blocks=self.blocks,
            minutes=self.minutes,
        )


def find_sections(names: str) -> list[Section]:
    """Return sections by name, with commas, in the order of :data:`SECTIONS`.

    Raises:
        InputError: there is none of that name.
    """
    wanted = [name.strip() for name in names.split(",")]
    known = {section.name for section in SECTIONS}
    for name in wanted:
        if name not in known:
            raise InputError(f"{name!r} is no section; choose from {', '.join(sorted(known))}")
    return [section for section in SECTIONS if section.name in wanted]


def gather(request: Request, seconds: float = 0.0) -> MergedReport:
    """Return the merged report of all that lies in a folder.

    Args:
        request: which sections, and where.
        seconds: that running them took.

    Raises:
        InputError: no section has anything to show.
    """
    sections = {
        section.name: gather_section(section, request.out, request.blocks)
        for section in request.sections
    }
    reports = [section.report for section in sections.values() if section.report is not None]
    if not reports:
        outputs = [run.output for section in sections.values() for run in section.runs]
        reason = outputs[0] if outputs else "nothing was run"
        raise InputError(
            f"{request.out}: no section has ended well, so there is no report to write: {reason}"
        )
    return MergedReport(
        schema=SCHEMA,
        machine_info=reports[0].machine_info,
        made=request.made(seconds),
        sections=sections,
    )


def gather_section(section: Section, out: Path, blocks: int) -> SectionResult:
    """Return what lies in a folder of one section: its runs, and their reports merged."""
    paths = block_paths(section, out, blocks)
    runs = [read_run(path) for path in paths]
    reports = [
        read_section(path) if run is not None and run.exit_code == 0 else None
        for path, run in zip(paths, runs, strict=True)
    ]
    complete = sum(report is not None for report in reports)
    status = "ok" if complete == len(paths) else "partly" if complete else "failed"
    return SectionResult(
        title=section.title,
        status=status if any(runs) else "not run",
        runs=tuple(replace(run, stale=run.code != code_digest(run.command[0])) for run in runs if run),
        report=merge(reports) if complete else None,
    )


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--out", type=click.Path(path_type=Path), default=OUT)
@click.option("--sections", "names", default=",".join(section.name for section in SECTIONS))
@click.option("--blocks", type=click.IntRange(1), default=3, help="Rounds of all sections.")
@click.option(
    "--minutes",
    type=Number(1.0),
    default=FULL_MINUTES,
    help="About as long, on two cores; time to a return comes on top.",
)
@quick_option
@click.option("--fresh", is_flag=True, help="Run again what has been run.")
@click.option("--page-only", is_flag=True, help="Run nothing, make the page of what is there.")
def main(
    out: Path, names: str, blocks: int, minutes: float, quick: bool, fresh: bool, page_only: bool
) -> None:
    """Measure both systems and their baselines, and write benchmarks.json and benchmarks.html.

    Exit code 0 means that every section ran, 1 that some failed (the page says which), 2 bad input.
    """
    from benchmarks.report.page import render

    if out.is_file():
        raise InputError(f"{out} is a file; name a folder to write to")
    request = Request(out, find_sections(names), blocks, minutes, quick)
    began, console = time.perf_counter(), Console()
    if not page_only:
        run_all(console, request, fresh)
    report = gather(request, time.perf_counter() - began)
    write_report(out / "benchmarks.json", report)
    write_text(out / "benchmarks.html", render(report))
    console.print(f"{out / 'benchmarks.html'}", markup=False)
    failed = [name for name, section in report.sections.items() if section.status != "ok"]
    if failed:
        console.print(f"not complete: {', '.join(failed)}; the page says why", style="red")
        raise SystemExit(1)


def _blocks(request: Request) -> Iterator[tuple[Section, int, Path]]:
    """Yield section, number of the block and place of its report, in the order of running."""
    for block in range(request.blocks):
        for section in request.sections:
            if block == 0 or section.blocks:
                yield section, block, block_paths(section, request.out, request.blocks)[block]


def run_all(console: Console, request: Request, fresh: bool) -> None:
    """Run the blocks that have not been run, or all of them, under one progress bar."""
    blocks = list(_blocks(request))
    columns = (
        TextColumn("{task.description}", style="bold", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with ReportedProgress(*columns, console=console) as bar:
        task = bar.add_task("", total=len(blocks))
        for section, block, path in blocks:
            bar.update(task, description=f"{section.name}, block {block + 1} of {request.blocks}")
            command = section_command(section, request.quick, request.minutes)
            if fresh or not is_done(command, path):
                share = max(request.minutes / FULL_MINUTES, 0.25) * section.minutes
                run = run_block(command, path, 60 * (3 * share + SLACK_MINUTES))
                if run.exit_code != 0:
                    last = (run.output.strip().splitlines() or ["it printed nothing"])[-1]
                    bar.console.print(f"{section.name} failed: {last}", style="red", markup=False)
            bar.advance(task)


if __name__ == "__main__":
    run_command(main)
