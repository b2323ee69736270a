"""The gate before training: certificates that carry a training, and those that only look like it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jax_port.ppo.settings import TrainSettings
from jax_port.runs.gate import UNGATED, pass_gate
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig
from markets.synthetic.bars import synthetic_bars
from parity.admission import REQUIRE_KEY, Demand, Training, admit
from parity.engine.certificate import CertificateError, read
from rltrader import MaskablePPO
from rltrader.train import train
from tests.parity.made_certificate import made_certificate, worlds_of, write_certificate
from tests.sentences import check_error, check_process, refuses

DATA = TrainingData((Source("ES", kind="synthetic", days=3, seed=0),))
CONFIG = EnvConfig.phase1(max_episode_bars=30)
SETTINGS = TrainSettings(n_envs=8, n_steps=8, batch_size=16, n_epochs=1, total_timesteps=64)
TRAINING = Training(DATA, CONFIG, SETTINGS)
OPTIONS = (
    *("--synthetic", "3", "--set", "max_episode_bars=30", "--envs", "8", "--n-steps", "8"),
    *("--batch-size", "16", "--steps", "64", "--epochs", "1", "--pi", "8,8", "--vf", "8,8"),
)


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    """A certificate of the code at hand that covers :data:`TRAINING`."""
    return made_certificate(worlds_of(DATA, CONFIG))


@pytest.fixture
def certificate(sound: dict[str, Any], tmp_path: Path) -> Path:
    return write_certificate(tmp_path / "certificate.json", sound)


def test_a_fitting_certificate_lets_pass_and_is_kept_in_brief(certificate: Path) -> None:
    kept = pass_gate(lambda path: admit(path, TRAINING), certificate, ungated=False)
    assert isinstance(kept, dict)
    assert kept["verdict"] == "same"
    assert kept["strength"] == "standard"
    assert len(kept["sha256"]) == 64
    assert "sources" not in kept
    assert "data_at_hand" not in kept


def test_the_trainer_itself_is_among_the_sources(sound: dict[str, Any]) -> None:
    for name in ("train_ppo_jax", "rollout", "update", "optimizer/adam", "gae", "transfer", "networks"):
        assert f"jax_port/ppo/{name}.py" in sound["sources"]
    for name in ("run", "checkpoints", "training_data", "gate", "lineage"):
        assert f"jax_port/runs/{name}.py" in sound["sources"]
    assert {"rltrader/train.py", "rltrader/options/train_plan.py", "parity/admission.py"} <= set(
        sound["sources"]
    )


COMMAND = "from rltrader.__main__ import main; main()"
CHILD = """
import sys
from foundation.loaded_code import loaded_modules
from rltrader.__main__ import app
app(sys.argv[1:], standalone_mode=False)
print("MODULES", *sorted(loaded_modules()))
"""


def _run(
    code: str, *arguments: str, cwd: Path | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "JAX_PLATFORMS": "cpu", **settings},
    )


@pytest.mark.costly
def test_no_module_that_a_training_loads_escapes_the_certificate(certificate: Path) -> None:
    """A new module that the trainer imports in any way, by its name in a string say, is caught here."""
    out = certificate.parent / "run"
    done = _run(CHILD, "train", *OPTIONS, "--certificate", str(certificate), "--out", str(out))
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.partition("MODULES ")[2].split())
    assert "jax_port/runs/run.py" in loaded
    assert loaded <= set(read(certificate)["sources"])
    assert "parity: same, strength standard" in done.stderr
    told = json.loads((out / "run.json").read_text())["lineage"]
    assert told["certificate"]["verdict"] == "same"
    assert [one["updates"] for one in told["stretches"]] == [[0, 1]]


Change = Callable[[dict[str, Any]], object]


def _keep_few(made: dict[str, Any]) -> None:
    for name in set(made) - {"format", "verdict", "sources", "made"}:
        del made[name]


def _count(made: dict[str, Any]) -> None:
    made["counts"]["mismatches"] = 5


def _fail(made: dict[str, Any]) -> None:
    made["checks"][3] |= {"passed": False}


def _empty(made: dict[str, Any]) -> None:
    made["checks"] = []


def _ask_nothing(made: dict[str, Any]) -> None:
    made["required"], made["coverage"] = [], {}


def _boast(made: dict[str, Any]) -> None:
    made["counts"]["replayed_transitions"] *= 10


def _one_symbol(made: dict[str, Any]) -> None:
    made["checks"] = [c for c in made["checks"] if not str(c["world"]).startswith("M")]
    _recount(made)


def _no_learner(made: dict[str, Any]) -> None:
    made["checks"] = [c for c in made["checks"] if not c["check"].startswith("learner")]
    _recount(made)


def _recount(made: dict[str, Any]) -> None:
    checks = made["checks"]
    made["counts"] |= {
        "numbers_compared": sum(c["numbers"] for c in checks),
        "generated_transitions": sum(c["compared"] for c in checks if c["check"] == "generated"),
    }


def _weak(made: dict[str, Any]) -> None:
    for check in made["checks"]:
        if check["check"] == "replay":
            check["compared"] = 400
    made["counts"]["replayed_transitions"] = 400


ATTACKS: dict[str, Change] = {
    "four keys": _keep_few,
    "mismatches beside same": _count,
    "a failed check": _fail,
    "no evidence": _empty,
    "nothing required": _ask_nothing,
    "counts without checks": _boast,
    "symbols left out": _one_symbol,
    "no learner": _no_learner,
    "the weakest options": _weak,
    "another verdict": lambda made: made.update(verdict="different"),
    "other code": lambda made: made["sources"].update({"jax_port/ppo/update.py": "0" * 64}),
    "a module left out": lambda made: made["sources"].pop("jax_port/runs/run.py"),
    "another library": lambda made: made["made"]["versions"].update(flax="0.1"),
    "wide numbers": lambda made: made["made"]["flags"].update(jax_enable_x64="True"),
    "another precision of products": lambda made: made["made"]["flags"].update(
        jax_default_matmul_precision="bfloat16"
    ),
    "another compiler's flags": lambda made: made["made"]["flags"].update(
        XLA_FLAGS="--xla_cpu_enable_fast_math=true"
    ),
}


@pytest.mark.costly(keep=11)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_certificate_that_proves_nothing_is_refused(
    name: str, sound: dict[str, Any], tmp_path: Path
) -> None:
    made = json.loads(json.dumps(sound))
    ATTACKS[name](made)
    path = write_certificate(tmp_path / "c.json", made)
    # What is installed here, and how XLA is asked to compile.
    varies = {
        "another library": r"(?<=and is )[\d.]+",
        "another compiler's flags": r"(?<=and is ).*(?=; make)",
    }
    with refuses(*([varies[name]] if name in varies else [])):
        pass_gate(admit, path, ungated=False)


def test_more_strength_can_be_asked_for(certificate: Path) -> None:
    with refuses():
        admit(certificate, demand=Demand(least="full"))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """A private key and its public one."""
    owner = Ed25519PrivateKey.generate()
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private.write_bytes(owner.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(owner.public_key().public_bytes(pem, form))
    return private, public


def test_a_key_is_asked_for_of_a_certificate_alone_and_of_a_training(
    certificate: Path,
    sound: dict[str, Any],
    keys: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    private, public = keys
    signed = write_certificate(certificate.with_name("signed.json"), sound, private)
    for training in (None, TRAINING):
        for team, demand in ((str(public), Demand()), ("", Demand(key=public))):
            monkeypatch.setenv(REQUIRE_KEY, team)
            with refuses(kind=CertificateError):
                admit(certificate, training, demand)
    monkeypatch.setenv(REQUIRE_KEY, str(public))
    assert len(admit(signed, TRAINING)["signed_by"]) == 64
    # One that is asked for goes before the team's.
    monkeypatch.setenv(REQUIRE_KEY, str(private.with_name("no such key.pem")))
    assert len(admit(signed, TRAINING, Demand(key=public))["signed_by"]) == 64


def test_a_key_of_the_whole_team_is_asked_for_in_python_too(
    certificate: Path, keys: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REQUIRE_KEY, str(keys[1]))
    sizes: dict[str, Any] = {"n_envs": 8, "n_steps": 8, "batch_size": 16, "pi": (8,), "vf": (8,)}
    agent = MaskablePPO(synthetic_bars("ES", days=3, seed=0), certificate=certificate, **sizes)
    with refuses():
        agent.learn(64, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.costly
def test_another_copy_of_the_code_is_not_the_one_that_was_proved(
    certificate: Path, tmp_path: Path
) -> None:
    """An edited copy earlier on the path: a certificate made beside the true one is not of it."""
    root, copy = Path(__file__).parents[2], tmp_path / "copy"
    shutil.copytree(root / "jax_port", copy / "jax_port")  # its files, also where it is a link
    edited = copy / "jax_port" / "ppo" / "gae.py"
    edited.write_text(edited.read_text() + "\nEDITED = True\n")
    path = {"PYTHONPATH": f"{copy}:{root}"}
    done = _run(COMMAND, "parity", "verify", str(certificate), cwd=tmp_path, **path)
    check_process(done)


@pytest.mark.costly
@pytest.mark.parametrize(("name", "value"), [("JAX_ENABLE_X64", "1"), ("JAX_ENABLE_X64", "maybe")])
def test_settings_of_jax_end_in_one_sentence(name: str, value: str, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    done = _run(COMMAND, "train", *OPTIONS, "--ungated", "--out", out, **{name: value})
    check_process(done)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"format": 99, "verdict": "same"}'])
def test_what_is_no_certificate_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with refuses():
        pass_gate(admit, path, ungated=False)


def test_no_certificate_stops_training_with_one_sentence(tmp_path: Path) -> None:
    options = ["--synthetic", "3", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(train, [*options, "--certificate", str(tmp_path / "none.json")])
    check_error(result.exception)
    assert not (tmp_path / "run").exists()


def test_round_the_gate() -> None:
    assert pass_gate(admit, Path("nowhere"), ungated=True) == UNGATED


BAD = {
    "no data": ["--out", "x"],
    "no folder": ["--synthetic", "3"],
    "two kinds": ["--synthetic", "3", "--pattern", "3", "--out", "x"],
    "batch of one": [
        "--synthetic",
        "3",
        "--out",
        "x",
        "--envs",
        "1",
        "--n-steps",
        "5",
        "--batch-size",
        "2",
    ],
    "setting": ["--synthetic", "3", "--out", "x", "--set", "windw=3"],
    "sizes": ["--synthetic", "3", "--out", "x", "--pi", "64;64"],
    "precision": ["--synthetic", "3", "--out", "x", "--precision", "fp8"],
    "file": ["--data", "none.csv", "--symbol", "ES", "--out", "x"],
    "no symbol": ["--data", "none.csv", "--out", "x"],
    "symbol": ["--data", "none.csv", "--symbol", "QQ", "--out", "x"],
    "symbols": ["--data", "a", "--data", "b", "--symbol", "ES", "--out", "x"],
    "date": ["--synthetic", "3", "--from", "2025-13-01", "--out", "x"],
    "dates": ["--synthetic", "3", "--to", "2001-01-01", "--out", "x"],
    "agents": ["--synthetic", "3", "--agents", "none.csv", "--out", "x"],
    "resume": ["--resume", "--out", "x"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_sentence(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(train, [*BAD[name], "--ungated"])
    check_error(result.exception)
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_a_table_is_one_agent_a_row(tmp_path: Path) -> None:
    table = tmp_path / "agents.csv"
    table.write_text("seed,learning_rate\n3,0.001\n,0.0003\n")
    run = tmp_path / "run"
    sizes = ["--envs", "4", "--n-steps", "8", "--batch-size", "16", "--steps", "32", "--epochs", "1"]
    options = ["--synthetic", "3", "--pi", "8", "--vf", "8", "--ungated", "--out", str(run)]
    result = CliRunner().invoke(
        train, [*options, *sizes, "--agents", str(table)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    plan = json.loads((run / "run.json").read_text())["plan"]
    assert plan["agents"] == [{"seed": 3, "learning_rate": 0.001}, {"learning_rate": 0.0003}]
    assert (run / "policy-1.safetensors").exists()
    again = CliRunner().invoke(train, ["--out", str(run), "--resume"])
    assert again.exit_code == 0, again.output
    twice = CliRunner().invoke(train, [*options, *sizes])
    check_error(twice.exception)
    mixed = CliRunner().invoke(train, ["--out", str(run), "--resume", "--epochs", "3"])
    check_error(mixed.exception)
