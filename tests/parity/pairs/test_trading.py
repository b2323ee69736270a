"""The gate's own pair: its rules, how states are read and put, what it says of a case."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_port.data.data_loader import prepare
from jax_port.data.seconds_loader import prepare_seconds
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.seconds import SecondsPhase1
from markets import EnvConfig, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.engine.generate import seeded_cases
from parity.engine.pair import Pair
from parity.pairs.branches import PHASE1_REQUIRED, PHASE2_REQUIRED
from parity.pairs.kept_bars import KeptBars
from parity.pairs.policies import PHASE2_POLICIES, POLICIES
from parity.pairs.seconds import REQUIRED as SECONDS_REQUIRED
from parity.pairs.seconds import gappy_seconds
from parity.pairs.trading import (
    BARS,
    COUNTS,
    RULES,
    World,
    inject_fields,
    read_fields,
    trading_pair,
)

EQUAL = {
    **dict.fromkeys(("entry_price", "sl_price", "tp_price"), "equal (ticks)"),
    **dict.fromkeys(("balance", "highest_balance", "trailing_dd_level"), "equal (cents)"),
    **dict.fromkeys(("total_pnl", "trade_pnl"), "equal (cents)"),
    **dict.fromkeys(("step_idx", "episode_start", "position_entry_step"), "equal (bars)"),
    **dict.fromkeys(("position", "num_trades", "winning_trades", "losing_trades"), "equal"),
    **dict.fromkeys(("market", "masks", "trailing", "exit_code", "done_reason"), "equal"),
    **dict.fromkeys(("terminated", "truncated", "violation", "forbidden"), "equal"),
}
CHEAP = replace(get_contract("RTY"), slippage_ticks=0, commission_cents=53)


def worlds(seconds: bool = False) -> list[World]:
    """Return two markets of different bars, ticks and costs."""
    markets = (
        synthetic_bars("ES", days=2, seed=1),
        replace(synthetic_bars("RTY", days=3, seed=2), contract=CHEAP),
    )
    return [
        World(f"{n}", bars, f"--seed {n}", gappy_seconds(bars, n) if seconds else None)
        for n, bars in enumerate(markets)
    ]


CONFIG = EnvConfig.phase2(contracts=2, max_episode_bars=40)


@pytest.fixture(scope="module")
def pair() -> Pair:
    return trading_pair(worlds(), CONFIG)


def test_all_must_be_equal_but_rewards_and_observations() -> None:
    told = {name: rule.describe() for name, rule in RULES.items()}
    assert told == {**EQUAL, **dict.fromkeys(("obs", "reward"), "within 4 ulps or 1e-09")}


@pytest.mark.parametrize("world", [0, 1])
def test_a_state_that_is_put_is_read_as_it_was(pair: Pair, world: int) -> None:
    """On both sides; the port holds rows of all markets, in which each has bars of its own."""
    cases = seeded_cases(pair, world, 300, np.random.default_rng(0))
    env = pair.reference.make(world)
    names = list(cases[0].state)
    assert any(case.state["position"] for case in cases)
    for case in cases:
        pair.reference.inject(env, case.state)
        read = pair.reference.read(env)
        assert {name: int(read[name]) for name in names} == case.state
    params: Any = pair.port.params
    columns = {name: jnp.asarray([case.state[name] for case in cases], jnp.int32) for name in names}
    columns["trailing"] = columns["trailing"].astype(bool)
    state = inject_fields(jnp.full(len(cases), world, jnp.int32), columns, params)
    again = jax.tree.map(np.asarray, read_fields(state, params))
    for name in names:
        np.testing.assert_array_equal(again[name], np.asarray(columns[name]), err_msg=name)
    first = np.asarray(params.market.first_bar)
    assert first.tolist() == [0, len(prepare(worlds()[0].bars, CONFIG))]
    rows = np.asarray(state.step_idx) - first[world]
    assert rows.tolist() == [case.state["step_idx"] for case in cases]


def test_a_bar_is_told_in_words_and_ticks(pair: Pair) -> None:
    bars = worlds()[1].bars.session("rth").frame.iloc[150]
    told = pair.describe(1, {"step_idx": 150})
    stamp = bars.name
    assert told == {
        "bar": 150,
        "opened_utc": f"{stamp:%Y-%m-%dT%H:%M}",
        "new_york": f"{stamp.tz_convert('America/New_York'):%H:%M}",
        "contract": "RTY",
        **{name: pytest.approx(bars[name]) for name in ("high", "low", "close")},
        **{f"{name}_ticks": round(bars[name] / 0.1) for name in ("high", "low", "close")},
    }


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (EnvConfig.phase1(), False),
        (EnvConfig.phase1(contracts=2), True),
        (EnvConfig.phase1(hold_penalty=-0.5), True),
        (EnvConfig.phase2(), True),
    ],
)
def test_a_command_says_all_that_makes_the_case(config: EnvConfig, said: bool) -> None:
    one = trading_pair(worlds(), config)
    (case,) = seeded_cases(one, 1, 1, np.random.default_rng(3))
    assert one.command is not None
    words = shlex.split(one.command(case))
    assert words[:5] == ["rltrader", "parity", "case", "--seed", "1"]
    given = dict(zip(words[5::2], words[6::2], strict=True))
    assert set(given) == {"--action", "--state", *(["--config"] if said else [])}
    assert int(given["--action"]) == case.action
    assert json.loads(given["--state"]) == case.state
    if said:
        assert EnvConfig.from_dict(json.loads(given["--config"])) == config


def test_each_world_has_the_seconds_of_its_own_minutes() -> None:
    some = worlds(seconds=True)
    one = trading_pair(some, CONFIG)
    assert one.name == "trading environment, Phase 2, every second"
    assert one.required == SECONDS_REQUIRED
    own = [prepare_seconds(world.bars, world.seconds, CONFIG) for world in some if world.seconds]
    for name in ("high", "low"):
        held = np.asarray(getattr(one.port.params.seconds, name))
        np.testing.assert_array_equal(held, np.concatenate([getattr(part, name) for part in own]))
    envs = [one.reference.make(number) for number in (0, 1)]
    assert [len(env.df) for env in envs] == [len(part.high) for part in own]
    corners = {case.corner[-1] for case in seeded_cases(one, 1, 200, np.random.default_rng(0))}
    assert len(corners) == 3
    minutes = trading_pair(worlds(), CONFIG)
    assert (minutes.name, minutes.required >= SECONDS_REQUIRED) == (
        "trading environment, Phase 2",
        False,
    )


HELD: dict[str, Any] = {
    "position": -1,
    "num_trades": 7,
    "winning_trades": 4,
    "losing_trades": 2,
    "step_idx": 150,
    "episode_start": 131,
    "position_entry_step": 149,
    "entry_price": 21_903,
    "sl_price": 21_950,
    "tp_price": 21_808,
    "balance": 5_012_345,
    "highest_balance": 5_100_001,
    "trailing_dd_level": -17,
    "total_pnl": 12_598,
    "trailing": True,
    "market": 1,
}


@pytest.mark.parametrize("phase", [1, 2])
def test_each_field_of_the_reference_is_put_and_read_in_its_own_unit(phase: int) -> None:
    """Points of a quarter and dollars there, ticks and cents here."""
    config = EnvConfig.phase1() if phase == 1 else EnvConfig.phase2()
    side: Any = trading_pair(worlds(), config).reference
    env = SimpleNamespace(tick_size=0.25, trade_history=["a trade"], market=1)
    side.inject(env, {name: np.int32(value) for name, value in HELD.items()})
    flags = {"trailing": True} if phase == 2 else {}
    assert vars(env) == {
        **{name: HELD[name] for name in (*COUNTS, *BARS, "market")},
        "entry_price": 5_475.75,
        "sl_price": 5_487.5,
        "tp_price": 5_452.0,
        "balance": 50_123.45,
        "highest_balance": 51_000.01,
        "trailing_dd_level": -0.17,
        "total_pnl": 125.98,
        "tick_size": 0.25,
        "trade_history": [],
        **flags,
    }
    assert {type(getattr(env, name)) for name in (*COUNTS, *BARS)} == {int}
    assert side.read(env) == {n: v for n, v in HELD.items() if phase == 2 or n != "trailing"}
    env.entry_price, env.balance = 0.1 + 0.2 + 0.2, 0.1 + 0.2  # as sums of floats are
    read = side.read(env)
    assert (read["entry_price"], read["balance"]) == (2, 30)


def test_each_part_of_a_step_of_the_reference_has_its_name_and_unit(pair: Pair) -> None:
    class Stepped:
        def step(self, action: int) -> Any:
            info = {"exit_code": 4, "done_reason": 2, "trade_pnl": -12.355, "violation": True}
            return [action], -0.25, True, False, {**info, "forbidden": False, "more": 1}

        def observe(self) -> str:
            return "seen"

        def action_masks(self) -> str:
            return "allowed"

    env: Any = Stepped()
    assert pair.reference.step(env, 3) == {
        "obs": [3],
        "reward": -0.25,
        "terminated": True,
        "truncated": False,
        "exit_code": 4,
        "done_reason": 2,
        "trade_pnl": -1_236,
        "violation": True,
        "forbidden": False,
    }
    assert pair.reference.observe(env) == "seen"
    assert pair.reference.masks(env) == "allowed"


def test_a_pair_is_of_its_worlds_and_its_configuration(pair: Pair) -> None:
    markets = [prepare(world.bars, CONFIG) for world in worlds()]
    assert pair.worlds == ["0", "1"]
    assert [starts.tolist() for starts in pair.starts] == [one.starts.tolist() for one in markets]
    assert len(pair.starts[0]) != len(pair.starts[1])
    assert (pair.max_steps, set(pair.policies)) == (40, set(PHASE2_POLICIES))
    assert (pair.rules, pair.required) == (RULES, PHASE2_REQUIRED)
    fields = {name: np.arange(3) + n for n, name in enumerate(("step_idx", "market"))}
    began: Any = pair.begun(fields)
    assert [part.tolist() for part in began] == [[1, 2, 3], [0, 1, 2]]
    first = trading_pair(worlds()[1:], EnvConfig.phase1(max_episode_bars=9), markets[1:])
    assert (first.name, first.worlds, first.max_steps) == ("trading environment, Phase 1", ["1"], 9)
    assert (set(first.policies), first.required) == (set(POLICIES), PHASE1_REQUIRED)
    prepared = trading_pair(worlds(), CONFIG, markets)
    assert [one.tolist() for one in prepared.starts] == [one.starts.tolist() for one in markets]
    bars: Any = prepared.port.params.market
    assert np.asarray(bars.first_bar).tolist() == [0, len(markets[0])]


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("fine", [False, True])
def test_the_reference_is_of_its_phase_keeps_its_bars_and_looks_at_seconds(
    phase: int, fine: bool
) -> None:
    config = (EnvConfig.phase1 if phase == 1 else EnvConfig.phase2)(max_episode_bars=40)
    made = worlds(seconds=fine)
    one = trading_pair(made, config)
    env: Any = one.reference.make(1)
    assert isinstance(env, KeptBars)
    assert isinstance(env, TradingEnvPhase2) == (phase == 2)
    assert isinstance(env, SecondsPhase1) == fine
    assert (env.market, env.config, env.tick_size) == (1, config, 0.1)
    other: Any = one.reference.make(1)
    assert other is not env
    assert other.df is env.df
    start = int(one.starts[1][5])
    shown = one.reference.reset(env, start)
    assert env.step_idx == start
    assert np.array_equal(shown, env.observe())
    assert other.step_idx != start


def test_episodes_of_the_port_begin_where_they_are_told_to_in_every_world(pair: Pair) -> None:
    world = np.array([0, 1, 1, 0, 1], np.int32)
    numbers = [0, 0, 7, -1, -1]
    starts = np.array([pair.starts[w][n] for w, n in zip(world, numbers, strict=True)], np.int32)
    assert len(set(starts.tolist())) > 3
    params: Any = pair.port.params
    began: Any = pair.port.begin(jnp.asarray(world), jnp.asarray(starts), params)
    read = jax.tree.map(np.asarray, read_fields(began, params))
    assert read["market"].tolist() == world.tolist()
    assert read["step_idx"].tolist() == read["episode_start"].tolist() == starts.tolist()
    assert not read["position"].any()


def test_a_command_names_the_file_that_its_worlds_contract_is_from(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"ES": Path("other.toml"), "RTY": Path("my own.toml")}
    monkeypatch.setattr("parity.pairs.trading.file_of", files.get)
    assert pair.command is not None
    (case,) = seeded_cases(pair, 1, 1, np.random.default_rng(3))
    words = shlex.split(pair.command(case))
    assert words[:7] == ["rltrader", "--contracts", "my own.toml", "parity", "case", "--seed", "1"]
