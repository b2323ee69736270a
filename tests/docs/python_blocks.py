"""Run the Python blocks of a page, one after another in one process, and its marked shell blocks.

Comments before a block change how it is run, not what is shown:

- ``<!-- test`` and code up to ``-->``: runs before the next block; makes files and names it needs;
- ``<!-- in tests: 10_000 is 16 -->``: replaces a text of the next block, to make it small;
- ``<!-- run -->`` before a bash block: the block is run, and must end with exit code 0;
  ``<!-- run: prints TEXT -->`` also asks for TEXT in what it prints.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import ROOT, Block, Fault, Page

TIMEOUT_SECONDS = 400


def script(page: Page) -> str | None:
    """Return one Python program of all that a page asks to run; None if there is nothing."""
    parts: list[str] = []
    swaps: list[tuple[str, str]] = []
    run: str | None = None
    something = False
    for block in page.blocks:
        if block.language == "comment":
            if match := re.fullmatch(r"\s*in tests: (.+) is (.+?)\s*", block.code):
                swaps.append((match[1], match[2]))
            elif match := re.fullmatch(r"\s*run(?:: prints (.+?))?\s*", block.code):
                run = match[1] or ""
            elif match := re.fullmatch(r"\s*test\n(.*)", block.code, re.DOTALL):
                parts.append(_step(match[1], page, block.line + 1))
            continue
        code = block.code
        for old, new in swaps:
            if old not in code:
                raise ValueError(f"{page.name}:{block.line}: no {old!r} here to replace in tests")
            code = code.replace(old, new)
        if block.language == "python":
            parts.append(_step(code, page, block.line))
            something = True
        elif block.language == "bash" and run is not None:
            parts.append(_shell(code, page, block, run))
            something = True
        swaps, run = [], None
    return "namespace = {'__name__': '__page__'}\n" + "".join(parts) if something else None


def _step(code: str, page: Page, line: int) -> str:
    text = "\n" * (line - 1) + code
    return f"exec(compile({text!r}, {page.name!r}, 'exec'), namespace)\n"


def _shell(code: str, page: Page, block: Block, expected: str) -> str:
    return (
        "import subprocess\n"
        f"command = ['bash', '-euo', 'pipefail', '-c', {code!r}]\n"
        "done = subprocess.run(command, capture_output=True, text=True)\n"
        "print(done.stdout + done.stderr)\n"
        f"assert done.returncode == 0, '{page.name}:{block.line}: exit code ' + str(done.returncode)\n"
        f"assert {expected!r} in done.stdout + done.stderr, "
        f"'{page.name}:{block.line}: does not print ' + {expected!r}\n"
    )


def run(
    page: Page,
    python: Path = Path(sys.executable),
    sources: Path = ROOT,
    seconds: int = TIMEOUT_SECONDS,
) -> Iterator[Fault]:
    """Run a page's blocks in an empty folder; yield a fault with the end of what failed.

    Args:
        page: what to run.
        python: the interpreter that runs it.
        sources: folder on its path; the checkout, or one with what an installed project lacks.
        seconds: that its examples may take together.
    """
    program = script(page)
    if program is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        programs = Path(folder) / "bin"
        programs.mkdir()
        for name, module in (("python", ""), ("rltrader", " -m rltrader"), ("envparity", " -m parity")):
            shim = programs / name
            shim.write_text(f'#!/bin/sh\nexec "{python}"{module} "$@"\n')
            shim.chmod(0o755)
        path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PATH": path}
        environment["PYTHONPATH"] = str(sources)
        environment["RLTRADER_CACHE"] = str(Path(folder) / "cache")
        environment.pop("JAX_NUMPY_RANK_PROMOTION", None)
        environment.pop("JAX_NUMPY_DTYPE_PROMOTION", None)
        try:
            done = subprocess.run(
                [str(python), "-c", program],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=seconds,
            )
        except subprocess.TimeoutExpired:
            yield Fault(page.name, 0, f"its examples take more than {seconds} s")
            return
    if done.returncode:
        lines = re.findall(rf'File "{re.escape(page.name)}", line (\d+)', done.stderr)
        said = (done.stdout[-1500:] + done.stderr[-1500:]).strip()
        yield Fault(page.name, int(lines[-1]) if lines else 0, f"an example fails:\n{said}")
