"""Drawn configurations: every field of ``EnvConfig`` and of a contract's costs, at its odd values.

Source: sections 2 and 4 of ``docs/environment.md``. A fault in how a setting is used shows only at some
of its values (a lock of 0 taken for none, money through float32 above $167,772), so each seed draws
configurations in which every field takes values of each of its kinds: 0 or the least there may be, 1,
negative where that is allowed, just beyond the default, and for what enters sums of money near the
int32 limit. The report names every field and kind as a branch, and lists the values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from markets import Bars, EnvConfig, InputError
from markets.config import Session
from markets.limits import check_int32
from markets.synthetic.stress import stress_bars
from parity.engine.verify import CheckResult
from parity.pairs.trading import World

Rng = np.random.Generator
Draw = Callable[[Rng], Any]
Kinds = Mapping[str, Draw]

SESSIONS: tuple[Session, ...] = ("rth", "all")
Sessions = Mapping[Session, Bars]
"""The same bars, cut to each session."""

LEAST, ONE, NEGATIVE, BEYOND, LARGE, SMALL = (
    "least",
    "1",
    "negative",
    "beyond the default",
    "large",
    "small",
)
ZERO, LIMIT = "0", "near the int32 limit"


def _just(value: Any) -> Draw:
    return lambda rng: value


def _between(low: int, high: int, unit: float = 1) -> Draw:
    """Return a draw of a whole number of units from low to high, as int where the unit is 1."""

    def draw(rng: Rng) -> Any:
        number = int(rng.integers(low, high, endpoint=True))
        return number if unit == 1 else round(number * unit, 6)

    return draw


SHAPES: dict[str, Kinds] = {
    "window_size": {ONE: _just(1), BEYOND: _between(21, 24), SMALL: _between(2, 9)},
    "warmup_bars": {LEAST: _just(20), BEYOND: _between(101, 140)},
    "session": {"rth": _just("rth"), "all": _just("all")},
    "entry_open_minute": {ZERO: _just(0), BEYOND: _between(571, 640), ONE: _just(1)},
    "entry_close_minute": {"1440": _just(1440), BEYOND: _between(961, 1010), SMALL: _between(650, 700)},
    "max_episode_bars": {ONE: _just(1), BEYOND: _between(391, 400), "2": _just(2)},
}
"""Fields on which shapes of compiled programs depend, so that few of them are drawn, one a group."""

VALUES: dict[str, Kinds] = {
    "sl_atr_mult": {
        SMALL: _between(1, 20, 0.01),
        BEYOND: _between(151, 160, 0.01),
        LARGE: _between(20, 60),
    },
    "tp_sl_ratio": {
        SMALL: _between(1, 20, 0.01),
        BEYOND: _between(301, 310, 0.01),
        LARGE: _between(10, 40),
    },
    "trail_atr_mult": {
        SMALL: _between(1, 20, 0.01),
        BEYOND: _between(101, 110, 0.01),
        LARGE: _between(5, 20),
    },
    "flat_by_minute": {ZERO: _just(0), BEYOND: _between(1020, 1030), SMALL: _between(700, 900)},
    "initial_balance_dollars": {
        LEAST: _just(0.01),
        ONE: _just(1.0),
        BEYOND: _between(5_000_001, 5_000_099, 0.01),
        "beyond float32": _between(16_777_217, 40_000_001, 0.01),
    },
    "trailing_drawdown_dollars": {
        LEAST: _just(0.01),
        ONE: _just(1.0),
        BEYOND: _between(1_500_001, 1_500_099, 0.01),
        SMALL: _between(5_000, 90_000, 0.01),
    },
    "floor_lock_dollars": {
        ZERO: _just(0.0),
        ONE: _just(1.0),
        NEGATIVE: _between(-50, -1, 0.01),
        BEYOND: _between(10_001, 10_099, 0.01),
    },
    "contracts": {ONE: _just(1), BEYOND: _just(2), "several": _between(3, 9)},
    "hold_penalty": {
        ZERO: _just(0.0),
        ONE: _just(1.0),
        NEGATIVE: _between(-90, -2, 0.01),
        BEYOND: _just(-0.011),
    },
    "patience_reward": {
        ZERO: _just(0.0),
        ONE: _just(1.0),
        NEGATIVE: _between(-90, -1, 0.01),
        BEYOND: _just(0.002),
    },
    "pnl_divisor_dollars": {
        LEAST: _just(0.01),
        ONE: _just(1.0),
        BEYOND: _between(101, 109),
        SMALL: _between(3, 60, 0.5),
    },
    "violation_penalty": {
        ZERO: _just(0.0),
        ONE: _just(1.0),
        NEGATIVE: _between(-99, -1, 0.1),
        BEYOND: _between(-1_009, -1_001, 0.01),
    },
    "invalid_action_penalty": {
        ZERO: _just(0.0),
        ONE: _just(1.0),
        NEGATIVE: _between(-99, -2, 0.1),
        BEYOND: _just(-0.01),
    },
    "trail_win_bonus": {
        ZERO: _just(0.0),
        ONE: _just(1.0),
        NEGATIVE: _between(-99, -1, 0.01),
        BEYOND: _just(0.51),
    },
    "slippage_ticks": {ZERO: _just(0), ONE: _just(1), BEYOND: _between(2, 9)},
    "commission_cents": {ZERO: _just(0), ONE: _just(1), BEYOND: _between(251, 999)},
}
"""All other fields, and a contract's costs: arguments of the compiled program."""

COSTS = ("slippage_ticks", "commission_cents")
LIMITED = (
    "initial_balance_dollars",
    "trailing_drawdown_dollars",
    "floor_lock_dollars",
    "contracts",
    "violation_penalty",
)
"""Fields that one configuration each of a phase has near the int32 limit."""

TRIES = 50
GROUPS, EACH = 3, 3
"""Groups of equal shapes in a phase, and configurations in a group."""

COUNT = 2 * GROUPS * EACH

CONTRACTS = ("ES", "RTY", "MYM")

REQUIRED = frozenset(
    f"configuration, {name}: {kind}"
    for name, kinds in {**SHAPES, **VALUES}.items()
    for kind in (*kinds, *((LIMIT,) if name in LIMITED else ()))
) | {"configuration, phase: 1", "configuration, phase: 2"}
"""Every field with every kind of value; a run that has not drawn one has not seen enough."""


@dataclass(frozen=True)
class Configuration:
    """One drawn configuration.

    Attributes:
        name: for reports.
        config: the configuration.
        world: hostile bars of all hours, with drawn costs.
        kinds: by field, which kind of value it has; fields left at their default are missing.
    """

    name: str
    config: EnvConfig
    world: World
    kinds: Mapping[str, str]

    def value(self, name: str) -> Any:
        """Return a field's value, wherever it is held."""
        for owner in (self.config, self.config.account, self.config.reward, self.world.bars.contract):
            if hasattr(owner, name):
                return getattr(owner, name)
        raise KeyError(name)


@cache
def draw_configurations(seed: int) -> list[Configuration]:
    """Return the configurations of a seed: both phases, every field with every kind of value.

    Args:
        seed: of all values, and of the bars.

    Raises:
        ArithmeticError: no try has every kind; not one seed of the first thousand takes many.
    """
    markets = [stress_bars(symbol, seed=seed, session="all") for symbol in CONTRACTS]
    by_session = [{name: bars.session(name) for name in SESSIONS} for bars in markets]
    for attempt in range(TRIES):
        try:
            drawn = _draw_all(seed, attempt, by_session)
        except InputError:  # prices went so far that a drawn length of episodes leaves no account room
            continue
        if not REQUIRED - set(coverage_of(drawn)):
            return drawn
    raise ArithmeticError(f"seed {seed}: {TRIES} draws in a row lack a kind of value")


def _draw_all(seed: int, attempt: int, markets: Sequence[Sessions]) -> list[Configuration]:
    rng = np.random.default_rng([seed, 16, attempt])
    orders = {name: rng.permutation(len(kinds)) for name, kinds in {**SHAPES, **VALUES}.items()}
    drawn: list[Configuration] = []
    for phase in (1, 2):
        for group in range(GROUPS):
            number = (phase - 1) * GROUPS + group
            shape = {name: _pick(rng, SHAPES[name], orders[name], number) for name in SHAPES}
            for place in range(EACH):
                number = len(drawn)
                bars = markets[group]
                aim = LIMITED[(group * EACH + place) % len(LIMITED)]
                drawn.append(_draw(rng, seed, number, phase, shape, bars, orders, aim))
    return drawn


def _pick(rng: Rng, kinds: Kinds, order: Any, number: int) -> tuple[str, Any]:
    """Return a kind, each in turn, and a value of it."""
    kind = list(kinds)[int(order[number % len(kinds)])]
    return kind, kinds[kind](rng)


def _draw(
    rng: Rng,
    seed: int,
    number: int,
    phase: int,
    shape: Mapping[str, tuple[str, Any]],
    bars: Sessions,
    orders: Mapping[str, Any],
    aim: str,
) -> Configuration:
    """Return one configuration: fields in turn, each left as it is where its value can't be had."""
    settings: dict[str, Any] = {name: value for name, (_, value) in shape.items()}
    kinds = {"phase": str(phase), **{name: kind for name, (kind, _) in shape.items()}}
    for name in map(str, rng.permutation(sorted(VALUES))):
        kind, value = _pick(rng, VALUES[name], orders[name], number)
        if name == aim or not _allowed(phase, {**settings, name: value}, bars):
            continue
        settings[name], kinds[name] = value, kind
    settings[aim], kinds[aim] = _near_limit(phase, settings, bars, aim), LIMIT
    config, priced = _made(phase, settings, bars)
    contract = priced.contract
    options = (
        f"--stress all --symbol {contract.symbol} --seed {seed} "
        f"--commission {contract.commission_cents} --slippage {contract.slippage_ticks}"
    )
    name = f"configuration {number + 1}"
    return Configuration(name, config, World(f"{contract.symbol} {name}", priced, options), kinds)


def _made(phase: int, settings: Mapping[str, Any], bars: Sessions) -> tuple[EnvConfig, Bars]:
    """Return the configuration, and the bars with the contract's costs.

    Raises:
        InputError: they can't be had together.
    """
    make = EnvConfig.phase1 if phase == 1 else EnvConfig.phase2
    config = make(**{name: value for name, value in settings.items() if name not in COSTS})
    costs = {name: settings[name] for name in COSTS if name in settings}
    contract = replace(bars["all"].contract, **costs)
    check_int32(replace(bars[config.session], contract=contract), config)
    return config, replace(bars["all"], contract=contract)


def _allowed(phase: int, settings: Mapping[str, Any], bars: Sessions) -> bool:
    try:
        _made(phase, settings, bars)
    except InputError:
        return False
    return True


def _near_limit(phase: int, settings: Mapping[str, Any], bars: Sessions, name: str) -> Any:
    """Return a field's largest value that leaves int32 a little room, found by halving."""
    unit = 1 if name == "contracts" else 0.01
    sign = -1 if name == "violation_penalty" else 1

    def value(count: int) -> Any:
        return sign * count if unit == 1 else round(sign * count * unit, 2)

    low, high = 1, 2**31
    while high - low > 1:
        middle = (low + high) // 2
        fits = _allowed(phase, {**settings, name: value(middle)}, bars)
        low, high = (middle, high) if fits else (low, middle)
    return value(max(low - low // 50, 1))


def coverage_of(drawn: Sequence[Configuration]) -> Counter[str]:
    """Return how many configurations have a field with each kind of value."""
    return Counter(
        f"configuration, {name}: {kind}" for one in drawn for name, kind in one.kinds.items()
    )


def report_configurations(drawn: Sequence[Configuration]) -> CheckResult:
    """Return what was drawn, for the report: coverage by field and kind, and every value."""
    result = CheckResult("configurations", "all fields of EnvConfig", len(drawn))
    result.coverage = coverage_of(drawn)
    for name in sorted({name for one in drawn for name in one.kinds}):
        values = {one.value(name) for one in drawn}
        result.notes[name] = ", ".join(
            f"{value:.10g}" if isinstance(value, float) else str(value)
            for value in sorted(values, key=str)
        )
    return result
