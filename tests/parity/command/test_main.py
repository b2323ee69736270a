"""The command ``envparity``: exit codes, files, one case, certificates, bad input in a sentence."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from parity.command.main import _check_of, app
from parity.harness.places import load_pair
from tests.sentences import refuses
from tests.snapshots import Snapshot

PAIRS = "tests.parity.command.small_pairs"
FEW = ["--transitions", "300", "--resets", "200", "--devices", "0", "--quiet"]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import jax

    folder = tmp_path_factory.mktemp("honest")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        result = run("check", f"{PAIRS}:honest", *FEW, "--out", folder)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("a ship that lands: same\n")
    return folder


def test_a_check_writes_a_page_numbers_junit_and_a_certificate(
    checked: Path, snapshot: Snapshot
) -> None:
    page = (checked / "report.html").read_text()
    assert "The port is the same environment" in page
    assert "<script src" not in page
    assert "http" not in page.replace("http-equiv", "")
    numbers = json.loads((checked / "report.json").read_text())
    assert numbers["verdict"] == "same"
    suite = ElementTree.parse(checked / "junit.xml").getroot()
    assert suite.get("failures") == "0"
    assert "field speed" in {case.get("name") for case in suite}
    certificate = json.loads((checked / "certificate.json").read_text())
    bound = set(certificate["sources"])
    assert {PAIRS, "tests.parity.harness.lander", "parity.harness.judge"} <= bound
    assert {"numpy", "jax"} <= set(certificate["packages"])
    assert certificate["environments"] == ["tests.parity.harness.lander"]
    snapshot("report", checked / "report.html")
    snapshot("numbers", checked / "report.json", ".seconds")


def test_a_certificate_fits_until_a_source_or_a_package_changes(checked: Path, tmp_path: Path) -> None:
    assert run("certificate", checked / "certificate.json").exit_code == 0
    certificate = json.loads((checked / "certificate.json").read_text())
    for part, name in (("sources", "tests.parity.harness.lander"), ("packages", "numpy")):
        changed = json.loads(json.dumps(certificate))
        changed[part][name] = "0"
        (tmp_path / "certificate.json").write_text(json.dumps(changed))
        with refuses():
            app(["certificate", str(tmp_path / "certificate.json")], standalone_mode=False)


@pytest.mark.costly
def test_a_port_that_differs_ends_with_1_and_a_command_that_shows_it(tmp_path: Path) -> None:
    result = run("check", f"{PAIRS}:heavy", *FEW, "--out", tmp_path)
    assert result.exit_code == 1, result.output
    assert "speed differs by logic" in result.output
    assert "The port is another environment" in (tmp_path / "report.html").read_text()
    line = next(line for line in result.output.split("\n") if "to see it again" in line)
    state, action = line.split("--state '")[1].split("'")[0], line.split("--action '")[1].split("'")[0]
    again = run("case", f"{PAIRS}:heavy", "--state", state, "--action", action)
    assert again.exit_code == 1
    assert "speed  logic" in again.output
    assert run("case", f"{PAIRS}:honest", "--state", state, "--action", action).exit_code == 0


@pytest.mark.costly
def test_a_function_that_makes_a_pair_is_taken_too(tmp_path: Path) -> None:
    assert run("check", f"{PAIRS}:made", *FEW, "--out", tmp_path).exit_code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["check", "honest"],
        ["check", "no_such_module:pair"],
        ["check", f"{PAIRS}:hones"],
        ["check", f"{PAIRS}:number"],
        ["check", "examples.pairs.cartpole:read"],
        ["check", f"{PAIRS}:honest", "--transitions", "1"],
        ["case", f"{PAIRS}:honest", "--state", "{", "--action", "0"],
        ["case", f"{PAIRS}:honest", "--state", "3", "--action", "0"],
        ["case", f"{PAIRS}:honest", "--state", '{"height": 1}', "--action", "0"],
        [
            *["case", f"{PAIRS}:honest", "--action", "0"],
            *["--state", '{"height": "high", "speed": 0, "steps": 0}'],
        ],
        [
            *["case", f"{PAIRS}:honest", "--action", "0"],
            *["--state", '{"height": 1, "speed": 0, "steps": 0.5}'],
        ],
        ["certificate", "no_such.json"],
        ["init", "--reference", "json:loads", "--port", "json"],
        ["init", "--reference", "json", "--port", "json:loads"],
    ],
    ids=" ".join,
)
def test_bad_input_is_one_sentence(words: list[str], tmp_path: Path) -> None:
    with refuses():
        app(words, standalone_mode=False)


def test_the_command_and_the_package_import_light() -> None:
    heavy = "torch stable_baselines3 pandas flax orbax gymnax gymnasium jax"
    program = (
        "import sys, parity, parity.command.main\n"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_what_a_pair_needs_is_neither_torch_nor_pandas_nor_flax() -> None:
    program = (
        "import sys, tests.parity.command.small_pairs\n"
        "from parity import verify\n"
        "from parity.harness.output import certificate, write\n"
        "print([name for name in 'torch stable_baselines3 pandas flax'.split() if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("out", "command"),
    [
        ("first.py", "envparity check first:pair"),
        ("some/pairs/first.py", "envparity check some.pairs.first:pair"),
        ("no-module/first.py", "cd no-module && envparity check first:pair"),
        ("two words/first.py", "cd 'two words' && envparity check first:pair"),
    ],
)
def test_the_command_after_init_checks_the_pair_that_was_written(
    out: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = "tests.parity.command.factories"
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    words = ["init", "--reference", f"{here}:Lift", "--port", f"{here}:NumpyLift", "--out", out]
    shown = run(*words)
    assert shown.exit_code == 0, shown.output
    assert shown.output.splitlines()[-1] == f"then: {command}"
    *folder, last = command.split(" && ")
    if folder:
        monkeypatch.chdir(shlex.split(folder[0])[1])
    place = shlex.split(last)[2]
    monkeypatch.setattr(sys, "path", [str(Path.cwd()), *sys.path])
    monkeypatch.delitem(sys.modules, "first", raising=False)
    assert load_pair(place).name == "Lift and NumpyLift"
    assert sys.modules[place.partition(":")[0]].__file__ == str(tmp_path / out)


def test_the_command_after_init_elsewhere_goes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    out = tmp_path / "there" / "first.py"
    assert _check_of(out) == f"cd {tmp_path}/there && envparity check first:pair"
    assert _check_of(Path("../there/first.py")) == "cd ../there && envparity check first:pair"
    assert _check_of(tmp_path / "here" / "first.py") == "envparity check first:pair"


@pytest.mark.parametrize("out", ["pair", "pair.txt", "my-pair.py", "class.py", "2.py", "a.b.py"])
def test_a_pair_is_written_where_it_can_be_imported(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["init", "--reference", "a:b", "--port", "a:b", "--out", out]
    with refuses():
        app(words, standalone_mode=False)
    assert not Path(out).exists()
