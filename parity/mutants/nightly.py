"""Nightly mutation testing: a general tool changes the port, and what the gate let pass is listed.

``python -m parity.mutants.nightly``. Whoever writes both a gate and its catalogue of faults flatters
himself, so cosmic-ray (``pip install cosmic-ray``) makes faults of its own. Many are no faults at all
(``x * 1`` for ``x / 1``), so a survivor is for a person to judge and fails nothing.
"""

from __future__ import annotations

import difflib
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from foundation.errors import run_command
from foundation.json_reading import Artifact, decode_json
from foundation.progress import EACH_TASK, progress_bar
from foundation.signals import run_child
from markets import InputError
from parity.mutants.run import OUT, ControlFailed, pass_control
from parity.mutants.sandbox import PORT, Sandbox, snapshot

PHASE2 = "jax_port/envs/env_phase2_jax.py"
MODULES = (
    "jax_port/envs/env_phase1_jax.py",
    "jax_port/envs/account.py",
    PHASE2,
    "jax_port/envs/intrabar.py",
    "jax_port/data/features.py",
)
KILLED, SURVIVED, CRASHED = "killed", "survived", "did not run"

SPOTS = Artifact("list of changes", "install cosmic-ray again, in the version of constraints.txt")
_CONFIG = """\
[cosmic-ray]
module-path = [{modules}]
timeout = 600.0
excluded-modules = []
test-command = "{python} -c pass"
[cosmic-ray.distributor]
name = "local"
"""


@dataclass(frozen=True)
class Spot:
    """One change that the tool would make.

    Attributes:
        file: path relative to the folder that holds the packages.
        operator: what the tool calls the change.
        occurrence: which of the places in the file where the operator applies.
        line: of the file, from 1.
        function: the innermost definition around it.
    """

    file: str
    operator: str
    occurrence: int
    line: int
    function: str


@dataclass(frozen=True)
class Fate:
    """What became of one change.

    Attributes:
        file, line, function, operator: of the change.
        outcome: killed, survived or did not run.
        changed, outputs: output arrays that it changed by a bit, and output arrays compared.
        killed_by: the first check that objected, and to what.
        diff: the changed lines.
        cpu_seconds: processor time.
    """

    file: str
    line: int
    function: str
    operator: str
    outcome: str
    changed: int
    outputs: int
    killed_by: str
    diff: str
    cpu_seconds: float


def find_tool(given: str | None) -> str:
    """Return the path of cosmic-ray.

    Raises:
        InputError: it is not installed.
    """
    beside = Path(sys.executable).parent / "cosmic-ray"
    path = shutil.which(given) if given else shutil.which("cosmic-ray") or shutil.which(str(beside))
    if path is None:
        raise InputError(
            f"no program {given or 'cosmic-ray'}; install it with `pip install cosmic-ray`, or name it "
            "with --tool"
        )
    return path


def find_spots(tool: str, sources: Path, folder: Path, modules: Sequence[str]) -> list[Spot]:
    """Ask the tool for every change it would make.

    Args:
        tool: path of cosmic-ray.
        sources: the folder that holds the packages.
        folder: where the tool may write.
        modules: files relative to ``sources``.
    """
    names = ", ".join(json.dumps(name) for name in modules)
    config, session = folder / "cosmic-ray.toml", folder / "session.sqlite"
    config.write_text(_CONFIG.format(modules=names, python=sys.executable), encoding="utf-8")
    _call([tool, "init", str(config), str(session)], sources)
    spots = []
    for line in _call([tool, "dump", str(session)], sources).splitlines():
        for change in decode_json(line, list[Any], SPOTS, where=session)[0]["mutations"]:
            spots.append(
                Spot(
                    file=change["module_path"],
                    operator=change["operator_name"],
                    occurrence=change["occurrence"],
                    line=change["start_pos"][0],
                    function=change["definition_name"] or "",
                )
            )
    return sorted(spots, key=lambda s: (s.file, s.line, s.operator, s.occurrence))


def _call(command: Sequence[str], cwd: Path) -> str:
    done = run_child(command, cwd=cwd)
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise InputError(f"`{' '.join(command[:2])}` failed: {lines[-1] if lines else done.returncode}")
    return done.stdout


def attempt(sandbox: Sandbox, control: dict[str, str], tool: str, number: int, spot: Spot) -> Fate:
    """Make one change to a copy of the port and hold it against the recordings.

    Args:
        sandbox: with recordings and sources.
        control: digests of the unchanged port's outputs.
        tool: path of cosmic-ray.
        number: names the copy.
        spot: the change.
    """
    place = sandbox.folder / f"spot-{number}"
    shutil.copytree(sandbox.sources / PORT, place / PORT)
    before = (place / spot.file).read_text(encoding="utf-8")
    _call([tool, "apply", spot.file, spot.operator, str(spot.occurrence)], place)
    after = (place / spot.file).read_text(encoding="utf-8")
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    diff = "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))
    trial = sandbox.try_port(place, everything=False, phase=2 if spot.file == PHASE2 else 1)
    objections = trial.objections
    outcome = CRASHED if trial.error else KILLED if objections else SURVIVED
    first = f"{objections[0]['check']}: {objections[0]['field']}" if objections else trial.error
    shutil.rmtree(place)
    return Fate(
        file=spot.file,
        line=spot.line,
        function=spot.function,
        operator=spot.operator,
        outcome=outcome,
        changed=sum(control.get(name) != digest for name, digest in trial.outputs.items()),
        outputs=len(trial.outputs),
        killed_by=first,
        diff=diff,
        cpu_seconds=trial.cpu_seconds,
    )


@click.command()
@click.option("--limit", type=int, help="Try only so many of the tool's changes, drawn by the seed.")
@click.option("--seed", default=0, show_default=True, help="Draws which, where --limit is given.")
@click.option("--jobs", default=2, show_default=True, help="Changes tried at a time.")
@click.option("--tool", help="Path of cosmic-ray, if it is not on the PATH.")
@click.option("--file", "files", multiple=True, default=MODULES, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def nightly(
    limit: int | None, seed: int, jobs: int, tool: str | None, files: tuple[str, ...], out: Path
) -> None:
    """List changes of a general mutation tool that the gate let pass; write nightly.json.

    Exit code 0 whatever survives, 1 if the unchanged port does not pass, 2 bad input.
    """
    from foundation.files import write_json
    from parity.mutants.recordings import make

    if jobs < 1 or (limit is not None and limit < 1):
        raise InputError("--jobs and --limit must be at least 1")
    tool = find_tool(tool)
    console, began = Console(), time.perf_counter()
    with (
        tempfile.TemporaryDirectory(prefix="rltrader-nightly-") as folder,
        progress_bar(EACH_TASK, "{task.fields[done]}", console=console, transient=False) as bar,
    ):
        task = bar.add_task("nightly", total=None, done="recording the reference")
        sandbox = Sandbox(Path(folder))
        snapshot(sandbox.sources)
        every = find_spots(tool, sandbox.sources, sandbox.folder, files)
        drawn = every if limit is None else random.Random(seed).sample(every, min(limit, len(every)))
        make(sandbox.recordings)
        bar.update(task, done="trying the unchanged port")
        try:
            control = pass_control(sandbox).outputs
        except ControlFailed as error:
            bar.stop()
            console.print(str(error), style="bold red", markup=False)
            raise SystemExit(1) from None
        bar.update(task, total=len(drawn))
        fates: list[Fate] = []
        with ThreadPoolExecutor(jobs) as pool:
            waiting = [
                pool.submit(attempt, sandbox, control, tool, number, spot)
                for number, spot in enumerate(drawn)
            ]
            for done in as_completed(waiting):
                fates.append(done.result())
                bar.update(task, advance=1, done=f"{fates[-1].function}: {fates[-1].outcome}")
    fates.sort(key=lambda fate: (fate.file, fate.line, fate.operator))
    write_json(out / "nightly.json", to_dict(fates, len(every), time.perf_counter() - began))
    show(console, fates, len(every))
    console.print(f"{out / 'nightly.json'}", style="dim", markup=False)


def to_dict(fates: Sequence[Fate], possible: int, seconds: float) -> dict[str, Any]:
    """Return plain values, ready for JSON: a summary, the survivors, and every fate."""
    outcomes = [fate.outcome for fate in fates]
    return {
        "summary": {
            "possible": possible,
            "tried": len(fates),
            **{name: outcomes.count(name) for name in (KILLED, CRASHED, SURVIVED)},
            "seconds": round(seconds, 1),
        },
        "survivors": [asdict(fate) for fate in fates if fate.outcome == SURVIVED],
        "tried": [asdict(fate) for fate in fates],
    }


def show(console: Console, fates: Sequence[Fate], possible: int) -> None:
    """Print the survivors, for a person to judge."""
    left = [fate for fate in fates if fate.outcome == SURVIVED]
    table = Table("where", "operator", "changed", "diff", box=None)
    for fate in left:
        where = f"{fate.file}:{fate.line} {fate.function}"
        operator = fate.operator.removeprefix("core/")
        table.add_row(where, operator, f"{fate.changed} of {fate.outputs}", fate.diff)
    if left:
        console.print(table)
    stopped = sum(fate.outcome == CRASHED for fate in fates)
    killed = sum(fate.outcome == KILLED for fate in fates)
    console.print(
        f"{len(fates)} of {possible} changes tried: {killed} killed, {stopped} did not run, "
        f"[bold]{len(left)} left to judge[/]"
    )


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(nightly)


if __name__ == "__main__":
    main()
