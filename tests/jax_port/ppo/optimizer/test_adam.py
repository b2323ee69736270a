"""Adam's correction of its moments, early and late, and steps beside torch's own."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from jax_port.ppo.optimizer import adam


@pytest.mark.parametrize("count", [1, 2, 36, 100, 1_999, 2_000, 10_000, 70_000, 2**31 - 1])
@pytest.mark.parametrize("beta", [adam.BETA_1, adam.BETA_2])
def test_the_correction_is_one_less_a_power_at_any_count(beta: float, count: int) -> None:
    found = adam._correction(beta, jnp.int32(count))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, -np.expm1(count * np.log(beta)), rtol=3e-7)


@pytest.mark.parametrize("count", [0, 99, 1_998, 9_999])
def test_a_step_at_any_count_is_torch_s(count: int) -> None:
    rng = np.random.default_rng(count)
    weights, grads, mean = (rng.normal(size=8).astype(np.float32) for _ in range(3))
    square = np.square(rng.normal(size=8)).astype(np.float32)
    theirs = torch.nn.Parameter(torch.tensor(weights))
    optimizer = torch.optim.Adam([theirs], lr=1e-2, eps=adam.EPS)
    optimizer.state[theirs] = {
        "step": torch.tensor(float(count)),
        "exp_avg": torch.tensor(mean),
        "exp_avg_sq": torch.tensor(square),
    }
    theirs.grad = torch.tensor(grads)
    optimizer.step()
    state = adam.init(jnp.asarray(weights))._replace(
        count=jnp.int32(count), mu=jnp.asarray(mean), nu=jnp.asarray(square)
    )
    moved, after = adam.update(jnp.asarray(weights), jnp.asarray(grads), state, jnp.float32(1e-2))
    assert int(after.count) == count + 1
    np.testing.assert_allclose(moved, theirs.detach().numpy(), rtol=1e-6, atol=1e-7)
