"""Which fields are drawn, found from which rows and seeds, and how two sides' draws are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from parity import Pair, Port
from parity.harness import cases as make
from parity.harness.judge import Evidence, Judge
from parity.harness.modes.draws import (
    DRAWS,
    MOST_KINDS,
    PROBES,
    SEEDS,
    STATES,
    Drawn,
    _joint,
    also_drawn,
    ask_draws,
    drawn_fields,
)
from parity.harness.sides.side import Steps
from parity.harness.trees import Array, Fields

Change = Any
"""(fields after the step, state, seeds, generator) -> None; changes the fields."""


class Side:
    """A side whose step is what it is told to be, in all rows at once."""

    def __init__(self, change: Change = None, stream: int = 0) -> None:
        self.change, self.stream, self.can_write = change, stream, True

    def native(self) -> dict[str, np.dtype[Any]]:
        return {"row": np.dtype(np.int64), "pair": np.dtype(np.int64)}

    def transition(self, state: Fields, actions: Fields, seeds: Array, double: bool = False) -> Steps:
        many = len(seeds)
        rng = np.random.default_rng([self.stream, *(int(seed) for seed in seeds[:3]), many])
        flags = np.zeros(many, bool)
        new = {"row": state["row"] + 0, "pair": np.stack([state["row"] * 0, state["row"]], axis=1)}
        new |= {"reward": state["row"] * 0, "obs.a": state["row"] * 0, "obs.b": state["row"] * 0}
        if self.change is not None:
            self.change(new, state, np.asarray(seeds), rng)
        told = {name: new.pop(name) for name in ("reward", "obs.a", "obs.b")}
        outcome = {"reward": told.pop("reward"), "terminated": flags, "truncated": flags}
        return Steps(new, told, outcome, ~flags)


def base_of(many: int = 96) -> make.Cases:
    rows = np.arange(many)
    state = {"row": rows, "pair": np.stack([rows, rows], axis=1)}
    return make.Cases(state, {"action": rows % 3}, np.full(many, "visited"))


def probed(mine: Change, theirs: Change, many: int = 96) -> tuple[frozenset[str], frozenset[str]]:
    return drawn_fields(Pair("sides", Side(mine), Side(theirs)), base_of(many))  # type: ignore[arg-type]


def where(name: str, row: int) -> Change:
    """Return a change of a field with the seed, in one row of the cases."""

    def change(new: Fields, state: Fields, seeds: Array, rng: Any) -> None:
        by = (state["row"] == row) * seeds
        new[name] = new[name] + (np.stack([by * 0, by], axis=1) if name == "pair" else by)

    return change


@pytest.mark.parametrize("many", [1, 2, 24, 96, 1000])
@pytest.mark.parametrize("name", ["row", "pair", "reward", "obs.b"])
def test_any_field_is_found_to_be_drawn_in_the_first_case_and_in_the_last(name: str, many: int) -> None:
    for row in {0, many - 1}:
        assert probed(where(name, row), None, many) == ({name}, set())
        assert probed(None, where(name, row), many) == (set(), {name})
    assert probed(where(name, many), None, many) == (set(), set())


def evidence_of(mine: Change, theirs: Change, sets: int = 1) -> tuple[Judge, list[Evidence], Pair]:
    one = Pair("sides", Side(mine), Side(theirs))  # type: ignore[arg-type]
    base = base_of()
    judge = Judge(one, base)
    return judge, [judge.step(base) for _ in range(sets)], one


def paid(which: Any) -> Change:
    """Return a change that pays 1 more in the rows and with the seeds of ``which(rows, seeds)``."""

    def change(new: Fields, state: Fields, seeds: Array, rng: Any) -> None:
        new["reward"] = new["reward"] + which(state["row"], seeds)

    return change


@pytest.mark.parametrize("side", ["reference", "port"])
def test_a_field_that_differs_is_stepped_with_its_own_seed_and_five_others(side: str) -> None:
    def found(which: Any) -> tuple[bool, Drawn, list[Evidence], Judge]:
        both = {"reference": None, "port": None, side: paid(which)}
        judge, evidence, _ = evidence_of(both["reference"], both["port"], 2)
        more = also_drawn(judge, evidence)
        other = more.port if side == "reference" else more.reference
        assert other == frozenset()
        return (more.reference | more.port) == {"reward"}, more, evidence, judge

    # the evidence's seeds begin at 8, after those of the judge's first look, and the tried ones at 200
    own, more, evidence, judge = found(lambda rows, seeds: (rows == 50) & (seeds == 8 + 50))
    assert own
    assert judge.random == {"reward"}
    assert all("reward" not in one.labels and "row" in one.labels for one in evidence)
    assert [one.state["row"].tolist() for one in more.cases] == [[50]]
    always = found(lambda rows, seeds: rows == 50)
    assert not always[0]
    assert always[1].cases == []
    assert all(one.wrong("reward").sum() == 1 for one in always[2])
    # in two sets 96 rows differ, of which 24 are tried with 24 seeds each of five times
    for last, drawn in ((200 + 2 * 5 * PROBES - 1, True), (200 + 2 * 5 * PROBES, False)):
        assert found(lambda rows, seeds, last=last: seeds != last)[0] is drawn
    one_row = found(lambda rows, seeds: (rows == 7) | ((rows == 60) & (seeds % 2 == 0)))
    assert one_row[0]  # it stays in the first row that differs, and is drawn in another
    assert one_row[1].cases[0].state["row"].tolist() == [7, 60]
    many = found(lambda rows, seeds: (rows > 30) & (seeds < 200))
    assert [one.state["row"].tolist() for one in many[1].cases] == [[*range(31, 31 + STATES)]] * 2


def test_a_side_that_cannot_be_put_in_a_state_is_left_out_where_draws_are_looked_for() -> None:
    judge, evidence, one = evidence_of(paid(lambda rows, seeds: seeds % 2), None)
    one.reference.can_write = False  # type: ignore[misc]
    assert also_drawn(judge, evidence)[:2] == (frozenset(), frozenset())
    assert evidence[0].wrong("reward").any()
    assert drawn_fields(one, base_of()) == (frozenset(), frozenset())


def three_flags(tied: bool) -> Change:
    """Return a change that draws three flags; where they are tied, the third is whether two differ."""

    def change(new: Fields, state: Fields, seeds: Array, rng: Any) -> None:
        first, second, third = (rng.random((3, len(seeds))) < 0.5).astype(int)
        new["reward"], new["obs.a"] = first, second
        new["obs.b"] = first ^ second if tied else third

    return change


def asked(mine: Change, theirs: Change, names: Any, cases: Any = (), seed: int = 0) -> Any:
    one = Pair("sides", Side(mine, 1), Side(theirs, 2))  # type: ignore[arg-type]
    base = base_of()
    judge = Judge(one, base, frozenset(names))
    drawn = frozenset(names)
    return ask_draws(judge, base, Drawn(drawn, drawn, list(cases)), seed)


def test_flags_that_hang_together_are_seen_though_no_two_of_them_do() -> None:
    names = {"reward", "obs.a", "obs.b"}
    assert asked(three_flags(False), three_flags(False), names).status == "same"
    answer = asked(three_flags(True), three_flags(False), names)
    assert answer.status == "different"
    first = answer.text.partition("; from state ")
    assert first[0].startswith("one outcome comes in ")
    assert first[2].startswith("{'row': ")
    assert "with {'action': " in first[2]


def drawn_at(rows: Any, wide: float = 1.0) -> Change:
    def change(new: Fields, state: Fields, seeds: Array, rng: Any) -> None:
        new["obs.a"] = np.where(np.isin(state["row"], rows), wide * rng.random(len(seeds)), 0.5)
        new["reward"] = np.where(np.isin(state["row"], rows), rng.random(len(seeds)), 0.0)

    return change


def test_every_test_of_every_state_is_counted_and_the_state_that_differs_is_named() -> None:
    names = {"obs.a", "reward"}
    rng = np.random.default_rng([0, 6])
    chosen = rng.choice(96, 12, replace=False)
    few = chosen[[2, 7, 11]]
    same = asked(drawn_at(few), drawn_at(few), names)
    # two numbers with four ends each; where they are drawn also their sum and their difference
    tests = 12 * (2 + 2 * 4) + 3 * 2
    assert same.text == (
        "both draw obs.a, reward from the same distributions: 12 states, 600 draws each, "
        f"{tests} two-sample tests, chance of a false alarm 1e-06 in all; gaps of 0.18 between "
        "distribution functions are seen"
    )
    other = asked(drawn_at(few), drawn_at(few, 0.5), names)
    assert other.status == "different"
    row = int(chosen[2])
    assert f"from state {{'row': {row}, 'pair': [{row}, {row}]}} with {{'action': {row % 3}}}. 12" in (
        other.text
    )
    assert other.text.startswith("obs.a: from ")


def test_states_that_are_handed_over_are_tried_beside_the_visited_ones() -> None:
    base = base_of(200)
    cases = [base.rows(np.arange(120, 125)), base.rows(np.arange(150, 180))]
    honest = asked(drawn_at(range(120, 180)), drawn_at(range(120, 180)), {"obs.a", "reward"}, cases)
    assert honest.status == "same"
    assert "12 states, 600 draws each" in honest.text  # four of each
    for rows in (range(120, 125), range(150, 180)):
        mine, theirs = drawn_at(range(120, 180)), drawn_at(range(120, 180), 0.5)

        def change(*given: Any, rows: Any = rows, mine: Any = mine, theirs: Any = theirs) -> None:
            (theirs if given[1]["row"][0] in rows else mine)(*given)

        assert asked(mine, change, {"obs.a", "reward"}, cases).status == "different"
    lone = [base.rows(np.array([120]))] * 2  # of which there are fewer than their share
    assert "6 states, 600" in asked(drawn_at([120]), drawn_at([120]), {"obs.a"}, lone).text


def test_a_reference_that_only_plays_is_not_said_to_draw_nothing_though_the_port_does_not() -> None:
    one = Pair("sides", Side(), Side())  # type: ignore[arg-type]
    judge = Judge(one, base_of())
    none = Drawn(frozenset(), frozenset(), [])
    first = ask_draws(judge, base_of(), none, 0)
    words = "neither side draws: a step depends on state and action alone"
    assert (first.status, first.text) == ("same", words)
    one.reference.can_write = False  # type: ignore[misc]
    words = "both sides must be put in one state many times; give write"
    for drawn in (none, Drawn(frozenset(), frozenset({"reward"}), [])):
        answer = ask_draws(judge, base_of(), drawn, 0)
        assert (answer.status, answer.text) == ("not asked", words)
    one.port.can_write = False  # type: ignore[misc]
    words = "the port cannot be put in one state many times (give write)"
    assert ask_draws(judge, base_of(), none, 0).text == words


def test_copies_that_draw_alone_may_only_affect_one_another() -> None:
    class Rooms:
        def __init__(self, copies: int) -> None:
            self.heat, self.rng = np.zeros(copies), np.random.default_rng(0)

        def reset(self, seeds: Any) -> Any:
            self.heat = np.zeros(len(seeds))
            return self.heat * 1.0

        def step(self, actions: Any) -> Any:
            self.heat = self.heat + self.rng.random(len(actions))
            none = np.zeros(len(actions), bool)
            return self.heat * 1.0, np.zeros(len(actions)), none, none, {}

    class Cold(Rooms):
        def step(self, actions: Any) -> Any:
            _, *others = super().step(actions)
            self.heat = self.heat * 0
            return self.heat * 1.0, *others

    def rooms(kind: Any) -> Any:
        return Port.batched(
            make=kind,
            read=lambda one: {"heat": one.heat},
            write=lambda one, state: setattr(one, "heat", state["heat"]),
            reset_all=lambda one, seeds: one.reset(seeds),
            batch=64,
        )

    state = {"heat": np.linspace(0, 1, 40)}
    base = make.Cases(state, {"action": np.arange(40) % 2}, np.full(40, "visited"))
    hint = " (or its copies affect one another: see one environment against a batch)"
    for kinds, text in (
        ((Cold, Rooms), f"only the port draws heat, obs{hint}; heat: always 0 on the reference; "),
        ((Rooms, Cold), "only the reference draws heat, obs; heat: from "),
    ):
        one = Pair("rooms", *(rooms(kind) for kind in kinds))
        mine, theirs = drawn_fields(one, base)
        judge = Judge(one, base, mine | theirs)
        answer = ask_draws(judge, base, Drawn(mine, theirs, []), 0)
        assert (answer.status, answer.text[: len(text)]) == ("different", text)


def counts_of(*many: int) -> Fields:
    return {"a": np.repeat(np.arange(len(many)), many)}


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [((300, 200, 100), (260, 180, 160)), ((900, 60, 40), (430, 20, 50)), ((50, 50), (80, 20))],
)
def test_outcomes_are_compared_by_how_often_they_come(mine: Any, theirs: Any) -> None:
    chance = float(chi2_contingency(np.array([mine, theirs]), correction=False).pvalue)
    a, b = counts_of(*mine), counts_of(*theirs)
    assert _joint(a, b, chance * 0.99) == ""
    rates = np.array(mine) / sum(mine), np.array(theirs) / sum(theirs)
    worst = int(np.argmax(np.abs(rates[0] - rates[1])))
    assert _joint(a, b, chance * 1.01) == (
        f"one outcome comes in {rates[0][worst]:.1%} of the reference's draws and "
        f"{rates[1][worst]:.1%} of the port's"
    )
    swapped = _joint(b, a, chance * 1.01)
    assert swapped.startswith(f"one outcome comes in {rates[1][worst]:.1%} of the reference's")


def test_outcomes_that_come_fewer_than_twenty_times_are_put_together() -> None:
    mine, theirs = counts_of(500, 9, 10, 19, 0), counts_of(500, 10, 9, 0, 20)
    # of each of the rare ones 19 or 20: the last alone is common
    chance = float(chi2_contingency(np.array([[500, 0, 38], [500, 20, 19]]), correction=False).pvalue)
    assert _joint(mine, theirs, chance * 0.99) == ""
    assert _joint(mine, theirs, chance * 1.01).endswith(
        "0.0% of the reference's draws and 3.7% of the port's"
    )


def test_as_many_outcomes_as_can_be_counted_are_and_no_more() -> None:
    for kinds, looked_at in ((MOST_KINDS, True), (MOST_KINDS + 1, False)):
        even = {"a": np.arange(40 * kinds) % kinds}
        odd = {"a": np.where(even["a"] < 100, 0, even["a"])}
        assert bool(_joint(even, odd, 1e-6)) is looked_at
    assert (MOST_KINDS, SEEDS, DRAWS, PROBES, STATES) == (200, 6, 600, 24, 12)
    assert _joint({"a": np.ones(9)}, {"a": np.ones(4)}, 1.0) == ""


def test_both_sides_draw_from_a_state_in_the_narrower_one_s_precision() -> None:
    class Level(Side):
        def __init__(self, kind: Any) -> None:
            super().__init__(paid(lambda rows, seeds: seeds % 2), 0)
            self.kind, self.seen = np.dtype(kind), set[str]()

        def native(self) -> dict[str, np.dtype[Any]]:
            return {**super().native(), "level": self.kind}

        def transition(self, state: Fields, *others: Any) -> Steps:
            self.seen.add(str(state["level"].dtype))
            return super().transition(state, *others)

    base = base_of()
    base.state["level"] = np.linspace(0, 1, 96)
    mine, theirs = Level(np.float64), Level(np.float32)
    judge = Judge(Pair("levels", Level(np.float64), Level(np.float32)), base, frozenset({"reward"}))  # type: ignore[arg-type]
    judge.pair = Pair("levels", mine, theirs)  # type: ignore[arg-type]
    drawn = frozenset({"reward"})
    assert ask_draws(judge, base, Drawn(drawn, drawn, []), 0).status == "same"
    assert mine.seen == theirs.seen == {"float32"}
