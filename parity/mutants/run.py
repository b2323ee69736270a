"""Mutation testing: put each fault of the catalogue into the port and see that the gate finds it.

``rltrader parity mutation`` and ``python -m parity.mutants.run``. A fault counts as found only if it
changed some output of the port and one of the gate's judges objected; a crash is no finding.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from foundation.errors import run_command
from foundation.import_closure import PACKAGES_ROOT
from foundation.progress import EACH_TASK, progress_bar
from markets import InputError
from parity.mutants.catalog import CATALOG, EQUIVALENT
from parity.mutants.mutant import Mutant
from parity.mutants.sandbox import Sandbox, Trial, snapshot

OUT = Path("reports/mutation")
KILLED, SURVIVED, UNCHANGED, CRASHED = "killed", "survived", "changed nothing", "did not run"
SHORT_NAMES = {
    "invariants, port": "invariants",
    "restart draws": "draws",
    "reset draws": "draws",
}
"""Shorter names of checks, for the table."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant.

    Attributes:
        id, file, violates: the mutant's.
        outcome: killed, survived, changed nothing, or did not run.
        changed, outputs: output arrays that it changed by a bit, and output arrays compared.
        killed_by: checks that objected, in the order in which they first did.
        scenario, world, field: where the first objection was, and to what.
        error: why it did not run.
        seconds, cpu_seconds: wall time and processor time.
    """

    id: str
    file: str
    violates: str
    outcome: str
    changed: int
    outputs: int
    killed_by: Sequence[str]
    scenario: str
    world: str
    field: str
    error: str
    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Session:
    """One run over some mutants.

    Attributes:
        verdicts: in the order of the catalogue.
        control: about the unchanged port: output arrays, transitions compared, seconds.
        seconds: of the whole run.
        jobs: mutants tried at a time.
    """

    verdicts: Sequence[Verdict]
    control: dict[str, Any]
    seconds: float
    jobs: int

    @property
    def passed(self) -> bool:
        """Whether every mutant was applied and killed; not where there is none."""
        return bool(self.verdicts) and all(verdict.outcome == KILLED for verdict in self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        outcomes = [verdict.outcome for verdict in self.verdicts]
        return {
            "passed": self.passed,
            "summary": {
                "mutants": len(outcomes),
                **{name: outcomes.count(name) for name in (KILLED, SURVIVED, UNCHANGED, CRASHED)},
                "seconds": round(self.seconds, 1),
                "cpu_seconds": round(sum(v.cpu_seconds for v in self.verdicts), 1),
                "jobs": self.jobs,
            },
            "control": self.control,
            "mutants": [asdict(verdict) for verdict in self.verdicts],
            "equivalent": [{"fault": fault, "reason": reason} for fault, reason in EQUIVALENT],
        }


class ControlFailed(Exception):
    """The unchanged port does not pass, so nothing that a mutant does would mean anything."""


def choose(only: Sequence[str]) -> list[Mutant]:
    """Return the mutants of these ids, all if none are given, each checked to apply.

    Raises:
        InputError: an id is unknown, or a mutant no longer fits its file.
    """
    known = {mutant.id: mutant for mutant in CATALOG}
    if unknown := [name for name in only if name not in known]:
        raise InputError(
            f"no mutant {', '.join(unknown)}; the ids are in reports/mutation/mutation.json and in "
            "parity/mutants"
        )
    chosen = [known[name] for name in dict.fromkeys(only)] if only else list(CATALOG)
    for mutant in chosen:
        mutant.check(PACKAGES_ROOT)
    return chosen


def pass_control(sandbox: Sandbox) -> Trial:
    """Return what the unchanged port puts out.

    Raises:
        ControlFailed: it does not run or does not pass.
    """
    control = sandbox.attempt(None)
    if control.error:
        raise ControlFailed(f"the unchanged port does not run: {control.error}")
    if control.objections:
        first = control.objections[0]
        raise ControlFailed(
            f"the unchanged port fails {first['check']} on {first['world']}: {first['field']}"
        )
    return control


def make_all(folder: Path) -> None:
    """Drive the reference's environments and its learner, and write everything a child needs."""
    from parity.mutants.learner import make_learner
    from parity.mutants.recordings import make

    make(folder)
    make_learner(folder)


def run(
    chosen: Sequence[Mutant],
    jobs: int,
    folder: Path,
    on_progress: Callable[[str], None] = lambda text: None,
    prepare: Callable[[Path], None] | None = None,
) -> Session:
    """Try mutants, a few at a time, each in a process of its own.

    Args:
        chosen: from :func:`choose`.
        jobs: how many at a time.
        folder: empty; it is filled with recordings, copies and results.
        on_progress: told what was done: the recordings, the control, then every mutant.
        prepare: writes the recordings; the whole of it by default.

    Raises:
        ControlFailed: the unchanged port does not run or does not pass.
    """
    began = time.perf_counter()
    sandbox = Sandbox(folder)
    snapshot(sandbox.sources)
    (prepare or make_all)(sandbox.recordings)
    on_progress("reference recorded")
    control = pass_control(sandbox)
    on_progress("control passed")
    by_id: dict[str, Verdict] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(attempt, sandbox, control, mutant) for mutant in chosen]
        for done in as_completed(waiting):
            verdict = done.result()
            by_id[verdict.id] = verdict
            on_progress(f"{verdict.id}: {verdict.outcome}")
    about = {
        "outputs": len(control.outputs),
        "checks": len(control.checks),
        "compared": sum(check["compared"] for check in control.checks),
        "seconds": round(control.seconds, 1),
        "cpu_seconds": control.cpu_seconds,
    }
    verdicts = [by_id[mutant.id] for mutant in chosen]
    return Session(verdicts, about, time.perf_counter() - began, jobs)


def attempt(sandbox: Sandbox, control: Trial, mutant: Mutant) -> Verdict:
    """Try one mutant in a process of its own, and say what became of it."""
    trial = sandbox.attempt(mutant)
    same = sum(control.outputs.get(name) == digest for name, digest in trial.outputs.items())
    changed = len(trial.outputs) - same
    objections = trial.objections
    first = objections[0] if objections else {"scenario": "", "world": "", "field": ""}
    if trial.error:
        outcome = CRASHED
    elif not changed:
        outcome = UNCHANGED
    else:
        outcome = KILLED if objections else SURVIVED
    names = [SHORT_NAMES.get(check["check"], check["check"]) for check in objections]
    return Verdict(
        id=mutant.id,
        file=mutant.file,
        violates=mutant.violates,
        outcome=outcome,
        changed=changed,
        outputs=len(trial.outputs),
        killed_by=list(dict.fromkeys(names)),
        scenario=first["scenario"],
        world=first["world"],
        field=first["field"],
        error=trial.error,
        seconds=round(trial.seconds, 1),
        cpu_seconds=trial.cpu_seconds,
    )


@click.command()
@click.option("--only", multiple=True, metavar="ID", help="Try only this mutant; may be repeated.")
@click.option("--jobs", default=2, show_default=True, help="Mutants tried at a time.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def mutation(only: tuple[str, ...], jobs: int, out: Path) -> None:
    """Plant faults in the port and see that the gate finds each; write mutation.json.

    Exit code 0 means that every fault was found, 1 that one was not (or that the unchanged port does
    not pass), 2 bad input.
    """
    from foundation.files import write_json

    if jobs < 1:
        raise InputError(f"--jobs is {jobs}; it must be at least 1")
    chosen = choose(only)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="rltrader-mutants-") as folder:
        try:
            with progress_bar(
                EACH_TASK, "{task.fields[done]}", console=console, transient=False
            ) as bar:
                task = bar.add_task("mutation", total=len(chosen) + 2, done="recording the reference")
                session = run(
                    chosen, jobs, Path(folder), lambda text: bar.update(task, advance=1, done=text)
                )
        except ControlFailed as error:
            console.print(str(error), style="bold red", markup=False)
            raise SystemExit(1) from None
    write_json(out / "mutation.json", session.to_dict())
    show(console, session)
    console.print(f"{out / 'mutation.json'}", style="dim", markup=False)
    if not session.passed:
        raise SystemExit(1)


def show(console: Console, session: Session) -> None:
    """Print the table of mutants and the verdict."""
    table = Table("mutant", "sentence violated", "changed", "found by", "first seen in", box=None)
    for verdict in session.verdicts:
        killed_by = ", ".join(verdict.killed_by) or f"[bold red]{verdict.outcome}[/]"
        where = f"{verdict.field} ({verdict.scenario})" if verdict.field else verdict.error
        changed = f"{verdict.changed} of {verdict.outputs}"
        table.add_row(verdict.id, verdict.violates, changed, killed_by, where)
    console.print(table)
    values = session.to_dict()["summary"]
    bad = {name: values[name] for name in (SURVIVED, UNCHANGED, CRASHED) if values[name]}
    colour = "green" if session.passed else "red"
    rest = "".join(f", {count} {name}" for name, count in bad.items())
    console.print(
        f"[bold {colour}]{values[KILLED]} of {values['mutants']} killed{rest}[/] in "
        f"{values['seconds']} s ({values['cpu_seconds']} s of processor time)"
    )


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(mutation)


if __name__ == "__main__":
    main()
