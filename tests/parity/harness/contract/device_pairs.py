"""Pairs for another process: a port that is the same on any number of devices, and one that is not."""

from __future__ import annotations

import jax

from parity import Port
from tests.parity.harness.lander import pair, program

honest = pair()
depends = pair(Port.functional(lambda: program(gravity=0.1 if jax.device_count() == 1 else 0.11)))
