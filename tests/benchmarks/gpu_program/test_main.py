"""The command that shows what a GPU would run: its options, what it writes, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.gpu_program.__main__ import main
from benchmarks.gpu_program.machines import machine_of
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


def test_options_reach_what_reports_and_all_of_it_is_shown_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    def part(place: str, answer: Any) -> None:
        def called(*given: Any) -> Any:
            told[place.rsplit(".", 1)[1]] = given
            return answer

        monkeypatch.setattr(f"benchmarks.gpu_program.{place}", called)

    part("runner.report_all", ["reports"])
    part("runner.report_scaling", ["scaling"])
    part("report.to_json", {"programs": ["programs"]})
    part("report.show", None)
    part("report.show_kernels", None)
    part("report.html_section", "<section>")
    part("scaling.show_scaling", None)
    part("scaling.html_scaling", "<scaling>")
    out, html, hlo = tmp_path / "report.json", tmp_path / "page.html", tmp_path / "hlo"
    words = ["--card", "h200, h100", "--precision", "tf32,bf16", "--phase", "2,1", "--form", "cpu"]
    words += ["--what", "training", "--envs", "64", "--n-steps", "4", "--batch-size", "8"]
    words += ["--epochs", "3", "--machines", "1x8,2x4", "--days", "9", "--set", "gamma=0.5"]
    words += ["--unknown-trips", "7", "--json", str(out), "--html", str(html), "--hlo", str(hlo)]
    done = CliRunner().invoke(main, [*words, "--kernels"])
    assert done.exit_code == 0, done.exception
    cards, precisions, phases = ["h200", "h100"], ["tf32", "bf16"], [2, 1]
    *first, options, folder = told["report_all"]
    assert (first, folder) == ([cards, precisions, phases, ["training"]], hlo)
    names = ("envs", "n_steps", "batch_size", "epochs", "days", "unknown_trips")
    assert [options[name] for name in names] == [64, 4, 8, 3, 9, 7]
    assert (options["form"], options["overrides"]) == (["cpu"], ("gamma=0.5",))
    machines = [machine_of("1x8"), machine_of("2x4")]
    assert told["report_scaling"] == (
        cards, precisions, phases, machines, options, hlo, ["reports"],
    )  # fmt: skip
    assert told["to_json"][0] == ["reports"]
    assert told["to_json"][1]["envs"] == "64"
    assert told["show"][0] == told["show_kernels"][0] == told["html_section"][0] == ["programs"]
    assert told["show_scaling"][0] == told["html_scaling"][0] == ["scaling"]
    assert json.loads(out.read_text()) == {"programs": ["programs"], "several_cards": ["scaling"]}
    assert html.read_text() == "<section>\n<scaling>\n"
    told.clear()
    part("runner.report_scaling", [])
    assert CliRunner().invoke(main, words).exit_code == 0
    assert not {"show_kernels", "show_scaling", "html_scaling"} & set(told)
    assert html.read_text() == "<section>\n"
