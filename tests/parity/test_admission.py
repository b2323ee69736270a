"""The gate before training, with a real certificate of a tiny run."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from foundation.import_closure import PACKAGES_ROOT
from jax_port.runs.gate import UNGATED, pass_gate
from markets import InputError
from parity.admission import admit
from parity.engine.certificate import issue
from parity.engine.report import versions
from parity.suites.trading import MODULES
from rltrader.train import train


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of the code at hand."""
    report = {
        "title": "t",
        "verdict": "same",
        "made": {"when": "now", "device": "cpu", "versions": versions()},
        "summary": {},
        "coverage": {},
        "worlds": [],
    }
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(issue(report, {}, PACKAGES_ROOT, MODULES)))
    return path


def _change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_fitting_certificate_lets_pass_and_is_kept_in_brief(certificate: Path) -> None:
    kept = pass_gate(admit, certificate, ungated=False)
    assert isinstance(kept, dict)
    assert kept["verdict"] == "same"
    assert len(kept["sha256"]) == 64
    assert "sources" not in kept


def test_the_trainer_itself_is_among_the_sources(certificate: Path) -> None:
    sources = json.loads(certificate.read_text())["sources"]
    for name in ("train_ppo_jax", "rollout", "update", "adam", "gae", "running_statistics", "networks"):
        assert f"jax_port/ppo/{name}.py" in sources


def test_other_code_is_named(certificate: Path) -> None:
    sources = json.loads(certificate.read_text())["sources"]
    _change(certificate, sources={**sources, "jax_port/ppo/update.py": "0" * 64})
    with pytest.raises(
        InputError, match=r"jax_port/ppo/update\.py has changed; .*rltrader parity run.*--ungated"
    ):
        pass_gate(admit, certificate, ungated=False)


def test_another_verdict_is_named(certificate: Path) -> None:
    _change(certificate, verdict="different")
    with pytest.raises(InputError, match="its verdict is 'different'"):
        admit(certificate)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 99, "verdict": "same"}'])
def test_what_is_no_certificate_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"c\.json"):
        pass_gate(admit, path, ungated=False)


def test_no_certificate_stops_training_with_one_sentence(tmp_path: Path) -> None:
    options = ["--synthetic", "3", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(train, [*options, "--certificate", str(tmp_path / "none.json")])
    assert isinstance(result.exception, InputError)
    assert "there is no certificate here; make one with `rltrader parity run`" in str(result.exception)
    assert not (tmp_path / "run").exists()


def test_round_the_gate() -> None:
    assert pass_gate(admit, Path("nowhere"), ungated=True) == UNGATED


BAD = {
    "no data": (["--out", "x"], "say once what to train on"),
    "no folder": (["--synthetic", "3"], "no --out"),
    "two kinds": (["--synthetic", "3", "--pattern", "3", "--out", "x"], "say once what to train on"),
    "batch of one": (
        ["--synthetic", "3", "--out", "x", "--envs", "1", "--n-steps", "5", "--batch-size", "2"],
        "has a batch of one",
    ),
    "setting": (["--synthetic", "3", "--out", "x", "--set", "windw=3"], "unknown setting windw"),
    "sizes": (["--synthetic", "3", "--out", "x", "--pi", "64;64"], "give sizes such as 256,256"),
    "precision": (["--synthetic", "3", "--out", "x", "--precision", "fp8"], "choose one of float32"),
    "file": (["--data", "none.csv", "--out", "x"], r"none\.csv: no such file"),
    "symbol": (["--data", "none.csv", "--symbol", "QQ", "--out", "x"], "QQ"),
    "symbols": (
        ["--data", "a", "--data", "b", "--symbol", "ES", "--out", "x"],
        "2 files and 1 symbols",
    ),
    "date": (["--synthetic", "3", "--from", "2025-13-01", "--out", "x"], "is no date"),
    "dates": (["--synthetic", "3", "--to", "2001-01-01", "--out", "x"], "no bar lies between"),
    "sweep": (["--synthetic", "3", "--sweep", "none.csv", "--out", "x"], r"none\.csv: no such file"),
    "resume": (["--resume", "--out", "x"], "no run here"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options, sentence = BAD[name]
    result = CliRunner().invoke(train, [*options, "--ungated"])
    assert isinstance(result.exception, InputError), result.output
    assert result.exception.args[0]
    with pytest.raises(InputError, match=sentence):
        raise result.exception
    assert not (tmp_path / "x").exists()


def test_a_sweep_is_one_agent_a_row(tmp_path: Path) -> None:
    table = tmp_path / "sweep.csv"
    table.write_text("seed,learning_rate\n3,0.001\n,0.0003\n")
    run = tmp_path / "run"
    sizes = ["--envs", "4", "--n-steps", "8", "--batch-size", "16", "--steps", "32", "--epochs", "1"]
    options = ["--synthetic", "3", "--pi", "8", "--vf", "8", "--ungated", "--out", str(run)]
    result = CliRunner().invoke(
        train, [*options, *sizes, "--sweep", str(table)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    plan = json.loads((run / "run.json").read_text())["plan"]
    assert plan["agents"] == [{"seed": 3, "learning_rate": 0.001}, {"learning_rate": 0.0003}]
    assert (run / "policy-1.safetensors").exists()
    again = CliRunner().invoke(train, ["--out", str(run), "--resume"])
    assert again.exit_code == 0, again.output
    twice = CliRunner().invoke(train, [*options, *sizes])
    assert "there is a run here already" in str(twice.exception)
    mixed = CliRunner().invoke(train, ["--out", str(run), "--resume", "--epochs", "3"])
    assert "leave out n_epochs" in str(mixed.exception)
