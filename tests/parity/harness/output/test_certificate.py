"""A certificate of a pair fits where its verdict is "same" and nothing that it names has changed."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium
import pytest
from click.testing import CliRunner

from foundation.errors import InputError
from foundation.files import file_digest
from parity.command.main import app
from parity.harness.findings import Answer, FieldVerdict
from parity.harness.output.certificate import bound_modules, environments, issue, misfits
from parity.harness.places import find_here, load
from parity.harness.report import DIFFERENT, SAME, UNSEEN, Report
from tests.parity.harness.lander import pair
from tests.parity.harness.sides import tiny
from tests.sentences import check_error, refuses

HERE = "tests.parity.harness.lander"
DIFFERS = Answer("dtype of rewards", "different", "float32 and float64")


def report_of(verdict: str) -> Report:
    """Return a report of one branch: taken, never taken, or taken beside an answer that differs."""
    answers = [DIFFERS] if verdict == DIFFERENT else []
    seen = {"landed": 0 if verdict == UNSEEN else 3}
    fields = [FieldVerdict("speed", "equal", ("int32", "int32"), "equal", compared=3)]
    made = Report("a ship that lands", "", fields, answers, [], None, seen, {"free": 3})
    assert made.verdict == verdict
    return made


def write(path: Path, values: dict[str, Any]) -> Path:
    path.write_text(json.dumps(values))
    return path


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    return issue(pair(), report_of(SAME), HERE)


def test_a_verdict_of_the_same_fits(sound: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "certificate.json", sound)
    assert misfits(path) == []
    assert CliRunner().invoke(app, ["certificate", str(path)]).exit_code == 0


@pytest.mark.parametrize("verdict", [DIFFERENT, UNSEEN, "equivalent"])
def test_every_other_verdict_is_no_proof(verdict: str, sound: dict[str, Any], tmp_path: Path) -> None:
    made = {**sound, "verdict": verdict}
    if verdict in (DIFFERENT, UNSEEN):
        made = issue(pair(), report_of(verdict), HERE)
        assert made["verdict"] == verdict
    path = write(tmp_path / "certificate.json", made)
    assert misfits(path) == [f"its verdict is {verdict!r}"]
    check_error(CliRunner().invoke(app, ["certificate", str(path)]).exception)


def _other(held: dict[str, str], name: str) -> None:
    held[name] = "0"


def _lacking(held: dict[str, str], name: str) -> None:
    del held[name]


def _more(held: dict[str, str], name: str) -> None:
    held[f"{name}-more"] = held[name]


NAMED = {
    "sources": ("parity.harness.verify", HERE),
    "packages": ("jax", "numpy"),
    "bound": ("device", "jax", "jaxlib", "numpy", "python"),
}
"""Of each part of a certificate names in it, of the versions that bind it all."""


@pytest.mark.parametrize(
    ("change", "words"),
    [(_other, "{} has changed"), (_lacking, "{} is new"), (_more, "{}-more is gone")],
)
def test_each_thing_that_was_bound_voids_it(
    change: Callable[[dict[str, str], str], None], words: str, sound: dict[str, Any], tmp_path: Path
) -> None:
    assert tuple(sorted(sound["bound"])) == NAMED["bound"]
    made, reasons = json.loads(json.dumps(sound)), []
    for part, names in NAMED.items():
        for name in names:
            change(made[part], name)
            reasons.append(("" if part == "sources" else "version of ") + words.format(name))
    assert misfits(write(tmp_path / "certificate.json", made)) == reasons


def test_a_certificate_names_every_side_the_rules_and_what_was_accepted() -> None:
    made = report_of(SAME)
    one = pair()
    one.reference.sources, one.port.sources = (
        ("tests.parity.harness.lander",),
        ("examples.pairs.cartpole",),
    )
    issued = issue(one, made, "tests.parity.command.small_pairs")
    assert {*one.reference.sources, *one.port.sources, "parity.harness.verify"} < set(issued["modules"])
    assert "tests.parity.command.small_pairs" in issued["modules"]
    assert set(issued["modules"]) <= set(issued["sources"])
    for name in ("compare", "judge", "fields", "trees", "verdicts", "report", "modes.free_run"):
        assert f"parity.harness.{name}" in issued["sources"]
    assert environments(one.reference) == ["tests.parity.harness.lander"]
    assert issued["accepted"] == made.accepted


def test_a_certificate_holds_what_the_report_says_and_binds_both_sides() -> None:
    rules = {"speed": "equal", "height": "equal but for rounding within 3 ulps or 0.5"}
    fields = [
        FieldVerdict(name, rule, ("int32", "int32"), "accepted", compared=9, accepted=4, why="known")
        for name, rule in rules.items()
    ]
    made = Report(
        "another name", "some:place", fields, [Answer("info keys", "accepted", "so", reason="too")],
        [], None, {"landed": 3}, {"free": 3}, made={"when": "now", "device": "a card"},
        settings={"transitions": 64, "seed": 7},
    )  # fmt: skip
    one = pair(tiny.side())
    one.port.sources = ("foundation.errors",)  # type: ignore[misc]
    issued = issue(one, made, HERE)
    bound = {name: issued.pop(name) for name in ("sources", "packages", "bound")}
    assert all(bound.values())
    assert issued == {
        "format": 1,
        "pair": "a ship that lands",
        "place": "some:place",
        "verdict": "same",
        "made": {"when": "now", "device": "a card"},
        "settings": {"transitions": 64, "seed": 7},
        "rules": rules,
        "accepted": ["speed in 4 cases (known)", "height in 4 cases (known)", "info keys (too)"],
        "modules": ["foundation.errors", "parity.harness.verify", HERE],
        "environments": [HERE, "tests.parity.harness.sides.tiny"],
    }
    reverse = pair(pair().reference, reference=tiny.side())
    modules, defined = bound_modules(reverse, "parity.harness.verify")
    assert (modules, defined) == (["parity.harness.verify"], issued["environments"])


class Inner(gymnasium.Env[Any, Any]):
    """An environment that wrappers hide."""


def test_an_environment_within_wrappers_is_bound_too() -> None:
    wrapped = gymnasium.wrappers.TimeLimit(Inner(), 5)
    side: Any = SimpleNamespace(environment=lambda: wrapped)
    assert __name__ in environments(side)
    assert "gymnasium.wrappers.common" in environments(side)


@pytest.mark.parametrize("number", [0, 2])
def test_a_certificate_of_another_format_is_refused(
    number: int, sound: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"certificate format {number} is not 1"):
        misfits(write(tmp_path / "certificate.json", {**sound, "format": number}))


@pytest.fixture
def here(
    sound: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Path, Path]]:
    """Two folders with modules of one name, in the first of which a certificate was made."""
    name = "pairs_of_a_certificate"
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        folder.mkdir()
        (folder / f"{name}.py").write_text(f"# of {folder.name}\n", encoding="utf-8")
    modules, digest = sorted([*sound["modules"], name]), file_digest(folders[0] / f"{name}.py")
    made = {**sound, "modules": modules, "sources": {**sound["sources"], name: digest}}
    write(folders[0] / "certificate.json", made)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    yield folders
    importlib.invalidate_caches()


@pytest.mark.costly
def test_a_pair_of_the_current_folder_is_found_there_and_nowhere_else(
    here: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = here
    path = first / "certificate.json"
    monkeypatch.chdir(first)
    assert misfits(path) == []
    monkeypatch.setattr(sys, "path", [str(first), *sys.path[1:]])  # the first is found anywhere
    monkeypatch.chdir(second)
    assert misfits(path) == ["pairs_of_a_certificate has changed"]


def test_a_pair_that_is_not_here_is_asked_for(
    here: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with refuses():
        misfits(here[0] / "certificate.json")


OWN = "pairs_of_this_folder"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for number, folder in enumerate(("one", "two")):
        place = tmp_path / folder / OWN
        place.mkdir(parents=True)
        (place / "__init__.py").write_text(f"value = {number}\n", encoding="utf-8")
        (place / "inner.py").write_text(f"value = {number + 10}\n", encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path / "one")
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == OWN]:
        del sys.modules[name]


@pytest.mark.usefixtures("folders")
def test_the_current_folder_comes_before_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / "two"))
    assert load(f"{OWN}:value", "number") == 0
    assert load(f"{OWN}.inner:value", "number") == 10
    before = list(sys.path)
    find_here()
    assert sys.path == before
    assert before[0] == str(tmp_path / "one")


@pytest.mark.usefixtures("folders")
@pytest.mark.parametrize("module", [OWN, f"{OWN}.inner"])
def test_a_module_of_another_folder_is_not_taken_for_one_here(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load(f"{module}:value", "number") == (10 if "." in module else 0)
    monkeypatch.chdir(tmp_path)  # where there is none of that name
    assert load(f"{module}:value", "number") == (10 if "." in module else 0)
    monkeypatch.chdir(tmp_path / "two")
    importlib.invalidate_caches()
    with refuses():
        load(f"{module}:value", "number")
