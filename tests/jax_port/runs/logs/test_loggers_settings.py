"""Loggers beside a run's own: with which settings of a run each agent is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from jax_port.ppo.own.module import OwnNetwork
from jax_port.ppo.settings import TrainSettings
from jax_port.runs.logs.loggers import _configs, make_loggers
from jax_port.runs.plan import Plan
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig

MARKETS = TrainingData((Source("ES", "/a.csv"), Source("NQ", "/b.csv"), Source("ES", "/c.csv")))
PLAN = Plan(
    TrainSettings(n_envs=8, n_steps=16, batch_size=32, seed=4).override(pi=(4,), vf=(5, 6)),
    MARKETS,
    EnvConfig.phase2(window_size=7, contracts=3),
    agents=({"gamma": 0.5}, {"seed": 1, "ent_coef": 0.25}, {}),
)


def test_every_agent_is_shown_with_all_settings_and_its_own_in_their_place() -> None:
    configs = _configs(PLAN)
    assert [(one["seed"], one["gamma"], one["ent_coef"]) for one in configs] == [
        (4, 0.5, 0.01),
        (1, 0.99, 0.25),
        (6, 0.99, 0.01),
    ]
    settings = PLAN.settings.to_dict()
    del settings["network"]
    for config in configs:
        shared = {
            "network.pi": (4,),
            "network.vf": (5, 6),
            "network.activation": "relu",
            "markets": "ES,NQ,ES",
        }
        assert {name: config[name] for name in shared} == shared
        assert (config["env.phase"], config["env.window_size"]) == (2, 7)
        assert {name.partition(".")[0] for name in config} == {*settings, "network", "env", "markets"}
        for name in settings.keys() - {"seed", "gamma", "ent_coef"}:
            assert config[name] == settings[name]


def test_a_network_of_one_s_own_is_shown_by_its_name() -> None:
    own = OwnNetwork("Mine", lambda key, obs: {}, lambda tree, obs: None)
    plan = Plan(TrainSettings(own=own), MARKETS, EnvConfig.phase1())
    (config,) = _configs(plan)
    assert [(name, config[name]) for name in config if name.startswith("network")] == [
        ("network.own", "Mine")
    ]


def test_runs_of_wandb_lie_in_the_run_s_folder_in_a_group_with_their_own_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def init(**given: Any) -> Any:
        asked.append(given)
        return SimpleNamespace(finish=lambda: None)

    package: Any = ModuleType("wandb")
    package.init, package.Settings = init, lambda **given: given
    monkeypatch.setitem(sys.modules, "wandb", package)
    for name in ("WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    make_loggers(["wandb"], Path("some/run"), PLAN)
    assert [one["config"] for one in asked] == _configs(PLAN)
    assert len({one["id"] for one in asked}) == 3
    for number, one in enumerate(asked):
        assert (one["name"], one["group"]) == (f"run-agent-{number}", "run")
        assert (one["dir"], one["reinit"]) == (str(tmp_path / "some" / "run"), "create_new")
        assert one["settings"] == {
            "silent": True,
            "console": "off",
            "x_disable_stats": True,
            "disable_git": True,
        }
