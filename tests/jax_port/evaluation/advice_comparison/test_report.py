"""The numbers of a comparison of fusions, by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foundation.files import file_digest
from jax_port.evaluation.advice_comparison import report
from jax_port.evaluation.advice_comparison.comparison import (
    ALONE,
    BARE,
    FUSED,
    NULL,
    Arm,
    Played,
    _played,
    gain,
    holm,
    make_arms,
    make_own_arms,
)
from jax_port.evaluation.evaluate import Evaluation
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.advice.table import COLUMNS, About, AdviceTable, TableKey
from tests.snapshots import Snapshot

BARE_PNL = np.array([[10.0, 0.0, 30.0], [20.0, -40.0, 0.0]])
"""Two policies, three days."""


def played(pnl: np.ndarray) -> Played:
    """Return what made so much, with counts that every policy and day has of its own."""
    at = np.arange(pnl.size).reshape(pnl.shape)
    return Played(pnl, trades=at, steps=100 + at, questions=2 * at, advised=10 * at, changed=at % 4)


def test_the_row_of_an_arm() -> None:
    gated = FusionSettings(rule="gated")
    everything = {
        "bare policy": played(BARE_PNL),
        "advisor alone": played(BARE_PNL - 6),
        "gated": played(BARE_PNL + np.array([[1, 100, 3], [5, 100, -1]])),
    }
    row = report._row(Arm("gated", FUSED, gated), everything, np.array([True, False, True]))
    few = dict.fromkeys(("low", "high"), pytest.approx(np.nan, nan_ok=True))
    assert row == {
        "name": "gated", "kind": "fusion", "settings": gated.to_dict(), "null": "",
        "mean_day": (11 + 33 + 25 - 1) / 4,
        "gain": 2.0, **few, "p": pytest.approx(np.nan, nan_ok=True), "p_corrected": None,
        "over_advisor": {"gain": 8.0, **few},
        "gain_by_policy": [2.0, 2.0],
        "trades": 0 + 2 + 3 + 5, "advised": 100 / 410, "changed": (0 + 2 + 3 + 1) / 410,
        "questions_a_day": 2 * 10 / 4,
    }  # fmt: skip
    everything["gated"] = replace(everything["gated"], questions=None, advised=None, changed=None)
    uncounted = report._row(Arm("gated", FUSED, gated), everything, np.array([True, False, True]))
    assert uncounted == {**row, "questions_a_day": None, "advised": None, "changed": None}


def test_nulls_that_make_as_much_are_not_beaten() -> None:
    gains = {"shuffled": [1.0, 5.0, 7.0], "random": [-3.0, 4.0]}
    rows = [{"name": "gated", "null": "", "gain": 5.0}]
    rows += [{"name": null, "null": null, "gain": x} for null, all in gains.items() for x in all]
    shuffled = {"null": "shuffled", "seeds": 3, "mean": 13 / 3, "least": 1.0, "most": 7.0}
    random = {"null": "random", "seeds": 2, "mean": 0.5, "least": -3.0, "most": 4.0}
    made = [{**shuffled, "not_beaten": 2}, {**random, "not_beaten": 0}]
    assert report._nulls(rows, "gated") == made
    assert report._nulls(rows[:1], "gated") == []


def test_which_arm_is_judged() -> None:
    settings = FusionSettings()
    use = AdviceUse("columns", settings, "chat", "m", "1", "", "never")
    assert report._judged(make_arms(settings), settings) == settings.rule
    alone = replace(settings, rule="alone")
    assert report._judged(make_arms(alone), alone) == "advisor alone"
    assert report._judged(make_own_arms(use), use) == next(
        arm.name for arm in make_own_arms(use) if arm.kind == FUSED
    )


@pytest.mark.parametrize("seeds", [1, 3])
def test_every_null_has_its_seeds(seeds: int) -> None:
    settings = FusionSettings()
    use = AdviceUse("columns", settings, "chat", "m", "1", "", "never")
    for arms in (make_arms(settings, seeds), make_own_arms(use, seeds)):
        assert [arm.kind for arm in arms[:2]] == [BARE, ALONE]
        nulls = [(arm.null, arm.seed) for arm in arms if arm.kind == NULL]
        assert nulls == [(null, seed) for null in ("shuffled", "random") for seed in range(seeds)]


def test_what_policies_did_is_kept_by_policy_and_day() -> None:
    def one(pnl: list[float], trades: list[int], advised: list[int] | None) -> Evaluation:
        days = len(pnl)
        episodes = pd.DataFrame(
            {
                "day": pd.date_range("2025-03-03", periods=days), "daily": True, "pnl": pnl,
                "open_pnl": 0.0, "trades": trades, "steps": [60] * days, "done_reason": 1,
            }
        )  # fmt: skip
        asked = None
        if advised is not None:
            asked = pd.DataFrame({"questions": [1, 2], "advised": advised, "changed": [0, 1]})
        return Evaluation(episodes, pd.DataFrame(), pd.DataFrame(), "daily", advised=asked)

    made = _played([one([1.0, 2.0], [3, 4], [5, 6]), one([-1.0, 0.5], [1, 0], [7, 8])], counted=True)
    assert made.pnl.tolist() == [[1.0, 2.0], [-1.0, 0.5]]
    counts = (made.trades, made.steps, made.questions, made.advised, made.changed)
    assert [count.tolist() for count in counts] == [
        [[3, 4], [1, 0]], [[60, 60], [60, 60]], [[1, 2], [1, 2]], [[5, 6], [7, 8]], [[0, 1], [0, 1]]
    ]  # fmt: skip
    own = _played([one([1.0, 2.0], [3, 4], None)], counted=False)
    assert (own.trades.tolist(), own.steps.tolist()) == ([[3, 4]], [[60, 60]])
    assert (own.questions, own.advised, own.changed) == (None, None, None)
    bare = _played([one([1.0, 2.0], [3, 4], None)], counted=True)
    counts = (bare.trades, bare.steps, bare.questions, bare.advised, bare.changed)
    assert [count.tolist() for count in counts] == [
        [[3, 4]], [[60, 60]], [[0, 0]], [[0, 0]], [[0, 0]]
    ]  # fmt: skip


DATES = [date(2025, 3, 3) + timedelta(days=day) for day in range(24)]


@pytest.mark.parametrize(
    ("cutoff", "unseen"),
    [("", 0), ("never", 24), ("2025-03-02", 24), ("2025-03-03", 23), ("2025-03-12", 14),
     ("2025-03-25", 1), ("2025-03-26", 0)],
)  # fmt: skip
def test_the_days_after_the_cutoff_are_judged_and_all_that_was_tried_counts(
    cutoff: str, unseen: int, tmp_path: Path
) -> None:
    files = [tmp_path / name for name in ("advice.parquet", "p0.safetensors", "p1.safetensors")]
    for file in files:
        file.write_text(file.name)
    settings, rng = FusionSettings(), np.random.default_rng(1)
    arms = make_arms(settings, 2)
    bare = rng.normal(size=(2, 24), scale=100)
    made = {
        arm.name: played(bare + (at > 0) * rng.normal(loc=30, size=(2, 24), scale=40))
        for at, arm in enumerate(arms)
    }
    frame = pd.DataFrame({name: [] for name in COLUMNS})
    table = AdviceTable(About(TableKey("0", "chat", "m", "1"), "ES", 9, cutoff), frame)
    market: Any = SimpleNamespace(
        source="ES.csv", digest="of bars", contract=SimpleNamespace(symbol="ES")
    )
    values = report.to_values(arms, made, DATES, table, files[0], settings, files[1:], market, 7)

    assert values["data"] == {
        "source": "ES.csv", "symbol": "ES", "sha256": "of bars", "first": "2025-03-03",
        "last": "2025-03-26", "days": 24, "after_cutoff": unseen,
        "judged_on": "days after the cutoff" if unseen else "all days",
    }  # fmt: skip
    assert values["policies"] == [{"path": str(one), "sha256": file_digest(one)} for one in files[1:]]
    assert (values["advice"]["path"], values["advice"]["sha256"]) == (
        str(files[0]),
        file_digest(files[0]),
    )
    last = np.arange(24) >= 24 - (unseen or 24)
    gains = {arm.name: gain(made[arm.name], made["bare policy"], last) for arm in arms}
    assert [row["gain"] for row in values["arms"]] == [gains[arm.name].mean for arm in arms]
    counted = [arm.name for arm in arms if arm.kind not in (BARE, NULL)]
    assert values["tried"] == len(counted) + 7
    corrected = dict(zip(counted, holm([gains[name].p for name in counted], 7), strict=True))
    for row in values["arms"]:
        p = corrected.get(row["name"], np.nan)
        assert row["p_corrected"] == (p if np.isfinite(p) else None)
        assert row["trades"] == made[row["name"]].trades[:, last].sum()  # of the days that are judged
    for row in values["before"]:
        assert row["trades"] == made[row["name"]].trades[:, ~last].sum()
    before = [(row["name"], row["gain"]) for row in values["before"]]
    assert before == [
        (arm.name, gain(made[arm.name], made["bare policy"], ~last).mean)
        for arm in arms
        if arm.kind != NULL and 0 < unseen < 24
    ]
    assert values["judged"] == "gated"


@pytest.mark.parametrize(("each_day", "gain"), [(-5.0, "−$5.00"), (5.0, "$5.00")])
def test_the_same_gain_on_every_day_has_no_p(tmp_path: Path, each_day: float, gain: str) -> None:
    """As where one of the two never trades, and each stop costs the same."""
    settings, files = (
        FusionSettings(),
        [tmp_path / name for name in ("advice.parquet", "p.safetensors")],
    )
    for file in files:
        file.write_text(file.name)
    arms = make_arms(settings, 1)
    pnl = np.zeros((1, 24))
    made = {arm.name: played(pnl + each_day * (arm.kind != BARE)) for arm in arms}
    frame = pd.DataFrame({name: [] for name in COLUMNS})
    table = AdviceTable(About(TableKey("0", "chat", "m", "1"), "ES", 9, "never"), frame)
    market: Any = SimpleNamespace(source="ES.csv", digest="", contract=SimpleNamespace(symbol="ES"))
    values = report.to_values(arms, made, DATES, table, files[0], settings, files[1:], market)
    told = report.verdict(values)
    assert told.tone == "warn"
    assert told.reason.startswith(
        f"95%: {gain} to {gain} over 24 days that the advisor cannot have been trained on; no p, since "
        f"it is the same on every day; {values['tried']} fusions tried; "
    )


def test_every_arm_policy_and_day_is_a_row_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {"bare policy": played(BARE_PNL), "gated": played(BARE_PNL + 5)}
    days = DATES[:3]
    monkeypatch.setattr(report, "render", lambda _: "page")
    report.write(tmp_path, {"format": 1}, made, days)
    rows = pd.read_parquet(tmp_path / "advice_days.parquet")
    assert rows.values.tolist() == [
        [name, policy, pd.Timestamp(day), arm.pnl[policy, at]]
        for name, arm in made.items()
        for policy in range(2)
        for at, day in enumerate(days)
    ]
    assert rows.columns.tolist() == ["arm", "policy", "day", "pnl"]


@pytest.mark.parametrize("way", ["", "prior"], ids=["fusion", "trained with advice"])
def test_the_page_and_the_numbers_are_as_they_were_read(
    way: Any, tmp_path: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two policies; with a cutoff among the days, and of policies that were trained with advice."""
    files = [tmp_path / name for name in ("advice.parquet", "p0.safetensors", "p1.safetensors")]
    for file in files:
        file.write_text(file.name)
    settings, rng = FusionSettings("weighted", 1.5, most_age=7), np.random.default_rng(5)
    use = AdviceUse(way or "prior", settings, "chat", "m", "1", "0", "never")
    arms = make_own_arms(use, 2) if way else make_arms(settings, 2)
    bare = rng.normal(size=(2, 24), scale=100).round(2)
    made = {}
    for at, arm in enumerate(arms):
        more = rng.normal(loc=10 * at, size=(2, 24), scale=40).round(2)
        made[arm.name] = played(bare + (at > 0) * more)
    if way:
        none = {"questions": None, "advised": None, "changed": None}
        for arm in arms[2:]:
            made[arm.name] = replace(made[arm.name], **none)
    rows = {name: [0.0, 0.0, 0.0] for name in COLUMNS}
    rows |= {
        "row": [3, 4, 9], "status": ["ok", "malformed", "ok"], "hold": [0.5, 0.0, 0.1],
        "buy": [0.25, 0.0, 0.7], "sell": [0.25, 0.0, 0.2], "confidence": [0.5, 0.0, 0.9],
        "latency_ms": [100.0, 900.0, 250.0],
    }  # fmt: skip
    about = About(TableKey("0", "chat", "a model", "1"), "ES", 9, "never" if way else "2025-03-12")
    market: Any = SimpleNamespace(
        source="ES.csv", digest="of bars", contract=SimpleNamespace(symbol="ES")
    )
    made_with = {"versions": {"python": "3.0", "jax": "0.1"}, "device": "a device"}
    monkeypatch.setattr(report, "made_with", lambda: made_with)
    told = use if way else settings
    table = AdviceTable(about, pd.DataFrame(rows))
    values = report.to_values(arms, made, DATES, table, files[0], told, files[1:], market, 3)
    report.write(tmp_path / "out", values, made, DATES)
    for name in (report.NUMBERS, "advice.html"):
        snapshot(name, tmp_path / "out" / name)
