"""The export chain of both phases: what one of them shows is not forgotten over the other."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from jax_port.runs.plan import Plan
from markets import Bars
from parity.export_chain.report import NUMBERS
from parity.export_chain.verify import Request
from rltrader import export_parity
from rltrader.export_parity import ChainRequest, main, prove_export
from rltrader.options.bars import BarOptions
from tests.jax_port.export.made_bundle import bars


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
        patch.setattr("parity.export_chain.report.write_report", self.write)
        patch.setattr("rltrader.export_verify.show", lambda report, out: None)

    def train(self, plan: Plan, run: Path, **options: Any) -> None:
        self.trained.append((plan, run))
        run.mkdir(parents=True)
        (run / "policy-0.safetensors").write_text(run.name)

    def export(self, policy: Path, bundle: Path) -> None:
        self.exported.append((policy, bundle))
        bundle.mkdir(parents=True)

    def verify(self, request: Request, on_progress: Any) -> dict[str, Any]:
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
