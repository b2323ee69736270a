"""Seconds in the port: padding, and the arithmetic that the gate compares, on one literal minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.data.seconds_loader import SecondsData, prepare_seconds, stack_seconds
from jax_port.envs.intrabar import with_seconds
from jax_port.envs.registry import PHASES, phase_of
from jax_port.envs.state import EXIT_DRAWDOWN, EXIT_NONE, EXIT_STOP, EXIT_TARGET
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.seconds import second_bars
from tests.jax_port.conftest import FIRST

BARS = synthetic_bars("NQ", days=2, seed=1)
CONFIG = EnvConfig.phase1()


def test_seconds_are_padded_to_sixty_in_order() -> None:
    fine = second_bars(BARS, seed=2)
    keep = np.ones(len(fine), bool)
    keep[[61, 70]] = False
    keep[120:180] = False
    found = prepare_seconds(BARS, fine.select(keep), CONFIG)
    assert found.high.shape == found.low.shape == (len(prepare(BARS, CONFIG)), 60)
    real = found.high >= found.low
    assert real.sum(1)[:4].tolist() == [60, 58, 0, 60]
    assert real[1].tolist() == [True] * 58 + [False] * 2
    ticks = BARS.contract.to_ticks(fine.frame["high"].to_numpy()[60:120])
    assert found.high[1, :58].tolist() == np.delete(ticks, [1, 10]).tolist()
    assert (found.minutes_without, found.digest) == (1, fine.select(keep).digest)


def test_markets_follow_one_another() -> None:
    one = prepare_seconds(BARS, second_bars(BARS, seed=2), CONFIG)
    both = stack_seconds([one, one])
    assert both.high.shape == (2 * len(one.high), 60)
    assert both.low[len(one.low)].tolist() == one.low[0].tolist()


def test_only_parameters_with_seconds_look_at_them() -> None:
    params = PHASES[1].make_params(stack([prepare(BARS, CONFIG)]), CONFIG)
    assert phase_of(params) is PHASES[1]
    seconds = stack_seconds([prepare_seconds(BARS, second_bars(BARS, seed=2), CONFIG)])
    assert phase_of(params.replace(seconds=seconds)) is not PHASES[1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize(
    ("seconds", "code", "pnl", "high"),
    [
        ([], EXIT_NONE, 0, 5_000_000),
        ([(4000, 3994)], EXIT_NONE, 0, 5_000_000),  # equity $49,910, the floor exactly
        ([(4000, 3993)], EXIT_DRAWDOWN, -8 * 1250 - 500, 5_000_000),
        ([(3993, 3993)], EXIT_DRAWDOWN, -8 * 1250 - 500, 5_000_000),  # a second of one price
        ([(4000, 3993), (4000, 3990)], EXIT_DRAWDOWN, -8 * 1250 - 500, 5_000_000),
        ([(4011, 4000)], EXIT_NONE, 0, 4_999_750 + 10 * 1250),
        # At 4011 the floor becomes $50,032.50; 4004 is worth $50,035, 4003 is worth $50,022.50.
        ([(4011, 4000), (4011, 4004)], EXIT_NONE, 0, 4_999_750 + 10 * 1250),
        ([(4011, 4000), (4011, 4003)], EXIT_DRAWDOWN, 2 * 1250 - 500, 4_999_750 + 10 * 1250),
    ],
)
def test_a_minute_in_seconds(
    world: Callable[..., Any],
    phase: int,
    seconds: list[tuple[int, int]],
    code: int,
    pnl: int,
    high: int,
) -> None:
    """Bought at 4001 ticks of $12.50, $49,997.50 in the account; the bar closes at 4006."""
    for after, outcome in _lived(world, phase, seconds, trailing_drawdown_dollars=90.0):
        assert (int(outcome.exit_code), int(outcome.trade_pnl)) == (code, pnl)
        last = 4_999_750 + (5 * 1250 if code == EXIT_NONE else 0)
        assert int(after.highest_balance) == max(high, last)
        assert bool(outcome.terminated) == (code == EXIT_DRAWDOWN)


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize(
    ("stop", "target", "drawdown", "seconds", "code", "fill", "high"),
    [
        # What the price does beyond the target, or later, is no longer the trade's own.
        (3980, 4015, 90.0, [(4005, 4000), (4018, 4010), (4020, 3985)], EXIT_TARGET, 4015, 4015),
        (3980, 4015, 90.0, [(4015, 4000), (4015, 3990)], EXIT_TARGET, 4015, 4015),
        # In the second of the target it still is: 3993 is worth $49,897.50, the floor is $49,945.
        (3980, 4015, 90.0, [(4004, 4000), (4003, 3999), (4018, 3993)], EXIT_DRAWDOWN, 3993, 4004),
        # Stopped at 3990, worth $49,860, before the price falls on to 3985.
        (3990, 4090, 143.0, [(4001, 3991), (4000, 3985), (3999, 3986)], EXIT_STOP, 3990, 4001),
        (3990, 4090, 139.0, [(4001, 3991), (4000, 3985), (3999, 3986)], EXIT_DRAWDOWN, 3990, 4001),
        (3990, 4090, 143.0, [(4000, 3990), (4020, 3991)], EXIT_STOP, 3990, 4000),
    ],
)
def test_a_trade_leaves_in_the_second_of_its_exit(
    world: Callable[..., Any],
    phase: int,
    stop: int,
    target: int,
    drawdown: float,
    seconds: list[tuple[int, int]],
    code: int,
    fill: int,
    high: int,
) -> None:
    config = {"trailing_drawdown_dollars": drawdown}
    for after, outcome in _lived(world, phase, seconds, stop, target, **config):
        pnl = (fill - 4001) * 1250 - 500
        assert (int(outcome.exit_code), int(outcome.trade_pnl)) == (code, pnl)
        assert (int(after.position), int(after.balance)) == (0, 4_999_750 + pnl + 250)
        assert int(after.highest_balance) == max(5_000_000, 4_999_750 + (high - 4001) * 1250)
        broken = code == EXIT_DRAWDOWN
        assert bool(outcome.violation) == bool(outcome.terminated) == broken
        assert np.float32(outcome.reward) == np.float32(pnl / 10_000 - 10 * broken)  # no patience


def _lived(
    world: Callable[..., Any],
    phase: int,
    seconds: list[tuple[int, int]],
    stop: int = 3980,
    target: int = 4090,
    **config: float,
) -> Iterator[tuple[Any, Any]]:
    """Yield what a minute makes of a long from 4001, and of a short where all prices are mirrored."""
    made = world([(4020, 3985, 4006)], phase=phase, **config)
    mirrored = world([(4015, 3980, 3994)], phase=phase, **config)
    for w, side, played in (
        (made, 1, seconds),
        (mirrored, -1, [(8000 - low, 8000 - high) for high, low in seconds]),
    ):
        prices = {"entry_price": 4001, "sl_price": stop, "tp_price": target}
        held = {name: 4000 + side * (price - 4000) for name, price in prices.items()}
        counts = {"num_trades": 1, "balance": 4_999_750, "position_entry_step": FIRST - 1}
        state = w.reset(position=side, **held, **counts)
        params = w.params.replace(seconds=_padded(len(w.bars), FIRST, played))
        yield _advance[phase](state, jnp.int32(0), params)


_advance = {number: jax.jit(with_seconds(PHASES[number]).advance) for number in (1, 2)}


@pytest.mark.parametrize("phase", [1, 2])
def test_the_second_of_the_stop_raises_no_high(world: Callable[..., Any], phase: int) -> None:
    """Bought at 4001; in the second in which it is stopped out at 3990, the price was at 4011, too."""
    made = world([(4020, 3985, 4006)], phase=phase)
    held = {"position": 1, "entry_price": 4001, "sl_price": 3990, "tp_price": 4090}
    state = made.reset(**held, num_trades=1, balance=4_999_750, position_entry_step=FIRST - 1)
    params = made.params.replace(seconds=_padded(len(made.bars), FIRST, [(4011, 3989)]))
    after, outcome = jax.jit(phase_of(params).advance)(state, jnp.int32(0), params)
    assert int(outcome.exit_code) == EXIT_STOP
    assert int(after.highest_balance) == 5_000_000


@pytest.mark.parametrize("phase", [1, 2])
def test_what_a_second_has_closed_is_not_closed_again_by_the_end_of_the_day(
    world: Callable[..., Any], phase: int
) -> None:
    made = world([(4020, 3985, 4006)], phase=phase, trailing_drawdown_dollars=90.0)
    held = {"position": 1, "entry_price": 4001, "sl_price": 3980, "tp_price": 4090}
    state = made.reset(**held, num_trades=1, balance=4_999_750, position_entry_step=FIRST - 1)
    seconds = _padded(len(made.bars), FIRST, [(4000, 3993)])
    params = made.params.replace(seconds=seconds, flat_by=jnp.int32(570))
    after, outcome = jax.jit(phase_of(params).advance)(state, jnp.int32(0), params)
    assert int(outcome.exit_code) == EXIT_DRAWDOWN
    assert int(outcome.trade_pnl) == -8 * 1250 - 500
    assert int(after.balance) == 4_999_750 - 8 * 1250 - 250


def _padded(rows: int, at: int, seconds: list[tuple[int, int]]) -> SecondsData:
    high, low = np.zeros((rows, 60), np.int32), np.ones((rows, 60), np.int32)
    for place, (top, bottom) in enumerate(seconds):
        high[at, place], low[at, place] = top, bottom
    return SecondsData(jnp.asarray(high), jnp.asarray(low))
