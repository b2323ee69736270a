"""What a compiled program runs: kernels, the loops around them, and where the host must wait.

Every scheduled instruction that is no parameter, tuple, constant or bitcast is a kernel. A loop whose
trip count the compiler does not know makes the host read its condition on every turn; a conditional
makes the host read which branch to take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from benchmarks.gpu_program.hlo import Array, Computation, Instruction, Line, Module

Kind = Literal[
    "product", "reduction", "write of a row", "gather", "scatter", "sort", "copy", "elementwise",
    "collective", "other",
]  # fmt: skip

FREE = {
    "parameter", "tuple", "get-tuple-element", "constant", "bitcast", "after-all", "opt-barrier",
    "partition-id", "replica-id", "add-dependency", "domain",
}  # fmt: skip
"""Instructions that run nothing."""
ENDS = {"copy-done", "async-done", "async-update", "send-done", "recv-done"}
"""The ends of what began elsewhere, with those of collectives."""
COLLECTIVES = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
LIBRARY_PRODUCT = re.compile(r'custom_call_target="__(cublas|cublas\$lt|cudnn|triton_gemm)')
PALLAS = re.compile(r'op_name="[^"]*?([\w.\-]+)/pallas_call')
OwnKernels = Mapping[str, Mapping[str, float]]
SLICES = {"slice", "dynamic-slice", "gather"}
SAME = {"bitcast", "reshape", "copy", "convert"}
"""Instructions inside a fusion through which a parameter or a result is still itself."""


@dataclass(frozen=True)
class Kernel:
    """One launch.

    Attributes:
        name: the instruction's.
        kind: by what it does most.
        read_bytes, written_bytes: of device memory; what lies in the cache is not known.
        flops: of matrix products, by precision: "float32", "tf32" or "bf16".
        stack: the source lines it came from, innermost first.
        collective: opcode of what several cards do together; empty for what one does alone.
        result_bytes: of a collective, on each card.
    """

    name: str
    kind: Kind
    read_bytes: int
    written_bytes: int
    flops: dict[str, float]
    stack: tuple[Line, ...]
    collective: str = ""
    result_bytes: int = 0

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return self.read_bytes + self.written_bytes


@dataclass
class Block:
    """What runs in order: kernels, and blocks inside.

    Attributes:
        name: of the loop or conditional; "entry" for a whole program.
        kernels: launched here, those of blocks inside not among them.
        inside: loops and conditionals.
        trips: how often it runs whenever it is reached; None where the host must read the condition.
        is_branch: whether it is a conditional's branch, which the host must choose.
        stack: the source lines it came from.
    """

    name: str
    trips: int | None = 1
    is_branch: bool = False
    kernels: list[Kernel] = field(default_factory=list)
    inside: list[Block] = field(default_factory=list)
    stack: tuple[Line, ...] = ()

    @property
    def host_reads(self) -> bool:
        """Whether the host must wait for a value of the device to run it."""
        return self.trips is None or self.is_branch

    def walk(self) -> Iterator[Block]:
        """Give this block and all inside."""
        yield self
        for block in self.inside:
            yield from block.walk()

    def all_kernels(self) -> Iterator[Kernel]:
        """Give the kernels of this block and of all inside, each once."""
        for block in self.walk():
            yield from block.kernels

    def loops_the_host_reads(self) -> list[Block]:
        """Return the loops and branches inside, at any depth, for which the host must wait."""
        return [block for one in self.inside for block in one.walk() if block.host_reads]


def program_of(module: Module, own: OwnKernels | None = None) -> Block:
    """Return what a program runs.

    Args:
        module: the program.
        own: operations of Pallas kernels, see :mod:`benchmarks.gpu_program.own_kernels`.
    """
    block = Block("entry")
    _run(module, module.entry, block, own or {})
    return block


def _run(module: Module, computation: Computation, block: Block, own: OwnKernels) -> None:
    """Add what a computation runs to a block."""
    for one in computation:
        stack = tuple(module.stack(one))
        if one.opcode == "while":
            inner = Block(one.name, one.trips, stack=stack)
            _run(module, module.computations[one.called("body") or ""], inner, own)
            if one.trips is None:
                _run(module, module.computations[one.called("condition") or ""], inner, own)
            block.inside.append(inner)
        elif one.opcode == "conditional":
            branches = []
            for name in one.branches:
                branches.append(Block(name, is_branch=True, stack=stack))
                _run(module, module.computations[name], branches[-1], own)
            # One of them runs; the one with most to do stands for all.
            block.inside.append(max(branches, key=lambda b: sum(k.bytes + 1 for k in b.all_kernels())))
        elif one.opcode == "call":
            _run(module, module.computations[one.called("to_apply") or ""], block, own)
        elif one.opcode in FREE or one.opcode in ENDS or one.opcode.endswith("-done"):
            continue
        else:
            block.kernels.append(_kernel(module, computation, one, stack, own))


def _kernel(
    module: Module,
    computation: Computation,
    one: Instruction,
    stack: tuple[Line, ...],
    own: OwnKernels,
) -> Kernel:
    name = one.called("calls")
    if name is None or name not in module.computations:
        read = sum(computation[operand].bytes for operand in one.operands)
        written = sum(array.bytes for array in one.arrays)
        flops = _flops(computation, one)
        kind = _kind_of_plain(one)
        if kind == "other" and (match := PALLAS.search(one.attributes)):
            flops = dict(own.get(match.group(1), {}))
            kind = "product" if flops else kind
        elif kind == "product":  # what follows the product in a library's result is its scratch
            written = one.arrays[0].bytes
        if kind == "sort":  # a radix sort reads and writes all once for each byte of the keys
            passes = max(array.bytes // max(array.size, 1) for array in one.arrays[:1])
            read, written = read * passes, written * passes
        if kind == "collective":
            result = _result_bytes(one)
            return Kernel(one.name, kind, read, result, flops, stack, one.opcode, result)
        return Kernel(one.name, kind, read, written, flops, stack)
    fused = module.computations[name]
    flops = {}
    for inner in _all_of(module, fused):
        for precision, count in _flops(inner[0], inner[1]).items():
            flops[precision] = flops.get(precision, 0.0) + count
    read = sum(
        _read(fused, number, computation[operand].bytes) for number, operand in enumerate(one.operands)
    )
    return Kernel(one.name, _kind_of_fusion(module, fused, one), read, _written(fused), flops, stack)


def _result_bytes(one: Instruction) -> int:
    """Return the bytes of a collective's result: behind what it was given, where it only begins."""
    gathers = one.opcode.endswith("-start") and not one.opcode.startswith("all-reduce")
    arrays = one.arrays[len(one.operands) : 2 * len(one.operands)] if gathers else one.arrays
    return sum(array.bytes for array in arrays)


def _all_of(module: Module, fused: Computation) -> Iterator[tuple[Computation, Instruction]]:
    """Give all instructions of a fused computation and of those it calls."""
    for one in fused:
        yield fused, one
        called = one.called("calls") or one.called("to_apply")
        if one.opcode in ("fusion", "call", "async-start") and called in module.computations:
            yield from _all_of(module, module.computations[called])


def _read(fused: Computation, number: int, whole: int) -> int:
    """Return the bytes that a fusion reads of an operand: of slices only what they take."""
    parameter = fused.parameter(number)
    if parameter is None:
        return 0
    total, names = 0, [parameter.name]
    while names:
        name = names.pop()
        for user in fused.users(name):
            first = bool(user.operands) and user.operands[0] == name
            if user.opcode in SAME and user.opcode != "convert":
                names.append(user.name)
            elif user.opcode in SLICES and first:
                total += user.bytes
            elif user.opcode in ("dynamic-update-slice", "scatter") and first:
                continue  # written in place
            else:
                return whole
    return min(total, whole)  # rows that are taken again come from the cache


def _written(fused: Computation) -> int:
    """Return the bytes that a fusion writes: of arrays updated in place only what is new."""

    def of(one: Instruction) -> int:
        if one.opcode in ("bitcast", "reshape", "copy") and one.operands:
            inner = fused[one.operands[0]]
            if inner.opcode in ("dynamic-update-slice", "scatter"):
                return of(inner)
        if one.opcode == "dynamic-update-slice":
            return fused[one.operands[1]].bytes
        if one.opcode == "scatter":
            return fused[one.operands[-1]].bytes
        return one.bytes

    root = fused.root
    return sum(of(fused[name]) for name in root.operands) if root.opcode == "tuple" else of(root)


def _kind_of_plain(one: Instruction) -> Kind:
    """Return the kind of an instruction that is no fusion."""
    if one.opcode.startswith(COLLECTIVES):
        return "collective"
    if one.opcode == "custom-call":
        if LIBRARY_PRODUCT.search(one.attributes):
            return "product"
        return "sort" if "Sort" in one.attributes.split("custom_call_target", 1)[-1][:60] else "other"
    named: dict[str, Kind] = {
        "copy": "copy", "copy-start": "copy", "transpose": "copy", "sort": "sort", "dot": "product",
        "scatter": "scatter", "gather": "gather", "reduce": "reduction",
        "dynamic-update-slice": "write of a row",
    }  # fmt: skip
    return named.get(one.opcode, "other")


def _kind_of_fusion(module: Module, fused: Computation, one: Instruction) -> Kind:
    """Return the kind of a fusion: what it does most."""
    opcodes = {inner.opcode for _, inner in _all_of(module, fused)}
    root = fused.root
    results = [fused[name] for name in root.operands] if root.opcode == "tuple" else [root]
    while any(result.opcode in ("bitcast", "reshape") for result in results):
        results = [
            fused[result.operands[0]] if result.opcode in ("bitcast", "reshape") else result
            for result in results
        ]
    if "dot" in opcodes or "convolution" in opcodes:
        return "product"
    if opcodes & {"scatter"}:
        return "scatter"
    if opcodes & {"sort"}:
        return "sort"
    summed = "kind=kInput" in one.attributes and "reduce" in opcodes  # an input fusion may only join
    if summed or any(result.opcode.startswith("reduce") for result in results):
        return "reduction"
    if all(result.opcode == "dynamic-update-slice" for result in results):
        return "write of a row"
    if opcodes & {"gather"}:
        return "gather"
    if opcodes <= {"parameter", "copy", "transpose", "bitcast", "tuple"}:
        return "copy"
    return "elementwise"


def _flops(computation: Computation, one: Instruction) -> dict[str, float]:
    """Return the operations of a matrix product, empty where the instruction is none."""
    library = one.opcode == "custom-call" and LIBRARY_PRODUCT.search(one.attributes)
    if one.opcode != "dot" and not library:
        return {}
    left = computation[one.operands[0]].arrays[0]
    if library:
        gemm = one.config.get("gemm_backend_config", {})
        dims = gemm.get("dot_dimension_numbers", {}).get("lhs_contracting_dimensions", [])
    else:
        match = re.search(r"lhs_contracting_dims=\{([0-9,]*)\}", one.attributes)
        dims = match.group(1).split(",") if match else []
    contracted = prod(left.dims[int(dim)] for dim in dims if str(dim))
    return {_precision(left, one): 2.0 * one.arrays[0].size * contracted}


def _precision(left: Array, one: Instruction) -> str:
    """Return how a product is made: "float32", "tf32" or "bf16"."""
    if left.dtype in ("bf16", "f16"):
        return "bf16"
    text = one.attributes.lower()
    if re.search(r"algorithm=dot_tf32|alg_dot_tf32", text):
        return "tf32"
    if re.search(r"algorithm=dot_bf16|alg_dot_bf16", text):
        return "bf16"
    exact = re.search(r"operand_precision=\{[^}]*high", text) or re.search(
        r'"operand_precision":\[[^\]]*high', text
    )
    return "float32" if exact or left.dtype != "f32" else "tf32"
