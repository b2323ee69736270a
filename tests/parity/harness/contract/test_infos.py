"""Numbers that steps tell in their info are compared, in objects and in pure functions."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity import Port
from parity.harness import cases as make
from parity.harness.contract.infos import _keys, _values, ask_info
from parity.harness.findings import Answer
from parity.harness.judge import Judge
from parity.harness.modes.played_port import play_port
from parity.harness.sides.functional import FunctionalSide
from parity.harness.sides.mutable import MutableSide
from tests.parity.harness.lander import mutable, pair, program
from tests.parity.harness.sides import tiny


def telling(factor: float = 1.0, more: Any = None) -> MutableSide:
    side = mutable()

    def step(ship: Any, action: Any) -> Any:
        out = side.step_one(ship, action)
        info = {"engine": {"heat": factor * float(ship.speed) ** 2}, "name": "a ship"}
        return (*out[:4], {**info, **(more(ship) if more is not None else {})})

    return replace(side, step_one=step)


def telling_jax(factor: float) -> FunctionalSide:
    def made() -> Any:
        plain = program()

        def step(key: Any, state: Any, action: Any) -> Any:
            out = plain.step(key, state, action)
            return (*out[:5], {"engine": {"heat": factor * out[1].speed ** 2}, "name": "a ship"})

        return plain._replace(step=step)

    side: FunctionalSide = Port.functional(made)
    return side


def ask(
    reference: MutableSide, port: Any, random: frozenset[str] = frozenset(), of: Any = pair
) -> Answer:
    one = replace(of(), reference=reference, port=port)
    base = make.visited(one, 64, 0)
    judge = Judge(one, base, random)
    return ask_info(judge, [judge.step(base)])[1]


@pytest.mark.parametrize("port", [telling, telling_jax])
@pytest.mark.parametrize(("factor", "status"), [(1.0, "same"), (1 + 1e-6, "different")])
def test_numbers_that_are_told_are_compared(port: Any, factor: float, status: str) -> None:
    answer = ask(telling(), port(factor))
    assert answer.status == status, answer.text
    assert "engine.heat" in answer.text
    assert "name" not in answer.text


def test_what_one_side_alone_tells_is_not_compared() -> None:
    assert ask(mutable(), telling()).status == "not asked"


@pytest.mark.parametrize("always", ["reference", "port", "neither"])
@pytest.mark.parametrize("late", [1, 2])
def test_what_is_told_at_times_is_compared_wherever_both_sides_tell_it(late: int, always: str) -> None:
    """Such as a success that is told at ends."""
    sides = {
        which: telling(
            1.0, lambda ship, w=which, v=v: {"late": v} if always == w or ship.steps > 3 else {}
        )
        for which, v in (("reference", 1), ("port", late))
    }
    answer = ask(sides["reference"], sides["port"])
    if late == 1:
        assert answer.status == "same"
        assert answer.text.endswith(" in 64 cases; late: equal, but for rounding, in 16 cases")
    else:
        assert answer.status == "different"
        assert answer.text.startswith("late differs in 16 of 16 cases, for example 1 on the reference")


def test_what_the_reference_alone_tells_at_some_times_is_told() -> None:
    sides = [
        telling(1.0, lambda ship, start=start: {"late": 1} if ship.steps > start else {})
        for start in (2, 3)
    ]
    answer = ask(sides[0], sides[1])
    assert (answer.status, answer.text) == (
        "different",
        "late is told by the reference alone in 16 cases",
    )
    assert ask(sides[1], sides[0]).status == "same"
    never = telling(1.0, lambda ship: {"late": "no number"})
    one = replace(pair(), reference=sides[0], port=never)
    judge = Judge(one, base := make.visited(one, 64, 0))
    keys, values = ask_info(judge, [judge.step(base)])
    assert (keys.status, keys.text) == ("note", "only the reference tells late as a number, at times")
    assert values.text == "engine.heat: equal, but for rounding, in 64 cases"


def test_a_number_that_no_case_shows_on_both_sides_is_said_to_be_compared_in_none() -> None:
    sides = [
        telling(1.0, lambda ship, odd=odd: {"late": 1} if ship.steps % 2 == odd else {})
        for odd in (0, 1)
    ]
    one = replace(pair(), reference=sides[0], port=sides[1])
    judge = Judge(one, base := make.visited(one, 64, 0), frozenset({"reward"}))
    text = ask_info(judge, [judge.step(base)])[1].text
    assert text == "engine.heat: equal, but for rounding, in 64 cases; late: in no case told by both"


def test_another_shape_is_told() -> None:
    wide = telling(1.0, lambda ship: {"map": np.ones(2)})
    answer = ask(wide, telling(1.0, lambda ship: {"map": 1}))
    assert answer.status == "different"
    assert answer.text == "map has shape (2,) on the reference and () on the port"


@pytest.mark.parametrize("part", range(3))
def test_one_number_of_one_case_of_any_set_of_cases_is_told_otherwise(part: int) -> None:
    one = tiny.pair()
    base = make.visited(one, 320, 0)
    judge = Judge(one, base)
    evidence = [judge.step(base) for _ in range(3)]
    for held in evidence:
        for arm in (held.native, held.double):
            assert arm is not None
            for side in (arm.reference, arm.port):
                side.told = {"heat": np.ones((320, 2)), "turns": np.arange(320)}
    assert _values(judge, evidence).text == "heat, turns: equal, but for rounding, in 960 cases"
    double = evidence[part].double
    assert double is not None
    ends = int(np.flatnonzero(double.port.ended)[-1])
    for row in (0, ends, 319):
        for name, place in (("heat", (row, 1)), ("turns", (row,))):
            double.port.told[name] = double.port.told[name].copy()
            kept = double.port.told[name][place]
            double.port.told[name][place] += 1
            answer = _values(judge, evidence)
            assert answer.status == "different"
            assert answer.text.startswith(f"{name} differs in 1 of 960 cases, for example ")
            double.port.told[name][place] = np.nan if name == "heat" else -1
            assert _values(judge, evidence).status == "different"
            double.port.told[name][place] = kept
    for held in evidence:
        assert held.double is not None
        held.double.port.told["turns"] = held.double.port.told["turns"] + 1
    assert "turns differs in 960 of 960 cases" in _values(judge, evidence).text
    for other in range(3):  # told in every step of one set of cases alone
        for arm in (evidence[other].native, evidence[other].double):
            assert arm is not None
            if other != part:
                del arm.reference.told["turns"]
    assert "turns differs in 320 of 320 cases" in _values(judge, evidence).text


@pytest.mark.parametrize(
    ("mine", "theirs", "status", "words"),
    [
        ("ab", "ab", "same", "both hand out a, b"),
        ("", "", "same", "both hand out nothing"),
        ("a", "abc", "note", "only the port's info has b, c"),
        ("abc", "a", "different", "the port's info lacks b, c"),
        ("ab", "bc", "different", "the port's info lacks a"),
    ],
)
def test_a_name_that_the_port_lacks_is_a_difference_whatever_it_has_more(
    mine: str, theirs: str, status: str, words: str
) -> None:
    for part in range(3):  # whichever set of cases shows them
        parts = [handing_out(*((mine, theirs) if n == part else ("", "")), "drawn") for n in range(3)]
        answer = _keys(parts)
        assert (answer.status, answer.text) == (status, words)
    beside = handing_out("e", "d", "boundary")  # where rounding decides what there is to tell of
    assert _keys([*parts, beside]) == answer
    beside.cases.source[1] = "visited"
    lacks = ", ".join([*sorted({*mine} - {*theirs}), "e"])
    assert _keys([*parts, beside]).text == f"the port's info lacks {lacks}"


def handing_out(mine: Any, theirs: Any, source: str, told: Any = ("", "")) -> Any:
    """Return cases in which either side's info has these names, and numbers of some of them."""
    steps = [
        SimpleNamespace(info=frozenset(names), told=dict.fromkeys(numbers), at_times={})
        for names, numbers in zip((mine, theirs), told, strict=True)
    ]
    native = SimpleNamespace(reference=steps[0], port=steps[1])
    return SimpleNamespace(native=native, cases=SimpleNamespace(source=np.full(2, source, "U8")))


def test_a_number_that_the_port_does_not_tell_in_every_step_is_told_of() -> None:
    same = handing_out("ab", "ab", "visited", ("ab", "ab"))
    assert _keys([same]).status == "same"
    lone = handing_out("ab", "ab", "drawn", (["a.x", "b"], ["b", "c"]))
    words = "only the reference tells a.x as a number in every step"
    assert (_keys([same, lone]).status, _keys([same, lone]).text) == ("note", words)
    assert (
        _keys([handing_out("a", "ab", "drawn", ("a", "")), same]).text.endswith("info has b") is False
    )
    assert _keys([handing_out("a", "ab", "drawn", ("a", ""))]).text == "only the port's info has b"


def telling_heat(heat: float, drawn: bool, **changes: Any) -> MutableSide:
    """Return a side that tells of two heats; a draw raises one, and the other is none at times."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        obs, reward, over, cut, _ = one.step(action)
        more = np.random.default_rng(getattr(one, "seed", 0)).random() if drawn else 0.0
        hidden = np.nan if one.count % 2 else heat
        return obs, reward, over, cut, {"heat": np.array([heat + more, hidden]), "turns": one.count}

    return tiny.side(step, reseed=lambda one, seed: setattr(one, "seed", seed), **changes)


@pytest.mark.parametrize("drawn", [False, True])
def test_a_number_that_is_none_at_times_is_not_taken_for_drawn(drawn: bool) -> None:
    one = tiny.pair
    answer = ask(telling_heat(1.0, drawn), telling_heat(2.0, drawn), frozenset({"reward"}), one)
    assert answer.status == ("same" if drawn else "different"), answer.text
    if drawn:  # and what was not compared is not said to be equal
        assert answer.text == (
            "turns: equal, but for rounding, in 64 cases; heat: drawn within the step, and not compared"
        )


@pytest.mark.parametrize("sealed", ["reference", "port"])
@pytest.mark.parametrize("draws", ["neither", "reference", "port"])
def test_a_number_of_a_side_that_cannot_be_put_in_a_state_is_not_taken_for_drawn(
    draws: str, sealed: str
) -> None:
    """Where it differs, that is not lost; what the other side draws is still drawn."""
    sides = {
        name: telling_heat(heat, draws == name, **({"write": None} if name == sealed else {}))
        for name, heat in (("reference", 1.0), ("port", 2.0))
    }
    one = tiny.pair(sides["port"], reference=sides["reference"])
    base = play_port(one, 64, 0).cases if sealed == "port" else make.visited(one, 64, 0)
    judge = Judge(one, base, frozenset({"reward"}))
    answer = ask_info(judge, [judge.step(base)])[1]
    if draws in ("neither", sealed):
        assert answer.status == "different", answer.text
        assert answer.text.startswith("heat differs in 64 of 64 cases, for example [1.")
    else:
        assert answer.text.endswith("; heat: drawn within the step, and not compared")


def test_where_every_number_that_is_told_is_drawn_nothing_was_compared() -> None:
    rng = np.random.default_rng(0)

    def told(shift: float) -> Any:
        return replace(
            mutable(),
            step_one=lambda ship, action: (*ship.step(action)[:4], {"luck": shift + rng.random()}),
        )

    answer = ask(told(0.0), told(1.0), frozenset({"reward"}))
    words = "luck: drawn within the step, and not compared"
    assert (answer.status, answer.text) == ("not asked", words)


def test_a_number_that_is_seldom_drawn_is_asked_with_the_seed_with_which_it_differed() -> None:
    """Of a hundred seeds one pays, on the reference alone; it is not among those that are tried."""

    def step(one: tiny.Tiny, action: Any) -> Any:
        return *one.step(action)[:4], {"prize": int(getattr(one, "seed", 0) == 60)}

    reference = tiny.side(step, reseed=lambda one, seed: setattr(one, "seed", seed))
    port = tiny.side(lambda one, action: (*one.step(action)[:4], {"prize": 0}))
    answer = ask(reference, port, frozenset({"reward"}), tiny.pair)
    assert answer.text == "prize: drawn within the step, and not compared"
    assert ask(reference, port, of=tiny.pair).text.startswith("prize differs in 1 of 64 cases")


def test_a_number_counts_in_each_set_of_cases_in_which_both_sides_tell_it_in_every_step() -> None:
    one = tiny.pair()
    base = make.visited(one, 48, 0)
    judge = Judge(one, base)
    evidence = [judge.step(base.rows(np.arange(many))) for many in (48, 31, 22)]
    for held, names in zip(evidence, ("abcd", "ab", "ac"), strict=True):
        assert held.double is not None
        for side in (held.double.reference, held.double.port):
            side.told = {name: np.arange(len(held.cases)) for name in names}
    arms = [held.double for held in evidence if held.double is not None]
    del arms[2].port.told["c"], arms[0].reference.told["d"]
    assert _values(judge, evidence).text == (
        "a: equal, but for rounding, in 101 cases; b: equal, but for rounding, in 79 cases; "
        "c: equal, but for rounding, in 48 cases"
    )
    arms[1].port.told["b"] = arms[1].port.told["b"] + np.arange(31) // 30
    text = _values(judge, evidence).text
    assert text.startswith("b differs in 1 of 79 cases, for example 30 on the reference and 31 on the")
    arms[1].port.told["b"] = np.zeros((31, 2), int)
    assert _values(judge, evidence).text == "b has shape () on the reference and (2,) on the port"


@pytest.mark.parametrize("many", [1, 4, 5, 7])
def test_of_many_numbers_that_differ_four_are_told_and_the_others_counted(many: int) -> None:
    wide = telling(1.0, lambda ship: {f"n{n}": 0 for n in range(7)})
    answer = ask(wide, telling(1.0, lambda ship: {f"n{n}": int(n < many) for n in range(7)}))
    parts = answer.text.split("; ")
    assert [part.split(" differs in 64 of 64 cases")[0] for part in parts[:4]] == [
        f"n{n}" for n in range(min(many, 4))
    ]
    assert parts[4:] == ([f"{many - 4} more differ"] if many > 4 else [])


@pytest.mark.parametrize(("fuel", "status"), [(np.nan, "different"), (2.0, "different"), (1.0, "same")])
def test_a_number_that_is_none_is_not_drawn_though_it_never_equals_itself(
    fuel: float, status: str
) -> None:
    port = telling(1.0, lambda ship: {"fuel": fuel})
    answer = ask(telling(1.0, lambda ship: {"fuel": 1.0}), port, frozenset({"reward"}))
    assert answer.status == status, answer.text
    if status == "different":
        assert answer.text.startswith(
            "fuel differs in 64 of 64 cases, for example 1.0 on the reference"
        )


def test_a_number_that_is_drawn_and_at_times_none_stays_out() -> None:
    rng = np.random.default_rng(0)
    port = telling(1.0, lambda ship: {"luck": rng.random() if rng.random() < 0.5 else np.nan})
    reference = telling(1.0, lambda ship: {"luck": 1.0})
    assert ask(reference, port).status == "different"
    assert ask(reference, port, frozenset({"reward"})).status == "same"


def test_numbers_told_after_a_restart_are_not_counted_as_compared() -> None:
    one = tiny.pair()
    base = make.visited(one, 48, 0)
    evidence = [Judge(one, base).step(base) for _ in range(2)]
    for held in evidence:
        assert held.double is not None
        held.double.reference.told = {"heat": np.arange(48.0)}
        held.double.port.told = {"heat": np.arange(48.0)}
    judge = Judge(one, base)
    ports = [held.double.port for held in evidence if held.double is not None]
    ports[0].final[:7], ports[1].final[5:] = False, False
    assert _values(judge, evidence).text == "heat: equal, but for rounding, in 46 cases"
    ports[0].told["heat"][6:9] += 1
    assert _values(judge, evidence).text.startswith("heat differs in 2 of 46 cases, for example 7.0 ")
    ports[0].final[:], ports[1].final[:] = False, False
    assert _values(judge, evidence).status == "not asked"
