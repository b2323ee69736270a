"""Whole episodes: the precision that they are played with, and an account at every close."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import jax
import numpy as np
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.env_phase1_jax import BUY
from jax_port.envs.registry import phase_of
from jax_port.evaluation.episodes import Steps, play, play_actor
from jax_port.evaluation.evaluate import evaluate
from markets import Bars, EnvConfig
from tests.jax_port.evaluation.conftest import Week
from tests.jax_port.made_policy import one_action_policy


class Asked(Exception):
    """Holds the precision of matrix products where an actor chooses."""


class Asks:
    """An actor that tells how its products would be taken, and plays no step."""

    def __call__(self, *_: Any) -> NoReturn:
        raise Asked(jax.config.jax_default_matmul_precision)


@pytest.mark.parametrize("outside", ["bfloat16", "tensorfloat32", None])
def test_products_are_float32_whatever_is_set_around_it(week: Week, outside: str | None) -> None:
    """Elsewhere than on a CPU the default is less, and an action could be another one."""
    config = week.policy.config
    params = phase_of(config).make_params(stack([week.market]), config)
    with jax.default_matmul_precision(outside), pytest.raises(Asked, match=r"^highest"):
        next(play_actor(Asks(), None, params, np.arange(3), 3))
    assert jax.config.jax_default_matmul_precision != "highest"


def test_an_open_trade_s_worth_is_the_account_s_at_every_close(
    make_bars: Callable[..., Bars],
) -> None:
    """Up $360 with a trade open, $250 less at the next close, then stopped out: one fall of it all."""
    rows = [*[(4004, 3996, 4000)] * 23, (4034, 3998, 4030), (4031, 3999, 4010), (4012, 3988, 3995)]
    fixed = {"warmup_bars": 20, "window_size": 2, "session": "all", "max_episode_bars": 4}
    config = EnvConfig.phase1(**fixed)
    market = prepare(make_bars([*rows, *[(3999, 3991, 3995)] * 14]), config)
    policy = one_action_policy(market, config, BUY)
    found = evaluate(policy, market, rows=[22, 23], trades_of="all")
    first, second = found.episodes.to_dict("records")
    # Bought at 4001 for $2.50: a tick of slippage, 29 ticks up, 9 ticks up, and out 12 ticks down.
    worth = [50_000.0, 49_985.0, 50_360.0, 50_110.0, 49_845.0]
    assert found.equity["equity"].tolist() == worth
    assert found.equity["position"].tolist() == [0, 1, 1, 1, 0]
    assert found.equity["time"].diff().dt.total_seconds().tolist()[1:] == [0.0, 60.0, 60.0, 60.0]
    assert (first["pnl"], first["open_pnl"], first["max_drawdown"]) == (-155.0, 0.0, 515.0)
    assert (first["steps"], first["open_bars"], first["trades"], first["wins"]) == (4, 3, 1, 0)
    assert (first["day"], first["daily"], second["daily"]) == (second["day"], True, False)
    # The one that begins a bar later buys at 4031, and lives through other bars with other levels.
    own = found.trades[found.trades["episode"] == 1].iloc[0]
    assert (own["entry_step"], own["entry_price"], own["exit_code"]) == (23, 4031 * 0.25, 1)
    ticks = round((own["exit_price"] - own["entry_price"]) / 0.25)
    assert ticks < -12
    assert own["pnl"] == 12.5 * ticks - 5.0
    assert second["max_drawdown"] >= -own["pnl"]


def test_what_a_step_did_is_told_up_to_the_end_and_what_was_left_stands_after_it(
    make_bars: Callable[..., Bars],
) -> None:
    """Bought at once, stopped out at the third bar and so below the floor: the fourth step is none."""
    rows = [*[(4004, 3996, 4000)] * 23, (4034, 3998, 4030), (4012, 3988, 3995)]
    fixed = {"warmup_bars": 20, "window_size": 2, "session": "all", "max_episode_bars": 4}
    config = EnvConfig.phase1(**fixed, trailing_drawdown_dollars=300.0)
    market = prepare(make_bars([*rows, *[(3999, 3991, 3995)] * 15]), config)
    policy = one_action_policy(market, config, BUY)
    params = phase_of(config).make_params(stack([market]), config)
    first = int(np.searchsorted(market.starts, 22))
    ((ends, steps, told),) = play(policy, params, np.array([first, first + 1]), 1)
    assert told is None
    assert steps is not None
    assert (ends.row.tolist(), ends.steps.tolist()[0], ends.done_reason.tolist()[0]) == ([22, 23], 3, 1)
    own = {name: getattr(steps, name)[:, 0].tolist() for name in Steps._fields}
    # Bought at 4001 for $2.50, which a stop at 3989 and a target at 4037 follow.
    assert own == {
        "action": [BUY, 0, 0, 0], "exit_code": [0, 0, 1, 0], "side": [0, 0, 1, 0],
        "entry_row": [0, 0, 22, 0], "entry_price": [0, 0, 4001, 0],
        "exit_price": [0, 0, 3989, 0], "pnl": [0, 0, -15_500, 0],
        "equity": [4_998_500, 5_036_000, *[4_984_500] * 2], "position": [1, 1, 0, 0],
        "held_price": [4001, 4001, 0, 0], "sl_price": [3989, 3989, 0, 0],
        "tp_price": [4037, 4037, 0, 0],
    }  # fmt: skip
    kinds = {name: getattr(steps, name).dtype.name for name in Steps._fields}
    narrow = {"action", "exit_code", "side", "position"}
    assert kinds == {name: "int8" if name in narrow else "int32" for name in Steps._fields}
    # The second one buys at another price, after which nothing of the first stands in it.
    assert steps.entry_price[:, 1].max() == 4031
    assert steps.action[0].tolist() == [BUY, BUY]
