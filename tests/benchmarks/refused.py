"""The message of a command line that is refused."""

from __future__ import annotations

from functools import partial

import click
import jax
import pytest

from foundation.errors import run_command


def refusal(command: click.Command, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the sentence of a command line that ends with exit code 2, without a traceback."""
    jax.devices()  # a command may ask for several, which would be there for every test that follows
    with pytest.raises(SystemExit) as ended:
        run_command(partial(command, list(arguments)))
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    *usage, last = message.strip().splitlines()
    assert usage == [] or usage[0].startswith("Usage: ")
    assert last.lower().startswith("error: ")
    return last
