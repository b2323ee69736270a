"""Lines of the port that were run are told from those that were not, and only while it is at work."""

from __future__ import annotations

import jax.numpy as jnp

from foundation.import_closure import PACKAGES_ROOT
from jax_port.ppo.minibatches import in_turn
from parity.engine.report import FileLines
from parity.pairs.port_lines import (
    add_lines,
    function_statements,
    lines_of_port,
    port_at_work,
    recording,
)

ORDERS = jnp.zeros((1, 1, 8), jnp.int32)
FILE = "jax_port/ppo/minibatches.py"
SOURCE = '''
LIMIT = 1


def first(value):
    """Docstring."""
    pass
    if value > (
        LIMIT
    ):
        return value
    def inner():
        return (
            value
        )
    return inner
'''


def test_statements_are_those_inside_functions() -> None:
    assert function_statements(SOURCE) == {
        8: range(8, 11),
        11: range(11, 12),
        12: range(12, 13),
        13: range(13, 16),
        16: range(16, 17),
    }


def test_ranges_of_lines_never_run() -> None:
    lines = FileLines(frozenset({3, 4, 8, 9, 12}), frozenset({8}))
    assert lines.to_dict() == {"lines": 5, "ran": 1, "never": [[3, 4], [9, 12]]}
    merged = lines.merge(FileLines(lines.able, frozenset({3, 12})))
    assert merged.to_dict()["never"] == [[4, 4], [9, 9]]


def test_lines_are_recorded_while_the_port_is_at_work() -> None:
    source = (PACKAGES_ROOT / FILE).read_text()
    with recording() as recorder:
        in_turn(ORDERS, 4)
        assert recorder.executed() == {}
        with port_at_work(), port_at_work():
            in_turn(ORDERS, 4)
        executed = recorder.executed()
    assert set(executed) == {FILE}
    told = lines_of_port(["jax_port.ppo.minibatches"], executed)
    assert 0 < len(told[FILE].ran) < len(told[FILE].able) == len(function_statements(source))
    assert all(one.able for one in told.values())  # a file of no functions is none of them
    assert "jax_port/ppo/__init__.py" not in told
    again = {FILE: {1}}
    add_lines(again, executed)
    assert again[FILE] == {1} | executed[FILE]
    with port_at_work():  # nobody records: nothing happens
        in_turn(ORDERS, 4)


NOTHING = """
async def late(value):
    count: int
    total: int = 1
    global LIMIT
    "a text"
    async for one in value(
        total
    ):
        pass
        await one

    class Inner:
        def deep(self):
            nonlocal total
            return (
                total
            )
"""


def test_what_compiles_to_nothing_is_no_statement_and_heads_of_blocks_are_their_own() -> None:
    assert function_statements(NOTHING) == {
        4: range(4, 5),
        7: range(7, 10),
        11: range(11, 12),
        13: range(13, 14),
        14: range(14, 15),
        16: range(16, 19),
    }


def test_a_statement_ran_if_any_of_its_lines_did() -> None:
    statements = function_statements((PACKAGES_ROOT / FILE).read_text())
    first, lines = next((first, lines) for first, lines in statements.items() if len(lines) > 1)
    for line in lines:
        told = lines_of_port(["jax_port.ppo.minibatches"], {FILE: {line}})
        assert told[FILE].ran == {first}
    assert lines_of_port(["jax_port.ppo.minibatches"], {FILE: {1}})[FILE].ran == frozenset()


def test_recording_goes_on_after_a_block_within_has_ended() -> None:
    with recording() as recorder, port_at_work():
        with port_at_work():
            pass
        in_turn(ORDERS, 4)
    assert set(recorder.executed()) == {FILE}
    with port_at_work():
        pass
    assert set(recorder.executed()) == {FILE}
