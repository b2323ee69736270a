"""Stop commands at random moments: ``python -m tests.fuzz.interruptions --command train``.

A command is killed, asked to stop, or finds its disk full or read-only at a moment drawn at random.
Then its place must hold the old whole or the new whole, it must have ended within seconds, none of its
processes may be left, and what it says must be one sentence. A training must be gone on with, and end
in the policy of one that nothing disturbed.

Every run is a fork of this process, which has imported all there is to import, so that the moments
fall into the work of the command itself.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tests.fuzz.forked import GONE_WITHIN, Ended, run
from tests.fuzz.small_disk import SmallDisk
from tests.fuzz.whole import contents, leftovers, unsound

SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
TROUBLES = (*SIGNALS, "full", "read-only")
POLICY = "policy-0.safetensors"
LATE = 1.05
"""Of an undisturbed run's time, the latest moment."""


@dataclass(frozen=True)
class Trial:
    """One moment of one trouble: how it ended, and what is wrong with that (empty: nothing)."""

    command: str
    trouble: str
    number: int
    moment: float
    code: int
    place: str
    seconds: float
    wrong: str


@dataclass(frozen=True)
class Subject:
    """A command to stop.

    Attributes:
        arguments: of ``rltrader``, from the folder that holds the place.
        place: what it writes, in that folder.
        resume: arguments that go on with what was stopped; None where the command begins anew.
        replaces: whether it takes the place of what is there; else there is nothing before.
    """

    arguments: tuple[str, ...]
    place: str
    resume: tuple[str, ...] | None = None
    replaces: bool = True


def write_inputs(folder: Path) -> None:
    """Write what the commands read: bars and a policy."""
    from jax_port.ppo.policy import save_policy
    from markets.synthetic.bars import synthetic_bars
    from markets.writers import write_bars
    from tests.jax_port.export.made_bundle import made_policy

    write_bars(synthetic_bars("ES", days=4, seed=7), folder / "bars.parquet")
    save_policy(folder / "policy.safetensors", made_policy(1))


def subjects(inputs: Path) -> dict[str, Subject]:
    """Return the commands, small."""
    bars, policy = str(inputs / "bars.parquet"), str(inputs / "policy.safetensors")
    data = ("--data", bars, "--symbol", "ES", "--allow-overlap", "--from", "2025-01-06")
    sizes = ["--synthetic", "5", "--steps", "61440", "--envs", "32", "--n-steps", "32", "--ungated"]
    sizes += ["--batch-size", "256", "--epochs", "1", "--pi", "16", "--vf", "16"]
    sizes += ["--checkpoint-every", "2"]
    gate = ("--episodes", "4", "--cases", "200", "--days", "2", "--symbols", "ES", "--workers", "1")
    return {
        "train": Subject(
            ("train", *sizes, "--out", "run"), "run", ("train", "--out", "run", "--resume")
        ),
        "evaluate": Subject(("evaluate", policy, *data, "--out", "evaluation"), "evaluation"),
        "export": Subject(("export", policy, "--to", "bundle"), "bundle", replaces=False),
        "parity": Subject(("parity", "run", *gate, "--out", "parity"), "parity"),
    }


def shorten_the_gate() -> None:
    """Let the gate look at its first scenario alone, since this is about how it writes and ends."""
    from parity.suites import trading

    whole, parts = trading.make_scenarios, trading.parts_of
    trading.make_scenarios = lambda request: list(whole(request))[:1]  # type: ignore[assignment]
    trading.parts_of = lambda request, scenarios: [
        part for part in parts(request, scenarios) if part.kind == "worlds"
    ]
    trading.draw_configurations = lambda seed: []  # type: ignore[assignment]


class Undisturbed:
    """A command that ran to its end undisturbed.

    Attributes:
        name, subject: what ran.
        place: what it wrote, and ``names`` the files in there.
        took: seconds of processor time.
        policy: digest of the policy that it trained; empty where it trains none.
        goes_on: whether a stopped one is gone on with.
    """

    def __init__(self, name: str, subject: Subject, folder: Path) -> None:
        self.name, self.subject, self.place = name, subject, folder / subject.place
        for _ in range(2):  # the second time all is compiled, as for those that follow
            shutil.rmtree(self.place, ignore_errors=True)
            ended = run(subject.arguments, folder, 0.0, None)
            assert ended.code in (0, 1), ended.said
            assert not ended.left, ended.said
            self.took = ended.computed
        self.names = set(contents(self.place))
        self.goes_on = subject.resume is not None
        self.policy = contents(self.place).get(POLICY, "")


class Series:
    """One command under one trouble, moment after moment, in a folder that it is stopped in."""

    def __init__(self, undisturbed: Undisturbed, trouble: str, folder: Path) -> None:
        self.like, self.trouble = undisturbed, trouble
        self.disk = SmallDisk(folder) if trouble in ("full", "read-only") else None
        self.home = self.disk.root if self.disk else folder
        self.place = self.home / undisturbed.subject.place
        if not undisturbed.goes_on and undisturbed.subject.replaces:
            shutil.copytree(undisturbed.place, self.place)
            if self.disk is not None:
                self.disk.flush()

    def _arguments(self) -> tuple[str, ...]:
        resume = self.like.subject.resume
        if resume is not None and (self.place / "run.json").exists():
            return resume
        return self.like.subject.arguments

    def _policy(self) -> str:
        return contents(self.place).get(POLICY, "") if self.place.exists() else ""

    def strike(self, process: int) -> None:
        """Bring the trouble."""
        if self.trouble in SIGNALS:
            os.kill(process, SIGNALS[self.trouble])
        elif self.disk is not None and self.trouble == "full":
            self.disk.fill()
        elif self.disk is not None:
            self.disk.fail()

    def mend(self) -> None:
        """Take the trouble away."""
        if self.disk is not None and self.trouble == "full":
            self.disk.empty()
        elif self.disk is not None:
            self.disk.mend()

    def trial(self, number: int, seed: int) -> Trial:
        """Stop the command once and judge what is left."""
        draw = random.Random(f"{seed} {self.like.name} {self.trouble} {number}")
        moment = draw.random() * LATE * self.like.took
        if self.like.goes_on and self._policy():
            shutil.rmtree(self.place)  # the last one ended; begin anew
        if not self.like.subject.replaces:
            shutil.rmtree(self.place, ignore_errors=True)
        before = self._state()
        ended = run(self._arguments(), self.home, moment, self.strike)
        wrong = self._judge_end(ended)
        place = self._compare(before)
        if self.trouble == "full" and leftovers(self.home):
            wrong = wrong or f"half-written files are left: {leftovers(self.home)}"
        self.mend()
        again = self._compare(before)
        return Trial(
            *(self.like.name, self.trouble, number, round(moment, 2), ended.code, place),
            round(ended.seconds, 2),
            wrong or (place if place.startswith("HALF") else again if again.startswith("HALF") else ""),
        )

    def _state(self) -> tuple[int, dict[str, str]]:
        there = self.place.exists()
        return (self.place.stat().st_ino if there else 0, contents(self.place) if there else {})

    def _compare(self, before: tuple[int, dict[str, str]]) -> str:
        inode, after = self._state()
        if self.like.goes_on:
            bad = unsound(self.place) if self.place.exists() else ""
            if not bad and self._policy() not in ("", self.like.policy):
                bad = "another policy"
            return f"HALF: {bad}" if bad else "finished" if self._policy() else "can be gone on with"
        if after == before[1] and inode == before[0]:
            return "old"
        bad = unsound(self.place)
        if bad or set(after) != self.like.names or inode == before[0]:
            others = sorted(set(after) ^ self.like.names)
            return f"HALF: {bad or others or 'files were replaced one by one'}"
        return "new"

    def _judge_end(self, ended: Ended) -> str:
        code, said = ended.code, ended.said
        if "Traceback" in said:
            return f"a traceback: {said[-600:]}"
        if ended.left:
            return f"{len(ended.left)} processes are left"
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        if self.trouble in SIGNALS:
            expected = (0, 1, -SIGNALS[self.trouble], 128 + SIGNALS[self.trouble])
            if code not in expected or errors:
                return f"exit code {code}: {said[-600:]}"
            if ended.seconds > GONE_WITHIN and code not in (0, 1):
                return f"it took {ended.seconds:.1f} s to end"
        elif code == 2 and len(errors) == 1:
            words = "disk is full" if self.trouble == "full" else "read-only"
            return "" if words in errors[0] else f"does not name the cause: {errors[0]}"
        elif code not in (0, 1):
            return f"exit code {code}: {said[-600:]}"
        return ""

    def finish(self) -> str:
        """Run the command undisturbed where something is left to do; say what is wrong with its end."""
        bad = ""
        if leftovers(self.home) or (self.like.goes_on and not self._policy()):
            ended = run(self._arguments(), self.home, 0.0, None)
            bad = ended.said if ended.code not in (0, 1) else unsound(self.place)
            if not bad and self._policy() != self.like.policy:
                bad = "the policy is another than that of an undisturbed training"
            if not bad and leftovers(self.home):
                bad = f"half-written files are left: {leftovers(self.home)}"
        if self.disk is not None:
            self.disk.close()
        return bad


_WRITE = """
import sys
from pathlib import Path
from tests.fuzz.interruptions import write_inputs
"""


@contextlib.contextmanager
def undisturbed(name: str) -> Iterator[Undisturbed]:
    """Yield a command that ran to its end, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="undisturbed-") as place:
        inputs = Path(place) / "inputs"
        inputs.mkdir()
        # In a process of its own: JAX must not have begun where processes are forked.
        writer = [sys.executable, "-c", f"{_WRITE}write_inputs(Path(sys.argv[1]))", str(inputs)]
        subprocess.run(writer, check=True)
        yield Undisturbed(name, subjects(inputs)[name], Path(place))


def try_moments(like: Undisturbed, trouble: str, moments: range, seed: int) -> Iterator[Trial | str]:
    """Yield how a command took a trouble at each moment, and what is wrong with its end."""
    with tempfile.TemporaryDirectory(prefix="interrupted-") as place:
        series = Series(like, trouble, Path(place))
        try:
            for number in moments:
                yield series.trial(number, seed)
        finally:
            bad = series.finish()
        if bad:
            yield bad


IMPORTED = (
    *("jax_port.evaluation.report", "jax_port.export.bundle", "parity.suites.trading"),
    *("rltrader.evaluate", "rltrader.export", "rltrader.parity", "rltrader.train"),
)


def import_everything(folder: str) -> None:
    """Import what the commands import, and keep what they compile, so that no moment is spent on it."""
    os.environ |= {
        "JAX_COMPILATION_CACHE_DIR": folder,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    for module in IMPORTED:
        importlib.import_module(module)
    shorten_the_gate()


@click.command()
@click.option("--command", "commands", multiple=True, help="Only these; all four by default.")
@click.option("--trouble", "troubles", multiple=True, type=click.Choice(TROUBLES))
@click.option("--moments", default=15, show_default=True, help="Of each command and trouble.")
@click.option("--first", default=0, show_default=True, help="Number of the first moment.")
@click.option("--seed", default=0, show_default=True)
@click.option("--log", type=click.Path(path_type=Path), help="File of JSON lines to add to.")
def main(
    commands: tuple[str, ...],
    troubles: tuple[str, ...],
    moments: int,
    first: int,
    seed: int,
    log: Path | None,
) -> None:
    """Stop commands at random moments; exit code 1 where one breaks a promise."""
    total = 0
    with tempfile.TemporaryDirectory(prefix="compiled-") as compiled:
        import_everything(compiled)
        for name in commands or ("train", "evaluate", "export", "parity"):
            with undisturbed(name) as like:
                print(f"{name}: {like.took:.1f} s of computing, undisturbed", flush=True)
                for trouble in troubles or TROUBLES:
                    trials = try_moments(like, trouble, range(first, first + moments), seed)
                    total += tell(name, trouble, trials, log)
    sys.exit(1 if total else 0)


def tell(name: str, trouble: str, trials: Iterator[Trial | str], log: Path | None) -> int:
    """Print how a series went; return how many of its trials went wrong."""
    counts, slowest, wrongs = Counter[str](), 0.0, 0
    for one in trials:
        if isinstance(one, str) or one.wrong:
            wrongs += 1
            print(f"{name} {trouble}: {one}", flush=True)
        if isinstance(one, Trial):
            counts[f"exit {one.code}, {one.place.partition(':')[0]}"] += 1
            slowest = max(slowest, one.seconds)
            if log is not None:
                with log.open("a") as file:
                    file.write(json.dumps(asdict(one)) + "\n")
    listed = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
    print(f"{name} {trouble}: {listed}; slowest end {slowest:.1f} s", flush=True)
    return wrongs


if __name__ == "__mp_main__":
    shorten_the_gate()  # in the processes that drive the reference too
if __name__ == "__main__":
    main()
