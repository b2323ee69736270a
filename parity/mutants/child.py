"""Try one port: ``python -P -m parity.mutants.child MATERIAL RESULT``, in a process of its own.

The port that is imported is the first on ``PYTHONPATH``. It is held against what the reference did by
the gate's own judges. Exit code 0: no judge objects; 1: one does; anything else: it did not run.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np

import jax_port
from jax_port.data.data_loader import PreparedMarket, prepare
from parity.engine.compare import Array
from parity.engine.pair import Pair
from parity.engine.record import Recording
from parity.engine.replay import Replay, replay
from parity.engine.report import write_json
from parity.engine.verify import CheckResult, judge_cases, judge_replay
from parity.mutants.learner import load_learner, try_learner
from parity.mutants.recordings import Ground, Played, load
from parity.pairs.trading import trading_pair
from parity.suites.data import judge_data
from parity.suites.invariants import check_account
from parity.suites.processed import processed
from parity.suites.start_distribution import check_draws


class Findings:
    """Results of the judges, and digests of every array that the port put out."""

    def __init__(self) -> None:
        self.checks: list[tuple[str, CheckResult]] = []
        self.outputs: dict[str, str] = {}

    def put(self, name: str, value: Array) -> None:
        """Note an output's dtype, shape and bits."""
        value = np.ascontiguousarray(value)
        about = f"{value.dtype}{value.shape}".encode()
        self.outputs[name] = hashlib.sha256(about + value.tobytes()).hexdigest()

    def judge(self, bed: str, *results: CheckResult) -> None:
        """Note what judges said."""
        self.checks += [(bed, result) for result in results]

    @property
    def killed(self) -> bool:
        """Whether a judge objected."""
        return any(not result.passed for _, result in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "port": str(Path(str(jax_port.__file__)).parent),
            "outputs": self.outputs,
            "checks": [
                {
                    "bed": bed,
                    "world": result.world,
                    "check": result.check,
                    "compared": result.compared,
                    "passed": result.passed,
                    "mismatches": result.mismatches,
                    "field": _field(result),
                }
                for bed, result in self.checks
            ],
            "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        }


def _field(result: CheckResult) -> str:
    """Return what disagreed first, in words; empty if nothing did."""
    if result.error:
        return result.error
    far = [name for name, measure in result.measures.items() if not measure.passed]
    return result.first.field if result.first else "".join(far[:1])


def try_environments(found: Findings, grounds: list[Ground], everything: bool) -> None:
    """Hold the port's environments against the recordings.

    Args:
        found: where to put what judges say and what the port put out.
        grounds: beds in the order in which to try them.
        everything: go on after the first bed on which a judge objects.
    """
    # Data first: it needs nothing compiled, and a port that fails it fails.
    prepared = [_try_data(found, bed) for bed in grounds]
    firsts = {bed.config.phase: bed.name for bed in reversed(grounds)}.values()
    for bed, markets in zip(grounds, prepared, strict=True):
        if found.killed and not everything:
            break
        pair = trading_pair(bed.worlds, bed.config, markets)
        for world, played in zip(bed.worlds, bed.played, strict=True):
            _try_world(found, bed, pair, world.name, played)
        if bed.name in firsts and (everything or not found.killed):
            for result in check_draws(pair, bed.played[0].transitions):
                found.judge(bed.name, result)
                drawn = result.notes.get("draws_of_a_start", [])
                found.put(f"{bed.name}/{result.check}", np.array(drawn, np.int64))


def try_port(material: Path, everything: bool, phase: int = 1, learner: bool = False) -> Findings:
    """Hold the port against all recordings.

    Args:
        material: folder of the recordings.
        everything: go on after the first objection.
        phase: whose beds come first.
        learner: try the learner before the environments.
    """
    found = Findings()
    grounds = sorted(load(material), key=lambda bed: bed.config.phase != phase)
    learnt = load_learner(material)
    for on_learner in (learner, not learner):
        if found.killed and not everything:
            break
        if on_learner:
            try_learner(found, learnt, everything)
        else:
            try_environments(found, grounds, everything)
    return found


def _try_data(found: Findings, bed: Ground) -> list[PreparedMarket]:
    """Judge what the port prepares of a bed's bars, and of the first as a processed file."""
    markets = [prepare(world.bars, bed.config) for world in bed.worlds]
    for world, market, played in zip(bed.worlds, markets, bed.played, strict=True):
        _put_market(found, f"{bed.name}/{world.name}", market)
        found.judge(bed.name, judge_data(world.name, played.data, market))
    carrying = processed(bed.worlds[0])
    market = prepare(carrying.bars, bed.config)
    _put_market(found, f"{bed.name}/{carrying.name}", market)
    found.judge(bed.name, judge_data(carrying.name, bed.played[0].processed, market))
    return markets


def _try_world(found: Findings, bed: Ground, pair: Pair, name: str, played: Played) -> None:
    index = int(played.episodes.worlds[0])
    contract = bed.worlds[index].bars.contract
    again = replay(pair, played.episodes)
    found.judge(bed.name, *judge_replay(pair, played.episodes, again))
    sides = check_account(played.episodes, again, name, bed.config, contract)
    found.judge(bed.name, *(result for result in sides if result.check.endswith("port")))
    stepped = replay(pair, played.transitions)
    found.judge(bed.name, judge_cases(pair, played.transitions, stepped))
    _put_replay(found, f"{bed.name}/{name}/episodes", played.episodes, again)
    _put_replay(found, f"{bed.name}/{name}/cases", played.transitions, stepped)


def _put_market(found: Findings, name: str, market: PreparedMarket) -> None:
    for field in ("features", "bars", "starts"):
        found.put(f"{name}/{field}", getattr(market, field))


def _put_replay(found: Findings, name: str, recording: Recording, played: Replay) -> None:
    taken = recording.valid
    for field, value in played.before.items():
        found.put(f"{name}/before/{field}", value)
    for field, value in played.after.items():
        found.put(f"{name}/after/{field}", value[taken])
    for field, value in played.restart.items():
        found.put(f"{name}/restart/{field}", value)
    found.put(f"{name}/restarted", played.restarted[taken])
    found.put(f"{name}/kept", played.kept[taken])


def main() -> None:
    """Read the arguments, try the port, write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("material", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("--phase", type=int, default=1, help="whose beds come first")
    parser.add_argument("--all", action="store_true", help="go on after the first bed that objects")
    parser.add_argument("--learner", action="store_true", help="try the learner first")
    given = parser.parse_args()
    found = try_port(given.material, given.all, given.phase, given.learner)
    write_json(given.result, found.to_dict())
    sys.exit(1 if found.killed else 0)


if __name__ == "__main__":
    main()
