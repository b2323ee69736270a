"""Bundles are held to the run that made them: one that only agrees with itself is found."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from foundation.files import file_digest
from jax_port.data.trained_contract import describe_contract
from jax_port.export.bundle import POLICY, STATE, export
from jax_port.export.importing import read_policy
from jax_port.export.manifest import MANIFEST, read_manifest
from jax_port.ppo.policy import load_policy, save_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import run as runs
from jax_port.runs.plan import Plan
from jax_port.runs.run_file import RUN, note_lineage
from jax_port.runs.training_data import Source, TrainingData
from markets import Contract, get_contract
from parity.export_chain.origin import compare_origin
from parity.export_chain.verify import Request, verify
from tests.jax_port.export.made_bundle import bundle, made_policy
from tests.sentences import refuses


def _different(folder: Path, run: Path | None = None) -> dict[str, tuple[Any, Any]]:
    """Return the comparisons of a bundle with its origin that do not agree."""
    found: dict[str, tuple[Any, Any]] = {}

    def equal(stage: str, expected: Any, actual: Any) -> None:
        if expected != actual:
            found[stage] = expected, actual

    manifest = read_manifest(folder)
    contract = Contract(**manifest["contract"])
    compare_origin(equal, folder, manifest, load_policy(folder / POLICY), contract, run)
    return found


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    shutil.copytree(bundle(1), tmp_path / "bundle")
    return tmp_path / "bundle"


def _change(folder: Path, **values: Any) -> None:
    manifest = read_manifest(folder)
    (folder / MANIFEST).write_text(json.dumps({**manifest, **values}))


def test_a_policy_of_one_contract_is_not_exported_as_one_of_another(tmp_path: Path) -> None:
    source = tmp_path / "policy.safetensors"
    save_policy(source, replace(made_policy(1), about={"data": {"symbol": "MES"}}))
    with refuses():
        export(source, tmp_path / "out", "ES")
    assert not (tmp_path / "out").exists()


def test_a_contract_with_other_numbers_than_the_training_s_is_not_exported(tmp_path: Path) -> None:
    source = tmp_path / "policy.safetensors"
    trained = describe_contract(replace(get_contract("ES"), tick_value_cents=125))
    about = {"data": [{"symbol": "ES", "contract": trained}]}
    save_policy(source, replace(made_policy(1), about=about))
    with refuses():
        export(source, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


def test_a_bundle_with_other_numbers_than_its_policy_was_trained_on_is_found(copy: Path) -> None:
    policy = load_policy(copy / POLICY)
    trained = describe_contract(replace(get_contract("ES"), commission_cents=1))
    about = {**policy.about, "data": [{"symbol": "ES", "contract": trained}]}
    save_policy(copy / POLICY, replace(policy, about=about))
    assert "contract's numbers are the training's" in _different(copy)


def test_a_manifest_that_names_another_contract_and_agrees_with_itself_is_found(copy: Path) -> None:
    assert _different(copy) == {}
    _change(copy, contract=asdict(get_contract("MES")))
    assert list(_different(copy)) == ["contract is one of the training data"]


@pytest.mark.costly
def test_the_chain_says_so_first(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.export_chain.verify.available", lambda: False)
    _change(copy, contract=asdict(get_contract("MES")))
    report = verify(Request(copy, observations=400, episodes=1))
    assert report["verdict"] == "different"
    assert report["first_divergence"].startswith("origin, contract is one of the training data")


def test_a_contract_with_other_numbers_is_found(copy: Path) -> None:
    cheap = replace(get_contract("ES"), tick_value_cents=125)
    _change(copy, contract=asdict(cheap))
    assert list(_different(copy)) == ["contract's own numbers"]


def test_another_policy_under_the_same_manifest_is_found(copy: Path) -> None:
    save_policy(copy / POLICY, made_policy(1, seed=9))
    assert list(_different(copy)) == [f"{POLICY} is the file that was exported"]


PLAN = Plan(
    settings=TrainSettings(),
    data=TrainingData((Source("ES", kind="synthetic", days=4, seed=5),)),
    config=made_policy(1).config,
    certificate="ungated",
)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run and its policy, and with the bundle of it; not to be changed."""
    folder = tmp_path_factory.mktemp("exported")
    run = folder / "run"
    runs.start(PLAN, run)
    note_lineage(run, [{"updates": [0, 1], "certificate": "ungated", "code": "a", "made": {}}], None)
    lineage = json.loads((run / "run.json").read_text())["lineage"]
    about = {"data": {"symbol": "ES"}, "certificate": "ungated", "lineage": lineage}
    policy = run / "policy-0.safetensors"
    save_policy(policy, replace(made_policy(1), about=about))
    export(policy, folder / "out")
    return folder


@pytest.fixture
def made(exported: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A run's folder with its policy, and the bundle of it."""
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run", tmp_path / "out"


def test_a_bundle_is_held_to_its_run(made: tuple[Path, Path]) -> None:
    run, folder = made
    assert _different(folder, run) == {}
    # A bundle whose every file was made for another contract and another proof.
    policy = load_policy(folder / POLICY)
    about = {**policy.about, "data": {"symbol": "MES"}, "certificate": {"verdict": "same"}}
    save_policy(folder / POLICY, replace(policy, about=about))
    manifest = read_manifest(folder)
    source = {**manifest["source"], "sha256": file_digest(folder / POLICY)}
    contract = asdict(get_contract("MES"))
    _change(folder, contract=contract, source=source, certificate={"verdict": "same"})
    assert _different(folder) == {}
    assert list(_different(folder, run)) == [
        "run: its policy's file",
        "run: contract",
        "run: certificate",
    ]


def test_a_bundle_of_another_agent_is_held_to_that_agent_s_policy(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    run, _ = made
    about = load_policy(run / "policy-0.safetensors").about
    third = run / "policy-2.safetensors"
    save_policy(third, replace(made_policy(1, seed=7), about=about))
    export(third, tmp_path / "third")
    assert _different(tmp_path / "third", run) == {}
    save_policy(third, replace(made_policy(1, seed=8), about=about))
    assert list(_different(tmp_path / "third", run)) == ["run: its policy's file"]


def _other_run(run: Path, to: Path, **values: Any) -> Path:
    """Return a run with another plan, and the same policy and lineage."""
    runs.start(replace(PLAN, **values), to)
    shutil.copy(run / "policy-0.safetensors", to)
    note_lineage(to, [{"updates": [0, 1], "certificate": "ungated", "code": "a", "made": {}}], None)
    return to


def test_each_rule_of_the_run_is_held_to_the_policy_and_to_the_manifest(
    made: tuple[Path, Path], tmp_path: Path
) -> None:
    run, folder = made
    rules = replace(PLAN.config, max_episode_bars=PLAN.config.max_episode_bars + 1)
    other = _other_run(run, tmp_path / "other", config=rules)
    assert list(_different(folder, other)) == ["run: rules", "run: rules in the manifest"]
    _change(folder, env_config=rules.to_dict())
    assert list(_different(folder, run)) == ["run: rules in the manifest"]
    assert list(_different(folder, other)) == ["run: rules"]


def test_certificate_and_lineage_are_each_the_run_s(made: tuple[Path, Path]) -> None:
    run, folder = made
    told = read_manifest(folder)
    for name, value in (
        ("certificate", {"verdict": "same"}),
        ("certificate", "gated"),
        ("lineage", {}),
        ("lineage", {"certificate": "ungated"}),
        ("lineage", {**told["lineage"], "certificate": "other"}),
    ):
        _change(folder, **{**told, name: value})
        assert list(_different(folder, run)) == [f"run: {name}"]
    (folder / MANIFEST).write_text(json.dumps({k: v for k, v in told.items() if k != "lineage"}))
    assert list(_different(folder, run)) == ["run: lineage"]


def test_a_run_whose_lineage_is_none_is_named(made: tuple[Path, Path]) -> None:
    run, folder = made
    values = json.loads((run / RUN).read_text())
    for damage in (None, [], "gated"):
        (run / RUN).write_text(json.dumps({**values, "lineage": damage}))
        with refuses():
            _different(folder, run)


def test_of_several_contracts_a_bundle_trades_one(made: tuple[Path, Path], tmp_path: Path) -> None:
    """And it is held to the numbers of its own contract, wherever the header tells them."""
    run, folder = made
    sources = tuple(Source(symbol, kind="synthetic", days=4, seed=5) for symbol in ("ES", "NQ"))
    other = _other_run(run, tmp_path / "other", data=TrainingData(sources))

    def trained(**numbers: Any) -> Path:
        """Let the policy of run and bundle say what it was trained on, NQ by these numbers."""
        contracts = get_contract("ES"), replace(get_contract("NQ"), **numbers)
        data = [{"symbol": one.symbol, "contract": describe_contract(one)} for one in contracts]
        policy = load_policy(folder / POLICY)
        for place in (folder / POLICY, other / "policy-0.safetensors"):
            save_policy(place, replace(policy, about={**policy.about, "data": data}))
        source = {**read_manifest(folder)["source"], "sha256": file_digest(folder / POLICY)}
        _change(folder, source=source)
        return other

    for symbol, differing in {
        "ES": [],
        "NQ": [],
        "MES": ["contract is one of the training data", "run: contract"],
    }.items():
        _change(folder, contract=asdict(get_contract(symbol)))
        assert list(_different(folder, trained())) == differing
    for symbol, differing in {"ES": [], "NQ": ["contract's numbers are the training's"]}.items():
        _change(folder, contract=asdict(get_contract(symbol)))
        assert list(_different(folder, trained(commission_cents=1))) == differing


@pytest.mark.costly
def test_a_folder_that_is_no_run_is_named(made: tuple[Path, Path], tmp_path: Path) -> None:
    run, folder = made
    with refuses():
        _different(folder, tmp_path)
    (run / "policy-0.safetensors").unlink()
    with refuses():
        _different(folder, run)


def test_weights_that_were_changed_with_the_list_of_files_are_not_the_runs(copy: Path) -> None:
    """The state dict is trained further, and the manifest's digest of it is changed with it."""
    assert "ancestor" not in read_policy(copy).about
    state = torch.load(copy / STATE, weights_only=True)
    name = next(name for name in state if name.endswith(("kernel", "weight")))
    state[name] += 0.01
    torch.save(state, copy / STATE)
    files = {**read_manifest(copy)["files"], STATE: file_digest(copy / STATE)}
    _change(copy, files=files)
    about = read_policy(copy).about
    assert about["certificate"] == "ungated"
    assert about["ancestor"]["data"] == {"symbol": "ES"}
