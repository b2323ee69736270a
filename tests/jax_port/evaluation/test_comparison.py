"""Several policies on the same days: order, leads and their intervals, names, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jax_port.evaluation import comparison as module
from jax_port.evaluation.advice_comparison.report import FILES as ADVICE_FILES
from jax_port.evaluation.comparison import (
    Compared,
    compare_policies,
    render,
    unique_names,
    verdict,
    write,
)
from jax_port.evaluation.report import FILES, SECONDS_FILES
from jax_port.evaluation.resampling import RESAMPLES, percentiles, too_few
from tests.foundation.report.layout import CHROMIUM, layout_faults
from tests.snapshots import Snapshot

DAYS = pd.bdate_range("2025-01-06", periods=40)


def policy(name: str, pnl: np.ndarray, days: pd.DatetimeIndex = DAYS) -> Compared:
    values: dict[str, Any] = {
        "policy": {"path": f"{name}.safetensors", "sha256": "0" * 64, "config": {"phase": 1}},
        "data": {"symbol": "ES", "source": "ES.csv"},
        "held_out": {"status": "held out"},
        "performance": {
            "account": {"max_drawdown": 100.0},
            "trades": {"trades": 12, "win_rate": 0.5, "profit_factor": None},
        },
    }
    sheet: Any = type("Sheet", (), {"pnl": pnl, "days": pd.DataFrame({"day": days})})()
    return Compared(name, values, sheet)


def others(at: int) -> Compared:
    """Return a policy of which no number is another's."""
    made = policy(f"p{at}", NOISE + 500 * at)
    values = {
        **made.values,
        "policy": {"path": f"{at}.st", "sha256": f"{at}" * 64, "config": {"phase": 1 + at % 2}},
        "held_out": {"status": f"status {at}"},
        "performance": {
            "account": {"max_drawdown": 100.0 + at},
            "trades": {"trades": 12 + at, "win_rate": at / 10, "profit_factor": 1.0 + at},
        },
    }
    return Compared(made.name, values, made.sheet)


NOISE = np.random.default_rng(0).integers(-50_000, 50_000, size=40)


def test_the_best_comes_first_with_its_lead() -> None:
    found = compare_policies(
        [policy("low", NOISE - 1000), policy("high", NOISE + 2000), policy("middle", NOISE)]
    )
    rows = found["policies"]
    assert [row["name"] for row in rows] == ["high", "middle", "low"]
    assert (found["days"], found["first"], found["last"]) == (40, "2025-01-06", "2025-02-28")
    # The same noise in both: the lead is certain though each alone is not.
    assert rows[1]["behind"] == pytest.approx(20.0)
    assert rows[1]["behind_between"] == pytest.approx([20.0, 20.0])
    assert rows[1]["better"] == 0.0
    assert rows[0]["behind_between"] == [None, None]
    said = verdict(found)
    assert said.tone == "good"
    assert "was chosen from 3 by these very days" in said.reason


def test_a_row_is_one_policys_own_and_depends_on_no_order() -> None:
    found = compare_policies([others(at) for at in (1, 3, 0, 2)])
    assert [row["name"] for row in found["policies"]] == ["p3", "p2", "p1", "p0"]
    best = NOISE + 1500
    for row in found["policies"]:
        at = int(row["name"][1:])
        made = NOISE + 500 * at
        lead = row.pop("behind_between")
        assert lead == ([None, None] if at == 3 else pytest.approx([5.0 * (3 - at)] * 2))
        assert row == {
            "name": f"p{at}",
            "path": f"{at}.st",
            "sha256": f"{at}" * 64,
            "phase": 1 + at % 2,
            "pnl": made.sum() / 100,
            "mean_day": pytest.approx(made.mean() / 100),
            "sharpe_day": pytest.approx(made.mean() / made.std(ddof=1)),
            "behind": pytest.approx((best - made).mean() / 100),
            "better": None if at == 3 else 0.0,
            "max_drawdown": 100.0 + at,
            "trades": 12 + at,
            "win_rate": at / 10,
            "profit_factor": 1.0 + at,
            "held_out": f"status {at}",
        }


@pytest.mark.parametrize("days", [5, 7, 40])
def test_a_leads_interval_is_of_days_drawn_anew_the_same_for_both(days: int) -> None:
    other = np.random.default_rng(1).integers(-55_000, 45_000, size=40)[:days]
    given = [policy("a", NOISE[:days], DAYS[:days]), policy("b", other, DAYS[:days])]
    first, second = compare_policies(given)["policies"]
    gap = (NOISE[:days] - other) * (1 if first["name"] == "a" else -1)
    means = gap[np.random.default_rng(0).integers(days, size=(RESAMPLES, days))].mean(axis=1)
    expected = np.percentile(means, percentiles(days)) / 100
    assert second["behind_between"] == pytest.approx(expected, rel=1e-12)
    assert second["better"] == pytest.approx((means < 0).mean())
    assert second["behind"] == pytest.approx(gap.mean() / 100)


@pytest.mark.parametrize("days", [1, 2, 4])
def test_few_days_have_no_interval(days: int) -> None:
    given = [policy(name, NOISE[:days] - less, DAYS[:days]) for name, less in (("a", 0), ("b", 5))]
    found = compare_policies(given)
    first, second = found["policies"]
    assert (second["behind_between"], second["better"]) == ([None, None], None)
    assert ((first["sharpe_day"] is None) == (days == 1), second["behind"]) == (True, 0.05)
    assert verdict(found).tone == "warn"
    assert verdict(found).reason == too_few(days)


def test_a_lead_within_luck_is_said_to_be() -> None:
    other = np.random.default_rng(1).integers(-55_000, 45_000, size=40)
    found = compare_policies([policy("a", NOISE), policy("b", other)])
    said = verdict(found)
    assert said.tone == "warn"
    assert "40 days do not tell it from luck" in said.reason
    assert 0.0 < found["policies"][1]["better"] < 0.5


def test_policies_that_trade_alike_are_not_told_from_luck() -> None:
    found = compare_policies([policy("a", NOISE), policy("b", NOISE.copy())])
    assert (found["policies"][1]["behind"], found["policies"][1]["behind_between"]) == (0.0, [0.0, 0.0])
    said = verdict(found)
    assert (said.tone, said.reason) == (
        "warn",
        "Its lead over b is $0.00 a day, 95% interval $0.00 to $0.00: 40 days do not tell it from "
        "luck.",
    )


@pytest.mark.parametrize(
    ("low", "high", "tone"),
    [
        (-3.0, 17.5, "warn"),
        (-0.01, 17.5, "warn"),
        (0.0, 17.5, "warn"),
        (0.01, 17.5, "good"),
        (0.0, 0.0, "warn"),
        (0.01, 0.01, "good"),
        (-3.0, 0.0, "warn"),
        (-7.0, -3.0, "warn"),  # as means that a few large days pull up may have it
        (0.0, 5.0, "warn"),
        (-0.01, 5.0, "warn"),
        (-5.0, -0.01, "warn"),
        (0.01, 5.0, "good"),
    ],
)
def test_a_lead_is_told_from_luck_where_its_whole_interval_is_above_zero(
    low: float, high: float, tone: str
) -> None:
    found = compare_policies([policy("a", NOISE + 700), policy("b", NOISE)])
    found["policies"][1]["behind_between"] = [low, high]
    said = verdict(found)
    assert said.tone == tone
    assert ("do not tell it from luck" in said.reason) == (tone == "warn")


def test_policies_that_lose_are_not_said_to_make_money() -> None:
    found = compare_policies([policy("a", NOISE * 0 - 500), policy("b", NOISE * 0 - 700)])
    assert verdict(found).headline == "a lost the least: $200.00 in 40 days."


def test_only_days_that_all_have_are_compared() -> None:
    later = pd.bdate_range("2025-01-20", periods=40)
    found = compare_policies([policy("a", NOISE), policy("b", NOISE, later)])
    assert (found["days"], found["first"]) == (30, "2025-01-20")
    nothing = compare_policies([policy("a", NOISE), policy("b", NOISE, later + pd.Timedelta(days=364))])
    assert nothing["days"] == 0
    assert verdict(nothing).tone == "bad"


def test_the_order_is_of_the_common_days_alone() -> None:
    """What one made on a day of its own counts for nothing, and three are compared on what all have."""
    made = {"a": NOISE[:20] - 100, "b": NOISE[:20].copy(), "c": NOISE[:20] + 50}
    made["a"][0] += 9_000_000
    made["c"][-1] -= 9_000_000
    first = {"a": 0, "b": 1, "c": 1}
    days = {name: DAYS[at : at + 20] for name, at in first.items()}
    found = compare_policies([policy(name, made[name], days[name]) for name in made])
    assert (found["days"], found["first"], found["last"]) == (19, "2025-01-07", "2025-01-31")
    common = {"a": made["a"][1:], "b": made["b"][:-1], "c": made["c"][:-1]}
    order = sorted(common, key=lambda name: -common[name].sum())
    assert [(row["name"], row["pnl"]) for row in found["policies"]] == [
        (name, common[name].sum() / 100) for name in order
    ]
    assert order[-1] != "c"


def test_names() -> None:
    paths = [Path("runs/es/policy-0.safetensors"), Path("runs/nq/policy-0.safetensors"), Path("b.zip")]
    assert unique_names(paths) == ["es-policy-0", "nq-policy-0", "b"]
    twins = [Path("x/es/policy-0.safetensors"), Path("y/es/policy-0.safetensors")]
    assert unique_names(twins) == ["es-policy-0-1", "es-policy-0-2"]


def test_a_bare_file_is_named_after_the_folder_that_it_lies_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nq").mkdir()
    monkeypatch.chdir(tmp_path / "nq")
    assert unique_names([Path("p.st"), Path("../es/p.st"), Path("./q.st")]) == ["nq-p", "es-p", "q"]


@pytest.mark.parametrize("seed", range(20))
def test_no_two_policies_share_a_name(seed: int) -> None:
    """Each has a folder of that name; stems that look like names made of others are among them."""
    rng = np.random.default_rng(seed)
    folders, stems = ("x/es", "y/es", "y/nq"), ("p", "es-p", "es-p-1", "es-p-2", "p-1")
    every = [Path(folder) / f"{stem}.st" for folder in folders for stem in stems]
    paths = [every[int(place)] for place in rng.permutation(len(every))[: rng.integers(2, 15)]]
    names = unique_names(paths)
    assert len(set(names)) == len(paths)
    assert all(path.stem in name for path, name in zip(paths, names, strict=True))


def test_the_page(tmp_path: Path) -> None:
    policies = [policy(f"policy-{at}", NOISE + 300 * at) for at in range(8)]
    values = compare_policies(policies)
    write(tmp_path / "out", values, policies)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "comparison.html",
        "comparison.json",
    }
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert 'href="policy-7/report.html"' in page
    assert "policy-1 (dashed)" in page
    assert page == render(values, policies)
    if CHROMIUM is not None:
        assert layout_faults(page, tmp_path) == []


def test_an_evaluation_of_before_is_not_left_beside_it(tmp_path: Path) -> None:
    """Its page and tables would be of another evaluation; what others put there stays."""
    for name in (*FILES, *SECONDS_FILES, *ADVICE_FILES, "notes.txt"):
        (tmp_path / name).write_text("of before")
    policies = [policy("one", NOISE), policy("two", NOISE + 1)]
    write(tmp_path, compare_policies(policies), policies)
    names = {"comparison.html", "comparison.json", "notes.txt"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_a_policy_that_does_the_same_as_the_best_is_never_ahead_of_it() -> None:
    given = [policy("one", NOISE + 9000), policy("same", NOISE + 9000), policy("none", NOISE * 0)]
    found = compare_policies(given)
    rows = {row["name"]: row for row in found["policies"]}
    first, second = (row for name, row in rows.items() if name != "none")
    assert (second["behind"], second["behind_between"], second["better"]) == (0.0, [0.0, 0.0], 0.0)
    assert first["pnl"] == second["pnl"]


def test_what_a_comparison_is_of_is_said_beside_its_rows() -> None:
    policies = [policy("a", NOISE), policy("b", NOISE + 900)]
    policies[1].values["data"]["source"] = "another.csv"  # type: ignore[index]
    found = compare_policies(policies)
    assert set(found) == {"format", "units", "made", "data", "days", "first", "last", "policies"}
    assert (found["format"], found["units"]) == (1, "money in US dollars, days in New York")
    assert found["data"] == {"symbol": "ES", "source": "ES.csv"}
    assert {"when", "versions"} <= set(found["made"])
    # Of two none was chosen from many, and who made nothing has lost nothing.
    assert "chosen from" not in verdict(found).reason
    nothing = compare_policies([policy("a", NOISE * 0), policy("b", NOISE * 0 - 700)])
    assert verdict(nothing).headline == "a made the most: $0.00 in 40 days."
    assert [row["name"] for row in nothing["policies"]] == ["a", "b"]


def test_the_page_of_a_comparison_is_as_it_was_read(
    tmp_path: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three policies, of which one has a day more and one made nothing of its trades' money."""
    made_with = {"versions": {"python": "3.0", "jax": "0.1"}, "device": "a device"}
    monkeypatch.setattr(module, "made_with", lambda: made_with)
    days = [DAYS[:9], DAYS[:10], DAYS[:9]]
    pnl = [NOISE[:9] + 7_000, NOISE[5:15] - 2_000, NOISE[20:29]]
    policies = []
    for at, made in enumerate(map(others, (1, 3, 2))):
        sheet: Any = type("Sheet", (), {"pnl": pnl[at], "days": pd.DataFrame({"day": days[at]})})()
        policies.append(Compared(made.name, made.values, sheet))
    policies[2].values["performance"]["trades"] |= {"win_rate": None, "profit_factor": None}
    write(tmp_path / "out", compare_policies(policies), policies)
    snapshot("out", tmp_path / "out")
