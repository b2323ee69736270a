"""One port is held against all that was recorded: in which order, how far, and by which judges."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.engine.record import Recording
from parity.engine.verify import CheckResult
from parity.mutants import child
from parity.mutants.findings import Findings
from parity.mutants.recordings import RecordedScenario, load, make
from parity.pairs.trading import World
from parity.suites.scenarios import Scenario

GOOD, BAD = CheckResult("replay", "ES", 1), CheckResult("replay", "ES", 1, error="planted")
EVERY = [("learner", 0), ("one", 1), ("two", 2), ("three", 2)]


@pytest.mark.parametrize(
    ("phase", "learner", "killing", "everything", "tried"),
    [
        (1, False, "", False, ["one", "two", "three", "learner"]),
        (2, False, "", False, ["two", "three", "one", "learner"]),
        (2, True, "", False, ["learner", "two", "three", "one"]),
        (1, False, "environments", False, ["one", "two", "three"]),
        (1, True, "learner", False, ["learner"]),
        (1, False, "environments", True, ["one", "two", "three", "learner"]),
        (1, True, "learner", True, ["learner", "one", "two", "three"]),
    ],
)
def test_what_finds_most_is_tried_first_and_nothing_after_an_objection(
    phase: int, learner: bool, killing: str, everything: bool, tried: list[str], monkeypatch: Any
) -> None:
    order: list[str] = []
    recorded = [
        SimpleNamespace(name=name, config=SimpleNamespace(phase=of)) for name, of in EVERY if of
    ]

    def environments(findings: Findings, scenarios: list[Any], all_of_it: bool) -> None:
        assert all_of_it == everything
        order.extend(one.name for one in scenarios)
        findings.judge("x", BAD if killing == "environments" else GOOD)

    def learners(findings: Findings, given: Any, all_of_it: bool) -> None:
        assert (given, all_of_it) == (["recorded"], everything)
        order.append("learner")
        findings.judge("x", BAD if killing == "learner" else GOOD)

    monkeypatch.setattr(child, "load", lambda folder: [recorded, folder][0])
    monkeypatch.setattr(child, "load_learner", lambda folder: ["recorded"])
    monkeypatch.setattr(child, "try_environments", environments)
    monkeypatch.setattr(child, "try_learner", learners)
    found = child.try_port(Path("there"), everything, phase, learner)
    assert order == tried
    assert found.killed == bool(killing)


@pytest.mark.parametrize("everything", [False, True])
@pytest.mark.parametrize("killing", ["", "data of b", "world b0", "draws of a", "draws of c"])
def test_draws_are_judged_once_a_phase_and_data_before_all(
    killing: str, everything: bool, monkeypatch: Any
) -> None:
    """Worlds of each scenario in turn; after an objection to one no other is begun."""
    done: list[str] = []

    def note(findings: Findings, what: str, scenario: str) -> CheckResult:
        done.append(what)
        result = replace(BAD if what == killing else GOOD, check=what, notes={})
        findings.judge(scenario, result)
        return result

    def world(findings: Findings, scenario: Any, pair: str, name: str, played: str) -> None:
        assert (pair, played) == (f"pair of {scenario.name} {name[0]} prepared", f"played {name}")
        note(findings, f"world {name}", scenario.name)

    def draws(pair: str, transitions: str) -> list[CheckResult]:
        what = f"draws of {pair.split()[2]}"
        done.append(what)
        assert transitions == f"cases of {pair.split()[2]}0"
        drawn = CheckResult("restart draws", what, 5, notes={"draws_of_a_start": [1, 2]})
        return [drawn, replace(BAD if what == killing else GOOD, check="reset draws")]

    def data(findings: Findings, scenario: Any) -> str:
        note(findings, f"data of {scenario.name}", scenario.name)
        return f"{scenario.name} prepared"

    class Played(str):
        @property
        def transitions(self) -> str:
            return self.replace("played", "cases of")

    scenarios: list[Any] = [
        SimpleNamespace(
            name=name,
            config=SimpleNamespace(phase=phase),
            worlds=[SimpleNamespace(name=f"{name}{n}") for n in range(count)],
            played=[Played(f"played {name}{n}") for n in range(count)],
        )
        for name, phase, count in (("a", 1, 1), ("b", 1, 2), ("c", 2, 1))
    ]
    monkeypatch.setattr(child, "_try_data", data)
    monkeypatch.setattr(child, "_try_world", world)
    monkeypatch.setattr(child, "trading_pair", lambda w, config, m: f"pair of {w[0].name[0]} {m}")
    monkeypatch.setattr(child, "check_draws", draws)
    scale = [CheckResult("at scale", f"{n}", 1) for n in range(2)]
    rounding = CheckResult("rounding", "", 1)
    of_draws = (CheckResult("draws", "starts", 3), {"resets": np.arange(3)})
    monkeypatch.setattr(child, "check_environment_draws", lambda seed: [of_draws, seed][0])
    monkeypatch.setattr(child, "check_scale", lambda seed: scale)
    monkeypatch.setattr(child, "check_rounding", lambda seed: rounding)
    findings = Findings()
    child.try_environments(findings, scenarios, everything)

    whole = [
        *("data of a", "data of b", "data of c"),
        *("world a0", "draws of a", "world b0", "world b1", "world c0", "draws of c"),
    ]
    last = {"data of b": 3, "draws of a": 5, "world b0": 7}.get(killing, len(whole))
    assert done == (whole if everything else whole[:last])
    checks = [result.check for _, result in findings.checks]
    at_end = ["draws", "at scale", "at scale", "rounding"]
    assert (checks[-4:] == at_end) == (everything or not killing)
    assert findings.killed == bool(killing)
    if everything or not killing:
        assert findings.outputs == {
            **{f"{name}/restart draws": digest(np.array([1, 2], np.int64)) for name in "ac"},
            **{f"{name}/reset draws": digest(np.zeros(0, np.int64)) for name in "ac"},
            "traced programs": digest(np.array(0)),
            "draws/resets": digest(np.arange(3)),
        }


def digest(value: Any) -> str:
    findings = Findings()
    findings.put("x", value)
    return findings.outputs["x"]


CONFIG = EnvConfig.phase2(max_episode_bars=30, contracts=2)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RecordedScenario:
    """Return two worlds with what the reference did on each: two episodes, and forty cases."""
    folder = tmp_path_factory.mktemp("recorded")
    worlds = [
        World(name, synthetic_bars(name, days=days, seed=days), "")
        for name, days in (("ES", 2), ("M2K", 3))
    ]
    make(folder, [Scenario("small", tuple(worlds), CONFIG, episodes=2, cases=40)])
    (scenario,) = load(folder)
    return scenario


def spoilt(played: Any, part: str, name: str, by: Any = 1) -> Any:
    """Return what was recorded of a world with one number, the last of a field, changed."""
    if part in ("data", "processed"):
        fields = {**getattr(played, part)}
        fields[name] = fields[name].copy()
        fields[name][-1] += by
        return replace(played, **{part: fields})
    recording: Recording = getattr(played, part)
    values = recording.after[name].copy()
    values[-1, recording.lengths[-1] - 1] += by
    return replace(played, **{part: replace(recording, after={**recording.after, name: values})})


SOUND = {
    ("ES", "data"),
    ("M2K", "data"),
    ("ES, processed", "data"),
    *((world, check) for world in ("ES", "M2K") for check in ("replay", "restart", "generated")),
    *((world, "invariants, port") for world in ("ES", "M2K")),
    *((world, "restart after a generated case") for world in ("ES", "M2K")),
}


@pytest.mark.costly
def test_a_sound_port_passes_and_one_other_number_of_any_part_is_found(
    recorded: RecordedScenario,
) -> None:
    findings = Findings()
    markets = child._try_data(findings, recorded)
    assert [len(market) for market in markets] == [
        len(one.data["close_ticks"]) for one in recorded.played
    ]
    pair = child.trading_pair(recorded.worlds, recorded.config, markets)
    for world, played in zip(recorded.worlds, recorded.played, strict=True):
        child._try_world(findings, recorded, pair, world.name, played)
    assert {(result.world, result.check) for _, result in findings.checks} == SOUND
    assert not findings.killed, [result for _, result in findings.checks if not result.passed]
    assert {scenario for scenario, _ in findings.checks} == {"small"}
    assert len([name for name in findings.outputs if name.startswith("small/M2K/cases/after/")]) > 20
    names = {name.rpartition("/")[2] for name in findings.outputs if "/ES, processed/" in name}
    assert names == {"features", "bars", "starts"}

    es, m2k = recorded.played
    for where, part, name, world in ((0, "data", "close_ticks", "ES"), (1, "data", "low", "M2K")):
        other = [es, m2k]
        other[where] = spoilt(other[where], part, name)
        assert objections_to_data(replace(recorded, played=tuple(other))) == [(world, "data")]
    es = spoilt(es, "processed", "high")
    assert objections_to_data(replace(recorded, played=(es, m2k))) == [("ES, processed", "data")]
    for part, name, check in (
        ("episodes", "total_pnl", "replay"),
        ("transitions", "balance", "generated"),
    ):
        findings = Findings()
        child._try_world(findings, recorded, pair, "M2K", spoilt(m2k, part, name))
        failed = [(result.world, result.check) for _, result in findings.checks if not result.passed]
        assert failed == [("M2K", check)]


def objections_to_data(scenario: RecordedScenario) -> list[tuple[str, str]]:
    findings = Findings()
    child._try_data(findings, scenario)
    return [(result.world, result.check) for _, result in findings.checks if not result.passed]


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], (False, 1, False)),
        (["--all"], (True, 1, False)),
        (["--phase", "2"], (False, 2, False)),
        (["--learner", "--phase", "2", "--all"], (True, 2, True)),
    ],
)
@pytest.mark.parametrize("killed", [False, True])
def test_a_process_writes_what_was_found_and_says_whether_a_judge_objects(
    killed: bool, words: list[str], asked: tuple[Any, ...], tmp_path: Path, monkeypatch: Any
) -> None:
    def tried(recordings: Path, *given: Any) -> Findings:
        assert (recordings, given) == (tmp_path / "recorded", asked)
        findings = Findings()
        findings.judge("stress", GOOD, BAD if killed else GOOD)
        findings.put("a", np.arange(3))
        return findings

    result = tmp_path / "result.json"
    monkeypatch.setattr(child, "try_port", tried)
    monkeypatch.setattr(sys, "argv", ["child", str(tmp_path / "recorded"), str(result), *words])
    with pytest.raises(SystemExit) as left:
        child.main()
    assert left.value.code == int(killed)
    told = json.loads(result.read_text())
    assert told["outputs"] == {"a": digest(np.arange(3))}
    assert [check["passed"] for check in told["checks"]] == [True, not killed]


def test_of_a_replay_the_steps_that_were_taken_count_and_of_a_market_every_table() -> None:
    """What a lane holds after its end is nobody's output."""
    taken = np.array([[True, True, False], [True, False, False]])
    steps, more = np.arange(6).reshape(2, 3), np.arange(12.0).reshape(2, 3, 2)
    played: Any = SimpleNamespace(
        before={"x": np.array([4, 5]), "y": np.array([0.5, 1.5])},
        after={"x": steps, "obs": more},
        restart={"x": np.array([8, 9])},
        restarted=steps > 0,
        untouched=steps > 2,
    )
    recording: Any = SimpleNamespace(valid=taken)
    found, expected = Findings(), Findings()
    child._put_replay(found, "w/cases", recording, played)
    child._put_market(found, "w", SimpleNamespace(features=more, bars=steps, starts=steps[0], x=1))  # type: ignore[arg-type]
    for name, value in (
        ("cases/before/x", [4, 5]),
        ("cases/before/y", [0.5, 1.5]),
        ("cases/after/x", [0, 1, 3]),
        ("cases/after/obs", [[0.0, 1], [2, 3], [6, 7]]),
        ("cases/restart/x", [8, 9]),
        ("cases/restarted", [False, True, True]),
        ("cases/untouched", [False, False, True]),
        *(("features", more), ("bars", steps), ("starts", [0, 1, 2])),
    ):
        expected.put(f"w/{name}", np.array(value))
    assert found.outputs == expected.outputs
