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


def chain(*modules: str, body: str = "raise OSError('gone\\nmore')") -> Any:
    """Return a function of the first module, which calls one of the second, and so on to an error."""
    call: Any = None
    for number, module in reversed(list(enumerate(modules))):
        names: dict[str, Any] = {"__name__": module, "call": call}
        line = body if call is None else "call()"
        code = f"\ndef step{number}():\n    {line}\n"
        exec(compile(code, f"/somewhere/{module}.py", "exec"), names)
        call = names[f"step{number}"]
    return call


@pytest.mark.parametrize(
    ("modules", "place"),
    [
        (("parity.harness.judge", "my_pair"), "my_pair.py, line 3, in step1,"),
        (("parity.harness.judge", "my_pair", "numpy.linalg"), "my_pair.py, line 3, in step1,"),
        (("parity.harness.judge", "my_pair", "his_lib", "torch"), "my_pair.py, line 3, in step1,"),
        (
            ("parity.harness.judge", "my_pair", "parity.harness.sides.side", "his_lib"),
            "his_lib.py, line 3, in step3,",
        ),
        (("parity.harness.judge", "parity.harnessing", "x"), "parity.harnessing.py, line 3, in step1,"),
        (("parity.harness.judge", "numpy_like"), "numpy_like.py, line 3, in step1,"),
        (("my_pair",), None),  # called by this test, which calls no pair's code
        (("parity.harness.judge", "jax._src.core", "my_pair"), None),
        (("parity.harness.judge", "json.decoder", "my_pair"), None),
        (("parity.harness.judge", "my_pair", "foundation.files"), None),
        (("parity.harness.judge",), None),
    ],
)
def test_an_error_is_put_down_to_the_first_line_that_is_nobody_s_of_ours(
    modules: tuple[str, ...], place: str | None
) -> None:
    with pytest.raises(OSError, match="gone") as raised:
        chain(*modules)()
    found = where_raised(raised.value)
    if modules == ("my_pair",):
        assert found is not None
        assert found.startswith("test_foreign.py, line ")
        return
    assert found == place
    if place is None:
        with pytest.raises(OSError, match="gone") as again, their_errors():
            chain(*modules)()
        assert again.value.args == ("gone\nmore",)
    else:
        with pytest.raises(InputError) as told, their_errors():
            chain(*modules)()
        assert str(told.value) == f"{place} raises OSError: gone"


def test_a_line_outside_of_a_function_has_no_name_and_a_message_an_end() -> None:
    body = "(lambda: 1 / 0)()"
    with pytest.raises(InputError) as told, their_errors():
        chain("parity.harness.judge", "my_pair", body=body)()
    assert str(told.value) == "my_pair.py, line 3, in step1, raises ZeroDivisionError: division by zero"
    names: dict[str, Any] = {"__name__": "my_pair"}
    exec(compile("\nmade = lambda: 1 / 0", "/a/my_pair.py", "exec"), names)
    ours: dict[str, Any] = {"__name__": "parity.harness.judge", "made": names["made"]}
    exec("def judge(): made()", ours)
    with pytest.raises(InputError) as told, their_errors():
        ours["judge"]()
    assert str(told.value) == "my_pair.py, line 2 raises ZeroDivisionError: division by zero"
    with pytest.raises(InputError) as told, their_errors():
        chain("parity.harness.judge", "my_pair", body="raise ValueError('x' * 400)")()
    assert str(told.value).endswith("ValueError: " + "x" * 300)


def test_bad_input_that_a_pair_tells_itself_stays_as_it_is() -> None:
    sentence = InputError("no such ship; name another")
    with pytest.raises(InputError) as told, their_errors():
        raise sentence
    assert told.value is sentence
