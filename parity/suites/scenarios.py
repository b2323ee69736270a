"""Scenarios of the gate: bars, a configuration and how many episodes and cases, for each phase.

Source: ``docs/environment.md``. The file is compared in full in both phases, the eight symbols in full
in Phase 1 and by half in Phase 2, whose account and data are Phase 1's.
"""

from __future__ import annotations

import shlex
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from markets import SYMBOLS, EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.stress import stress_bars
from parity.pairs.seconds import gappy_seconds
from parity.pairs.trading import World
from parity.suites.configurations import COUNT, SHAPES, draw_configurations


@dataclass(frozen=True)
class Scenario:
    """Bars and a configuration to compare on, and how much.

    Attributes:
        name: for reports; worlds carry it.
        worlds: the bars.
        config: the configuration.
        episodes, cases: per world.
        properties: also check look-ahead and the mirror.
        start_distribution: also check that starts are drawn fairly; one scenario a phase is enough.
    """

    name: str
    worlds: tuple[World, ...]
    config: EnvConfig
    episodes: int
    cases: int
    properties: bool = False
    start_distribution: bool = False

    def programs(self) -> Hashable:
        """Return what decides the shapes of its compiled programs: equal where they are shared."""
        return (
            self.config.phase,
            *(getattr(self.config, name) for name in SHAPES),
            *((len(world.bars), world.seconds and len(world.seconds)) for world in self.worlds),
            self.episodes,
            self.cases,
        )


@dataclass(frozen=True)
class Request:
    """How a run of the gate is asked for.

    Attributes:
        data: file of bars; None for synthetic bars alone.
        symbol: contract of the file.
        reader: options of the reader.
        episodes, cases: in full, of the file in each phase.
        days: synthetic days per symbol.
        seed: of everything that is drawn.
        symbols: which synthetic symbols.
        workers: processes that carry out its parts; 0 carries them out in this one.
        configurations: also compare on drawn configurations.
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
    configurations: bool = True
    learner: bool = True


MARKETS = 11
"""In one batch: more than there are symbols, so that no table ends at the eighth."""

ODD: dict[str, Any] = {
    "window_size": 7,
    "warmup_bars": 40,
    "sl_atr_mult": 0.9,
    "tp_sl_ratio": 1.3,
    "entry_open_minute": 600,
    "entry_close_minute": 900,
    "flat_by_minute": 1000,
    "max_episode_bars": 90,
    "initial_balance_dollars": 25_000.0,
    "trailing_drawdown_dollars": 1_500.0,
    "floor_lock_dollars": 250.0,
    "contracts": 3,
    "hold_penalty": -0.02,
    "patience_reward": 0.003,
    "pnl_divisor_dollars": 50.0,
    "violation_penalty": -7.5,
    "invalid_action_penalty": -0.25,
}
"""Settings none of which has its default value, so that no default hides a fault."""


def make_scenarios(request: Request) -> Iterator[Scenario]:
    """Yield all scenarios of a request: Phase 1, Phase 2, both by the second, drawn configurations."""
    worlds = _worlds(request)
    yield from _phase1_scenarios(request, worlds)
    yield from _phase2_scenarios(request, worlds)
    yield from _seconds_scenarios(request, worlds)
    yield _many_markets(request)
    if request.configurations:
        yield from _drawn_scenarios(request)


def count_worlds_of(request: Request) -> int:
    """Return how many worlds all scenarios have, without making their bars."""
    each = (request.data is not None) + len(request.symbols)
    return 2 * each + 4 + 1 + 2 * 2 + MARKETS + request.configurations * COUNT


READER_OPTIONS = {
    "format": "--format",
    "timezone": "--tz",
    "snap": "--snap",
    "instrument": "--instrument",
    "stamped": "--stamped",
    "accept_problems": "--accept-problems",
}
"""Options of the command line by the reader's names."""


def file_options(request: Request) -> str:
    """Return the options that read a request's file as it was read."""
    words = ["--data", str(request.data), "--symbol", request.symbol]
    for name, value in request.reader.items():
        words += [READER_OPTIONS[name]] if value is True else [READER_OPTIONS[name], str(value)]
    return shlex.join(words)


@dataclass(frozen=True)
class _Worlds:
    """Bars by name; both phases share them."""

    file: tuple[World, ...]
    symbols: tuple[World, ...]
    stress: tuple[World, ...]
    overnight: tuple[World, ...]
    odd: tuple[World, ...]


def _worlds(request: Request) -> _Worlds:
    seed = request.seed
    file: tuple[World, ...] = ()
    if request.data is not None:
        from markets.readers import read_bars

        bars = read_bars(request.data, request.symbol, **request.reader)
        file = (World(f"{request.symbol} file", bars, file_options(request)),)
    symbols = tuple(
        World(
            f"{symbol} synthetic",
            synthetic_bars(symbol, days=request.days, seed=seed),
            f"--synthetic {request.days} --symbol {symbol} --seed {seed}",
        )
        for symbol in request.symbols
    )
    # These bars include the nights, so that the session has something to cut away.
    stress = tuple(
        World(
            f"{s} stress",
            stress_bars(s, seed=seed, session="all"),
            f"--stress all --symbol {s} --seed {seed}",
        )
        for s in ("ES", "RTY")
    )
    options = f"--stress all --symbol NQ --seed {seed}"
    nights = World("NQ stress, all hours", stress_bars("NQ", seed=seed, session="all"), options)
    # One tick of profit pays both commissions exactly: only here is a trade's PnL ever zero.
    even = replace(get_contract("ES"), commission_cents=625, slippage_ticks=3)
    bars = replace(stress_bars("ES", seed=seed + 1), contract=even)
    options = f"--stress rth --symbol ES --seed {seed + 1} --commission 625 --slippage 3"
    odd = World("ES odd settings", bars, options)
    return _Worlds(file, symbols, stress, (nights,), (odd,))


def _phase1_scenarios(request: Request, worlds: _Worlds) -> Iterator[Scenario]:
    config, full = EnvConfig.phase1(), (request.episodes, request.cases)
    few = max(request.episodes // 5, 4), max(request.cases // 10, 200)
    if worlds.file:
        yield Scenario("file", worlds.file, config, *full, properties=True)
    yield Scenario("symbols", worlds.symbols, config, *full, properties=not worlds.file)
    yield Scenario("stress", worlds.stress, config, *few)
    yield Scenario("all hours", worlds.overnight, EnvConfig.phase1(session="all"), *few)
    yield Scenario("odd settings", worlds.odd, EnvConfig.phase1(**ODD), *few, start_distribution=True)


def _phase2_scenarios(request: Request, worlds: _Worlds) -> Iterator[Scenario]:
    """Yield the file in full, and hostile bars of all hours with odd settings, for what is new."""
    config, full = EnvConfig.phase2(), (request.episodes, request.cases)
    half = max(request.episodes // 2, 5), max(request.cases // 2, 400)
    some = max(request.episodes // 4, 5), max(request.cases // 4, 400)
    if worlds.file:
        yield Scenario("file, phase 2", _named(worlds.file), config, *full, properties=True)
    yield Scenario(
        "symbols, phase 2", _named(worlds.symbols), config, *half, properties=not worlds.file
    )
    odd = EnvConfig.phase2(**ODD, trail_atr_mult=0.6, trail_win_bonus=0.35)
    yield Scenario("odd settings, phase 2", _named(worlds.odd), odd, *some, start_distribution=True)


def _seconds_scenarios(request: Request, worlds: _Worlds) -> Iterator[Scenario]:
    """Yield both phases with seconds, on an account so small that a minute's way can break it."""
    some = max(request.episodes // 4, 5), max(request.cases // 4, 400)
    with_seconds = tuple(
        replace(
            world,
            name=f"{world.name}, seconds",
            seconds=gappy_seconds(world.bars, request.seed),
            options=f"{world.options} --seconds {request.seed}",
        )
        for world in (*worlds.symbols[:1], *worlds.odd)
    )
    small = {**ODD, "trailing_drawdown_dollars": 300.0}
    yield Scenario("seconds", with_seconds, EnvConfig.phase1(**small), *some)
    odd = EnvConfig.phase2(**small, trail_atr_mult=0.6, trail_win_bonus=0.35)
    yield Scenario("seconds, phase 2", _named(with_seconds), odd, *some)


def _many_markets(request: Request) -> Scenario:
    """Return more markets in one batch than there are symbols, no two with the same costs."""
    worlds = []
    for number in range(MARKETS):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        bars = synthetic_bars(symbol, days=2, seed=request.seed + number)
        contract = bars.contract.with_costs(slippage_ticks=number % 4, commission_cents=53 * number)
        options = (
            f"--synthetic 2 --symbol {symbol} --seed {request.seed + number} "
            f"--commission {contract.commission_cents} --slippage {contract.slippage_ticks}"
        )
        priced = replace(bars, contract=contract)
        worlds.append(World(f"market {number + 1}, {symbol}", priced, options))
    config = EnvConfig.phase1(max_episode_bars=40)
    some = max(min(request.episodes // 20, 5), 4), max(min(request.cases // 100, 200), 100)
    return Scenario("many markets", tuple(worlds), config, *some)


def _drawn_scenarios(request: Request) -> Iterator[Scenario]:
    """Yield drawn configurations, each with a few episodes and cases."""
    some = max(min(request.episodes // 20, 5), 4), max(min(request.cases // 80, 250), 100)
    for drawn in draw_configurations(request.seed):
        yield Scenario(drawn.name, (drawn.world,), drawn.config, *some)


def _named(worlds: tuple[World, ...]) -> tuple[World, ...]:
    return tuple(replace(world, name=f"{world.name}, phase 2") for world in worlds)
