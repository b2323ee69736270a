"""Reports of compiled programs: every cell of their tables, and the page's section."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from benchmarks.gpu_program import report


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.414e12, "3.41 TB"), (1e9, "1 GB"), (999_999_999.0, "1e+03 MB"), (2.5e6, "2.5 MB"),
        (1000.0, "1 kB"), (999.0, "999 B"), (0.0, "0 B"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float, text: str) -> None:
    assert report.short(value, "B") == text
    assert report.short(12.0) == "12"


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.345, "2.35 s"), (1.0, "1 s"), (0.0241, "24.1 ms"), (0.001, "1 ms"), (2.41e-5, "24.1 µs")],
)
def test_times_are_short(value: float, text: str) -> None:
    assert report.seconds(value) in (text, text.replace("2.35", "2.34"))


def part(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name, "kernels": 12, "host_loops": [], "launched": 0, "launches": 1234.5, "bytes": 2e6,
        "flops": 0.0, "seconds": 0.25, "wall": "memory", **more,
    }  # fmt: skip


KERNEL = {
    "kind": "fusion", "loop": "", "read_bytes": 1000.0, "written_bytes": 2000.0,
    "flops": {"bf16": 3e6, "f32": 1e6}, "where": "place", "name": "kernel.1",
}  # fmt: skip
STEP = part(
    "step", flops=5e9, host_loops=[3, 4], seconds=0.125, wall="products",
    list=[KERNEL, {**KERNEL, "loop": "a loop", "flops": {}, "name": "kernel.2"}],
)  # fmt: skip
HEAVY = {
    "where": "here", "kind": "loop", "launches": 2000.0, "bytes": 3000.0, "flops": 4e6, "seconds": 0.05,
}  # fmt: skip
PROGRAM: dict[str, Any] = {
    "name": "training <b>", "card": "h100", "whole": part("whole", launched=9), "parts": [STEP],
    "heaviest": [HEAVY, {**HEAVY, "where": "there", "flops": 0.0, "seconds": 0.2}],
    "model_steps_per_second": 2e6, "measured_steps_per_second": None,
    "measured_over_model_seconds": None, "notes": ["a note", "another"],
}  # fmt: skip


def test_a_program_s_rows_are_the_whole_and_each_part() -> None:
    step = {**STEP, "launches": 1234.5}
    program = {**PROGRAM, "whole": part("whole", launches=5000), "parts": [step, part("update")]}
    whole, one, other = report.rows_of(program)
    assert whole == ("training <b>, h100", "12", "0", "5,000", "2 MB", "", "250 ms", "memory")
    assert one == (
        "  one step", "12", "2 (of 3, 4)", "1,234", "2 MB", "5 GFLOP", "125 ms", "products",
    )  # fmt: skip
    assert other[0] == "  one update"
    assert len(whole) == len(one) == len(report.COLUMNS)


def test_a_line_has_its_share_of_the_whole_time() -> None:
    first, second = (report.heavy_row(line, 0.25) for line in PROGRAM["heaviest"])
    assert first == ("here", "loop", "2,000", "3 kB", "4 MFLOP", "20.0 %")
    assert second == ("there", "loop", "2,000", "3 kB", "", "80.0 %")


def test_speed_is_the_model_s_and_what_was_measured() -> None:
    assert report.speed_of(PROGRAM) == (
        "training <b> on h100: 2 M steps/s by the model; a note; another"
    )
    measured = {**PROGRAM, "measured_steps_per_second": 1e6, "measured_over_model_seconds": 2.0}
    assert report.speed_of({**measured, "notes": []}) == (
        "training <b> on h100: 2 M steps/s by the model, 1 M measured (2.00 times the model's time)"
    )


def test_tables_show_every_program_its_speed_and_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    other = {**PROGRAM, "name": "environment", "card": "h200"}
    report.show([PROGRAM, other], Console(width=160))
    text = " ".join(capsys.readouterr().out.split())
    for name, card in (("training <b>", "h100"), ("environment", "h200")):
        assert text.count(f"{name}, {card}") == 2
        assert f"{name} on {card}: 2 M steps/s by the model" in text
    assert text.count("one step") == 2
    assert text.count("80.0 %") == 2


def test_every_kernel_is_listed_under_its_loop(capsys: pytest.CaptureFixture[str]) -> None:
    report.show_kernels([PROGRAM], Console(width=160))
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "", "training <b>, h100, one step:",
        "fusion 1 kB in 2 kB out 4 MFLOP place kernel.1",
        "a loop", "fusion 1 kB in 2 kB out place kernel.2",
    ]  # fmt: skip


def test_a_page_s_section_has_all_of_it_escaped() -> None:
    section = report.html_section([PROGRAM, {**PROGRAM, "name": "other"}])
    assert section.count("<tr><td>") == 2 * 2 + 2 * 2
    assert "<td>training &lt;b&gt;, h100</td>" in section
    assert "training <b>" not in section
    assert section.count("<details>") == section.count("</details>") == 2
    assert "<li>other on h100: 2 M steps/s by the model; a note; another</li>" in section
    assert "<td>there</td><td>loop</td><td>2,000</td><td>3 kB</td><td></td><td>80.0 %</td>" in section
    heads = "".join(f"<th>{name}</th>" for name in report.COLUMNS)
    assert f"<thead><tr>{heads}</tr></thead>" in section


def test_all_values_are_kept_as_plain_ones() -> None:
    class Report:
        def to_dict(self) -> dict[str, Any]:
            return {"of": "it"}

    reports: Any = [Report(), Report()]
    values = report.to_json(reports, {"a": "b"})
    assert values["programs"] == [{"of": "it"}] * 2
    assert (values["settings"], values["schema"], values["benchmark"]) == ({"a": "b"}, 2, "gpu_program")
    assert values["model"] == {
        "captured_seconds": report.CAPTURED_SECONDS, "launch_seconds": report.LAUNCH_SECONDS,
        "host_read_seconds": report.READ_SECONDS,
    }  # fmt: skip
    assert set(values["versions"]) == {"jax", "jaxlib"}
