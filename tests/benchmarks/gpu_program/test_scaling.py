"""What several cards do together: read from a text by hand, and compiled for described machines."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest
from rich.console import Console

from benchmarks.gpu_program import scaling
from benchmarks.gpu_program.analysis import analyse
from benchmarks.gpu_program.cards import H100, RTX_4090
from benchmarks.gpu_program.machines import Machine
from benchmarks.gpu_program.model import UNKNOWN_TRIPS
from benchmarks.gpu_program.runner import report_of
from benchmarks.gpu_program.scaling import collectives_of, divided, html_scaling, scaling_row
from benchmarks.gpu_program.subjects import Subject, find_part, training_settings, update
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


@pytest.mark.parametrize("own", [True, False])
def test_an_update_is_divided_over_all_cards_at_as_many_times_the_size(
    own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    devices = list(np.array(jax.devices() * 6)[:6])

    def topology(*given: Any) -> Any:
        told.append(given)
        return SimpleNamespace(devices=devices)

    def update(*given: Any, **named: Any) -> Any:
        told.append((given, named))
        return SUBJECT

    monkeypatch.setattr(scaling, "topology_of", topology)
    monkeypatch.setattr(scaling, "update", update)
    monkeypatch.setattr(scaling, "Mesh", lambda places, names, axis_types: (len(places), names))
    sizes = {"n_envs": 64, "n_steps": 4, "batch_size": 32, "n_epochs": 3}
    machine = Machine(2, 3)
    subject, card = divided(training_settings(sizes), 2, 9, H100, machine, own)
    orders = 6 if own else 1
    larger = training_settings({**sizes, "n_envs": 384, "batch_size": 192, "order_groups": orders})
    assert told == [(H100, 3, 2), ((larger, 2, 9), {"mesh": (6, (scaling.AXIS,))})]
    assert subject.name == f"an update, {machine} cards, {'own orders' if own else 'one order'}"
    assert (card.machine, card.name) == (machine, H100.name)


SUBJECT = Subject("an update", lambda: None, lambda: (), (), 1, 1)


def test_every_divided_program_and_its_collectives_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    one = {
        "opcode": "all-reduce", "part": "step", "times": 7.0, "bytes": 2e6, "seconds": 0.25,
        "where": "here",
    }  # fmt: skip
    row = {
        "name": "a <b>", "card": "h100", "model_steps_per_second": 3e6, "efficiency": 0.912,
        "collectives": [one, {**one, "opcode": "all-gather", "times": 2000.0}],
        "collective_bytes": 4e9, "collective_seconds": 0.5,
    }  # fmt: skip
    rows = [row, {**row, "name": "c"}]
    cells = ("a <b>, h100", "3 M", "91.2 %", "2,007", "4 GB", "500 ms")
    assert scaling.cells_of(row) == cells
    assert scaling.collective_cells(one) == ("all-reduce", "step", "7", "2 MB", "250 ms", "here")
    scaling.show_scaling(rows, Console(width=160))
    text = capsys.readouterr().out
    for word, count in (("91.2 %", 2), ("all-reduce", 2), ("all-gather", 2), (": collectives", 2)):
        assert text.count(word) == count
    page = html_scaling(rows)
    assert page.count("<details>") == 2
    assert "<td>a &lt;b&gt;, h100</td><td>3 M</td><td>91.2 %</td><td>2,007</td>" in page
    assert page.count("<td>all-gather</td><td>step</td><td>2,000</td>") == 2
