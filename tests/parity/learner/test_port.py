"""What is written down of the port: an update's table by hand, weights by both names, program keys."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from jax_port.ppo.losses import LossTerms
from jax_port.ppo.settings import RATES, NetworkSpec, TrainSettings
from parity.learner import port
from parity.learner.cases import LearnerCase, learner_cases
from parity.learner.late import Late
from parity.learner.port import hyper_of, part_of, program_settings, to_flax, to_torch

SPEC = NetworkSpec((2,), (4, 3))
SB3 = {
    "policy_0": "mlp_extractor.policy_net.0",
    "value_0": "mlp_extractor.value_net.0",
    "value_1": "mlp_extractor.value_net.2",
    "action_head": "action_net",
    "value_head": "value_net",
}
SHAPES = {"policy_0": (5, 2), "value_0": (5, 4), "value_1": (4, 3), "action_head": (2, 6)}
SHAPES |= {"value_head": (3, 1)}


def params(scale: float, *first: int) -> dict[str, Any]:
    """Return the port's weights, each number another, with leading axes."""
    layers = {}
    for number, (name, shape) in enumerate(SHAPES.items()):
        size = int(np.prod((*first, *shape)))
        kernel = scale * (np.arange(size) + 1_000 * number).reshape(*first, *shape)
        bias = scale * np.arange(int(np.prod((*first, shape[1])))).reshape(*first, shape[1]) - number
        layers[name] = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}
    return {"params": layers}


@pytest.mark.parametrize("first", [(), (3,)])
def test_weights_are_transposed_under_torch_s_names(first: tuple[int, ...]) -> None:
    given = params(0.5, *first)
    found = to_torch(given)
    names = [f"{SB3[name]}.{kind}" for name in SHAPES for kind in ("weight", "bias")]
    assert sorted(found) == sorted(names)
    for name, shape in SHAPES.items():
        weight, kernel = found[f"{SB3[name]}.weight"], given["params"][name]["kernel"]
        assert weight.shape == (*first, shape[1], shape[0])
        for place in np.ndindex(*first, *shape):
            *before, row, column = place
            assert weight[(*before, column, row)] == kernel[place]
        np.testing.assert_array_equal(found[f"{SB3[name]}.bias"], given["params"][name]["bias"])
    if not first:
        back = to_flax(found, replace(learner_cases()[0].settings, network=SPEC))["params"]
        assert set(back) == set(SHAPES)
        for name, kinds in given["params"].items():
            for kind, value in kinds.items():
                np.testing.assert_array_equal(back[name][kind], value)


def test_a_part_of_a_table_is_its_own_tensors() -> None:
    table = {"weights/a.b": np.zeros(1), "weights/c": np.ones(2), "first moments/a.b": np.ones(3)}
    table |= {"weights": np.ones(4), "my weights/a": np.ones(5)}
    assert {name: len(value) for name, value in part_of(table, "weights").items()} == {"a.b": 1, "c": 2}


def test_numbers_of_a_program_are_the_case_s_own_and_its_key_has_none() -> None:
    settings = learner_cases()[0].settings
    rates = hyper_of(settings)
    for name in RATES:
        own = getattr(settings, name)
        if own is not None:
            assert float(getattr(rates, name)) == pytest.approx(own)
    key = program_settings(settings)
    others = settings.override(learning_rate=0.5, clip_range_vf=None, target_kl=0.5, seed=99, gamma=0.5)
    assert program_settings(others) == key
    for changes in ({"n_epochs": 4}, {"batch_size": 46}, {"anneal": False}, {"norm_reward": False}):
        assert program_settings(settings.override(**changes)) != key
    assert key.seed == TrainSettings().seed
    assert (key.n_steps, key.batch_size, key.network) == (46, 50, settings.network)


EPOCHS, BATCHES, STEPS, ENVS = 2, 3, 2, 2


def table(monkeypatch: pytest.MonkeyPatch, applied: list[list[bool]], advised: bool) -> dict[str, Any]:
    """Return the table of an update whose minibatches were used as told."""
    at = np.arange(EPOCHS * BATCHES, dtype=np.float64).reshape(EPOCHS, BATCHES)
    terms = LossTerms(*[at + 100 * number for number in range(6)])
    rollout = SimpleNamespace(
        masks=np.ones((STEPS, ENVS, 6), bool),
        **{name: np.full((STEPS, ENVS), value) for value, name in enumerate(ROLLOUT)},
    )
    records = SimpleNamespace(
        applied=np.array(applied), terms=terms, gradients=params(1.0, EPOCHS, BATCHES)
    )
    trace: Any = SimpleNamespace(
        rollout=rollout,
        records=records,
        last_values=np.array([7.0, 8.0]),
        advantages=np.full((STEPS, ENVS), 9.0),
        returns=np.full((STEPS, ENVS), 10.0),
        orders=np.arange(8).reshape(2, 4),
    )
    metrics: Any = SimpleNamespace(
        ends=SimpleNamespace(reasons=np.array([1, 2, 4, 8, 16])),
        learning_rate=np.float32(0.125),
        explained_variance=np.float32(0.5),
    )
    moments = SimpleNamespace(mean=np.array([1.0]), var=np.array([2.0]), count=np.float64(3))
    returned = SimpleNamespace(mean=np.float64(9), var=np.float64(4), count=np.float64(5))
    agent: Any = SimpleNamespace(
        actor=SimpleNamespace(
            moments=moments, rewards=SimpleNamespace(moments=returned, returns=np.array([6.0, 7.0]))
        ),
        learner=SimpleNamespace(
            params=params(2.0),
            opt_state=SimpleNamespace(count=np.int32(11), mu=params(3.0), nu=params(4.0)),
        ),
    )
    monkeypatch.setattr(port, "_observations", lambda *given: np.zeros((STEPS, ENVS, 5)))
    prior = np.ones((STEPS, ENVS, 6)) if advised else None
    monkeypatch.setattr(port, "_prior", lambda *given: prior)
    case = replace(learner_cases()[0], late=Late(1, 50))
    return port._table(case, 1, agent, metrics, trace, None)  # type: ignore[arg-type]


ROLLOUT = ("actions", "log_probs", "values", "rewards", "episode_starts")
LAST = 5.0
"""Number of the last minibatch of two epochs of three."""


@pytest.mark.parametrize(
    ("applied", "taken", "seen", "last_epoch"),
    [
        ([[True, True, True], [True, True, True]], 6, 6, (3, 6)),
        ([[True, True, True], [True, False, False]], 4, 5, (3, 5)),  # the one that stopped it counts
        ([[True, True, True], [False, False, False]], 3, 4, (3, 4)),
        ([[True, True, False], [False, False, False]], 2, 3, (0, 3)),
        ([[True, False, False], [False, False, False]], 1, 2, (0, 2)),
    ],
)
def test_an_update_that_stopped_is_told_to_the_minibatch_that_stopped_it(
    monkeypatch: pytest.MonkeyPatch,
    applied: list[list[bool]],
    taken: int,
    seen: int,
    last_epoch: tuple[int, int],
) -> None:
    found = table(monkeypatch, applied, advised=False)
    mean = np.mean(np.arange(seen))
    assert (int(found["gradient steps"]), int(found["adam steps"])) == (taken, 11)
    assert found["policy loss"] == pytest.approx(100 + mean)
    assert found["value loss"] == pytest.approx(200 + mean)
    assert found["entropy loss"] == pytest.approx(300 + mean)
    assert found["approximate KL"] == pytest.approx(400 + np.mean(np.arange(*last_epoch)))
    assert found["clip fraction"] == pytest.approx(500 + mean)
    assert found["last loss"] == seen - 1
    for name, value in to_torch(params(1.0, EPOCHS * BATCHES)).items():
        np.testing.assert_array_equal(found[f"gradients/{name}"], value[:taken])


def test_everything_else_of_an_update_is_in_its_own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    found = table(monkeypatch, [[True] * 3] * 2, advised=True)
    for value, name in enumerate(ROLLOUT):
        assert found[name].tolist() == [[value] * ENVS] * STEPS
    assert found["masks"].all()
    assert found["obs"].shape == (STEPS, ENVS, 5)
    assert found["last_values"].tolist() == [7, 8]
    assert (found["advantages"].max(), found["returns"].min()) == (9, 10)
    assert found["orders"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    # Of five reasons the first is none, two terminate and two truncate.
    assert (int(found["terminations"]), int(found["truncations"])) == (6, 24)
    assert (float(found["learning rate"]), float(found["explained variance"])) == (0.125, 0.5)
    case: LearnerCase = learner_cases()[0]
    settings = case.settings
    left = 1 - 3 * settings.rollout_size / settings.total_timesteps  # the third update, late by one
    assert float(found["clip range"]) == pytest.approx(settings.clip_range * left)
    assert (found["obs mean"].tolist(), found["obs var"].tolist()) == ([1], [2])
    assert (float(found["obs count"]), float(found["return var"])) == (3, 4)
    assert (float(found["return count"]), found["running returns"].tolist()) == (5, [6, 7])
    assert found["prior"].shape == (STEPS, ENVS, 6)
    assert "prior" not in table(monkeypatch, [[True] * 3] * 2, advised=False)
    for part, scale in (("weights", 2.0), ("first moments", 3.0), ("second moments", 4.0)):
        for name, value in to_torch(params(scale)).items():
            np.testing.assert_array_equal(found[f"{part}/{name}"], value)
