"""Each part of a bundle's proof is asked about the bundle and the bars that the request names."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from foundation.files import file_digest, write_json
from jax_port.data.data_loader import PreparedMarket
from jax_port.export.bundle import POLICY
from jax_port.export.layers import same_bits
from jax_port.export.manifest import MANIFEST, describe, read_manifest
from jax_port.ppo.policy import save_policy
from markets import Bars, get_contract
from markets.synthetic.bars import synthetic_bars
from parity.export_chain import verify as module
from parity.export_chain.comparison import Board
from parity.export_chain.decisions import Actions
from parity.export_chain.rebuilt import Rebuilt
from parity.export_chain.verify import DAYS, EPISODES, OBSERVATIONS, Chain, Request, verify
from tests.jax_port.export.made_bundle import PRIOR, bars, made_policy
from tests.sentences import refuses


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle of nothing but a policy and its manifest."""
    save_policy(tmp_path / POLICY, made_policy(1))
    digest = file_digest(tmp_path / POLICY)
    made = describe(made_policy(1), get_contract("ES"), {"file": "p", "sha256": digest})
    write_json(tmp_path / MANIFEST, {**made, "files": {POLICY: digest}})
    return tmp_path


Asked = dict[str, tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What every part was told; each finds nothing, and C# is there."""
    seen: Asked = {}

    def stand(name: str, answer: Any = None) -> None:
        def part(*given: Any, **more: Any) -> Any:
            seen[name] = given, more
            return answer

        monkeypatch.setattr(module, name, part)

    ties = Actions(compared=11, near_ties=3, differing_ties=2)
    stand("compare_files")
    stand("compare_prior")
    stand("compare_origin")
    stand("compare_golden", {"cases": 7})
    stand("rebuild", Rebuilt(Path("made anew"), ()))
    stand("compare_decisions", ties)
    stand("replay", {"trades": 5})
    stand("missing", None)
    stand("available", True)

    class Compiled:
        def side(self, policy: Any) -> tuple[str, Any]:
            return "C#", policy

    seen["checker"] = (Compiled(),), {}
    stand("_check_csharp", (seen["checker"][0][0], {"day": "2025-01-08"}))
    return seen


def test_a_request_arrives_at_every_part_and_its_answers_in_the_report(
    folder: Path, asked: Asked
) -> None:
    stages, proved = list[str](), list[Chain]()

    def prove(chain: Chain) -> dict[str, Any]:
        proved.append(chain)
        return {"settings": "proved"}

    request = Request(folder, bars(), observations=77, episodes=3, run=Path("a run"))
    report = verify(request, stages.append, prove)
    manifest, contract = read_manifest(folder), get_contract("ES")
    (board, place, stated, policy, of), _ = asked["compare_files"]
    assert isinstance(board, Board)
    assert same_bits(policy, made_policy(1)) == []
    assert (place, stated, of) == (folder, manifest, contract)
    assert asked["compare_prior"][0] == (board, manifest, None)
    assert asked["compare_origin"][0][1:] == (folder, manifest, policy, contract, Path("a run"))
    assert asked["compare_golden"][0] == (board, folder, policy, contract)
    assert asked["rebuild"][0][:3] == (folder, policy, manifest)
    assert asked["_check_csharp"][0][::3] == (board, policy)
    assert asked["_check_csharp"][0][1] == folder
    assert asked["_check_csharp"][0][4] is request.bars
    given, more = asked["compare_decisions"]
    market = given[3]
    assert isinstance(market, PreparedMarket)
    assert len(market) == len(bars())
    assert given == (board, folder, policy, market, 77)
    assert more == {"running": Path("made anew"), "csharp": ("C#", policy)}
    assert asked["replay"][0] == (board, Path("made anew"), policy, request.bars, market, 3)
    (chain,) = proved
    assert (chain.board, chain.folder, chain.policy, chain.market) == (board, folder, policy, market)
    assert (chain.manifest, chain.running, chain.use) == (manifest, Path("made anew"), None)
    assert chain.checker is asked["checker"][0][0]
    assert chain.scratch == asked["_check_csharp"][0][2]
    told = {name: report[name] for name in ("golden", "day", "replay", "fusion", "csharp")}
    assert told == {
        "golden": {"cases": 7}, "day": {"day": "2025-01-08"}, "replay": {"trades": 5},
        "fusion": {"settings": "proved"}, "csharp": "checked",
    }  # fmt: skip
    assert report["actions"]["near_ties_decided_differently"] == 2
    assert report["bundle"] == {
        "folder": folder.name, "phase": 1, "contract": "ES",
        "policy_sha256": file_digest(folder / POLICY), "certificate": "ungated",
    }  # fmt: skip
    assert report["data"] == {"source": bars().source, "sha256": bars().digest, "bars": len(bars())}
    assert report["made"]["seconds"] >= 0
    assert stages == [
        *("files and manifest", "golden values in the reference", "files that run code, made anew"),
        *("C# from raw bars", "decisions", "episodes in the reference's environment", "fusion"),
    ]
    assert [one["stage"] for one in report["hops"] if not one["passed"]] == []


def test_how_a_policy_was_trained_with_advice_arrives_at_every_part(
    folder: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network itself decides without it; trusted files are loaded as they were received."""
    proved: list[Chain] = []
    read = {folder / POLICY: (made_policy(1), PRIOR)}
    monkeypatch.setattr(module, "load_network", read.__getitem__)
    verify(Request(folder, bars(), trust=True), prove_fusion=proved.append)
    assert asked["compare_prior"][0][2] == proved[0].use == PRIOR
    assert asked["compare_files"][0][3].advice is None
    assert (proved[0].running, asked["replay"][0][1]) == (folder, folder)
    assert asked["compare_decisions"][1]["running"] == folder
    assert (asked["compare_decisions"][0][4], asked["replay"][0][5]) == (OBSERVATIONS, EPISODES)
    assert "rebuild" not in asked


def test_without_bars_synthetic_ones_of_the_bundle_s_contract_are_taken(
    folder: Path, asked: Asked
) -> None:
    report = verify(Request(folder))
    found = asked["replay"][0][3]
    expected = synthetic_bars("ES", days=DAYS, seed=17)
    assert isinstance(found, Bars)
    assert (found.digest, found.contract) == (expected.digest, get_contract("ES"))
    assert (DAYS, report["data"]["sha256"]) == (30, expected.digest)
    unknown = {"contract": asdict(replace(get_contract("ES"), symbol="ZZ"))}
    with refuses():
        module.bars_for(Path("bundle"), unknown, None)
    with refuses():
        module.bars_for(Path("bundle"), {"contract": {"symbol": "ES"}}, None)


def test_where_c_sharp_is_asked_for_and_not_there_nothing_is_proved(
    folder: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = "not checked, since something is missing"
    monkeypatch.setattr(module, "missing", lambda: lacking)
    monkeypatch.setattr(module, "available", lambda: False)
    with refuses():
        verify(Request(folder, bars(), need_csharp=True))
    assert "compare_files" not in asked
    report = verify(Request(folder, bars()))
    assert (report["csharp"], report["day"]) == (lacking, None)
    assert asked["compare_decisions"][1]["csharp"] is None
    assert "_check_csharp" not in asked
