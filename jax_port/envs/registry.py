"""The phases there are, and which of them a configuration or a set of parameters belongs to."""

from __future__ import annotations

from jax_port.envs.env_phase1_jax import PHASE_1, Phase
from jax_port.envs.env_phase2_jax import PHASE_2
from jax_port.envs.intrabar import with_seconds
from jax_port.envs.state import EnvParams
from markets import EnvConfig

PHASES = {1: PHASE_1, 2: PHASE_2}
"""By number."""


def phase_of(owner: EnvConfig | EnvParams) -> Phase:
    """Return the phase of a configuration, or of parameters made from one (known when tracing).

    Parameters with seconds have an environment that looks at every second.
    """
    phase = PHASES[owner.phase]
    seconds = isinstance(owner, EnvParams) and owner.seconds is not None
    return with_seconds(phase) if seconds else phase
