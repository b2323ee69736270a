"""The trading gate from its parts to its processes: which parts, in which process, told as what."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import pytest

from jax_port.data.data_loader import prepare
from markets import EnvConfig, contracts, contracts_file, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.engine.verify import CheckResult
from parity.learner.suite import count_checks, learner_parts
from parity.pairs.trading import World
from parity.suites import trading
from parity.suites.scenarios import Request, Scenario, make_scenarios
from parity.suites.trading import GENERAL, LEARNER_GENERAL, Judge, Outcome, Part, count_worlds, parts_of
from tests.sentences import refuses

SMALL = Request(episodes=4, cases=200, days=2, symbols=("ES",), configurations=False, learner=False)
SIZES = {"north": 7, "south": 1, "west": 3}


def scenarios_of(sizes: dict[str, int]) -> Any:
    return [scenario(name, count, name) for name, count in sizes.items()]


def scenario(name: str, count: int, programs: str) -> Any:
    return SimpleNamespace(name=name, worlds=(None,) * count, programs=lambda: programs)


def cut(size: int, sizes: dict[str, int]) -> list[Part]:
    """Return the first part of every scenario, then the second of those that have one, and so on."""
    return [
        Part("worlds", name, begin, min(begin + size, count))
        for begin in range(0, max(sizes.values()), size)
        for name, count in sizes.items()
        if begin < count
    ]


@pytest.mark.parametrize(
    ("workers", "sizes", "size"),
    [
        (0, SIZES, 2),
        (1, SIZES, 2),
        (2, SIZES, 1),
        (9, SIZES, 1),
        (1, {"north": 20, "south": 7}, 6),
        (3, {"north": 20, "south": 17}, 3),
        (2, {"north": 1}, 1),
    ],
)
@pytest.mark.parametrize("learner", [True, False])
def test_worlds_are_cut_into_four_parts_a_process_after_all_that_takes_long(
    learner: bool, workers: int, sizes: dict[str, int], size: int
) -> None:
    request = replace(SMALL, workers=workers, learner=learner, seed=3)
    expected = []
    if learner:
        expected += [Part("learner", form, begin, end) for form, begin, end in learner_parts(3)]
        expected += [Part("general", "learner draws"), Part("general", "learner draws (gpu)")]
    names = ("environment draws", "scale", "key reuse", "rounding")
    expected += [Part("general", name) for name in names]
    assert parts_of(request, scenarios_of(sizes)) == [*expected, *cut(size, sizes)]
    assert (tuple(GENERAL), len(LEARNER_GENERAL)) == (names, 2)


def test_of_parts_that_compile_the_same_one_comes_first_and_the_others_later() -> None:
    request = replace(SMALL, workers=2, learner=False)
    scenarios = [scenario("a", 1, "x"), scenario("b", 2, "x"), scenario("c", 1, "y")]
    parts = parts_of(request, scenarios)
    assert [(part.name, part.begin) for part in parts if part.kind == "worlds"] == [
        ("a", 0), ("c", 0), ("b", 0), ("b", 1),
    ]  # fmt: skip


def test_scenarios_compile_the_same_where_all_shapes_are_equal() -> None:
    """Drawn configurations of a group do; nothing else of the default gate does."""
    groups: dict[Any, list[str]] = {}
    for one in make_scenarios(Request()):
        groups.setdefault(one.programs(), []).append(one.name)
    shared = [names for names in groups.values() if len(names) > 1]
    assert shared == [[f"configuration {n + k}" for k in range(3)] for n in range(1, 19, 3)]
    assert len(groups) == 15


@pytest.mark.parametrize(
    "change",
    [
        {"config": EnvConfig.phase2()},
        {"config": EnvConfig.phase1(window_size=7)},
        {"worlds": 3},
        {"episodes": 5},
        {"cases": 201},
    ],
)
def test_what_shapes_depend_on_tells_programs_apart(change: dict[str, Any]) -> None:
    """Whatever else a configuration says is an argument of one program."""
    worlds = tuple(World(one, synthetic_bars(one, days=2, seed=0), "") for one in ("ES", "NQ", "RTY"))
    given = Scenario("given", worlds[:1], EnvConfig.phase1(), 4, 200)
    other = replace(given, name="other", config=EnvConfig.phase1(contracts=3), worlds=worlds[1:2])
    assert given.programs() == other.programs()
    if "worlds" in change:
        change = {"worlds": worlds[: change["worlds"]]}
    assert given.programs() != replace(given, **change).programs()


@pytest.mark.parametrize("symbols", [1, 2, 8])
@pytest.mark.parametrize("data", [None, Path("x.csv")])
@pytest.mark.parametrize("configurations", [True, False])
@pytest.mark.parametrize("learner", [True, False])
def test_worlds_are_counted_without_their_bars(
    symbols: int, data: Path | None, configurations: bool, learner: bool
) -> None:
    request = Request(
        data=data, symbols=("ES",) * symbols, configurations=configurations, learner=learner
    )
    both = 2 * (symbols + (data is not None))
    of_seconds, of_stress, of_odd, many, drawn = 4, 3, 2, 11, 18
    count = both + of_seconds + of_stress + of_odd + many + drawn * configurations
    assert count_worlds(request) == count + learner * count_checks()
    assert count_checks() > 10


@contextmanager
def counting() -> Iterator[Any]:
    """Record lines as a process does that executes one more with every part."""
    seen: list[int] = []

    def executed() -> dict[str, set[int]]:
        seen.append(len(seen) + 1)
        return {"jax_port.a": set(seen)}

    yield SimpleNamespace(executed=executed)


def test_without_other_processes_every_part_is_carried_out_here_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trading, "recording", counting)
    judge = Judge(replace(SMALL, workers=0), [])
    monkeypatch.setattr(judge, "carry_out", lambda part: Outcome(form=part.name))
    parts = [Part("general", name) for name in ("a", "b", "c")]
    done = [(part, one.form, one.executed) for part, one in trading._carry_out(parts, judge)]
    assert done == [
        (parts[n], name, {"jax_port.a": {*range(1, n + 2)}}) for n, name in enumerate("abc")
    ]


def test_a_process_tells_what_it_has_executed_with_each_part(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = SimpleNamespace(carry_out=lambda part: Outcome(form=part.name))
    monkeypatch.setattr(trading, "_JUDGES", [judge])
    with counting() as recorder:
        monkeypatch.setattr(trading, "_RECORDERS", [recorder])
        for number, name in enumerate("abc", 1):
            outcome = trading._carry_out_in_worker(Part("general", name))
            lines = {"jax_port.a": {*range(1, number + 1)}}
            assert (outcome.form, outcome.executed) == (name, lines)


@pytest.mark.parametrize("set_by_user", [True, False])
@pytest.mark.parametrize("compiled", ["", "a folder"])
def test_a_process_keeps_what_it_compiles_where_the_others_do_unless_the_user_says_where(
    compiled: str, set_by_user: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It also knows contracts that were changed, and files that name them."""
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    monkeypatch.setattr(contracts_file, "_files", {})
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    if set_by_user:
        monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "own")
    said: dict[str, Any] = {}
    monkeypatch.setattr(jax.config, "update", said.__setitem__)
    monkeypatch.setattr(trading, "begin_recording", lambda: "recorder")
    monkeypatch.setattr(trading, "_JUDGES", ["of an earlier run"])
    monkeypatch.setattr(trading, "_RECORDERS", ["of an earlier run"])
    changed = [replace(get_contract(one), slippage_ticks=5 + n) for n, one in enumerate(("ES", "NQ"))]
    files = {"ES": Path("own.toml"), "NQ": Path("other.toml")}
    scenarios = scenarios_of(SIZES)
    trading._start_worker(SMALL, scenarios, changed, files, compiled)
    kept = {
        "jax_compilation_cache_dir": "a folder",
        "jax_persistent_cache_min_compile_time_secs": 0.0,
    }
    quick = {"jax_traceback_in_locations_limit": 0}
    assert said == (quick | kept if compiled and not set_by_user else quick)
    assert [get_contract(one) for one in ("ES", "NQ")] == changed
    assert contracts_file.known_files() == files
    assert trading._RECORDERS == ["recorder"]
    (judge,) = trading._JUDGES
    assert (judge.request, judge.scenarios) == (SMALL, scenarios)


class _Pool:
    """A pool that carries out nothing."""

    made: list[Any] = []  # noqa: RUF012

    def __init__(self, workers: int, mp_context: Any, initializer: Any) -> None:
        self.made.append((workers, mp_context.get_start_method(), initializer))

    def shutdown(self, cancel_futures: bool) -> None:
        self.made.append(cancel_futures)


@pytest.mark.parametrize("preset", [None, "true"])
@pytest.mark.parametrize("compiled", [None, "a folder"])
def test_processes_are_as_many_as_were_asked_for_and_share_a_folder_and_the_memory(
    compiled: str | None, preset: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "XLA_PYTHON_CLIENT_PREALLOCATE"
    monkeypatch.delenv(name, raising=False)
    if preset:
        monkeypatch.setenv(name, preset)
    else:
        monkeypatch.setenv(name, "")  # so that it is set back
        monkeypatch.delenv(name)
    monkeypatch.setattr(trading, "ProcessPoolExecutor", _Pool)
    monkeypatch.setattr(trading, "worker_start", lambda *given: given)
    monkeypatch.setattr(_Pool, "made", [])
    request = replace(SMALL, workers=3)
    scenarios = scenarios_of(SIZES)
    assert not list(trading._carry_out([], Judge(request, scenarios), compiled))
    (workers, method, (start, given, same, added, files, folder)), cancelled = _Pool.made
    assert same is scenarios
    assert (workers, method, start, given) == (3, "spawn", trading._start_worker, request)
    assert (added, files, cancelled) == (
        contracts.added_contracts(),
        contracts_file.known_files(),
        True,
    )
    assert (folder == "a folder") == (compiled is not None)
    assert compiled or not Path(folder).exists()  # it is gone with the processes
    assert os.environ[name] == (preset or "false")


def two_scenarios() -> list[Scenario]:
    """Return two scenarios of unequal rules, the second of two worlds."""
    worlds = tuple(
        World(one, synthetic_bars(one, days=2, seed=n), "") for n, one in enumerate(("ES", "NQ", "RTY"))
    )
    return [
        Scenario("first", worlds[:1], EnvConfig.phase1(), 1, 1),
        Scenario("second", worlds[1:], EnvConfig.phase2(contracts=3, max_episode_bars=30), 1, 1),
    ]


def test_each_scenario_s_markets_are_prepared_once_under_its_own_rules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(trading, "trading_pair", lambda *given: asked.append(given) or len(asked))
    scenarios = two_scenarios()
    judge = Judge(SMALL, scenarios)
    for number, one in enumerate(scenarios, 1):
        markets = judge.markets(one.name)
        wanted = [prepare(world.bars, one.config).digest for world in one.worlds]
        assert [market.digest for market in markets] == wanted
        assert judge._pair(one.name) == judge._pair(one.name) == number
        assert asked[-1] == (one.worlds, one.config, markets)
        assert judge.markets(one.name) is markets
    assert len(asked) == 2


def test_bars_that_can_t_be_used_are_refused_before_anything_is_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = two_scenarios()
    second = replace(second, config=second.config.override(warmup_bars=5_000))
    monkeypatch.setattr(trading, "make_scenarios", lambda request: [first, second])
    monkeypatch.setattr(trading, "_carry_out", lambda *given: pytest.fail("it was begun"))
    with refuses():
        trading.run(SMALL)


def test_a_run_tells_its_own_settings_and_time(monkeypatch: pytest.MonkeyPatch) -> None:
    part, given = Part("general", "scale"), list[Any]()
    found = Outcome(checks=[CheckResult("scale", "made", 3)], form="", executed={})

    def carry_out(parts: Any, judge: Judge, compiled: str | None) -> Iterator[tuple[Part, Outcome]]:
        given.append((parts, judge.request, compiled))
        yield part, found

    clock = iter((100.0, 107.25))
    monkeypatch.setattr(trading, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    monkeypatch.setattr(trading, "make_scenarios", lambda request: [])
    monkeypatch.setattr(trading, "parts_of", lambda request, scenarios: [part])
    monkeypatch.setattr(trading, "_carry_out", carry_out)
    monkeypatch.setattr(trading, "lines_of_port", lambda modules, executed: {})
    request = replace(SMALL, episodes=11, cases=222, days=5, seed=9)
    report = trading.run(request, compiled="a folder")
    assert given == [([part], request, "a folder")]
    assert report.settings == {"episodes": 11, "cases": 222, "days": 5, "data": ""}
    assert (report.title, report.seed, report.seconds) == (trading.TITLE, 9, 7.25)
    assert (report.checks, report.divergences, list(report.worlds)) == (found.checks, [], [])
