"""The phases there are, and which of them a configuration or a set of parameters belongs to."""

from __future__ import annotations

from jax_port.env_phase1_jax import PHASE_1, EnvParams, Phase
from jax_port.env_phase2_jax import PHASE_2
from markets import EnvConfig

PHASES = {1: PHASE_1, 2: PHASE_2}
"""By number."""


def phase_of(owner: EnvConfig | EnvParams) -> Phase:
    """Return the phase of a configuration, or of parameters made from one (known when tracing)."""
    return PHASES[owner.phase]
