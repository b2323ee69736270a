"""Random numbers: the same everywhere, with the moments that they promise."""

from __future__ import annotations

import numpy as np
import pytest

from markets.synthetic.draws import Stream, autoregression, exponential, hashed, to_uniforms
from tests.sentences import refuses


def test_literal_draws() -> None:
    # PCG64's raw output is promised never to change; the hash is integer arithmetic.
    assert Stream(7, "x").raw(2).tolist() == [318098186860616044, 7977655645970549720]
    assert hashed(7, "x", np.array([0, 1]), 2).tolist() == [
        [11870668712457568331, 6566188147013736193],
        [14407414185321763784, 15802942271020082389],
    ]


def test_uniforms_are_the_upper_53_bits() -> None:
    raw = np.array([0, 2**63, 2**64 - 1, 2**11 - 1], np.uint64)
    assert to_uniforms(raw).tolist() == [0.0, 0.5, 1 - 2.0**-53, 0.0]


def test_streams_differ_by_seed_and_label_and_longer_requests_begin_with_shorter() -> None:
    first = Stream(1, "a").raw(10)
    assert first.tolist() == Stream(1, "a").raw(4, 5).ravel()[:10].tolist()
    assert first.tolist() != Stream(2, "a").raw(10).tolist()
    assert first.tolist() != Stream(1, "b").raw(10).tolist()


def test_hashed_rows_depend_on_their_key_alone() -> None:
    keys = np.array([5, -3, 10**18])
    assert hashed(1, "a", keys, 4)[1:].tolist() == hashed(1, "a", keys[1:], 4).tolist()
    assert hashed(1, "a", keys, 4).tolist() != hashed(2, "a", keys, 4).tolist()


def test_normals_have_unit_moments_and_fair_independent_coins() -> None:
    x, total = Stream(3, "n").normals_and_bits(200_000)
    assert x.mean() == pytest.approx(0, abs=0.01)
    assert x.std() == pytest.approx(1, abs=0.01)
    assert np.mean(x**4) == pytest.approx(2.7, abs=0.05)  # four uniforms: 3 - 1.2 / 4
    assert np.abs(x).max() < 3.4642
    coin = (total & np.uint64(1)).astype(float)
    assert coin.mean() == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(coin, x)[0, 1]) < 0.01


def test_exponential_without_libm() -> None:
    x = np.linspace(-3, 3, 301)
    np.testing.assert_allclose(exponential(x), np.exp(x), rtol=3e-6)
    assert exponential(np.zeros(1)).tolist() == [1.0]


def test_autoregression_is_stationary() -> None:
    rows = autoregression(Stream(4, "ar").normals(20_000, 12), 0.8)
    np.testing.assert_allclose(rows.std(axis=0), 1, atol=0.03)
    assert np.corrcoef(rows[:, 4], rows[:, 5])[0, 1] == pytest.approx(0.8, abs=0.02)
    # 0.5 x 1 + sqrt(0.75) x 2, then half of that
    literal = autoregression(np.array([1.0, 2.0, 0.0]), 0.5)
    assert literal == pytest.approx([1.0, 2.2320508075688772, 1.1160254037844386])


@pytest.mark.parametrize("seed", [-1, 1.5, True, "1"])
def test_a_seed_is_a_whole_number(seed: object) -> None:
    with refuses():
        Stream(seed, "x")


def test_a_seed_counts_with_all_its_digits() -> None:
    """Beyond a thousand, and beyond 32 and 64 bits."""
    seeds = [7, 1007, 2**31 + 7, 2**32 + 7, 2**53 + 7, 2**63 + 7, 2**64 + 7]
    keys = np.array([3, 4 + 2**32, 4 + 2**33, 4])
    assert len({tuple(Stream(seed, "x").raw(2).tolist()) for seed in seeds}) == len(seeds)
    rows = [tuple(row) for seed in seeds for row in hashed(seed, "x", keys, 2).tolist()]
    assert len(set(rows)) == len(seeds) * len(keys)


def test_a_number_more_of_each_key_leaves_the_first_ones() -> None:
    keys = np.array([9, 2])
    assert hashed(1, "a", keys, 5)[:, :3].tolist() == hashed(1, "a", keys, 3).tolist()
    assert hashed(1, "a", keys, 0).shape == (2, 0)
    assert hashed(1, "a", keys[:0], 3).shape == (0, 3)
