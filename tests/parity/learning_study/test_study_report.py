"""The study's report from invented rows: every number of it by its formula, whatever made the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import trim_mean

from markets import EnvConfig
from parity.learning.statistics import bootstrap_iqm, bootstrap_iqm_difference, equivalence, power
from parity.learning_study.baseline_policies import measure_baselines
from parity.learning_study.design import ARMS, DESIGN
from parity.learning_study.page import because, tiles
from parity.learning_study.rows import Row, code_of
from parity.learning_study.study import describe_arm, judge

DESIGN_HERE = replace(
    DESIGN,
    days=60,
    config=EnvConfig.phase1(max_episode_bars=60, window_size=2),
    seeds=5,
    alpha=0.1,
    power=0.7,
    margin_share=0.25,
    pilot_sd=0.2,
    pilot_margin=0.3,
    baseline_envs=8,
    baseline_steps=100,
)


def rows_of(arm: str, count: int) -> list[Row]:
    rng = np.random.default_rng(ARMS.index(arm))
    return [
        {
            "arm": arm,
            "seed": 2 * seed,
            "curve": (seed + np.cumsum(rng.random(4))).tolist(),
            "code": code_of(arm) if seed % 2 else "older",
            "versions": {"python": f"3.{seed // 3}"},
            "seconds": 10.0 + seed,
            "cpu_seconds": 3.0 * seed,
            "machine": "two" if seed else "one",
        }
        for seed in range(count)
    ]


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    return {"sb3": rows_of("sb3", 5), "jax": rows_of("jax", 4)}


@pytest.mark.parametrize("arm", ARMS)
def test_an_arm_is_described_by_all_of_its_rows(rows: dict[str, list[Row]], arm: str) -> None:
    own = rows[arm]
    curves = np.array([row["curve"] for row in own])
    areas = curves.mean(axis=1)
    assert describe_arm(own, code_of(arm)) == {
        "seeds": len(own),
        "numbers": [2 * seed for seed in range(len(own))],
        "areas": pytest.approx(areas.tolist()),
        "seconds": [10.0 + seed for seed in range(len(own))],
        "cpu_seconds": [3.0 * seed for seed in range(len(own))],
        "stale": {"sb3": 3, "jax": 2}[arm],
        "code": sorted({"older", code_of(arm)}),
        "versions": [{"python": "3.0"}, {"python": "3.1"}],
        "machines": ["one", "two"],
        "mean": pytest.approx(areas.mean()),
        "sd": pytest.approx(areas.std(ddof=1)),
        "iqm": pytest.approx(trim_mean(areas, 0.25)),
        "iqm_interval": pytest.approx(bootstrap_iqm(areas, 0.95)),
        "cpu_median": {"sb3": 6.0, "jax": 4.5}[arm],
        "last": pytest.approx(curves[:, 3].mean()),
        "curve": pytest.approx(trim_mean(curves, 0.25, axis=0).tolist()),
        "band": [pytest.approx(one.tolist()) for one in bootstrap_iqm(curves, 0.95)],
        "curves": curves.tolist(),
    }
    alone = describe_arm(own[:1], "other")
    assert (alone["seeds"], alone["stale"], "mean" in alone) == (1, 1, False)
    assert describe_arm([], "other")["areas"] == []


def test_the_verdict_is_of_both_arms_areas_by_the_designs_numbers(rows: dict[str, list[Row]]) -> None:
    report = judge(DESIGN_HERE, rows)
    baselines = measure_baselines(DESIGN_HERE)
    assert report["baseline_policies"] == baselines
    assert baselines["margin"] == pytest.approx(0.25 * (baselines["good"] - baselines["random"]))
    first, second = ([float(np.mean(row["curve"])) for row in rows[arm]] for arm in ARMS)
    margin = baselines["margin"]
    test = equivalence(first, second, margin=margin, alpha=0.1, planned=5).to_dict()
    sd = max(np.std(x, ddof=1) for x in (first, second))
    assert report["test"] == {
        **test,
        "iqm_difference": pytest.approx(trim_mean(second, 0.25) - trim_mean(first, 0.25)),
        "iqm_interval": pytest.approx(list(bootstrap_iqm_difference(first, second, 0.95))),
        "sd_to_margin": pytest.approx(sd / margin),
    }
    assert report["verdict"] == test["verdict"] == "not enough seeds"
    planning = report["design"]["planning"]
    assert planning["power_if_none"] == power(5, 0.2, 0.3, 0.1)
    assert planning["power_if_half_margin"] == power(5, 0.2, 0.3, 0.1, 0.15)
    needed = planning["needed_if_none"]
    assert power(needed, 0.2, 0.3, 0.1) >= 0.7 > power(needed - 1, 0.2, 0.3, 0.1)
    assert (report["level"], report["design"]["digest"]) == (0.95, DESIGN_HERE.digest)
    said = because(report)
    assert "planned with 5 seeds of each side; so far it has 5 of MaskablePPO and 4 of the port" in said
    told: dict[str, Any] = {tile.label: (tile.value, tile.below) for tile in tiles(report)}
    assert told["Seeds"] == ("5 / 4", "trainings of each side; 5 planned")
    assert told["Difference of the mean areas"][1].endswith("the margin is ±25%")
    assert told["p of the two one-sided tests"][1] == "Welch's; equivalent if at most 0.1"
    alone = judge(DESIGN_HERE, {"sb3": rows["sb3"], "jax": rows["jax"][:1]})
    assert (alone["test"], alone["verdict"]) == (None, "not enough seeds")


def test_another_number_anywhere_in_a_design_is_another_design() -> None:
    values: dict[str, Any] = {
        "days": 61,
        "market_seed": 9,
        "strength": 1.5,
        "seeds": 6,
        "margin_share": 0.3,
        "alpha": 0.2,
        "power": 0.75,
        "pilot_sd": 0.25,
        "pilot_margin": 0.35,
        "baseline_envs": 9,
        "baseline_steps": 99,
        "baseline_seed": 5,
        "config": EnvConfig.phase1(max_episode_bars=61, window_size=2),
        "settings": replace(DESIGN_HERE.settings, gamma=0.9),
    }
    assert set(values) == set(type(DESIGN_HERE).__dataclass_fields__)
    others = {replace(DESIGN_HERE, **{name: value}).digest for name, value in values.items()}
    assert len({*others, DESIGN_HERE.digest}) == len(values) + 1
