"""Environments as workloads: which actions they take, how they restart, and what they give back."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.baselines import environments
from benchmarks.baselines.environments import ReferenceWorkload, VecEnvWorkload


class Env:
    """Is in a position after every second step, and its episodes end after four steps or five."""

    def __init__(self, bars: Any, config: Any) -> None:
        self.made, self.actions, self.resets, self.steps = (bars, config), [], [], 0  # type: ignore[var-annotated]

    def obs(self) -> Any:
        return np.array([7.0, *[0.0] * 4]) + np.array([float(self.steps % 2) - 7.0, 0, 0, 0, 0])

    def reset(self, seed: int | None = None) -> Any:
        self.resets.append((seed, len(self.actions)))
        self.steps = 0
        return self.obs(), {}

    def step(self, action: int) -> Any:
        self.actions.append((action, self.steps % 2))
        self.steps += 1
        ends = 4 if len(self.resets) % 2 else 5
        over = self.steps == ends
        return self.obs(), 0.0, over and ends == 4, over and ends == 5, {}


def test_the_reference_takes_drawn_actions_when_flat_and_restarts_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[Env] = []

    def make(bars: Any, config: Any) -> Env:
        made.append(Env(bars, config))
        return made[-1]

    monkeypatch.setattr(environments, "TradingEnvPhase1", make)
    workload = ReferenceWorkload("bars", "rules", steps=11, seed=3)  # type: ignore[arg-type]
    assert workload.prepare() >= 0
    assert (workload.name, workload.envs, workload.run(), workload.run()) == ("reference", 1, 11, 11)
    (env,) = made
    assert env.made == ("bars", "rules")
    assert env.resets == [(3, 0), (None, 4), (None, 9), (None, 13), (None, 18), (None, 22)]
    rng = np.random.default_rng(3)
    drawn = [*rng.integers(0, 3, 11).tolist(), *rng.integers(0, 3, 11).tolist()]
    assert [action for action, _ in env.actions] == [
        0 if held else one for one, (_, held) in zip(drawn, env.actions, strict=True)
    ]
    assert {0, 1, 2} == {action for action, _ in env.actions}


@pytest.mark.parametrize("own", [True, False])
def test_a_vector_steps_every_environment_with_its_own_valid_action(
    own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    positions = [np.array([0.0, 1.0, 0.0]), np.array([-1.0, 0.0, 0.0])]

    def obs() -> Any:
        return np.stack(
            [np.array([9.0, position, 9.0, 9.0, 9.0, 9.0]) for position in positions[len(told) % 2]]
        )

    class Vec:
        processes = (SimpleNamespace(pid=5), SimpleNamespace(pid=6), SimpleNamespace(pid=7))

        def __init__(self, makers: Any, **how: Any) -> None:
            self.makers = [make() for make in makers]
            self.how = how

        def seed(self, seed: int) -> None:
            self.seeded = seed

        def reset(self) -> Any:
            return obs()

        def step(self, actions: Any) -> Any:
            told.append(actions.tolist())
            return obs(), None, None, None

        def close(self) -> None:
            told.append("closed")

    kinds = {"DummyVecEnv": type("Dummy", (Vec,), {}), "SubprocVecEnv": type("Subproc", (Vec,), {})}
    monkeypatch.setitem(sys.modules, "stable_baselines3.common.vec_env", SimpleNamespace(**kinds))
    monkeypatch.setattr(environments, "TradingEnvPhase1", lambda *given: given)
    workload = VecEnvWorkload("bars", "rules", workers=3, in_process=own, steps=4, seed=3)  # type: ignore[arg-type]
    workload.close()  # before it was prepared
    kind = "DummyVecEnv" if own else "SubprocVecEnv"
    assert (workload.name, workload.envs) == (f"reference, {kind}(3)", 3)
    workload.prepare()
    vec: Any = workload._vec
    assert type(vec) is kinds[kind]
    assert (vec.makers, vec.seeded) == ([("bars", "rules")] * 3, 3)
    assert vec.how == ({} if own else {"start_method": "forkserver"})
    assert workload.run() == 12
    drawn = np.random.default_rng(3).integers(0, 3, (4, 3))
    flat = [positions[number % 2] == 0 for number in range(4)]
    assert told == [np.where(free, row, 0).tolist() for free, row in zip(flat, drawn, strict=True)]
    assert workload.processes == [5, 6, 7]
    workload.close()
    assert told[-1] == "closed"


def test_what_is_there_is_forgotten_and_what_is_not_does_no_harm() -> None:
    held = SimpleNamespace(a=1, b=2, c=3)
    environments.forget(held, "a", "c", "d")
    assert vars(held) == {"b": 2}
