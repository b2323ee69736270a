import pytest

from benchmarks.gpu_program.hlo import parse
from benchmarks.gpu_program.kernels import Block, Kernel, program_of


@pytest.fixture
def entry(program: str) -> Block:
    return program_of(parse(program))


@pytest.fixture
def outer(entry: Block) -> Block:
    return entry.inside[0]


def by_name(block: Block) -> dict[str, Kernel]:
    return {kernel.name: kernel for kernel in block.kernels}


def test_what_runs_nothing_is_no_kernel(entry: Block, outer: Block) -> None:
    assert [kernel.name for kernel in entry.kernels] == ["buffer", "vector", "seen"]
    assert [kernel.name for kernel in outer.kernels] == ["gemm", "sums", "written"]


def test_kinds(entry: Block, outer: Block) -> None:
    assert [kernel.kind for kernel in outer.kernels] == ["product", "reduction", "write of a row"]
    assert by_name(entry)["seen"].kind == "gather"


def test_a_loop_with_a_known_number_of_turns_needs_no_host(outer: Block) -> None:
    assert outer.trips == 7
    assert not outer.host_reads


def test_a_loop_without_one_and_a_conditional_do(outer: Block) -> None:
    loop, branch = outer.inside
    assert loop.trips is None
    assert loop.host_reads
    assert [kernel.name for kernel in loop.kernels] == ["copy.1", "compare.1"]  # its condition too
    assert branch.is_branch
    assert branch.host_reads
    assert outer.loops_the_host_reads() == [loop, branch]


def test_of_a_conditional_the_longer_branch_counts(outer: Block) -> None:
    assert [kernel.name for kernel in outer.inside[1].kernels] == ["negate.1"]


def test_bytes(entry: Block, outer: Block) -> None:
    kernels = by_name(outer)
    assert kernels["gemm"].read_bytes == 64 * 32 * 2 + 32 * 16 * 2
    assert kernels["gemm"].written_bytes == 64 * 16 * 4
    assert kernels["sums"].bytes == 64 * 16 * 4 + 64 * 4
    # A row written in place: neither the other rows nor the old one are read.
    assert kernels["written"].read_bytes == 4 + 64 * 4
    assert kernels["written"].written_bytes == 64 * 4
    # 64 rows of a table: those alone are read.
    assert by_name(entry)["seen"].read_bytes == 64 * 4 * 4 + 64 * 4


def test_rows_taken_more_often_than_there_are_come_from_the_cache(program: str) -> None:
    few = program.replace("1000,4", "10,4")
    assert by_name(program_of(parse(few)))["seen"].read_bytes == 10 * 4 * 4 + 64 * 4


def test_operations_of_products_by_precision(outer: Block) -> None:
    assert by_name(outer)["gemm"].flops == {"bf16": 2.0 * 64 * 16 * 32}


@pytest.mark.parametrize(
    ("attributes", "precision"),
    [
        ("", "tf32"),
        (", operand_precision={highest,highest}", "float32"),
        (", algorithm=dot_tf32_tf32_f32", "tf32"),
        (", algorithm=dot_f32_f32_f32, operand_precision={highest,highest}", "float32"),
    ],
)
def test_float32_products_are_made_as_their_precision_says(
    program: str, attributes: str, precision: str
) -> None:
    text = program.replace("bf16", "f32").replace(
        "rhs_contracting_dims={0}", f"rhs_contracting_dims={{0}}{attributes}"
    )
    kernel = by_name(program_of(parse(text)).inside[0])["gemm"]
    assert kernel.flops == {precision: 2.0 * 64 * 16 * 32}


def test_a_library_product_is_counted_by_its_dimensions() -> None:
    text = """\
ENTRY %main (a: f32[8,32], b: f32[32,16]) -> (f32[8,16], s8[100]) {
  %a = f32[8,32]{1,0} parameter(0)
  %b = f32[32,16]{1,0} parameter(1)
  ROOT %gemm.1 = (f32[8,16]{1,0}, s8[100]{0}) custom-call(%a, %b), custom_call_target="__cublas$gemm", backend_config={"gemm_backend_config":{"dot_dimension_numbers":{"lhs_contracting_dimensions":["1"]},"precision_config":{"operand_precision":["HIGHEST","HIGHEST"]}}}
}
"""  # noqa: E501
    (kernel,) = program_of(parse(text)).kernels
    assert kernel.kind == "product"
    assert kernel.flops == {"float32": 2.0 * 8 * 16 * 32}
    assert kernel.written_bytes == 8 * 16 * 4  # not the scratch


def test_a_radix_sort_goes_over_its_keys_once_a_byte() -> None:
    text = """\
ENTRY %main (a: u64[100]) -> (u64[100], u8[9]) {
  %a = u64[100]{0} parameter(0)
  ROOT %sort.1 = (u64[100]{0}, u8[9]{0}) custom-call(%a), custom_call_target="__cub$DeviceRadixSort"
}
"""
    (kernel,) = program_of(parse(text)).kernels
    assert kernel.kind == "sort"
    assert kernel.read_bytes == 8 * 800
