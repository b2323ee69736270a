"""What several cards do together: read from a text by hand, and compiled for described machines."""

from dataclasses import replace

import pytest

from benchmarks.gpu_program.analysis import analyse
from benchmarks.gpu_program.cards import H100, RTX_4090
from benchmarks.gpu_program.machines import Machine
from benchmarks.gpu_program.model import UNKNOWN_TRIPS
from benchmarks.gpu_program.runner import report_of
from benchmarks.gpu_program.scaling import collectives_of, divided, html_scaling, scaling_row
from benchmarks.gpu_program.subjects import find_part, training_settings, update
from benchmarks.gpu_program.target import has_compiler
from tests.sentences import refuses

AMONG = replace(H100, machine=Machine(1, 8))
SUM = """\
  %sum.1 = f32[64]{0} all-reduce-start(%get.9), replica_groups={{0,1,2,3,4,5,6,7}}, to_apply=%add
  %sum.2 = f32[64]{0} all-reduce-done(%sum.1)
"""
GATHER = """\
  %all.1 = (f32[8]{0}, f32[64]{0}) all-gather-start(%few), dimensions={0}
  %all.2 = f32[64]{0} all-gather-done(%all.1)
"""
BODY = "  %gemm = f32[64,16]{1,0} fusion("
ENTRY = "  %tuple.4 = "


def test_collectives_are_found_with_their_bytes_and_part(program: str) -> None:
    text = program.replace(BODY, SUM + BODY).replace(ENTRY, GATHER + ENTRY)
    text = text.replace("  %zero.3 =", "  %few = f32[8]{0} broadcast(%zero.3)\n  %zero.3 =")
    report = analyse("p", text, 70, AMONG, {"step": lambda block: find_part(block, (7,))})
    found = {one.opcode: one for one in collectives_of(report, AMONG)}
    assert (found["all-reduce"].part, found["all-reduce"].times) == ("step", 7)
    assert found["all-reduce"].bytes == found["all-gather"].bytes == 64 * 4
    assert (found["all-gather"].part, found["all-gather"].times) == ("the rest", 1)
    together = 7 * found["all-reduce"].seconds + found["all-gather"].seconds
    assert report.whole.cost.collective_seconds == pytest.approx(together)
    alone = analyse("p", program, 70 // 8, H100, {})
    assert alone.whole.cost.collective_seconds == 0
    row = scaling_row(report, alone, AMONG)
    assert row["efficiency"] == pytest.approx(report.steps_per_second / 8 / alone.steps_per_second)
    assert row["collective_bytes"] == 8 * 256
    assert "all-gather" in html_scaling([row])


def test_cards_without_known_links_are_refused() -> None:
    with refuses():
        divided(training_settings({}), 1, 30, RTX_4090, Machine(1, 8), True)


@pytest.mark.skipif(
    not has_compiler(), reason="needs JAX's CUDA plugin; `nox -s gpu_program` installs it and runs this"
)
@pytest.mark.parametrize("machine", [Machine(1, 8), Machine(2, 8)])
def test_no_transition_travels_where_each_card_has_its_own_orders(machine: Machine) -> None:
    sizes = {"n_envs": 65_536, "n_steps": 32, "batch_size": 131_072, "n_epochs": 4}
    settings = training_settings({**sizes, "precision": "bf16"})
    subject, card = divided(settings, 1, 30, H100, machine, True)
    report = report_of(subject, card, UNKNOWN_TRIPS)
    found = collectives_of(report, card)
    assert {one.opcode for one in found} == {"all-reduce"}
    for part, most in (("minibatch", 1.1e6), ("rollout step", 4096)):
        (one,) = (one for one in found if one.part == part)
        assert one.bytes <= most
    assert all(one.bytes <= 1024 for one in found if one.part == "the rest")
    alone = report_of(update(settings, 1, 30), H100, UNKNOWN_TRIPS)
    assert scaling_row(report, alone, card)["efficiency"] >= 0.9
    assert not any(part.host_loops for part in report.parts)
