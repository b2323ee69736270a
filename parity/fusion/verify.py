"""Hold the fusion's implementations against its reference: equal actions, probabilities in a limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from markets.advice.fusion import FusionSettings, Situation
from parity.fusion.cases import settings_cases, situations
from parity.fusion.sides import Fuse, numpy_side

LIMIT = 1e-6
"""Largest difference of a probability."""


@dataclass
class Agreement:
    """How an implementation stands to the reference.

    Attributes:
        decisions: that were compared.
        actions: that differ.
        outside: actions outside the mask, or with a probability there.
        largest: difference of a probability; NaN where one is no number.
        not_bare: decisions with a weight of 0 whose action or probability is not the bare policy's.
        first: words on the first difference, "" where there is none.
    """

    decisions: int = 0
    actions: int = 0
    outside: int = 0
    largest: float = 0.0
    not_bare: int = 0
    first: str = ""

    @property
    def same(self) -> bool:
        """Whether something was compared and nothing differs beyond the limit."""
        differ = self.actions or self.outside or self.not_bare
        return self.decisions > 0 and not differ and self.largest <= LIMIT


def compare(fuse: Fuse, given: Situation, settings: FusionSettings, found: Agreement) -> None:
    """Take some decisions into an agreement."""
    expected, made = numpy_side(given, settings), fuse(given, settings)
    distance = np.abs(np.asarray(made.probabilities, np.float64) - expected.probabilities).max(axis=1)
    wrong = np.asarray(made.action) != expected.action
    outside = ~np.take_along_axis(given.masks, np.asarray(made.action)[:, None], axis=1)[:, 0]
    outside |= (np.where(given.masks, 0, made.probabilities) != 0).any(axis=1)
    found.decisions += len(wrong)
    found.actions += int(wrong.sum())
    found.outside += int(outside.sum())
    found.largest = float(
        np.maximum(found.largest, distance.max(initial=0.0))
    )  # NaN, where there is one
    if settings.weight == 0:
        none = given._replace(fresh=np.zeros_like(given.fresh))
        bare = fuse(none, FusionSettings(rule="weighted", weight=0.0))
        unequal = (made.probabilities != bare.probabilities).any(axis=1) | (made.action != bare.action)
        found.not_bare += int(unequal.sum())
    odd = np.flatnonzero(wrong | outside | ~(distance <= LIMIT))
    if len(odd) and not found.first:
        row = int(odd[0])
        found.first = (
            f"rule {settings.rule}, weight {settings.weight:g}: decision {row} takes "
            f"{int(made.action[row])}, not {int(expected.action[row])}; probabilities lie "
            f"{distance[row]:.2g} apart"
        )


def verify(sides: Mapping[str, Fuse], count: int, seed: int = 0) -> dict[str, Agreement]:
    """Return each side's agreement on at least ``count`` random decisions over all settings."""
    cases = [(settings, actions) for settings in settings_cases() for actions in (3, 6)]
    each = -(-count // len(cases))
    agreements = {name: Agreement() for name in sides}
    for number, (settings, actions) in enumerate(cases):
        given = situations(each, actions, seed * 1000 + number, settings)
        for name, side in sides.items():
            compare(side, given, settings, agreements[name])
    return agreements
