"""A digest of arrays that covers their names, types and shapes as well as their numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def array_digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of arrays by name, in hex; the order of the names does not count."""
    h = hashlib.sha256()
    for name, value in sorted(arrays.items()):
        h.update(f"{name} {value.dtype.str} {value.shape};".encode())
        h.update(np.ascontiguousarray(value).data)
    return h.hexdigest()
