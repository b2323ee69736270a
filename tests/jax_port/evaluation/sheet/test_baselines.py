"""Trading without skill, played by the environment: against policies that want the same actions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from jax_port.data.data_loader import stack
from jax_port.envs.env_phase1_jax import BUY, HOLD, SELL
from jax_port.envs.registry import phase_of
from jax_port.evaluation.evaluate import evaluate
from jax_port.evaluation.metrics import account, cents, daily
from jax_port.evaluation.sheet import baselines as module
from jax_port.evaluation.sheet.baselines import (
    Baseline,
    CoinActor,
    entry_rate,
    play_baselines,
    summary,
)
from tests.jax_port.evaluation.conftest import Week
from tests.jax_port.made_policy import one_action_policy


@pytest.mark.parametrize(
    ("name", "action"), [("never", HOLD), ("always long", BUY), ("always short", SELL)]
)
def test_a_baseline_is_the_policy_that_wants_one_action(week: Week, name: str, action: int) -> None:
    policy = one_action_policy(week.market, week.policy.config, action)
    rows = week.result.episodes["start"].to_numpy()
    alone = evaluate(policy, week.market, rows=rows)
    found = next(one for one in week.baselines if one.name == name)
    assert found.pnl.tolist() == cents(daily(alone)["pnl"]).tolist()
    assert found.trades == daily(alone)["trades"].sum()
    assert found.max_drawdown == round(100 * account(alone)["max_drawdown"])
    assert found.numbers()["pnl"] == account(alone)["pnl"]
    assert (found.trades > 0) == (name != "never")


def test_random_traders_enter_as_often_as_the_policy(week: Week) -> None:
    random = [one for one in week.baselines if one.name == "random"]
    assert len({tuple(one.pnl) for one in random}) == 3
    own = daily(week.result)["trades"].sum()
    for one in random:
        assert 0.4 * own < one.trades < 2.5 * own
    again = play_baselines(week.policy, week.market, week.result, traders=1)
    assert again[-1].pnl.tolist() == random[0].pnl.tolist()


def test_days_of_several_batches_are_one_account(week: Week, monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven days, three at a time: their trades add up, and the account goes on."""
    monkeypatch.setattr(module, "play_actor", partial(module.play_actor, lanes=3))
    found = play_baselines(week.policy, week.market, week.result, traders=3)
    for one, alone in zip(found, week.baselines, strict=True):
        assert one.numbers() == pytest.approx(alone.numbers(), nan_ok=True)
    assert [one.pnl.tolist() for one in found] == [one.pnl.tolist() for one in week.baselines]
    assert [one.name for one in found] == ["never", "always long", "always short", *["random"] * 3]


def test_who_never_trades_keeps_every_cent(week: Week) -> None:
    """A hundred times $41,942.88 is a little less than its cents in floats."""
    config = week.policy.config.override(initial_balance_dollars=41_942.88)
    never, *_ = play_baselines(replace(week.policy, config=config), week.market, week.result, traders=0)
    assert (never.pnl.tolist(), never.max_drawdown) == ([0] * 7, 0)


def test_entry_rate_by_hand(week: Week) -> None:
    """Of a day's last eight minutes to enter and five after them, and of two bars of another day."""
    config = week.policy.config
    episodes = pd.DataFrame({"daily": [True, True, False], "trades": [2, 1, 9]})
    late = pd.date_range("2025-01-28 15:52", periods=13, freq="min", tz="America/New_York")
    early = pd.date_range("2025-01-29 09:30", periods=2, freq="min", tz="America/New_York")
    equity = pd.DataFrame(
        {
            "step": [*range(14), 0, 1, 2],
            "time": [late[0], *late, early[0], *early],
            # entered in the third minute, left in the fifth, entered in the seventh, left after 16:00
            "position": [0, 0, 0, 1, 1, 0, 0, -1, -1, -1, 0, 0, 0, 0, 0, 0, 1],
        }
    )
    equity["time"] = pd.DatetimeIndex(equity["time"]).tz_convert("UTC")
    result = replace(week.result, episodes=episodes, equity=equity)
    assert entry_rate(result, config) == 3 / (3 + 2 + 2)
    assert entry_rate(result, config.override(entry_close_minute=15 * 60 + 59)) == 3 / 7
    assert entry_rate(result, config.override(entry_close_minute=16 * 60 + 4)) == 3 / (7 + 2)
    assert entry_rate(result, config.override(entry_open_minute=9 * 60 + 31)) == 3 / 6
    at_once = replace(result, equity=equity[14:], episodes=episodes[1:].assign(trades=2))
    assert entry_rate(at_once, config) == 1.0
    assert entry_rate(replace(result, episodes=episodes.assign(trades=0)), config) == 0.0
    held = equity.assign(position=1)
    assert entry_rate(replace(result, equity=held, episodes=episodes.assign(trades=0)), config) == 0.0


def test_summary(week: Week) -> None:
    totals = sorted(int(one.pnl.sum()) for one in week.baselines if one.name == "random")
    found = summary(week.baselines, totals[1] + 1)
    assert list(found) == ["never", "always long", "always short", "random"]
    assert found["never"]["pnl"] == 0.0
    assert (found["random"]["beaten"], found["random"]["traders"]) == (2, 3)
    assert found["random"]["low"] == totals[0] / 100
    assert found["random"]["high"] == totals[2] / 100
    assert found["random"]["pnl"] == pytest.approx(np.mean(totals) / 100)
    assert len(set(totals)) == 3
    beaten = [summary(week.baselines, total)["random"]["beaten"] for total in totals]
    assert beaten == [0, 1, 2]  # who made as much is not beaten


def test_a_random_trader_tosses_other_coins_every_day_and_every_minute(week: Week) -> None:
    """Of 300 pairs about a third wants the same: a day's and the next's, a minute's and the next's."""
    phase = phase_of(week.policy.config)
    params = phase.make_params(stack([week.market]), week.policy.config)
    days = week.result.episodes.loc[week.result.episodes["daily"], "start"].to_numpy()
    numbers = jnp.asarray(np.searchsorted(week.market.starts, days), jnp.int32)
    fresh = jax.vmap(phase.reset_at, in_axes=(0, None))(numbers, params)

    def wanted_by(seed: int) -> np.ndarray:
        given = (jnp.float32([0.3, 0.3]), jnp.int32(seed))
        minutes = [replace(fresh, step_idx=fresh.episode_start + minute) for minute in range(50)]
        return np.stack([CoinActor()(phase, given, states, params) for states in minutes])

    wanted = wanted_by(1)
    assert (wanted[:, :-1] == wanted[:, 1:]).mean() < 0.5
    for apart in (1, 2, 3):
        assert (wanted[:-apart] == wanted[apart:]).mean() < 0.5
    assert (wanted == wanted_by(2)).mean() < 0.5  # nor are they another trader's
    assert (wanted == wanted_by(1)).all()
    assert [(wanted == action).mean() for action in (BUY, SELL)] == pytest.approx([0.3, 0.3], abs=0.08)


def test_summary_by_hand() -> None:
    """Of three random traders of whom one never traded, and has no ratio."""

    def made(name: str, pnl: list[int], trades: int, fall: int) -> Baseline:
        return Baseline(name, np.array(pnl, np.int64), trades, fall)

    found = summary(
        [
            made("always short", [-500, 100], 3, 700),
            made("random", [300, 100], 5, 150),
            made("random", [-250, 50], 8, 425),
            made("random", [0, 0], 0, 0),
        ],
        100,
    )
    assert found == {
        "always short": {
            "pnl": -4.0, "sharpe_day": pytest.approx(-200 / np.std([-500, 100], ddof=1)),
            "max_drawdown": 7.0, "trades": 3,
        },
        "random": {
            "traders": 3, "pnl": pytest.approx(2 / 3), "low": -2.0, "high": 4.0,
            "sharpe_day": pytest.approx(
                np.mean([200 / np.std([300, 100], ddof=1), -100 / np.std([-250, 50], ddof=1)])
            ),
            "max_drawdown": pytest.approx(5.75 / 3), "trades": pytest.approx(13 / 3), "beaten": 2,
        },
    }  # fmt: skip
    alone = summary([made("random", [0, 0], 0, 0)], 0)["random"]
    assert np.isnan(alone["sharpe_day"])
    assert (alone["pnl"], alone["low"], alone["high"], alone["beaten"]) == (0.0, 0.0, 0.0, 0)
    assert summary([], 5) == {}
