"""Faults planted in the C# side, one at a time: golden.json must show every one of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from parity.export_chain.csharp import MISSING, SOURCES, available, checker_sources
from parity.export_chain.market import MEASURED
from tests.jax_port.export.made_bundle import bundle

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)

MUTANTS = {
    "the window holds the bar that is traded": (
        "FeatureStream.cs",
        "rows[(Count - 1 - manifest.Window + n) % rows.Length]",
        "rows[(Count - manifest.Window + n) % rows.Length]",
        "observation",
    ),
    "winter time all year": ("NewYork.cs", "summer ? -4 : -5", "-4", "features"),
    "every hour is kept": (
        "FeatureStream.cs",
        "manifest.Session == SessionKind.Regular && !inside",
        "manifest.Session == SessionKind.All && !inside",
        "features",
    ),
    "a true range knows no gap": (
        "FeatureStream.cs",
        "Math.Abs(low - previousClose)))",
        "0.0))",
        "features",
    ),
    "the slow average is fast": (
        "FeatureStream.cs",
        "Average(slow, close, 26)",
        "Average(slow, close, 25)",
        "features",
    ),
    "distances are rounded down": (
        "FeatureStream.cs",
        "Math.Floor(x + 0.5)",
        "Math.Floor(x)",
        "distances",
    ),
    "an entry ratio upside down": (
        "PositionTracker.cs",
        "(float)(Entry / close)",
        "(float)(close / Entry)",
        "observation",
    ),
    "time runs in the window": (
        "PositionTracker.cs",
        "(double)manifest.MaxEpisodeBars",
        "(double)manifest.Window",
        "observation",
    ),
    "a trailing stop may fall back": (
        "PositionTracker.cs",
        "Side > 0 ? Math.Max(wanted, candidate) : Math.Min(wanted, candidate)",
        "candidate",
        "observation",
    ),
    "break-even at the entry": (
        "PositionTracker.cs",
        "wanted = Entry + Side;",
        "wanted = Entry;",
        "observation",
    ),
    "profit counts from zero": (
        "PositionTracker.cs",
        "Side * (stream.CloseTicks - Entry) > 0",
        "Side * (stream.CloseTicks - Entry) >= 0",
        "mask",
    ),
    "no clip": (
        "PolicyRunner.cs",
        "Math.Min(Manifest.Clip, Standardised[i])",
        "Standardised[i]",
        "far_logits",
    ),
    "epsilon outside the root": (
        "PolicyRunner.cs",
        "Math.Sqrt(var[i] + Manifest.Epsilon)",
        "Math.Sqrt(var[i]) + Manifest.Epsilon",
        "logits",
    ),
    "the mask is not asked": (
        "PolicyRunner.cs",
        "masked[a] = mask[a] ?",
        "masked[a] = true ?",
        "action",
    ),
    "a kernel is read across": (
        "PolicyRunner.cs",
        "kernel.Values[i * shape.Out + unit]",
        "kernel.Values[unit * shape.In + i]",
        "logits",
    ),
}


def stages_that_differ(found: dict[str, float]) -> set[str]:
    shares = {stage for stage in MEASURED if found[f"{stage}_share_of_limit"] > 1}
    names = {"distances": "distances_differ", "mask": "masks_differ", "action": "actions_differ"}
    return shares | {stage for stage, count in names.items() if found[count]}


@pytest.mark.parametrize("name", MUTANTS)
def test_every_fault_fits_the_sources(name: str) -> None:
    """Seen by every run of the tests, where only some faults are planted."""
    file, right, wrong, _ = MUTANTS[name]
    assert next(SOURCES.rglob(file)).read_text(encoding="utf-8").count(right) == 1
    assert right != wrong


@pytest.mark.costly(keep=3)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_fault_shows(name: str, tmp_path: Path) -> None:
    file, right, wrong, stage = MUTANTS[name]
    text = next(SOURCES.rglob(file)).read_text(encoding="utf-8")
    (tmp_path / file).write_text(text.replace(right, wrong), encoding="utf-8")
    sources = [tmp_path / file if path.name == file else path for path in checker_sources()]
    program = tmp_path / "mutant.exe"
    compiled = ["mcs", "-langversion:5", f"-out:{program}", *map(str, sources)]
    subprocess.run(compiled, check=True, capture_output=True)
    done = subprocess.run(
        ["mono", str(program), "golden", str(bundle(2))], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert stage in stages_that_differ(json.loads(done.stdout))
