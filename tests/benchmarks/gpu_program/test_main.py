import pytest
from click.testing import CliRunner

from benchmarks.gpu_program.__main__ import main
from benchmarks.gpu_program.target import has_compiler
from tests.sentences import refuses


@pytest.mark.parametrize(
    "arguments",
    [
        ["--card", "h300"],
        ["--precision", "fp8"],
        ["--phase", "3"],
        ["--what", ","],
        ["--what", "training", "--set", "gamma"],
        ["--what", "training", "--set", "gamme=0.9"],
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str]) -> None:
    with refuses():
        CliRunner().invoke(main, [*arguments, "--days", "4"], catch_exceptions=False)


@pytest.mark.skipif(has_compiler(), reason="the CUDA plugin is installed here")
def test_without_the_plugin_it_says_what_to_install() -> None:
    with refuses():
        CliRunner().invoke(main, ["--what", "environment", "--days", "4"], catch_exceptions=False)
