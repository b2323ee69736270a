"""The planted advisor speaks of a signal from its bar on, and never before."""

from __future__ import annotations

import numpy as np

from benchmarks.suites.advice_gain import KNOWN_BARS, spoken
from markets.synthetic.pattern import hidden_signals


def test_it_speaks_of_a_signal_from_its_bar_on() -> None:
    signals, told = hidden_signals(5, 8), spoken(5, 8)
    (places,) = np.nonzero(signals)
    assert (told[places] == signals[places]).all()
    assert (told[places - 1] == 0).all()
    assert (told[places + KNOWN_BARS - 1] == signals[places]).all()
    assert (told[places + KNOWN_BARS] == 0).all()
    assert (told != 0).sum() == KNOWN_BARS * len(places)
