"""The planted advisor speaks of a signal from its bar on, and never before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.suites.advice_gain import KNOWN_BARS, code_digest, main, spoken
from foundation.json_lines import require_same
from markets.synthetic.pattern import hidden_signals
from tests.sentences import refuses


@pytest.mark.costly
@pytest.mark.parametrize("there", ["out/knows-weighted-2/advice.json", "scratch/bare-0.safetensors"])
def test_a_study_of_other_options_is_not_gone_on_with(tmp_path: Path, there: str) -> None:
    asked = {"steps": 64, "train-days": 4, "days": 4, "code": code_digest()}
    assert len(asked["code"]) == 64
    (tmp_path / there).parent.mkdir(parents=True)
    (tmp_path / there).write_text("{}")
    for name in ("out", "scratch"):
        require_same(tmp_path / name / "asked.json", asked, begun=False)
    words = ["--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch"), "--way", "none"]
    for others in ((65, 4, 4), (64, 5, 4), (64, 4, 5)):
        told = zip(("--steps", "--train-days", "--days"), map(str, others), strict=True)
        with refuses():
            main.main([*words, *(word for pair in told for word in pair)], standalone_mode=False)
    assert (tmp_path / there).read_text() == "{}"


def test_it_speaks_of_a_signal_from_its_bar_on() -> None:
    signals, told = hidden_signals(5, 8), spoken(5, 8)
    (places,) = np.nonzero(signals)
    assert (told[places] == signals[places]).all()
    assert (told[places - 1] == 0).all()
    assert (told[places + KNOWN_BARS - 1] == signals[places]).all()
    assert (told[places + KNOWN_BARS] == 0).all()
    assert (told != 0).sum() == KNOWN_BARS * len(places)
