"""Whole episodes: the precision that they are played with, and what one of several batches is."""

from __future__ import annotations

from typing import Any, NoReturn

import jax
import numpy as np
import pytest

from jax_port.data.data_loader import stack
from jax_port.envs.registry import phase_of
from jax_port.evaluation.episodes import play_actor
from tests.jax_port.evaluation.conftest import Week


class Asked(Exception):
    """Holds the precision of matrix products where an actor chooses."""


class Asks:
    """An actor that tells how its products would be taken, and plays no step."""

    def __call__(self, *_: Any) -> NoReturn:
        raise Asked(jax.config.jax_default_matmul_precision)


@pytest.mark.parametrize("outside", ["bfloat16", "tensorfloat32", None])
def test_products_are_float32_whatever_is_set_around_it(week: Week, outside: str | None) -> None:
    """Elsewhere than on a CPU the default is less, and an action could be another one."""
    config = week.policy.config
    params = phase_of(config).make_params(stack([week.market]), config)
    with jax.default_matmul_precision(outside), pytest.raises(Asked, match=r"^highest"):
        next(play_actor(Asks(), None, params, np.arange(3), 3))
    assert jax.config.jax_default_matmul_precision != "highest"
