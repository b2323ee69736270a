"""The checkers of the pages find planted faults, and nothing where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.docs import commands, numbers, paths, python_blocks
from tests.docs.pages import ROOT, Page, anchor, read


def page(text: str, name: str = "docs/made_up.md") -> Page:
    return read(name, text)


@pytest.mark.parametrize(
    "text",
    [
        "See `ninjatrader/check/Check.cs`.",
        "See `check/Check.cs`.",
        "Mutants are in `parity/mutants/catalog/learner*.py`.",
        "`jax_port/ppo/`, `tests/nowhere/`",
        "The entry point `rltrader.gate` judges.",
        "Call `jax_port.data.data_loader.lead`.",
        "```bash\nmcs -out:check.exe ninjatrader/check/Check.cs\n```",
        "Run `pytest tests/parity/test_evaluation.py`.",
    ],
)
def test_a_wrong_path_or_name_is_found(text: str) -> None:
    assert len(list(paths.check_spans(page(text)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "`ninjatrader/check/ParityCheck.cs`, `check/ParityCheck.cs`, `jax_port/ppo/`",
        "`parity/mutants/catalog*.py`",
        "`reports/parity/certificate.json` is written by a run, `manifest.json` too.",
        "`jax_port.data.data_loader.load`, `markets.EnvConfig.phase1`, `parity.json`, `run.json`",
        "`position`, `jax.devices()`, `and/or`, `a/b`",
    ],
)
def test_right_paths_and_names_pass(text: str) -> None:
    assert not list(paths.check_spans(page(text)))


def test_a_link_to_a_missing_file_or_heading_is_found() -> None:
    text = (
        "[a](parity.md) [b](paritie.md) [c](parity.md#the-verdict) [d](parity.md#no-such-thing) "
        "[e](#here)\n\n# Here\n"
    )
    faults = list(paths.check_links(page(text), {}))
    assert [fault.text.split(":")[0] for fault in faults] == [
        "link to paritie.md",
        "link to parity.md#no-such-thing",
    ]


def test_anchors_are_those_of_the_renderers() -> None:
    assert anchor("What is `stored`, and what is rebuilt") == "what-is-stored-and-what-is-rebuilt"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("rltrader trains --data a.csv", "No such command"),
        ("rltrader train --dta a.csv --out runs/a", "No such option"),
        ("rltrader data synthetic --symbol ES --seed 0 --out a.csv", "Missing option '--days'"),
        ("rltrader data synthetic --symbol ES --days many --seed 0 --out a.csv", "Invalid value"),
        ("rltrader export verify", "Missing argument"),
        ("nox -s parities", "no session parities"),
        ("nox -s parity -- --case 3", "No such option"),
        ("nox -s lint -- --data a.csv", "takes no arguments"),
        ("nox --sesions parity", "no option"),
        ("python -m benchmarks.floors", "no such module"),
        ("python -m benchmarks.suites.roofline --quik", "No such option"),
        ("python -m markets.bars", "prints nothing"),
        ("python -m parity.mutants.child --nonsense", "does not take"),
        ("python -m jax_port.ppo.train_ppo_jax --env 3 --upd", "does not take"),
        ("python -m jax_port.envs.env_phase1_jax --envs 3", "takes no arguments"),
        ("pip install '.[exports]'", "no extra exports"),
        ("rtrader data contracts", "unknown command"),
        ("python examples/no_such_example.py", "no such script"),
    ],
)
def test_a_wrong_command_is_found(command: str, reason: str) -> None:
    found = list(commands.check_page(page(f"```bash\n{command}\n```")))
    assert len(found) == 1
    assert reason in found[0].text


def test_right_commands_pass_and_every_part_of_a_line_is_looked_at() -> None:
    right = (
        "python -m pip install nox && nox -s parity -- --data a.csv --symbol ES   # the proof\n"
        "rltrader export runs/es --to bundle\nJAX_PLATFORMS=cpu rltrader data contracts | grep ES\n"
        "rltrader train --data ES_1min.csv --symbol ES \\\n  --out runs/es\n"
        "mcs -out:check.exe $(ls ninjatrader/policy/*.cs | grep -v Agent) > log.txt\n"
        "nox -s tests -- tests/jax_port/envs\nnox -s mutation_sample -- --count 40 --seed 3\n"
    )
    assert not list(commands.check_page(page(f"```bash\n{right}```")))
    wrong = right.replace("--out runs/es", "--owt runs/es").replace("nox -s parity", "nox -s parrot")
    found = list(commands.check_page(page(f"```bash\n{wrong}```")))
    assert [fault.line for fault in found] == [2, 5]


def test_a_wrong_option_in_running_text_is_found_and_a_placeholder_is_not() -> None:
    assert not list(
        commands.check_page(page("`rltrader export verify DIR`, `rltrader train ...`, `--seeds 8`"))
    )
    found = list(commands.check_page(page("`rltrader export verify DIR --fast`, `--sedes 8`")))
    assert len(found) == 2


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A report and the declaration of it."""
    rows = [{"name": "a, b", "rate": {"median": 16074505.4}}, {"name": "c", "rate": {"median": 1.25}}]
    content = {"rows": rows, "share": 0.0734, "tiny": 1.24e-14, "loss": -585.4, "areas": [1.0, 3.0]}
    path = tmp_path / "reports" / "reference" / "made.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    monkeypatch.setattr(numbers, "ROOT", tmp_path)
    numbers.report.cache_clear()
    return "<!-- report made: reports/reference/made.json -->\n\n"


@pytest.mark.parametrize(
    ("right", "wrong", "path"),
    [
        ("16 million", "17 million", "rows[name=a, b].rate.median"),
        ("16.07 M", "16.08 M", "rows[name=a, b].rate.median"),
        ("16,074,505", "16,074,506", "rows[0].rate.median"),
        ("7%", "8%", "share"),
        ("1.2e-14", "1.3e-14", "tiny"),
        ("−$585", "$585", "loss"),
        ("1.2", "1.4", "rows[name=c].rate.median"),
        ("13", "14", "rows[name=a, b].rate.median / made rows[name=c].rate.median * 1e-6"),
    ],
)
def test_a_wrong_number_is_found(report: str, right: str, wrong: str, path: str) -> None:
    assert not list(numbers.check_page(page(f"{report}It is {right}<!-- made {path} -->.")))
    assert len(list(numbers.check_page(page(f"{report}It is {wrong}<!-- made {path} -->.")))) == 1


def test_lists_are_reduced_and_missing_entries_named(report: str) -> None:
    assert not list(
        numbers.check_page(page(f"{report}2.0<!-- mean made areas[*] --> 3<!-- max made areas[*] -->"))
    )
    found = list(numbers.check_page(page(f"{report}2.0<!-- made no.such.entry -->")))
    assert "not in the report" in found[0].text


def test_a_number_of_the_code_is_computed() -> None:
    assert not list(numbers.check_page(page("66 bytes<!-- code transition_bytes -->")))
    assert list(numbers.check_page(page("75 bytes<!-- code transition_bytes -->")))


def test_a_number_beside_a_report_must_be_tied_to_it() -> None:
    text = (
        "# Measured\n\nFrom `reports/reference/x.json`: 16 million<!-- given --> and 42 million.\n\n"
        "<!-- measured apart -->\n17 million.\n\n# Else\n\n3 million\n"
    )
    found = list(numbers.check_page(page(text)))
    assert [fault.text.split(":")[0] for fault in found] == ["42 million"]


def test_a_failing_example_is_found_at_its_line() -> None:
    good = "```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 1\n```\n"
    assert not list(python_blocks.run(page(good)))
    (fault,) = python_blocks.run(page(good.replace("x == 1", "x == 2")))
    assert fault.line == 8


def test_comments_prepare_replace_and_run() -> None:
    text = (
        "<!-- test\nopen('a.txt', 'w').write('7')\n-->\n\n<!-- in tests: 10_000 is 7 -->\n\n"
        "```python\nassert int(open('a.txt').read()) == 10_000\n```\n\n"
        "<!-- run: prints ES -->\n\n```bash\nrltrader data contracts\n```\n"
    )
    assert not list(python_blocks.run(page(text)))
    (fault,) = python_blocks.run(page(text.replace("prints ES", "prints QQQ")))
    assert "does not print" in fault.text


def test_code_without_a_language_is_found() -> None:
    (fault,) = commands.check_page(page("```\nrltrader data contracts\n```"))
    assert "without a language" in fault.text


def test_pages_are_found() -> None:
    assert (ROOT / "docs" / "environment.md").is_file()


def test_examples_that_hang_are_a_fault() -> None:
    found = list(python_blocks.run(page("```python\nimport time\ntime.sleep(60)\n```"), seconds=2))
    assert [fault.text for fault in found] == ["its examples take more than 2 s"]
