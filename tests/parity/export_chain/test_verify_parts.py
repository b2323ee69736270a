"""The chain's verdict is that of each of its parts; what a manifest states is held to the policy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jax_port.export.advised import TRAINED_WITH, fusion_of
from jax_port.export.bundle import FILES, MODULE
from jax_port.export.manifest import describe, read_manifest
from jax_port.export.sb3 import MODEL, NORMALIZER, load_sb3
from jax_port.ppo.policy import Policy
from legacy_torch.features import add_features
from markets import InputError, get_contract
from parity.export_chain import verify as chain
from parity.export_chain.comparison import Board
from parity.export_chain.csharp import available
from parity.export_chain.decisions import Actions
from parity.export_chain.rebuilt import RUNNING, Rebuilt
from parity.export_chain.verify import STATED, Request, bars_for, compare_files, compare_prior, verify
from tests.jax_port.export.made_bundle import PRIOR, bars, bundle, made_policy, raw_bundle
from tests.sentences import refuses

CONTRACT = get_contract("ES")


def failed(board: Board) -> list[str]:
    return [one.stage for one in board.comparisons if not one.passed]


def files_of(manifest: dict[str, Any], policy: Policy | None = None) -> list[str]:
    """Return what of a bundle's files does not agree with a manifest and a policy."""
    board = Board()
    compare_files(board, bundle(1), manifest, policy or made_policy(1), CONTRACT)
    assert all(one.compared for one in board.comparisons)
    return failed(board)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the bundle's model once."""
    back = load_sb3(bundle(1) / MODEL, bundle(1) / NORMALIZER, advised=True)
    monkeypatch.setattr(chain, "load_sb3", lambda *places, advised: back)


@pytest.mark.usefixtures("quick")
def test_all_that_a_manifest_states_is_held_to_the_policy() -> None:
    """All of it but what origin and this version are held to elsewhere; what is missing differs too."""
    manifest = read_manifest(bundle(1))
    elsewhere = {"kind", "version", "contract", "source"}
    assert {*STATED} == {*describe(made_policy(1), CONTRACT, manifest["source"])} - elsewhere
    assert files_of(manifest) == []
    for name in STATED:
        assert files_of({**manifest, name: ["another"]}) == [f"manifest: {name}"]
        assert files_of({key: value for key, value in manifest.items() if key != name}) == [
            f"manifest: {name}"
        ]
    files = manifest["files"]
    for other in (
        {**files, "more": ""},
        {name: files[name] for name in sorted(files)[1:]},
        {**dict.fromkeys(sorted(files)[1:], ""), "more": ""},
    ):
        assert files_of({**manifest, "files": other}) == ["files listed"]


@pytest.mark.usefixtures("quick")
def test_sb3_s_files_give_back_the_weights_the_activation_and_the_rules() -> None:
    policy, manifest = made_policy(1), read_manifest(bundle(1))
    rules = replace(policy.config, max_episode_bars=policy.config.max_episode_bars + 1)
    others: dict[str, Policy] = {
        "bits of weights and statistics": made_policy(1, seed=9),
        "activation": replace(policy, spec=replace(policy.spec, activation="tanh")),
        "rules": replace(policy, config=rules),
    }
    for stage, other in others.items():
        wrong = files_of(manifest, other)
        assert [name for name in wrong if not name.startswith("manifest: ")] == [stage]


def test_a_module_of_the_same_size_that_is_not_this_version_s_is_named(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((bundle(1) / name).read_bytes())
    code = (tmp_path / MODULE).read_bytes()
    (tmp_path / MODULE).write_bytes(code.replace(b"import", b"imp0rt", 1))
    board = Board()
    compare_files(board, tmp_path, read_manifest(bundle(1)), made_policy(1), CONTRACT)
    assert failed(board) == [f"{MODULE} is this version's"]


def test_what_is_said_of_advice_in_training_is_the_policy_s() -> None:
    stated, fusion = PRIOR.to_dict(), fusion_of(PRIOR, "the policy").to_dict()
    both = {TRAINED_WITH: stated, "fusion": fusion}
    cases: tuple[tuple[Any, dict[str, Any], int], ...] = (
        (None, {}, 0),
        (None, {"fusion": fusion}, 0),
        (None, both, 1),
        (PRIOR, both, 0),
        (PRIOR, {}, 2),
        (PRIOR, {TRAINED_WITH: stated}, 1),
        (PRIOR, {**both, "fusion": {**fusion, "weight": 1.0}}, 1),
        (PRIOR, {**both, TRAINED_WITH: {**stated, "as": "columns"}}, 1),
    )
    for use, manifest, wrong in cases:
        board = Board()
        compare_prior(board, manifest, use)
        assert len(failed(board)) == wrong, manifest


def test_bars_are_of_the_bundle_s_contract_and_of_its_ticks() -> None:
    manifest = {"contract": json.loads(json.dumps(describe(made_policy(1), CONTRACT, {})["contract"]))}
    assert bars_for(bundle(1), manifest, bars()) is bars()
    for other in (get_contract("MES"), replace(CONTRACT, tick_size=0.5)):
        given = replace(bars(), contract=other)
        with refuses():
            bars_for(Path("bundle"), manifest, given)
    own = add_features(bars().frame, CONTRACT.tick_size, made_policy(1).config)
    with refuses():
        bars_for(bundle(1), manifest, replace(bars(), precomputed=own))


# The verdict of the whole, with parts that only say what they are told


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Return what verifies a bundle with one part that finds a difference, "" for none."""

    def report(bad: str) -> dict[str, Any]:
        boards: list[Board] = []

        def told(name: str, answer: Any = None) -> Callable[..., Any]:
            def part(board: Any, *given: Any, **more: Any) -> Any:
                boards.extend([board] if isinstance(board, Board) else [])
                boards[0].at(name, "stage").update([0], [int(name == bad)])
                return answer

            return part

        def fusion(made: chain.Chain) -> dict[str, Any]:
            made.board.at("fusion", "stage").update([0], [int(bad == "fusion")])
            return {"settings": 1}

        different = (RUNNING[0],) if bad == "running files" else ()
        monkeypatch.setattr(chain, "compare_files", told("files"))
        monkeypatch.setattr(chain, "compare_prior", told("prior"))
        monkeypatch.setattr(chain, "compare_origin", told("origin"))
        monkeypatch.setattr(chain, "compare_golden", told("golden", {"cases": 1}))
        monkeypatch.setattr(
            chain, "rebuild", lambda folder, policy, manifest, to: Rebuilt(to, different)
        )
        monkeypatch.setattr(chain, "available", lambda: False)
        monkeypatch.setattr(chain, "compare_decisions", told("decisions", Actions(compared=1)))
        monkeypatch.setattr(chain, "replay", told("replay", {"trades": 1}))
        return verify(Request(bundle(1), bars()), prove_fusion=fusion)

    return report


PARTS = ["files", "prior", "origin", "golden", "decisions", "replay", "fusion", "running files"]


@pytest.mark.parametrize("bad", ["", *PARTS])
def test_what_one_part_finds_is_the_verdict(bad: str, parts: Callable[[str], dict[str, Any]]) -> None:
    report = parts(bad)
    assert report["verdict"] == ("different" if bad else "same")
    assert {one["hop"] for one in report["hops"]} == {*PARTS}
    assert [one["hop"] for one in report["hops"] if not one["passed"]] == ([bad] if bad else [])
    if bad:
        assert report["first_divergence"].startswith(f"{bad}, ")
    else:
        assert report["first_divergence"] is None
    assert report["csharp"] != "checked"


@pytest.mark.parametrize("trust", [False, True])
def test_files_that_run_are_made_anew_for_all_that_loads_them(
    trust: bool, parts: Callable[[str], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decisions, episodes and the fusion: none loads a received one, unless it is trusted."""
    parts("")
    loaded: list[Path] = []

    def decisions(*given: Any, running: Path, **more: Any) -> Actions:
        loaded.append(running)
        return Actions(compared=1)

    def episodes(board: Board, running: Path, *given: Any) -> dict[str, Any]:
        loaded.append(running)
        return {"trades": 1}

    def fusion(made: chain.Chain) -> dict[str, Any]:
        loaded.append(made.running)
        return {"settings": 1}

    monkeypatch.setattr(chain, "compare_golden", lambda *given: {"cases": 1})
    for name in ("compare_files", "compare_prior", "compare_origin"):
        monkeypatch.setattr(chain, name, lambda *given: None)
    monkeypatch.setattr(chain, "compare_decisions", decisions)
    monkeypatch.setattr(chain, "replay", episodes)
    verify(replace(Request(bundle(1), bars()), trust=trust), prove_fusion=fusion)
    assert len(loaded) == 3
    assert len(set(loaded)) == 1
    assert (loaded[0] == bundle(1)) is trust


def test_each_file_that_runs_is_told_of_by_name() -> None:
    for name in RUNNING:
        board = Board()
        chain._note_rebuilt(board, (name,))
        assert len(board.comparisons) == len(RUNNING)
        assert failed(board) == [f"{name} is what its weights give"]
    board = Board()
    chain._note_rebuilt(board, RUNNING)
    assert len(failed(board)) == len(RUNNING)


def test_a_bundle_that_c_sharp_refuses_is_different(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it refuses it; and what it would have checked is not said to be."""
    names = ("compare_csharp_golden", "compare_stream", "compare_csharp_day")
    monkeypatch.setattr(chain, "compile_checker", lambda place: place)
    monkeypatch.setattr(chain, "make_day", lambda policy, given: {})

    def refuse(*given: Any) -> None:
        raise InputError("the manifest is of another kind")

    for refused in ("", *names):
        for name in names:
            monkeypatch.setattr(chain, name, refuse if name == refused else lambda *given: None)
        board = Board()
        checker, _ = chain._check_csharp(board, bundle(1), tmp_path, made_policy(1), bars())
        assert (checker is None) is bool(refused)
        first = board.first_divergence()
        assert (first is None) is not bool(refused)
        if first is not None:
            assert "yes expected, the manifest is of another kind found" in first.sentence()


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [("a", "a", True), ("a", "b", False), ("a", None, False), (None, "a", False), (True, False, False)],
)
def test_values_are_equal_or_a_divergence_that_stays(expected: Any, actual: Any, same: bool) -> None:
    board = Board()
    for left, right in ((expected, actual), ("x", "x")):
        chain._equal(board, "hop", "stage", left, right)
    (one,) = board.comparisons
    assert (one.passed, one.compared) == (same, 2)
    if not same:
        assert one.first == {"expected": str(expected), "found": str(actual)}


@pytest.mark.slow
def test_every_hop_is_the_same_without_a_normaliser() -> None:
    report = verify(Request(raw_bundle(), bars(), observations=1500, episodes=2))
    assert report["first_divergence"] is None
    assert report["replay"]["trades"] > 5
    assert report["actions"]["near_ties"] < 15  # else the limit would be too wide to say anything
    assert ("C#" in {hop["hop"] for hop in report["hops"]}) == available()


@pytest.mark.costly
def test_an_identity_normaliser_in_its_place_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the port assumed of every policy: statistics that change nothing, and a clip at 10."""
    monkeypatch.setattr("parity.export_chain.verify.available", lambda: False)
    folder = shutil.copytree(raw_bundle(), tmp_path / "bundle")
    manifest = json.loads((folder / "manifest.json").read_text())
    identity = {"mean": [0.0] * 225, "var": [1.0] * 225, "count": 1.0, "epsilon": 1e-8, "clip": 10.0}
    manifest["normalizer"] = {**identity, "formula": ""}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with refuses():
        verify(Request(folder, bars(), observations=500, episodes=1))
