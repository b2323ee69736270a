"""Lineage of a training: no stretch, and nothing it grew from, is forgotten; the weakest is shown."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from foundation.errors import InputError
from foundation.files import file_digest
from foundation.json_reading import decode_json
from jax_port.export.manifest import describe
from jax_port.ppo.policy import load_policy, save_policy
from jax_port.ppo.settings import TrainSettings
from jax_port.runs import lineage
from jax_port.runs import run as runs
from jax_port.runs.checkpoints import FOLDER, _checksum
from jax_port.runs.gate import UNGATED
from jax_port.runs.lineage import (
    GENERATIONS,
    LINEAGE,
    SAME_BY_PARTS,
    STRENGTHS,
    UNKNOWN,
    ancestor,
    in_words,
    lineage_of,
    weakest,
)
from jax_port.runs.plan import Plan
from jax_port.runs.run_file import shown_proof
from jax_port.runs.training_data import Source, TrainingData
from markets import EnvConfig, get_contract
from parity.gate.strength import Strength
from tests.sentences import refuses

PROOF = {"verdict": "same", "sha256": "1" * 64}
SETTINGS = TrainSettings(n_envs=8, n_steps=8, batch_size=32, n_epochs=1, total_timesteps=64 * 3)
PLAN = Plan(
    SETTINGS.override(pi=(8,), vf=(8,)),
    TrainingData((Source("ES", kind="synthetic", days=3, seed=0),)),
    EnvConfig.phase1(max_episode_bars=30),
    checkpoint_every=1,
    certificate=PROOF,
)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run under a certificate that was stopped after its first update."""
    folder = tmp_path_factory.mktemp("begun")
    assert not runs.run(PLAN, folder, stop=lambda: True, begin=True)
    return folder


@pytest.fixture
def folder(begun: Path, tmp_path: Path) -> Path:
    shutil.copytree(begun, tmp_path / "run")
    return tmp_path / "run"


def _about(folder: Path) -> dict[str, Any]:
    return dict(load_policy(folder / "policy-0.safetensors").about)


def _told(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text())["lineage"])


def _other_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "code_digest", lambda modules: "f" * 64)


@pytest.fixture(scope="module")
def finished(begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, gone on with to its end under the same certificate."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    shutil.copytree(begun, folder)
    assert runs.run(PLAN, folder, certificate=PROOF)
    return folder


@pytest.mark.costly
def test_one_stretch_of_one_code_is_what_its_certificate_says(finished: Path) -> None:
    about = _about(finished)
    assert about["certificate"] == PROOF
    assert [one["updates"] for one in about["lineage"]["stretches"]] == [[0, 3]]
    assert _told(finished) == about["lineage"]
    assert shown_proof(finished) == PROOF


def test_a_run_that_was_killed_before_its_first_update_goes_on_with_a_proof(tmp_path: Path) -> None:
    for name, proof in (("proved", PROOF), ("ungated", UNGATED)):
        runs.start(replace(PLAN, certificate=proof), tmp_path / name)
        assert shown_proof(tmp_path / name) == proof
    folder, newer = tmp_path / "proved", {**PROOF, "sha256": "2" * 64}
    assert not runs.run(PLAN, folder, stop=lambda: True, certificate=newer)
    assert shown_proof(folder) == newer
    assert [one["certificate"] for one in _told(folder)["stretches"]] == [newer]
    grouped = replace(PLAN, settings=PLAN.settings.override(order_groups=2))
    runs.start(grouped, tmp_path / "grouped")
    assert in_words(shown_proof(tmp_path / "grouped")) == "same, minibatches by group"


def test_a_stretch_without_a_proof_is_never_stamped_same(folder: Path) -> None:
    """Gone on with by a program that names no proof, and once more under a certificate.

    What ``run.json`` says is changed in between: the checkpoint says its own.
    """
    assert not runs.run(PLAN, folder, stop=lambda: True)
    assert shown_proof(folder) == UNGATED
    values = json.loads((folder / "run.json").read_text())
    values["lineage"] = {"certificate": PROOF, "stretches": [], "grew_from": {}}
    (folder / "run.json").write_text(json.dumps(values))
    assert runs.run(PLAN, folder, certificate=PROOF)
    about = _about(folder)
    assert about["certificate"] == UNGATED
    proofs = [one["certificate"] for one in about["lineage"]["stretches"]]
    assert proofs == [PROOF, UNGATED, PROOF]
    assert shown_proof(folder) == UNGATED


def test_other_code_under_a_new_certificate_is_said_to_be_other_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _other_code(monkeypatch)
    newer = {**PROOF, "sha256": "2" * 64}
    assert runs.run(PLAN, folder, certificate=newer)
    about = _about(folder)
    assert about["certificate"]["verdict"] == SAME_BY_PARTS != "same"
    first, second = about["lineage"]["stretches"]
    assert first["code"] != second["code"]
    assert (first["updates"], second["updates"]) == ([0, 1], [1, 3])


def _newest(folder: Path) -> Path:
    return max((folder / FOLDER).iterdir(), key=lambda path: int(path.stem))


def _rewrite(file: Path, change: Callable[[dict[str, Any]], dict[str, Any]], sign: bool) -> None:
    """Change what a checkpoint says of itself, and make its checksum anew or not."""
    with safe_open(file, framework="numpy") as opened:
        about = json.loads(opened.metadata()["rltrader"])
    arrays = load_file(file)
    changed = change(about)
    if sign:
        unsigned = {name: value for name, value in changed.items() if name != "checksum"}
        changed["checksum"] = _checksum(unsigned, arrays)
    file.write_bytes(save(arrays, metadata={"rltrader": json.dumps(changed)}))


def test_a_checkpoint_whose_lineage_was_changed_or_left_out_is_no_proof(folder: Path) -> None:
    file = _newest(folder)
    whole = file.read_bytes()

    def other_code(about: dict[str, Any]) -> dict[str, Any]:
        assert about["lineage"][0]["certificate"] == PROOF
        return {**about, "lineage": [{**about["lineage"][0], "code": "0" * 64}]}

    def without(about: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in about.items() if name != "lineage"}

    for change in (other_code, without):
        file.write_bytes(whole)
        _rewrite(file, change, sign=False)
        with refuses():
            runs.run(PLAN, folder, certificate=PROOF)
    file.write_bytes(whole)
    _rewrite(file, without, sign=True)  # who changes a file may make its checksum anew
    assert runs.run(PLAN, folder, certificate=PROOF)
    assert _about(folder)["certificate"] == UNGATED


@pytest.mark.costly
def test_a_run_that_grows_from_a_policy_without_a_proof_is_ungated(
    finished: Path, tmp_path: Path
) -> None:
    """An ungated policy, and one that does not say what it went through."""
    proved = load_policy(finished / "policy-0.safetensors")
    assert ancestor(proved.about, "0")["certificate"] == PROOF
    silent = {name: value for name, value in proved.about.items() if name != "lineage"}
    assert ancestor(silent, "0")["certificate"] == UNGATED
    path, grown = tmp_path / "silent.safetensors", tmp_path / "grown"
    save_policy(path, replace(proved, about=silent))
    plan = replace(PLAN, initial={"path": str(path), "sha256": file_digest(path)})
    assert runs.run(plan, grown, begin=True)
    policy = load_policy(grown / "policy-0.safetensors")
    assert policy.about["certificate"] == UNGATED
    assert policy.about["lineage"]["grew_from"]["sha256"] == file_digest(path)
    assert policy.about["lineage"]["stretches"][0]["certificate"] == PROOF
    manifest = describe(policy, get_contract("ES"), {"file": "x", "sha256": "0"})
    assert manifest["certificate"] == UNGATED
    assert manifest["lineage"] == policy.about["lineage"]


def test_the_weakest_strength_counts_wherever_it_stands() -> None:
    def of(strength: str) -> dict[str, Any]:
        proof = {**PROOF, "strength": strength}
        return {"updates": [0, 1], "certificate": proof, "code": "a", "made": {}}

    assert get_args(Strength) == STRENGTHS
    standard, thorough = of("standard"), of("thorough")
    for stretches in ([standard, thorough], [thorough, standard]):
        assert weakest(stretches) == {**PROOF, "strength": "standard"}
    grown = ancestor({"certificate": weakest([standard]), "lineage": {"stretches": [standard]}}, "0")
    assert weakest([thorough], grown) == {**PROOF, "strength": "standard"}
    assert weakest([thorough])["strength"] == "thorough"  # type: ignore[index]
    assert weakest([thorough, of("of old")])["strength"] == "of old"  # type: ignore[index]


def test_a_strength_that_one_stretch_does_not_state_is_stated_of_none() -> None:
    """Left out or empty, in this training or in what it grew from, it is weaker than the weakest."""

    def of(**strength: str) -> dict[str, Any]:
        proof = {**PROOF, **strength}
        return {"updates": [0, 1], "certificate": proof, "code": "a", "made": {}}

    quick = of(strength="quick")
    for silent in (of(), of(strength="")):
        for stretches in ([silent, quick], [quick, silent, quick], [of(strength="")]):
            assert weakest(stretches) == {**PROOF, "strength": ""}
        grown = ancestor({"certificate": weakest([silent]), "lineage": {"stretches": [silent]}}, "0")
        assert weakest([quick], grown) == {**PROOF, "strength": ""}
        # What it grew from says more of itself than its stretches do.
        grown = {**grown, "certificate": quick["certificate"]}
        assert weakest([quick], grown) == {**PROOF, "strength": ""}
    assert weakest([quick, of()]) == PROOF  # the newest states none


def test_the_weakest_counts_wherever_it_stands() -> None:
    def one(proof: Any, code: str = "a") -> dict[str, Any]:
        return {"updates": [0, 1], "certificate": proof, "code": code, "made": {}}

    different = {"verdict": "different"}
    assert weakest([]) == UNGATED
    older, newer = ({**PROOF, "made": {"when": when}} for when in ("2025-01-01", "2025-02-02"))
    assert weakest([one(older), one(newer)])["made"] == newer["made"]  # type: ignore[index]
    assert weakest([one(newer)], ancestor({"certificate": older}, "0")) == UNGATED
    grown = {"sha256": "0", "certificate": older, "lineage": {"stretches": [one(older)]}}
    assert weakest([one(newer)], grown) == newer
    assert in_words(weakest([one({})])) == "unknown"
    assert weakest([one(PROOF), one(different), one(PROOF)]) == different
    assert weakest([one(different), one(UNGATED)]) == UNGATED
    nested = {"sha256": "0", "certificate": PROOF, "lineage": {"stretches": [one(UNGATED)]}}
    assert weakest([one(PROOF)], nested) == UNGATED
    assert in_words(weakest([one(PROOF), one(PROOF, "b")])) == SAME_BY_PARTS
    assert in_words(UNGATED) == "ungated"


def test_what_a_run_grew_from_counts_with_its_code_its_groups_and_its_strength() -> None:
    def one(code: str, **more: Any) -> dict[str, Any]:
        return {"updates": [0, 1], "certificate": PROOF, "code": code, "made": {}, **more}

    def grown(*stretches: dict[str, Any]) -> dict[str, Any]:
        return ancestor({"certificate": weakest(stretches), "lineage": {"stretches": stretches}}, "0")

    assert in_words(weakest([one("a")], grown(one("a")))) == "same"
    assert in_words(weakest([one("b")], grown(one("a")))) == SAME_BY_PARTS
    # The grandparent's stretches are told by the parent's verdict alone.
    between = {**grown(one("b")), "certificate": weakest([one("b")], grown(one("a")))}
    assert in_words(weakest([one("b")], between)) == SAME_BY_PARTS
    by_groups = one("a", order_groups=8)
    assert in_words(weakest([one("b")], grown(by_groups))) == f"{SAME_BY_PARTS}, minibatches by group"
    quick = {**PROOF, "strength": "quick"}
    full = one("a", certificate={**PROOF, "strength": "full"}, order_groups=8)
    of_full = grown(full)
    assert weakest([one("a", certificate=quick)], of_full) == {
        **quick,
        "verdict": "same, minibatches by group",
    }


def test_a_policy_that_grew_from_forty_others_is_read_and_shows_the_weakest_of_them() -> None:
    for first, shown in ((UNGATED, UNGATED), (PROOF, SAME_BY_PARTS)):
        about: dict[str, Any] = {}
        for number in range(40):
            grown = ancestor(about, f"{number}") if about else None
            proof = first if number == 0 else PROOF
            code = "other" if number == 0 else "a"
            own = [{"updates": [0, 1], "certificate": proof, "code": code, "made": {"versions": {}}}]
            about = {"certificate": weakest(own, grown), "lineage": lineage_of(own, grown)}
            read = decode_json(json.dumps({"made": about}), dict[str, Any], LINEAGE, where="here")
        assert read == {"made": about}
        assert in_words(about["certificate"]) == shown
        assert about["lineage"]["grew_from"]["sha256"] == "39"
        oldest, generations = about["lineage"], 0
        while oldest["grew_from"]:
            oldest, generations = oldest["grew_from"]["lineage"], generations + 1
            if not oldest:
                break
        assert generations == GENERATIONS + 1


def test_orders_by_group_are_said_behind_the_verdict() -> None:
    plain, halves, grouped = (lineage.stretch(0, PROOF, {}, groups) for groups in (1, 2, 8))
    assert "order_groups" not in plain
    assert (halves["order_groups"], grouped["order_groups"]) == (2, 8)
    assert in_words(weakest([halves])) == "same, minibatches by group"
    assert in_words(weakest([plain])) == "same"
    assert in_words(weakest([grouped])) == "same, minibatches by group"
    other = {**grouped, "code": "another"}
    assert in_words(weakest([grouped, other])) == f"{SAME_BY_PARTS}, minibatches by group"
    grown = ancestor({"certificate": weakest([grouped]), "lineage": {"stretches": [grouped]}}, "0")
    assert in_words(weakest([plain], grown)) == "same, minibatches by group"
    assert in_words(weakest([{**grouped, "certificate": UNGATED}])) == UNGATED
    assert lineage.read_stretches([grouped], "here") == [grouped]
    with refuses():
        lineage.read_stretches([{**grouped, "order_groups": -1}], "here")


@pytest.mark.parametrize("name", ["certificate", "code", "made"])
def test_a_stretch_goes_on_only_where_proof_code_and_machine_are_the_same(name: str) -> None:
    one = {"updates": [0, 5], "certificate": PROOF, "code": "a", "made": {"device": "cpu"}}
    now = {**one, "updates": [5, 5]}
    assert lineage.going_on([one], now) == [one]
    changed = {**now, name: {"other": "x"} if name != "code" else "b"}
    assert lineage.going_on([one], changed) == [one, changed]
    assert lineage.going_on([], now) == [now]


def test_a_comparison_that_took_longer_is_no_other_proof() -> None:
    def of(**at_hand: Any) -> dict[str, Any]:
        proof = {**PROOF, "data_at_hand": {"because": ["a file"], "numbers": 5, **at_hand}}
        return {"updates": [0, 5], "certificate": proof, "code": "a", "made": {}}

    one = of(seconds=1.5)
    assert lineage.going_on([one], of(seconds=2.5)) == [one]
    assert lineage.going_on([one], of(numbers=6, seconds=1.5)) == [one, of(numbers=6, seconds=1.5)]


def test_a_stretch_s_proof_is_the_one_given_and_the_plan_s_only_where_the_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by what a training is begun with."""
    of_plan = {"verdict": "same", "sha256": "1"}
    newer = {"verdict": "same", "sha256": "2"}
    proofs: list[Any] = []
    takes = inspect.signature(runs._train)

    def train(*given: Any) -> bool:
        proofs.append(takes.bind(*given).arguments["proof"])
        return True

    monkeypatch.setattr(runs, "_train", train)
    plan = replace(PLAN, certificate=of_plan)
    for number, (begin, certificate) in enumerate(product((True, False), (None, newer, "ungated"))):
        runs.run(plan, tmp_path / str(number), begin=begin, certificate=certificate)
    assert proofs == [of_plan, newer, "ungated", "ungated", newer, "ungated"]


def test_what_only_a_stretch_of_what_it_grew_from_tells_counts_too() -> None:
    """A verdict that is no proof, in the policy's own certificate or behind it, and orders by group."""

    def one(**more: Any) -> dict[str, Any]:
        return {"updates": [0, 1], "certificate": PROOF, "code": "a", "made": {}, **more}

    def grown(certificate: Any, *stretches: dict[str, Any]) -> dict[str, Any]:
        return {"sha256": "0", "certificate": certificate, "lineage": {"stretches": stretches}}

    different = {"verdict": "different", "sha256": "3" * 64}
    for before in (grown(different, one()), grown(PROOF, one(), one(certificate=different))):
        assert weakest([one()], before) == different
    by_group = grown(PROOF, one(), one(order_groups=2))
    assert in_words(weakest([one()], by_group)) == "same, minibatches by group"


def test_code_that_is_not_what_its_source_says_has_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(modules: Any) -> str:
        raise InputError("run.py: changed while it was loaded; start again")

    monkeypatch.setattr(lineage, "code_digest", changed)
    with refuses():
        lineage.stretch(5, PROOF, {})
    for none in (UNGATED, {}):
        found = lineage.stretch(5, none, {"device": "cpu"})
        assert (found["updates"], found["made"]) == ([5, 5], {"device": "cpu"})
        assert (found["certificate"], found["code"]) == (UNGATED, UNKNOWN)
