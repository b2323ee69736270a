"""What a benchmark says to options that it can't use."""

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
    said = capsys.readouterr().err
    assert "Traceback" not in said
    *usage, last = said.strip().splitlines()
    assert usage == [] or usage[0].startswith("Usage: ")
    assert last.lower().startswith("error: ")
    return last
