"""Raw observations through the whole chain, within what rounding alone can do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from parity.export_chain.csharp import available
from parity.export_chain.verify import Request, verify
from tests.jax_port.export.made_bundle import bars, raw_bundle
from tests.sentences import refuses


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
