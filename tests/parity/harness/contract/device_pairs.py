"""Pairs for another process: a port that is the same on any number of devices, one that is not, and one
whose steps draw."""

from __future__ import annotations

from typing import Any

import jax

from parity import Port
from tests.parity.harness.lander import pair, program

honest = pair()
depends = pair(Port.functional(lambda: program(gravity=0.1 if jax.device_count() == 1 else 0.11)))


def paid_by_chance() -> Any:
    plain = program()

    def step(key: Any, state: Any, action: Any) -> Any:
        out = plain.step(key, state, action)
        return (*out[:2], jax.random.uniform(key), *out[3:])

    return plain._replace(step=step)


drawing = pair(Port.functional(paid_by_chance))
