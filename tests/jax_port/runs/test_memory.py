"""Sizes that no machine has are refused before anything is allocated; what fits is let through."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.registry import phase_of
from jax_port.ppo.own.module import own_network
from jax_port.ppo.policy import make_network
from jax_port.ppo.settings import NetworkSpec, TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import init_agents, make_train
from jax_port.runs import memory
from jax_port.runs.memory import COPIES, require_training_memory, training_bytes
from markets import EnvConfig
from markets.bars import FEATURES
from markets.synthetic.bars import synthetic_bars
from tests.jax_port.ppo.own.networks import Shared
from tests.sentences import refuses

CONFIG = EnvConfig.phase1()


@pytest.mark.parametrize(
    ("settings", "agents", "calls"),
    [
        ({"n_envs": 10**9, "n_steps": 1}, 2, 1),
        ({"n_envs": 15_000_000}, 1, 1),
        ({"n_envs": 10**9, "n_steps": 1}, 1, 1),
        ({"network": NetworkSpec(pi=(10**10,))}, 1, 1),
        ({}, 10**9, 1),
        ({}, 1, 10**12),
    ],
    ids=str,
)
def test_absurd_sizes_name_what_to_lower(settings: dict[str, object], agents: int, calls: int) -> None:
    with refuses(r"there are [\d.,]+ \w+"):
        require_training_memory(TrainSettings(**settings), CONFIG, agents, calls)  # type: ignore[arg-type]


def test_the_plans_own_sizes_fit() -> None:
    require_training_memory(TrainSettings(), CONFIG, 2, 8)
    assert sum(training_bytes(TrainSettings(), CONFIG, 1, 1).values()) < 2**30


def test_weights_are_those_of_the_network_and_its_moments() -> None:
    """And environments grow with their number and that of agents."""
    settings = TrainSettings().override(pi=(7, 5), vf=(11,))
    size = CONFIG.window_size * len(FEATURES) + phase_of(CONFIG).position_features
    network = make_network(settings.network, num_actions=phase_of(CONFIG).num_actions)
    shapes = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, size)))
    count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    one, two = (training_bytes(settings, CONFIG, agents, 1) for agents in (1, 2))
    assert one["weights"] == 4 * COPIES * count
    assert two == {name: 2 * value for name, value in one.items()}
    wide = training_bytes(settings, CONFIG, 1, 1, columns=4)  # features of a bar that advice adds
    assert wide["weights"] - one["weights"] == 4 * COPIES * 4 * CONFIG.window_size * (7 + 11)
    assert wide["environments"] - one["environments"] == settings.n_envs * 4 * 4 * CONFIG.window_size
    more = training_bytes(settings.override(n_envs=3 * settings.n_envs), CONFIG, 1, 1)
    assert more["environments"] == 3 * one["environments"]


@pytest.mark.parametrize(
    ("config", "transition", "observation"),
    [
        (EnvConfig.phase1(window_size=3), 16 + 5 * 4 + 3 + 2 + 12, 3 * 11 + 5),
        (EnvConfig.phase2(window_size=4), 16 + 8 * 4 + 6 + 2 + 12, 4 * 11 + 8),
    ],
    ids=["1", "2"],
)
def test_bytes_of_transitions_environments_and_metrics_by_hand(
    config: EnvConfig, transition: int, observation: int
) -> None:
    settings = TrainSettings(n_envs=6, n_steps=5, batch_size=10)
    found = training_bytes(settings, config, 2, 7, memories=3)
    assert found["the rollout"] == 2 * 30 * transition
    assert found["environments"] == 2 * 6 * (64 + 4 * observation) / 3
    assert found["metrics"] == 2 * 7 * 100


def test_devices_share_environments_and_with_orders_by_group_the_rollout() -> None:
    settings = TrainSettings()
    alone, split = (training_bytes(settings, CONFIG, 1, 1, memories=devices) for devices in (1, 8))
    own = training_bytes(settings.override(order_groups=8), CONFIG, 1, 1, memories=8)
    assert alone["environments"] == 8 * split["environments"] == 8 * own["environments"]
    assert alone["the rollout"] == split["the rollout"] == 8 * own["the rollout"]
    assert alone["weights"] == split["weights"] == own["weights"]


def test_what_is_asked_for_is_each_memory_s_share_against_what_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(memory, "require_memory", lambda *given: asked.append(given))
    monkeypatch.setattr(memory, "_memories", lambda: 8)
    monkeypatch.setattr(memory, "_device_memory", lambda: 12_345)
    settings = TrainSettings().override(order_groups=8, pi=(7, 5), vf=(11,))
    require_training_memory(settings, CONFIG, 3, 5, 4)
    ((_, parts, lower, most),) = asked
    assert parts == training_bytes(settings, CONFIG, 3, 5, 4, 8)
    assert parts["metrics"] == 3 * 5 * 100
    assert (lower.keys(), most) == (parts.keys(), 12_345)


@pytest.mark.parametrize(("platform", "memories", "most"), [("cpu", 3, None), ("gpu", 5, 7)])
def test_devices_of_a_process_s_cpu_have_one_memory_and_all_others_their_own(
    platform: str, memories: int, most: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stats: dict[str, int] | None = {"bytes_limit": 7, "bytes_in_use": 9}
    device = SimpleNamespace(platform=platform, memory_stats=lambda: stats)
    seen = SimpleNamespace(
        devices=lambda: [device] * 5, process_count=lambda: 3, device_count=lambda: 5
    )
    monkeypatch.setattr(memory, "jax", seen)
    assert (memory._memories(), memory._device_memory()) == (memories, most)
    for stats in ({"bytes_in_use": 9}, {}, None):  # noqa: B007
        assert memory._device_memory() is None


def test_weights_of_a_network_of_one_s_own_are_counted_with_the_phase_s_actions() -> None:
    config = EnvConfig.phase2(window_size=2)
    settings = replace(TrainSettings(), own=own_network(Shared(6)))
    trunk, norm, heads = (2 * len(FEATURES) + 8 + 1) * 8, 2 * 8, (8 + 1) * 6 + (8 + 1)
    found = training_bytes(settings, config, 3, 1)
    assert found["weights"] == 3 * 4 * COPIES * (trunk + norm + heads)


@pytest.mark.slow
def test_no_estimate_is_above_what_the_compiler_plans() -> None:
    """So nothing is refused that could have run, and the parts that grow are really counted."""
    params = phase_of(CONFIG).make_params(
        stack([prepare(synthetic_bars("ES", days=3, seed=1), CONFIG)]), CONFIG
    )

    def planned(envs: int) -> int:
        settings = TrainSettings(
            n_envs=envs, n_steps=32, batch_size=256, n_epochs=1, network=NetworkSpec((16,), (16,))
        )
        agents = jax.jit(init_agents, static_argnums=2)(jnp.zeros(1, jnp.int32), params, settings)
        hyper = jax.tree.map(lambda x: x[None], hyper_params())
        plan = make_train(settings, 1, 1).lower(agents, hyper, params).compile().memory_analysis()  # type: ignore[attr-defined]
        least = sum(training_bytes(settings, CONFIG, 1, 1).values())
        total = plan.argument_size_in_bytes + plan.temp_size_in_bytes
        assert least <= total
        return int(total)

    growth = planned(512) - planned(256)
    settings = TrainSettings(n_envs=256, n_steps=32, batch_size=256)
    parts = training_bytes(settings, CONFIG, 1, 1)
    assert 0.2 < (parts["the rollout"] + parts["environments"]) / growth <= 1.0
