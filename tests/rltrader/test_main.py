"""The command ``rltrader``: fast help, one place for each option, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from foundation.errors import InputError
from markets.readers import FORMATS
from parity.admission import CERTIFICATE
from rltrader import train
from rltrader.__main__ import COMMANDS, app
from rltrader.lazy_group import Lazy, LazyGroup, name_of
from rltrader.options import proof
from rltrader.options.bars import FILE_FORMATS
from rltrader.sweep import command, search
from tests.commands import commands_of

SLOW = (
    *("jax", "torch", "pandas", "flax", "pyarrow", "scipy", "optuna", "sqlalchemy", "tensorboardX"),
    *("gymnasium", "hypothesis", "stable_baselines3", "matplotlib"),
)
"""What the help of a command with many options may not load; that of the group loads less."""
HEAVY = (*SLOW, "numpy", "rich")


def modules_after(code: str, names: tuple[str, ...] = HEAVY) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(sorted({{*{names}}} & set(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "code",
    [
        "import rltrader.__main__",
        "from rltrader.__main__ import app; app(['--help'], standalone_mode=False)",
        "from rltrader.__main__ import app; app(['--version'], standalone_mode=False)",
    ],
)
def test_help_imports_nothing_heavy(code: str) -> None:
    assert modules_after(code) == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ["sweep", "--help"],
        ["train", "--help"],
        ["walk-forward", "--help"],
        ["evaluate", "--help"],
        ["parity", "run", "--help"],
    ],
)
def test_help_of_a_command_imports_nothing_slow(words: list[str]) -> None:
    call = f"from rltrader.__main__ import app; app({words}, standalone_mode=False)"
    assert modules_after(call, SLOW) == "[]"


@pytest.mark.costly
def test_a_run_is_imported_without_torch() -> None:
    loaded = modules_after("import jax_port.runs.run")
    assert "'jax'" in loaded  # so the test can see what is loaded
    assert "torch" not in loaded
    assert "tensorboardX" not in loaded


def test_the_package_of_markets_is_imported_without_pandas() -> None:
    assert modules_after("import markets") == "['numpy']"
    assert "'pandas'" in modules_after("from markets import Bars")


def test_bars_are_checked_without_jax_or_torch() -> None:
    loaded = modules_after("from rltrader.data import data")
    assert "'pandas'" in loaded  # so the test can see what is loaded
    assert "jax" not in loaded
    assert "torch" not in loaded


def lazy_commands(group: LazyGroup) -> dict[str, Lazy]:
    found = dict(group.lazy)
    for one in group.lazy.values():
        command = one.load()
        if isinstance(command, LazyGroup):
            found |= lazy_commands(command)
    return found


def test_the_help_of_a_group_is_the_first_sentence_of_the_command_itself() -> None:
    assert isinstance(app, LazyGroup)
    found = lazy_commands(app)
    assert {*COMMANDS, "verify", "mutation"} <= set(found)
    for name, one in found.items():
        first = " ".join((one.load().help or "").partition("\n\n")[0].split())
        assert one.help == first, name


@pytest.mark.parametrize(("length", "whole"), [(80, True), (81, False)])
def test_a_command_that_is_not_lazy_has_its_help_cut_at_eighty(length: int, whole: bool) -> None:
    words = ("word " * 20)[: length - 1] + "x"
    command = click.Command("plain", help=words)
    group = LazyGroup("group", lazy={}, commands={"plain": command})
    shown = CliRunner().invoke(group, ["--help"], terminal_width=200).output
    assert (f"plain  {words}\n" in shown) == whole, shown


@pytest.mark.parametrize("known", [True, False])
def test_a_setting_of_jax_that_jax_does_not_know_is_bad_input(
    known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def plain() -> None:
        raise ValueError("invalid value 'much' for JAX_MADE_UP_LEVEL")

    monkeypatch.delenv("JAX_MADE_UP_LEVEL", raising=False)
    if known:
        monkeypatch.setenv("JAX_MADE_UP_LEVEL", "much")
    group = LazyGroup("group", lazy={}, commands={"plain": plain})
    found = CliRunner().invoke(group, ["plain"]).exception
    assert type(found) is (InputError if known else ValueError)


def test_an_option_is_read_from_the_environment_by_its_own_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def stop(bars: Any, options: dict[str, Any]) -> None:
        given.update(options, bars=bars)
        raise InputError("seen")

    monkeypatch.setattr(train, "make_plan", stop)
    (tmp_path / "run.toml").write_text("steps = 5\nenvs = 6\n[set]\ncontracts = 2\nsession = 'all'")
    environment = {
        "RLTRADER_TRAIN_STEPS": "1000",
        "RLTRADER_TRAIN_N_STEPS": "64",
        "RLTRADER_TRAIN_SYMBOL": "NQ",
        "RLTRADER_TRAIN_FROM": "2025-01-06",
        "RLTRADER_TRAIN_SET": "contracts=3",
        "RLTRADER_TRAIN_CONFIG": str(tmp_path / "run.toml"),
        "RLTRADER_TRAIN_OUT": str(tmp_path / "out"),
        "RLTRADER_TRAIN_NORM_REWARD": "0",
    }
    done = CliRunner().invoke(app, ["train"], env=environment)
    assert str(done.exception) == "seen"
    assert (given["total_timesteps"], given["n_steps"], given["n_envs"]) == (1000, 64, 6)
    assert (given["bars"].symbols, given["first"]) == (("NQ",), "2025-01-06")
    assert given["overrides"] == ("contracts=2", 'session="all"', "contracts=3")
    assert given["norm_reward"] is False
    own = {one.envvar for one in train.train.params}  # the command itself is as it was
    assert own == {None, "RLTRADER_REQUIRE_KEY"}


def options_of(group: click.Group, within: click.Context) -> Iterator[tuple[str, click.Option]]:
    """Yield every option as the command line finds it, with the variable that its words name."""
    for name in group.list_commands(within):
        one = group.get_command(within, name)
        assert one is not None
        here = click.Context(one, parent=within, info_name=name)
        if isinstance(one, click.Group):
            yield from options_of(one, here)
        for param in one.params:
            if isinstance(param, click.Option):
                yield f"{here.auto_envvar_prefix}_{name_of(param)}".upper(), param


def test_every_option_of_every_command_has_the_variable_that_its_words_name() -> None:
    """Click goes by the names of parameters, so that ``parity run --data`` would be ``..._FILES``."""
    found = dict(options_of(app, click.Context(app, auto_envvar_prefix="RLTRADER")))
    assert {"RLTRADER_PARITY_RUN_DATA", "RLTRADER_DATA_CHECK_TZ", "RLTRADER_EXPORT_BUNDLE_TO"} <= set(
        found
    )
    wrong = {name: one.envvar for name, one in found.items() if one.envvar != name}
    assert set(wrong.values()) <= {"RLTRADER_REQUIRE_KEY"}


def test_names_that_help_shows_are_those_of_what_it_does_not_import() -> None:
    assert tuple(FORMATS) == FILE_FORMATS
    assert proof.CERTIFICATE == CERTIFICATE
    assert tuple(search.PRUNERS) == command.PRUNERS


def test_every_command_that_reads_bars_reads_them_by_the_same_options() -> None:
    reading = {"--format", "--tz", "--snap", "--instrument", "--stamped"}
    found = {
        path: {option for param in one.params for option in param.opts}
        for path, one in commands_of(app)
    }
    with_data = {path for path, options in found.items() if "--data" in options}
    assert with_data == {
        "advise batch forget",
        "advise batch read",
        "advise batch write",
        "advise replay",
        "advise run",
        "evaluate",
        "export day",
        "export verify",
        "parity case",
        "parity run",
        "replay",
        "sweep",
        "train",
        "walk-forward",
    }
    for path in with_data:
        assert reading | {"--accept-problems"} <= found[path], path
    assert reading <= found["data check"]


def test_the_proof_of_a_bundle_can_be_asked_for_where_there_are_no_resource_limits() -> None:
    """Windows has no module ``resource``."""
    code = "sys.modules['resource'] = None\nimport rltrader.export_verify"
    assert modules_after(code, ("resource",)) == "['resource']"
