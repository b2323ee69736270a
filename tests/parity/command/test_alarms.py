"""``envparity alarms``: what is the same is called the same, seed after seed; a run goes on."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner, Result
from gymnasium.spaces import Discrete

from foundation.files import json_digest
from parity import Pair, Port, Program, Reference
from parity.command import alarms
from parity.command.alarms import Runs, against_itself, count_alarms
from parity.command.main import app
from parity.harness import cases as make
from parity.harness.places import load_pair
from tests.sentences import refuses

PAIRS = "tests.parity.command.small_pairs"
FEW = ["--transitions", "32", "--resets", "50", "--quiet"]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["alarms", *(str(word) for word in words), *FEW])


@pytest.mark.costly
def test_a_side_against_itself_raises_no_alarm_and_a_run_goes_on(tmp_path: Path) -> None:
    first = run(f"{PAIRS}:honest", "--runs", "2", "--out", tmp_path)
    assert first.exit_code == 0, first.output
    assert "0 of 2 runs alarmed" in first.output
    lines = (tmp_path / "alarms.jsonl").read_text().splitlines()
    again = run(f"{PAIRS}:honest", "--runs", "3", "--out", tmp_path)
    assert again.exit_code == 0, again.output
    assert (tmp_path / "alarms.jsonl").read_text().splitlines()[:2] == lines
    numbers = json.loads((tmp_path / "alarms.json").read_text())
    assert (numbers["runs"], numbers["alarms"]) == (3, [])
    assert numbers["at_most"] == pytest.approx(1 - 0.05 ** (1 / 3))
    with refuses():
        count_alarms(Runs(f"{PAIRS}:heavy", runs=3, transitions=32, resets=50), tmp_path)


@pytest.mark.costly
def test_what_is_not_the_same_raises_an_alarm_with_every_seed(tmp_path: Path) -> None:
    result = run(f"{PAIRS}:heavy", "--against", "pair", "--runs", "2", "--out", tmp_path)
    assert result.exit_code == 1, result.output
    assert "2 of 2 runs alarmed" in result.output
    assert "seed 1: " in result.output


def test_both_sides_are_one_and_no_difference_is_accepted() -> None:
    pair = load_pair("examples.pairs.mountain_car_continuous:pair")
    for which in ("port", "reference"):
        same = against_itself(pair, which)  # type: ignore[arg-type]
        assert same.reference is same.port is getattr(pair, which)
        assert not same.accepted
    assert against_itself(pair, "pair") is pair


def test_a_damaged_line_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "alarms.jsonl").write_text("{\n{}\n")
    with refuses():
        count_alarms(Runs(f"{PAIRS}:honest", runs=1), tmp_path)


@pytest.mark.parametrize("first", [0, 7])
def test_every_seed_is_tried_once_and_every_difference_is_an_alarm(
    first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[int]()

    def verified(pair: Any, *, seed: int, **settings: Any) -> Any:
        tried.append(seed)
        assert settings == {"transitions": 32, "resets": 50}
        return SimpleNamespace(differences=["x differs"] * (seed % 3))

    monkeypatch.setattr("parity.command.alarms.verify", verified)
    monkeypatch.setattr("parity.command.alarms._asked", lambda *_: {"of": "a run"})
    wanted = Runs(f"{PAIRS}:honest", "reference", seed=first, runs=6, transitions=32, resets=50)
    told = list[tuple[str, int, int]]()
    result = count_alarms(wanted, tmp_path, lambda *given: told.append(given))
    assert told == [(f"seed {first + n}", n + 1, 6) for n in range(6)]
    assert result["pair"] == "a ship that lands: reference twice"
    assert result["settings"] == {
        "place": f"{PAIRS}:honest",
        "against": "reference",
        "runs": 6,
        "seed": first,
        "transitions": 32,
        "resets": 50,
    }
    assert json.loads((tmp_path / "alarms.json").read_text()) == result
    assert set(result["made"]) >= {"when", "versions", "device"}
    assert tried == list(range(first, first + 6))
    assert [one["seed"] for one in result["alarms"]] == [seed for seed in tried if seed % 3]
    assert [len(one["said"]) for one in result["alarms"]] == [seed % 3 for seed in tried if seed % 3]
    assert result["runs"] == 6
    again = count_alarms(wanted, tmp_path)
    assert len(tried) == 6  # none is tried twice
    assert again["alarms"] == result["alarms"]


@pytest.mark.parametrize("place", range(3))
def test_one_line_of_another_run_is_refused(place: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("parity.command.alarms._asked", lambda *_: {"of": "a run"})
    lines = [
        {"run": json_digest({"of": "a run"}), "seed": n, "alarm": [], "seconds": 0.1} for n in range(3)
    ]
    lines[place]["run"] = "other"
    (tmp_path / "alarms.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for account in (None, {"of": "a run"}, {"of": "another run", "more": 1}):
        if account is not None:
            (tmp_path / "alarms.asked.json").write_text(json.dumps(account))
        with refuses():
            count_alarms(Runs(f"{PAIRS}:honest", runs=3), tmp_path)


OWN = "from tests.parity.harness.lander import pair as made\n\npair = made()\n"
CHANGES = {"module": OWN + "# more\n", "runs": OWN, "side": OWN, "transitions": OWN, "resets": OWN}


@pytest.mark.parametrize("what", CHANGES)
def test_a_line_is_of_the_pairs_own_module_and_of_how_much_is_compared(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More runs are of the same kind; all else is another one, and is said to be."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "pair_of_alarms.py").write_text(OWN, encoding="utf-8")
    importlib.invalidate_caches()
    wanted = Runs("pair_of_alarms:pair", runs=2, transitions=32, resets=50)
    pair = load_pair(wanted.place)
    try:
        before = alarms._asked(wanted, pair)
        (tmp_path / "pair_of_alarms.py").write_text(CHANGES[what], encoding="utf-8")
        more = {"runs": {"runs": 3, "seed": 1}, "side": {"against": "reference"}}
        sizes = {"transitions": {"transitions": 33}, "resets": {"resets": 51}}
        after = alarms._asked(replace(wanted, **(more | sizes).get(what, {})), pair)
    finally:
        del sys.modules["pair_of_alarms"]
    differ = {name for name in before if after[name] != before[name]}
    said = {"module": {"code"}, "runs": set(), "side": {"against"}}
    assert differ == said.get(what, {what})
    assert set(before) == {"pair", "against", "transitions", "resets", "code", "packages", "versions"}

    assert (after == before) == (what == "runs")


class Stick:
    """Notes what it was asked for: -1, 0 or 1."""

    def reset(self, seed: int) -> Any:
        self.taken = 0
        return np.float32(0)

    def step(self, action: int) -> Any:
        self.taken = int(action)
        return np.float32(self.taken), 0.0, False, False, {}


def stick(port_space: Any, reference_space: Any) -> Pair:
    def reset(key: Any) -> Any:
        return jnp.float32(0), {"taken": jnp.int32(0)}

    def step(key: Any, state: Any, action: Any) -> Any:
        new = {"taken": jnp.asarray(action, jnp.int32)}
        flag = jnp.bool_(False)
        return jnp.asarray(action, jnp.float32), new, jnp.float32(0), flag, flag, {}

    def write(one: Stick, state: Any) -> None:
        one.taken = int(state["taken"])

    return Pair(
        "a stick",
        Reference.mutable(
            Stick,
            lambda one: {"taken": one.taken},
            lambda one, seed: one.reset(seed),
            lambda one, action: one.step(action),
            write,
            action_space=None if reference_space is None else lambda one: reference_space,
        ),
        Port.functional(
            lambda: Program(reset, step, None, port_space), convert_action=lambda action: action + 1
        ),
    )


SHIFTED, PLAIN = Discrete(3, start=-1), Discrete(3)


@pytest.mark.parametrize(
    ("which", "port_space", "reference_space", "first", "taken"),
    [
        ("port", PLAIN, SHIFTED, -1, {0, 1, 2}),
        ("port", None, SHIFTED, -1, {0, 1, 2}),
        ("port", PLAIN, None, 0, {1, 2, 3}),
        ("reference", PLAIN, SHIFTED, -1, {-1, 0, 1}),
        ("reference", PLAIN, None, 0, {0, 1, 2}),
    ],
)
def test_a_side_twice_is_given_the_actions_that_the_pair_gives_it(
    which: Any, port_space: Any, reference_space: Any, first: int, taken: set[int]
) -> None:
    pair = stick(port_space, reference_space)
    declared = [side.spaces()["action"] for side in (pair.reference, pair.port)]
    twice = against_itself(pair, which)
    assert twice.reference is twice.port
    cases = make.visited(twice, 96, 0)
    assert set(cases.action["action"].tolist()) == {first, first + 1, first + 2}
    steps = twice.port.transition(cases.state, cases.action, np.arange(len(cases)))
    assert set(steps.state["taken"].tolist()) == taken
    assert (pair.reference.partner, pair.port.partner) == (pair.port, pair.reference)
    for side, before in zip((pair.reference, pair.port), declared, strict=True):
        assert str(side.spaces()["action"]) == str(before)
