"""The whole benchmark report: every section in a process of its own, one JSON, one page.

    python -m benchmarks.report.run [--quick] [--sections env,train] [--minutes 60]

Sections run in blocks, one round of all of them after another, so that samples are spread over the
whole run. Interrupted, it goes on where it stopped: a section is run again only if its settings, the
code it imports, or the machine have changed. A section that fails is a notice on the page.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.harness.measure import PACKAGES, cpu_model, write_json
from benchmarks.harness.options import quick_option
from benchmarks.report.merge import merge
from benchmarks.report.sections import REPORT, SECTIONS, Section
from foundation.errors import run_command
from foundation.import_closure import PACKAGES_ROOT, digests
from markets import InputError
from parity.engine.report import write_text

SCHEMA = 1
OUT = Path("reports/benchmarks")
FULL_MINUTES = 60.0
"""The length at which a section's own measuring times hold; time to a return comes on top."""
SLACK_MINUTES = 15.0
"""What a section may take beyond three times its share, before it is stopped."""
SAID = 4000
"""Characters kept of what a section said last."""


def command_of(section: Section, quick: bool, minutes: float) -> list[str]:
    """Return the arguments after ``python -m`` that run one block of a section, but for ``--json``."""
    if quick:
        # The sizes are quick's own; the sections' options say only which rows there are.
        return [section.module, "--quick", *section.options]
    options = list(section.options)
    if section.seconds_per_row is not None:
        options += ["--seconds-per-row", f"{section.seconds_per_row * minutes / FULL_MINUTES:g}"]
    return [section.module, *options]


@cache
def code_of(module: str) -> dict[str, str]:
    """Return the SHA-256 of every file a module imports, directly or not."""
    return digests(PACKAGES_ROOT, [module])


def digest_of(command: Sequence[str]) -> str:
    """Return a SHA-256 over a command, the code it imports, the machine and the versions."""
    about = {
        "command": list(command),
        "code": code_digest(command[0]),
        "machine": [cpu_model(), os.cpu_count(), os.environ.get("XLA_FLAGS", "")],
        "platforms": os.environ.get("JAX_PLATFORMS", ""),
        "versions": [sys.version, *(version(name) for name in PACKAGES)],
    }
    return _sha256(about)


def code_digest(module: str) -> str:
    """Return a SHA-256 over the code a module imports."""
    return _sha256(code_of(module))


def _sha256(about: object) -> str:
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def run_block(command: Sequence[str], out: Path, limit: float) -> dict[str, Any]:
    """Run one block of a section and keep a record of it.

    Args:
        command: from :func:`command_of`.
        out: where the section writes its JSON; the record lies beside it.
        limit: seconds after which it is stopped.

    Returns:
        command, digest, code (its digest alone), when, exit_code (None if stopped), seconds, and the
        end of what it said.
    """
    digest = digest_of(command)
    out.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    began, when = time.perf_counter(), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    # A session of its own, so that its workers end with it.
    process = subprocess.Popen(
        [sys.executable, "-m", *command, "--json", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    code: int | None = None
    try:
        said, _ = process.communicate(timeout=limit)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        said += f"\nstopped after {limit:,.0f} s"
    except BaseException:  # Ctrl-C ends the section, too
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    record = {
        "command": list(command),
        "digest": digest,
        "code": code_digest(command[0]),
        "when": when,
        "exit_code": code,
        "seconds": time.perf_counter() - began,
        "said": said[-SAID:],
    }
    write_json(record_path(out), record)
    return record


def record_path(out: Path) -> Path:
    """Return where the record of a block lies."""
    return out.with_name(f"{out.stem}.run.json")


def read(path: Path) -> dict[str, Any] | None:
    """Return what a JSON file holds; None if it is not there or damaged."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def is_done(command: Sequence[str], out: Path) -> bool:
    """Return whether a block has been run by this very code, with these settings, on this machine."""
    record = read(record_path(out))
    if record is None or record.get("exit_code") != 0 or read(out) is None:
        return False
    return record.get("digest") == digest_of(command)


def chosen(names: str) -> list[Section]:
    """Return sections by name, in their own order.

    Raises:
        InputError: there is none of that name.
    """
    wanted = [name.strip() for name in names.split(",")]
    known = {section.name for section in SECTIONS}
    for name in wanted:
        if name not in known:
            raise InputError(f"{name!r} is no section; choose from {', '.join(sorted(known))}")
    return [section for section in SECTIONS if section.name in wanted]


def gather(sections: Sequence[Section], out: Path, blocks: int, made: dict[str, Any]) -> dict[str, Any]:
    """Return the merged report of all that lies in a folder.

    Args:
        sections: of the report.
        out: folder of the report.
        blocks: of those sections that run in blocks.
        made: how the report was made.

    Raises:
        InputError: no section has anything to show.
    """
    found: dict[str, Any] = {}
    surroundings: dict[str, Any] = {}
    for section in sections:
        paths = paths_of(section, out, blocks)
        runs = [read(record_path(path)) for path in paths]
        reports = [
            read(path) if run and run["exit_code"] == 0 else None
            for path, run in zip(paths, runs, strict=True)
        ]
        there = [report for report in reports if report is not None]
        if there and not surroundings:
            surroundings = there[0]["surroundings"]
        status = "ok" if len(there) == len(paths) else "partly" if there else "failed"
        found[section.name] = {
            "title": section.title,
            "status": status if any(runs) else "not run",
            "runs": [
                {**run, "stale": run.get("code") != code_digest(run["command"][0])}
                for run in runs
                if run
            ],
            "report": merge(reports) if there else None,
        }
    if not surroundings:
        said = next((run["said"] for s in found.values() for run in s["runs"]), "nothing was run")
        raise InputError(f"{out}: no section has ended well, so there is no report to write: {said}")
    return {
        "schema": SCHEMA,
        "benchmark": REPORT,
        "made": made,
        "surroundings": surroundings,
        "sections": found,
    }


def paths_of(section: Section, out: Path, blocks: int) -> list[Path]:
    """Return where the blocks of a section write."""
    count = blocks if section.blocks else 1
    return [out / "sections" / f"{section.name}.{block}.json" for block in range(count)]


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--out", type=click.Path(path_type=Path), default=OUT)
@click.option("--sections", "names", default=",".join(s.name for s in SECTIONS))
@click.option("--blocks", type=click.IntRange(1), default=3, help="Rounds of all sections.")
@click.option(
    "--minutes",
    type=click.FloatRange(1.0),
    default=FULL_MINUTES,
    help="About as long, on two cores; time to a return comes on top.",
)
@quick_option
@click.option("--fresh", is_flag=True, help="Run again what has been run.")
@click.option("--page-only", is_flag=True, help="Run nothing, make the page of what is there.")
def main(
    out: Path, names: str, blocks: int, minutes: float, quick: bool, fresh: bool, page_only: bool
) -> None:
    """Measure both systems and their rivals, and write benchmarks.json and benchmarks.html.

    Exit code 0 means that every section ran, 1 that some failed (the page says which), 2 bad input.
    """
    from benchmarks.report.page import render

    if out.is_file():
        raise InputError(f"{out} is a file; name a folder to write to")
    sections = chosen(names)
    began, console = time.perf_counter(), Console()
    if not page_only:
        run_all(console, sections, out, blocks, minutes, quick, fresh)
    made = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": again(out, names, blocks, minutes, quick),
        "seconds": time.perf_counter() - began,
        "quick": quick,
        "blocks": blocks,
        "minutes": minutes,
    }
    report = gather(sections, out, blocks, made)
    write_json(out / "benchmarks.json", report)
    write_text(out / "benchmarks.html", render(report))
    failed = [name for name, part in report["sections"].items() if part["status"] != "ok"]
    console.print(f"{out / 'benchmarks.html'}", markup=False)
    if failed:
        console.print(f"not complete: {', '.join(failed)}; the page says why", style="red")
        raise SystemExit(1)


def again(out: Path, names: str, blocks: int, minutes: float, quick: bool) -> str:
    """Return the command that makes this report."""
    asked = ["--out", str(out), "--blocks", str(blocks), "--minutes", f"{minutes:g}"]
    if len(chosen(names)) < len(SECTIONS):
        asked += ["--sections", names]
    return shlex.join(["nox", "-s", "benchmark", "--", *asked, *(["--quick"] if quick else [])])


def run_all(
    console: Console,
    sections: Sequence[Section],
    out: Path,
    blocks: int,
    minutes: float,
    quick: bool,
    fresh: bool,
) -> None:
    """Run the blocks that have not been run, under one progress bar."""
    todo = []
    for block in range(blocks):
        for section in sections:
            if block and not section.blocks:
                continue
            todo.append((section, paths_of(section, out, blocks)[block], block))
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=len(todo))
        for section, path, block in todo:
            bar.update(task, description=f"{section.name}, block {block + 1} of {blocks}")
            command = command_of(section, quick, minutes)
            if fresh or not is_done(command, path):
                share = max(minutes / FULL_MINUTES, 0.25) * section.minutes
                record = run_block(command, path, 60 * (3 * share + SLACK_MINUTES))
                if record["exit_code"] != 0:
                    last = (record["said"].strip().splitlines() or ["no word"])[-1]
                    bar.console.print(f"{section.name} failed: {last}", style="red", markup=False)
            bar.advance(task)


if __name__ == "__main__":
    run_command(main)
