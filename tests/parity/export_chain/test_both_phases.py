"""The export chain of both phases: what one of them shows is not forgotten over the other."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from jax_port.runs.plan import Plan
from markets import Bars, InputError, contracts, contracts_file, get_contract, register_contract
from markets.contracts_file import file_of, know_files
from parity.export_chain.report import NUMBERS
from parity.export_chain.verify import Request
from rltrader import export_parity
from rltrader.export_parity import ChainRequest, main, prove_export, proving_beside
from rltrader.options.bars import BarOptions
from tests.commands import proving_here
from tests.jax_port.export.made_bundle import bars
from tests.sentences import refuses


class Chain:
    """A chain whose trainings, exports and proofs are only noted; its proofs say what they are told."""

    def __init__(self, patch: pytest.MonkeyPatch, *verdicts: str) -> None:
        self.verdicts = list(verdicts)
        self.trained: list[tuple[Plan, Path]] = []
        self.exported: list[tuple[Path, Path]] = []
        self.asked: list[Request] = []
        self.written: list[tuple[Path, Any]] = []
        patch.setattr("jax_port.runs.run.run", self.train)
        patch.setattr("jax_port.export.bundle.export", self.export)
        patch.setattr("parity.export_chain.verify.verify", self.verify)
        patch.setattr("rltrader.export_parity.proving_beside", proving_here)
        patch.setattr("parity.export_chain.report.write_report", self.write)
        patch.setattr("rltrader.export_verify.show", lambda report, out: None)

    def train(self, plan: Plan, run: Path, **options: Any) -> None:
        self.trained.append((plan, run))
        run.mkdir(parents=True)
        (run / "policy-0.safetensors").write_text(run.name)

    def export(self, policy: Path, bundle: Path) -> None:
        self.exported.append((policy, bundle))
        bundle.mkdir(parents=True)

    def verify(self, request: Request, on_progress: Any = None) -> dict[str, Any]:
        self.asked.append(request)
        return {"verdict": self.verdicts[len(self.asked) - 1]}

    def write(self, out: Path, report: Any) -> None:
        self.written.append((out / NUMBERS, report))


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("same", "same", True),
        ("different", "same", False),
        ("same", "different", False),
        ("different", "different", False),
        ("another word", "same", False),
    ],
)
def test_every_phase_has_to_be_the_same(
    first: str, second: str, same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Python and by the exit code; both phases are verified all the same, each with its report."""
    chain = Chain(monkeypatch, first, second)
    request = ChainRequest(out=tmp_path / "out")
    assert prove_export(request, Console(file=StringIO())) is same
    assert [one.folder.name for one in chain.asked] == ["phase1", "phase2"]
    assert chain.written == [
        (tmp_path / "out" / "report1" / NUMBERS, {"verdict": first}),
        (tmp_path / "out" / "report2" / NUMBERS, {"verdict": second}),
    ]
    Chain(monkeypatch, first, second)
    done = CliRunner().invoke(main, ["--out", str(tmp_path / "again")])
    assert done.exit_code == (0 if same else 1), done.output


def test_what_was_trained_is_what_is_exported_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Phase 2 begins with the policy of Phase 1; numbers and the need of C# arrive at the proof."""
    chain = Chain(monkeypatch, "same", "same")
    request = ChainRequest(
        steps=7, hidden=(5, 6), observations=11, episodes=3, need_csharp=True, out=tmp_path
    )
    assert prove_export(request, Console(file=StringIO()))
    (one, first), (two, second) = chain.trained
    assert (one.config.phase, two.config.phase) == (1, 2)
    assert one.initial == {}
    assert two.initial["path"] == str(first / "policy-0.safetensors")
    assert chain.exported == [
        (first / "policy-0.safetensors", tmp_path / "phase1"),
        (second / "policy-0.safetensors", tmp_path / "phase2"),
    ]
    assert chain.asked == [
        Request(
            tmp_path / name,
            bars=None,
            observations=11,
            episodes=3,
            need_csharp=True,
            trust=False,
            run=None,
        )
        for name in ("phase1", "phase2")
    ]
    for plan in (one, two):
        assert (plan.settings.total_timesteps, plan.settings.network.pi) == (7, (5, 6))


def test_bars_that_are_given_are_trained_on_and_verified_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bars.csv"
    bars().frame.to_csv(path)
    chain = Chain(monkeypatch, "same", "same")
    request = ChainRequest(bars=BarOptions(files=(path,), symbols=("ES",)), out=tmp_path / "out")
    assert prove_export(request, Console(file=StringIO()))
    for plan, _ in chain.trained:
        assert [(source.kind, source.symbol) for source in plan.data.sources] == [("file", "ES")]
    for asked in chain.asked:
        assert isinstance(asked.bars, Bars)
        assert asked.bars.digest == bars().digest


def test_the_default_is_large_enough_to_say_something() -> None:
    asked = ChainRequest()
    assert (asked.observations, asked.episodes) == (100_000, 20)
    assert export_parity.PHASES == (1, 2)


def tell(run: Path, request: Request) -> dict[str, Any]:
    """Stand in for an export and a verification, in another process."""
    if request.episodes == 0:
        raise InputError(f"{request.folder}: no episodes")
    slippage = get_contract("ES").slippage_ticks
    return {"process": os.getpid(), "run": run, "asked": request, "ES": (slippage, file_of("ES"))}


def die(run: Path, request: Request) -> dict[str, Any]:
    os._exit(1)


def die_at_once() -> None:
    os._exit(1)


def linger(run: Path, request: Request) -> dict[str, Any]:
    time.sleep(600)
    return {}


def test_bundles_are_verified_in_one_process_that_knows_the_contracts_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verification that can't be carried out says so where its report is waited for."""
    monkeypatch.setattr(contracts, "_TABLE", dict(contracts._TABLE))
    monkeypatch.setattr(contracts_file, "_files", {})
    monkeypatch.setattr(export_parity, "_prove", tell)
    register_contract(replace(get_contract("ES"), slippage_ticks=7), overwrite=True)
    know_files({"ES": tmp_path / "own.toml"})
    asked = [Request(tmp_path / name, bars=bars(), episodes=n) for n, name in enumerate("abc")]
    with proving_beside() as begin:
        bad, *waits = [begin(tmp_path / f"of {one.folder.name}", one) for one in asked]
        reports = [wait() for wait in waits]
        with refuses():
            bad()
    assert [report["asked"].folder for report in reports] == [one.folder for one in asked[1:]]
    assert [report["run"].name for report in reports] == ["of b", "of c"]
    assert {report["asked"].bars.digest for report in reports} == {bars().digest}
    assert {report["ES"] for report in reports} == {(7, tmp_path / "own.toml")}
    ((process,),) = [{report["process"] for report in reports}]
    assert process != os.getpid()
    assert not multiprocessing.active_children()


def test_a_process_that_dies_over_a_bundle_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_parity, "_prove", die)
    with proving_beside() as begin:
        wait = begin(tmp_path / "run1", Request(tmp_path / "phase1"))
        with refuses():
            wait()


def test_a_process_that_died_as_it_got_ready_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_parity, "_get_ready", die_at_once)

    def begin_until_it_is_seen() -> None:
        with proving_beside() as begin:
            for _ in range(1200):
                begin(tmp_path / "run1", Request(tmp_path / "phase1"))
                time.sleep(0.05)

    with refuses():
        begin_until_it_is_seen()


def test_nobody_waits_for_a_verification_once_the_training_beside_it_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_parity, "_prove", linger)
    began = time.monotonic()

    def fail_beside() -> None:
        with proving_beside() as begin:
            begin(Path("run1"), Request(Path("phase1")))
            raise KeyError

    with pytest.raises(KeyError):
        fail_beside()
    assert not multiprocessing.active_children()
    assert time.monotonic() - began < 300
