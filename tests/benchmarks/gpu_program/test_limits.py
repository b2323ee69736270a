"""What the programs may cost on a GPU. Compiled for an H100 that need not be there."""

from functools import lru_cache

import pytest

from benchmarks.gpu_program.analysis import Report
from benchmarks.gpu_program.cards import H100
from benchmarks.gpu_program.model import UNKNOWN_TRIPS
from benchmarks.gpu_program.runner import report_of
from benchmarks.gpu_program.subjects import environment, training_settings, update
from benchmarks.gpu_program.target import has_compiler

pytestmark = pytest.mark.skipif(
    not has_compiler(), reason="needs JAX's CUDA plugin; `nox -s gpu_program` installs it and runs this"
)

ENVS, STEPS, BATCH, EPOCHS, DAYS = 65_536, 32, 131_072, 4, 30
STEP_KERNELS = {(1, "observations"): 16, (1, "no observations"): 6, (2, "observations"): 18}
"""With observations ten of them copy what a row's numbers are looked up with; without, one copies."""
ROLLOUT_KERNELS, MINIBATCH_KERNELS, MINIBATCH_BYTES = 30, 35, 2.5e9
STEPS_PER_SECOND = {"bf16": 22e6, "tf32": 11.5e6}


@lru_cache
def trained(precision: str, phase: int) -> Report:
    sizes = {"n_envs": ENVS, "n_steps": STEPS, "batch_size": BATCH, "n_epochs": EPOCHS}
    settings = training_settings({**sizes, "precision": precision})
    return report_of(update(settings, phase, DAYS), H100, UNKNOWN_TRIPS)


@pytest.mark.parametrize(("phase", "form"), STEP_KERNELS)
def test_a_step_of_the_environment(phase: int, form: str) -> None:
    report = report_of(environment(form, phase, ENVS, DAYS), H100, UNKNOWN_TRIPS)  # type: ignore[arg-type]
    step = report.part("step")
    assert step is not None
    assert step.kernels <= STEP_KERNELS[phase, form]
    assert not step.host_loops


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("precision", ["bf16", "tf32"])
def test_training_asks_nothing_of_the_host(precision: str, phase: int) -> None:
    report = trained(precision, phase)
    for name in ("rollout step", "minibatch"):
        part = report.part(name)
        assert part is not None
        assert not part.host_loops, (name, part.host_loops)


@pytest.mark.parametrize("phase", [1, 2])
def test_training_launches_few_kernels_and_moves_few_bytes(phase: int) -> None:
    report = trained("bf16", phase)
    step, minibatch = report.part("rollout step"), report.part("minibatch")
    assert step is not None
    assert minibatch is not None
    assert step.kernels <= ROLLOUT_KERNELS
    assert minibatch.kernels <= MINIBATCH_KERNELS
    assert minibatch.cost.bytes <= MINIBATCH_BYTES


@pytest.mark.parametrize("precision", STEPS_PER_SECOND)
def test_training_is_fast_by_the_model(precision: str) -> None:
    assert trained(precision, 1).steps_per_second >= STEPS_PER_SECOND[precision]
