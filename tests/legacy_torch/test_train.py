"""The reference's learner: a short real training run, saved, loaded and evaluated."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from legacy_torch import train as trainer
from legacy_torch.env_phase1 import TradingEnvPhase1
from legacy_torch.env_phase2 import TradingEnvPhase2
from legacy_torch.evaluate import EPISODE_COLUMNS, Verdicts, evaluate, first_of_each_day, load_run
from legacy_torch.train import TrainConfig, TrainingProgress, train
from markets import EnvConfig, get_contract
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from tests.sentences import check_error, check_process, refuses

CONFIG = EnvConfig.phase1(max_episode_bars=40)
SMALL = TrainConfig(n_envs=2, n_steps=64, batch_size=48, n_epochs=2, total_timesteps=256, seed=7)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """Keep networks this small off the other cores: their threads wait longer than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bars(random_bars):
    return random_bars(2)


@pytest.fixture(scope="module")
def run_folder(bars, tmp_path_factory):
    """Two environments, each in a process of its own."""
    folder = tmp_path_factory.mktemp("run") / "deep" / "er"
    assert train(bars, CONFIG, SMALL, folder, progress=False) == folder
    return folder


@pytest.mark.costly
def test_a_run_leaves_three_files_and_says_what_they_are(run_folder, bars):
    assert sorted(path.name for path in run_folder.iterdir()) == [
        "model.zip",
        "run.json",
        "vecnormalize.pkl",
    ]
    run = json.loads((run_folder / "run.json").read_text())
    assert run["data"]["sha256"] == bars.digest
    assert run["data"]["contract"]["symbol"] == "ES"
    assert EnvConfig.from_dict(run["env_config"]) == CONFIG
    assert TrainConfig(**run["train_config"]) == SMALL
    assert run["timesteps"] == 256
    assert run["seed"] == 7
    assert run["interrupted"] is False
    assert run["steps_per_second"] > 0
    assert set(run["versions"]) >= {"python", "torch", "stable-baselines3", "sb3-contrib"}


@pytest.mark.costly
def test_a_loaded_policy_has_the_plan_s_network_and_settings(run_folder, bars):
    model, normalizer, config = load_run(run_folder, bars)
    assert config == CONFIG
    extractor = model.policy.mlp_extractor
    for mlp in (extractor.policy_net, extractor.value_net):
        assert [type(layer) for layer in mlp] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU]
        assert [layer.out_features for layer in mlp[::2]] == [256, 256]
    assert model.policy.optimizer.defaults["eps"] == 1e-5
    assert (model.n_steps, model.batch_size, model.n_epochs, model.gamma) == (64, 48, 2, 0.99)
    assert (normalizer.training, normalizer.norm_reward) == (False, False)
    assert normalizer.obs_rms.count == pytest.approx(2 * 129)  # 128 steps and a reset, of two


def test_every_setting_arrives_at_the_learner(bars):
    """Each has a value that is neither a default nor another's."""
    given = {
        "n_steps": 24,
        "batch_size": 12,
        "n_epochs": 3,
        "learning_rate": 0.0625,
        "gamma": 0.875,
        "gae_lambda": 0.75,
        "clip_range": 0.375,
        "ent_coef": 0.125,
        "vf_coef": 0.25,
        "max_grad_norm": 0.4375,
        "target_kl": 0.03125,
        "seed": 11,
    }
    config = TrainConfig(n_envs=1, total_timesteps=5, **given)
    usual = asdict(TrainConfig())
    assert {*given, "n_envs", "total_timesteps"} == usual.keys()
    assert all(usual[name] != value for name, value in asdict(config).items())
    normalizer = VecNormalize(trainer.make_vec_env(bars, CONFIG, 1), gamma=config.gamma)
    model = trainer.make_model(normalizer, config)
    found = {name: getattr(model, name) for name in given}
    assert {**found, "clip_range": model.clip_range(1.0)} == given
    assert model.lr_schedule(0.5) == 0.0625
    other = trainer.make_model(normalizer, replace(config, seed=12, target_kl=None))
    assert other.target_kl is None
    weights = [one.policy.state_dict()["action_net.weight"] for one in (model, other)]
    assert not weights[0].equal(weights[1])


def test_evaluation_keeps_the_books(run_folder, bars):
    model, normalizer, config = load_run(run_folder, bars)
    result = evaluate(model, bars, config, normalizer, starts=[150, 460], deterministic=False)
    assert result.episodes["start"].tolist() == [150, 460]
    for curve, episode in zip(result.equity, result.episodes.itertuples(), strict=True):
        assert len(curve) == episode.steps + 1 <= 41
        assert curve[0] == 50_000.0
    assert len(result.trades) > 0
    by_episode = result.trades.groupby("episode")["pnl"].sum()
    for number, episode in enumerate(result.episodes.itertuples()):
        assert episode.total_pnl == pytest.approx(by_episode.get(number, 0.0))
    assert result.total_pnl == pytest.approx(result.trades["pnl"].sum())
    assert result.win_rate == np.mean(result.trades["pnl"] > 0)


def test_evaluation_takes_the_likeliest_action_through_the_normaliser(run_folder, bars):
    model, normalizer, config = load_run(run_folder, bars)
    count = normalizer.obs_rms.count
    one, other = (evaluate(model, bars, config, normalizer, starts=[200]) for _ in range(2))
    assert one.episodes.equals(other.episodes)
    np.testing.assert_array_equal(one.equity[0], other.equity[0])
    assert normalizer.obs_rms.count == count

    env = TradingEnvPhase1(bars, config)
    obs, _ = env.reset(options={"start_index": 200})
    rewards, done = 0.0, False
    while not done:
        action, _ = model.predict(
            normalizer.normalize_obs(obs), action_masks=env.action_masks(), deterministic=True
        )
        obs, reward, terminated, truncated, info = env.step(int(action))
        assert not info["forbidden"]
        rewards += reward
        done = terminated or truncated
    assert one.episodes["reward"].tolist() == [rewards]


def test_the_bar_ends_where_the_training_does(bars, tmp_path, monkeypatch):
    """At whole rollouts of all environments, of which a training makes no part."""
    ends, bars_shown = [], []

    class Seen(TrainingProgress):
        def __init__(self, total, show, stop):
            super().__init__(total, show, stop)
            ends.append(total)
            bars_shown.append(self.bar)

    monkeypatch.setattr(trainer, "TrainingProgress", Seen)
    small = replace(SMALL, n_envs=1, n_steps=48, batch_size=48, n_epochs=1, total_timesteps=49)
    small = replace(small, gamma=0.875)
    folder = train(bars, CONFIG, small, tmp_path / "run", progress=False)
    assert ends == [json.loads((folder / "run.json").read_text())["timesteps"]] == [96]
    ((task,),) = (shown.tasks for shown in bars_shown)
    assert (task.completed, task.total, bars_shown[0].disable) == (96, 96, True)
    run = json.loads((folder / "run.json").read_text())
    assert run["data"] == {
        "source": "random walk",
        "sha256": bars.digest,
        "bars": 900,
        "contract": asdict(bars.contract),
    }
    assert (run["env_config"], run["train_config"]) == (CONFIG.to_dict(), asdict(small))
    assert (run["seed"], run["interrupted"]) == (7, False)
    assert 0 < run["steps_per_second"] == pytest.approx(96 / run["seconds"], rel=0.02)
    model, normalizer, _ = load_run(folder, bars)
    assert (model.num_timesteps, model.seed) == (96, 7)
    assert (model.gamma, normalizer.gamma) == (0.875, 0.875)
    assert (normalizer.training, normalizer.norm_reward) == (False, False)
    # Another training takes the place of this one, all three files.
    again = replace(small, total_timesteps=48, seed=8)
    assert train(bars, CONFIG, again, folder, progress=False) == folder
    assert json.loads((folder / "run.json").read_text())["seed"] == 8
    newer, normalizer, _ = load_run(folder, bars)
    assert (newer.num_timesteps, newer.seed) == (48, 8)
    assert normalizer.obs_rms.count == pytest.approx(49, abs=1e-3)  # SB3 begins at 1e-4
    assert again.whole_timesteps == 48
    assert replace(small, n_envs=3).whole_timesteps == 144


@pytest.mark.parametrize(
    "changed",
    [{"tick_size": 0.5}, {"tick_value_cents": 625}, {"slippage_ticks": 0}, {"commission_cents": 249}],
)
def test_a_policy_is_not_played_on_its_symbol_with_other_numbers(run_folder, bars, changed):
    other = replace(bars, contract=replace(bars.contract, **changed))
    with refuses():
        load_run(run_folder, other)
    named = replace(bars, contract=replace(bars.contract, name="ES by another name"))
    assert load_run(run_folder, named)[2] == CONFIG
    elsewhere = replace(bars, contract=replace(other.contract, symbol="EZ"))
    assert load_run(run_folder, elsewhere)[2] == CONFIG


def test_evaluation_starts_each_day_by_default(bars):
    env = TradingEnvPhase1(bars, CONFIG)
    assert first_of_each_day(env).tolist() == [120, 450]


def test_no_trade_has_no_win_rate(run_folder, bars):
    model, normalizer, _ = load_run(run_folder, bars)
    closed = EnvConfig.phase1(max_episode_bars=40, flat_by_minute=0, trailing_drawdown_dollars=1e5)
    with np.errstate(all="raise"):
        result = evaluate(model, bars, closed, normalizer, starts=[])
    assert np.isnan(result.win_rate)
    assert result.total_pnl == 0.0
    assert result.episodes.columns.tolist() == list(EPISODE_COLUMNS)
    assert Verdicts(result, result).differing.tolist() == []
    assert Verdicts(result, result).difference == 0.0


def test_the_same_seed_trains_the_same_weights(bars, tmp_path):
    settings = TrainConfig(n_envs=1, n_steps=32, batch_size=32, n_epochs=1, total_timesteps=64, seed=3)
    weights = []
    for name in ("one", "other"):
        train(bars, CONFIG, settings, tmp_path / name, progress=False)
        model, _, _ = load_run(tmp_path / name, bars)
        weights.append(model.policy.state_dict())
    for key, value in weights[0].items():
        assert value.equal(weights[1][key]), key


def test_phase_2_is_trained_saved_and_loaded_as_phase_2(bars, tmp_path):
    rules = EnvConfig.phase2(max_episode_bars=40)
    settings = TrainConfig(n_envs=1, n_steps=32, batch_size=32, n_epochs=1, total_timesteps=32)
    train(bars, rules, settings, tmp_path, progress=False)
    model, normalizer, config = load_run(tmp_path, bars)
    assert config == rules
    assert model.action_space.n == 6
    assert isinstance(normalizer.get_attr("unwrapped")[0], TradingEnvPhase2)


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill does not deliver Ctrl-C on Windows")
def test_ctrl_c_saves_and_leaves(bars, tmp_path, capsys):
    before = signal.getsignal(signal.SIGINT)

    def press() -> None:
        while signal.getsignal(signal.SIGINT) is before:  # until the training listens
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    settings = TrainConfig(n_envs=1, n_steps=64, batch_size=64, n_epochs=1, total_timesteps=10**7)
    train(bars, CONFIG, settings, tmp_path, progress=True)
    presser.join()
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["interrupted"] is True
    assert 0 < run["timesteps"] < 10**6
    assert run["steps_per_second"] == pytest.approx(run["timesteps"] / run["seconds"], rel=0.02)
    load_run(tmp_path, bars)
    assert signal.getsignal(signal.SIGINT) is before
    assert "steps/s" in capsys.readouterr().err


def test_bad_input(bars, random_bars, tmp_path):
    with refuses():
        train(random_bars(1), EnvConfig.phase1(), SMALL, tmp_path / "none", progress=False)
    assert not (tmp_path / "none").exists()
    with refuses():
        load_run(tmp_path, bars)
    with refuses():
        TrainConfig(n_envs=1, n_steps=65, batch_size=64)
    with refuses():  # 33 steps of all three: a batch of 32 and one of 1
        TrainConfig(n_envs=3, n_steps=11, batch_size=32)
    assert TrainConfig(n_envs=2, n_steps=65, batch_size=64).whole_timesteps % 130 == 0
    with refuses():
        TrainConfig(batch_size=1)
    with refuses():
        TrainConfig(n_envs=0)
    for seed in (-1, 2**32, 1.0, True):
        with refuses():
            TrainConfig(seed=seed)
    assert TrainConfig(seed=2**32 - 1).seed == 4_294_967_295


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill does not deliver Ctrl-C on Windows")
@pytest.mark.costly
def test_ctrl_c_is_left_to_the_parent_by_the_environments_processes(bars):
    """A terminal sends it to all of them; a worker that answered would end the training unsaved."""
    workers = trainer.make_vec_env(bars, CONFIG, 2)
    try:
        workers.reset()
        for process in workers.processes:
            os.kill(process.pid, signal.SIGINT)
        for _ in range(3):
            obs, *_ = workers.step(np.array([0, 1]))
        assert obs.shape == (2, 225)
        assert all(process.is_alive() for process in workers.processes)
    finally:
        workers.close()


@pytest.mark.parametrize("kind", ["synthetic", "file"])
def test_every_option_of_the_command_arrives(tmp_path, monkeypatch, bars, kind):
    asked = []
    monkeypatch.setattr(trainer, "train", lambda *given: asked.append(given) or given[-1])
    options = ["--symbol", "NQ", "--steps", "70", "--envs", "3", "--seed", "5"]
    if kind == "synthetic":
        options += ["--days", "2"]
        expected = synthetic_bars("NQ", days=2, seed=5)
    else:
        nq = synthetic_bars("NQ", days=1, seed=9)
        path = write_bars(nq, tmp_path / "mine.csv")
        options += ["--data", str(path)]
        expected = read_bars(path, get_contract("NQ"))
        assert expected.digest == nq.digest
    out = tmp_path / "run"
    done = CliRunner().invoke(trainer.command, [*options, "--out", str(out)], catch_exceptions=False)
    assert done.output.splitlines()[-1] == f"saved in {out}"
    ((found, config, settings, folder),) = asked
    assert (found.digest, found.source) == (expected.digest, expected.source)
    assert config == EnvConfig.phase1()
    assert settings == TrainConfig(n_envs=3, total_timesteps=70, seed=5)
    assert folder == out


def test_days_of_synthetic_bars_are_not_taken_beside_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "train", lambda *given: pytest.fail("trained"))
    days = ["--days", "60", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(trainer.command, ["--data", "mine.csv", *days])
    check_error(done.exception)
    asked = []
    monkeypatch.setattr(trainer, "train", lambda *given: asked.append(given[0]) or given[-1])
    for words in ([], ["--days", "60"]):
        out = ["--out", str(tmp_path / "out")]
        CliRunner().invoke(trainer.command, [*words, *out], catch_exceptions=False)
    assert asked[0].digest == asked[1].digest


@pytest.mark.costly
@pytest.mark.parametrize("options", [("--symbol", "XX"), ("--data", "mine.csv")], ids=" ".join)
def test_the_command_says_what_is_wrong_in_one_line(tmp_path, options):
    done = subprocess.run(
        [sys.executable, "-m", "legacy_torch.train", *options, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    check_process(done)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_several_environments_have_a_process_each(bars, monkeypatch, count):
    """Which leaves Ctrl-C to its parent, and ends with it."""
    monkeypatch.setattr(trainer, "SubprocVecEnv", lambda made: made)
    monkeypatch.setattr(trainer, "DummyVecEnv", lambda made: made)
    done = []
    monkeypatch.setattr(trainer.signal, "signal", lambda *given: done.append(given))
    monkeypatch.setattr(trainer, "end_with_parent", lambda: done.append("end"))
    made = trainer.make_vec_env(bars, CONFIG, count)
    assert len(made) == count
    for one in made:
        env = one()
        assert (env.unwrapped.bars.digest, env.unwrapped.config) == (bars.digest, CONFIG)
    assert done == ([] if count == 1 else [(signal.SIGINT, signal.SIG_IGN), "end"] * count)


def test_environments_are_closed_whatever_happens(bars, tmp_path, monkeypatch):
    closed = []

    class Closes(VecNormalize):
        def close(self):
            closed.append(self)
            super().close()

    monkeypatch.setattr(trainer, "VecNormalize", Closes)
    monkeypatch.setattr(trainer, "make_model", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(bars, CONFIG, replace(SMALL, n_envs=1), tmp_path / "run", progress=False)
    assert len(closed) == 1
    assert not (tmp_path / "run").exists()


def test_a_run_is_loaded_with_bars_that_its_own_rules_can_trade(run_folder, random_bars):
    """A day, which is too short for the episodes of the defaults."""
    _, normalizer, config = load_run(run_folder, random_bars(1))
    assert config == CONFIG
    assert normalizer.venv.envs[0].unwrapped.config == CONFIG
