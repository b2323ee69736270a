"""The trading gate: runs every scenario and check, and collects one report.

Source: ``docs/environment.md``. The reference is the slow side, so it is recorded in worker processes
while the port replays what is already recorded.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax
import numpy as np

from jax_port.data.data_loader import PreparedMarket, prepare
from markets import Contract, InputError, register_contract
from markets.contracts import added_contracts
from parity.engine.diverge import Divergence, explain_case, explain_replay
from parity.engine.generate import seeded_cases
from parity.engine.pair import Case, Fields, Pair
from parity.engine.record import Recording, record_cases, record_episodes
from parity.engine.replay import replay
from parity.engine.report import Report
from parity.engine.verify import CheckResult, check_restarts, judge_cases, judge_replay
from parity.gate.covered import market_key
from parity.learner.suite import REQUIRED as LEARNER_REQUIRED
from parity.learner.suite import check_learner, count_checks
from parity.pairs.trading import World, trading_pair
from parity.suites.configurations import REQUIRED as CONFIGURATIONS_REQUIRED
from parity.suites.configurations import draw_configurations, report_configurations
from parity.suites.data import check_data
from parity.suites.invariants import check_account, check_forbidden
from parity.suites.processed import processed
from parity.suites.randomness import check_environment_draws, check_key_reuse, check_learner_draws
from parity.suites.scale import check_scale
from parity.suites.scenarios import Request, Scenario, count_worlds_of, make_scenarios
from parity.suites.start_distribution import check_draws
from parity.suites.symmetry import check_blindness, check_mirror

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

AFTER_CASES, RESTARTS = "restart after a generated case", 200
"""Name of a check, and how many restarts of a world it holds against a reset of the reference."""

Progress = Callable[[str, int], None]
"""(what was done, transitions)."""


@dataclass
class Recorded:
    """What the reference did on one world of a scenario."""

    episodes: Recording
    cases: list[Case]
    transitions: Recording


def record_world(scenario: Scenario, pair: Pair, world: int, seed: int) -> Recorded:
    """Drive the reference through one world's episodes and cases."""
    episodes = record_episodes(pair, world, scenario.episodes, np.random.default_rng([seed, world, 1]))
    cases = seeded_cases(pair, world, scenario.cases, np.random.default_rng([seed, world, 2]))
    return Recorded(episodes, cases, record_cases(pair, cases))


_SCENARIOS: dict[str, Scenario] = {}


def _start_worker(request: Request, contracts: Sequence[Contract]) -> None:
    jax.config.update("jax_platforms", "cpu")  # the accelerator is the port's
    for contract in contracts:  # a fresh process knows the built-in ones alone
        register_contract(contract, overwrite=True)
    _SCENARIOS.update({one.name: one for one in make_scenarios(request)})


@cache
def _pair_of(scenario: str) -> Pair:
    return trading_pair(_SCENARIOS[scenario].worlds, _SCENARIOS[scenario].config)


def _record_in_worker(scenario: str, world: int, seed: int) -> Recorded:
    return record_world(_SCENARIOS[scenario], _pair_of(scenario), world, seed)


@dataclass
class Judged:
    """What came of one world: results, and an explanation of the first disagreement of each kind."""

    checks: list[CheckResult]
    divergences: list[Divergence]


def judge_world(
    scenario: Scenario, pair: Pair, market: PreparedMarket, world: int, recorded: Recorded, seed: int
) -> Judged:
    """Drive the port through what the reference did on one world, and compare everything."""
    place = scenario.worlds[world]
    played = replay(pair, recorded.episodes, seed)
    checks = judge_replay(pair, recorded.episodes, played)
    divergences = []
    if (first := checks[0].first) is not None:
        divergences.append(explain_replay(pair, recorded.episodes, first, "replay"))
    stepped = replay(pair, recorded.transitions, seed)
    generated = judge_cases(pair, recorded.transitions, stepped)
    if generated.first is not None:
        divergences.append(explain_case(pair, recorded.cases, generated.first))
    again = check_restarts(pair, recorded.transitions, stepped, AFTER_CASES, RESTARTS)
    checks += [generated, again, check_data(place, scenario.config, market)]
    checks += check_account(recorded.episodes, played, place.name, scenario.config, place.bars.contract)
    checks += check_forbidden(pair, recorded.cases, recorded.transitions, stepped)
    return Judged(checks, divergences)


def check_properties(scenario: Scenario, recorded: Recorded, seed: int) -> list[CheckResult]:
    """Check look-ahead and the mirror on a scenario's first world."""
    world = replace(scenario.worlds[0], bars=scenario.worlds[0].bars.session(scenario.config.session))
    few = slice(0, 20)
    episodes = select(recorded.episodes, few)
    pair = trading_pair([world], scenario.config)
    results = check_blindness(world, scenario.config, recorded.cases[:400], seed)
    return results + check_mirror(world, scenario.config, episodes, replay(pair, episodes, seed))


def check_once(scenario: Scenario, pair: Pair, recorded: Recorded, seed: int) -> list[CheckResult]:
    """Check what one world shows for all of a scenario: a processed file is used, draws are fair."""
    world = processed(scenario.worlds[0])
    data = check_data(world, scenario.config, prepare(world.bars, scenario.config))
    return [
        data,
        *(check_draws(pair, recorded.transitions, seed) if scenario.start_distribution else []),
    ]


def select(recording: Recording, lanes: slice) -> Recording:
    """Return some lanes of a recording, of a scenario's first world."""

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
    scenarios = list(make_scenarios(request))
    report: Report | None = None
    # All bars first: what can't be used is refused before anything is begun.
    prepared = [
        [prepare(world.bars, scenario.config) for world in scenario.worlds] for scenario in scenarios
    ]
    with _Reference(request, scenarios) as reference:
        learnt = _check_learner(request, progress)  # while the workers record
        for scenario, markets in zip(scenarios, prepared, strict=True):
            pair = trading_pair(scenario.worlds, scenario.config, markets)
            if report is None:
                required = LEARNER_REQUIRED | CONFIGURATIONS_REQUIRED
                report = Report(TITLE, request.seed, pair.port.form, [], [], required)
            report.required |= pair.required
            for number, market in enumerate(markets):
                recorded = reference.record(scenario, pair, number)
                judged = judge_world(scenario, pair, market, number, recorded, request.seed)
                report.checks += judged.checks
                report.divergences += judged.divergences
                if number == 0:
                    report.checks += check_once(scenario, pair, recorded, request.seed)
                if scenario.properties and number == 0:
                    report.checks += check_properties(scenario, recorded, request.seed)
                world = scenario.worlds[number]
                report.worlds = [*report.worlds, _about(world, market, scenario)]
                if progress:
                    done = recorded.episodes.transitions + recorded.transitions.transitions
                    progress(world.name, done)
    assert report is not None
    report.checks += learnt + _check_randomness(request)
    if request.configurations:
        report.checks.append(report_configurations(draw_configurations(request.seed)))
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


def _check_randomness(request: Request) -> list[CheckResult]:
    """Check what is drawn: independence, sizes as large as the trainer's, keys used once."""
    results = [check_environment_draws(request.seed)[0], *check_scale(request.seed)]
    results.append(check_key_reuse(request.seed))
    if request.learner:
        results.append(check_learner_draws(request.seed)[0])
    return results


def count_worlds(request: Request) -> int:
    """Return how often a run of the gate tells its progress, without making any bars."""
    return count_worlds_of(request) + (count_checks() if request.learner else 0)


def _about(world: World, market: PreparedMarket, scenario: Scenario) -> dict[str, Any]:
    return {
        "name": world.name,
        "source": world.bars.source,
        "contract": world.bars.contract.symbol,
        "key": market_key(market.digest, world.bars.contract),
        "bars": len(market),
        "digest": market.digest,
        "config": scenario.config.to_dict(),
    }


class _Reference:
    """Records worlds ahead of the port, in worker processes, or here where there are none."""

    def __init__(self, request: Request, scenarios: Sequence[Scenario]) -> None:
        self._seed = request.seed
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: dict[tuple[str, int], Future[Recorded]] = {}
        if request.workers:
            self._pool = ProcessPoolExecutor(
                request.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
                initargs=(request, added_contracts()),
            )
            for scenario in scenarios:
                for world in range(len(scenario.worlds)):
                    job = self._pool.submit(_record_in_worker, scenario.name, world, request.seed)
                    self._waiting[scenario.name, world] = job

    def record(self, scenario: Scenario, pair: Pair, world: int) -> Recorded:
        if self._pool is None:
            return record_world(scenario, pair, world, self._seed)
        try:
            return self._waiting.pop((scenario.name, world)).result()
        except BrokenProcessPool:
            raise InputError(
                "a process that drives the reference died, perhaps for lack of memory; run again with "
                "fewer --workers, or with --workers 0, where this process does it"
            ) from None

    def __enter__(self) -> _Reference:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
