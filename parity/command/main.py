"""``envparity COMMAND``: what a command needs is imported when it is called, so help starts fast."""

from __future__ import annotations

import shlex
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError, printable, run_command
from foundation.json_reading import Artifact, decode_json

DEFAULT_OUT = Path("envparity-report")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def app() -> None:
    """Say whether a port of an environment is the same environment, and where not."""


@app.command()
@click.argument("place", metavar="MODULE:PAIR")
@click.option("--transitions", default=8_000, show_default=True, help="Steps from the same states.")
@click.option("--resets", default=1_000, show_default=True, help="Episodes begun on each side.")
@click.option("--seed", default=0, show_default=True, help="Of all choices.")
@click.option(
    "--devices",
    default=4,
    show_default=True,
    type=click.IntRange(0, 64),
    help="Share the port's batch out over so many, in another process; 0 to leave that out.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder for report.html, report.json, junit.xml and certificate.json.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def check(place: str, out: Path, quiet: bool, **options: Any) -> None:
    """Compare a pair's sides; exit code 0: same, 1: different or too little seen, 2: bad input."""
    from parity.command.foreign import their_errors
    from parity.harness.output.certificate import issue
    from parity.harness.output.write import PAGE, write_report
    from parity.harness.places import load_pair
    from parity.harness.verify import verify

    pair = load_pair(place)
    with _progress(quiet) as tell, their_errors():
        report = verify(pair, place=place, progress=tell, **options)
        certificate = issue(pair, report, place.partition(":")[0])
    write_report(out, report, certificate)
    for line in str(report).split("\n"):
        click.echo(printable(line))
    for case in report.smallest:
        if case.command:
            click.echo(printable(f"  to see it again: {case.command}"))
    click.echo(printable(f"report: {out / PAGE}"))
    if not report.passed:
        raise SystemExit(1)


def _progress(quiet: bool) -> Any:
    from contextlib import contextmanager

    @contextmanager
    def bar() -> Any:
        if quiet:
            yield None
            return
        from foundation.progress import progress_bar

        with progress_bar("envparity", "{task.fields[part]}") as shown:
            task = shown.add_task("", total=1, part="")
            yield lambda part, done, parts: shown.update(task, completed=done, total=parts, part=part)

    return bar()


@app.command()
@click.argument("place", metavar="MODULE:PAIR")
@click.option("--state", required=True, help="Every field of the state, as JSON.")
@click.option("--action", required=True, help="The action, as JSON.")
def case(place: str, state: str, action: str) -> None:
    """Put both sides in one state, take one action, and show every field (exit code 1: they differ)."""
    from parity.command.foreign import their_errors
    from parity.command.one_case import show_case
    from parity.harness.places import load_pair

    pair, given = load_pair(place), (_json("--state", state), _json("--action", action))
    with their_errors():
        lines, wrong = show_case(pair, *given)
    for line in lines:
        click.echo(printable(line))
    if wrong:
        raise SystemExit(1)


def _json(option: str, text: str) -> Any:
    return decode_json(text, Any, Artifact("JSON value", "copy it from a report"), where=option)


@app.command()
@click.argument("place", metavar="MODULE:PAIR")
@click.option("--count", default=60, show_default=True, type=click.IntRange(1), help="Mutants in all.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of all choices.")
@click.option(
    "--module", "modules", multiple=True, help="A module of the port; found by itself by default."
)
@click.option("--only", multiple=True, help="Change only this function or class; may be repeated.")
@click.option("--transitions", default=8_000, show_default=True, help="Steps of each verification.")
@click.option("--resets", default=1_000, show_default=True, help="Episodes begun in each.")
@click.option(
    "--patience",
    type=Number(0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds that one may take.",
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="At a time.")
@click.option(
    "--at-least",
    type=Number(0, 1),
    help="Exit code 1 if a smaller share than this is killed.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder for mutants.html, mutants.json and mutants.jsonl.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def mutate(at_least: float | None, out: Path, quiet: bool, **wanted: Any) -> None:
    """Change the port in small ways, one at a time, and say how many of them a check finds.

    A run that was cut off goes on where it was, if it is given the same folder.
    """
    from parity.command.foreign import their_errors
    from parity.mutation.page import sentence
    from parity.mutation.run import PAGE, Wanted, measure

    with _progress(quiet) as tell, their_errors():
        report = measure(Wanted(**wanted), out, tell)
    click.echo(printable(f"{report['pair']}: {sentence(report)}"))
    for one in report["survivors"]:
        click.echo(printable(f"  survived: {one['at']}: {one['old']} became {one['new']}; {one['by']}"))
    for one in report["likely_equivalent"]:
        click.echo(printable(f"  likely equivalent: {one['at']}: {one['old']} became {one['new']}"))
    click.echo(printable(f"page: {out / PAGE}"))
    share = report["score"]["score"]
    if at_least is not None and (share is None or share < at_least):
        raise SystemExit(1)


@app.command()
@click.argument("place", metavar="MODULE:PAIR")
@click.option(
    "--against",
    type=click.Choice(["port", "reference", "pair"]),
    default="port",
    show_default=True,
    help="A side that is compared with itself, or both as they are.",
)
@click.option("--runs", default=1_000, show_default=True, type=click.IntRange(1), help="In all.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of the first run.")
@click.option("--transitions", default=64, show_default=True, help="Steps of each run.")
@click.option("--resets", default=1_000, show_default=True, help="Episodes begun in each.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder for alarms.json and alarms.jsonl.",
)
@click.option("--quiet", is_flag=True, help="Show no progress.")
def alarms(out: Path, quiet: bool, **wanted: Any) -> None:
    """Compare what is the same with one seed after another; exit code 1: some run called it different.

    A run that was cut off goes on where it was, if it is given the same folder.
    """
    from parity.command.alarms import Runs, count_alarms
    from parity.command.foreign import their_errors

    with _progress(quiet) as tell, their_errors():
        result = count_alarms(Runs(**wanted), out, tell)
    count = len(result["alarms"])
    click.echo(
        printable(
            f"{result['pair']}: {count} of {result['runs']:,} runs alarmed (chance at most "
            f"{result['at_most']:.2g} with 95% confidence; {result['seconds']:.0f} s)"
        )
    )
    for one in result["alarms"]:
        click.echo(printable(f"  seed {one['seed']}: {'; '.join(one['said'])}"))
    if count:
        raise SystemExit(1)


@app.command()
@click.argument("first", type=click.Path(path_type=Path), metavar="A.csv")
@click.argument("second", type=click.Path(path_type=Path), metavar="B.csv")
@click.option("--margin", required=True, help="Difference that counts as none: 0.5, or 5% of A's mean.")
@click.option("--alpha", default=0.05, show_default=True, type=Number(1e-6, 0.49))
@click.option(
    "--seeds", default=2, show_default=True, type=click.IntRange(2), help="Planned of each trainer."
)
@click.option("--power", default=0.8, show_default=True, type=Number(0.01, 0.999), help="Wanted.")
@click.option("--column", help="The only column to compare; by default all but the seed's.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=DEFAULT_OUT,
    show_default=True,
    help="Folder for learning.html and learning.json.",
)
def learning(
    first: Path,
    second: Path,
    margin: str,
    alpha: float,
    seeds: int,
    power: float,
    column: str | None,
    out: Path,
) -> None:
    """Say whether two trainers learn the same, from a table of each with one row a seed.

    Exit code 0: equivalent, 1: different or not enough seeds, 2: bad input.
    """
    from foundation.files import write_json, write_text
    from parity.learning.compare import compare, margin_of
    from parity.learning.page import reason, render
    from parity.learning.statistics import EQUIVALENT
    from parity.learning.tables import names_of, read_results

    names = names_of(first, second)
    tables = [
        read_results(path, name, column) for path, name in zip((first, second), names, strict=True)
    ]
    report = compare(
        *tables,
        margin=margin_of(margin, tables[0]),
        alpha=alpha,
        planned=seeds,
        wanted_power=power,
    )
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "learning.json", report)
    write_text(out / "learning.html", render(report))
    click.echo(printable(f"{tables[0].name} and {tables[1].name}: {report['verdict']}"))
    click.echo(printable(f"  {reason(report)}"))
    click.echo(printable(f"page: {out / 'learning.html'}"))
    if report["verdict"] != EQUIVALENT:
        raise SystemExit(1)


@app.command()
@click.argument(
    "certificate", type=click.Path(path_type=Path), default=DEFAULT_OUT / "certificate.json"
)
def certificate(certificate: Path) -> None:
    """Say whether a certificate still fits the code at hand (exit code 2: it does not)."""
    from parity.harness.output.certificate import misfits

    reasons = misfits(certificate)
    if reasons:
        more = f" and {len(reasons) - 5} more" if len(reasons) > 5 else ""
        raise InputError(
            f"{certificate} does not fit: {'; '.join(reasons[:5])}{more}; check the pair anew"
        )
    click.echo(f"{certificate} fits the code at hand")


@app.command()
@click.option("--reference", required=True, metavar="MODULE:FACTORY", help="Makes the reference.")
@click.option("--port", required=True, metavar="MODULE:FACTORY", help="Makes the port.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("parity_pair.py"),
    show_default=True,
    help="File to write; one that is there is not replaced.",
)
def init(reference: str, port: str, out: Path) -> None:
    """Look at a Gymnasium environment and its port, and write a first pair to complete.

    The port is a Program of pure functions, gymnax's or Gymnasium's environment, or any object with
    reset and step, in NumPy or C. FACTORY is a function or a class that is called without arguments.
    """
    from foundation.files import write_text
    from parity.command.foreign import their_errors
    from parity.command.scaffold import scaffold

    if out.exists():
        raise InputError(f"{out} is there already; give another --out")
    if out.suffix != ".py" or not out.stem.isidentifier() or iskeyword(out.stem):
        raise InputError(f"--out {out}: a pair is imported by its name; give one such as my_pair.py")
    with their_errors():
        text, todo = scaffold(reference, port)
    write_text(out, text)
    click.echo(printable(f"wrote {out}; now:"))
    for line in todo:
        click.echo(printable(f"  - {line}"))
    click.echo(printable(f"then: {_check_of(out)}"))


def _check_of(out: Path) -> str:
    """Return the command that checks the pair in a file, as it is run in the current folder."""
    path, here = out.resolve(), Path.cwd().resolve()
    parts = path.relative_to(here).with_suffix("").parts if path.is_relative_to(here) else ()
    if parts and all(part.isidentifier() and not iskeyword(part) for part in parts):
        return f"envparity check {'.'.join(parts)}:pair"
    return f"cd {shlex.quote(str(out.parent))} && envparity check {out.stem}:pair"


def main() -> None:
    """Run the command line; bad input prints one sentence and exits with code 2."""
    run_command(app)
