"""Options of ``envparity`` arrive where they are used, each with its own value; so do all answers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from foundation.errors import InputError
from parity.command.alarms import Runs
from parity.command.main import app
from parity.learning.statistics import EQUIVALENT
from parity.mutation.run import Wanted
from tests.parity.command.small_pairs import honest
from tests.sentences import refuses

PAIR = "tests.parity.command.small_pairs:honest"


def run(*words: str | Path) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


class Shown:
    """A report that differs in two cases, the second of which can be seen again."""

    passed = False
    smallest = (SimpleNamespace(command=""), SimpleNamespace(command="envparity case it"))

    def __str__(self) -> str:
        return "ship: different\nspeed differs"


def test_a_check_s_options_arrive_and_its_cases_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def verify(pair: Any, *, progress: Any, **options: Any) -> Any:
        asked.append((pair, options))
        assert progress is None
        return Shown()

    monkeypatch.setattr("parity.harness.verify.verify", verify)
    monkeypatch.setattr(
        "parity.harness.output.certificate.issue", lambda *given: asked.append(given) or "certificate"
    )
    monkeypatch.setattr(
        "parity.harness.output.write.write_report", lambda *given: asked.append(given[::2])
    )
    sizes = ["--transitions", "11", "--resets", "22", "--seed", "33", "--devices", "5"]
    result = run("check", PAIR, *sizes, "--out", tmp_path / "out", "--quiet")
    assert result.exit_code == 1
    assert asked[0] == (
        honest,
        {"place": PAIR, "transitions": 11, "resets": 22, "seed": 33, "devices": 5},
    )
    assert asked[1][0] is honest
    assert asked[1][2] == "tests.parity.command.small_pairs"
    assert asked[2] == (tmp_path / "out", "certificate")
    assert result.output.splitlines() == [
        "ship: different",
        "speed differs",
        "  to see it again: envparity case it",
        f"report: {tmp_path / 'out' / 'report.html'}",
    ]
    run("check", PAIR, "--quiet")
    assert asked[3][1] == {
        "place": PAIR,
        "transitions": 8_000,
        "resets": 1_000,
        "seed": 0,
        "devices": 4,
    }


def test_a_case_is_of_its_state_and_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def show(*given: Any) -> Any:
        asked.append(given)
        return ["one", "two"], given[2] == [1, 2]

    monkeypatch.setattr("parity.command.one_case.show_case", show)
    for action, code in (("[1, 2]", 1), ("3", 0)):
        result = run("case", PAIR, "--state", '{"height": 4.5}', "--action", action)
        assert (result.exit_code, result.output) == (code, "one\ntwo\n")
    assert asked == [(honest, {"height": 4.5}, [1, 2]), (honest, {"height": 4.5}, 3)]
    for state, action in (("{", "3"), ("{}", "no")):
        with refuses():
            app(["case", PAIR, "--state", state, "--action", action], standalone_mode=False)


def test_mutate_s_options_arrive_and_every_survivor_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def one(number: int) -> dict[str, str]:
        return {"at": f"a.py:{number}", "old": f"x{number}", "new": f"y{number}", "by": f"by {number}"}

    report = {
        "pair": "tiny",
        "survivors": [one(1), one(2)],
        "likely_equivalent": [one(3), one(4)],
        "score": {"score": 0.5},
    }
    monkeypatch.setattr("parity.mutation.run.measure", lambda *given: asked.append(given) or report)
    monkeypatch.setattr("parity.mutation.page.sentence", lambda report: "so many")
    options = ["--count", "7", "--seed", "8", "--module", "m", "--module", "n", "--only", "f"]
    options += ["--transitions", "9", "--resets", "10", "--patience", "11.5", "--jobs", "2"]
    result = run("mutate", PAIR, *options, "--out", tmp_path, "--quiet")
    wanted = Wanted(
        place=PAIR,
        count=7,
        seed=8,
        modules=("m", "n"),
        only=("f",),
        transitions=9,
        resets=10,
        patience=11.5,
        jobs=2,
    )
    assert asked == [(wanted, tmp_path, None)]
    assert result.output.splitlines() == [
        "tiny: so many",
        "  survived: a.py:1: x1 became y1; by 1",
        "  survived: a.py:2: x2 became y2; by 2",
        "  likely equivalent: a.py:3: x3 became y3",
        "  likely equivalent: a.py:4: x4 became y4",
        f"page: {tmp_path / 'mutants.html'}",
    ]


def test_alarms_options_arrive_and_each_alarm_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    result = {
        "pair": "tiny",
        "runs": 1_234,
        "at_most": 0.00245,
        "seconds": 12.4,
        "alarms": [{"seed": 5, "said": ["x", "y"]}, {"seed": 9, "said": ["z"]}],
    }
    monkeypatch.setattr(
        "parity.command.alarms.count_alarms", lambda *given: asked.append(given) or result
    )
    options = ["--against", "reference", "--runs", "7", "--seed", "8", "--transitions", "9"]
    shown = run("alarms", PAIR, *options, "--resets", "10", "--out", tmp_path, "--quiet")
    assert asked == [(Runs(PAIR, "reference", 7, 8, 9, 10), tmp_path, None)]
    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        "tiny: 2 of 1,234 runs alarmed (chance at most 0.0024 with 95% confidence; 12 s)",
        "  seed 5: x; y",
        "  seed 9: z",
    ]
    run("alarms", PAIR, "--quiet")
    assert asked[1][0] == Runs(PAIR)


def test_learning_s_options_arrive_and_the_tables_stay_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def read(*given: Any) -> Any:
        asked.append(given)
        return SimpleNamespace(name=f"table {given[1]}")

    def compare(*tables: Any, **options: Any) -> Any:
        asked.append(([one.name for one in tables], options))
        return {"verdict": EQUIVALENT}

    monkeypatch.setattr("parity.learning.tables.names_of", lambda *paths: ("one", "two"))
    monkeypatch.setattr("parity.learning.tables.read_results", read)
    monkeypatch.setattr("parity.learning.compare.margin_of", lambda *given: (given[0], given[1].name))
    monkeypatch.setattr("parity.learning.compare.compare", compare)
    monkeypatch.setattr("parity.learning.page.reason", lambda report: "for this")
    monkeypatch.setattr("parity.learning.page.render", lambda report: "<page>")
    options = ["--margin", "5%", "--alpha", "0.1", "--seeds", "6", "--power", "0.7", "--column", "c"]
    shown = run("learning", "a.csv", "b.csv", *options, "--out", tmp_path / "out")
    assert asked == [
        (Path("a.csv"), "one", "c"),
        (Path("b.csv"), "two", "c"),
        (
            ["table one", "table two"],
            {"margin": ("5%", "table one"), "alpha": 0.1, "planned": 6, "wanted_power": 0.7},
        ),
    ]
    assert shown.output.splitlines() == [
        f"table one and table two: {EQUIVALENT}",
        "  for this",
        f"page: {tmp_path / 'out' / 'learning.html'}",
    ]
    assert (tmp_path / "out" / "learning.html").read_text() == "<page>"
    assert json.loads((tmp_path / "out" / "learning.json").read_text()) == {"verdict": EQUIVALENT}


@pytest.mark.parametrize("count", [0, 1, 5, 6, 9])
def test_a_certificate_s_first_five_reasons_are_told_and_the_others_counted(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "parity.harness.output.certificate.misfits", lambda path: [f"why {n}" for n in range(count)]
    )
    if not count:
        assert run("certificate", "c.json").output == "c.json fits the code at hand\n"
        return
    told = "; ".join(f"why {n}" for n in range(min(count, 5)))
    more = f" and {count - 5} more" if count > 5 else ""
    with pytest.raises(InputError) as raised:
        app(["certificate", "c.json"], standalone_mode=False)
    assert str(raised.value) == f"c.json does not fit: {told}{more}; check the pair anew"


def test_a_pair_that_is_there_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[Any] = []
    monkeypatch.setattr(
        "parity.command.scaffold.scaffold", lambda *given: asked.append(given) or ("text", ["a", "b"])
    )
    shown = run("init", "--reference", "r:one", "--port", "p:two")
    assert asked == [("r:one", "p:two")]
    assert shown.output.splitlines() == [
        "wrote parity_pair.py; now:",
        "  - a",
        "  - b",
        "then: envparity check parity_pair:pair",
    ]
    assert Path("parity_pair.py").read_text() == "text"
    with refuses():
        app(["init", "--reference", "r:one", "--port", "p:two"], standalone_mode=False)
    assert len(asked) == 1
