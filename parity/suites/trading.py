"""The trading gate: what is compared on which bars, and how much of it.

Source: ``docs/environment.md``. The reference is the slow side, so it is recorded in worker processes
while the port replays what is already recorded.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax
import numpy as np

from jax_port.data.data_loader import PreparedMarket, prepare
from parity.engine.diverge import Divergence, explain_case, explain_replay
from parity.engine.generate import seeded_cases
from parity.engine.pair import Case, Fields, Pair
from parity.engine.record import Recording, record_cases, record_episodes
from parity.engine.replay import replay
from parity.engine.report import Report
from parity.engine.verify import CheckResult, judge_cases, judge_replay
from parity.learner.suite import REQUIRED as LEARNER_REQUIRED
from parity.learner.suite import check_learner, count_checks
from parity.pairs.trading import World, trading_pair
from parity.suites.data import check_data
from parity.suites.invariants import check_account, check_forbidden
from parity.suites.processed import processed
from parity.suites.scenarios import Bed, Request, beds, count_worlds_of
from parity.suites.start_distribution import check_draws
from parity.suites.symmetry import check_blindness, check_mirror

MODULES = (
    "parity.suites.trading",
    "parity.learner.suite",
    "jax_port.envs.env_phase2_jax",
    "jax_port.ppo.train_ppo_jax",
    "legacy_torch.env_phase2",
)
"""What the verdict depends on: these and everything of ours that they import."""

TITLE = "trading environments, Phases 1 and 2, and the learner"

Progress = Callable[[str, int], None]
"""(what was done, transitions)."""


@dataclass
class Recorded:
    """What the reference did on one world of a bed."""

    episodes: Recording
    cases: list[Case]
    transitions: Recording


def record_world(bed: Bed, pair: Pair, world: int, seed: int) -> Recorded:
    """Drive the reference through one world's episodes and cases."""
    episodes = record_episodes(pair, world, bed.episodes, np.random.default_rng([seed, world, 1]))
    cases = seeded_cases(pair, world, bed.cases, np.random.default_rng([seed, world, 2]))
    return Recorded(episodes, cases, record_cases(pair, cases))


_BEDS: dict[str, Bed] = {}


def _start_worker(request: Request) -> None:
    jax.config.update("jax_platforms", "cpu")  # the accelerator is the port's
    _BEDS.update({bed.name: bed for bed in beds(request)})


@cache
def _pair_of(bed: str) -> Pair:
    return trading_pair(_BEDS[bed].worlds, _BEDS[bed].config)


def _record_in_worker(bed: str, world: int, seed: int) -> Recorded:
    return record_world(_BEDS[bed], _pair_of(bed), world, seed)


@dataclass
class Judged:
    """What came of one world: results, and an explanation of the first disagreement of each kind."""

    checks: list[CheckResult]
    divergences: list[Divergence]


def judge_world(
    bed: Bed, pair: Pair, market: PreparedMarket, world: int, recorded: Recorded, seed: int
) -> Judged:
    """Drive the port through what the reference did on one world, and compare everything."""
    place = bed.worlds[world]
    played = replay(pair, recorded.episodes, seed)
    checks = judge_replay(pair, recorded.episodes, played)
    divergences = []
    if (first := checks[0].first) is not None:
        divergences.append(explain_replay(pair, recorded.episodes, first, "replay"))
    stepped = replay(pair, recorded.transitions, seed)
    generated = judge_cases(pair, recorded.transitions, stepped)
    if generated.first is not None:
        divergences.append(explain_case(pair, recorded.cases, generated.first))
    checks += [generated, check_data(place, bed.config, market)]
    checks += check_account(recorded.episodes, played, place.name, bed.config, place.bars.contract)
    checks += check_forbidden(pair, recorded.cases, recorded.transitions, stepped)
    return Judged(checks, divergences)


def check_properties(bed: Bed, recorded: Recorded, seed: int) -> list[CheckResult]:
    """Check look-ahead and the mirror on a bed's first world."""
    world = replace(bed.worlds[0], bars=bed.worlds[0].bars.session(bed.config.session))
    few = slice(0, 20)
    episodes = select(recorded.episodes, few)
    pair = trading_pair([world], bed.config)
    results = check_blindness(world, bed.config, recorded.cases[:400], seed)
    return results + check_mirror(world, bed.config, episodes, replay(pair, episodes, seed))


def check_once(bed: Bed, pair: Pair, recorded: Recorded, seed: int) -> list[CheckResult]:
    """Check what one world shows for all of a bed: that a processed file is used, and fair draws."""
    world = processed(bed.worlds[0])
    data = check_data(world, bed.config, prepare(world.bars, bed.config))
    return [data, *(check_draws(pair, recorded.transitions, seed) if bed.draws else [])]


def select(recording: Recording, lanes: slice) -> Recording:
    """Return some lanes of a recording, of a bed's first world."""

    def cut(fields: Fields) -> Fields:
        return {name: value[lanes] for name, value in fields.items()}

    return Recording(
        worlds=recording.worlds[lanes],
        actions=recording.actions[lanes],
        lengths=recording.lengths[lanes],
        before=cut(recording.before),
        after=cut(recording.after),
        injected=recording.injected,
        starts=recording.starts[lanes],
        labels=recording.labels[lanes],
    )


def run(request: Request, progress: Progress | None = None) -> Report:
    """Run the whole gate.

    Args:
        request: on what, and how much.
        progress: told after every check of the learner, and after every world.

    Raises:
        InputError: the file can't be read or used.
    """
    began = time.perf_counter()
    grounds = list(beds(request))
    report: Report | None = None
    # All bars first: what can't be used is refused before anything is begun.
    prepared = [[prepare(world.bars, bed.config) for world in bed.worlds] for bed in grounds]
    with _Reference(request, grounds) as reference:
        learnt = _check_learner(request, progress)  # while the workers record
        for bed, markets in zip(grounds, prepared, strict=True):
            pair = trading_pair(bed.worlds, bed.config, markets)
            if report is None:
                report = Report(TITLE, request.seed, pair.port.form, [], [], LEARNER_REQUIRED)
            report.required |= pair.required
            for number, market in enumerate(markets):
                recorded = reference.record(bed, pair, number)
                judged = judge_world(bed, pair, market, number, recorded, request.seed)
                report.checks += judged.checks
                report.divergences += judged.divergences
                if number == 0:
                    report.checks += check_once(bed, pair, recorded, request.seed)
                if bed.properties and number == 0:
                    report.checks += check_properties(bed, recorded, request.seed)
                world = bed.worlds[number]
                report.worlds = [*report.worlds, _about(world, market, bed)]
                if progress:
                    done = recorded.episodes.transitions + recorded.transitions.transitions
                    progress(world.name, done)
    assert report is not None
    report.checks += learnt
    report.settings = {
        "episodes": request.episodes,
        "cases": request.cases,
        "days": request.days,
        "data": str(request.data) if request.data else "",
    }
    report.seconds = time.perf_counter() - began
    return report


def _check_learner(request: Request, progress: Progress | None) -> list[CheckResult]:
    results = []
    for result in check_learner(request.seed) if request.learner else ():
        results.append(result)
        if progress:
            progress(f"{result.check}, {result.world}", result.compared)
    return results


def count_worlds(request: Request) -> int:
    """Return how often a run of the gate tells its progress, without making any bars."""
    return count_worlds_of(request) + (count_checks() if request.learner else 0)


def _about(world: World, market: PreparedMarket, bed: Bed) -> dict[str, Any]:
    return {
        "name": world.name,
        "source": world.bars.source,
        "contract": world.bars.contract.symbol,
        "bars": len(market),
        "digest": market.digest,
        "config": bed.config.to_dict(),
    }


class _Reference:
    """Records worlds ahead of the port, in worker processes, or here where there are none."""

    def __init__(self, request: Request, grounds: Sequence[Bed]) -> None:
        self._seed = request.seed
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: dict[tuple[str, int], Future[Recorded]] = {}
        if request.workers:
            self._pool = ProcessPoolExecutor(
                request.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(request,),
            )
            for bed in grounds:
                for world in range(len(bed.worlds)):
                    job = self._pool.submit(_record_in_worker, bed.name, world, request.seed)
                    self._waiting[bed.name, world] = job

    def record(self, bed: Bed, pair: Pair, world: int) -> Recorded:
        if self._pool is None:
            return record_world(bed, pair, world, self._seed)
        return self._waiting.pop((bed.name, world)).result()

    def __enter__(self) -> _Reference:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
