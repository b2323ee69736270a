"""``rltrader doctor``: what is installed and fits, what is missing, and the line that mends it."""

from __future__ import annotations

import json
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import click
from rich.table import Table
from rich.text import Text

from foundation.errors import InputError
from foundation.extras import (
    DISTRIBUTION,
    SOURCES,
    is_installed,
    packages_in_sources,
    packages_of_extras,
)
from foundation.own_parity import stranger
from foundation.report.format import byte_size, count
from rltrader.consoles import report_console

State = Literal["ok", "note", "missing"]

DEVELOPERS = ("test", "benchmark", "nightly", "notebook", "docs", "lint")
"""Extras of those who work on the project; a user misses nothing without them."""
NEEDED = ("trader", "reference")
"""Extras without which neither training nor the gate can run."""
LITTLE_SPACE = 2 * 2**30
"""Bytes of free space below which a training may not be able to save."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: the thing looked at.
        state: "ok", "note" (works, and something is worth knowing) or "missing".
        detail: what was seen.
        mend: what to do, or empty.
    """

    what: str
    state: State
    detail: str
    mend: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def doctor(as_json: bool) -> None:
    """Say what is installed, which devices there are, and what is missing.

    Exit code 0: training and the gate can run. 1: something that they need is missing.
    """
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in findings], indent=2))
    else:
        _show(findings)
    needed = {"Python", DISTRIBUTION, "JAX", *(f"extra {name}" for name in NEEDED)}
    raise SystemExit(int(any(one.state == "missing" and one.what in needed for one in findings)))


def examine() -> Iterator[Finding]:
    """Yield what is found, in the order in which it matters."""
    yield Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield _distribution()
    yield from _extras()
    yield _devices()
    yield from _torch()
    yield _certificate()
    yield _mono()
    yield _space("disk here", Path.cwd())
    yield _cache()


def _distribution() -> Finding:
    if sentence := stranger():
        return Finding(DISTRIBUTION, "missing", sentence)
    try:
        return Finding(DISTRIBUTION, "ok", version(DISTRIBUTION))
    except PackageNotFoundError:
        return Finding(DISTRIBUTION, "note", "runs from its folder, not installed")


def _extras() -> Iterator[Finding]:
    declared, place = packages_of_extras(), DISTRIBUTION
    if not declared:  # a clone that is not installed
        declared, place = packages_in_sources(), str(SOURCES)
    for extra in NEEDED:
        if extra not in declared:
            line = f"python -m pip install '{DISTRIBUTION}[{extra}]'"
            yield Finding(f"extra {extra}", "missing", "nothing here says what it brings", line)
    for extra, packages in declared.items():
        if extra in DEVELOPERS:
            continue
        absent = [name for name in packages if not is_installed(name)]
        if absent:
            editable = "" if place == DISTRIBUTION else "-e "
            line = f"python -m pip install {editable}'{place}[{extra}]'"
            yield Finding(f"extra {extra}", "missing", f"without {', '.join(absent)}", line)
        else:
            yield Finding(f"extra {extra}", "ok", ", ".join(packages))


def _devices() -> Finding:
    try:
        import jax

        devices = jax.devices()
    except Exception as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding("JAX", "missing", first, "see docs/how-to/train-on-a-gpu.md")
    detail = f"jax {jax.__version__}, {len(devices)} x {devices[0].device_kind} ({devices[0].platform})"
    if devices[0].platform == "cpu" and shutil.which("nvidia-smi"):
        return Finding(
            "JAX", "note", f"{detail}; a GPU is there", "python -m pip install 'jax[cuda12]'"
        )
    return Finding("JAX", "ok", detail)


def _torch() -> Iterator[Finding]:
    if not is_installed("torch"):
        return
    yield Finding("PyTorch", "ok", f"{version('torch')}, {'with' if _has_cuda() else 'without'} CUDA")


def _has_cuda() -> bool:
    spec = find_spec("torch")
    assert spec is not None
    folder = Path(next(iter(spec.submodule_search_locations or [""]))) / "lib"
    return any(folder.glob("libtorch_cuda*"))


def _certificate() -> Finding:
    make = "rltrader parity run, or nox -s parity"
    try:
        from parity.admission import CERTIFICATE, admit

        if not CERTIFICATE.is_file():
            return Finding("parity certificate", "note", f"no {CERTIFICATE} in this folder", make)
        certificate = admit(CERTIFICATE)
    except InputError as error:
        return Finding("parity certificate", "note", str(error), make)
    except ModuleNotFoundError as error:
        return Finding("parity certificate", "note", f"can't be judged without {error.name}", make)
    return Finding(
        "parity certificate",
        "ok",
        f"fits this code: {certificate['verdict']}, strength {certificate['strength']}",
    )


def _mono() -> Finding:
    absent = [name for name in ("mcs", "mono") if shutil.which(name) is None]
    if absent:
        detail = f"no {' and no '.join(absent)}: the C# strategy can't be compiled or run here"
        return Finding(
            "Mono", "note", detail, "install your system's packages mono-mcs and mono-runtime"
        )
    return Finding("Mono", "ok", "compiles and runs the C# side")


def _space(what: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free >= LITTLE_SPACE else "note"
    mend = "" if state == "ok" else "free some, or run in another folder"
    return Finding(what, state, f"{byte_size(free)} free in {folder}", mend)


def _cache() -> Finding:
    if not is_installed("pandas") or not is_installed("flax"):
        return Finding("cache of markets", "note", "not used without the extra trader")
    from jax_port.data.data_loader import default_cache_dir

    folder = default_cache_dir()
    files = list(folder.glob("*.safetensors")) if folder.is_dir() else []
    size = sum(path.stat().st_size for path in files)
    return Finding(
        "cache of markets", "ok", f"{count(len(files), 'file')}, {byte_size(size)} in {folder}"
    )


def _show(findings: list[Finding]) -> None:
    table = Table(box=None, show_header=False)
    styles = {"ok": "green", "note": "yellow", "missing": "red"}
    for one in findings:
        text = one.detail + (f"\n{one.mend}" if one.mend else "")
        table.add_row(Text(one.state, style=styles[one.state]), one.what, Text(text))
    report_console().print(table)
