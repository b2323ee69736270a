"""What a side that restarts by itself hands out of an episode that ended, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.harness.sides.restarting import final_in, final_rows, restarted_within
from parity.harness.sides.side import Steps

ENDED = np.array([False, True, False, True])


def steps(over: Any = ENDED) -> Steps:
    flags = {"terminated": over & [1, 0, 0, 0], "truncated": over & [0, 1, 1, 1]}
    outcome = {"reward": np.arange(4.0), **{n: np.asarray(v, bool) for n, v in flags.items()}}
    obs = {"obs": np.arange(8.0).reshape(4, 2)}
    return Steps({"x": np.arange(4) + 1}, obs, outcome, np.ones(4, bool))


def test_the_end_counts_where_it_is_handed_out_and_nothing_where_it_is_not() -> None:
    last = np.arange(8.0).reshape(4, 2) + 100
    made = restarted_within(steps(), {"obs": last})
    assert made.obs["obs"].tolist() == [[0, 1], [102, 103], [4, 5], [106, 107]]
    assert made.state["x"].tolist() == [1, 0, 3, 0]
    assert made.final.tolist() == (~ENDED).tolist()
    assert made.final_of("obs").tolist() == [True] * 4
    assert made.restart is not None
    assert made.restart.state["x"].tolist() == [1, 2, 3, 4]
    assert made.restart.obs["obs"].tolist() == steps().obs["obs"].tolist()
    assert np.array_equal(made.restart.obs["final obs"], last)
    made = restarted_within(steps(), None)
    assert made.obs["obs"].tolist() == [[0, 1], [0, 0], [4, 5], [0, 0]]
    assert made.final_of("obs").tolist() == (~ENDED).tolist()
    assert made.restart is not None
    assert list(made.restart.obs) == ["obs"]


def objects(*rows: Any) -> Any:
    made = np.empty(len(rows), object)
    made[:] = rows
    return made


def test_final_observations_are_read_as_arrays_and_as_objects() -> None:
    obs = steps().obs
    last = obs["obs"] + 100
    for given in (last, objects(None, last[1], None, last[3]), objects(*last)):
        made = final_rows(obs, ENDED, given)
        assert made is not None
        assert np.array_equal(made["obs"][ENDED], last[ENDED])
        assert made["obs"].dtype == obs["obs"].dtype


@pytest.mark.parametrize("lacking", [1, 3])
def test_one_end_without_its_last_observation_is_none_handed_out(lacking: int) -> None:
    obs = steps().obs
    rows: list[Any] = [None, obs["obs"][1], None, obs["obs"][3]]
    assert final_rows(obs, ENDED, objects(*rows)) is not None
    rows[lacking] = None
    assert final_rows(obs, ENDED, objects(*rows)) is None
    assert final_rows(obs, ENDED, None) is None
    assert final_rows(obs, ENDED, obs["obs"][:, :1]) is None
    assert final_rows(obs, ENDED, {"other": obs["obs"]}) is None
    nothing = final_rows(obs, np.zeros(4, bool), None)
    assert nothing is not None
    assert np.array_equal(nothing["obs"], obs["obs"])


def test_both_names_are_known_and_nothing_is_none() -> None:
    assert final_in({"final_obs": 1, "final_observation": 2}) == 1
    assert final_in({"final_obs": None, "final_observation": 2}) == 2
    assert final_in({"final": 1}) is None


def test_final_observations_of_other_parts_are_none_and_of_another_precision_are_the_sides_own() -> (
    None
):
    obs = {"obs.a": np.arange(4.0, dtype=np.float32), "obs.b": np.arange(8).reshape(4, 2)}
    last = {"a": obs["obs.a"] + 0.1, "b": obs["obs.b"] + 10}
    made = final_rows(obs, ENDED, {"a": last["a"].astype(np.float64), "b": last["b"]})
    assert made is not None
    assert {name: value.dtype for name, value in made.items()} == {n: v.dtype for n, v in obs.items()}
    assert made["obs.b"].tolist() == last["b"].tolist()
    rows = [{"a": last["a"][row], "b": last["b"][row]} for row in range(4)]
    whole = final_rows(obs, ENDED, objects(None, rows[1], None, rows[3]))
    assert whole is not None
    assert whole["obs.b"][ENDED].tolist() == last["b"][ENDED].tolist()
    for parts in ({"a": last["a"]}, {"b": last["b"]}, {**last, "c": last["a"]}):
        assert final_rows(obs, ENDED, parts) is None
        few = objects(*({name: value[row] for name, value in parts.items()} for row in range(4)))
        assert final_rows(obs, ENDED, few) is None


def test_final_observations_of_parts_of_other_sizes_are_read() -> None:
    """Of a space that is a tuple, whose parts come as a tuple of arrays; and rows as a list."""
    obs = {"obs.0": np.zeros((4, 2), np.float32), "obs.1": np.zeros((4, 3), np.float32)}
    last = (np.arange(8.0).reshape(4, 2), np.arange(12.0).reshape(4, 3))
    made = final_rows(obs, ENDED, last)
    assert made is not None
    assert made["obs.0"].tolist() == last[0].tolist()
    assert made["obs.1"].tolist() == last[1].tolist()
    rows = [None, (last[0][1], last[1][1]), None, (last[0][3], last[1][3])]
    made = final_rows(obs, ENDED, rows)
    assert made is not None
    assert made["obs.1"][ENDED].tolist() == last[1][ENDED].tolist()
    rows[3] = None
    assert final_rows(obs, ENDED, rows) is None
