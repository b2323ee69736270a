"""Measure how many mutants of a pair's port the harness kills: ``envparity mutate``.

Each mutant is a line of JSON, written as soon as it is judged, so a run that was cut off goes on where
it was.
"""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import jax

from foundation import provenance
from foundation.errors import InputError
from foundation.files import json_digest, write_json, write_text
from foundation.json_lines import adding_lines
from parity.harness.output.certificate import bound_code, told_of_code
from parity.harness.pair import Pair
from parity.harness.places import load_pair
from parity.harness.verify import VERSIONED
from parity.mutation.by_seed import Ledger
from parity.mutation.lines import LINE, LINES, is_settled, key_of
from parity.mutation.operators import Change, changes_of, is_valid
from parity.mutation.page import render, summarize
from parity.mutation.port_modules import modules_of_reference, port_modules
from parity.mutation.recorder import Function
from parity.mutation.sample import draw
from parity.mutation.score import UNJUDGED
from parity.mutation.trial import Fate, Trials

NUMBERS, PAGE = "mutants.json", "mutants.html"
Progress = Callable[[str, int, int], None]
"""(what was done last, mutants judged, in all)."""


@dataclass(frozen=True)
class Wanted:
    """What is to be measured.

    Attributes:
        place: "module:name" of the pair.
        count: mutants in all; fewer where the port allows fewer.
        seed: of the sample, and of each verification.
        modules: of the port, by name; empty to find them.
        only: names of functions or classes to which changes are restricted; empty for all.
        transitions, resets: of each verification.
        patience: seconds that one may take.
        jobs: mutants that are tried at a time.
    """

    place: str
    count: int = 60
    seed: int = 0
    modules: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    transitions: int = 8_000
    resets: int = 1_000
    patience: float = 600.0
    jobs: int = 1


@dataclass
class Sources:
    """The modules of a port: file and bytes by name of the module."""

    paths: dict[str, Path]
    bytes: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bytes = {name: path.read_bytes() for name, path in self.paths.items()}


def measure(wanted: Wanted, out: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Judge mutants, going on where a run into the same folder was cut off; write page and numbers.

    Those that took longer than an earlier run's patience are judged again where there is more.

    Args:
        wanted: what to measure.
        out: folder for mutants.jsonl, mutants.json and mutants.html.
        progress: called after every mutant.

    Raises:
        InputError: the pair or its modules are none, the unchanged port does not pass, or the folder
            holds another run.
    """
    pair = load_pair(wanted.place)
    shared = {wanted.place.partition(":")[0], *modules_of_reference(pair)}
    sources = Sources(port_modules(pair, wanted.place.partition(":")[0], wanted.modules))
    _require_names(sources, wanted.only)
    allowed = [one for name in sources.paths for one in _changes(sources, name, wanted.only)]
    if not allowed:
        raise InputError(
            f"{', '.join(sources.paths)}: nothing to change there; name other modules (--module)"
        )
    out.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(out / LINES, LINE, _asked(wanted, sources, pair))
    held = ledger.lines()
    tell = progress or (lambda what, done, of: None)
    tell("verifying the unchanged port", 0, wanted.count)
    with tempfile.TemporaryDirectory(prefix="envparity-") as folder:
        sizes = (wanted.transitions, wanted.resets, wanted.seed, wanted.patience)
        trials = Trials(wanted.place, Path(folder), *sizes)
        entered = trials.control(list(sources.paths.values()))
        running = [one for one in allowed if not _is_never_run(one, sources, entered, shared)]
        drawn = _sample(sources, running, wanted)
        known = {key_of(line): line for line in held if is_settled(line, wanted.patience)}
        before = [known[key_of(one)] for one in drawn if key_of(one) in known]
        waiting = [one for one in drawn if key_of(one) not in known]
        anew = set(map(key_of, waiting))
        kept = [line for line in held if key_of(line) not in anew]  # those of another sample, too
        with adding_lines(out / LINES, kept) as add:

            def note(change: Change, fate: Fate, judged: int) -> dict[str, Any]:
                where = {"path": _shown(sources.paths[change.file]), "run": ledger.run}
                line: dict[str, Any] = {
                    **asdict(change),
                    **where,
                    "outcome": fate.outcome,
                    "by": fate.by,
                }
                if fate.outcome == UNJUDGED:
                    line["patience"] = wanted.patience
                add(line)
                done = f"{change.file.rpartition('.')[2]}:{change.line} {fate.outcome}"
                tell(done, len(before) + judged, len(drawn))
                return line

            made = _judge_all(trials, sources, waiting, wanted.jobs, note)
    report = {
        "format": 1,
        "pair": pair.name,
        "place": wanted.place,
        "modules": list(sources.paths),
        "in_all": len(allowed),
        "never_run": len(allowed) - len(running),
        **summarize([*before, *made]),
        "made": {"when": provenance.now(), **provenance.made_with(VERSIONED, jax.devices())},
        "settings": asdict(wanted),
    }
    write_json(out / NUMBERS, report)
    write_text(out / PAGE, render(report))
    return report


def _sample(sources: Sources, allowed: Sequence[Change], wanted: Wanted) -> list[Change]:
    names = {key_of(change) for change in allowed}
    every = draw(sources.bytes, 2**31, wanted.seed, "of a rewrite")
    return [one for one in every if key_of(one) in names][: wanted.count]


def _changes(sources: Sources, module: str, only: Sequence[str]) -> list[Change]:
    """Return the valid changes of a module, within the functions and classes that are asked for."""
    source = sources.bytes[module]
    changes = [one for one in changes_of(module, source, "of a rewrite") if is_valid(one, source)]
    changes = list({key_of(one): one for one in changes}.values())
    if not only:
        return changes
    spans = [
        (node.lineno, node.end_lineno or node.lineno)
        for node in _named_parts(source)
        if node.name in only
    ]
    return [one for one in changes if any(first <= one.line <= last for first, last in spans)]


def _named_parts(source: bytes) -> list[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    """Return the functions and classes of a module, inner ones too."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]


def _require_names(sources: Sources, only: Sequence[str]) -> None:
    """Refuse names to which changes are to be kept that no module of the port has."""
    known = {node.name for source in sources.bytes.values() for node in _named_parts(source)}
    if unknown := [name for name in only if name not in known]:
        raise InputError(
            f"--only {unknown[0]}: {', '.join(sources.paths)}: no function or class of that name; "
            f"there are {', '.join(sorted(known)) or 'none'}"
        )


def _asked(wanted: Wanted, sources: Sources, pair: Pair) -> dict[str, Any]:
    """Return what a line is about: the port's source, all that the pair depends on, and how each mutant
    is verified."""
    port = {name: text.decode("utf-8", "replace") for name, text in sources.bytes.items()}
    return {
        "pair": wanted.place,
        **{name: getattr(wanted, name) for name in ("transitions", "resets", "seed")},
        "modules of the port": json_digest(port),
        **told_of_code(bound_code(pair, wanted.place.partition(":")[0])),
    }


def _judge_all(
    trials: Trials,
    sources: Sources,
    waiting: Sequence[Change],
    jobs: int,
    note: Callable[[Change, Fate, int], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Judge changes, some at a time; each is noted at once, with how many then are judged."""
    made: list[dict[str, Any]] = []

    def judge(number: int, change: Change) -> Fate:
        return trials.judge(change.file, change, sources.bytes[change.file], number)

    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(judge, n, change): change for n, change in enumerate(waiting)}
        try:
            for future in as_completed(futures):
                made.append(note(futures[future], future.result(), len(made) + 1))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return made


def _is_never_run(change: Change, sources: Sources, entered: set[Function], shared: set[str]) -> bool:
    """Say whether a change lies in functions alone that the port never entered.

    In modules that declare the pair or the reference, statements outside functions and classes are not
    the port's alone.
    """
    tree = ast.parse(sources.bytes[change.file])
    path = str(sources.paths[change.file])
    functions, in_class = [], False
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if not node.lineno <= change.line <= (node.end_lineno or node.lineno):
            continue
        if isinstance(node, ast.ClassDef):
            in_class = True
        else:
            decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
            functions.append(min([node.lineno, *(one.lineno for one in decorators)]))
    if functions:
        return not any((path, line) in entered for line in functions)
    return change.file in shared and not in_class


def _shown(path: Path) -> str:
    """Return a path as a person would follow it from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
