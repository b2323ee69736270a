"""A bundle as its users take it: PyTorch with and without this project, ONNX, and the manifest."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from foundation.files import WriteError, file_digest
from jax_port.export import bundle as exporter
from jax_port.export import torch_policy
from jax_port.export.advised import TRAINED_WITH
from jax_port.export.bundle import FILES, _writers, export
from jax_port.export.manifest import contract_of, describe, read_manifest
from jax_port.export.sb3 import NORMALIZER
from jax_port.export.stages import in_float32
from jax_port.ppo.policy import load_policy, save_policy
from markets.advice.fusion import FusionSettings
from tests.jax_port.export.made_bundle import bundle, made_policy
from tests.sentences import refuses
from tests.snapshots import Snapshot

PHASES = (1, 2)


def some_observations(phase: int, count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    cases = json.loads((bundle(phase) / "golden.json").read_text())["cases"][:count]
    obs = np.array([case["observation"] for case in cases], np.float32)
    return obs, np.array([case["mask"] for case in cases])


@pytest.mark.costly(keep=1)
@pytest.mark.parametrize("phase", PHASES)
def test_the_manifest_says_all(phase: int, snapshot: Snapshot) -> None:
    manifest, policy = read_manifest(bundle(phase)), made_policy(phase)
    assert manifest["network"]["activation"] == policy.spec.activation
    assert [layer["name"] for layer in manifest["network"]["policy"]] == [
        "policy_0",
        "policy_1",
        "action_head",
    ]
    assert manifest["normalizer"]["mean"] == policy.statistics["mean"].tolist()
    assert (manifest["normalizer"]["epsilon"], manifest["normalizer"]["clip"]) == (1e-8, 10.0)
    assert manifest["certificate"] == "ungated"
    assert manifest["contract"]["symbol"] == "ES"
    assert len(manifest["actions"]) == len(manifest["masks"]["allowed_when"]) == (3, 6)[phase - 1]
    assert set(manifest["files"]) == set(FILES)
    assert all(
        file_digest(bundle(phase) / name) == digest for name, digest in manifest["files"].items()
    )
    assert {path.name for path in bundle(phase).iterdir()} == {*FILES, "manifest.json"}
    for name in ("manifest.json", "golden.json", "policy.safetensors"):
        snapshot(name, bundle(phase) / name)


@pytest.mark.parametrize("phase", PHASES)
def test_stated_decisions_are_the_likeliest_allowed_and_those_that_the_episodes_wanted(
    phase: int,
) -> None:
    """Not what was taken, where the episode explored."""
    golden = json.loads((bundle(phase) / "golden.json").read_text())
    explored = 0
    for one in (*golden["cases"], *golden["far"]):
        allowed = np.where(one["mask"], one["logits"], -np.inf)
        assert one["action"] == int(np.argmax(allowed))
    for one in golden["cases"]:
        step = golden["episodes"][one["episode"]][one["step"]]
        assert one["action"] == step["wanted"]
        explored += step["taken"] != step["wanted"]
    assert explored


@pytest.mark.parametrize("phase", PHASES)
def test_every_program_decides_as_the_port(phase: int) -> None:
    obs, masks = some_observations(phase)
    ours = in_float32(made_policy(phase), obs, masks)
    session = onnxruntime.InferenceSession(str(bundle(phase) / "policy.onnx"))
    program = torch.export.load(bundle(phase) / "policy.pt2").module()
    state = torch_policy.load(bundle(phase))
    for rows in (1, 2, 64):
        given = obs[:rows], masks[:rows]
        of_onnx = session.run(["actions", "logits"], dict(zip(("obs", "masks"), given, strict=True)))
        with torch.no_grad():
            of_program, of_state = (
                [x.numpy() for x in run(*map(torch.tensor, given))] for run in (program, state)
            )
        for action, logits in (of_onnx, of_program, of_state):
            assert action.dtype == np.int64
            assert action.tolist() == ours["action"][:rows].tolist()
            np.testing.assert_allclose(logits, ours["action_head"][:rows], rtol=1e-5, atol=2e-5)
    assert len(set(ours["action"].tolist())) > 2


def test_the_module_in_the_bundle_needs_torch_alone(tmp_path: Path) -> None:
    code = (
        "import sys, torch; sys.path.insert(0, sys.argv[1]); import torch_policy\n"
        "policy = torch_policy.load(sys.argv[1])\n"
        "actions, logits = policy(torch.zeros(2, 225), torch.ones(2, 3, dtype=torch.bool))\n"
        "assert not [name for name in sys.modules if name.startswith(('jax', 'markets', 'stable'))]\n"
        "print(tuple(actions.shape), tuple(logits.shape))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(bundle(1))],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout.strip() == "(2,) (2, 3)"


def test_a_cast_module_keeps_its_statistics() -> None:
    exact = torch_policy.load(bundle(1)).statistics.mean
    cast = torch_policy.load(bundle(1)).float().to(torch.float16).statistics.mean
    assert cast.dtype == torch.float64
    assert torch.equal(cast, exact)


def test_the_state_dict_is_plain() -> None:
    state = torch.load(bundle(1) / "policy.pt", weights_only=True)
    assert {type(value) for value in state.values()} == {torch.Tensor}
    assert state["policy_1.weight"].shape == (16, 16)
    kernel = made_policy(1).params["params"]["policy_1"]["kernel"]
    np.testing.assert_array_equal(state["policy_1.weight"].numpy(), kernel.T)


def test_a_bundle_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with refuses():
        export(bundle(1) / "policy.safetensors", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "no space left")

    source = bundle(1) / "policy.safetensors"
    monkeypatch.setattr("jax_port.export.bundle.save_program", fail)
    with refuses(kind=WriteError):
        export(source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_policy_that_the_live_strategy_refuses_is_not_exported(tmp_path: Path) -> None:
    policy = made_policy(1)
    many = replace(policy.config, account=replace(policy.config.account, contracts=101))
    save_policy(tmp_path / "policy.safetensors", replace(policy, config=many))
    with refuses():
        export(tmp_path / "policy.safetensors", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_policy_of_features_that_its_file_brought_along_is_not_exported(tmp_path: Path) -> None:
    """A live strategy would show it others."""
    own = {"symbol": "ES", "source": "own.parquet", "features": "precomputed"}
    save_policy(tmp_path / "policy.safetensors", replace(made_policy(1), about={"data": own}))
    with refuses():
        export(tmp_path / "policy.safetensors", tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_a_policy_that_does_not_say_its_contract_is_asked_for_it(tmp_path: Path) -> None:
    from dataclasses import replace

    source = tmp_path / "policy.safetensors"
    save_policy(source, replace(made_policy(1), about={}))
    with refuses():
        export(source, tmp_path / "out")
    assert load_policy(source).about == {}


@pytest.mark.parametrize("change", [{"version": 2}, {"kind": "x"}], ids=str)
def test_another_manifest_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    text = json.loads((bundle(1) / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**text, **change}))
    with refuses():
        read_manifest(tmp_path)


@pytest.mark.parametrize("moment", [0, 3, -1])
def test_a_policy_that_changes_while_it_is_exported_is_refused(tmp_path: Path, moment: int) -> None:
    """As ``last.safetensors`` of a running training does: no bundle is of two policies."""
    source = tmp_path / "last.safetensors"
    save_policy(source, made_policy(1))
    told: list[str] = []
    export(source, tmp_path / "whole", on_progress=told.append)

    def change(name: str) -> None:
        if name == told[moment]:
            save_policy(source, made_policy(1, seed=4))

    with refuses():
        export(source, tmp_path / "bundle", on_progress=change)
    assert not (tmp_path / "bundle").exists()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What files are written of; a bundle is its policy and two files more."""
    asked: list[tuple[Any, ...]] = []

    def writers(*given: Any) -> dict[str, Any]:
        asked.append(given)
        source = given[2]
        return {
            exporter.POLICY: lambda path: shutil.copyfile(source, path),
            "b.txt": lambda path: path.write_text("b"),
            "a.txt": lambda path: path.write_text("a"),
        }

    monkeypatch.setattr(exporter, "_writers", writers)
    monkeypatch.setattr(exporter, "FILES", (exporter.POLICY, "b.txt", "a.txt"))
    return asked


def test_a_manifest_says_what_was_exported_with_which_fusion_into_which_files(
    tmp_path: Path, small: list[tuple[Any, ...]]
) -> None:
    source, told = tmp_path / "mine.safetensors", list[str]()
    data = [{"symbol": "ES"}, {"symbol": "NQ"}]
    save_policy(source, replace(made_policy(1), about={"data": data}))
    fusion = FusionSettings("weighted", weight=2.5, every=3, cooldown=2)
    (tmp_path / "out").mkdir()  # an empty folder is no bundle yet
    manifest = export(source, tmp_path / "out", "NQ", told.append, fusion)
    assert told == [exporter.POLICY, "b.txt", "a.txt"]
    assert read_manifest(tmp_path / "out") == json.loads(json.dumps(manifest))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*told, "manifest.json"}
    ((policy, handed, place),) = small
    assert (policy.about, handed is manifest, place) == ({"data": data}, True, source)
    assert manifest["fusion"] == fusion.to_dict()  # asked as often as the user says
    assert manifest[TRAINED_WITH] is None
    assert manifest["contract"]["symbol"] == "NQ"
    assert manifest["source"] == {"file": "mine.safetensors", "sha256": file_digest(source)}
    assert manifest["files"] == {
        exporter.POLICY: file_digest(source),
        "b.txt": hashlib.sha256(b"b").hexdigest(),
        "a.txt": hashlib.sha256(b"a").hexdigest(),
    }
    assert set(manifest["exported_with"]) == {"python", *exporter.PACKAGES}
    bare = export(source, tmp_path / "bare", "ES")
    assert ("fusion" in bare, bare["contract"]["symbol"]) == (False, "ES")


@pytest.mark.usefixtures("small")
def test_a_policy_that_is_another_for_a_moment_is_in_no_bundle(tmp_path: Path) -> None:
    """Copied while it was another, though it is now what it was before."""
    source = tmp_path / "last.safetensors"
    save_policy(source, made_policy(1))
    before = source.read_bytes()

    def change(name: str) -> None:
        if name == exporter.POLICY:
            save_policy(source, made_policy(1, seed=4))
        elif name == "a.txt":
            source.write_bytes(before)

    with refuses():
        export(source, tmp_path / "bundle", on_progress=change)
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]


@pytest.mark.usefixtures("small")
def test_what_cannot_become_a_bundle_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    source = tmp_path / "p.safetensors"
    save_policy(source, made_policy(1))
    (tmp_path / "file").write_text("mine")
    with refuses():
        export(source, tmp_path / "file")
    with refuses():
        export(source, tmp_path / "out", fusion=FusionSettings("veto"))
    with refuses():
        export(tmp_path / "gone.safetensors", tmp_path / "out")
    with refuses():
        export(source, tmp_path / "out", "MES")
    wide = replace(made_policy(1), config=made_policy(1).config.override(window_size=3))
    save_policy(source, wide)
    with refuses():
        export(source, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"p.safetensors", "file"}
    assert (tmp_path / "file").read_text() == "mine"


def test_of_several_contracts_the_one_that_is_named_goes_into_every_file() -> None:
    data = [{"symbol": "ES"}, {"symbol": "NQ"}]
    policy = replace(made_policy(1), about={"data": data})
    manifest = describe(policy, contract_of(policy, "NQ"), {"file": "p", "sha256": "0"})
    assert manifest["contract"]["symbol"] == "NQ"
    writers = _writers(policy, {**manifest, TRAINED_WITH: None}, bundle(1) / "policy.safetensors")
    assert {*writers, NORMALIZER} == {*FILES}
