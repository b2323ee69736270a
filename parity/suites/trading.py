"""The trading gate: what is compared on which bars, and how much of it.

Source: ``docs/environment.md``, all of Phase 1. The reference is the slow side, so it is recorded in
worker processes while the port replays what is already recorded.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jax_port.data_loader import PreparedMarket, prepare
from markets import SYMBOLS, EnvConfig, get_contract
from markets.stress import stress_bars
from markets.synthetic import synthetic_bars
from parity.engine.diverge import Divergence, explain_case, explain_replay
from parity.engine.generate import seeded_cases
from parity.engine.pair import Case, Fields, Pair
from parity.engine.record import Recording, record_cases, record_episodes
from parity.engine.replay import replay
from parity.engine.report import Report
from parity.engine.verify import CheckResult, judge_cases, judge_replay
from parity.pairs.trading import World, trading_pair
from parity.suites.data import check_data
from parity.suites.draws import check_draws
from parity.suites.invariants import check_account, check_forbidden
from parity.suites.learner import REQUIRED as LEARNER_REQUIRED
from parity.suites.learner import check_learner, count_checks
from parity.suites.processed import processed
from parity.suites.symmetry import check_blindness, check_mirror

MODULES = (
    "parity.suites.trading",
    "parity.suites.learner",
    "jax_port.env_phase1_jax",
    "jax_port.train_ppo_jax",
    "legacy_torch.env_phase1",
)
"""What the verdict depends on: these and everything of ours that they import."""

Progress = Callable[[str, int], None]
"""(what was done, transitions)."""


@dataclass(frozen=True)
class Bed:
    """Bars and a configuration to compare on, and how much.

    Attributes:
        name: for reports; worlds carry it.
        worlds: the bars.
        config: the configuration.
        episodes, cases: per world.
        properties: also check look-ahead and the mirror.
        draws: also check that starts are drawn fairly; one bed is enough.
    """

    name: str
    worlds: tuple[World, ...]
    config: EnvConfig
    episodes: int
    cases: int
    properties: bool = False
    draws: bool = False


@dataclass(frozen=True)
class Request:
    """How a run of the gate is asked for.

    Attributes:
        data: file of bars; None for synthetic bars alone.
        symbol: contract of the file.
        reader: options of the reader.
        episodes, cases: per world, for the file and for each of the eight symbols.
        days: synthetic days per symbol.
        seed: of everything that is drawn.
        symbols: which synthetic symbols.
        workers: processes that drive the reference; 0 drives it in this one.
        learner: also compare the learners. Without them too little is seen for a verdict of "same".
    """

    data: Path | None = None
    symbol: str = "ES"
    reader: dict[str, Any] = field(default_factory=dict)
    episodes: int = 100
    cases: int = 20_000
    days: int = 6
    seed: int = 0
    symbols: tuple[str, ...] = SYMBOLS
    workers: int = 2
    learner: bool = True


def odd_config() -> EnvConfig:
    """Return a configuration in which nothing has its default value, so no default hides a fault."""
    return EnvConfig.phase1(
        window_size=7,
        warmup_bars=40,
        sl_atr_mult=0.9,
        tp_sl_ratio=1.3,
        entry_open_minute=600,
        entry_close_minute=900,
        flat_by_minute=1000,
        max_episode_bars=90,
        initial_balance_dollars=25_000.0,
        trailing_drawdown_dollars=1_500.0,
        floor_lock_dollars=250.0,
        contracts=3,
        hold_penalty=-0.02,
        patience_reward=0.003,
        pnl_divisor_dollars=50.0,
        violation_penalty=-7.5,
        invalid_action_penalty=-0.25,
    )


def beds(request: Request) -> Iterator[Bed]:
    """Yield what a request compares on: the file, the symbols, and bars made to be hostile."""
    seed = request.seed
    if request.data is not None:
        from markets.readers import read_bars

        bars = read_bars(request.data, request.symbol, **request.reader)
        world = World(
            f"{request.symbol} file", bars, f"--data {request.data} --symbol {request.symbol}"
        )
        config = EnvConfig.phase1()
        yield Bed("file", (world,), config, request.episodes, request.cases, properties=True)
    synthetic = tuple(
        World(
            f"{symbol} synthetic",
            synthetic_bars(symbol, days=request.days, seed=seed),
            f"--synthetic {request.days} --symbol {symbol} --seed {seed}",
        )
        for symbol in request.symbols
    )
    config = EnvConfig.phase1()
    properties = request.data is None
    yield Bed("symbols", synthetic, config, request.episodes, request.cases, properties)
    few, some = max(request.episodes // 5, 4), max(request.cases // 10, 200)
    # These bars include the nights, so that the session has something to cut away.
    stress = tuple(
        World(
            f"{s} stress",
            stress_bars(s, seed=seed, session="all"),
            f"--stress all --symbol {s} --seed {seed}",
        )
        for s in ("ES", "RTY")
    )
    yield Bed("stress", stress, config, few, some)
    overnight = stress_bars("NQ", seed=seed, session="all")
    yield Bed(
        "all hours",
        (World("NQ stress, all hours", overnight, f"--stress all --symbol NQ --seed {seed}"),),
        EnvConfig.phase1(session="all"),
        few,
        some,
    )
    # One tick of profit pays both commissions exactly: only here is a trade's PnL ever zero.
    even = replace(get_contract("ES"), commission_cents=625, slippage_ticks=3)
    bars = replace(stress_bars("ES", seed=seed + 1), contract=even)
    options = f"--stress rth --symbol ES --seed {seed + 1} --commission 625 --slippage 3"
    odd = (World("ES odd settings", bars, options),)
    yield Bed("odd settings", odd, odd_config(), few, some, draws=True)


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


_WORKER: dict[str, tuple[Bed, Pair]] = {}


def _start_worker(request: Request) -> None:
    jax.config.update("jax_platforms", "cpu")  # the accelerator is the port's
    for bed in beds(request):
        _WORKER[bed.name] = bed, trading_pair(bed.worlds, bed.config)


def _record_in_worker(bed: str, world: int, seed: int) -> Recorded:
    return record_world(*_WORKER[bed], world, seed)


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
        progress: told after every world, and after every check of the learner.

    Raises:
        InputError: the file can't be read or used.
    """
    began = time.perf_counter()
    grounds = list(beds(request))
    report: Report | None = None
    with _Reference(request, grounds) as reference:
        for bed in grounds:
            markets = [prepare(world.bars, bed.config) for world in bed.worlds]
            pair = trading_pair(bed.worlds, bed.config, markets)
            if report is None:
                required = pair.required | LEARNER_REQUIRED
                report = Report(pair.name, request.seed, pair.port.form, [], [], required)
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
    if request.learner:
        for result in check_learner(request.seed):
            report.checks.append(result)
            if progress:
                progress(f"{result.check}, {result.world}", result.compared)
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
    worlds = (request.data is not None) + len(request.symbols) + 4
    return worlds + (count_checks() if request.learner else 0)


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
