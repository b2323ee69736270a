"""What a pair's own code raises is told with file and line; what the harness raises stays its fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from foundation.errors import InputError
from parity import Port
from parity.command.foreign import their_errors, where_raised
from parity.command.main import app
from parity.harness.trees import cast
from tests.parity.harness.lander import mutable, pair, program, read, write
from tests.sentences import check_error


def _broken() -> Any:
    raise RuntimeError("no such environment")


def _step(key: Any, state: Any, action: Any) -> Any:
    return state.nothing


def _read(ship: Any) -> Any:
    return {"height": ship.altitude}


without_factory = pair(Port.functional(_broken))
without_step = pair(Port.functional(lambda: program()._replace(step=_step)))
wrong_read = pair(reference=mutable())
wrong_read.reference.read = _read  # type: ignore[attr-defined]


without_reference = pair(
    reference=Port.mutable(_broken, read, write, lambda one, seed: None, lambda one, action: None)
)


@pytest.mark.parametrize(
    "name",
    [
        "without_factory",
        "without_step",
        "wrong_read",
    ],
)
def test_an_error_of_the_pair_s_code_is_a_sentence_with_its_place(name: str) -> None:
    place = f"tests.parity.command.test_foreign:{name}"
    result = CliRunner().invoke(app, ["check", place, "--quiet"])
    check_error(result.exception, r"line \d+")


@pytest.mark.parametrize("command", ["alarms", "mutate"])
def test_every_command_that_drives_a_pair_tells_its_errors(command: str, tmp_path: Path) -> None:
    place = "tests.parity.command.test_foreign:without_reference"
    result = CliRunner().invoke(app, [command, place, "--quiet", "--out", str(tmp_path)])
    check_error(result.exception, r"line \d+")


def test_an_error_of_the_harness_s_own_is_not_put_on_the_pair() -> None:
    def own() -> Any:
        return cast("x", np.array(["a"]), float)  # numpy's, called by the harness

    with pytest.raises(ValueError, match="could not convert") as raised, their_errors():
        own()
    assert not isinstance(raised.value, InputError)
    assert where_raised(raised.value) is None


@pytest.mark.parametrize("call", ["numpy.linalg.inv(numpy.zeros((2, 3)))", "json.loads('{')"])
def test_what_the_harness_itself_does_wrong_is_not_put_down_to_a_pair(call: str) -> None:
    names = {"__name__": "parity.harness.judge"}
    exec(f"import json, numpy\ndef wrong():\n    {call}\n", names)
    wrong: Any = names["wrong"]
    with pytest.raises(ValueError, match=r"square|Expecting") as raised, their_errors():
        wrong()
    assert not isinstance(raised.value, InputError)
