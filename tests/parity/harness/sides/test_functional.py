"""Pure functions that are stepped in batches: every row counts, whatever fills a batch up."""

from __future__ import annotations

import numpy as np
import pytest

from parity.harness.sides.functional import FunctionalSide, _chunks
from tests.parity.harness.lander import CEILING, GRAVITY, THRUST, program


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_every_row_is_in_one_batch_and_once(count: int) -> None:
    chunks = _chunks(count, 4)
    assert [int(row) for rows, size in chunks for row in rows[:size]] == list(range(count))
    assert all(len(rows) == 4 and rows.max() < count for rows, _ in chunks)


@pytest.mark.parametrize("count", [3, 4, 9])
def test_cases_of_several_batches_come_to_what_the_rules_say(count: int) -> None:
    side = FunctionalSide(program, batch=4)
    rng = np.random.default_rng(0)
    state = {
        "height": rng.uniform(0.5, 1.0, count),
        "speed": rng.uniform(-0.1, 0.1, count),
        "steps": np.arange(count) + 12,
    }
    action = np.arange(count) % 2
    done = side.transition(state, {"action": action}, np.arange(count), double=True)
    speed = state["speed"] - GRAVITY + THRUST * action
    assert np.allclose(done.state["speed"], speed, rtol=1e-14)
    assert np.allclose(done.state["height"], state["height"] + speed * 0.5, rtol=1e-14)
    assert done.state["height"].max() < CEILING
    assert done.state["steps"].tolist() == [n + 13 for n in range(count)]
    assert done.outcome["truncated"].tolist() == [n + 13 >= 20 for n in range(count)]
    assert done.restart is not None
    for name in ("terminated", "truncated", "reward"):
        assert np.array_equal(done.restart.obs[f"final {name}"], done.outcome[name])
    one = side.transition_as("one", state, {"action": action}, np.arange(count))
    batch = side.transition(state, {"action": action}, np.arange(count))
    for name, value in batch.fields.items():
        assert np.allclose(one.fields[name], value, rtol=1e-5), name
    shown = side.reset(np.arange(count))
    assert np.array_equal(shown.state["height"][:1], side.reset(np.arange(1)).state["height"])
    assert len(np.unique(shown.state["height"])) == count
