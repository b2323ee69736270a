"""A network of the user's own, trained, saved, loaded, and refused where it cannot go."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

from jax_port.data.data_loader import prepare, stack
from jax_port.envs.form import FORMS, Form
from jax_port.envs.registry import phase_of
from jax_port.export.sb3 import make_sb3
from jax_port.ppo.own.module import own_network
from jax_port.ppo.policy import Policy, load_policy, save_policy
from jax_port.ppo.settings import NetworkSpec, TrainSettings, hyper_params
from jax_port.ppo.train_ppo_jax import TrainState, init_agent, update
from jax_port.runs.plan import DRAWN, read_plan
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.admission import Training, _cover
from rltrader import MaskablePPO
from rltrader.export import export
from rltrader.python.network import placed
from tests.jax_port.ppo.own.networks import Separate, SeparateNnx, Shared
from tests.sentences import check_error, refuses

CONFIG = EnvConfig.phase1()
SMALL: dict[str, Any] = {"n_envs": 8, "n_steps": 16, "batch_size": 64, "n_epochs": 1}


@pytest.fixture
def policy() -> Policy:
    own = own_network(Shared())
    weights = jax.jit(own.init)(jax.random.key(0), jnp.zeros((1, 225)))
    statistics = {"mean": np.zeros(225), "var": np.ones(225), "count": np.array(1.0)}
    host = {name: np.asarray(one) for name, one in weights.items()}
    return Policy(NetworkSpec(), host, statistics, CONFIG, {"updates": 1}, own)


def test_saved_and_loaded_without_its_code(policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    save_policy(path, policy)
    with refuses():
        load_policy(path)
    with refuses():
        load_policy(path, own_network(Separate()))
    agent, again = MaskablePPO.load(path, network=Shared()), load_policy(path, own_network(Shared()))
    assert agent.policy is not None
    for name, value in policy.params.items():
        assert np.array_equal(value, again.params[name])
    obs = np.random.default_rng(0).normal(size=(20, 225))
    masks = np.ones((20, 3), bool)
    logits, _ = Shared().apply(
        {"params": jax.tree.map(jnp.asarray, _nested(policy.params))}, jnp.asarray(obs, jnp.float32)
    )
    assert np.array_equal(agent.predict(obs, masks), np.argmax(logits, axis=1))


def _nested(weights: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, value in weights.items():
        layer, kind = name.split("/")
        found.setdefault(layer, {})[kind] = value
    return found


def test_it_is_not_exported_and_no_certificate_covers_it(policy: Policy, tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    save_policy(path, policy)
    result = CliRunner().invoke(export, [str(path), "--to", str(tmp_path / "bundle")])
    check_error(result.exception)
    assert not (tmp_path / "bundle").exists()
    with refuses():
        make_sb3(policy)
    training = Training(None, CONFIG, TrainSettings(own=policy.own))  # type: ignore[arg-type]
    with refuses():
        _cover(tmp_path / "certificate.json", {}, training, print)


def test_one_of_maskable_ppos_shape_becomes_the_projects_own(tmp_path: Path) -> None:
    settings, drawn = placed(own_network(SeparateNnx), CONFIG, TrainSettings(seed=3), tmp_path / "d")
    assert settings.own is None
    assert settings.network == NetworkSpec((8,), (5,), "relu")
    assert drawn is not None
    policy = load_policy(drawn)
    assert policy.about[DRAWN]
    wanted = own_network(SeparateNnx).init(jax.random.key(3), jnp.zeros((1, 225)))
    kernel = policy.params["params"]["policy_0"]["kernel"]
    np.testing.assert_array_equal(kernel, wanted["policy/0/kernel"])
    other, none = placed(own_network(Shared()), CONFIG, TrainSettings(), tmp_path / "e")
    assert (other.own is not None, none) == (True, None)
    assert other.to_dict()["network"] == {"own": "Shared"}


def test_one_of_maskable_ppos_shape_goes_on_from_what_it_has_learnt(tmp_path: Path) -> None:
    agent = MaskablePPO(synthetic_bars("ES", days=3, seed=0), ungated=True, network=SeparateNnx)
    drawn = agent._plan(agent.settings, tmp_path / "first").initial["path"]
    assert load_policy(Path(drawn)).about[DRAWN]
    agent._file = tmp_path / "learnt.safetensors"
    agent._file.write_bytes(Path(drawn).read_bytes())
    assert agent._plan(agent.settings, tmp_path / "second").initial["path"] == str(agent._file)


def test_settings_of_the_projects_network_do_not_go_with_it() -> None:
    own = own_network(Shared())
    with refuses():
        TrainSettings(own=own, precision="bf16")
    with refuses():
        TrainSettings(own=3)  # type: ignore[arg-type]
    with refuses():
        TrainSettings(own=own, layer_lr=(("policy_0", 0.1),))


@pytest.mark.parametrize("form", FORMS)
def test_both_forms_of_the_program_take_it(form: Form) -> None:
    settings = TrainSettings(own=own_network(Shared()), n_envs=4, n_steps=8, batch_size=16)
    market = stack([prepare(synthetic_bars("ES", days=2, seed=0), CONFIG)])
    params, hyper = phase_of(CONFIG).make_params(market, CONFIG), hyper_params()

    def first_update() -> TrainState:
        agent = init_agent(jnp.int32(0), params, settings)
        return update(agent, hyper, params, settings, form=form)[0]

    after = jax.eval_shape(first_update)
    assert jax.tree.map(jnp.shape, after.learner.params) == settings.own.sizes(225, 3)  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("network", [Shared(), lambda rngs: SeparateNnx(rngs=rngs, act=jnp.sin)])
def test_it_is_trained_and_goes_on(network: Any, tmp_path: Path) -> None:
    bars = synthetic_bars("ES", days=4, seed=0)
    agent = MaskablePPO(bars, ungated=True, network=network, **SMALL)
    agent.learn(512, folder=tmp_path / "run")
    assert agent.policy is not None
    assert agent.policy.about["certificate"] == "ungated"
    assert agent.policy.about["updates"] == 4
    plan = json.loads((tmp_path / "run" / "run.json").read_text())["plan"]
    assert set(plan["settings"]["network"]) == {"own"}
    with refuses():
        read_plan(tmp_path / "run")
    assert len(agent.evaluate(synthetic_bars("ES", days=2, seed=1, start="2025-03-03")).episodes) > 0
    loaded = MaskablePPO.load(agent.save(tmp_path / "p"), bars, network=network, ungated=True, **SMALL)
    before = loaded.policy
    loaded.learn(128, folder=tmp_path / "more")
    assert loaded.policy is not None
    assert before is not None
    assert loaded.policy.about["lineage"]["grew_from"]["certificate"] == "ungated"
    assert any(not np.array_equal(loaded.policy.params[n], v) for n, v in before.params.items())


@pytest.mark.slow
def test_one_of_maskable_ppos_shape_learns_as_the_projects_own_does(tmp_path: Path) -> None:
    """From the same weights both end with the same, bit for bit."""
    bars = synthetic_bars("ES", days=4, seed=0)
    theirs = MaskablePPO(bars, ungated=True, network=SeparateNnx, **SMALL)
    theirs.learn(512, folder=tmp_path / "run")
    drawn = tmp_path / "run-drawn.safetensors"
    ours = MaskablePPO.load(drawn, bars, ungated=True, **SMALL).learn(512)
    assert theirs.policy is not None
    assert ours.policy is not None
    assert theirs.policy.own is None
    assert theirs.policy.about["lineage"]["grew_from"] == {}
    assert jax.tree.all(jax.tree.map(np.array_equal, theirs.policy.params, ours.policy.params))
