"""To SB3 and back, bit for bit, without running anything that a file holds."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sb3_contrib import MaskablePPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from sb3_contrib.common.maskable.evaluation import evaluate_policy
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.evaluation import evaluate_policy as plain_evaluate_policy
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from foundation.files import write_json
from jax_port.export.bundle import STATE, state_of
from jax_port.export.importing import read_policy
from jax_port.export.layers import same_bits, to_flax, to_torch
from jax_port.export.manifest import MANIFEST, contract_of, describe, read_manifest
from jax_port.export.sb3 import (
    MODEL,
    NORMALIZER,
    Spaces,
    load_sb3,
    make_sb3,
    policy_digest,
    require_same_decisions,
    save_sb3,
)
from jax_port.export.sb3_archive import read_archive
from jax_port.ppo.policy import load_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.ppo.transfer import check_fits
from legacy_torch.env_phase1 import TradingEnvPhase1
from markets import EnvConfig
from rltrader.agent import MaskablePPO as Agent
from rltrader.export import export as export_command
from rltrader.import_ import import_
from tests.jax_port.export.made_bundle import (
    bars,
    bundle,
    config_of,
    made_policy,
    raw_bundle,
    trained_by_sb3,
)
from tests.jax_port.made_kinds import KINDS, policy_of
from tests.sentences import refuses


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("name", ["", "maskable_ppo.zip", "policy.pt"])
def test_there_and_back_is_bit_identical(phase: int, name: str) -> None:
    back = read_policy(bundle(phase) / name)
    assert same_bits(made_policy(phase), back) == []
    assert back.spec == made_policy(phase).spec
    assert back.config == made_policy(phase).config
    assert back.about["data"] == {"symbol": "ES"}


@pytest.mark.costly(keep=7)
@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_policies_of_every_kind_come_back_bit_for_bit(kind: str, phase: int, tmp_path: Path) -> None:
    policy = policy_of(kind, phase)
    save_sb3(policy, tmp_path)
    made = describe(policy, contract_of(policy, "ES"), {"file": "p", "sha256": "0"})
    write_json(tmp_path / MANIFEST, {**made, "files": {}})
    torch.save(state_of(policy), tmp_path / STATE)
    for name in (MODEL, STATE):
        back = read_policy(tmp_path / name)
        assert same_bits(policy, back) == []
        assert (back.spec, back.config) == (policy.spec, policy.config)


@pytest.mark.parametrize("kind", ["logits 200 apart", "tanh, logits 200 apart"])
def test_a_changed_weight_is_noticed_however_far_logits_are_apart(kind: str, tmp_path: Path) -> None:
    policy = policy_of(kind, 1)
    save_sb3(policy, tmp_path)
    archive = read_archive(tmp_path / MODEL)
    require_same_decisions(policy, archive)
    layers = {name: dict(kinds) for name, kinds in policy.params["params"].items()}
    layers["action_head"]["kernel"] = layers["action_head"]["kernel"] * np.float32(1.001)
    with refuses(r"(?<=differ by )[\d.e-]+"):
        require_same_decisions(replace(policy, params={"params": layers}), archive)


@pytest.mark.parametrize("layer", ["action_head", "value_head"])
def test_what_is_no_number_is_no_decision_of_the_network(layer: str, tmp_path: Path) -> None:
    policy = made_policy(1)
    save_sb3(policy, tmp_path)
    archive = read_archive(tmp_path / MODEL)
    layers = {name: dict(kinds) for name, kinds in policy.params["params"].items()}
    layers[layer]["kernel"] = np.full_like(layers[layer]["kernel"], np.nan)
    with refuses():
        require_same_decisions(replace(policy, params={"params": layers}), archive)


def test_another_bit_is_noticed() -> None:
    policy = made_policy(1)
    layers = {name: dict(kinds) for name, kinds in policy.params["params"].items()}
    layers["value_0"]["bias"] = np.nextafter(layers["value_0"]["bias"], np.float32(1))
    assert same_bits(policy, replace(policy, params={"params": layers})) == ["value_0.bias"]


def test_weights_that_were_trained_further_lose_their_proof(tmp_path: Path) -> None:
    model = MaskablePPO.load(bundle(1) / MODEL, device="cpu")
    with torch.no_grad():
        model.policy.action_net.bias += 0.5
    model.save(tmp_path / MODEL)
    shutil.copy(bundle(1) / NORMALIZER, tmp_path)
    policy = read_policy(tmp_path / MODEL)
    assert policy.about["certificate"] == "ungated"
    assert policy.about["ancestor"] == made_policy(1).about
    assert same_bits(policy, made_policy(1)) == ["action_head.bias"]


def _foreign(folder: Path, **normalizer: float) -> None:
    """Save a model as somebody does who never heard of this project."""
    env = VecNormalize(DummyVecEnv([lambda: Spaces(225, 3)]), **normalizer)
    MaskablePPO("MlpPolicy", env, policy_kwargs={"net_arch": [8]}, device="cpu").save(folder / MODEL)
    env.save(str(folder / NORMALIZER))


def test_a_model_from_elsewhere_needs_its_phase_said(tmp_path: Path) -> None:
    _foreign(tmp_path)
    with refuses():
        read_policy(tmp_path / MODEL)
    policy = read_policy(tmp_path / MODEL, config=EnvConfig.phase1())
    assert policy.spec.activation == "tanh"  # SB3's own default, which no shape tells
    assert (policy.spec.pi, policy.spec.vf) == ((8,), (8,))
    with refuses():
        read_policy(tmp_path / MODEL, config=EnvConfig.phase2())


@pytest.mark.parametrize(
    "other", [{"clip_obs": 5.0}, {"clip_obs": 100.0}, {"clip_obs": np.inf}, {"epsilon": 1e-4}], ids=str
)
def test_another_formula_is_refused(tmp_path: Path, other: dict[str, float]) -> None:
    _foreign(tmp_path, **other)
    with refuses():
        read_policy(tmp_path / MODEL, config=EnvConfig.phase1())


@pytest.mark.parametrize(("part", "value"), [("mean", np.nan), ("var", np.inf), ("var", -1.0)])
def test_a_normaliser_of_no_numbers_is_refused(tmp_path: Path, part: str, value: float) -> None:
    _foreign(tmp_path)
    env = VecNormalize.load(str(tmp_path / NORMALIZER), DummyVecEnv([lambda: Spaces(225, 3)]))
    statistics = getattr(env.obs_rms, part)
    kept = statistics[7]
    for changed, refused in ((value, True), (kept, False)):
        statistics[7] = changed
        env.save(str(tmp_path / NORMALIZER))
        if refused:
            with refuses():
                read_policy(tmp_path / MODEL, config=EnvConfig.phase1())
        else:
            assert read_policy(tmp_path / MODEL, config=EnvConfig.phase1()).statistics is not None


@pytest.mark.parametrize("name", ["a.pth", "a.pt"])
def test_weights_alone_are_told_what_they_lack(tmp_path: Path, name: str) -> None:
    torch.save({"action_net.weight": torch.zeros(3, 8)}, tmp_path / name)
    with refuses():
        read_policy(tmp_path / name, config=EnvConfig.phase1())


class _Bomb:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def test_a_pickle_is_read_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (tmp_path / NORMALIZER).write_bytes(pickle.dumps(_Bomb(trace)))
    with refuses():
        load_sb3(bundle(1) / MODEL, tmp_path / NORMALIZER)
    assert not trace.exists()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / MODEL).write_text("no zip")
    with refuses():
        read_policy(tmp_path / MODEL)
    with refuses():
        read_policy(tmp_path / "gone.zip")
    (tmp_path / MODEL).unlink()
    with refuses():
        read_policy(tmp_path)


def test_layers_that_do_not_fit_are_named() -> None:
    policy = made_policy(1)
    weights = to_torch(policy.params)
    with refuses():
        to_flax({name: x for name, x in weights.items() if name != "value_0.bias"}, policy.spec)
    with refuses():
        to_flax({**weights, "policy_1.weight": weights["policy_1.weight"][:, :8]}, policy.spec)


@pytest.mark.costly
def test_the_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    made = runner.invoke(
        export_command, [str(bundle(1) / "policy.safetensors"), "--to", str(tmp_path / "again")]
    )
    assert made.exit_code == 0, made.output
    back = runner.invoke(import_, [str(tmp_path / "again"), "--to", str(tmp_path / "back.safetensors")])
    assert back.exit_code == 0, back.output
    assert same_bits(load_policy(tmp_path / "back.safetensors"), made_policy(1)) == []
    listed = runner.invoke(export_command, ["--help"])
    assert "verify" in listed.output
    assert "bundle" in listed.output


# Models that were trained without a VecNormalize, as SB3's are by default


@pytest.mark.costly
def test_a_model_that_sees_raw_observations_goes_out_again_and_comes_back(tmp_path: Path) -> None:
    made = load_policy(raw_bundle() / "policy.safetensors")
    assert made.statistics is None
    assert read_manifest(raw_bundle())["normalizer"] is None
    assert torch.load(raw_bundle() / "policy.pt").keys() == {*to_torch(made.params)}
    shutil.copy(raw_bundle() / MODEL, tmp_path)  # without the normaliser that leaves all as it is
    for again in (raw_bundle(), raw_bundle() / MODEL, raw_bundle() / "policy.pt", tmp_path / MODEL):
        found = read_policy(again)
        assert found.statistics is None
        assert same_bits(found, made) == []


@pytest.mark.parametrize("normalizer", [{}, {"norm_obs": False}], ids=["none", "rewards alone"])
def test_rewards_stay_normalised_where_they_were(tmp_path: Path, normalizer: dict[str, bool]) -> None:
    policy = read_policy(trained_by_sb3(tmp_path, **normalizer), config=EnvConfig.phase1())
    assert policy.statistics is None
    made = make_sb3(policy)[1]
    assert (made.norm_obs, made.norm_reward) == (False, bool(normalizer))


@pytest.mark.costly
def test_raw_observations_are_decided_on_as_sb3_does() -> None:
    model = MaskablePPO.load(raw_bundle() / MODEL, device="cpu")
    agent = Agent.load(raw_bundle() / "policy.safetensors")
    env = TradingEnvPhase1(bars(), config_of(1))
    obs, _ = env.reset(options={"start_index": 300})
    seen = (obs * np.exp(np.random.default_rng(0).normal(size=(512, len(obs))))).astype(np.float32)
    masks = np.tile(env.action_masks(), (512, 1))
    theirs, _ = model.predict(seen, action_masks=masks, deterministic=True)
    ours = agent.predict(seen, masks)
    assert len(set(ours.tolist())) > 1
    np.testing.assert_array_equal(ours, theirs)
    # Clipped to 10, as an identity normaliser would have it, it is another policy.
    assert (agent.predict(np.clip(seen, -10, 10), masks) != theirs).any()


def test_a_normaliser_that_is_not_the_models_is_refused(tmp_path: Path) -> None:
    for name in ("raw", "normalised"):
        (tmp_path / name).mkdir()
    raw = trained_by_sb3(tmp_path / "raw")
    normalised = trained_by_sb3(tmp_path / "normalised", norm_obs=True)
    given = EnvConfig.phase1()
    with refuses():
        read_policy(raw, tmp_path / "normalised" / NORMALIZER, given)
    assert read_policy(normalised, config=given).statistics is not None
    with refuses():
        read_policy(normalised, config=given, raw=True)
    (tmp_path / "normalised" / NORMALIZER).unlink()
    with refuses():
        read_policy(normalised, config=given)


def test_a_model_that_was_never_trained_must_be_told_apart(tmp_path: Path) -> None:
    path = trained_by_sb3(tmp_path, steps=0)
    with refuses():
        read_policy(path, config=EnvConfig.phase1())
    assert read_policy(path, config=EnvConfig.phase1(), raw=True).statistics is None
    runner = CliRunner()
    said = ["--phase", "1", "--raw-observations"]
    made = runner.invoke(import_, [str(tmp_path), "--to", str(tmp_path / "p.safetensors"), *said])
    assert made.exit_code == 0, made.output
    assert "sees raw observations" in made.output


@pytest.mark.costly
def test_what_normalises_nothing_is_not_trained_further_here(tmp_path: Path) -> None:
    path = raw_bundle() / "policy.safetensors"
    settings = TrainSettings().override(pi=(64, 64), vf=(64, 64), activation="tanh")
    with refuses():
        check_fits(load_policy(path), settings.network, config_of(1))


SHORT = replace(config_of(1), max_episode_bars=40)


def normalised(file: Path, training: bool) -> VecNormalize:
    """Return an environment with an exported normaliser, to train in or to judge in."""
    env = DummyVecEnv([lambda: Monitor(TradingEnvPhase1(bars(), SHORT))])
    made = VecNormalize.load(str(file), env)
    made.training, made.norm_reward = training, training and made.norm_reward
    return made


@pytest.mark.parametrize(
    "folder",
    [bundle, pytest.param(lambda _: raw_bundle(), marks=pytest.mark.slow)],
    ids=["normalised", "raw"],
)
def test_sb3s_own_tools_work_on_an_exported_zip(folder: Callable[[int], Path], tmp_path: Path) -> None:
    """sb3-contrib's, which know masks; ``predict`` and ``evaluate_policy`` play what the port plays."""
    train, judge = (normalised(folder(1) / NORMALIZER, training) for training in (True, False))
    model = MaskablePPO.load(
        folder(1) / MODEL, env=train, device="cpu", n_steps=32, batch_size=16, n_epochs=1
    )
    agent, env = Agent.load(folder(1)), TradingEnvPhase1(bars(), SHORT)
    obs, _ = env.reset(seed=3)
    total, length, ended = 0.0, 0, False
    while not ended:
        masks = env.action_masks()
        action = int(agent.predict(obs, masks))
        theirs, _ = model.predict(judge.normalize_obs(obs), action_masks=masks, deterministic=True)
        assert int(theirs) == action
        obs, reward, terminated, truncated, _ = env.step(action)
        total, length, ended = total + float(reward), length + 1, terminated or truncated
    judge.seed(3)
    rewards, lengths = evaluate_policy(model, judge, n_eval_episodes=1, return_episode_rewards=True)
    assert lengths == [length]
    assert rewards == [pytest.approx(total, abs=1e-5)]
    without_masks, _ = evaluate_policy(model, judge, n_eval_episodes=1, use_masking=False)
    assert np.isfinite(without_masks)
    callback = MaskableEvalCallback(
        judge, eval_freq=32, n_eval_episodes=1, best_model_save_path=str(tmp_path), verbose=0
    )
    model.learn(64, callback=callback)
    assert np.isfinite(callback.best_mean_reward)
    shutil.copy(folder(1) / NORMALIZER, tmp_path)
    best = read_policy(tmp_path / "best_model.zip", config=SHORT)
    assert agent.policy is not None
    assert (best.statistics is None) == (agent.policy.statistics is None)
    assert best.about["certificate"] == "ungated"


def test_stable_baselines3s_plain_tools_work_and_pass_over_the_masks(tmp_path: Path) -> None:
    """They call ``predict`` without masks: the likeliest action of all is taken, allowed or not."""
    train, judge = (normalised(bundle(1) / NORMALIZER, training) for training in (True, False))
    model = MaskablePPO.load(
        bundle(1) / MODEL, env=train, device="cpu", n_steps=32, batch_size=16, n_epochs=1
    )
    env = TradingEnvPhase1(bars(), SHORT)
    obs, _ = env.reset(seed=3)
    total, forbidden, ended = 0.0, 0, False
    while not ended:
        action, _ = model.predict(judge.normalize_obs(obs), deterministic=True)
        forbidden += not env.action_masks()[int(action)]
        obs, reward, terminated, truncated, _ = env.step(int(action))
        total, ended = total + float(reward), terminated or truncated
    assert forbidden > 0
    judge.seed(3)
    rewards, _ = plain_evaluate_policy(model, judge, n_eval_episodes=1, return_episode_rewards=True)
    assert rewards == [pytest.approx(total, abs=1e-5)]
    callback = EvalCallback(
        judge, eval_freq=32, n_eval_episodes=1, best_model_save_path=str(tmp_path), verbose=0
    )
    model.learn(64, callback=callback)
    assert np.isfinite(callback.best_mean_reward)
    shutil.copy(bundle(1) / NORMALIZER, tmp_path)
    assert read_policy(tmp_path / "best_model.zip", config=SHORT).statistics is not None


def test_a_header_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    source = raw_bundle() / "policy.safetensors"
    with safe_open(source, framework="numpy") as file:
        header = file.metadata()["rltrader"]
    tensors = load_file(source)
    for old, new in (('"normalised": false', '"normalised": true'), ('"format": 3', '"format": 1')):
        save_file(tensors, tmp_path / "p.safetensors", {"rltrader": header.replace(old, new)})
        with refuses():
            load_policy(tmp_path / "p.safetensors")


@pytest.mark.parametrize("name", ["mean", "var", "count"])
def test_statistics_belong_to_what_a_run_proved(name: str) -> None:
    policy = made_policy(1)
    assert policy.statistics is not None
    changed = {**policy.statistics, name: np.nextafter(policy.statistics[name], np.inf)}
    for other in ({"statistics": changed}, {"statistics": None}, {"config": EnvConfig.phase2()}):
        assert policy_digest(replace(policy, **other)) != policy_digest(policy)
