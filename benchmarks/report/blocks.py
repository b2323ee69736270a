"""Runs of a section's blocks, each in a process of its own, and the records kept of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.harness.machine_info import PACKAGES
from benchmarks.harness.output import write_report
from benchmarks.harness.reports import SCHEMA, SectionReport, SectionRun
from benchmarks.report.sections import Section
from foundation.files import json_digest
from foundation.import_closure import PACKAGES_ROOT, digests
from foundation.provenance import cpu_model, now, versions

FULL_MINUTES = 60.0
"""The length at which a section's own measuring times hold; time to a return comes on top."""
OUTPUT_LENGTH = 4000
"""Characters kept of what a section printed last."""
T = TypeVar("T")


def section_command(section: Section, quick: bool, minutes: float) -> list[str]:
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


def code_digest(module: str) -> str:
    """Return a SHA-256 over the code a module imports."""
    return json_digest(code_of(module))


def digest_of(command: Sequence[str]) -> str:
    """Return a SHA-256 over a command, the code it imports, the machine and the versions."""
    return json_digest(
        {
            "command": list(command),
            "code": code_digest(command[0]),
            "machine": [cpu_model(), os.cpu_count(), os.environ.get("XLA_FLAGS", "")],
            "platforms": os.environ.get("JAX_PLATFORMS", ""),
            "versions": [sys.version, versions(PACKAGES)],
        }
    )


def run_block(command: Sequence[str], out: Path, limit: float) -> SectionRun:
    """Run one block of a section and write a record of it.

    Args:
        command: from :func:`section_command`.
        out: where the section writes its JSON; the record lies beside it.
        limit: seconds after which it is stopped.
    """
    digest, code = digest_of(command), code_digest(command[0])
    out.unlink(missing_ok=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    began, when = time.perf_counter(), now()
    exit_code, output = _run_limited([sys.executable, "-m", *command, "--json", str(out)], limit)
    run = SectionRun(
        command=tuple(command),
        digest=digest,
        code=code,
        when=when,
        exit_code=exit_code,
        seconds=time.perf_counter() - began,
        output=output[-OUTPUT_LENGTH:],
    )
    write_report(record_path(out), run)
    return run


def _run_limited(arguments: Sequence[str], limit: float) -> tuple[int | None, str]:
    """Run a process and all that it starts; return its exit code, None if stopped, and its output."""
    # A session of its own, so that its workers end with it.
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=limit)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, f"{output}\nstopped after {limit:,.0f} s"
    except BaseException:  # Ctrl-C ends the section, too
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def record_path(out: Path) -> Path:
    """Return where the record of a block lies."""
    return out.with_name(f"{out.stem}.run.json")


def read_run(out: Path) -> SectionRun | None:
    """Return the record of a block; None if it is not there or damaged."""
    return _read(record_path(out), SectionRun)


def read_section(out: Path) -> SectionReport | None:
    """Return the report of a block; None if it is not there, damaged, or of another version."""
    report: SectionReport | None = _read(out, SectionReport)  # type: ignore[arg-type]
    return report if report is not None and report.schema == SCHEMA else None


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError, msgspec.DecodeError):
        return None


def is_done(command: Sequence[str], out: Path) -> bool:
    """Return whether a block has been run by this very code, with these settings, on this machine."""
    run = read_run(out)
    if run is None or run.exit_code != 0 or read_section(out) is None:
        return False
    return run.digest == digest_of(command)


def block_paths(section: Section, out: Path, blocks: int) -> list[Path]:
    """Return where the blocks of a section write."""
    count = blocks if section.blocks else 1
    return [out / "sections" / f"{section.name}.{block}.json" for block in range(count)]
