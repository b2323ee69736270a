"""Cheap random bits: exact draws and no visible bias."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from jax_port.envs.fast_rng import below, spread_bits, spread_words

COUNT = 100_000


@settings(deadline=None, max_examples=300)
@given(
    st.integers(0, 2**32 - 1),
    st.one_of(st.integers(1, 2**24), st.sampled_from([2**16 - 1, 2**16, 2**16 + 1])),
)
@example(2**32 - 1, 2**24)
@example(2**32 - 1, 2**24 - 1)
@example(2**32 - 1, 2**16)
@example(0, 1)
def test_below_is_the_high_word_of_the_product(bits: int, bound: int) -> None:
    drawn = below(jnp.uint32(bits), bound)
    assert drawn.dtype == jnp.int32
    assert int(drawn) == (bits * bound) >> 32


@pytest.mark.parametrize("bound", [0, 2**24 + 1])
def test_a_bound_it_cannot_multiply_is_refused(bound: int) -> None:
    with pytest.raises(AssertionError):
        below(jnp.uint32(1), bound)


def test_signed_bits_are_refused() -> None:
    with pytest.raises(AssertionError):
        below(jnp.int32(1), 3)


@pytest.mark.parametrize("bound", [3, 7, 1000])
@pytest.mark.parametrize("seed", [0, 1])
def test_draws_of_one_key_are_uniform(bound: int, seed: int) -> None:
    draws = np.asarray(below(spread_bits(jax.random.key(seed), COUNT), bound))
    assert draws.min() >= 0
    assert draws.max() < bound
    assert chisquare(np.bincount(draws, minlength=bound)).pvalue > 1e-3


@pytest.mark.parametrize("environment", [0, 1, 4095])
def test_draws_of_one_environment_are_uniform_over_keys(environment: int) -> None:
    keys = jax.random.split(jax.random.key(5), 20_000)
    bits = jax.jit(jax.vmap(lambda key: spread_bits(key, 4096)[environment]))(keys)
    draws = np.asarray(below(bits, 50))
    assert chisquare(np.bincount(draws, minlength=50)).pvalue > 1e-3


def test_every_bit_is_set_half_of_the_time() -> None:
    bits = np.asarray(spread_bits(jax.random.key(2), COUNT))
    ones = ((bits[:, None] >> np.arange(32, dtype=np.uint32)) & 1).sum(0)
    # Five standard deviations of a fair coin.
    assert np.abs(ones - COUNT / 2).max() < 5 * np.sqrt(COUNT) / 2


def test_neighbouring_environments_draw_independently() -> None:
    draws = np.asarray(below(spread_bits(jax.random.key(3), COUNT), 10))
    pairs = np.bincount(draws[:-1:2] * 10 + draws[1::2], minlength=100)
    assert chisquare(pairs).pvalue > 1e-3


def test_following_keys_draw_independently() -> None:
    first, second = jax.random.split(jax.random.key(4))
    draws = [np.asarray(below(spread_bits(key, COUNT), 10)) for key in (first, second)]
    assert chisquare(np.bincount(draws[0] * 10 + draws[1], minlength=100)).pvalue > 1e-3


def test_words_of_one_key_differ_and_repeat_with_the_key() -> None:
    bits = np.asarray(spread_bits(jax.random.key(0), COUNT))
    assert len(np.unique(bits)) == COUNT
    assert (bits == np.asarray(spread_bits(jax.random.key(0), COUNT))).all()
    assert (bits != np.asarray(spread_bits(jax.random.key(1), COUNT))).mean() > 0.99


@pytest.mark.parametrize("begin", [0, 1, 5, 2**16 - 1, 2**16, 2**20, 2**24 + 3, 2**31, 2**32 - 20])
def test_words_that_begin_later_are_the_later_words(begin: int) -> None:
    """Of environments that are drawn for in portions, none has the words of another's portion."""
    words = jax.random.bits(jax.random.key(6), (2,))
    number = np.arange(begin, begin + 9, dtype=np.uint64)

    def mixed(x: np.ndarray) -> np.ndarray:
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor) & np.uint64(2**32 - 1)
        return x ^ (x >> np.uint64(16))

    first, second = (np.uint64(word) for word in np.asarray(words))
    low = np.uint64(2**32 - 1)
    expected = mixed((mixed((number + first) & low) + second) & low)
    np.testing.assert_array_equal(spread_words(words, 9, begin), expected.astype(np.uint32))
    assert not set(expected.tolist()) & set(np.asarray(spread_words(words, 9, begin + 9)).tolist())
