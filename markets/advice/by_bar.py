"""Advice as arrays by bar, for a policy that is trained with it: a prior on its logits, or columns.

Source: "Training with advice" in ``docs/advice.md``. Whatever the policy does, the advice of a bar is
the newest answer that was known by then, so that training needs one more array by bar, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foundation.errors import InputError
from markets.advice.fusion import FLOOR, FusionSettings
from markets.advice.schedule import AdviceOnBars
from markets.advice.table import AdviceTable

Way = Literal["prior", "columns"]
WAYS: tuple[Way, ...] = ("prior", "columns")
PRIOR_RULES = ("weighted", "gated")
"""Rules that are a shift of the logits and know nothing but the bar."""
COLUMNS = ("advice_hold", "advice_buy", "advice_sell", "advice_confidence")
"""Features that advice adds to a bar: chances and confidence, times freshness; zeros without advice."""

SOURCE = ("advisor", "model", "prompt", "sampling", "cutoff")

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class AdviceUse:
    """How a policy was trained with advice, and by whom it was advised.

    Attributes:
        way: "prior" (added to the logits) or "columns" (of the observation).
        settings: "prior" takes rule, weight, threshold, fade and most_age; "columns" fade and most_age.
        advisor, model, prompt, sampling: as in :class:`markets.advice.table.TableKey`.
        cutoff: as in :class:`markets.advice.table.About`.
    """

    way: Way
    settings: FusionSettings
    advisor: str
    model: str
    prompt: str
    sampling: str
    cutoff: str

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise InputError(f"the way of advice is {self.way!r}; choose one of {', '.join(WAYS)}")
        if self.way == "prior" and self.settings.rule not in PRIOR_RULES:
            raise InputError(
                f"the rule {self.settings.rule} is no shift of the logits, so it cannot be a prior; "
                f"choose one of {', '.join(PRIOR_RULES)}"
            )
        if self.way == "prior" and not self.settings.weight:
            raise InputError("a prior of weight 0 is no prior; give a weight above zero, or no advice")

    def used(self) -> dict[str, Any]:
        """Return the settings that this way goes by."""
        names = ["fade", "most_age"]
        if self.way == "prior":
            gate = ["threshold"] if self.settings.rule == "gated" else []
            names = ["rule", "weight", *gate, *names]
        return {name: getattr(self.settings, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        source = {name: getattr(self, name) for name in SOURCE}
        return {"as": self.way, "settings": self.settings.to_dict(), **source}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AdviceUse:
        """Return a use from plain values.

        Raises:
            InputError: a name is missing or unknown, or a value makes no sense.
        """
        texts = {name: values.get(name) for name in ("as", *SOURCE)}
        whole = {*texts, "settings"} == set(values) and isinstance(values["settings"], dict)
        if not whole or not all(isinstance(text, str) for text in texts.values()):
            raise InputError("what it says of its advice is damaged; copy it again, or train it anew")
        way = texts.pop("as")
        return cls(way, FusionSettings.from_dict(values["settings"]), **texts)  # type: ignore[arg-type]

    def check_table(self, table: AdviceTable, where: object) -> None:
        """Refuse a table of another advisor than the policy's.

        Raises:
            InputError: naming what differs.
        """
        for name in ("advisor", "model", "prompt", "sampling"):
            own, other = getattr(self, name), getattr(table.about.key, name)
            if own != other:
                raise InputError(
                    f"{where}: its {name} is {other!r}, and the policy was trained with {own!r}; give "
                    "a table of the same advisor, asked in the same way"
                )


def use_of(way: str, settings: FusionSettings, table: AdviceTable) -> AdviceUse:
    """Return how a policy is trained with a table.

    Raises:
        InputError: the rule cannot be a prior, or there is no such way.
    """
    key = table.about.key
    return AdviceUse(
        way,  # type: ignore[arg-type]
        settings,
        key.advisor,
        key.model,
        key.prompt,
        key.sampling,
        table.about.cutoff,
    )


@dataclass(frozen=True)
class AdviceByBar:
    """What the decision of each bar may use of advice, T bars.

    Attributes:
        row: int64 (T,), bar that the newest known answer was asked about; -1 for none.
        advice: float32 (T, 3), its chances.
        confidence: float32 (T,).
        fresh: float32 (T,), what age leaves of it; 0 for none.
    """

    row: NDArray[np.int64]
    advice: Floats
    confidence: Floats
    fresh: Floats


def by_bar(bars: AdviceOnBars, settings: FusionSettings) -> AdviceByBar:
    """Return the newest answer that each bar's decision knows."""
    count = len(bars.minute)
    asked = np.flatnonzero(bars.given & (bars.known < count))
    row = np.full(count, -1, np.int64)
    np.maximum.at(row, bars.known[asked], asked)
    row = np.maximum.accumulate(row)
    taken = np.maximum(row, 0)
    age = bars.minute - bars.minute[taken] - 1
    left = settings.freshness()
    fresh = np.where(
        (row >= 0) & (age <= settings.most_age), left[np.clip(age, 0, settings.most_age)], 0
    ).astype(np.float32)
    return AdviceByBar(row, bars.advice[taken], bars.confidence[taken], fresh)


def prior(bars: AdviceOnBars, settings: FusionSettings) -> Floats:
    """Return what is added to the logits of hold, buy and sell at each bar: float32 (T, 3).

    weight x freshness x log(0.97 q + 0.01), and under "gated" zeros where the confidence is too low.
    """
    advised = by_bar(bars, settings)
    strength = np.float64(np.float32(settings.weight)) * advised.fresh.astype(np.float64)
    if settings.rule == "gated":
        strength = np.where(advised.confidence >= np.float32(settings.threshold), strength, 0.0)
    log_advice = np.log((1 - FLOOR) * advised.advice.astype(np.float64) + FLOOR / 3)
    return (strength[:, None] * log_advice).astype(np.float32)


def columns(bars: AdviceOnBars, settings: FusionSettings) -> Floats:
    """Return what advice adds to the features of each bar: float32 (T, 4), as in :data:`COLUMNS`.

    The last bar that an observation shows is the one before its decision. So a bar's row holds what is
    known at the decision of the next, and the last bar's, which no observation shows, holds zeros.
    """
    advised = by_bar(bars, settings)
    columns_known = (
        np.concatenate([advised.advice, advised.confidence[:, None]], axis=1) * advised.fresh[:, None]
    )
    return np.concatenate([columns_known[1:], np.zeros((1, len(COLUMNS)), np.float32)]).astype(
        np.float32
    )
