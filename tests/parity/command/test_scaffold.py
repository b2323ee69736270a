"""A first pair is written from a look at both sides, in the order of the port's state."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.errors import InputError
from parity.command.scaffold import look_at_port, scaffold
from tests.parity.command.factories import nothing

HERE = "tests.parity.command.factories"


def test_cartpole_is_matched_and_only_its_domains_are_left_to_do() -> None:
    text, todo = scaffold(f"{HERE}:cartpole", f"{HERE}:CartPole")
    assert 'NAMES = ("x", "x_dot", "theta", "theta_dot")' in text
    assert "env.state = np.array([state[name] for name in NAMES])" in text
    compile(text, "parity_pair.py", "exec")
    assert todo[0] == "see that NAMES has the order of env.state"


def test_what_cannot_be_matched_is_left_to_complete_with_what_was_seen() -> None:
    text, todo = scaffold(f"{HERE}:cartpole", f"{HERE}:Pendulum")
    assert "the port's state has theta, theta_dot, last_u" in text
    assert "complete read and write" in todo


def test_other_kinds_are_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Gymnasium environment; write the pair by hand"):
        scaffold(f"{HERE}:nothing", f"{HERE}:CartPole")
    with pytest.raises(InputError, match="without the methods of a gymnax environment"):
        look_at_port(nothing)
