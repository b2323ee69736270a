"""Pairs that the tests of the command name."""

from parity import Port
from tests.parity.harness.lander import pair, program

honest = pair()
heavy = pair(Port.functional(lambda: program(gravity=0.1001)))


def made():
    """Return a pair."""
    return pair()


number = 3
