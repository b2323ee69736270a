"""Mutant runner, one port: ``python -P -m parity.mutants.child RECORDINGS RESULT`` in its own process.

The port that is imported is the first on ``PYTHONPATH``. It is held against what the reference did by
the gate's own judges. Exit code 0: no judge objects; 1: one does; anything else: it did not run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from foundation.files import write_json
from jax_port.data.data_loader import PreparedMarket, prepare
from jax_port.data.features import compute_features
from parity.engine.pair import Pair
from parity.engine.record import Recording
from parity.engine.replay import Replay, replay
from parity.engine.verify import check_restarts, judge_cases, judge_replay
from parity.mutants.findings import Findings
from parity.mutants.learner import load_learner, try_learner
from parity.mutants.recordings import Played, RecordedScenario, load
from parity.pairs.trading import trading_pair
from parity.suites.data import judge_data
from parity.suites.invariants import check_account
from parity.suites.processed import processed
from parity.suites.randomness import check_environment_draws
from parity.suites.scale import check_scale
from parity.suites.start_distribution import check_draws
from parity.suites.traced import check_rounding
from parity.suites.worlds import AFTER_CASES, RESTARTS

SEED = 0


def try_environments(findings: Findings, scenarios: list[RecordedScenario], everything: bool) -> None:
    """Hold the port's environments against the recordings.

    Args:
        findings: where to put what judges say and what the port put out.
        scenarios: scenarios in the order in which to try them.
        everything: go on after the first scenario on which a judge objects.
    """
    # Data first: it needs nothing compiled, and a port that fails it fails.
    prepared = [_try_data(findings, scenario) for scenario in scenarios]
    firsts = {scenario.config.phase: scenario.name for scenario in reversed(scenarios)}.values()
    for scenario, markets in zip(scenarios, prepared, strict=True):
        if findings.killed and not everything:
            break
        pair = trading_pair(scenario.worlds, scenario.config, markets)
        for world, played in zip(scenario.worlds, scenario.played, strict=True):
            _try_world(findings, scenario, pair, world.name, played)
        if scenario.name in firsts and (everything or not findings.killed):
            for result in check_draws(pair, scenario.played[0].transitions):
                findings.judge(scenario.name, result)
                drawn = result.notes.get("draws_of_a_start", [])
                findings.put(f"{scenario.name}/{result.check}", np.array(drawn, np.int64))
    if everything or not findings.killed:
        result, starts = check_environment_draws(SEED)
        rounding = check_rounding(SEED)
        findings.judge("draws", result, *check_scale(SEED), rounding)
        findings.put("traced programs", np.array(rounding.mismatches))  # no bit of a CPU's need change
        for name, numbers in starts.items():
            findings.put(f"draws/{name}", numbers)


def try_port(recordings: Path, everything: bool, phase: int = 1, learner: bool = False) -> Findings:
    """Hold the port against all recordings.

    Args:
        recordings: folder of the recordings.
        everything: go on after the first objection.
        phase: whose scenarios come first.
        learner: try the learner before the environments.
    """
    findings = Findings()
    scenarios = sorted(load(recordings), key=lambda scenario: scenario.config.phase != phase)
    learners = load_learner(recordings)
    for on_learner in (learner, not learner):
        if findings.killed and not everything:
            break
        if on_learner:
            try_learner(findings, learners, everything)
        else:
            try_environments(findings, scenarios, everything)
    return findings


def _try_data(findings: Findings, scenario: RecordedScenario) -> list[PreparedMarket]:
    """Judge what the port prepares of a scenario's bars, and of the first as a processed file."""
    markets = [prepare(world.bars, scenario.config) for world in scenario.worlds]
    for world, market, played in zip(scenario.worlds, markets, scenario.played, strict=True):
        _put_market(findings, f"{scenario.name}/{world.name}", market)
        unrounded = compute_features(world.bars.session(scenario.config.session))
        findings.put(f"{scenario.name}/{world.name}/features in float64", unrounded)
        findings.judge(scenario.name, judge_data(world, scenario.config, played.data, market))
    file_with_features = processed(scenario.worlds[0])
    market = prepare(file_with_features.bars, scenario.config)
    _put_market(findings, f"{scenario.name}/{file_with_features.name}", market)
    columns = scenario.played[0].processed
    findings.judge(scenario.name, judge_data(file_with_features, scenario.config, columns, market))
    return markets


def _try_world(
    findings: Findings, scenario: RecordedScenario, pair: Pair, name: str, played: Played
) -> None:
    index = int(played.episodes.worlds[0])
    contract = scenario.worlds[index].bars.contract
    ported = replay(pair, played.episodes)
    findings.judge(scenario.name, *judge_replay(pair, played.episodes, ported))
    accounts = check_account(played.episodes, ported, name, scenario.config, contract)
    findings.judge(scenario.name, *(result for result in accounts if result.check.endswith("port")))
    ported_cases = replay(pair, played.transitions)
    findings.judge(scenario.name, judge_cases(pair, played.transitions, ported_cases))
    again = check_restarts(pair, played.transitions, ported_cases, AFTER_CASES, RESTARTS)
    findings.judge(scenario.name, again)
    _put_replay(findings, f"{scenario.name}/{name}/episodes", played.episodes, ported)
    _put_replay(findings, f"{scenario.name}/{name}/cases", played.transitions, ported_cases)


def _put_market(findings: Findings, name: str, market: PreparedMarket) -> None:
    for field in ("features", "bars", "starts"):
        findings.put(f"{name}/{field}", getattr(market, field))


def _put_replay(findings: Findings, name: str, recording: Recording, played: Replay) -> None:
    taken = recording.valid
    for field, value in played.before.items():
        findings.put(f"{name}/before/{field}", value)
    for field, value in played.after.items():
        findings.put(f"{name}/after/{field}", value[taken])
    for field, value in played.restart.items():
        findings.put(f"{name}/restart/{field}", value)
    findings.put(f"{name}/restarted", played.restarted[taken])
    findings.put(f"{name}/untouched", played.untouched[taken])


def main() -> None:
    """Read the arguments, try the port, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--phase", type=int, default=1, help="whose scenarios come first")
    parser.add_argument(
        "--all", action="store_true", help="go on after the first scenario that objects"
    )
    parser.add_argument("--learner", action="store_true", help="try the learner first")
    arguments = parser.parse_args()
    findings = try_port(arguments.recordings, arguments.all, arguments.phase, arguments.learner)
    write_json(arguments.result, findings.to_dict())
    sys.exit(1 if findings.killed else 0)


if __name__ == "__main__":
    main()
