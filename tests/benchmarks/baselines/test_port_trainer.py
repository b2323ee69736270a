"""The port's trainer as a workload: its name, its steps, what comes before it is measured."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.baselines import port_trainer
from benchmarks.baselines.port_trainer import PortLearner, PortTrainer
from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import EnvConfig

SETTINGS = TrainSettings(
    n_envs=6, n_steps=5, batch_size=15, n_epochs=3, seed=11, network=NetworkSpec((4,), (5,))
)
ONE: Any = SimpleNamespace(phase=1)
TWO: Any = SimpleNamespace(phase=2)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let nothing be compiled: agents are counted up by a program; each second call takes a second."""
    told: list[Any] = []
    clock = [0.0]

    def program(agents: Any, hyper: Any, params: Any) -> Any:
        told.append((agents, hyper, params))
        clock[0] += 1.0
        return agents + 1, "metrics"

    def fresh(params: Any, settings: Any, count: int, seed: int) -> int:
        told.append(("fresh", params, settings, count, seed))
        return 100

    def make_train(*given: Any) -> Any:
        told.append(("made", *given))
        clock[0] += 10.0
        return program

    monkeypatch.setattr(port_trainer, "fresh_agents", fresh)
    monkeypatch.setattr(port_trainer, "agents_hyper", lambda *given: ("hyper", *given))
    monkeypatch.setattr(port_trainer, "make_train", make_train)
    monkeypatch.setattr(port_trainer.jax, "block_until_ready", lambda x: x)
    monkeypatch.setattr(port_trainer, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    return told


@pytest.mark.parametrize(
    ("params", "more", "name", "envs"),
    [
        (ONE, {}, "port, 3 epochs, float32", 6),
        (TWO, {"agents": 4}, "port, phase 2, 3 epochs, float32, 4 agents", 24),
        (ONE, {"trained": 1234}, "port, 3 epochs, float32, after 1,234 steps", 6),
    ],
)
def test_a_trainer_is_called_by_what_sets_it_apart(
    params: Any, more: dict[str, int], name: str, envs: int
) -> None:
    trainer = PortTrainer(params, SETTINGS, **more)
    assert (trainer.name, trainer.envs) == (name, envs)


@pytest.mark.parametrize(("trained", "before"), [(0, 1), (1, 1), (30, 1), (31, 2), (90, 3), (91, 4)])
def test_agents_are_trained_for_so_long_before_they_are_measured(
    trained: int, before: int, told: list[Any]
) -> None:
    """One update at least, which compiles and is not counted among the first seconds."""
    trainer = PortTrainer(ONE, SETTINGS, agents=2, trained=trained)
    assert trainer.prepare() == 11.0
    assert trainer.first_seconds == before - 1
    hyper = ("hyper", SETTINGS, 2)
    assert told == [
        ("made", SETTINGS, 1, 2),
        ("fresh", ONE, SETTINGS, 2, 11),
        *((100 + number, hyper, ONE) for number in range(before)),
    ]
    assert trainer.run() == 2 * 30
    assert told[-1][0] == 100 + before
    trainer.begin()
    assert trainer.run() == 60
    assert told[-1][0] == 100
    trainer.close()
    with pytest.raises(AssertionError):
        trainer.run()


def test_a_learner_hands_out_the_policy_of_its_only_agent(
    told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EnvConfig.phase1()

    def policy_of(*given: Any) -> Any:
        told.append(given)
        return SimpleNamespace(params="weights", scale="scale")

    monkeypatch.setattr(port_trainer, "policy_of", policy_of)
    monkeypatch.setattr(port_trainer, "chooser_of", lambda *given: ("choose", *given))
    monkeypatch.setattr(port_trainer, "phase_of", lambda params: SimpleNamespace(num_actions=3))
    learner = PortLearner(ONE, config, SETTINGS)
    assert learner.name == "port, 3 epochs, 6 x 5, batch 15"
    learner.prepare()
    choose: Any = ("choose", SETTINGS.network, 3)
    assert learner.greedy() == (choose, ("weights", "scale"))
    assert told[-1] == (101, 0, config, SETTINGS.network)
