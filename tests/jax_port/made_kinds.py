"""Policies of every kind that is exported, with the bars that each trades."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from jax_port.data.data_loader import prepare
from jax_port.ppo.policy import Policy
from jax_port.ppo.settings import NetworkSpec
from markets import Bars, EnvConfig
from markets.config import Session
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.made_policy import SPEC, make_policy


@dataclass(frozen=True)
class Made:
    """How a policy is made.

    Attributes:
        spread: logits are about so far apart; 0 for an action head of zeros.
        spec: the network.
        contracts: that are traded.
        session: of the bars.
        off_grid: prices lie between two ticks, and are moved to the grid.
    """

    spread: float = 1.0
    spec: NetworkSpec = SPEC
    contracts: int = 1
    session: Session = "rth"
    off_grid: bool = False


TANH = NetworkSpec((24, 8, 12), (5,), "tanh")
KINDS = {
    "zero head": Made(spread=0.0),
    "logits 30 apart": Made(spread=30.0),
    "logits 200 apart": Made(spread=200.0),
    "tanh, logits 200 apart": Made(spread=200.0, spec=replace(SPEC, activation="tanh")),
    "unequal layers": Made(spec=NetworkSpec((4,), (32, 3, 7))),
    "three contracts": Made(contracts=3),
    "all hours": Made(session="all"),
    "off the grid": Made(off_grid=True),
    "all at once": Made(200.0, TANH, 3, "all", True),
}


def config_of(kind: str, phase: int) -> EnvConfig:
    made = KINDS[kind]
    make = EnvConfig.phase1 if phase == 1 else EnvConfig.phase2
    return make(contracts=made.contracts, session=made.session)


@cache
def bars_of(kind: str) -> Bars:
    made = KINDS[kind]
    bars = synthetic_bars("ES", days=4, seed=5, session=made.session)
    if not made.off_grid:
        return bars
    rng = np.random.default_rng(1)
    frame = bars.frame.copy()
    shift = rng.uniform(-0.1, 0.1, len(frame))  # of a tick of 0.25, the same for all prices of a bar
    for name in ("open", "high", "low", "close"):
        frame[name] += shift
    snapped = Bars.from_frame(frame, bars.contract, source="off the grid", snap=True)
    assert snapped.snapped > len(frame)
    return snapped


@cache
def policy_of(kind: str, phase: int) -> Policy:
    made, config = KINDS[kind], config_of(kind, phase)
    market = prepare(bars_of(kind), config)
    about = {"data": {"symbol": "ES"}}
    return make_policy(market, config, seed=3, spread=made.spread, spec=made.spec, **about)
