"""Whether the same draws, put to the same use, come to the same: every number of every row counts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from foundation.errors import InputError
from parity.harness.compare import default_rule
from parity.harness.findings import Answer
from parity.harness.modes.same_draws import COARSE_ULPS, _coarse, _compare, _use
from parity.harness.trees import Array, Fields

MANY = 64
"""Rows as recorded; as many again with other draws."""


def numbers(columns: int = 3, seed: int = 0) -> Array:
    return np.random.default_rng(seed).random((2 * MANY, columns))


def compared(mine: Fields, theirs: Fields, state: Any = ()) -> Answer:
    pair = SimpleNamespace(reference=SimpleNamespace(native=lambda: dict.fromkeys(state)), state={})
    judge: Any = SimpleNamespace(pair=pair, skipped={}, rule=lambda name, a, b: default_rule(a, b))
    return _compare(judge, "step", mine, theirs, MANY, {"uniform": 2, "whole": 0, "normal": 1})


def test_equal_numbers_are_the_same() -> None:
    answer = compared({"x": numbers()}, {"x": numbers()})
    assert answer.status == "same"
    assert "in 128 cases, from 2 uniform and 1 normal handed over" in answer.text


@pytest.mark.parametrize("column", range(3))
@pytest.mark.parametrize("row", [0, 17, 2 * MANY - 1])
def test_one_number_of_one_row_that_differs_is_found(row: int, column: int) -> None:
    a, b = numbers(), numbers()
    b[row, column] += 1e-6
    answer = compared({"y": a, "x": a}, {"y": a, "x": b})
    assert answer.status == "different", answer.text
    assert answer.text == (
        f"from the same 2 uniform and 1 normal, x: {a[row].tolist()} on the reference and "
        f"{b[row].tolist()} on the port"
    )


def test_the_row_with_the_largest_difference_is_shown() -> None:
    a, b = numbers(1), numbers(1)
    b[5] += 1e-6
    b[70] += 1e-3
    assert f"{a[70].tolist()} on the reference" in compared({"x": a}, {"x": b}).text


def test_a_number_that_no_draw_changes_is_no_excuse_for_one_that_they_change() -> None:
    """Alone it says nothing; beside a field that is wrong it is wrong too."""
    drawn, wrong = numbers(1), numbers(1) + 1e-6
    still, other = np.ones(2 * MANY), np.full(2 * MANY, 2.0)
    assert compared({"still": still}, {"still": other}).status == "note"
    answer = compared({"x": drawn, "still": still}, {"x": wrong, "still": other})
    assert answer.status == "different"
    assert "still: 1.0 on the reference and 2.0 on the port" in answer.text


def test_draws_put_to_another_use_are_a_note() -> None:
    a = numbers(2)
    assert compared({"x": a}, {"x": a[:, ::-1]}).status == "note"
    assert compared({"x": a}, {"x": 1 - a}).status == "note"


def test_a_use_is_the_same_only_if_it_is_in_every_number_that_differs() -> None:
    a = numbers(3)
    b = a * (1 + 1e-3)
    assert _use(a, b, a != b, MANY) == "same"
    for column in range(3):
        other = b.copy()
        other[:, column] = numbers(1, 5)[:, 0]
        assert _use(a, other, a != other, MANY) == "other"
        right = b.copy()
        right[:, column] = a[:, column]  # equal there, and a little off in the others
        assert _use(a, right, a != right, MANY) == "same"
    still = np.ones((2 * MANY, 3))
    assert _use(still, still + 1, np.ones_like(still, bool), MANY) == "unknown"


def test_a_state_rounded_to_single_precision_excuses_what_is_made_of_it_and_no_more() -> None:
    state = numbers(1)[:, 0].astype(np.float32)
    made = 3.0 * numbers(1)[:, 0]
    fields = {"place": state, "obs": made}
    unit = float(np.spacing(np.float32(made.max())))
    assert _coarse(fields, {"place": None}) == COARSE_ULPS * unit
    assert _coarse({"place": made, "obs": made.astype(np.float32)}, {"place": None}) == 0
    for share, status in ((0.9, "same"), (1.5, "different")):
        other = made + share * COARSE_ULPS * unit
        assert compared(fields, {**fields, "obs": other}, ["place"]).status == status
        off = (state + share * COARSE_ULPS * unit).astype(np.float32)
        assert compared(fields, {**fields, "place": off}, ["place"]).status == "different"
    small = {"place": state, "obs": 1e-3 * made, "large": 1e6 * made}
    allowed = _coarse(small, {"place": None})
    off = {**small, "large": small["large"] + 2 * allowed}
    assert compared(small, off, ["place"]).status == "different"


def test_rows_without_a_number_on_both_sides_do_not_hide_the_use_of_the_others() -> None:
    a = numbers()
    a[::7, 1] = np.nan
    assert compared({"x": a}, {"x": a.copy()}).status == "same"
    for factor in (1 + 1e-9, 1.01):
        answer = compared({"x": a}, {"x": a * [1.0, factor, 1.0]})
        assert answer.status == "different", answer.text
    assert compared({"x": a}, {"x": a[:, ::-1]}).status == "note"
    none = np.full((2 * MANY, 1), np.nan)
    assert compared({"x": none}, {"x": none + 1}).status == "same"
    assert compared({"x": none}, {"x": np.ones((2 * MANY, 1))}).status == "note"


def test_rows_beside_limits_lie_between_those_recorded_and_those_with_other_draws() -> None:
    """What they come to counts, and says nothing of what other draws change."""
    first, last, between = numbers(2)[:MANY], numbers(2)[MANY:], numbers(2, 9)[:50]
    a = np.concatenate([first, between, last])
    b = np.concatenate([first * 1.001, 1 - between, last * 1.001])
    assert _use(a, b, a != b, MANY) == "same"
    answer = compared({"x": a}, {"x": b})
    assert answer.status == "different"
    assert (
        f"x: {between[int(np.abs(1 - 2 * between).max(axis=1).argmax())].tolist()} on the"
        in answer.text
    )
    alone = np.concatenate([first, between + 1e-6, last])
    assert compared({"x": a}, {"x": alone}).status == "different"
    assert "in 178 cases" in compared({"x": a}, {"x": a}).text


def test_recorded_rows_that_are_equal_put_draws_to_the_same_use_whatever_the_others_do() -> None:
    first, last = numbers(1)[:MANY], numbers(1)[MANY:]
    a = np.concatenate([first, last])
    for share, use in ((0.0, "same"), (0.48, "same"), (0.52, "other")):
        b = np.concatenate([first, numbers(1, 7)[:MANY]])
        few = int(share * MANY)
        b[:few] = numbers(1, 8)[:few]
        assert _use(a, b, a != b, MANY) == use


@pytest.mark.parametrize(
    ("noise", "use"), [(0.1, "same"), (0.2, "same"), (0.6, "other"), (3.0, "other")]
)
def test_a_use_is_the_same_where_other_draws_change_both_sides_in_one_order(
    noise: float, use: str
) -> None:
    a = numbers(1)
    b = a + noise * numbers(1, 4)
    ranks = [np.argsort(np.argsort((side[:MANY] - side[MANY:])[:, 0])) for side in (a, b)]
    correlated = float(np.corrcoef(*ranks)[0, 1])
    assert (correlated >= 0.9) is (use == "same")
    assert not 0.88 < correlated < 0.92
    assert _use(a, b, a != b, MANY) == use


def test_whole_numbers_are_compared_by_their_values_and_flags_with_none() -> None:
    whole = (numbers(1)[:, 0] * 9).astype(np.int64)
    assert compared({"n": whole}, {"n": whole.astype(np.uint8)}).status == "same"
    assert compared({"n": whole.astype(np.int32)}, {"n": whole}).status == "same"
    off = whole.astype(np.uint8)
    off[5] += 1
    answer = compared({"n": whole}, {"n": off})
    assert answer.status == "different"
    assert answer.text.endswith(f"n: {whole[5]} on the reference and {whole[5] + 1} on the port")
    flags = whole < 4
    off = flags.copy()
    off[5] = not off[5]
    answer = compared({"f": flags}, {"f": off})
    assert answer.status == "different"
    assert answer.text.endswith(f"f: {flags[5]} on the reference and {off[5]} on the port")
    with pytest.raises(InputError, match="read it alike on both sides"):
        compared({"f": flags}, {"f": flags.astype(np.int64)})


def test_three_fields_that_differ_are_told_and_what_one_side_lacks_is_left_to_others() -> None:
    a = numbers(1)[:, 0]
    mine: Fields = dict.fromkeys("pqrst", a)
    theirs: Fields = dict.fromkeys("pqrst", a * (1 + 1e-06))
    answer = compared(mine, theirs)
    parts = answer.text.removeprefix("from the same 2 uniform and 1 normal, ").split("; ")
    assert [part.partition(": ")[0] for part in parts] == ["p", "q", "r"]
    assert compared(mine, {"p": a}).status == "same"
    pair = SimpleNamespace(reference=SimpleNamespace(native=dict), state={})
    judge: Any = SimpleNamespace(
        pair=pair, skipped=dict.fromkeys("pqrs", "why"), rule=lambda name, a, b: default_rule(a, b)
    )
    lone = _compare(judge, "step", mine, theirs, MANY, {"uniform": 0, "whole": 3, "normal": 0})
    assert lone.text.startswith("from the same 3 whole, t: ")
    judge.skipped = dict.fromkeys("pqrst", "why")
    none = _compare(judge, "step", mine, theirs, MANY, {"uniform": 0, "whole": 3, "normal": 0})
    assert none.status == "same"


def test_of_several_fields_one_that_is_drawn_in_another_order_makes_all_of_them_a_note() -> None:
    a = numbers(2)
    mine: Fields = {"x": a[:, 0], "y": a[:, 1], "still": np.ones(2 * MANY)}
    theirs: Fields = {"x": a[:, 0] * 1.001, "y": 1 - a[:, 1], "still": np.zeros(2 * MANY)}
    answer = compared(mine, theirs)
    assert answer.status == "note"
    assert answer.text == (
        "2 uniform and 1 normal, the same on both sides, lead to another y, still: drawn in another "
        "order, or put to another use; their distributions are what is compared"
    )


def test_the_narrowest_of_a_state_s_numbers_says_how_coarse_what_is_made_of_it_is() -> None:
    half, single = np.array([0.5, 2.0], np.float16), np.array([1.0, 3.0], np.float32)
    wide = np.array([4.0, -100.0])
    state = {"h": None, "s": None}
    for fields, unit in (
        ({"h": half, "s": single, "x": wide}, np.spacing(np.float16(100))),
        ({"s": single, "h": half, "x": wide}, np.spacing(np.float16(100))),
        ({"s": single, "x": wide}, np.spacing(np.float32(100))),
        ({"s": single, "x": np.array([np.inf, 4.0])}, np.spacing(np.float32(4))),
        ({"s": wide, "x": single}, 0.0),
    ):
        assert _coarse(fields, state) == COARSE_ULPS * float(unit)
