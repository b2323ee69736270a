"""The part of the gate that a training lacks, run on its own data, configuration and learner.

Source: ``docs/parity.md``. It is the gate's own checks, on the bars that are about to be trained on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from foundation.report.format import show
from jax_port.data.data_loader import prepare
from jax_port.envs.form import form_of
from jax_port.ppo.settings import TrainSettings
from markets import Bars, EnvConfig, InputError
from parity.engine.verify import CheckResult
from parity.gate.covered import Missing
from parity.learner.cases import LearnerCase
from parity.pairs.trading import World, trading_pair
from parity.suites.scenarios import Scenario

EPISODES, CASES = 10, 1_000
"""Of each market: as many as a gate of strength "standard" takes of a symbol in Phase 2."""
WIDE = 1024
"""Hidden units above which one update is compared instead of two: each may sit on ReLU's corner."""

OnProgress = Callable[[str], None]


def prove_missing(
    lacking: Missing,
    bars: Sequence[Bars],
    config: EnvConfig,
    settings: TrainSettings,
    on_progress: OnProgress = lambda what: None,
) -> dict[str, Any]:
    """Run what a certificate lacks of a training; return what was compared, ready for JSON.

    Args:
        lacking: from :func:`parity.gate.covered.missing`.
        bars: all markets of the training.
        config, settings: of the training.
        on_progress: told what is compared next.

    Raises:
        InputError: the two sides differ there; says where first.
    """
    began = time.perf_counter()
    checks: list[CheckResult] = []
    if lacking.markets:
        checks += check_markets(
            [bars[number] for number in lacking.markets], config, settings.seed, on_progress
        )
    if lacking.learner:
        on_progress("the learner")
        checks += check_structure(settings)
    if lacking.advice:
        on_progress(f"the learner with advice as {lacking.advice}")
        checks += check_structure(settings, lacking.advice)
    bad = [check for check in checks if not check.passed]
    if bad:
        raise InputError(f"the two sides differ on {_place(bad[0])}; do not train on this port")
    return {
        "because": list(lacking.reasons),
        "checks": len(checks),
        "transitions": sum(
            check.compared for check in checks if check.check in ("replay", "generated")
        ),
        "numbers": sum(check.numbers for check in checks),
        "seconds": round(time.perf_counter() - began, 1),
    }


def check_markets(
    bars: Sequence[Bars], config: EnvConfig, seed: int, on_progress: OnProgress = lambda what: None
) -> list[CheckResult]:
    """Return the gate's checks of the environment, on these bars under this configuration."""
    from parity.suites.worlds import check_properties, judge_world, record_world

    worlds = tuple(World(f"{one.contract.symbol}, {one.source}", one, "") for one in bars)
    scenario = Scenario("data at hand", worlds, config, EPISODES, CASES)
    markets = [prepare(world.bars, config) for world in worlds]
    pair = trading_pair(worlds, config, markets)
    checks: list[CheckResult] = []
    for number, market in enumerate(markets):
        on_progress(worlds[number].name)
        recorded = record_world(scenario, pair, number, seed)
        checks += judge_world(scenario, pair, market, number, recorded, seed).checks
        if number == 0:
            checks += check_properties(scenario, recorded, seed)
    return checks


def check_structure(settings: TrainSettings, advice: str = "") -> list[CheckResult]:
    """Return the gate's checks of a learner of this structure, at sizes that take seconds.

    The structure is the training's; sizes and the numbers that are arguments of the compiled program
    are the gate's own, at which no decision hangs on rounding.

    Args:
        settings: of the training.
        advice: how the policy is trained with advice, here with drawn answers; "" for without.
    """
    from parity.learner.suite import check_case

    partial = settings.rollout_size % settings.batch_size != 0
    small = TrainSettings().override(
        n_envs=4,
        n_steps=24,
        batch_size=50 if partial else 48,
        n_epochs=2,
        total_timesteps=1_000,
        learning_rate=1e-3,
        clip_range_vf=None if settings.clip_range_vf is None else 0.1,
        target_kl=None if settings.target_kl is None else 0.05,
        anneal=settings.anneal,
        norm_reward=settings.norm_reward,
        order_groups=1 if settings.order_groups == 1 else 2,
        network=settings.network,
        layer_lr=settings.layer_lr,
    )
    units = sum(settings.network.pi) + sum(settings.network.vf)
    name = f"advice as {advice} at hand" if advice else "structure at hand"
    case = LearnerCase(name, small, 1 if units > WIDE else 2, advice=advice)
    return check_case(form_of(advice), case)


def _place(check: CheckResult) -> str:
    where = f"{check.world}, check {check.check!r}"
    if check.error:
        return f"{where} ({check.error})"
    if check.first is None:
        return f"{where} ({check.mismatches} numbers)"
    first = check.first
    return f"{where} ({first.field}: reference {show(first.reference)}, port {show(first.port)})"
