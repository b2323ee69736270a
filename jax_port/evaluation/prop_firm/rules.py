"""Rules of a prop firm's evaluation account, read from a TOML file.

Firms change their rules often. Every file therefore says where its rules were read and on which day,
and whoever pays for an evaluation reads the firm's own page first.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from foundation.errors import InputError
from foundation.json_reading import Artifact
from foundation.toml_files import read_toml, toml

Trailing = Literal["intraday", "end of day", "static"]
TRAILING: tuple[Trailing, ...] = ("intraday", "end of day", "static")
AUTOMATION = ("allowed", "own code only", "not allowed", "ask the firm")
MOST = 1e9
"""Dollars or contracts that a rule may name; far from what whole cents in 64 bits can hold."""
FILE = Artifact("file of rules", "mend it, or begin with a copy of one that comes with the program")
DAILY_LOSS = ("fail", "stop for the day")


@dataclass(frozen=True)
class Tier:
    """Contracts of full size that may be held from a profit on; ten micros are one."""

    profit: float
    contracts: float


@dataclass(frozen=True)
class Rules:
    """An evaluation account's rules. Money in US dollars.

    Attributes:
        name: of the rules, in words.
        source: where they were read, in words.
        read: when.
        account: money at the start.
        profit_target: profit at a day's end that passes.
        drawdown: distance of the floor below the highest equity ("intraday"), below the highest balance
            at a day's end ("end of day") or below the start ("static"). Reaching the floor fails.
        trailing: which of these.
        floor_stops_at: profit at which the floor rises no further; None for never.
        daily_loss: loss of a day, open PnL included, at which ``daily_loss_means`` happens.
        daily_loss_means: "fail", or "stop for the day", which closes the position there.
        best_day_share: most that the best day may be of the whole profit, as a share; None for any.
        minimum_days: days with a trade before an account can pass.
        maximum_days: days after which an account that has not passed fails; None for no end.
        contracts: how many may be held, by the profit at a day's start; empty for any number.
        automation: whether a program may trade.
        note: what else the firm asks, in words.
    """

    name: str
    source: str
    read: date
    account: float
    profit_target: float
    drawdown: float
    trailing: Trailing
    floor_stops_at: float | None = None
    daily_loss: float | None = None
    daily_loss_means: str = "fail"
    best_day_share: float | None = None
    minimum_days: int = 1
    maximum_days: int | None = None
    contracts: tuple[Tier, ...] = ()
    automation: str = "ask the firm"
    note: str = ""

    def sentences(self) -> list[tuple[str, str]]:
        """Return (rule, what it says) of everything that the rules ask, in words."""
        from foundation.report.format import dollars, percent

        def money(value: float) -> str:
            return dollars(value, 0 if float(value).is_integer() else 2)

        basis = {
            "intraday": "below the highest equity so far, open profit included",
            "end of day": "below the highest balance at a day's end",
            "static": "below the money at the start",
        }[self.trailing]
        stops = (
            f"; it stops rising at {money(self.account + self.floor_stops_at)}"
            if self.floor_stops_at is not None and self.trailing != "static"
            else ""
        )
        told = [
            ("profit target", f"{money(self.profit_target)} at a day's end"),
            ("floor (reaching it fails the account)", f"{money(self.drawdown)} {basis}{stops}"),
        ]
        if self.daily_loss is not None:
            means = "fails the account" if self.daily_loss_means == "fail" else "ends the day"
            told.append(("daily loss limit", f"{money(self.daily_loss)}, open loss included; {means}"))
        if self.best_day_share is not None:
            told.append(("best day", f"at most {percent(self.best_day_share, 0)} of the whole profit"))
        told.append(("days with a trade, at least", str(self.minimum_days)))
        if self.maximum_days is not None:
            told.append(("days, at most", str(self.maximum_days)))
        for tier in self.contracts:
            from_profit = f" from a profit of {money(tier.profit)}" if tier.profit else ""
            told.append((f"contracts{from_profit}", f"{tier.contracts:.10g}, ten micros as one"))
        told.append(("trading by a program", self.automation))
        return told


def names() -> list[str]:
    """Return the names of the rules that come with the package."""
    folder = resources.files(__package__) / "rules"
    return sorted(
        file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml")
    )


def load_rules(name: str) -> Rules:
    """Return rules by the name of a file that comes with the package, or by the path of one's own.

    Raises:
        InputError: there is no such file, or it does not hold rules.
    """
    if name in names():
        text = (resources.files(__package__) / "rules" / f"{name}.toml").read_text(encoding="utf-8")
        return _rules(tomllib.loads(text), name)
    if not Path(name).is_file():
        raise InputError(
            f"{name}: no such file of rules; give a TOML file, or one of {', '.join(names())}"
        )
    return _rules(read_toml(Path(name), dict[str, Any], FILE), name)


def _rules(given: Mapping[str, Any], where: str) -> Rules:
    known = {field.name for field in fields(Rules)}
    if unknown := sorted(given.keys() - known):
        raise InputError(f"{where}: unknown rule {unknown[0]!r}; known are {', '.join(sorted(known))}")
    required = ("name", "source", "read", "account", "profit_target", "drawdown", "trailing")
    for name in required:
        if name not in given:
            raise InputError(f"{where}: the rule {name!r} is missing; add it")
    values = dict(given)
    for name in ("name", "source", "note"):
        if not isinstance(values.get(name, ""), str):
            raise InputError(f"{where}: {name} is {toml(values[name])}; write it as text in quotes")
    if type(values["read"]) is not date:
        raise InputError(
            f"{where}: read is {toml(values['read'])}; write the date as 2026-11-26, unquoted"
        )
    for name in ("account", "profit_target", "drawdown"):
        values[name] = _money(values[name], name, where, 0.0, above=True)
    if values.get("daily_loss") is not None:
        values["daily_loss"] = _money(values["daily_loss"], "daily_loss", where, 0.0, above=True)
    if values.get("floor_stops_at") is not None:
        least = -values["drawdown"]
        values["floor_stops_at"] = _money(values["floor_stops_at"], "floor_stops_at", where, least)
    if values.get("best_day_share") is not None:
        share = _money(values["best_day_share"], "best_day_share", where, 0.0, above=True)
        if share > 1:
            raise InputError(f"{where}: best_day_share is {share:g}; give a share, such as 0.5 for 50%")
        values["best_day_share"] = share
    for name, least in (("minimum_days", 0), ("maximum_days", 1)):
        if name in values:
            values[name] = _days(values[name], name, where, least)
    if (least := values.get("minimum_days", 1)) > values.get("maximum_days", math.inf):
        raise InputError(
            f"{where}: minimum_days is {least}, above maximum_days, {values['maximum_days']}, so no "
            "account could pass; mend one of them"
        )
    for name, choices in (
        ("trailing", TRAILING),
        ("automation", AUTOMATION),
        ("daily_loss_means", DAILY_LOSS),
    ):
        if name in values and values[name] not in choices:
            raise InputError(
                f"{where}: {name} is {toml(values[name])}; choose one of {', '.join(choices)}"
            )
    values["contracts"] = _tiers(values.get("contracts", []), where)
    return Rules(**values)


def _money(value: Any, name: str, where: str, least: float, *, above: bool = False) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value < least or (above and value == least):
        than = "above" if above else "at least"
        raise InputError(f"{where}: {name} is {toml(value)}; give a number {than} {least:g}")
    if value > MOST:
        raise InputError(f"{where}: {name} is {toml(value)}; give a number of at most {MOST:,.0f}")
    return float(value)


def _days(value: Any, name: str, where: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{where}: {name} is {toml(value)}; give whole days, at least {least}")
    return value


def _tiers(given: Any, where: str) -> tuple[Tier, ...]:
    tiers = []
    if not isinstance(given, list) or not all(isinstance(tier, dict) for tier in given):
        raise InputError(f"{where}: contracts is {toml(given)}; give [[contracts]] tables")
    for tier in given:
        if tier.keys() != {"profit", "contracts"}:
            raise InputError(
                f"{where}: a [[contracts]] table holds {sorted(tier)}; give profit and contracts"
            )
        tiers.append(
            Tier(
                _money(tier["profit"], "profit", where, -MOST),
                _money(tier["contracts"], "contracts", where, 0.0, above=True),
            )
        )
    if tiers and (tiers[0].profit > 0 or any(a.profit >= b.profit for a, b in pairwise(tiers))):
        raise InputError(
            f"{where}: the [[contracts]] tables must begin at profit 0 and rise from there"
        )
    for before, after in pairwise(tiers):
        if after.contracts < before.contracts:
            raise InputError(
                f"{where}: the [[contracts]] tables allow {before.contracts:.10g} from a profit of "
                f"{before.profit:.10g} and fewer, {after.contracts:.10g}, from {after.profit:.10g}; "
                "more profit never allows fewer contracts"
            )
    return tuple(tiers)
