"""A configuration file means what the same options on the command line mean; no name is passed over."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from foundation.toml_files import line
from markets import contracts, contracts_file
from rltrader.options.config_file import (
    config_option,
    config_option_without,
    schema,
    text_of,
    to_toml,
)
from rltrader.options.environment import environment_options
from rltrader.train import train
from tests.sentences import refuses

SEEN: dict[str, Any] = {}


@click.command()
@config_option
@click.option("--steps", type=int)
@click.option("--n-steps", type=int, default=128)
@click.option("--learning-rate", type=float)
@click.option("--no-norm-reward", "norm_reward", flag_value=False, type=bool, default=None)
@click.option("--snap", is_flag=True)
@click.option("--data", "bar_file", type=click.Path(path_type=Path), multiple=True)
@environment_options
@click.option("--pi")
@click.option("--out")
@click.pass_context
def command(context: click.Context, **options: Any) -> None:
    """Remember the options."""
    SEEN.clear()
    SEEN.update(options, toml=to_toml(context))


TEXT = """
steps = 1000
n-steps = 64
learning_rate = 1e-3
norm_reward = false
snap = true
data = ["a.csv", "b.csv"]
pi = [64, 32]

[set]
max_episode_bars = 60
session = "all"
"""


def run(folder: Path, text: str, *arguments: str, **environment: str) -> dict[str, Any]:
    path = folder / "run.toml"
    path.write_text(text)
    result = CliRunner().invoke(
        command, ["--config", str(path), *arguments], env=environment, catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return dict(SEEN)


def test_every_kind_of_value(tmp_path: Path) -> None:
    seen = run(tmp_path, TEXT)
    assert seen["steps"] == 1000
    assert seen["n_steps"] == 64
    assert seen["learning_rate"] == 0.001
    assert seen["norm_reward"] is False
    assert seen["snap"] is True
    assert seen["bar_file"] == (Path("a.csv"), Path("b.csv"))
    assert seen["pi"] == "64,32"
    assert seen["overrides"] == ("max_episode_bars=60", 'session="all"')


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(TEXT)
    arguments = ["--config", str(path), "--steps", "1"]
    CliRunner().invoke(
        command, arguments, auto_envvar_prefix="X", env={"X_STEPS": "2", "X_N_STEPS": "3"}
    )
    assert (SEEN["steps"], SEEN["n_steps"], SEEN["learning_rate"]) == (1, 3, 0.001)


def test_what_is_written_into_a_run_asks_for_the_same_again(tmp_path: Path) -> None:
    first = run(tmp_path, TEXT, "--steps", "7", "--out", "here")
    assert "here" not in first["toml"]
    again = run(tmp_path, first["toml"])
    files = tuple(Path(name).absolute() for name in ("a.csv", "b.csv"))
    assert again == {**first, "bar_file": files, "out": None}


def test_what_the_environment_asked_for_is_written_too(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(TEXT)
    environment = {"X_STEPS": "2", "X_PI": "8,8"}
    done = CliRunner().invoke(command, ["--config", str(path)], auto_envvar_prefix="X", env=environment)
    assert done.exit_code == 0, done.output
    again = run(tmp_path, SEEN["toml"])
    assert (again["steps"], again["pi"], again["n_steps"]) == (2, "8,8", 64)


@pytest.mark.parametrize("through", ["command line", "environment"])
def test_a_rule_that_is_set_goes_before_the_file_s_and_leaves_it_the_others(
    tmp_path: Path, through: str
) -> None:
    given = "max_episode_bars=7"
    words, environment = (
        (("--set", given), {}) if through == "command line" else ((), {"X_OVERRIDES": given})
    )
    path = tmp_path / "run.toml"
    path.write_text(TEXT + "contracts = 2\n")
    done = CliRunner().invoke(
        command, ["--config", str(path), *words], auto_envvar_prefix="X", env=environment
    )
    assert done.exit_code == 0, done.output
    assert dict(text.split("=") for text in SEEN["overrides"]) == {
        "max_episode_bars": "7",
        "session": '"all"',
        "contracts": "2",
    }
    again = run(tmp_path, SEEN["toml"])
    assert sorted(again["overrides"]) == ["contracts=2", "max_episode_bars=7", 'session="all"']


@click.command()
@config_option_without("updates_per_call")
@click.option("--steps", type=int)
def other(steps: int) -> None:
    """Remember the one option."""
    SEEN.clear()
    SEEN.update(steps=steps)


@pytest.mark.parametrize("name", ["updates-per-call", "updates_per_call"])
def test_what_a_command_passes_over_may_be_written_either_way(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(f"{name} = 8\nsteps = 3")
    CliRunner().invoke(other, ["--config", str(path)], catch_exceptions=False)
    assert SEEN == {"steps": 3}


def test_a_whole_number_may_be_written_as_any_number(tmp_path: Path) -> None:
    assert run(tmp_path, "steps = 2e6\nn_steps = 64.0")["steps"] == 2_000_000


@pytest.mark.parametrize(
    "text",
    [
        "learning_rat = 1",
        "bar_file = 'a.csv'",
        "config = 'a.toml'",
        "snap = 'yes'",
        "steps = true",
        "steps = {a = 1}",
        "steps = 2.7",
        "steps = inf",
        "steps = nan",
        "n_steps = 64\nn-steps = 128",
        "steps",
        "steps = 2025-01-01",
        "[set]\nsession = 2025-01-01",
        "[set]\nsession = { from = [09:30:00] }",
    ],
)
def test_a_name_or_value_that_is_no_option_s_is_refused(tmp_path: Path, text: str) -> None:
    with refuses():
        run(tmp_path, text)


def test_a_value_of_the_wrong_type_is_the_command_line_s_own_error(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("steps = 'many'")
    result = CliRunner().invoke(command, ["--config", str(path)])
    assert result.exit_code == 2
    assert "'many' is not a valid integer" in result.output


def test_the_schema_names_every_option_of_train() -> None:
    described = schema(train)["properties"]
    assert {"steps", "norm_reward", "data", "symbol", "pi", "set", "learning_rate"} <= set(described)
    assert not {"bar_file", "config", "out", "resume", "ungated"} & set(described)
    assert described["norm_reward"]["type"] == "boolean"
    printed = CliRunner().invoke(train, ["--schema"])
    assert json.loads(printed.output) == schema(train)


@pytest.mark.parametrize("name", ["schema", "config", "help"])
def test_what_only_a_command_line_asks_for_is_no_option_of_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "run.toml").write_text(f"{name} = true")
    with refuses():
        train.main(["--config", str(tmp_path / "run.toml")], standalone_mode=False)


def test_every_kind_of_option_is_described() -> None:
    whole = schema(train)
    properties = whole["properties"]
    assert (whole["type"], whole["additionalProperties"]) == ("object", False)
    assert whole["title"] == "rltrader train --config"
    several = {"type": "string"}
    for name, wanted in {
        "steps": {"type": "integer"},
        "learning_rate": {"type": "number"},
        "phase": {"enum": ["1", "2"]},
        "snap": {"type": "boolean"},
        "pi": {"type": ["string", "array"], "items": {"type": "integer"}},
        "vf": {"type": ["string", "array"], "items": {"type": "integer"}},
        "to": {"type": "string"},
        "data": {"anyOf": [several, {"type": "array", "items": several}]},
        "logger": {
            "anyOf": [
                {"enum": ["mlflow", "wandb"]},
                {"type": "array", "items": {"enum": ["mlflow", "wandb"]}},
            ]
        },
        "set": {"type": "object"},
        "search": {"type": "object"},
        "contract": {"type": "object"},
    }.items():
        described = dict(properties[name])
        assert isinstance(described.pop("description"), str)
        assert described == wanted, name


def test_one_of_several_may_stand_alone(tmp_path: Path) -> None:
    assert run(tmp_path, 'data = "long name.csv"')["bar_file"] == (Path("long name.csv"),)


def test_what_a_program_sets_for_a_command_holds_beside_a_file(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("steps = 5")
    command.main(["--config", str(path)], standalone_mode=False, default_map={"n_steps": 9, "steps": 1})
    assert (SEEN["n_steps"], SEEN["steps"]) == (9, 5)


@click.command()
@config_option
@click.option("--steps", type=int)
@click.option("--certificate")
@click.option("--least")
@click.option("--require-key")
@click.option("--ungated", is_flag=True)
@click.option("--resume", is_flag=True)
@click.option("--out")
@click.option("--storage")
@click.option("--study")
@click.option("--lease", type=int)
@click.option("--distributed", is_flag=True)
@click.option("--coordinator")
@click.option("--processes", type=int)
@click.option("--process-id", type=int)
@click.pass_context
def placed(context: click.Context, **options: Any) -> None:
    """Remember what is written of options that say where and whether."""
    SEEN.clear()
    SEEN.update(toml=to_toml(context, {"gamma": [0.9]}, {"sweep": "there/sweep.json"}))


def test_where_and_whether_it_was_run_is_no_part_of_what_was_asked() -> None:
    words = [
        word
        for param in placed.params
        if param.name not in ("config_file", "steps")
        for word in ([param.opts[0]] if getattr(param, "is_flag", False) else [param.opts[0], "3"])
    ]
    placed.main(["--steps", "4", *words], standalone_mode=False)
    assert SEEN["toml"] == 'steps = 4\nsweep = "there/sweep.json"\n\n[search]\ngamma = [0.9]\n'


OWN = {
    "name": "Crude",
    "tick_size": 0.01,
    "tick_value_cents": 1000,
    "slippage_ticks": 1,
    "commission_cents": 250,
}


@pytest.fixture
def own_contracts() -> Iterator[None]:
    """Leave the table of contracts as it was."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
        patch.setattr(contracts_file, "_files", {})
        yield


def test_contracts_of_one_s_own_are_registered_and_written_again(
    tmp_path: Path, own_contracts: None
) -> None:
    """All that the command names, whether one or several are named."""
    tables = {f"contract.{symbol}": {**OWN, "name": symbol} for symbol in ("CLX", "CLY", "CLZ")}
    text = "\n".join(
        line_of
        for name, table in tables.items()
        for line_of in (f"[{name}]", *(line(*one) for one in table.items()))
    )
    run(tmp_path, text)
    assert contracts.get_contract("CLY").name == "CLY"
    for symbols in ("CLX", ("ES", "CLX", "CLZ")):
        written = tomllib.loads(text_of({"symbol": symbols}, {}))
        named = {"CLX"} if symbols == "CLX" else {"CLX", "CLZ"}
        assert set(written["contract"]) == named
        assert all(written["contract"][one] == {**OWN, "name": one} for one in named)


def test_a_file_whose_name_is_no_text_is_refused() -> None:
    with refuses():
        text_of({"data": [os.fsdecode(b"bars-\xff.csv")]}, {})
