import pytest
from click.testing import CliRunner

from benchmarks.gpu_program.__main__ import main
from benchmarks.gpu_program.target import has_compiler
from foundation.errors import InputError


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--card", "h300"], "--card h300: choose from h100, h200, rtx4090"),
        (["--precision", "fp8"], "--precision fp8: choose from bf16, tf32, float32"),
        (["--phase", "3"], "--phase 3: choose from 1, 2"),
        (["--what", ","], "--what is empty: choose from environment, training"),
        (["--what", "training", "--set", "gamma"], "--set gamma: give NAME=VALUE"),
        (["--what", "training", "--set", "gamme=0.9"], "unknown training setting gamme"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        CliRunner().invoke(main, [*arguments, "--days", "4"], catch_exceptions=False)


@pytest.mark.skipif(has_compiler(), reason="the CUDA plugin is installed here")
def test_without_the_plugin_it_says_what_to_install() -> None:
    with pytest.raises(InputError, match="nox -s gpu_program"):
        CliRunner().invoke(main, ["--what", "environment", "--days", "4"], catch_exceptions=False)
