import pytest

from benchmarks.gpu_program.machines import (
    ADAPTER,
    ALONE,
    LATENCY_BETWEEN,
    LATENCY_INSIDE,
    NVLINK,
    Machine,
    machine_of,
)
from tests.sentences import refuses


def test_one_card_waits_for_nobody() -> None:
    assert ALONE.size == 1
    assert ALONE.seconds("all-reduce-start", 1e9) == 0.0


def test_a_sum_goes_over_the_links_twice_and_what_is_gathered_once() -> None:
    eight = Machine(1, 8)
    assert eight.seconds("all-reduce", 0) == LATENCY_INSIDE
    twice = eight.seconds("all-reduce-start", 8e9) - LATENCY_INSIDE
    assert twice == pytest.approx(2 * 7e9 / NVLINK)
    assert eight.seconds("all-gather-start", 8e9) - LATENCY_INSIDE == pytest.approx(twice / 2)
    assert eight.seconds("collective-permute", 8e9) - LATENCY_INSIDE == pytest.approx(8e9 / NVLINK)


def test_between_machines_each_card_carries_its_share() -> None:
    both = Machine(2, 8)
    assert both.size == 16
    took = both.seconds("all-reduce", 8e9) - LATENCY_BETWEEN
    assert took == pytest.approx(2 * 7e9 / NVLINK + 1e9 / ADAPTER)
    single = Machine(2, 1)  # no links inside
    assert single.seconds("all-reduce", 8e9) - LATENCY_BETWEEN == pytest.approx(8e9 / ADAPTER)


def test_names() -> None:
    assert machine_of("2x8") == Machine(2, 8)
    assert str(Machine(2, 8)) == "2x8"
    for name in ("8", "0x8", "2x8x2", "1x1", "two"):
        with refuses():
            machine_of(name)
