"""Settings of the learner that a command line gives, a zero among them."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from jax_port.ppo.settings import TrainSettings
from rltrader.options.training import chosen_settings, settings_options

SEEN: dict[str, Any] = {}


@click.command()
@settings_options
def command(**options: Any) -> None:
    """Remember what was chosen."""
    SEEN.clear()
    SEEN.update(chosen_settings(options))


@pytest.mark.parametrize("name", ["ent_coef", "vf_coef", "gamma", "gae_lambda", "seed"])
def test_a_zero_is_a_choice(name: str) -> None:
    done = CliRunner().invoke(command, [f"--{name.replace('_', '-')}", "0"])
    assert done.exit_code == 0, done.output
    assert dict(SEEN) == {name: 0}
    assert getattr(TrainSettings().override(**SEEN), name) == 0


def test_what_is_not_given_is_not_chosen() -> None:
    assert CliRunner().invoke(command, []).exit_code == 0
    assert not SEEN
