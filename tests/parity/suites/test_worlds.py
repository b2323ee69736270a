"""Worlds judged one by one: one fault of the port is one finding over all of them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

from foundation.files import json_digest
from jax_port.data.data_loader import prepare
from jax_port.ppo.settings import TrainSettings
from markets import EnvConfig
from markets.config import Session
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.stress import stress_bars
from parity.engine.diverge import Divergence, findings
from parity.engine.pair import Fields, Pair
from parity.engine.record import Recording
from parity.engine.verify import CheckResult, Mismatch
from parity.gate.covered import covered_by, missing
from parity.gate.strength import CHECKS
from parity.pairs.trading import World
from parity.suites import worlds
from parity.suites.scenarios import Request, make_scenarios
from parity.suites.trading import Judge
from parity.suites.worlds import (
    AFTER_CASES,
    RESTARTS,
    Recorded,
    about_world,
    check_once,
    check_properties,
    judge_world,
    record_world,
    select,
)

SMALL = Request(
    episodes=4,
    cases=200,
    days=2,
    symbols=("ES", "MNQ"),
    workers=0,
    configurations=False,
    learner=False,
    seed=5,
)


def with_commission(pair: Pair, cents: int) -> Pair:
    """Return the pair whose port takes so many cents more."""
    params = pair.port.params
    market = params.market.replace(commission=params.market.commission + cents)
    return replace(pair, port=replace(pair.port, params=params.replace(market=market)))


@pytest.mark.slow
@pytest.mark.parametrize("cents", [0, 1])
def test_a_cent_of_commission_is_one_finding_on_two_symbols(cents: int) -> None:
    scenario = next(one for one in make_scenarios(SMALL) if one.name == "symbols")
    judge = Judge(SMALL, [scenario])
    pair = judge._pair("symbols")
    divergences: list[Divergence] = []
    for number, market in enumerate(judge.markets("symbols")):
        recorded = record_world(scenario, pair, number, SMALL.seed)
        wrong = with_commission(pair, cents)
        judged = judge_world(scenario, wrong, market, number, recorded, SMALL.seed)
        divergences += judged.divergences
    if not cents:
        assert divergences == []
        return
    assert len(divergences) == 4
    [found] = findings(divergences)
    assert "balance" in found.fields
    assert found.worlds == ["ES synthetic", "MNQ synthetic"]
    assert found.checks == ["replay", "generated"]
    assert found.smallest.looks_like == "logic"
    assert found.to_dict()["command"].startswith("rltrader parity case ")


def test_each_seed_world_and_kind_of_case_has_draws_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(pair: Any, world: int, count: int, rng: np.random.Generator) -> Any:
        return count, world, tuple(rng.integers(2**40, size=3).tolist())

    monkeypatch.setattr(worlds, "record_episodes", drawn)
    monkeypatch.setattr(worlds, "seeded_cases", drawn)
    monkeypatch.setattr(worlds, "record_cases", lambda pair, cases: ("recorded", cases))
    scenario: Any = SimpleNamespace(episodes=4, cases=200)
    pair: Any = "pair"
    seen = set()
    for seed in range(4):
        for world in range(12):
            one: Any = record_world(scenario, pair, world, seed)
            assert (one.episodes[:2], one.cases[:2]) == ((4, world), (200, world))
            assert one.transitions == ("recorded", one.cases)
            seen |= {one.episodes[2], one.cases[2]}
            again: Any = record_world(scenario, pair, world, seed)
            assert again == one
    assert len(seen) == 2 * 4 * 12


def result(name: str, first: Mismatch | None = None) -> CheckResult:
    found = CheckResult(name, "made", 1)
    found.first = first
    return found


WRONG = Mismatch(1, 2, "balance", (), 1.0, 2.0)


@pytest.mark.parametrize("episode", [None, WRONG])
@pytest.mark.parametrize("case", [None, WRONG])
def test_a_world_is_asked_every_question_of_what_both_sides_did(
    monkeypatch: pytest.MonkeyPatch, episode: Mismatch | None, case: Mismatch | None
) -> None:
    """Of the second world of a scenario, whose number, bars and seed are nobody else's."""
    contract = SimpleNamespace(symbol="NQ")
    second: Any = SimpleNamespace(name="south", bars=SimpleNamespace(contract=contract))
    scenario: Any = SimpleNamespace(worlds=("north", second), config="config")
    recorded: Any = Recorded("episodes", "cases", "transitions")  # type: ignore[arg-type]
    asked: dict[str, tuple[Any, ...]] = {}

    def stub(name: str, answer: Any) -> None:
        def call(*given: Any, **named: Any) -> Any:
            asked[f"{name} {given[1]}" if name == "replay" else name] = (*given, *named.values())
            return f"played {given[1]}" if name == "replay" else answer

        monkeypatch.setattr(worlds, name, call)

    monkeypatch.setattr(worlds, "port_at_work", lambda: "recording")
    stub("replay", None)
    stub("shared_shape", "shape")
    stub("judge_replay", [result("replay", episode), result("restarts")])
    stub("judge_cases", result("generated", case))
    stub("check_restarts", result("again"))
    stub("check_data", result("data"))
    stub("check_account", [result("account 1"), result("account 2")])
    stub("check_forbidden", [result("forbidden 1"), result("forbidden 2")])
    stub("explain_replay", "of episodes")
    stub("explain_case", "of cases")
    judged = judge_world(scenario, "pair", "market", 1, recorded, 9)  # type: ignore[arg-type]
    names = ["replay", "restarts", "generated", "again", "data"]
    names += [f"{name} {number}" for name in ("account", "forbidden") for number in (1, 2)]
    assert [one.check for one in judged.checks] == names
    found = [("of episodes", episode), ("of cases", case)]
    assert judged.divergences == [words for words, first in found if first is not None]
    episodes, cases = "played episodes", "played transitions"
    expected: dict[str, tuple[Any, ...]] = {
        "shared_shape": ("episodes", "transitions"),
        "replay episodes": ("pair", "episodes", 9, "shape", "recording"),
        "replay transitions": ("pair", "transitions", 9, "shape"),
        "judge_replay": ("pair", "episodes", episodes),
        "judge_cases": ("pair", "transitions", cases),
        "check_restarts": ("pair", "transitions", cases, AFTER_CASES, RESTARTS),
        "check_data": (second, "config", "market"),
        "check_account": ("episodes", episodes, "south", "config", contract),
        "check_forbidden": ("pair", "cases", "transitions", cases, "shape"),
    }
    if episode is not None:
        expected["explain_replay"] = ("pair", "episodes", WRONG, "replay")
    if case is not None:
        expected["explain_case"] = ("pair", "cases", WRONG)
    assert asked == expected


@pytest.mark.parametrize("fair", [True, False])
def test_what_one_world_shows_is_asked_of_a_file_with_features_of_its_own(
    monkeypatch: pytest.MonkeyPatch, fair: bool
) -> None:
    asked: list[Any] = []
    carrying: Any = SimpleNamespace(bars="its bars")
    monkeypatch.setattr(worlds, "port_at_work", nullcontext)
    monkeypatch.setattr(worlds, "processed", lambda world: carrying if world == "north" else None)
    monkeypatch.setattr(worlds, "prepare", lambda *given: ("prepared", *given))
    monkeypatch.setattr(worlds, "check_data", lambda *given: asked.append(given) or "data")
    monkeypatch.setattr(
        worlds, "check_draws", lambda *given: asked.append(given) or ["draws", "resets"]
    )
    scenario: Any = SimpleNamespace(worlds=("north", "south"), config="config", start_distribution=fair)
    recorded: Any = Recorded("episodes", "cases", "transitions")  # type: ignore[arg-type]
    found: Any = check_once(scenario, "pair", recorded, 9)  # type: ignore[arg-type]
    assert found == ["data", *(["draws", "resets"] if fair else [])]
    draws = [("pair", "transitions", 9)] if fair else []
    assert asked == [(carrying, "config", ("prepared", "its bars", "config")), *draws]


def test_properties_are_asked_of_the_first_world_s_session_with_the_run_s_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario = next(one for one in make_scenarios(SMALL) if one.name == "all hours")
    scenario = replace(scenario, config=scenario.config.override(session="rth"))
    asked: dict[str, Any] = {}

    def stub(name: str) -> Any:
        def call(*given: Any) -> Any:
            asked[name] = given
            return [name]

        return call

    monkeypatch.setattr(worlds, "trading_pair", lambda some, config: ("pair", *some, config))
    monkeypatch.setattr(worlds, "select", lambda recording, lanes: (recording, lanes))
    for name in ("check_blindness", "check_mirror", "replay"):
        monkeypatch.setattr(worlds, name, stub(name))
    recorded: Any = Recorded("episodes", [*range(999)], "transitions")  # type: ignore[arg-type]
    found: Any = check_properties(scenario, recorded, 9)
    assert found == ["check_blindness", "check_mirror"]
    world, config, cases, seed = asked["check_blindness"]
    assert (config, cases, seed) == (scenario.config, [*range(400)], 9)
    assert 0 < len(world.bars) < len(scenario.worlds[0].bars)
    assert world.bars.digest == scenario.worlds[0].bars.session("rth").digest
    few = "episodes", slice(0, 20)
    assert asked["replay"] == (("pair", world, config), few, 9)
    assert asked["check_mirror"] == (world, config, few, ["replay"])


@pytest.mark.parametrize("lanes", [slice(0, 2), slice(1, 3)])
def test_of_some_lanes_every_part_of_a_recording_is_kept(lanes: slice) -> None:
    def table(first: int) -> Fields:
        return {"a": first + np.arange(3), "b": first + np.arange(12).reshape(3, 2, 2)}

    numbers = {name: 10 * n + np.arange(3) for n, name in enumerate(("worlds", "lengths", "starts"), 1)}
    whole = Recording(
        actions=np.arange(6).reshape(3, 2),
        before=table(100),
        after=table(200),
        injected=True,
        labels=["x", "y", "z"],
        **numbers,  # type: ignore[arg-type]
    )
    part = select(whole, lanes)
    assert part.injected
    assert part.labels == ["x", "y", "z"][lanes]
    for name in (*numbers, "actions"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[lanes])
    for name, other in (("before", table(100)), ("after", table(200))):
        for field, value in getattr(part, name).items():
            np.testing.assert_array_equal(value, other[field][lanes])
        assert set(getattr(part, name)) == set(other)


def test_a_report_tells_of_a_world_what_a_training_on_it_is_held_to() -> None:
    """The key is that under which a training looks for its own market; it knows the configuration."""
    bars = synthetic_bars("NQ", days=2, seed=4)
    config = EnvConfig.phase1(contracts=2)
    world, market = World("north", bars, "--synthetic 1"), prepare(bars, config)
    told = about_world(world, market, replace(next(make_scenarios(SMALL)), config=config))
    assert told == {
        "name": "north",
        "source": bars.source,
        "contract": "NQ",
        "key": json_digest([market.digest, asdict(bars.contract)]),
        "bars": len(bars),
        "digest": market.digest,
        "config": config.to_dict(),
    }
    settings = TrainSettings(n_envs=4, n_steps=4, batch_size=8, total_timesteps=16)
    covered = {"covered": covered_by([told], [], False), "made": {"platform": jax.default_backend()}}
    assert not missing(covered, [market], config, settings).markets
    assert missing(covered, [prepare(bars, config.override(contracts=3))], config, settings).markets


def test_a_report_tells_how_many_bars_of_a_world_were_played() -> None:
    bars = stress_bars("NQ", seed=1, days=4, session="all")
    told = []
    sessions: tuple[Session, ...] = ("rth", "all")
    for session in sessions:
        config = EnvConfig.phase1(session=session)
        scenario = replace(next(make_scenarios(SMALL)), config=config)
        one = about_world(World("nights", bars, ""), prepare(bars, config), scenario)
        assert one["bars"] == len(bars.session(session))
        assert (one["name"], one["source"]) == ("nights", bars.source)
        told.append(one)
    assert told[0]["bars"] < told[1]["bars"]
    assert told[0]["key"] != told[1]["key"]


def test_restarts_after_cases_are_a_kind_of_check_that_a_certificate_must_have() -> None:
    assert (AFTER_CASES, RESTARTS) == ("restart after a generated case", 200)
    assert {AFTER_CASES, "restart", "replay", "generated", "data"} <= CHECKS
