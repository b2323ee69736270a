"""Read ``golden.json`` through declared types; :mod:`jax_port.export.golden` says what it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

from msgspec import Meta

from foundation.json_reading import Artifact, Count, Int32, Struct, read_json
from jax_port.export.golden import GOLDEN
from jax_port.ppo.policy import Policy
from markets.bars import FEATURES

Seconds = Annotated[int, Meta(ge=0, le=2**33)]
"""Seconds since 1970 in UTC, up to the year 2242."""
GOLDEN_FILE = Artifact("set of golden values", "export the policy anew")


class GoldenBars(Struct):
    """Raw bars by column, all of one length; prices in points."""

    time: list[Seconds]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]


class GoldenFeatures(Struct):
    """What is computed of one bar: its features, and its distances in ticks."""

    time: Seconds
    values: Annotated[list[float], Meta(min_length=len(FEATURES), max_length=len(FEATURES))]
    stop_ticks: Int32
    target_ticks: Int32
    trail_ticks: Int32


class GoldenEntry(Struct):
    """A trade that was opened: 1 for long or -1 for short, and its price in points."""

    side: Int32
    price: float


class GoldenStep(Struct):
    """What was wanted, taken and filled at one bar."""

    time: Seconds
    wanted: Count
    taken: Count
    entered: GoldenEntry | None = None
    exited: bool = False


class GoldenDecision(Struct):
    """An observation with what must be decided on it."""

    observation: list[float]
    mask: list[bool]
    logits: list[float]
    action: Count


class GoldenCase(GoldenDecision):
    """A decision at a step of an episode."""

    episode: Count
    step: Count


class Golden(Struct):
    """All that ``golden.json`` states."""

    bars: GoldenBars
    features: Annotated[list[GoldenFeatures], Meta(min_length=1)]
    episodes: Annotated[list[Annotated[list[GoldenStep], Meta(min_length=1)]], Meta(min_length=1)]
    cases: Annotated[list[GoldenCase], Meta(min_length=1)]
    far: Annotated[list[GoldenDecision], Meta(min_length=1)]


def read_golden(folder: Path, policy: Policy) -> Golden:
    """Return a bundle's golden values, of the sizes that its policy has.

    Raises:
        InputError: there are none, or they are damaged or of another policy; says where.
    """
    path = folder / GOLDEN
    golden = read_json(path, Golden, GOLDEN_FILE)
    _check(path, golden, policy)
    return golden


def _check(path: Path, golden: Golden, policy: Policy) -> None:
    """Refuse lengths that do not fit each other, and times and steps that are not there."""

    def refuse(where: str, reason: str) -> NoReturn:
        raise GOLDEN_FILE.damaged(path, f"{where}: {reason}")

    bars, times = golden.bars, set(golden.bars.time)
    for name in ("open", "high", "low", "close", "volume"):
        if len(getattr(bars, name)) != len(bars.time):
            refuse(f"bars.{name}", "as many numbers as bars.time has are needed")
    stated = [(f"features[{n}]", entry.time) for n, entry in enumerate(golden.features)]
    for number, steps in enumerate(golden.episodes):
        stated += [(f"episodes[{number}][{n}]", step.time) for n, step in enumerate(steps)]
    for where, time in stated:
        if time not in times:
            refuse(where, "there is no bar of its time")
    size, actions = policy.observation_size, policy.network.num_actions
    for number, steps in enumerate(golden.episodes):
        if any(max(step.wanted, step.taken) >= actions for step in steps):
            refuse(f"episodes[{number}]", f"actions are 0 to {actions - 1}")
    for kind, decisions in (("cases", golden.cases), ("far", golden.far)):
        for number, one in enumerate(decisions):
            if (len(one.observation), len(one.mask), len(one.logits)) != (size, actions, actions):
                refuse(f"{kind}[{number}]", f"{size} numbers and {actions} actions are needed")
            if one.action >= actions:
                refuse(f"{kind}[{number}]", f"actions are 0 to {actions - 1}")
    places = [(case.episode, case.step) for case in golden.cases]
    if len(set(places)) < len(places):
        refuse("cases", "a step is stated twice")
    for number, (episode, step) in enumerate(places):
        if episode >= len(golden.episodes) or step >= len(golden.episodes[episode]):
            refuse(f"cases[{number}]", "there is no such step")
