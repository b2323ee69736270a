"""Ranges within which a certificate's verdict was reached, and what a training has outside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from jax_port.data.data_loader import PreparedMarket
from jax_port.envs.form import default_form
from jax_port.ppo.settings import TrainSettings
from markets import EnvConfig
from parity.learner.cases import LearnerCase
from parity.learner.structures import aspects_of, merged
from parity.learner.suite import cases_of_forms
from parity.pairs.market_key import market_key

NAMED = 4
"""New settings named before the rest are only counted."""
PROVABLE = ("float32",)
"""Precisions of matrix products in which both sides can be held together."""


def covered_by(
    worlds: Sequence[Mapping[str, Any]], seeds: Sequence[int], learner: bool
) -> dict[str, Any]:
    """Return the ranges that a run of the gate covers, ready for JSON.

    Args:
        worlds: of the report: each with its "key", "contract" and "config".
        seeds: of the run; one, unless it was of several rounds.
        learner: whether learners were compared.
    """
    values: dict[str, set[Any]] = {}
    for world in worlds:
        for name, value in _flat(world["config"]).items():
            values.setdefault(name, set()).add(value)
    forms: dict[str, list[LearnerCase]] = {}
    for seed in seeds if learner else ():
        for form, cases in cases_of_forms(seed).items():
            forms.setdefault(form, []).extend(cases)
    return {
        "symbols": sorted({str(world["contract"]) for world in worlds}),
        "markets": sorted({str(world["key"]) for world in worlds}),
        "configuration": {name: _range(seen) for name, seen in sorted(values.items())},
        "precision": list(PROVABLE),
        "learner": {
            form: merged(aspects_of(case.settings) for case in cases) for form, cases in forms.items()
        },
    }


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration's fields by name, those of its parts too."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return flat


def _range(values: set[Any]) -> dict[str, Any]:
    """Return the values seen: all of them, and the least and the largest where they are numbers."""
    numbers = [value for value in values if isinstance(value, int | float)]
    ends = {"least": min(numbers), "largest": max(numbers)} if numbers else {}
    return {"values": sorted(values, key=str), **ends}


@dataclass(frozen=True)
class Missing:
    """What a training has that its certificate does not cover.

    Attributes:
        markets: numbers of the markets that were not compared under its configuration.
        learner: aspects of its learner that were not compared, with their values.
        reasons: in words, each part once.
        advice: how the policy is trained with advice, which no certificate covers; "" for without.
    """

    markets: tuple[int, ...] = ()
    learner: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    advice: str = ""

    def __bool__(self) -> bool:
        return bool(self.markets or self.learner or self.advice)


def missing(
    certificate: Mapping[str, Any],
    markets: Sequence[PreparedMarket],
    config: EnvConfig,
    settings: TrainSettings,
    advice: str = "",
) -> Missing:
    """Return what of a training lies outside a certificate's ranges.

    On another kind of device than the certificate's all of it does.

    Args:
        certificate: from :func:`parity.engine.certificate.read`.
        markets: trained on, prepared under ``config``.
        config: the environment's rules.
        settings: the learner's.
        advice: how the policy is trained with advice; "" for without.
    """
    covered, then = certificate["covered"], certificate["made"]["platform"]
    here = jax.default_backend() == then
    known = set(covered.get("markets", ())) if here else set()
    unseen = tuple(
        number
        for number, market in enumerate(markets)
        if market_key(market.digest, market.contract) not in known
    )
    seen = covered.get("learner", {}).get(default_form(), {}) if here else {}
    other = tuple(
        f"{name}: {value}"
        for name, value in aspects_of(settings).items()
        if value not in seen.get(name, ()) and name != "precision"
    )
    reasons = [] if here else [f"made on {then}, trained on {jax.default_backend()}"]
    if unseen:
        reasons.append(_why_unseen(covered, [markets[number] for number in unseen], config))
    if other:
        reasons.append(f"learner: {', '.join(other)}")
    if advice:
        reasons.append(f"advice as {advice}")
    return Missing(unseen, other, tuple(reasons), advice)


def _why_unseen(
    covered: Mapping[str, Any], markets: Sequence[PreparedMarket], config: EnvConfig
) -> str:
    """Return what is new about markets: settings never seen, contracts never seen, or only the bars."""
    ranges = covered.get("configuration", {})
    new = [
        name
        for name, value in _flat(config.to_dict()).items()
        if value not in ranges.get(name, {}).get("values", ())
    ]
    symbols = {market.contract.symbol for market in markets} - set(covered.get("symbols", ()))
    words = [*(f"contract {symbol}" for symbol in sorted(symbols)), *new]
    more = f" and {len(words) - NAMED} more" if len(words) > NAMED else ""
    return f"{', '.join(words[:NAMED])}{more}" if words else "these bars under these settings"
