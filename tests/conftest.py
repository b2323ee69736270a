"""Settings that hold for every test."""

import os
from pathlib import Path

from foundation.provenance import KNOWN_XLA_FLAGS

pytest_plugins = ["tests.sentences", "tests.costly", "tests.snapshots", "tests.one_order"]

# Two readings of one page are compared here, so nothing may be promoted or broadcast in silence.
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Half of the tests' time would be the compiler's. Unoptimised programs give the same bits here; the
# gate, and the nightly sessions, which set an empty XLA_FLAGS, run what users run.
FASTEST = "--xla_backend_optimization_level=0"
if os.environ.setdefault("XLA_FLAGS", FASTEST) == FASTEST:
    os.environ[KNOWN_XLA_FLAGS] = FASTEST

# What one process compiled, another need not: tests start children, and run twice.
_COMPILED = Path(__file__).parent.parent / ".pytest_cache" / "compiled"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_COMPILED))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
