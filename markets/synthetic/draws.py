"""Random numbers that come out the same on every machine and with every NumPy.

NumPy promises that the raw 64-bit output of a bit generator never changes; it promises no such thing
for ``standard_normal``, and the last bit of ``exp`` depends on the processor. So everything random
here is made from raw output by integer arithmetic, and everything else from + - * / alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError

_LANES = np.uint64(0x0000_FFFF_0000_FFFF)
_LOW = np.uint64(0xFFFF_FFFF)
_SUM_MEAN = 2.0 * 65535.0
_SUM_SD = float(np.sqrt((65536.0**2 - 1.0) / 3.0))
"""Mean and standard deviation of the sum of four whole numbers that are uniform on 0 to 65,535."""


def check_seed(seed: int) -> int:
    """Return the seed.

    Raises:
        InputError: it is not a whole number of at least zero.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise InputError(f"seed is {seed!r}; it must be a whole number, at least 0")
    return seed


class Stream:
    """An endless sequence of draws that depends on a seed and a label, and on nothing else."""

    def __init__(self, seed: int, label: str) -> None:
        name = int.from_bytes(hashlib.sha256(label.encode()).digest()[:8], "little")
        self._bits = np.random.PCG64(np.random.SeedSequence([check_seed(seed), name]))

    def raw(self, *shape: int) -> NDArray[np.uint64]:
        """Return uint64 draws; a longer request begins with the shorter one's numbers."""
        count = int(np.prod(shape, dtype=np.int64))
        return np.asarray(self._bits.random_raw(count), np.uint64).reshape(shape)

    def uniforms(self, *shape: int) -> NDArray[np.float64]:
        """Return float64 uniform on [0, 1)."""
        return to_uniforms(self.raw(*shape))

    def normals(self, *shape: int) -> NDArray[np.float64]:
        """Return float64 of mean 0 and variance 1, nearly normal (see :meth:`normals_and_bits`)."""
        return self.normals_and_bits(*shape)[0]

    def normals_and_bits(self, *shape: int) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
        """Return nearly normal draws and, for each, a uint64 whose low two bits are fair coins.

        A draw is the sum of four 16-bit uniforms: excess kurtosis -0.3, nothing beyond 3.47 standard
        deviations. Heavy tails have to come from a model's changing volatility.
        """
        raw = self.raw(*shape)
        pairs = (raw & _LANES) + ((raw >> np.uint64(16)) & _LANES)
        total = (pairs & _LOW) + (pairs >> np.uint64(32))
        normals = total.astype(np.float64)
        normals -= _SUM_MEAN
        normals /= _SUM_SD
        return normals, total


def to_uniforms(raw: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return raw 64-bit draws as float64 on [0, 1), from their upper 53 bits."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


def hashed(seed: int, label: str, keys: NDArray[np.int64], width: int) -> NDArray[np.uint64]:
    """Return ``width`` uint64 draws for each key, independent of which other keys are asked for.

    Args:
        seed: whole number, at least 0.
        label: what the draws are for.
        keys: int64, shape (T,).
        width: draws per key.

    Returns:
        Shape (T, width). The mixing is that of splitmix64.
    """
    digest = hashlib.sha256(f"{label}/{check_seed(seed)}".encode()).digest()
    start = _mix(keys.astype(np.uint64) ^ np.uint64(int.from_bytes(digest[:8], "little")))
    steps = np.arange(1, width + 1, dtype=np.uint64) * np.uint64(0x9E37_79B9_7F4A_7C15)
    return _mix(start[:, None] + steps[None, :])


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58_476D_1CE4_E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D0_49BB_1331_11EB)
    return x ^ (x >> np.uint64(31))


def exponential(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e to the x for ``abs(x) < 20``, to 1e-7 for ``abs(x) < 1``, by + - * / alone."""
    step = x / 2048.0
    power = (1.0 + step) / (1.0 - step)
    for _ in range(10):
        power = power * power
    return power


def autoregression(noise: NDArray[np.float64], persistence: float) -> NDArray[np.float64]:
    """Return a stationary AR(1) of variance 1 along the last axis.

    Args:
        noise: draws of variance 1, any shape; each row of the last axis starts afresh.
        persistence: correlation of one value with the next, 0 to 1.

    Returns:
        float64 of the same shape.
    """
    fresh = float(np.sqrt(1.0 - persistence * persistence))
    values = np.empty_like(noise)
    values[..., 0] = noise[..., 0]
    for i in range(1, noise.shape[-1]):  # rows are short and many: one pass over columns is fast
        values[..., i] = persistence * values[..., i - 1] + fresh * noise[..., i]
    return values
