"""The trading gate: carries out every part, in processes beside each other, and collects one report.

Source: ``docs/environment.md``. A part is what can be judged by itself: some worlds of a scenario, some
cases of the learner, one general check. A process drives both the reference and the port.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import jax

from foundation.signals import closing_pool, worker_start
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.envs.form import Form
from markets import Contract, InputError
from markets.contracts import added_contracts
from markets.contracts_file import know_contracts, known_files
from parity.engine.diverge import Divergence
from parity.engine.pair import Pair
from parity.engine.report import Report
from parity.engine.verify import CheckResult
from parity.learner.suite import REQUIRED as LEARNER_REQUIRED
from parity.learner.suite import check_cases, count_checks, learner_parts
from parity.pairs.port_lines import (
    Executed,
    LineRecorder,
    add_lines,
    begin_recording,
    lines_of_port,
    port_at_work,
    recording,
)
from parity.pairs.trading import trading_pair
from parity.suites.configurations import REQUIRED as CONFIGURATIONS_REQUIRED
from parity.suites.configurations import draw_configurations, report_configurations
from parity.suites.randomness import check_environment_draws, check_learner_draws
from parity.suites.scale import check_scale
from parity.suites.scenarios import Request, Scenario, count_worlds_of, make_scenarios
from parity.suites.traced import check_key_reuse, check_rounding
from parity.suites.worlds import about_world, check_once, check_properties, judge_world, record_world

MODULES = (
    "parity.suites.trading",
    "parity.learner.suite",
    "jax_port.envs.env_phase2_jax",
    "jax_port.ppo.train_ppo_jax",
    "legacy_torch.env_phase2",
    "parity.admission",
    "parity.gate.data_at_hand",
    "rltrader.train",
    "rltrader.__main__",
)
"""What the verdict depends on, and what decides a training: these and all of ours that they import."""

TITLE = "trading environments, Phases 1 and 2, and the learner"

PARTS_PER_WORKER = 4
"""Worlds are cut into so many parts for each process, so that none waits long for the last."""

REPORTED = ("worlds", "learner", "general")
"""The order of a report: environments come first."""

Progress = Callable[[str, int], None]
"""(what was done, transitions)."""


@dataclass(frozen=True)
class Part:
    """What can be judged by itself.

    Attributes:
        kind: worlds of a scenario, cases of the learner in a form, or one general check.
        name: of the scenario, the form or the check.
        begin, end: which worlds or cases.
    """

    kind: Literal["worlds", "learner", "general"]
    name: str
    begin: int = 0
    end: int = 0


@dataclass
class Outcome:
    """What came of one part.

    Attributes:
        checks: results.
        divergences: an explanation of the first disagreement of each kind.
        worlds: what a report says of its worlds.
        required: branches that must have been seen.
        form: compiled form of the port, in words.
        steps: by what was done, for progress.
        executed: lines of the port that the process has executed up to then.
    """

    checks: list[CheckResult] = field(default_factory=list)
    divergences: list[Divergence] = field(default_factory=list)
    worlds: list[dict[str, Any]] = field(default_factory=list)
    required: frozenset[str] = frozenset()
    form: str = ""
    steps: list[tuple[str, int]] = field(default_factory=list)
    executed: Executed = field(default_factory=dict)


GENERAL: dict[str, Callable[[int], list[CheckResult]]] = {
    "environment draws": lambda seed: [check_environment_draws(seed)[0]],
    "scale": check_scale,
    "key reuse": lambda seed: [check_key_reuse(seed)],
    "rounding": lambda seed: [check_rounding(seed)],
}
LEARNER_GENERAL: dict[str, Callable[[int], list[CheckResult]]] = {
    "learner draws": lambda seed: [check_learner_draws(seed)[0]],
    "learner draws (gpu)": lambda seed: [check_learner_draws(seed, "gpu")[0]],
}
"""Checks of what no world shows: independence, sizes as large as the trainer's, traced programs."""


def parts_of(request: Request, scenarios: Sequence[Scenario]) -> list[Part]:
    """Return all parts of a run, those that take longest first.

    Of parts that compile the same programs only one comes among the first: the others find them
    compiled, where two at once would both compile them.
    """
    parts = []
    if request.learner:
        parts += [Part("learner", form, begin, end) for form, begin, end in learner_parts(request.seed)]
        parts += [Part("general", name) for name in LEARNER_GENERAL]
    parts += [Part("general", name) for name in GENERAL]
    total = sum(len(scenario.worlds) for scenario in scenarios)
    size = max(total // (PARTS_PER_WORKER * max(request.workers, 1)), 1)
    turns: Counter[Hashable] = Counter()
    worlds: list[tuple[int, Part]] = []
    for scenario in scenarios:
        count, programs = len(scenario.worlds), scenario.programs()
        for begin in range(0, count, size):
            worlds.append(
                (turns[programs], Part("worlds", scenario.name, begin, min(begin + size, count)))
            )
            turns[programs] += 1
    return parts + [part for _, part in sorted(worlds, key=lambda one: one[0])]


class Judge:
    """Carries out parts of a run, in this process.

    Args:
        request: of the run.
        scenarios: of the request.

    Attributes:
        request, scenarios: as given.
        markets: name of a scenario -> its bars, prepared once.
    """

    def __init__(self, request: Request, scenarios: Sequence[Scenario]) -> None:
        self.request, self.scenarios = request, scenarios
        self._scenarios = {scenario.name: scenario for scenario in scenarios}
        self.markets = cache(self._prepare)
        self._pair = cache(self._make_pair)

    def _prepare(self, name: str) -> list[PreparedMarket]:
        scenario = self._scenarios[name]
        with port_at_work():
            return [prepare(world.bars, scenario.config) for world in scenario.worlds]

    def _make_pair(self, name: str) -> Pair:
        scenario = self._scenarios[name]
        return trading_pair(scenario.worlds, scenario.config, self.markets(name))

    def carry_out(self, part: Part) -> Outcome:
        """Return what comes of a part."""
        seed = self.request.seed
        if part.kind == "worlds":
            return self._judge_worlds(part)
        if part.kind == "general":
            return Outcome((GENERAL | LEARNER_GENERAL)[part.name](seed))
        form: Form = "gpu" if part.name == "gpu" else "cpu"
        checks = list(check_cases(form, part.begin, part.end, seed))
        steps = [(f"{check.check}, {check.world}", check.compared) for check in checks]
        return Outcome(checks, steps=steps)

    def _judge_worlds(self, part: Part) -> Outcome:
        scenario, seed = self._scenarios[part.name], self.request.seed
        pair, markets = self._pair(part.name), self.markets(part.name)
        outcome = Outcome(required=pair.required, form=pair.port.form)
        for number in range(part.begin, part.end):
            world, market = scenario.worlds[number], markets[number]
            recorded = record_world(scenario, pair, number, seed)
            judged = judge_world(scenario, pair, market, number, recorded, seed)
            outcome.checks += judged.checks
            outcome.divergences += judged.divergences
            if number == 0:
                outcome.checks += check_once(scenario, pair, recorded, seed)
            if scenario.properties and number == 0:
                outcome.checks += check_properties(scenario, recorded, seed)
            outcome.worlds.append(about_world(world, market, scenario))
            done = recorded.episodes.transitions + recorded.transitions.transitions
            outcome.steps.append((world.name, done))
        return outcome


def run(request: Request, progress: Progress | None = None, compiled: str | None = None) -> Report:
    """Run the whole gate.

    Args:
        request: on what, and how much.
        progress: told of every world and every check of the learner, once its part is done.
        compiled: folder in which its processes share what they compile; one of its own by default.

    Raises:
        InputError: the file can't be read or used, or a process died.
    """
    began = time.perf_counter()
    scenarios = list(make_scenarios(request))
    # All bars first: what can't be used is refused before anything is begun.
    judge = Judge(request, scenarios)
    for scenario in scenarios:
        judge.markets(scenario.name)
    parts = parts_of(request, scenarios)
    outcomes: dict[Part, Outcome] = {}
    executed: Executed = {}
    with closing(_carry_out(parts, judge, compiled)) as done:
        for part, outcome in done:
            outcomes[part] = outcome
            add_lines(executed, outcome.executed)
            for name, steps in outcome.steps:
                if progress:
                    progress(name, steps)
    report = Report(TITLE, request.seed, "", [], [], LEARNER_REQUIRED | CONFIGURATIONS_REQUIRED)
    for part in sorted(parts, key=lambda part: REPORTED.index(part.kind)):
        outcome = outcomes[part]
        report.form = report.form or outcome.form
        report.required |= outcome.required
        report.checks += outcome.checks
        report.divergences += outcome.divergences
        report.worlds = [*report.worlds, *outcome.worlds]
    if request.configurations:
        report.checks.append(report_configurations(draw_configurations(request.seed)))
    report.lines = lines_of_port(MODULES, executed)
    report.settings = {
        "episodes": request.episodes,
        "cases": request.cases,
        "days": request.days,
        "data": str(request.data) if request.data else "",
    }
    report.seconds = time.perf_counter() - began
    return report


def count_worlds(request: Request) -> int:
    """Return how often a run of the gate tells its progress, without making any bars."""
    return count_worlds_of(request) + (count_checks() if request.learner else 0)


_JUDGES: list[Judge] = []
_RECORDERS: list[LineRecorder] = []
"""Of a worker process: one of each."""


def _start_worker(
    request: Request,
    scenarios: Sequence[Scenario],
    contracts: Sequence[Contract],
    files: Mapping[str, Path],
    compiled: str = "",
) -> None:
    # Where a program's operations come from in the source is of no use here, and takes time to write.
    jax.config.update("jax_traceback_in_locations_limit", 0)
    if compiled and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", compiled)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    know_contracts(contracts, files)  # commands that show a case again name the files
    _RECORDERS[:] = [begin_recording()]
    _JUDGES[:] = [Judge(request, scenarios)]


def _carry_out_in_worker(part: Part) -> Outcome:
    outcome = _JUDGES[0].carry_out(part)
    outcome.executed = _RECORDERS[0].executed()
    return outcome


def _carry_out(
    parts: Sequence[Part], judge: Judge, compiled: str | None = None
) -> Generator[tuple[Part, Outcome], None, None]:
    """Yield every part with what came of it, as soon as it is done: here, or in processes."""
    request = judge.request
    if not request.workers:
        with recording() as recorder:
            for part in parts:
                outcome = judge.carry_out(part)
                outcome.executed = recorder.executed()
                yield part, outcome
        return
    # Several processes share an accelerator, so none may take most of its memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with TemporaryDirectory() as own:  # what one process compiled, another need not
        pool = ProcessPoolExecutor(
            request.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=worker_start(
                _start_worker,
                request,
                judge.scenarios,
                added_contracts(),
                known_files(),
                compiled or own,
            ),
        )
        yield from _of_pool(pool, parts)


def _of_pool(
    pool: ProcessPoolExecutor, parts: Sequence[Part]
) -> Generator[tuple[Part, Outcome], None, None]:
    """Yield every part with what came of it in a pool's processes, none of which outlives this."""
    try:
        with closing_pool(pool):
            waiting = {pool.submit(_carry_out_in_worker, part): part for part in parts}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
    except BrokenProcessPool:
        raise InputError(
            "a process of the gate died, perhaps for lack of memory; run again with fewer --workers, "
            "or with --workers 0, where this process does it all"
        ) from None
