"""Programs compiled for the device that is here, and timed on it."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from benchmarks.gpu_program.analysis import Report, analyse
from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.kernels import OwnKernels
from benchmarks.gpu_program.model import UNKNOWN_TRIPS
from benchmarks.gpu_program.own_kernels import own_kernels
from benchmarks.gpu_program.subjects import Subject, find_part
from benchmarks.harness.measure import sentence

Options = dict[str, str | bool]
"""The compiler's options by name, such as ``xla_gpu_enable_command_buffer``."""


@dataclass
class Prepared:
    """A program compiled for the default device, with its arguments.

    Attributes:
        subject: the program.
        compiled: runs it; consumes the arguments that the subject gives away.
        arguments: of the next call.
        trace_seconds, compile_seconds: of getting ready.
        own_kernels: operations of Pallas kernels by name.
    """

    subject: Subject
    compiled: Any
    arguments: list[Any]
    trace_seconds: float
    compile_seconds: float
    own_kernels: OwnKernels

    def run(self) -> Any:
        """Make one call to its end; the next goes on from there. Return what it returned."""
        result = jax.block_until_ready(self.compiled(*self.arguments))
        for number in self.subject.donate:  # what was given away comes back as the first result
            self.arguments[number] = result[0]
        return result

    def begin(self) -> None:
        """Start again."""
        self.arguments = list(jax.block_until_ready(self.subject.arguments()))

    def timed(self, seconds: float, least: int = 3) -> list[float]:
        """Return the seconds of calls: as many as fit in ``seconds``, at least ``least``, after one."""
        self.run()
        samples: list[float] = []
        began = time.perf_counter()
        while len(samples) < least or time.perf_counter() - began < seconds:
            start = time.perf_counter()
            self.run()
            samples.append(time.perf_counter() - start)
        return samples

    def memory(self) -> dict[str, int]:
        """Return the bytes that the program takes, from the compiler; empty where it doesn't know."""
        known = self.compiled.memory_analysis()
        if known is None:
            return {}
        names = ("temp", "argument", "output", "alias")
        return {f"{name}_bytes": int(getattr(known, f"{name}_size_in_bytes")) for name in names}

    def report(self, card: Card, unknown_trips: int = UNKNOWN_TRIPS) -> Report:
        """Return what the compiled program should do on a card."""
        subject = self.subject
        parts = {name: partial(find_part, turns=turns) for name, turns in subject.parts.items()}
        text = self.compiled.as_text()
        return analyse(
            subject.name, text, subject.steps, card, parts, unknown_trips, own=self.own_kernels
        )


def prepare(subject: Subject, options: Options | None = None) -> Prepared:
    """Make a program's arguments and compile it for the default device.

    Args:
        subject: the program.
        options: the compiler's.
    """
    arguments = list(jax.block_until_ready(subject.arguments()))
    began = time.perf_counter()
    program = jax.jit(subject.function, donate_argnums=subject.donate).trace(*arguments)
    lowered = program.lower()
    traced = time.perf_counter()
    compiled = lowered.compile(compiler_options=options)
    return Prepared(
        subject=subject,
        compiled=compiled,
        arguments=arguments,
        trace_seconds=traced - began,
        compile_seconds=time.perf_counter() - traced,
        own_kernels=own_kernels(program.jaxpr),
    )


def prepare_all(
    subjects: Sequence[Subject], options: Sequence[Options | None] | None = None
) -> list[Prepared | str]:
    """Do so for several programs at once, on as many threads as there are cores.

    On a CPU one after another, since what draws fresh weights there may wait for threads that others
    hold.

    Returns:
        In the order given, each program or, in one sentence, why it can't be had.
    """

    def one(number: int) -> Prepared | str:
        try:
            return prepare(subjects[number], options[number] if options else None)
        except Exception as error:  # one that doesn't fit in memory is a result
            return sentence(error)

    threads = 1 if jax.default_backend() == "cpu" else min(os.cpu_count() or 1, 16)
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(len(subjects))))


def same_bits(left: Any, right: Any) -> bool:
    """Return whether two trees of arrays are the same, bit by bit."""
    return all(
        np.asarray(a).tobytes() == np.asarray(b).tobytes()
        for a, b in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
    )
