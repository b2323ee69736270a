import jax
import numpy as np
import pytest

from benchmarks.accelerator.rows import bytes_per_env, line_of, measure
from benchmarks.accelerator.utilisation import Monitor
from benchmarks.gpu_model.programs import block_of
from benchmarks.gpu_program.cards import H100
from benchmarks.gpu_program.model import cost
from benchmarks.gpu_program.prepared import Prepared, prepare, prepare_all, same_bits
from benchmarks.gpu_program.subjects import environment


@pytest.fixture(scope="module")
def program() -> Prepared:
    return prepare(environment("observations", 1, 16, 4, 8))


def test_a_row_says_what_was_measured_and_what_the_model_expects(program: Prepared) -> None:
    monitor = Monitor()
    try:
        row = measure(program, 0.01, monitor, H100, phase=1)
    finally:
        monitor.close()
    assert row["steps_per_call"] == 16 * 8
    assert row["phase"] == 1
    assert row["steps_per_second"]["median"] > 0
    assert row["predicted"]["steps_per_second"] > 0
    ratio = row["measured_over_predicted_seconds"]
    expected = row["predicted"]["steps_per_second"] / row["steps_per_second"]["median"]
    assert ratio == pytest.approx(expected, rel=0.2)
    asked_again = cost(block_of(row["program"]), H100).seconds
    assert row["steps_per_call"] / asked_again == pytest.approx(row["predicted"]["steps_per_second"])
    assert "16 environments" in line_of(row)
    assert "of the model's" in line_of(row)
    without = measure(program, 0.01, monitor, None)
    assert "predicted" not in without
    assert "model" not in line_of(without)


def test_memory_grows_with_the_observations(program: Prepared) -> None:
    per_env = bytes_per_env(program)
    assert per_env is not None
    assert per_env > 225 * 4


def test_a_run_goes_on_and_begins_again(program: Prepared) -> None:
    program.begin()
    first = jax.device_get(program.run()[0])
    second = jax.device_get(program.run()[0])
    assert not same_bits(first, second)
    program.begin()
    assert same_bits(first, jax.device_get(program.run()[0]))


def test_one_bit_is_a_difference() -> None:
    one = np.float32(1.0)
    assert same_bits((one, np.arange(3)), (one, np.arange(3)))
    assert not same_bits((one,), (np.nextafter(one, np.float32(2)),))
    assert not same_bits((np.float32(0.0),), (np.float32(-0.0),))


def test_a_program_that_cannot_be_had_is_a_sentence() -> None:
    subject = environment("no observations", 1, 8, 4, 4)
    good, bad = prepare_all([subject, subject], [None, {"xla_no_such_option": "1"}])
    assert isinstance(good, Prepared)
    assert isinstance(bad, str)
    assert "xla_no_such_option" in bad


def test_how_busy_the_card_was() -> None:
    monitor = Monitor()
    try:
        for number, line in enumerate(
            ["90, 40, 1000, 350.5, 1980", "100, 60, 3000, 400.5, 1900", "[N/A]"]
        ):
            monitor.take(line, 1000.0 + number)
        monitor.take("0, 0, 0, 0, 0", 2000.0)
        busy = monitor.between(1000.0, 1010.0)
    finally:
        monitor.close()
    assert busy["samples"] == 2
    assert busy["gpu_percent"]["median"] == 95
    assert busy["power_watts"]["median"] == pytest.approx(375.5)
    assert monitor.between(3000.0, 3001.0) == {}
