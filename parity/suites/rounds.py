"""The gate at its strongest: the whole of it with one seed after another, in one report.

Every seed draws its own bars, configurations, networks, episodes and cases, so a fault that shows with
one seed in ten is as good as certain to be seen.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from tempfile import TemporaryDirectory

from markets import SYMBOLS, get_contract
from markets.contracts_file import file_of
from parity.engine.report import SAME, Report
from parity.suites.scenarios import Request, file_options
from parity.suites.trading import Progress, run


def seeds_of(request: Request, rounds: int) -> range:
    """Return the seeds of a run of several rounds."""
    return range(request.seed, request.seed + rounds)


def run_rounds(request: Request, rounds: int, progress: Progress | None = None) -> Report:
    """Run the whole gate ``rounds`` times, with the request's seed and those after it.

    Worlds and checks of all rounds but the first carry their seed in their names. The report's
    settings hold the verdict of each seed, and the command that runs one again that did not pass.

    Args:
        request: on what, and how much.
        rounds: at least 1.
        progress: as in :func:`parity.suites.trading.run`.

    Raises:
        InputError: the file can't be read or used, or a process died.
    """
    first, *others = seeds_of(request, rounds)
    with TemporaryDirectory() as compiled:  # what one round compiled, another need not
        whole = run(replace(request, seed=first), progress, compiled)
        verdicts = {str(first): whole.verdict}
        for seed in others:
            mark = f", seed {seed}"
            report = run(replace(request, seed=seed), _marked(progress, mark), compiled)
            verdicts[str(seed)] = report.verdict
            _add(whole, report, mark)
    failed = [int(seed) for seed, verdict in verdicts.items() if verdict != SAME]
    again = [command_of(replace(request, seed=seed)) for seed in failed]
    whole.settings = {**whole.settings, "seeds": verdicts, **({"again": again} if again else {})}
    return whole


def command_of(request: Request) -> str:
    """Return the command that carries out a request once more."""
    symbols = (*([request.symbol] if request.data else ()), *request.symbols)
    known = [file_of(get_contract(symbol).symbol) for symbol in symbols]
    files = dict.fromkeys(file for file in known if file is not None)
    own = "".join(f" --contracts {shlex.quote(str(file))}" for file in files)
    words = [f"rltrader{own} parity run", *([file_options(request)] if request.data else [])]
    for name in ("episodes", "cases", "days"):
        if (value := getattr(request, name)) != getattr(Request, name):
            words.append(f"--{name} {value}")
    if request.symbols != SYMBOLS:
        words.append(f"--symbols {shlex.quote(','.join(request.symbols))}")
    return " ".join([*words, f"--seed {request.seed}"])


def _marked(progress: Progress | None, mark: str) -> Progress | None:
    return progress and (lambda name, steps: progress(f"{name}{mark}", steps))


def _add(whole: Report, report: Report, mark: str) -> None:
    """Add a round to a report; its worlds are told apart by a mark."""
    whole.worlds = [
        *whole.worlds,
        *({**world, "name": f"{world['name']}{mark}"} for world in report.worlds),
    ]
    whole.checks += [replace(check, world=f"{check.world}{mark}") for check in report.checks]
    whole.divergences += [replace(one, world=f"{one.world}{mark}") for one in report.divergences]
    whole.required |= report.required
    whole.seconds += report.seconds
    both = {
        name: whole.lines[name].merge(lines) if name in whole.lines else lines
        for name, lines in report.lines.items()
    }
    whole.lines = {**whole.lines, **both}
