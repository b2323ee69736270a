"""Do whole jobs of the pages with an installed wheel: ``python -m tests.docs.from_wheel WHEEL [JOB]``.

Each person's pages are run from top to bottom, in an empty folder and by an environment that holds the
wheel; of the checkout it sees the examples, which are no part of the wheel, and the tests, by which
some pages make small files. ``nox -s wheel`` builds the wheel.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import venv
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import ROOT, pages
from tests.docs.python_blocks import run


@dataclass(frozen=True)
class Job:
    """What one person wants done.

    Attributes:
        extra: of the wheel; "" for its base.
        pages: which they follow, in order.
        needs: what they install beside the wheel, as their pages say.
    """

    extra: str
    pages: tuple[str, ...]
    needs: tuple[str, ...] = ()


TIMEOUT_SECONDS = 1_800
"""That a page's examples may take: modules are compiled as they are first imported."""

JOBS = {
    "trader": Job("export", ("docs/tutorial.md", "docs/evaluation.md")),
    "sb3": Job("export", ("docs/export.md",)),
    "jax": Job(
        "trader", ("docs/how-to/your-own-network.md", "docs/how-to/other-trainers.md"), ("rejax",)
    ),
    "port": Job(
        "",
        ("docs/how-to/your-own-port.md", "docs/explanation/gymnasium-and-gymnax.md"),
        ("gymnax", "six"),
    ),
}


def install(wheel: Path, job: Job, place: Path) -> Path:
    """Make an environment with the wheel and what a job needs; return its interpreter."""
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    wanted = f"{wheel}[{job.extra}]" if job.extra else str(wheel)
    options = ("-q", "--no-compile", "-c", str(ROOT / "constraints.txt"))
    subprocess.run([python, "-m", "pip", "install", *options, wanted, *job.needs], check=True)
    return python


def do(name: str, wheel: Path) -> bool:
    """Do one job; print how long each page took and what failed; return whether all went well."""
    named = {page.name: page for page in pages()}
    well = True
    with tempfile.TemporaryDirectory() as folder:
        python = install(wheel, JOBS[name], Path(folder, "environment"))
        sources = Path(folder, "sources")
        sources.mkdir()
        for part in ("examples", "tests"):
            (sources / part).symlink_to(ROOT / part)
        for page in JOBS[name].pages:
            began = time.perf_counter()
            faults = list(run(named[page], python, sources, TIMEOUT_SECONDS))
            well &= not faults
            seconds = time.perf_counter() - began
            print(
                f"{name}: {page}, {seconds:.0f} s, {len(faults)} faults", *faults, sep="\n", flush=True
            )
    return well


if __name__ == "__main__":
    done = [do(name, Path(sys.argv[1]).absolute()) for name in sys.argv[2:] or JOBS]
    sys.exit(not all(done))
