"""Judging one world: the reference's episodes and generated cases against the port's.

Source: ``docs/environment.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jax_port.data.data_loader import PreparedMarket, prepare
from parity.engine.diverge import Divergence, explain_case, explain_replay
from parity.engine.generate import seeded_cases
from parity.engine.pair import Case, Fields, Pair
from parity.engine.record import Recording, record_cases, record_episodes
from parity.engine.replay import replay, shared_shape
from parity.engine.verify import CheckResult, check_restarts, judge_cases, judge_replay
from parity.pairs.market_key import market_key
from parity.pairs.port_lines import port_at_work
from parity.pairs.trading import World, trading_pair
from parity.suites.data import check_data
from parity.suites.invariants import check_account, check_forbidden
from parity.suites.processed import processed
from parity.suites.scenarios import Scenario
from parity.suites.start_distribution import check_draws
from parity.suites.symmetry import check_blindness, check_mirror

AFTER_CASES, RESTARTS = "restart after a generated case", 200
"""Name of a check, and how many restarts of a world it holds against a reset of the reference."""


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
    shape = shared_shape(recorded.episodes, recorded.transitions)
    played = replay(pair, recorded.episodes, seed, shape, port_at_work())
    stepped = replay(pair, recorded.transitions, seed, shape)  # by the same lines of the port
    checks = judge_replay(pair, recorded.episodes, played)
    divergences = []
    if (first := checks[0].first) is not None:
        divergences.append(explain_replay(pair, recorded.episodes, first, "replay"))
    generated = judge_cases(pair, recorded.transitions, stepped)
    if generated.first is not None:
        divergences.append(explain_case(pair, recorded.cases, generated.first))
    again = check_restarts(pair, recorded.transitions, stepped, AFTER_CASES, RESTARTS)
    checks += [generated, again, check_data(place, scenario.config, market)]
    checks += check_account(recorded.episodes, played, place.name, scenario.config, place.bars.contract)
    checks += check_forbidden(pair, recorded.cases, recorded.transitions, stepped, shape=shape)
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
    with port_at_work():
        data = check_data(world, scenario.config, prepare(world.bars, scenario.config))
        fair = scenario.start_distribution
        return [data, *(check_draws(pair, recorded.transitions, seed) if fair else [])]


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


def about_world(world: World, market: PreparedMarket, scenario: Scenario) -> dict[str, Any]:
    """Return what a report and a certificate say of a world."""
    return {
        "name": world.name,
        "source": world.bars.source,
        "contract": world.bars.contract.symbol,
        "key": market_key(market.digest, world.bars.contract),
        "bars": len(market),
        "digest": market.digest,
        "config": scenario.config.to_dict(),
    }
