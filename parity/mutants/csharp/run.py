"""Measure how many mutants of the C# side are killed, and by what.

``python -m parity.mutants.csharp.run BUNDLE...``. What computes features and decisions is judged by
the golden numbers of bundles, as ``rltrader export`` makes them; what handles orders by random
interleavings of events on the simulated platform. What lives is shown to the tests of the C# side.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from foundation.errors import InputError, run_command
from foundation.files import file_digest, json_digest, write_json
from foundation.import_closure import PACKAGES_ROOT, digests
from foundation.json_lines import adding_lines, require_same
from foundation.progress import EACH_TASK, progress_bar
from parity.export_chain.csharp import SOURCES, checker_sources, host_sources, missing
from parity.mutants.csharp.operators import changes_of_csharp
from parity.mutants.sampled.judges import make_tree, run_tests
from parity.mutants.sampled.summary import TESTS
from parity.mutation.lines import LINES, key_of, read_lines
from parity.mutation.operators import Change
from parity.mutation.sample import rounds
from parity.mutation.score import SURVIVED, score_of

OUT = Path("reports/mutation_csharp")
ASKED = "asked.json"
"""What the mutants of a folder were judged with."""
GOLDEN, INTERLEAVINGS = "golden numbers", "interleavings"
"""Who may kill a mutant."""
CSHARP_TESTS = (
    "tests/parity/fusion/test_verify.py",
    "tests/ninjatrader/test_strategy.py",
    "tests/ninjatrader/test_decision_log.py",
    "tests/ninjatrader/test_advised_policy.py",
    "tests/ninjatrader/test_csharp.py",
)
SECONDS = 120
"""That a judge may take: one that does not end has found its mutant."""
TESTS_SECONDS = 600.0
"""That the tests of one mutant may take, some of which wait for the strategy."""


@click.command()
@click.argument("bundles", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--count", default=60, show_default=True, type=click.IntRange(1), help="Mutants in all.")
@click.option("--seed", default=0, show_default=True, help="Of the sample, and of the interleavings.")
@click.option("--scenarios", default=1000, show_default=True, help="Interleavings played to each.")
@click.option("--out", type=click.Path(path_type=Path), default=OUT, show_default=True)
def command(bundles: tuple[Path, ...], count: int, seed: int, scenarios: int, out: Path) -> None:
    """Try a seeded sample of changes of the C# sources; write mutants.jsonl and score.json.

    BUNDLES are folders that ``rltrader export`` made, one of each phase at best. Exit code 0 whatever
    survives, 2 for bad input. A run that was cut off goes on where it was, with the same seed, sources
    and bundles.
    """
    if (lacking := missing()) is not None:
        raise InputError(f"the C# side is {lacking}")
    for bundle in bundles:
        if not (bundle / "golden.json").is_file():
            raise InputError(f"{bundle}: no golden.json; give folders that `rltrader export` made")
    out.mkdir(parents=True, exist_ok=True)
    lines = read_lines(out / LINES)
    require_same(out / ASKED, asked_of(bundles, seed, scenarios), bool(lines))
    known = {key_of(line) for line in lines}
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="rltrader-csharp-") as scratch,
        progress_bar(EACH_TASK, "{task.fields[done]}", console=console, transient=False) as bar,
        adding_lines(out / LINES, lines) as add,
    ):
        judge = Judge(Path(scratch), bundles, seed, scenarios)
        task = bar.add_task("mutation", total=count, completed=len(lines), done="compiling")
        for change in drawn(seed):
            if len(lines) >= count:
                break
            if key_of(change) in known:
                continue
            outcome = judge.judge(change)
            if outcome is None:  # it does not compile
                continue
            lines.append({**asdict(change), "outcome": outcome, "by": outcome})
            add(lines[-1])
            bar.update(task, advance=1, done=f"{change.file}:{change.line} {outcome}")
    score = score_of((str(line["outcome"]) for line in lines), (GOLDEN, INTERLEAVINGS, TESTS))
    survivors = [line for line in lines if line["outcome"] == SURVIVED]
    write_json(out / "score.json", {"seed": seed, "count": count, "all": score, "survivors": survivors})
    console.print(score)


def asked_of(bundles: Sequence[Path], seed: int, scenarios: int) -> dict[str, Any]:
    """Return what decides on the outcome of a mutant."""
    sources = sorted({*checker_sources(), *host_sources()})
    judges = [PACKAGES_ROOT / name for name in CSHARP_TESTS]
    return {
        "seed": seed,
        "scenarios": scenarios,
        "bundles": sorted(file_digest(bundle / "golden.json") for bundle in bundles),
        "C# sources": json_digest(
            {path.relative_to(SOURCES).as_posix(): file_digest(path) for path in sources}
        ),
        "tests": json_digest([file_digest(path) if path.is_file() else "" for path in judges]),
        "code": json_digest(digests(PACKAGES_ROOT, ["parity.mutants.csharp.run"])),
    }


def drawn(seed: int) -> Iterator[Change]:
    """Return changes of all files in turn, each file's in an order of the seed."""
    paths = {
        path.relative_to(SOURCES).as_posix(): path for path in (*checker_sources(), *host_sources())
    }
    changes = {
        name: changes_of_csharp(name, path.read_bytes())
        for name, path in sorted(paths.items())
        if name.partition("/")[0] in ("policy", "live", "strategy")
    }
    return chain.from_iterable(rounds(changes, seed))


class Judge:
    """Compiles a changed source with all others and runs what may find the change.

    Args:
        scratch: folder for what is compiled.
        bundles: with golden numbers.
        seed, scenarios: of the interleavings.

    Raises:
        InputError: the unchanged sources do not pass.
    """

    def __init__(self, scratch: Path, bundles: Sequence[Path], seed: int, scenarios: int) -> None:
        self._scratch, self._bundles = scratch, [bundle.resolve() for bundle in bundles]
        self._play = ["interleavings", str(scenarios), str(seed)]
        for file in ("policy/Agent.cs", "live/Custody.cs"):
            outcome = self._compile_and_judge(Change(file, 1, "none", 0, 0, "", ""))
            if outcome != SURVIVED:
                raise InputError(f"the unchanged C# sources do not pass ({outcome or 'not compiled'})")

    def judge(self, change: Change) -> str | None:
        """Return who kills a change, :data:`SURVIVED`, or None where it does not compile."""
        outcome = self._compile_and_judge(change)
        return self._ask_tests(change) if outcome == SURVIVED else outcome

    def _ask_tests(self, change: Change) -> str:
        tree = self._scratch / "tree"
        change = replace(change, file=f"{SOURCES.name}/{change.file}")
        try:
            make_tree(PACKAGES_ROOT, tree, change, copied=("parity",))
            return run_tests(CSHARP_TESTS, tree, self._scratch / "compiled", TESTS_SECONDS).outcome
        finally:
            shutil.rmtree(tree, ignore_errors=True)

    def _compile_and_judge(self, change: Change) -> str | None:
        policy = change.file.startswith("policy/")
        sources = checker_sources() if policy else host_sources()
        program = self._compile(change, sources)
        if program is None:
            return None
        if policy:
            for bundle in self._bundles:
                if not self._passes(program, ["golden", str(bundle)]):
                    return GOLDEN
            return SURVIVED
        return SURVIVED if self._passes(program, self._play) else INTERLEAVINGS

    def _compile(self, change: Change, sources: Sequence[Path]) -> Path | None:
        target, out = SOURCES / change.file, self._scratch / "mutant.exe"
        changed = self._scratch / target.name
        changed.write_bytes(change.apply(target.read_bytes()))
        given = [str(changed if path == target else path) for path in sources]
        command = ["mcs", "-langversion:5", "-nowarn:0162,0168,0219,0414", f"-out:{out}", *given]
        done = subprocess.run(command, capture_output=True, check=False)
        return None if done.returncode else out

    def _passes(self, program: Path, arguments: Sequence[str]) -> bool:
        try:
            # In the scratch folder: a mutant may write where it runs.
            done = subprocess.run(
                ["mono", str(program), *arguments],
                cwd=self._scratch,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def main() -> None:
    """Run the command; bad input prints one sentence and exits with code 2."""
    run_command(command)


if __name__ == "__main__":
    main()
