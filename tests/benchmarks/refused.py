"""The message of a command line that is refused."""

from __future__ import annotations

from functools import partial

import click
import jax
import pytest

from foundation.errors import run_command
from tests.sentences import check_sentence


def refused(command: click.Command, capsys: pytest.CaptureFixture[str], *arguments: str) -> None:
    """Require that a command line ends with exit code 2 and a sentence, without a traceback."""
    jax.devices()  # a command may ask for several, which would be there for every test that follows
    with pytest.raises(SystemExit) as ended:
        run_command(partial(command, list(arguments)))
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert "Traceback" not in message
    *usage, last = message.strip().splitlines()
    assert usage == [] or usage[0].startswith("Usage: ")
    assert last.lower().startswith("error: ")  # click begins with a capital
    check_sentence(last[len("error: ") :])
