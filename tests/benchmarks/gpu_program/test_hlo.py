import zlib

import jax
import jax.numpy as jnp
import pytest

from benchmarks.gpu_program.hlo import Array, Line, parse
from tests.sentences import refuses


def test_instructions_are_read_with_shapes_operands_and_attributes(program: str) -> None:
    module = parse(program)
    assert module.entry.name == "main"
    body = module.computations["body.outer"]
    state = body["arg.5"]
    assert [array.dtype for array in state.arrays] == ["s32", "bf16", "bf16", "f32", "f32"]
    assert state.bytes == 4 + 64 * 32 * 2 + 32 * 16 * 2 + 7 * 64 * 4 + 64 * 4
    assert body["gemm"].operands == ("get.6", "get.7")
    assert body["gemm"].called("calls") == "product"
    assert body["conditional.1"].branches == ("small", "large")
    assert body.root.name == "tuple.3"
    assert module.computations["product"].parameter(1).name == "p1"  # type: ignore[union-attr]
    assert module.entry["while.outer"].trips == 7
    assert body["while.inner"].trips is None


def test_a_constant_may_hold_what_looks_like_an_operand(program: str) -> None:
    text = parse(program).entry["text"]
    assert text.opcode == "constant"
    assert text.operands == ()


def test_source_lines_come_from_tables_or_from_the_instruction(program: str) -> None:
    module = parse(program)
    body = module.computations["body.outer"]
    ours = Line("/home/someone/project/jax_port/ppo/rollout.py", 197, "collect.<locals>.body")
    library = Line("/usr/lib/python3.11/site-packages/flax/linen/linear.py", 287, "Dense.__call__")
    assert module.stack(body["gemm"]) == [library, ours]
    assert module.stack(body["sums"]) == [ours]
    assert module.stack(body["written"]) == [Line("/x/jax_port/old.py", 12)]
    assert module.stack(body["while.inner"]) == []


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [("pred", 8), ("s8", 8), ("bf16", 16), ("f16", 16), ("f32", 32), ("u64", 64), ("c128", 128)],
)
def test_bytes_of_a_type(dtype: str, bits: int) -> None:
    assert Array(dtype, (3, 5)).bytes == 15 * bits // 8


def test_a_float8_takes_a_byte() -> None:
    assert Array("f8e4m3fn", (4,)).bytes == 4


def test_text_without_an_entry_is_refused() -> None:
    with refuses(kind=ValueError):
        parse("HloModule x\n")


def test_an_instruction_that_cannot_be_read_is_refused() -> None:
    with refuses(kind=ValueError):
        parse("ENTRY %main () -> f32[] {\n  nonsense\n}\n")


def test_what_this_machine_compiles_can_be_read() -> None:
    # The compiler's cache takes equal programs of two files for one, so this one is the file's own.
    own = jnp.float32(zlib.crc32(__file__.encode()) % 10**6)

    def run(x: jax.Array) -> jax.Array:
        step = lambda y, _: (jnp.sin(y) * own, y.sum())  # noqa: E731
        return jax.lax.scan(step, x, length=11)[1]

    module = parse(jax.jit(run).lower(jnp.ones((8, 4))).compile().as_text())
    loops = [one for c in module.computations.values() for one in c if one.opcode == "while"]
    assert [loop.trips for loop in loops] == [11]
    lines = [line for c in module.computations.values() for one in c for line in module.stack(one)]
    assert any(line.file == __file__ for line in lines)
