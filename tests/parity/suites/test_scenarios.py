"""A scenario's options of the command line read the same bars as the gate did; what each compares."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from markets import SYMBOLS, EnvConfig, contracts, get_contract
from markets.contracts_file import file_of, register_contracts
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.stress import stress_bars
from markets.writers import write_bars
from parity.engine.generate import seeded_cases
from parity.pairs.seconds import gappy_seconds
from parity.pairs.trading import World, trading_pair
from parity.suites import scenarios
from parity.suites.configurations import COUNT, draw_configurations
from parity.suites.scenarios import (
    MARKETS,
    ODD,
    READER_OPTIONS,
    Request,
    Scenario,
    count_worlds_of,
    file_options,
    make_scenarios,
)
from rltrader.options.bars import BarOptions, bar_options
from rltrader.parity import case as case_command

READER: dict[str, Any] = {
    "format": "csv",
    "timezone": "America/New_York",
    "snap": True,
    "instrument": "ESZ5",
    "stamped": "close",
    "accept_problems": True,
}


@pytest.mark.parametrize("reader", [{}, {"timezone": "Europe/Berlin"}, READER])
def test_a_file_is_read_again_as_it_was_read(reader: dict[str, Any]) -> None:
    parsed: list[BarOptions] = []

    @click.command()
    @bar_options("optional", "optional")
    def case(bars: BarOptions) -> None:
        parsed.append(bars)

    request = Request(data=Path("my bars.csv"), symbol="NQ", reader=reader)
    case.main(shlex.split(file_options(request)), standalone_mode=False)
    assert parsed[0].file == request.data
    assert parsed[0].symbol == "NQ"
    assert parsed[0].reader == reader


def test_every_option_of_the_reader_can_be_written() -> None:
    given = BarOptions(**{name: READER[name] for name in READER_OPTIONS})
    assert given.reader == READER


def test_a_contract_of_one_s_own_is_named_with_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    file = tmp_path / "my contracts.toml"
    file.write_text(
        "[contract.CHEAP]\nname = 'Cheap'\ntick_size = 0.25\ntick_value_cents = 1250\n"
        "commission_cents = 10\nslippage_ticks = 1\n"
    )
    bars = replace(stress_bars("ES", seed=0, days=4), contract=register_contracts(file)[0])
    pair = trading_pair([World("CHEAP", bars, "--data x.csv --symbol CHEAP")], EnvConfig.phase1())
    case = seeded_cases(pair, 0, 1, np.random.default_rng(0))[0]
    begins = ["rltrader", "--contracts", str(file), "parity", "case", "--data", "x.csv"]
    assert pair.command is not None
    assert shlex.split(pair.command(case))[: len(begins)] == begins
    assert file_of("ES") is None


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Request:
    """Return a request of everything: a file, two symbols and drawn configurations, not of seed 0."""
    file = tmp_path_factory.mktemp("bars") / "nq.csv"
    write_bars(synthetic_bars("NQ", days=2, seed=3), file)
    symbols = ("ES", "RTY")
    return Request(data=file, symbol="NQ", symbols=symbols, days=2, seed=7, episodes=40, cases=9_000)


@pytest.fixture(scope="module")
def made(asked: Request) -> list[Scenario]:
    return list(make_scenarios(asked))


PHASES = ("", ", phase 2")
SMALL_ACCOUNT = {**ODD, "trailing_drawdown_dollars": 300.0}
TRAILING = {"trail_atr_mult": 0.6, "trail_win_bonus": 0.35}
COMPARED: dict[str, tuple[EnvConfig, int, int, int, bool, bool]] = {
    "file": (EnvConfig.phase1(), 1, 40, 9_000, True, False),
    "symbols": (EnvConfig.phase1(), 2, 40, 9_000, False, False),
    "stress": (EnvConfig.phase1(), 2, 8, 900, False, False),
    "all hours": (EnvConfig.phase1(session="all"), 1, 8, 900, False, False),
    "odd settings": (EnvConfig.phase1(**ODD), 1, 8, 900, False, True),
    "file, phase 2": (EnvConfig.phase2(), 1, 40, 9_000, True, False),
    "symbols, phase 2": (EnvConfig.phase2(), 2, 20, 4_500, False, False),
    "odd settings, phase 2": (EnvConfig.phase2(**ODD, **TRAILING), 1, 10, 2_250, False, True),
    "seconds": (EnvConfig.phase1(**SMALL_ACCOUNT), 2, 10, 2_250, False, False),
    "seconds, phase 2": (EnvConfig.phase2(**SMALL_ACCOUNT, **TRAILING), 2, 10, 2_250, False, False),
    "many markets": (EnvConfig.phase1(max_episode_bars=40), MARKETS, 4, 100, False, False),
}
"""By scenario: rules, worlds, episodes and cases of each, properties, distribution of starts."""


def test_what_each_scenario_compares_and_how_much(asked: Request, made: list[Scenario]) -> None:
    plain, drawn = made[:-COUNT], made[-COUNT:]
    assert {one.name: (one.config, len(one.worlds)) for one in plain} == {
        name: row[:2] for name, row in COMPARED.items()
    }
    for one in plain:
        much = (one.episodes, one.cases, one.properties, one.start_distribution)
        assert much == COMPARED[one.name][2:], one.name
    assert [one.name for one in drawn] == [f"configuration {n + 1}" for n in range(COUNT)]
    assert {(len(one.worlds), one.episodes, one.cases) for one in drawn} == {(1, 4, 112)}
    assert [one.config for one in drawn] == [one.config for one in draw_configurations(asked.seed)]
    assert sum(len(one.worlds) for one in made) == count_worlds_of(asked)
    names = [world.name for one in made for world in one.worlds]
    assert len(set(names)) == len(names)
    timed = {one.name for one in made for world in one.worlds if world.seconds is not None}
    assert timed == {f"seconds{phase}" for phase in PHASES}
    for one in made:  # all of a scenario's worlds are one batch, whose last is not the first
        assert len({world.bars.digest for world in one.worlds}) == len(one.worlds)


def test_without_a_file_the_symbols_show_what_no_single_run_can(asked: Request) -> None:
    fewer = replace(asked, data=None, configurations=False)
    without = list(make_scenarios(fewer))
    assert count_worlds_of(fewer) == sum(len(one.worlds) for one in without)
    assert {one.name for one in without if one.properties} == {f"symbols{phase}" for phase in PHASES}


def test_the_smallest_request_still_compares_some_of_everything(asked: Request) -> None:
    least = replace(asked, episodes=4, cases=200, configurations=False)
    much = {one.name: (one.episodes, one.cases) for one in make_scenarios(least)}
    full = {f"file{phase}" for phase in PHASES} | {"symbols"}
    few = {"stress", "all hours", "odd settings"}
    assert much == {
        name: (4, 200) if name in full | few else (4, 100) if name == "many markets" else (5, 400)
        for name in COMPARED
    }


def test_odd_settings_leave_no_field_at_its_default(made: list[Scenario]) -> None:
    plain = {1: EnvConfig.phase1(), 2: EnvConfig.phase2()}

    def flat(config: EnvConfig) -> dict[str, Any]:
        values = config.to_dict()
        return {**values.pop("account"), **values.pop("reward"), **values}

    kept = {1: {"session", "phase", "trail_atr_mult", "trail_win_bonus"}, 2: {"session", "phase"}}
    for one in made:
        if one.name.startswith(("odd settings", "seconds")):
            default, phase = flat(plain[one.config.phase]), one.config.phase
            same = {name for name, value in flat(one.config).items() if value == default[name]}
            assert same == kept[phase] & default.keys(), one.name
            # One tick of profit pays both commissions exactly.
            priced = one.worlds[-1].bars.contract
            assert 2 * priced.commission_cents == get_contract("ES").tick_value_cents


def test_no_two_of_many_markets_have_the_same_costs(made: list[Scenario]) -> None:
    (many,) = (one for one in made if one.name == "many markets")
    priced = [world.bars.contract for world in many.worlds]
    assert [one.commission_cents for one in priced] == [53 * number for number in range(MARKETS)]
    assert [one.slippage_ticks for one in priced] == [number % 4 for number in range(MARKETS)]


def everything_of(world: World) -> tuple[Any, ...]:
    seconds = None if world.seconds is None else world.seconds.digest
    return world.bars.digest, world.bars.contract, seconds


@pytest.mark.costly
def test_another_seed_has_other_bars_and_other_seconds_everywhere(
    asked: Request, made: list[Scenario]
) -> None:
    others = make_scenarios(replace(asked, seed=asked.seed + 1))
    for one, other in zip(made, others, strict=True):
        assert one.name == other.name
        for world, another in zip(one.worlds, other.worlds, strict=True):
            if "file" in one.name:
                assert everything_of(world) == everything_of(another)
                continue
            assert world.bars.digest != another.bars.digest, world.name
            if world.seconds is not None:
                assert another.seconds is not None
                assert world.seconds.digest != another.seconds.digest, world.name
        if one.name.startswith("configuration"):
            assert one.config != other.config


def test_holes_of_seconds_are_a_matter_of_the_seed() -> None:
    bars = synthetic_bars("ES", days=1, seed=0)
    one, other, again = (gappy_seconds(bars, seed) for seed in (1, 2, 1))
    assert again.digest == one.digest
    stamps = one.frame.index, other.frame.index
    for some in stamps:
        assert 0.6 < len(some) / (60 * len(bars)) < 0.8
    both = stamps[0].intersection(stamps[1])
    assert len(both) < 0.85 * len(stamps[0])
    assert (one.frame["close"][both] != other.frame["close"][both]).mean() > 0.5


class _MadeError(Exception):
    """Worlds that a command was about to drive."""


@pytest.mark.costly
def test_the_command_that_a_world_names_makes_its_bars_costs_and_seconds_again(
    monkeypatch: pytest.MonkeyPatch, made: list[Scenario]
) -> None:
    def stop(worlds: list[World], config: EnvConfig) -> None:
        raise _MadeError(worlds)

    monkeypatch.setattr("parity.pairs.trading.trading_pair", stop)
    for one in made:
        for world in one.worlds:
            words = [*shlex.split(world.options), "--state", "{}", "--action", "0"]
            with pytest.raises(_MadeError) as found:
                case_command.main(words, standalone_mode=False)
            (again,) = found.value.args[0]
            assert everything_of(again) == everything_of(world), world.name


ODD_BARS = "--stress rth --symbol ES --seed 8 --commission 625 --slippage 3"
PLAIN: dict[str, list[tuple[str, str, str]]] = {
    "symbols": [
        ("ES synthetic", "--synthetic 2 --symbol ES --seed 7", "synthetic ES, seed 7"),
        ("RTY synthetic", "--synthetic 2 --symbol RTY --seed 7", "synthetic RTY, seed 7"),
    ],
    "stress": [
        ("ES stress", "--stress all --symbol ES --seed 7", "stress ES, seed 7"),
        ("RTY stress", "--stress all --symbol RTY --seed 7", "stress RTY, seed 7"),
    ],
    "all hours": [
        ("NQ stress, all hours", "--stress all --symbol NQ --seed 7", "stress NQ, seed 7"),
    ],
    "odd settings": [("ES odd settings", ODD_BARS, "stress ES, seed 8")],
    "seconds": [
        (
            "ES synthetic, seconds",
            "--synthetic 2 --symbol ES --seed 7 --seconds 7",
            "synthetic ES, seed 7",
        ),
        ("ES odd settings, seconds", f"{ODD_BARS} --seconds 7", "stress ES, seed 8"),
    ],
}
"""By scenario: each world's name, the options that make it again, and the source of its bars."""


def test_each_world_has_its_own_name_options_and_bars(asked: Request, made: list[Scenario]) -> None:
    """The strength of a certificate is counted by some of the names."""
    told = {
        one.name: [(world.name, world.options, world.bars.source) for world in one.worlds]
        for one in made
    }
    file = f"--data {shlex.quote(str(asked.data))} --symbol NQ"
    plain = {**PLAIN, "file": [("NQ file", file, told["file"][0][2])]}
    for name, worlds in plain.items():
        assert told[name] == worlds
        if (later := f"{name}, phase 2") in told:
            assert told[later] == [(f"{one}, phase 2", *rest) for one, *rest in worlds]
    assert {f"{name}, phase 2" for name in ("file", "symbols", "odd settings", "seconds")} < set(told)
    symbols = ("ES", "MES", "NQ", "MNQ", "YM", "MYM", "RTY", "M2K")
    assert set(symbols) == set(SYMBOLS)
    assert told["many markets"] == [
        (
            f"market {n + 1}, {(symbol := SYMBOLS[n % 8])}",
            f"--synthetic 2 --symbol {symbol} --seed {7 + n} --commission {53 * n} --slippage {n % 4}",
            f"synthetic {symbol}, seed {7 + n}",
        )
        for n in range(11)
    ]
    for one in made:
        for world in one.worlds:
            if world.seconds is not None:
                assert world.seconds.source.startswith(world.bars.source)
                assert world.seconds.digest == gappy_seconds(world.bars, 7).digest
    sessions = {one.name: one.worlds[-1].bars for one in made}
    for name in ("stress", "all hours"):  # the nights are there, to be cut away or played
        assert len(sessions[name]) > len(sessions[name].session("rth")) > 0
    assert len(sessions["odd settings"]) == len(sessions["odd settings"].session("rth"))


@pytest.mark.parametrize(
    ("episodes", "cases", "market", "configuration"),
    [
        (4, 200, (4, 100), (4, 100)),
        (99, 10_099, (4, 100), (4, 126)),
        (100, 10_100, (5, 101), (5, 126)),
        (119, 19_999, (5, 199), (5, 249)),
        (2_000, 20_000, (5, 200), (5, 250)),
        (2_000, 90_000, (5, 200), (5, 250)),
    ],
)
def test_of_many_markets_and_configurations_few_episodes_are_enough_however_many_are_asked_for(
    episodes: int,
    cases: int,
    market: tuple[int, int],
    configuration: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = Request(episodes=episodes, cases=cases, seed=7)
    monkeypatch.setattr(scenarios, "MARKETS", 2)
    many = scenarios._many_markets(request)
    assert (many.episodes, many.cases) == market
    drawn = list(scenarios._drawn_scenarios(request))
    assert {(one.episodes, one.cases) for one in drawn} == {configuration}


def test_the_gate_reads_a_file_as_it_was_asked_to(tmp_path: Path) -> None:
    bars = synthetic_bars("NQ", days=2, seed=3)
    index = bars.frame.index.tz_convert("America/New_York").strftime("%Y-%m-%d %H:%M:%S")
    columns = ["open", "high", "low", "close", "volume"]
    file = tmp_path / "nq.csv"
    bars.frame[columns].set_axis(index).to_csv(file, index_label="timestamp")
    zone = {"timezone": "America/New_York"}
    request = Request(data=file, symbol="NQ", symbols=("ES",), days=1, reader=zone)
    (world,) = next(make_scenarios(request)).worlds
    assert world.options.endswith("--symbol NQ --tz America/New_York")
    assert world.bars.contract == get_contract("NQ")
    np.testing.assert_array_equal(world.bars.frame.index.asi8, bars.frame.index.asi8)
    for name in columns:
        np.testing.assert_array_equal(world.bars.frame[name].to_numpy(), bars.frame[name].to_numpy())
