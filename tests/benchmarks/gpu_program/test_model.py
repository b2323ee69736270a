from dataclasses import replace

import pytest

from benchmarks.gpu_program.analysis import analyse, heaviest_lines, part_of
from benchmarks.gpu_program.cards import CARDS, H100, card_of
from benchmarks.gpu_program.hlo import parse
from benchmarks.gpu_program.kernels import Block, Kernel, Kind, program_of
from benchmarks.gpu_program.model import (
    CAPTURED_SECONDS,
    GRAPH_KERNELS,
    LAUNCH_SECONDS,
    READ_SECONDS,
    cost,
    kernel_seconds,
)
from benchmarks.gpu_program.report import html_section, to_json
from benchmarks.gpu_program.subjects import find_part

CARD = replace(
    H100,
    copy_rate=1e12,
    gather_rate=5e11,
    cache_rate=4e12,
    cache_bytes=10**6,
    rates={"float32": 1e12, "tf32": 1e13, "bf16": 1e14},
)


def kernel(read: int = 0, kind: Kind = "other", **flops: float) -> Kernel:
    return Kernel("k", kind, read, 0, flops, ())


def test_a_graph_takes_its_launches_and_its_work() -> None:
    block = Block("b", kernels=[kernel(10**9, bf16=1e11)] * GRAPH_KERNELS)
    one = cost(block, CARD)
    assert one.launch_seconds == pytest.approx(GRAPH_KERNELS * CAPTURED_SECONDS)
    assert one.seconds == pytest.approx(GRAPH_KERNELS * (CAPTURED_SECONDS + 1e-3 + 1e-3))
    assert one.bytes == GRAPH_KERNELS * 10**9
    assert one.flops == GRAPH_KERNELS * 1e11
    assert sum(kernel_seconds(block, CARD)) == pytest.approx(one.seconds)


def test_the_card_waits_for_a_host_that_launches_few_kernels_by_themselves() -> None:
    few = cost(Block("b", kernels=[kernel(10**6)] * (GRAPH_KERNELS - 1)), CARD)
    assert few.seconds == pytest.approx((GRAPH_KERNELS - 1) * LAUNCH_SECONDS)
    assert few.wall == "launches"
    long = cost(Block("b", kernels=[kernel(10**9)]), CARD)
    assert long.seconds == pytest.approx(CAPTURED_SECONDS + 1e-3)
    assert long.wall == "bytes"


def test_bytes_move_at_the_rate_of_their_kind_and_of_the_cache() -> None:
    streams, looks_up = kernel(2 * 10**6), kernel(2 * 10**6, kind="gather")
    assert cost(Block("b", kernels=[streams]), CARD).byte_seconds == pytest.approx(2e-6)
    assert cost(Block("b", kernels=[looks_up]), CARD).byte_seconds == pytest.approx(4e-6)
    fits = [kernel(5 * 10**5), kernel(5 * 10**5, kind="gather")]
    assert cost(Block("b", kernels=fits), CARD).byte_seconds == pytest.approx(1e6 / 4e12)
    assert cost(Block("b", kernels=[*fits, kernel(1)]), CARD).byte_seconds > 1e-6


@pytest.mark.parametrize(("precision", "rate"), CARD.rates.items())
def test_products_take_the_time_of_their_precision(precision: str, rate: float) -> None:
    one = cost(Block("b", kernels=[kernel(**{precision: 1e12})]), CARD)
    assert one.product_seconds == pytest.approx(1e12 / rate)
    assert one.wall == "products"


def test_turns_multiply_and_a_host_that_reads_costs_more() -> None:
    inner = Block("inner", trips=None, kernels=[kernel()] * 2)
    outer = Block("outer", trips=5, kernels=[kernel()], inside=[inner])
    whole = cost(Block("entry", inside=[outer]), CARD, unknown_trips=3)
    assert whole.launches == 5 * (1 + 3 * 2)
    assert whole.host_reads == 5 * (3 + 1)  # the condition is read once more than it holds
    assert whole.seconds == pytest.approx(whole.launches * LAUNCH_SECONDS + 20 * READ_SECONDS)
    assert whole.wall == "host"


def test_a_branch_is_read_once() -> None:
    branch = Block("branch", is_branch=True, kernels=[kernel()])
    assert cost(Block("entry", inside=[branch]), CARD).host_reads == 1


def test_parts_are_found_by_how_often_they_turn(program: str) -> None:
    entry = program_of(parse(program))
    assert find_part(entry, (7,)) is entry.inside[0]
    assert find_part(entry, (8,)) is None
    deep = Block("e", inside=[Block("a", trips=4, inside=[Block("b", trips=16, kernels=[kernel()])])])
    assert find_part(deep, (64,)).name == "b"  # type: ignore[union-attr]


def test_kernels_of_a_turn_leave_out_what_the_host_decides(program: str) -> None:
    part = part_of("step", program_of(parse(program)).inside[0], H100)
    assert part.kernels == 3
    assert part.host_loops == (2, 1)


def test_the_heaviest_lines_name_the_project_and_the_library(program: str) -> None:
    rows = {row.where: row for row in heaviest_lines(program_of(parse(program)), H100, 3)}
    product = rows["jax_port/ppo/rollout.py:197 body, by linear.py:287"]
    assert product.launches == 7
    assert product.flops == 7 * 2.0 * 64 * 16 * 32
    assert rows["jax_port/ppo/rollout.py:197 body"].kind == "reduction"
    assert "no line (copy)" in rows
    assert rows["no line (copy)"].launches == 7 * 3


def test_a_report_as_json_and_as_a_section(program: str) -> None:
    parts = {"step": lambda block: find_part(block, (7,)), "minibatch": lambda block: None}
    report = analyse("the <program>", program, 70, H100, parts, unknown_trips=2)
    assert report.notes == ["no loop that turns as often as a minibatch does"]
    assert report.steps_per_second == pytest.approx(70 / report.whole.cost.seconds)
    values = to_json([report], {})["programs"][0]
    assert values["parts"][0]["kernels"] == 3
    assert [row["name"] for row in values["parts"][0]["list"][:3]] == ["gemm", "sums", "written"]
    assert values["measured_steps_per_second"] is None
    report.measured_seconds = 2 * report.whole.cost.seconds
    assert report.to_dict()["measured_over_model_seconds"] == pytest.approx(2.0)
    section = html_section([report.to_dict()])
    assert "the &lt;program&gt;" in section
    assert "2.00 times" in section


def test_cards_are_known_by_what_jax_calls_them() -> None:
    assert card_of("NVIDIA H100 80GB HBM3") is CARDS["h100"]
    assert card_of("NVIDIA H200") is CARDS["h200"]
    assert card_of("NVIDIA GeForce RTX 4090") is CARDS["rtx4090"]
    assert card_of("cpu") is None
