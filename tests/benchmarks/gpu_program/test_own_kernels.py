from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.experimental import pallas as pl

from benchmarks.gpu_program.hlo import parse
from benchmarks.gpu_program.kernels import program_of
from benchmarks.gpu_program.own_kernels import own_kernels, products

ONE = 2.0 * 16 * 32 * 32
"""Operations of one product of (16, 32) and (32, 32)."""


def kernel(x: Any, w: Any, out: Any) -> None:
    def turn(_: int, total: jax.Array) -> jax.Array:
        return total + x[...] @ w[...]

    out[...] = jax.lax.fori_loop(0, 3, turn, jnp.zeros(out.shape, out.dtype))


def run(x: jax.Array, w: jax.Array) -> jax.Array:
    rows = pl.BlockSpec((16, 32), lambda i: (i, 0))

    def step(y: jax.Array, _: None) -> tuple[jax.Array, None]:
        call = pl.pallas_call(
            kernel,
            grid=(4,),
            in_specs=[rows, pl.no_block_spec],
            out_specs=rows,
            out_shape=jax.ShapeDtypeStruct(y.shape, y.dtype),
            interpret=True,
            name="three_products",
        )
        return call(y, w), None

    return jax.lax.scan(step, x, length=5)[0]


@pytest.mark.parametrize(("dtype", "key"), [(jnp.float32, "tf32"), (jnp.bfloat16, "bf16")])
def test_products_of_one_launch_are_those_of_all_its_instances(dtype: Any, key: str) -> None:
    traced = jax.jit(run).trace(jnp.ones((64, 32), dtype), jnp.ones((32, 32), dtype))
    assert own_kernels(traced.jaxpr) == {"three_products": {key: 4 * 3 * ONE}}


def test_products_by_precision_with_loops_and_the_longer_branch() -> None:
    def both(x: jax.Array, w: jax.Array, flag: jax.Array) -> jax.Array:
        exact = jnp.matmul(x, w, precision="highest")
        twice = jax.lax.fori_loop(0, 2, lambda _, y: y @ w, exact)
        return jax.lax.cond(flag, lambda y: (y @ w) @ w, lambda y: y @ w, twice)

    traced = jax.jit(both).trace(jnp.ones((16, 32)), jnp.ones((32, 32)), jnp.bool_(True))
    assert products(traced.jaxpr) == {"float32": ONE, "tf32": 4 * ONE}


def test_a_call_of_a_kernel_of_our_own_has_its_products() -> None:
    text = """\
ENTRY %main (a: bf16[64,32]) -> bf16[64,32] {
  %a = bf16[64,32]{1,0} parameter(0)
  ROOT %call.1 = bf16[64,32]{1,0} custom-call(%a), custom_call_target="__gpu$xla.gpu.triton", metadata={op_name="jit(f)/while/three_products/pallas_call"}, backend_config={debug = false, ir = "ML\\EF(%x"}
}
"""  # noqa: E501
    (seen,) = program_of(parse(text), {"three_products": {"bf16": 7.0}}).kernels
    assert seen.kind == "product"
    assert seen.flops == {"bf16": 7.0}
    assert seen.bytes == 2 * 64 * 32 * 2
    (unknown,) = program_of(parse(text)).kernels
    assert unknown.kind == "other"
    assert unknown.flops == {}
