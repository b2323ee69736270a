"""Fast random bits for choices that only have to be fair: restarts and random actions.

JAX's default generator spends a 20-round Threefry hash on two words, which on a CPU costs as much
as the step of the environment it serves. Here one such hash makes a key of two words, and each
environment's number is mixed with it by 32-bit integer hashing, a few instructions a draw.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def _mix(x: jax.Array) -> jax.Array:
    """Return a bijective mix of uint32 words (xor-shift-multiply; Wellons' constants, 2018)."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def spread_bits(key: jax.Array, count: int) -> jax.Array:
    """Return ``count`` words of random bits from one key: uint32, shape (count,).

    Not for cryptography, and not for numbers that are compared between keys: within one key the
    words are a hash of 0 .. count - 1, all different before the second mix.
    """
    return spread_words(jax.random.bits(key, (2,)), count)


def spread_words(words: jax.Array, count: int, begin: int = 0) -> jax.Array:
    """Return ``count`` words of random bits, uint32 (count,), from two random ones, uint32 (2,).

    Args:
        words: random.
        count: how many.
        begin: number of the first of them; another's are others.
    """
    first, second = words
    first = first + jnp.uint32(begin)
    return _mix(_mix(jnp.arange(count, dtype=jnp.uint32) + first) + second)


def below(bits: jax.Array, bound: int) -> jax.Array:
    """Turn random words into uniform draws from 0 .. bound - 1, int32 of the same shape.

    The draw is the high word of bits x bound, whose bias is below bound / 2^32; a remainder would
    cost an integer division.

    Args:
        bits: uint32.
        bound: 1 to 2^24.
    """
    assert bits.dtype == jnp.uint32, bits.dtype
    assert 1 <= bound <= 2**24, bound
    # 32 x 24 -> 64 bits in 32-bit words: the bound's high half is below 2^8, so no sum overflows.
    low, high = bits & 0xFFFF, bits >> 16
    bound_low, bound_high = bound & 0xFFFF, bound >> 16
    carry = (low * bound_low) >> 16
    middle = high * bound_low
    rest = low * bound_high + carry + (middle & 0xFFFF)
    return (high * bound_high + (middle >> 16) + (rest >> 16)).astype(jnp.int32)
