"""The part that measures the card itself: what the model of a program's time is made of."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.accelerator.speed import Bench, prepared_or_row
from benchmarks.gpu_program import hlo
from benchmarks.gpu_program.kernels import program_of
from benchmarks.gpu_program.model import LAUNCH_SECONDS, READ_SECONDS
from benchmarks.gpu_program.prepared import Prepared, prepare_all
from benchmarks.gpu_program.report import seconds as time_text
from benchmarks.gpu_program.report import short
from benchmarks.gpu_program.subjects import Subject

TURNS = 2000
COPIES, PRODUCTS = 8, 16
"""Turns of the loops below."""
PRODUCT_PRECISIONS = ("bf16", "tf32", "float32")


def measure_card(bench: Bench, quick: bool) -> None:
    """Measure bandwidth, a launch, a value that the host reads, and products in each precision."""
    large, rows, square = (2**12, 256, 64) if quick else (2**28, 131_072, 8192)
    with bench.recorder.part("card", needs=20) as part:
        if not part.enough:
            return
        subjects = [_copy(large), _launches(), _host_reads()]
        for precision in PRODUCT_PRECISIONS:
            subjects += [_product(rows, 256, precision), _product(square, square, precision)]
        names = [subject.name for subject in subjects]
        programs = prepared_or_row(part, prepare_all(subjects), names)
        copy, launches, reads, *products = programs
        if copy is not None:
            rate = 2 * 4 * large * COPIES / _seconds(copy, bench)
            part.add({"name": "copy", "bytes_per_second": rate}, f"copy: {short(rate, 'B')}/s")
        launch = LAUNCH_SECONDS
        if launches is not None:
            launch = _seconds(launches, bench) / (TURNS * _kernels(launches))
            row = {"name": "launch", "seconds": launch, "model_seconds": LAUNCH_SECONDS}
            part.add(row, f"one kernel of a loop: {time_text(launch)}")
        if reads is not None:
            turn = _seconds(reads, bench) / TURNS
            read = turn - launch * _kernels(reads)
            row = {"name": "host read", "seconds": read, "model_seconds": READ_SECONDS}
            part.add(row, f"one value that the host reads: {time_text(max(read, 0.0))}")
        for program in products:
            if program is not None:
                rate = program.subject.steps / _seconds(program, bench)
                line = f"{program.subject.name}: {short(rate, 'FLOP')}/s"
                part.add({"name": program.subject.name, "flops_per_second": rate}, line)
                program.arguments.clear()


def _seconds(program: Prepared, bench: Bench) -> float:
    """Return the median seconds of a call."""
    return median(program.timed(bench.sizes.row_seconds / 4))


def _kernels(program: Prepared) -> int:
    """Return how many kernels the program's loop launches on a turn."""
    blocks = program_of(hlo.parse(program.compiled.as_text())).inside
    return max((len(block.kernels) for block in blocks), default=1) or 1


def _subject(name: str, run: Callable[..., Any], make: Callable[[], Any], steps: int = 1) -> Subject:
    return Subject(name, run, lambda: (make(),), (), 1, steps)


def _copy(size: int) -> Subject:
    """Read and write float32 (size,) several times."""

    def run(x: jax.Array) -> jax.Array:
        return jax.lax.scan(lambda y, _: (y * jnp.float32(1.0001), None), x, length=COPIES)[0]

    return _subject("copy", run, lambda: jnp.linspace(0.5, 1.0, size, dtype=jnp.float32))


def _launches() -> Subject:
    """Launch tiny kernels in a loop whose length the compiler knows."""

    def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
        less = x - jnp.max(x)  # sums and what waits for them can't be one kernel
        return less / jnp.sum(less), None

    def run(x: jax.Array) -> jax.Array:
        return jax.lax.scan(step, x, length=TURNS)[0]

    return _subject("launch", run, lambda: jnp.linspace(0.0, 1.0, 4096, dtype=jnp.float32))


def _host_reads() -> Subject:
    """Turn a loop whose length only the device knows."""

    def run(length: jax.Array) -> jax.Array:
        return jax.lax.while_loop(lambda n: n < length, lambda n: n + 1, jnp.int32(0))

    return _subject("host read", run, lambda: jnp.int32(TURNS))


def _product(rows: int, width: int, precision: str) -> Subject:
    """Multiply (rows, width) by (width, width), one product after another."""
    dtype = jnp.bfloat16 if precision == "bf16" else jnp.float32
    how = "highest" if precision == "float32" else "default"

    def run(pair: tuple[jax.Array, jax.Array]) -> jax.Array:
        left, right = pair
        with jax.default_matmul_precision(how):
            # Two a turn: the second takes the first operand's place, where one alone needs a copy.
            turns = PRODUCTS // 2
            return jax.lax.scan(lambda x, _: ((x @ right) @ right, None), left, length=turns)[0]

    def make() -> tuple[jax.Array, jax.Array]:
        one, two = jax.random.split(jax.random.key(0))
        left = jax.random.normal(one, (rows, width), jnp.float32)
        right = jax.random.normal(two, (width, width), jnp.float32) / jnp.float32(width**0.5)
        return left.astype(dtype), right.astype(dtype)  # lengths stay about one

    name = f"({rows}, {width}) x ({width}, {width}), {precision}"
    return _subject(name, run, make, 2 * rows * width * width * PRODUCTS)
