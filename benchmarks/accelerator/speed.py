"""The parts that measure speed: the environment, training, two million steps, command buffers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax

from benchmarks.accelerator.profile import profile
from benchmarks.accelerator.recorder import Part, Recorder
from benchmarks.accelerator.rows import line_of, measure
from benchmarks.accelerator.utilisation import Monitor
from benchmarks.gpu_program.cards import Card
from benchmarks.gpu_program.prepared import Options, Prepared, prepare_all, same_bits
from benchmarks.gpu_program.report import seconds as time_text
from benchmarks.gpu_program.report import short
from benchmarks.gpu_program.subjects import (
    Form,
    Subject,
    TrainingForm,
    environment,
    training_settings,
    update,
)
from benchmarks.harness.measure import sentence
from foundation.files import write_text

TWO_MILLION = 2_000_000
MOST_CALLS = 100
"""Two million steps are measured where they take no more calls than this."""
SHOWN = 12
"""Kernels of a profile that are printed; more are in the report."""
HLO_FILE = "training_hlo.txt"
ALL_COMMANDS = "FUSION,CUBLAS,CUBLASLT,CUDNN,CUSTOM_CALL,DYNAMIC_SLICE_FUSION,COLLECTIVES"
COMMAND_BUFFERS: dict[str, Options] = {
    "none": {"xla_gpu_enable_command_buffer": ""},
    "from one kernel on": {"xla_gpu_graph_min_graph_size": "1"},
    "loops too": {
        "xla_gpu_enable_command_buffer": f"{ALL_COMMANDS},WHILE,CONDITIONAL",
        "xla_gpu_graph_min_graph_size": "1",
    },
    "loops too, unrolled": {
        "xla_gpu_enable_command_buffer": f"{ALL_COMMANDS},WHILE,CONDITIONAL",
        "xla_gpu_graph_min_graph_size": "1",
        "xla_gpu_command_buffer_unroll_loops": True,
    },
}
"""What the compiler is told of CUDA graphs, beside its own choice."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        days: of the market.
        environments: how many are stepped at once.
        transitions: in one call of the environment, about.
        layouts: (environments, steps in a rollout, minibatch, form of the program) to choose from.
        epochs: of training; the first is that of the search.
        precisions: of training; the first is that of the search.
        row_seconds: to time a program for.
        command_buffers: names in :data:`COMMAND_BUFFERS`.
    """

    days: int = 250
    environments: tuple[int, ...] = (10_000, 65_536, 131_072, 262_144, 1_048_576)
    transitions: int = 16_777_216
    layouts: tuple[tuple[int, int, int, TrainingForm], ...] = (
        (65_536, 32, 131_072, "gpu"),
        (131_072, 32, 262_144, "gpu"),
        (131_072, 16, 262_144, "gpu"),
        (32_768, 32, 65_536, "gpu"),
    )
    epochs: tuple[int, ...] = (4, 1)
    precisions: tuple[str, ...] = ("bf16", "tf32", "float32")
    row_seconds: float = 1.5
    command_buffers: tuple[str, ...] = tuple(COMMAND_BUFFERS)


QUICK = Sizes(
    days=4,
    environments=(32,),
    transitions=256,
    layouts=((16, 8, 64, "gpu"),),
    epochs=(1,),
    precisions=("tf32", "float32"),  # a CPU has no bf16 products with float32 sums
    row_seconds=0.01,
    command_buffers=("none",),
)
"""Shows that it runs, measures nothing."""


@dataclass(frozen=True)
class Layout:
    """One way to train: sizes, the program's form, epochs and precision."""

    n_envs: int
    n_steps: int
    batch_size: int
    form: TrainingForm
    n_epochs: int
    precision: str

    def program(self, days: int) -> Subject:
        """Return one update of an agent in Phase 1, on a market of so many days."""
        values = {name: value for name, value in self.__dict__.items() if name != "form"}
        return update(training_settings(values), 1, days, self.form)


@dataclass
class Bench:
    """What all parts share: where rows go, how busy the card is, its model, and the sizes."""

    recorder: Recorder
    monitor: Monitor
    card: Card | None
    sizes: Sizes


def measure_environment(bench: Bench) -> None:
    """Step the environment with and without observations, over growing numbers of environments."""
    sizes = bench.sizes
    forms: tuple[Form, ...] = ("observations", "no observations")
    with bench.recorder.part("environment", needs=30) as part:
        if not part.enough:
            return
        cases = [(1, form, envs) for envs in sizes.environments for form in forms]
        middle = sizes.environments[len(sizes.environments) // 3]
        cases += [(2, form, middle) for form in forms]
        subjects = [
            environment(form, phase, envs, sizes.days, max(16, min(512, sizes.transitions // envs)))
            for phase, form, envs in cases
        ]
        programs = prepared_or_row(part, prepare_all(subjects), [subject.name for subject in subjects])
        for (phase, form, _), program in zip(cases, programs, strict=True):
            if program is not None:
                row = _measured(bench, part, program, sizes.row_seconds / 3, phase=phase, form=form)
                if row is not None:
                    part.add(row, line_of(row))
                program.arguments.clear()


def _measured(
    bench: Bench, part: Part, program: Prepared, seconds: float, **about: Any
) -> dict[str, Any] | None:
    """Return a program's row; where it fails when it runs, as for want of memory, that is a row too."""
    try:
        return measure(program, seconds, bench.monitor, bench.card, **about)
    except Exception as error:
        name, reason = program.subject.name, sentence(error)
        part.add({"name": name, **about, "error": reason}, f"{name}: failed: {reason}")
        program.arguments.clear()
        return None


def measure_training(bench: Bench) -> dict[Layout, Prepared]:
    """Search for the best sizes, then train with them in all precisions and epochs.

    Returns:
        The programs with the best sizes, by layout.
    """
    sizes, best = bench.sizes, None
    prepared: dict[Layout, Prepared] = {}
    epochs, precision = sizes.epochs[0], sizes.precisions[0]
    with bench.recorder.part("training, search of sizes", needs=60) as part:
        if part.enough:
            layouts = [Layout(*layout, epochs, precision) for layout in sizes.layouts]
            rates = _train(bench, part, layouts, prepared)
            best = max(rates, key=lambda layout: rates[layout], default=None)
            part.note(best=None if best is None else best.__dict__)
            prepared = {layout: program for layout, program in prepared.items() if layout == best}
    with bench.recorder.part("training", needs=60) as part:
        if not part.enough:
            return prepared
        base = best or Layout(*sizes.layouts[0], epochs, precision)
        pairs = [(precision, n) for precision in sizes.precisions for n in sizes.epochs]
        wanted = [replace(base, precision=precision, n_epochs=n) for precision, n in pairs]
        others = [name for name in sizes.precisions if name != "float32"]  # which has one form
        wanted += [replace(base, precision=name, form="gpu") for name in others]
        wanted = list(dict.fromkeys(wanted))
        _train(bench, part, [layout for layout in wanted if layout not in prepared], prepared)
    return prepared


def _train(
    bench: Bench, part: Part, layouts: list[Layout], programs: dict[Layout, Prepared]
) -> dict[Layout, float]:
    """Compile and time some layouts; return their steps per second, and keep their programs."""
    rates = {}
    subjects = [layout.program(bench.sizes.days) for layout in layouts]
    ready = prepared_or_row(part, prepare_all(subjects), [subject.name for subject in subjects])
    for layout, program in zip(layouts, ready, strict=True):
        if program is None:
            continue
        row = _measured(bench, part, program, bench.sizes.row_seconds, **layout.__dict__)
        if row is None:
            continue
        rates[layout] = row["steps_per_second"]["median"]
        row["samples_per_second"] = rates[layout] * layout.n_epochs
        line = line_of(row)
        if program.subject.steps * MOST_CALLS >= TWO_MILLION:  # tiny sizes measure nothing
            row["two_million_seconds"] = _two_million(program)
            line += f"; 2 M steps in {time_text(row['two_million_seconds'])}"
        row["device"] = _device_memory()
        part.add(row, line)
        programs[layout] = program
        program.arguments.clear()
    return rates


def _two_million(program: Prepared) -> float:
    """Return the seconds of two million steps of a fresh agent, nothing compiled in them."""
    program.begin()
    began = time.perf_counter()
    for _ in range(-(-TWO_MILLION // program.subject.steps)):
        program.run()
    return time.perf_counter() - began


def _device_memory() -> dict[str, int]:
    """Return the device's own count of bytes, empty where it has none."""
    stats = jax.devices()[0].memory_stats() or {}
    names = ("peak_bytes_in_use", "bytes_in_use", "bytes_limit")
    return {name: int(stats[name]) for name in names if name in stats}


def prepared_or_row(
    part: Part, programs: Sequence[Prepared | str], names: Sequence[str]
) -> list[Prepared | None]:
    """Return the programs that could be compiled; the others become rows."""
    good: list[Prepared | None] = []
    for program, name in zip(programs, names, strict=True):
        if isinstance(program, str):
            part.add({"name": name, "error": program}, f"{name}: failed: {program}")
            good.append(None)
        else:
            good.append(program)
    return good


def try_command_buffers(bench: Bench, programs: dict[Layout, Prepared]) -> None:
    """Train with CUDA graphs that take less or more; say whether the weights stay the same bits.

    Args:
        bench: where rows go.
        programs: of :func:`measure_training`; the one of the search is tried.
    """
    with bench.recorder.part("command buffers", needs=60) as part:
        plain = _searched(bench, programs)
        if not part.enough or plain is None:
            return
        plain.begin()
        weights = jax.device_get(plain.run()[0].learner)
        part.add({"name": "the compiler's own", "speed": _speed(plain, bench), "same_bits": True})
        names = bench.sizes.command_buffers
        ready = prepare_all([plain.subject] * len(names), [COMMAND_BUFFERS[name] for name in names])
        for name, program in zip(names, prepared_or_row(part, ready, names), strict=True):
            if program is None:
                continue
            program.begin()
            same = same_bits(weights, jax.device_get(program.run()[0].learner))
            rate = _speed(program, bench)
            row = {"name": name, "speed": rate, "same_bits": same, "options": COMMAND_BUFFERS[name]}
            bits = "the same bits" if same else "OTHER bits"
            part.add(row, f"{name}: {short(rate)} steps/s, {bits}")
            program.arguments.clear()


def profile_training(bench: Bench, programs: dict[Layout, Prepared], out: Path) -> None:
    """Profile the search's best program, and keep its compiled text beside the report.

    Args:
        bench: where rows go.
        programs: of :func:`measure_training`.
        out: folder for the text.
    """
    with bench.recorder.part("profile", needs=20) as part:
        program = _searched(bench, programs)
        if not part.enough or program is None:
            return
        write_text(out / HLO_FILE, program.compiled.as_text())
        program.begin()
        seen = profile(program, bench.card)
        part.note(**{key: value for key, value in seen.items() if key != "kernels"})
        for row in seen["kernels"]:
            part.add(row)
        if seen["launches"]:
            share = seen["busy_seconds"] / seen["wall_seconds"]
            part.say(
                f"{seen['launches']:,} kernels in {time_text(seen['wall_seconds'])}, one running "
                f"{100 * share:.0f} % of it"
            )
        for row in seen["kernels"][:SHOWN]:
            model = f", model {time_text(row['model_seconds'])}" if "model_seconds" in row else ""
            part.say(
                f"  {time_text(row['seconds'])}{model}, {row['launches']:,} launches: {row['where']} "
                f"({row['kind']})"
            )
        program.arguments.clear()


def _searched(bench: Bench, programs: dict[Layout, Prepared]) -> Prepared | None:
    """Return the program that the search found best, None where there was none."""
    wanted = (bench.sizes.precisions[0], bench.sizes.epochs[0])
    return next((p for key, p in programs.items() if (key.precision, key.n_epochs) == wanted), None)


def _speed(program: Prepared, bench: Bench) -> float:
    """Return steps per second, a median."""
    samples = sorted(program.timed(bench.sizes.row_seconds / 2))
    return program.subject.steps / samples[len(samples) // 2]
