import json

from benchmarks.gpu_model.compiled import described, subject_of
from benchmarks.gpu_model.programs import about_of, block_of, block_to_dict
from benchmarks.gpu_program import hlo
from benchmarks.gpu_program.cards import H100
from benchmarks.gpu_program.kernels import Block, program_of
from benchmarks.gpu_program.model import cost
from tests.benchmarks.gpu_program.conftest import PROGRAM


def shape_of(program: Block) -> list[tuple[int, int | None, bool]]:
    return [(len(block.kernels), block.trips, block.is_branch) for block in program.walk()]


def test_a_program_comes_back_from_json_with_the_same_cost() -> None:
    before = program_of(hlo.parse(PROGRAM))
    after = block_of(json.loads(json.dumps(block_to_dict(before))))
    assert cost(after, H100) == cost(before, H100)
    assert shape_of(after) == shape_of(before)


def test_a_row_names_the_program_that_is_compiled_again() -> None:
    row = {"form": "observations", "phase": 2, "envs": 16, "steps_per_call": 7 * 16, "name": "x"}
    about = about_of(row)
    assert about == {"form": "observations", "phase": 2, "envs": 16, "steps": 7}
    subject = subject_of(about, 3)
    assert (subject.envs, subject.steps) == (16, 7 * 16)
    made = described(about, subject, PROGRAM)
    assert made["parts"]["step"]["kernels"] == 3


def test_trainings_differ_by_their_sizes_and_their_form() -> None:
    sizes = {"n_envs": 16, "n_steps": 8, "batch_size": 64, "n_epochs": 1, "precision": "tf32"}
    assert about_of(sizes)["form"] == "gpu"
    about = about_of({**sizes, "form": "cpu"})
    assert subject_of(about, 3).name == "training, phase 1, tf32, cpu"
    assert subject_of(about, 3).steps == 16 * 8
