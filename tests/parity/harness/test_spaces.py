"""Spaces: which numbers lie inside, place by place, and whether two descriptions are alike."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from parity import integer, near, real
from parity.harness.contract.spaces import _alike, _bounds, _inside, _observation
from parity.harness.judge import Arm, Evidence
from parity.harness.sides.side import Steps
from parity.harness.spaces import Leaf, describe_space, nest_of
from tests.sentences import refuses

BOX = Leaf("box", (3,), "float32", np.array([-1.0, 0.0, -np.inf]), np.array([1.0, 5.0, 2.0]))
WHOLE = Leaf("discrete", (), "int64", np.array(2), np.array(4))


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("row", range(4))
def test_one_number_outside_puts_its_row_outside(row: int, place: int) -> None:
    inside = np.tile(np.array([[-1.0, 5.0, -1e30]]), (4, 1))
    assert BOX.contains(inside).all()
    for value in (BOX.high[place] + 1e-3, BOX.low[place] - 1e-3, np.nan, np.inf):
        if value == -np.inf:
            continue  # there is no bound below
        outside = inside.copy()
        outside[row, place] = value
        assert BOX.contains(outside).tolist() == [n != row for n in range(4)]


@pytest.mark.parametrize("ends", [(-1000, 0), (0, 1000), (-1000, 1), (-1, 1000), (-1000, 1000)])
def test_each_bound_is_widened_by_one_unit_of_its_own(ends: tuple[float, float]) -> None:
    low, high = (np.float32(end) for end in ends)
    box = Leaf("box", (), "float32", np.array(low, np.float64), np.array(high, np.float64))
    for end, away in ((low, -np.inf), (high, np.inf)):
        one = np.nextafter(end, np.float32(away))
        two = np.nextafter(one, np.float32(away))
        assert box.contains(np.array([end, one, two])).tolist() == [True, True, False]


@pytest.mark.parametrize("end", [2**24, 2**53, 2**62])
def test_large_whole_numbers_are_told_apart(end: int) -> None:
    first, last = np.array(end), np.array(end + 3)
    whole = Leaf("discrete", (), "int64", first, last)
    values = np.arange(end - 1, end + 5)
    assert whole.contains(values).tolist() == [False, True, True, True, True, False]


def test_a_whole_number_outside_is_outside() -> None:
    assert WHOLE.contains(np.arange(1, 6)).tolist() == [False, True, True, True, False]


CHANGES: dict[str, Any] = {
    "kind": {"kind": "discrete"},
    "shape": {"shape": (3, 1)},
    "dtype": {"dtype": "float64"},
    "low": {"low": np.array([-1.0, 0.0, -1e30])},
    "high": {"high": np.array([1.0, 5.0, 2.5])},
    "sign": {"low": np.array([1.0, 0.0, -np.inf])},
}


@pytest.mark.parametrize("name", CHANGES)
def test_any_part_of_a_description_that_is_another_makes_the_space_another(name: str) -> None:
    other = replace(BOX, **CHANGES[name])
    for a, b in ((BOX, other), (other, BOX)):
        assert _alike(a, a)
        assert not _alike(a, b)
        answer = _bounds("action space", {"x": WHOLE, "y": a}, {"x": WHOLE, "y": b})
        assert answer.status == "different"
    for a, b in (({"x": WHOLE}, {"x": WHOLE, "y": BOX}), ({"x": WHOLE}, {"y": WHOLE})):
        assert _bounds("action space", a, b).status == "different"
        assert _bounds("action space", b, a).status == "different"


@pytest.mark.parametrize("end", [2**24, 2**31, 2**53])
@pytest.mark.parametrize("name", ["low", "high"])
def test_bounds_of_whole_numbers_are_compared_as_whole_numbers(end: int, name: str) -> None:
    values: dict[str, Any] = {"low": np.array(-end), "high": np.array(end), "dtype": "int64"}
    one = Leaf("discrete", (), **values)
    other = replace(one, **{name: values[name] + 1})
    assert _bounds("q", {"x": one}, {"x": one}).status == "same"
    assert _bounds("q", {"x": one}, {"x": other}).status == "different"
    box = Leaf("box", (), "int64", np.array(-5e7), np.array(5e7))
    assert _bounds("q", {"x": box}, {"x": replace(box, **{name: np.array(5e7 - 1)})}).status != "same"
    single = Leaf("box", (), "float32", np.array(-1.0), np.array(0.1))
    narrow = replace(single, high=np.array(np.float32(0.1), np.float64))
    assert _bounds("q", {"x": single}, {"x": narrow}).status == "same"


def test_the_largest_number_for_infinity_is_a_note_and_a_space_on_one_side_is_not_asked() -> None:
    largest = np.array([-1.0, 0.0, -float(np.finfo(np.float32).max)])
    assert _bounds("q", {"x": BOX}, {"x": BOX}).status == "same"
    assert _bounds("q", {"x": BOX}, {"x": replace(BOX, low=largest)}).status == "note"
    positive = replace(BOX, low=-largest * np.array([1, 0, 1]) + np.array([-2, 0, 0]))
    assert _bounds("q", {"x": BOX}, {"x": positive}).status == "different"
    for a, b in ((None, {"x": BOX}), ({"x": BOX}, None)):
        assert _bounds("q", a, b).status == "not asked"


def shown(**obs: Any) -> Steps:
    flags = np.zeros(len(next(iter(obs.values()))), bool)
    return Steps({}, obs, {"terminated": flags, "truncated": flags}, ~flags)


def status(mine: Steps, theirs: Steps, space: Any) -> str:
    evidence = Evidence(None, Arm({}, mine, theirs), None, {})  # type: ignore[arg-type]
    return _observation(evidence, space).status


def test_only_the_width_of_a_discrete_number_is_open() -> None:
    narrow, wide = np.zeros(2, np.int32), np.zeros(2, np.int64)
    real, single = np.zeros((2, 3)), np.zeros((2, 3), np.float32)
    space = {"a": WHOLE}
    assert status(shown(a=wide, b=real), shown(a=wide, b=real), space) == "same"
    assert status(shown(a=wide, b=real), shown(a=narrow, b=real), space) == "note"
    assert status(shown(a=wide, b=real), shown(a=narrow, b=single), space) == "different"
    assert status(shown(a=wide, b=real), shown(a=narrow, b=real), {}) == "different"
    assert status(shown(a=wide), shown(a=narrow, b=real), space) == "different"
    assert status(shown(a=wide), shown(a=np.zeros(2, np.uint32)), space) == "different"
    assert status(shown(a=wide), shown(a=np.zeros((2, 1), np.int32)), space) == "different"


def test_spaces_of_gymnasium_are_described_with_both_ends() -> None:
    spaces = gymnasium.spaces
    one = describe_space(spaces.Discrete(4, start=-1), "action")["action"]
    assert (one.kind, one.low.tolist(), one.high.tolist()) == ("discrete", -1, 2)
    many = describe_space(spaces.MultiDiscrete([3, 5], start=[1, 0]), "action")["action"]
    assert (many.low.tolist(), many.high.tolist()) == ([1, 0], [3, 4])
    flags = describe_space(spaces.MultiBinary(3), "obs")["obs"]
    assert (flags.low.tolist(), flags.high.tolist()) == ([0] * 3, [1] * 3)
    parts = describe_space(
        spaces.Dict({"x": spaces.Box(-1, 2, (2,)), "y": spaces.Tuple((spaces.Discrete(2),) * 2)}), "obs"
    )
    assert list(parts) == ["obs.x", "obs.y.0", "obs.y.1"]
    assert (parts["obs.x"].low.tolist(), parts["obs.x"].high.tolist()) == ([-1, -1], [2, 2])


def test_every_part_of_a_space_is_described_whole() -> None:
    spaces = gymnasium.spaces
    space = spaces.Dict(
        {
            "x": spaces.Box(-1.5, 2, (2, 3), np.float64),
            "y": spaces.Tuple((spaces.Discrete(3, start=4), spaces.MultiBinary(2))),
            "z": spaces.Box(np.array([0, 7]), np.array([255, 9]), (2,), np.uint8),
            "w": spaces.MultiDiscrete([[3, 5]], np.int32),
        }
    )
    leaves = describe_space(space, "obs")
    assert {name: leaf.describe() for name, leaf in leaves.items()} == {
        "obs.x": "box from -1.5 to 2 of shape (2, 3), float64",
        "obs.y.0": "discrete from 4 to 6, int64",
        "obs.y.1": "discrete from 0 to 1 of shape (2,), int8",
        "obs.z": "box from [0., 7.] to [255.,   9.] of shape (2,), uint8",
        "obs.w": "discrete from 0 to [[2, 4]] of shape (1, 2), int32",
    }
    assert nest_of(space, "obs") == {
        **{name: f"obs.{name}" for name in "xzw"},
        "y": ("obs.y.0", "obs.y.1"),
    }
    flat = spaces.Tuple((spaces.Discrete(2), spaces.Dict({"a": spaces.Discrete(2)})))
    assert nest_of(flat, "action") == ("action.0", {"a": "action.1.a"})
    assert nest_of(spaces.Discrete(2), "action") == "action"
    listed = SimpleNamespace(spaces=[SimpleNamespace(n=3, dtype=np.int8), SimpleNamespace(n=2)])
    parts = describe_space(listed, "action")
    assert {name: (leaf.high.tolist(), leaf.dtype) for name, leaf in parts.items()} == {
        "action.0": (2, "int8"),
        "action.1": (1, "int64"),
    }
    assert nest_of(listed, "action") == ("action.0", "action.1")


def test_a_box_with_one_end_for_all_has_it_in_every_place() -> None:
    box = SimpleNamespace(low=-2, high=[1.0, 3.0], shape=(2,), dtype=np.float32)
    (leaf,) = describe_space(box, "obs").values()
    assert (leaf.kind, leaf.shape, leaf.dtype) == ("box", (2,), "float32")
    assert (leaf.low.tolist(), leaf.high.tolist()) == ([-2, -2], [1, 3])
    assert (leaf.low.dtype, leaf.high.dtype) == (np.float64, np.float64)


def test_what_is_no_space_is_refused_with_its_type() -> None:
    made = gymnasium.spaces
    one_of = made.OneOf((made.Discrete(2), made.Box(0, 1)))
    inner = made.Dict({"a": made.Discrete(2), "b": made.Sequence(made.Discrete(2))})
    for space in (object(), 3, SimpleNamespace(low=0), made.Text(3), one_of, inner):
        with refuses():
            describe_space(space, "action")


def test_a_domain_goes_before_the_ends_of_a_space_and_keeps_its_type() -> None:
    rng = np.random.default_rng(0)
    for leaf, domain, ends in (
        (BOX, real(-0.25, 0.5), (-0.25, 0.5)),
        (WHOLE, integer(3, 7), (3, 7)),
        (replace(WHOLE, dtype="int8", shape=(4, 2)), integer(1, 2) | near(2), (1, 2)),
    ):
        drawn = leaf.sample(rng, 300, domain)
        assert (drawn.shape, drawn.dtype) == ((300, *leaf.shape), np.dtype(leaf.dtype))
        assert (drawn.min(), drawn.max()) == ends


def test_boxes_of_whole_numbers_and_of_several_axes_are_drawn_from() -> None:
    rng = np.random.default_rng(0)
    low, high = np.array([[0.0, 250.0], [7.0, 0.0]]), np.array([[3.0, 255.0], [9.0, 0.0]])
    pixels = Leaf("box", (2, 2), "uint8", low, high).sample(rng, 400)
    assert (pixels.shape, pixels.dtype) == ((400, 2, 2), np.uint8)
    found = [set(pixels[:, row, column].tolist()) for row in range(2) for column in range(2)]
    assert found == [set(range(4)), set(range(250, 256)), {7, 8, 9}, {0}]
    grid = Leaf("discrete", (2,), "int16", np.array([-3, 5]), np.array([-1, 5]))
    drawn = grid.sample(rng, 100)
    assert drawn.dtype == np.int16
    assert [set(column.tolist()) for column in drawn.T] == [{-3, -2, -1}, {5}]
    halves = Leaf("box", (), "float32", np.array(1.0), np.array(3.0)).sample(rng, 2000)
    counts, _ = np.histogram(halves, 4, (1, 3))
    assert counts[1:3].min() > 250  # spread between the ends
    assert 100 < (halves == 3).sum() < 400
    assert 200 < (halves == 1).sum() < 500


def test_every_action_of_a_space_is_drawn() -> None:
    rng = np.random.default_rng(0)
    assert set(WHOLE.sample(rng, 200).tolist()) == {2, 3, 4}
    grid = replace(WHOLE, shape=(2,), low=np.array([0, 5]), high=np.array([1, 7]))
    assert [set(column.tolist()) for column in grid.sample(rng, 200).T] == [{0, 1}, {5, 6, 7}]
    drawn = BOX.sample(rng, 500)
    assert drawn.dtype == np.float32
    assert BOX.contains(drawn).all()
    assert {-1.0, 0.0, 1.0} <= set(drawn[:, 0].tolist())
    assert drawn[:, 2].min() == -10


@pytest.mark.parametrize(
    ("low", "high", "drawn"),
    [
        (-np.inf, np.inf, (-10, 10)),
        (-3, np.inf, (-3, 10)),
        (-np.inf, 2, (-10, 2)),
        (9, np.inf, (9, 19)),
        (10, np.inf, (10, 20)),
        (20, np.inf, (20, 40)),
        (-np.inf, -20, (-40, -20)),
        (1e30, np.inf, (1e30, 2e30)),
        (-np.inf, -3e38, (-np.finfo(np.float32).max, -3e38)),
        (-np.finfo(np.float32).max, np.finfo(np.float32).max, (-3.4028235e38, 3.4028235e38)),
    ],
)
def test_between_the_ends_of_a_box_numbers_are_drawn_wherever_they_lie(
    low: float, high: float, drawn: tuple[float, float]
) -> None:
    box = Leaf("box", (2,), "float32", np.array([low, -1.0]), np.array([high, 1.0]))
    values = box.sample(np.random.default_rng(0), 400)
    assert box.contains(values).all()
    assert len(np.unique(values[:, 0])) > 200
    assert (values[:, 0].min(), values[:, 0].max()) == tuple(np.float32(end) for end in drawn)
    assert (values[:, 1].min(), values[:, 1].max()) == (-1, 1)


def test_a_box_as_wide_as_double_precision_is_drawn_from() -> None:
    most = np.array(np.finfo(np.float64).max)
    values = Leaf("box", (), "float64", -most, most).sample(np.random.default_rng(0), 400)
    assert np.isfinite(values).all()
    assert 0.2 < (values < 0).mean() < 0.7


@pytest.mark.parametrize("side", ["reference", "port"])
@pytest.mark.parametrize("part", range(3))
def test_one_observation_outside_its_bounds_is_counted_where_it_was_visited(
    part: int, side: str
) -> None:
    evidence = []
    for _ in range(3):
        steps = [shown(a=np.full(4, 3), b=np.tile([[0.5, 1.0, 1.0]], (4, 1))) for _ in range(2)]
        cases: Any = SimpleNamespace(source=np.array(["visited", "boundary", "drawn", "visited"]))
        evidence.append(Evidence(cases, Arm({}, *steps), None, {}))
    space = {"a": WHOLE, "b": BOX}
    assert _inside(evidence, space, space).status == "same"
    assert _inside(evidence, None, None).status == "not asked"
    obs = getattr(evidence[part].native, side).obs
    obs["b"][[1, 2], 1] = 9.0  # no episode comes to them
    assert _inside(evidence, space, space).status == "same"
    obs["b"][3, 1], obs["a"][[0, 3]] = 9.0, 1
    answer = _inside(evidence, space, space)
    assert answer.status == "different"
    assert answer.text == f"2 of the {side}'s a are outside; 1 of the {side}'s b are outside"
    one_side = (space, None) if side == "reference" else (None, space)
    assert _inside(evidence, *one_side).status == "different"
    assert _inside(evidence, *one_side[::-1]).status == "same"


@pytest.mark.parametrize(
    "given",
    [
        {"n": 2.5},
        {"n": 0},
        {"n": -1},
        {"n": np.nan},
        {"n": "two"},
        {"n": 3, "start": 0.5},
        {"nvec": [2, 2.5]},
        {"nvec": np.array([2, 0])},
        {"nvec": [2, 3], "start": [0.5, 1]},
    ],
    ids=str,
)
def test_counts_of_a_discrete_space_are_refused_unless_they_are_whole(given: Any) -> None:
    with refuses():
        describe_space(SimpleNamespace(dtype=np.int64, **given), "action")


@pytest.mark.parametrize("kind", [int, float, np.int8, np.uint16, np.float32])
def test_whole_counts_are_taken_in_whatever_form(kind: Any) -> None:
    one = SimpleNamespace(n=kind(3), start=kind(2), dtype=np.int64)
    many = SimpleNamespace(nvec=np.array([2, 3], kind), start=np.array([1, 0], kind), dtype=np.int64)
    (leaf,) = describe_space(one, "a").values()
    assert (leaf.low.tolist(), leaf.high.tolist(), leaf.low.dtype) == (2, 4, np.int64)
    (leaf,) = describe_space(many, "a").values()
    assert (leaf.low.tolist(), leaf.high.tolist(), leaf.high.dtype) == ([1, 0], [2, 2], np.int64)


@pytest.mark.parametrize(
    ("low", "high", "dtype", "ends"),
    [
        (-np.inf, np.inf, "int64", (-(2**63), 2**63 - 1)),
        (-(2**63) + 2, 2**63 - 3, "int64", (-(2**63) + 2, 2**63 - 3)),
        (-7, 2**62 + 1, "int64", (-7, 2**62 + 1)),
        (-(2**53) - 1, 12, "int64", (-(2**53) - 1, 12)),
        (3, 2**64 - 1, "uint64", (3, 2**64 - 1)),
        (2**63 + 1, 2**63 + 2**40 + 1, "uint64", (2**63 + 1, 2**63 + 2**40 + 1)),
        (-(2**31), 2**31 - 1, "int32", (-(2**31), 2**31 - 1)),
        (0, 255, "uint8", (0, 255)),
    ],
)
def test_a_box_of_whole_numbers_is_drawn_from_up_to_its_very_ends(
    low: Any, high: Any, dtype: str, ends: tuple[int, int]
) -> None:
    given = gymnasium.spaces.Box(low, high, (2,), np.dtype(dtype).type)
    assert (int(given.low[0]), int(given.high[0])) == ends
    box = describe_space(given, "action")["action"]
    values = box.sample(np.random.default_rng(0), 400)
    assert values.dtype == dtype
    assert all(given.contains(value) for value in values)
    assert (int(values.min()), int(values.max())) == ends
    assert 0.05 < (values == ends[0]).mean() < 0.5 > (values == ends[1]).mean() > 0.05
    assert len(np.unique(values)) >= min(ends[1] - ends[0] + 1, 150)
    assert box.contains(values).all()


def test_whole_numbers_of_a_box_whose_ends_its_dtype_does_not_hold_stay_within_it() -> None:
    box = Leaf("box", (), "int32", np.array(-3e9), np.array(np.inf))
    values = box.sample(np.random.default_rng(0), 400)
    assert (values.dtype, values.min(), values.max()) == (np.int32, -(2**31), 10)
    above = replace(box, low=np.array(-8.0), high=np.array(1e19), dtype="int64")
    values = above.sample(np.random.default_rng(0), 400)
    assert (values.dtype, values.min(), values.max()) == (np.int64, -8, 2**63 - 1)
    assert len(np.unique(values)) > 200
