"""The engine on a pair that has nothing to do with trading, with faults planted by the test."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from foundation.files import write_json
from foundation.import_closure import digests
from parity.engine.certificate import CertificateError, envelope, issue, misfits, read, unsound
from parity.engine.compare import close
from parity.engine.diverge import Divergence, explain_case, explain_replay, findings, reached
from parity.engine.generate import seeded_cases
from parity.engine.pair import Pair
from parity.engine.record import record_cases, record_episodes
from parity.engine.replay import replay
from parity.engine.report import Report
from parity.engine.verify import check_generated, check_replay, judge_replay
from tests.parity.walker import honest, stuck_at_seven, walker_pair
from tests.sentences import refuses


def test_an_honest_port_passes_every_check() -> None:
    pair = walker_pair()
    checks = [*check_replay(pair, 0, episodes=20, seed=0), check_generated(pair, 0, 300, seed=0)[0]]
    assert all(check.passed for check in checks)
    assert [check.check for check in checks] == ["replay", "restart", "generated"]
    assert checks[0].notes["reward_deviation_max"] < 1e-6
    assert checks[1].compared == 20
    assert sum(check.coverage["fell"] for check in checks) > 0


def test_a_planted_fault_is_found_in_a_replay_and_shown_with_one_action() -> None:
    pair = walker_pair(stuck_at_seven)
    recording = record_episodes(pair, 0, 20, np.random.default_rng([0, 0, 1]))
    result = check_replay(pair, 0, episodes=20, seed=0)[0]
    assert not result.passed
    assert result.first is not None
    found = explain_replay(pair, recording, result.first, "replay")
    assert found.actions == [1]
    assert found.state is not None
    assert found.state["place"] == 7
    assert found.looks_like == "logic"
    assert found.command == "walk --from 7 --action 1"
    assert {row.field for row in found.differences} >= {"place", "reward", "obs[0]"}


def test_a_planted_fault_is_found_among_generated_states_and_shrunk() -> None:
    pair = walker_pair(stuck_at_seven)
    result, cases = check_generated(pair, 0, 300, seed=0)
    assert result.first is not None
    found = explain_case(pair, cases, result.first)
    assert found.state == {"place": 7, "steps": 0, "begun": 0}
    assert found.actions == [1]


@pytest.mark.parametrize("error", [1e-6, 0.5])
def test_a_float_beyond_its_rule_is_logic_however_small_the_difference(error: float) -> None:
    pair = walker_pair(reward_error=error)
    result, cases = check_generated(pair, 0, 300, seed=0)
    assert result.first is not None
    assert result.first.field == "reward"
    found = explain_case(pair, cases, result.first)
    assert found.looks_like == "logic"
    assert reached(found) == {"reward"}


def explained(pair: Pair, world: str) -> list[Divergence]:
    """Return what a replay and generated cases show, as if on a data set of this name."""
    recording = record_episodes(pair, 0, 20, np.random.default_rng([0, 0, 1]))
    replayed = check_replay(pair, 0, episodes=20, seed=0)[0].first
    result, cases = check_generated(pair, 0, 300, seed=0)
    shown = []
    if replayed is not None:
        shown.append(explain_replay(pair, recording, replayed, "replay"))
    if result.first is not None:
        shown.append(explain_case(pair, cases, result.first))
    return [replace(one, world=world) for one in shown]


def test_one_fault_is_one_finding_over_data_sets_and_checks() -> None:
    pair = walker_pair(stuck_at_seven)
    seen = explained(pair, "one") + explained(pair, "two")
    assert len(seen) == 4
    [found] = findings(seen)
    assert found.fields == ["place"]
    assert (found.worlds, found.checks) == (["one", "two"], ["replay", "generated"])
    assert found.smallest.state == {"place": 7, "steps": 0, "begun": 0}
    told = found.to_dict()
    assert told["command"] == "walk --from 7 --action 1"
    assert told["seen"] == {
        "fields": ["place"],
        "worlds": ["one", "two"],
        "checks": ["replay", "generated"],
    }


def test_two_faults_are_two_findings_and_none_is_none() -> None:
    both = explained(walker_pair(stuck_at_seven), "line") + explained(
        walker_pair(reward_error=1e-6), "line"
    )
    assert [found.fields for found in findings(both)] == [["place"], ["reward"]]
    assert findings(explained(walker_pair(), "line")) == []


def test_a_restart_that_remembers_is_found() -> None:
    replayed, restarted = check_replay(walker_pair(forget=True), 0, episodes=20, seed=0)
    assert replayed.passed
    assert not restarted.passed
    assert restarted.first is not None
    assert restarted.first.field in ("steps", "obs")


def test_a_field_without_a_rule_is_an_error_not_a_silence() -> None:
    pair = walker_pair()
    rules = {name: rule for name, rule in pair.rules.items() if name != "masks"}
    bare = type(pair)(**{**pair.__dict__, "rules": rules})
    result = check_generated(bare, 0, 50, seed=0)[0]
    assert not result.passed
    assert "masks" in result.error


def test_cases_are_reproducible() -> None:
    pair = walker_pair()
    first, again = (seeded_cases(pair, 0, 50, np.random.default_rng(3)) for _ in range(2))
    assert first == again


def test_replay_of_injected_states_begins_in_them() -> None:
    pair = walker_pair()
    cases = seeded_cases(pair, 0, 40, np.random.default_rng(1))
    played = replay(pair, record_cases(pair, cases))
    np.testing.assert_array_equal(played.before["place"], [case.state["place"] for case in cases])


def _report(**options: str) -> Report:
    pair = walker_pair(
        stuck_at_seven if options.get("move") == "stuck" else honest, **_required(options)
    )
    checks = [*check_replay(pair, 0, 20, 0), check_generated(pair, 0, 300, 0)[0]]
    world = {"name": "line", "source": "test", "digest": "d", "bars": 0, "contract": ""}
    return Report(pair.name, 0, pair.port.form, [world], checks, pair.required)


def _required(options: dict[str, str]) -> dict[str, str]:
    return {"required": options["required"]} if "required" in options else {}


def test_verdicts() -> None:
    assert _report().verdict == "same"
    assert _report(move="stuck").verdict == "different"
    unseen = _report(required="flew")
    assert unseen.verdict == "not enough seen"
    assert unseen.missing == ["flew"]


def test_junit_has_a_case_a_check_and_a_failure_a_fault() -> None:
    suite = ElementTree.fromstring(_report(move="stuck").to_junit())
    assert suite.get("tests") == "4"
    failed = [case.get("name") for case in suite if case.find("failure") is not None]
    assert "replay[line]" in failed
    assert int(suite.get("failures", "0")) == len(failed)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "__init__.py").write_text("")
    (tmp_path / "room" / "a.py").write_text("from room.b import thing\nimport json\n")
    (tmp_path / "room" / "b.py").write_text("def thing():\n    from room import c\n    return c\n")
    (tmp_path / "room" / "c.py").write_text("x = 1\n")
    (tmp_path / "room" / "stranger.py").write_text("x = 2\n")
    return tmp_path


def test_a_certificate_fits_until_a_file_it_depends_on_changes(house: Path) -> None:
    path = house / "certificate.json"
    sources = digests(house, ["room.a"])
    write_json(path, envelope(issue(_report().to_dict(), {"place": "equal"}, sources)))
    certificate = read(path)
    assert misfits(certificate, digests(house, ["room.a"])) == []
    (house / "room" / "stranger.py").write_text("x = 3\n")
    assert misfits(certificate, digests(house, ["room.a"])) == []
    (house / "room" / "c.py").write_text("x = 2\n")
    assert misfits(certificate, digests(house, ["room.a"])) == ["room/c.py has changed"]
    (house / "room" / "b.py").write_text("thing = 1\n")
    gone = ["room/b.py has changed", "room/c.py is gone"]
    assert misfits(certificate, digests(house, ["room.a"])) == gone


def test_a_certificate_of_other_versions_or_verdict_does_not_fit(house: Path) -> None:
    certificate = issue(_report(move="stuck").to_dict(), {}, digests(house, ["room.a"]))
    certificate["made"]["versions"]["jax"] = "0.0.1"
    reasons = misfits(certificate, digests(house, ["room.a"]))
    assert "its verdict is 'different'" in unsound(certificate)
    assert any(reason.startswith("jax was 0.0.1") for reason in reasons)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", json.dumps({"format": 1})])
def test_what_is_no_certificate_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "certificate.json"
    path.write_text(text)
    with refuses(kind=CertificateError):
        read(path)
    with refuses(kind=CertificateError):
        read(tmp_path / "absent.json")


def test_rewards_that_are_no_numbers_make_no_equal_episode() -> None:
    nan = float("nan")
    pair = walker_pair()
    pair = replace(pair, rules={**pair.rules, "reward": close(nan_is_undefined=True)})
    recording = record_episodes(pair, 0, 20, np.random.default_rng(0))
    played = replay(pair, recording, 0)
    for after in (recording.after, played.after):  # after an episode's end nothing counts
        after["reward"] = np.where(recording.valid, after["reward"], nan)
    found = judge_replay(pair, recording, played)[0]
    assert found.passed
    assert found.notes["reward_deviation_max"] < 1e-6
    for after in (recording.after, played.after):
        after["reward"][3, 0] = nan
    found = judge_replay(pair, recording, played)[0]
    assert found.first is not None
    assert (found.first.field, found.first.lane) == ("episode reward", 3)
    assert np.isnan(Report("", 0, "", [], [found], frozenset()).summary()["reward_deviation_max"])
