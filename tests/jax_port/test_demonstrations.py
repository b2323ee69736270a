"""The plan's modules show what they are for when they are run as programs."""

from __future__ import annotations

import runpy
import sys
import warnings
from pathlib import Path

import jax
import pytest

from jax_port.data.demonstration import show_markets
from markets import SYMBOLS
from markets.synthetic.bars import synthetic_bars
from tests.sentences import check_sentence


def run(module: str, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the module is imported already
        runpy.run_module(module, run_name="__main__")


def test_the_loader_shows_every_market_with_its_memory_and_device(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("jax_port.data.data_loader", monkeypatch)
    shown = capsys.readouterr().out
    assert [line.split()[0] for line in shown.splitlines()[: len(SYMBOLS)]] == list(SYMBOLS)
    sizes = [float(line.split(" MiB")[0].split()[-1]) for line in shown.splitlines()[: len(SYMBOLS)]]
    assert all(0 < size < 500 for size in sizes)
    whole = float(shown.partition("in one stack, ")[2].partition(" MiB")[0])
    assert abs(sum(sizes) - whole) < 0.1
    assert "features    float32  (72000, 11)    on " in shown
    assert "jax.devices() = [" in shown


def test_the_loader_shows_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bars.csv"
    synthetic_bars("NQ", days=3, seed=1).frame.to_csv(path, index_label="timestamp")
    show_markets([str(path), "--symbol", "NQ"])
    assert capsys.readouterr().out.startswith("NQ     1,350 bars,")


def test_a_missing_file_is_one_sentence_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("jax_port.data.data_loader", monkeypatch, "no.csv", "--symbol", "ES")
    assert stopped.value.code == 2
    check_sentence(capsys.readouterr().err.rstrip("\n"))


@pytest.mark.parametrize("module", ["jax_port.data.data_loader", "jax_port.ppo.train_ppo_jax"])
def test_help_says_how_the_module_is_run(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(module, monkeypatch, "--help")
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {module} ")


@pytest.mark.costly
def test_the_environment_shows_steps_masks_and_rewards(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("jax_port.envs.env_phase1_jax", monkeypatch)
    shown = capsys.readouterr().out
    assert "observation is float32 (225,), finite throughout: True" in shown
    assert "one step, buy: reward -0.0100, position 1" in shown
    assert shown.count("masks   111") == 1
    paid = "-0.010 -0.925 -0.010 -0.010 -0.010 -0.010 -0.010 -0.010"
    for step, line, drawn in (
        ("step 1", 1, "actions sell sell sell sell buy buy buy hold"),
        ("step 3", 1, f"actions {'hold ' * 7}sell"),
        ("step 3", 2, f"rewards {paid}"),  # of the bars at which they began
    ):
        assert shown.partition(f"{step}\n")[2].splitlines()[line].split() == drawn.split()
    assert shown.count("rewards ") == 5


@pytest.mark.slow  # ten seconds of compilation
def test_the_learner_shows_its_training_steps_per_second(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--envs", "8", "--n-steps", "8", "--updates", "2")
    run("jax_port.ppo.train_ppo_jax", monkeypatch, *small)
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(
        f"{jax.devices()[0]}, the program for a CPU; an update is 8 environments"
    )
    assert [line.split(":")[0] for line in shown[2:4]] == ["update 1", "update 2"]
    rates = [
        int(line.split(" steps per second")[0].split()[-1].replace(",", "")) for line in shown[2:4]
    ]
    rate, _, unit = shown[-1].partition(" ")
    assert unit == "training steps per second"
    assert min(rates) <= int(rate.replace(",", "")) <= max(rates)


@pytest.mark.parametrize(
    "arguments",
    [("--updates", "0"), ("--envs", "-3"), ("--n-steps", "99999"), ("--n-steps", "many")],
    ids=" ".join,
)
def test_a_training_of_no_sense_is_one_sentence_and_exit_code_2(
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("jax_port.ppo.train_ppo_jax", monkeypatch, *arguments)
    assert stopped.value.code == 2
    check_sentence(capsys.readouterr().err.strip().rpartition("error: ")[2])
