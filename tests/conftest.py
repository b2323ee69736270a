"""Settings that hold for every test."""

import os

# Two readings of one page are compared here, so nothing may be promoted or broadcast in silence.
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
os.environ.setdefault("JAX_NUMPY_DTYPE_PROMOTION", "strict")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
