"""Learning parity: the statistics by hand, rows that outlive a run, and both arms in small."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from click.testing import CliRunner

from jax_port.ppo.settings import NetworkSpec, TrainSettings
from markets import EnvConfig
from parity.learning.statistics import (
    DIFFERENT,
    EQUIVALENT,
    TOO_FEW,
    bootstrap_iqm,
    bootstrap_iqm_difference,
    equivalence,
    iqm,
    power,
    seeds_needed,
)
from parity.learning_study import baseline_policies, jax_arm, run, sb3_arm
from parity.learning_study.design import DESIGN, Design
from parity.learning_study.page import render
from parity.learning_study.rows import (
    Row,
    _meaning,
    code_of,
    missing,
    path_of,
    read_rows,
    write_row,
)
from parity.learning_study.study import judge
from tests.sentences import refuses

SMALL = Design(
    days=60,
    config=EnvConfig.phase1(max_episode_bars=120, window_size=3),
    settings=TrainSettings(
        n_envs=16,
        n_steps=64,
        batch_size=300,
        n_epochs=6,
        total_timesteps=10_240,
        learning_rate=2e-3,
        network=NetworkSpec((16,), (16,)),
    ),
    seeds=5,
    baseline_envs=64,
    baseline_steps=500,
)
"""Large enough to learn: ten rollouts of 1,024 steps in batches of 300, 300, 300 and 124."""

TINY = replace(SMALL, settings=replace(SMALL.settings, total_timesteps=3_072), seeds=2)
"""Three of them: the same programs, so nothing is compiled twice."""


# Statistics


def test_iqm_is_the_mean_of_the_middle_half() -> None:
    assert iqm([100.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, -50.0]) == pytest.approx(3.5)  # 2, 3, 4, 5
    assert iqm([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [90.0, 0.0]]).tolist() == [2.5, 15.0]


def test_two_one_sided_tests_by_hand() -> None:
    # Means 3 and 3.5, variances 2.5 and 0.625: standard error sqrt(0.5 + 0.125), Welch's freedom
    # 0.625^2 / (0.5^2 / 4 + 0.125^2 / 4) = 5.8824, whose t at 0.95 is 1.950163.
    found = equivalence([1, 2, 3, 4, 5], [2.5, 3, 3.5, 4, 4.5], margin=2.0, alpha=0.05)
    error = 0.625**0.5
    assert found.difference == pytest.approx(0.5)
    assert found.low == pytest.approx(0.5 - 1.950163 * error, abs=1e-5)
    assert found.high == pytest.approx(0.5 + 1.950163 * error, abs=1e-5)
    # t = -1.5 / 0.790569 = -1.897367 and 2.5 / 0.790569 = 3.162278 at 5.8824 degrees of freedom.
    assert found.p_above == pytest.approx(0.0537656, abs=1e-6)
    assert found.p_below == pytest.approx(0.0100194, abs=1e-6)
    assert found.p == found.p_above
    assert found.verdict == TOO_FEW  # 2.04 lies beyond 2


def test_the_sign_is_second_minus_first() -> None:
    found = equivalence([0.0, 1.0, 2.0], [10.0, 11.0, 12.0], margin=1.0, alpha=0.05)
    assert found.difference == 10.0
    assert found.verdict == DIFFERENT
    assert equivalence([10.0, 11.0, 12.0], [0.0, 1.0, 2.0], margin=1.0, alpha=0.05).verdict == DIFFERENT


def test_verdicts() -> None:
    steady = np.linspace(-0.1, 0.1, 30)
    noisy = np.linspace(-3.0, 3.0, 30)
    said: dict[str, str] = {
        "same, steady": equivalence(steady, steady, margin=0.2, alpha=0.05).verdict,
        "a little off": equivalence(steady, steady + 0.1, margin=0.2, alpha=0.05).verdict,
        "shifted": equivalence(steady, steady - 0.4, margin=0.2, alpha=0.05).verdict,
        "same, noisy": equivalence(noisy, noisy, margin=0.2, alpha=0.05).verdict,
        "shifted by the margin": equivalence(steady, steady + 0.2, margin=0.2, alpha=0.05).verdict,
        "some missing": equivalence(steady, steady, margin=0.2, alpha=0.05, planned=31).verdict,
        "shifted, missing": equivalence(steady, steady + 9, margin=0.2, alpha=0.05, planned=31).verdict,
    }
    assert said == {
        "same, steady": EQUIVALENT,
        "a little off": EQUIVALENT,
        "shifted": DIFFERENT,
        "same, noisy": TOO_FEW,
        "shifted by the margin": TOO_FEW,
        "some missing": TOO_FEW,
        "shifted, missing": TOO_FEW,
    }


def test_both_tests_reject_exactly_if_the_interval_lies_within_the_margin() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(60):
        a, b = rng.normal(0, 1, 12), rng.normal(0.3, 2, 9)
        found = equivalence(a, b, margin=1.5, alpha=0.05)
        inside = found.low > -1.5 and found.high < 1.5
        assert (found.p < 0.05) == inside
        seen.add(inside)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("first", "second", "margin"),
    [([1.0], [1.0, 2.0], 1.0), ([1.0, np.nan], [1.0, 2.0], 1.0), ([1.0, 2.0], [1.0, 2.0], 0.0)],
    ids=["one number", "no number", "no margin"],
)
def test_samples_that_cannot_be_tested_are_refused(
    first: list[float], second: list[float], margin: float
) -> None:
    with refuses(kind=ValueError):
        equivalence(first, second, margin=margin, alpha=0.05)


def test_seeds_needed_at_five_percent() -> None:
    # Coefficients of variation 0.05, 0.10 and 0.20 with a margin of 5%.
    assert [seeds_needed(sd, 0.05, 0.05, 0.8) for sd in (0.05, 0.1, 0.2)] == [18, 70, 275]
    assert power(17, 0.05, 0.05, 0.05) < 0.8 <= power(18, 0.05, 0.05, 0.05)
    assert power(3, 1.0, 0.05, 0.05) == 0.0
    with refuses(kind=ValueError):
        seeds_needed(0.1, 0.05, 0.05, 0.8, true_difference=0.05)


@pytest.mark.costly
def test_power_is_what_simulated_studies_show() -> None:
    rng = np.random.default_rng(1)
    for shift in (0.0, 0.5):
        found = [
            equivalence(rng.normal(0, 1, 20), rng.normal(shift, 1, 20), margin=1, alpha=0.05).verdict
            for _ in range(300)
        ]
        assert found.count(EQUIVALENT) / 300 == pytest.approx(power(20, 1, 1, 0.05, shift), abs=0.08)


def test_the_designs_seeds_are_those_that_its_pilot_asks_for() -> None:
    sd, margin = DESIGN.pilot_sd, DESIGN.pilot_margin
    assert DESIGN.seeds == seeds_needed(sd, margin, DESIGN.alpha, DESIGN.power, margin / 2)


def test_bootstrap_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    held = differed = 0
    for number in range(40):
        a, b = rng.normal(0, 1, (25, 2)), rng.normal(1, 1, 25)
        low, high = bootstrap_iqm(a, seed=number)
        assert low.shape == (2,)
        held += int(np.sum((low < 0) & (high > 0)))
        left, right = bootstrap_iqm_difference(a[:, 0], b, seed=number)
        differed += left < 1 < right
    assert 0.85 <= held / 80 <= 1.0
    assert 0.85 <= differed / 40 <= 1.0


# The arms


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """Return a folder with both arms' rows of the tiny study, and the rows as they came."""
    folder = tmp_path_factory.mktemp("learning")
    told: list[Row] = []
    run.train(TINY, folder, ("sb3", "jax"), 2, 0, told.append)
    return folder, told


@pytest.mark.slow
@pytest.mark.costly
def test_a_run_writes_a_row_a_seed_and_arm(trained: tuple[Path, list[Row]]) -> None:
    folder, told = trained
    assert [(row["seed"], row["arm"]) for row in told] == [
        (0, "jax"),
        (0, "sb3"),
        (1, "jax"),
        (1, "sb3"),
    ]
    for row in told:
        assert json.loads(path_of(folder, row["arm"], row["seed"]).read_text()) == row
        assert row["design"] == TINY.digest
        assert len(row["curve"]) == 3
        assert row["steps"] == 3_072
        assert "python" in row["versions"]
    assert len({tuple(row["curve"]) for row in told}) == 4


@pytest.mark.slow
@pytest.mark.costly
def test_a_seed_gives_the_same_curve_again(trained: tuple[Path, list[Row]]) -> None:
    for row in trained[1]:
        if row["arm"] == "jax":
            assert jax_arm.learning_curve(TINY, row["seed"]).tolist() == row["curve"]


@pytest.mark.slow
@pytest.mark.costly
def test_the_reference_leaves_nothing_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the library's logger, that is; torch keeps a folder of compiled kernels there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    short = replace(TINY.settings, total_timesteps=1_024, n_epochs=1)
    assert sb3_arm.learning_curve(replace(TINY, settings=short), 0).size == 1
    assert not list(tmp_path.glob("SB3-*"))


@pytest.mark.slow
@pytest.mark.costly
def test_resuming_trains_only_what_is_missing_and_the_same_in_another_process(
    trained: tuple[Path, list[Row]],
) -> None:
    folder, _ = trained
    path = path_of(folder, "sb3", 1)
    before, kept = path_of(folder, "sb3", 0).stat().st_mtime_ns, path.read_text()
    path.unlink()
    told: list[Row] = []
    run.train(TINY, folder, ("sb3", "jax"), 2, 1, told.append)
    assert [(row["arm"], row["seed"]) for row in told] == [("sb3", 1)]
    assert path_of(folder, "sb3", 0).stat().st_mtime_ns == before
    assert told[0]["curve"] == json.loads(kept)["curve"]
    run.train(TINY, folder, ("sb3", "jax"), 2, 1, told.append)
    assert len(told) == 1


@pytest.mark.costly
def test_rows_of_another_design_are_refused(trained: tuple[Path, list[Row]]) -> None:
    folder, _ = trained
    other = replace(TINY, settings=replace(TINY.settings, gamma=0.9))
    assert other.digest != TINY.digest
    for use in (lambda: read_rows(folder, other), lambda: run.train(other, folder, ("jax",), 2, 1)):
        with refuses():
            use()


@pytest.mark.costly
def test_rows_of_other_code_are_trained_anew(tmp_path: Path, trained: tuple[Path, list[Row]]) -> None:
    for row in trained[1]:
        write_row(tmp_path, row | ({"code": "other"} if row["arm"] == "jax" else {}))
    assert missing(tmp_path, TINY, "jax", 2) == [0, 1]
    assert missing(tmp_path, TINY, "sb3", 2) == []
    report = judge(TINY, read_rows(tmp_path, TINY))
    assert [report["arms"][arm]["stale"] for arm in ("sb3", "jax")] == [0, 2]
    assert "2 of 2 seeds of the port were trained by code that has changed since" in render(report)


def test_code_is_what_it_does_not_how_it_is_laid_out() -> None:
    a = 'def f(x):\n    """Say."""\n    return x + 1\n'
    b = "def f( x ):  # why\n    return (x + 1)\n"
    c = "def f(x):\n    return x + 2\n"
    assert _meaning(a) == _meaning(b) != _meaning(c)
    assert code_of("sb3") != code_of("jax")


@pytest.mark.parametrize("damage", ["{", "[]", '{"arm": "sb3"}', "null"])
def test_a_damaged_row_is_refused(tmp_path: Path, damage: str) -> None:
    path = path_of(tmp_path, "sb3", 0)
    path.parent.mkdir()
    path.write_text(damage)
    with refuses():
        read_rows(tmp_path, TINY)


def test_designs_that_the_arms_would_read_differently_are_refused() -> None:
    for change in ({"anneal": True}, {"precision": "bf16"}):
        with refuses():
            replace(TINY, settings=replace(TINY.settings, **change))
    with refuses():
        replace(TINY, seeds=1)


@pytest.mark.costly
def test_the_curve_counts_every_raw_reward_once() -> None:
    # With stops out of reach and no end of the day no trade closes, so each bar brings 0.5, flat or
    # not; episodes of 120 bars end within rollouts of 64 and across them.
    config = TINY.config.override(
        sl_atr_mult=500, flat_by_minute=1440, patience_reward=0.5, hold_penalty=0.5
    )
    design = replace(TINY, config=config)
    for arm in (sb3_arm, jax_arm):
        assert arm.learning_curve(design, 0).tolist() == [50.0, 50.0, 50.0]


def test_the_baselines_lie_between_nothing_and_the_market() -> None:
    with jax.debug_key_reuse(True):  # what is chosen depends on no restart
        found = baseline_policies.measure_baselines(TINY)
    assert found["good"] > 1.0 > found["random"]
    assert found["spread"] == found["good"] - found["random"]
    assert found["margin"] == pytest.approx(0.05 * found["spread"])


# Report and page


def study_of(first: list[float], second: list[float], design: Design) -> dict[str, Any]:
    """Return the report of invented areas."""

    def row(arm: str, seed: int, area: float) -> Row:
        return {
            "arm": arm,
            "seed": seed,
            "curve": [area - 0.1, area, area + 0.1],
            "code": code_of(arm),
            "versions": {"python": "3"},
            "seconds": 1.0,
            "cpu_seconds": 1.0,
            "machine": "one",
        }

    samples = {"sb3": first, "jax": second}
    return judge(design, {a: [row(a, i, x) for i, x in enumerate(s)] for a, s in samples.items()})


@pytest.mark.parametrize(
    ("shift", "count", "verdict", "headline"),
    [
        (0.001, 4, EQUIVALENT, "Both learn the same."),
        (2.0, 4, DIFFERENT, "They do not learn the same."),
        (0.0, 3, TOO_FEW, "Not enough seeds to tell."),
        (0.0, 1, TOO_FEW, "Not enough seeds to tell."),
        (0.0, 0, TOO_FEW, "Not enough seeds to tell."),
    ],
)
def test_the_page_says_the_verdict(shift: float, count: int, verdict: str, headline: str) -> None:
    areas = [1.00, 1.01, 0.99, 1.0]
    report = study_of(areas, [x + shift for x in areas[:count]], replace(TINY, seeds=4))
    assert report["verdict"] == verdict
    page = render(json.loads(json.dumps(report, allow_nan=False)))
    assert headline in page
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "")


@pytest.mark.costly
def test_the_command_reports_what_is_there(
    tmp_path: Path, trained: tuple[Path, list[Row]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "DESIGN", TINY)
    for row in trained[1]:
        write_row(tmp_path, row)
    result = CliRunner().invoke(run.command, ["--seeds", "0", "--out", str(tmp_path)])
    report = json.loads((tmp_path / "learning.json").read_text())
    assert result.exit_code == (0 if report["verdict"] == EQUIVALENT else 1), result.output
    assert report["verdict"] in result.output
    assert report["arms"]["sb3"]["seeds"] == 2
    assert (tmp_path / "learning.html").read_text().startswith("<!DOCTYPE html>")


# A planted fault


@pytest.mark.slow
def test_a_wrong_learner_is_found_different() -> None:
    """Five seeds show a learner that forgets the future; finer faults take the full study."""

    def areas(first: int, **fault: float) -> list[float]:
        wrong = replace(SMALL, settings=replace(SMALL.settings, **fault))
        seeds = range(first, first + SMALL.seeds)
        return [float(jax_arm.learning_curve(wrong, seed).mean()) for seed in seeds]

    sound, margin = areas(0), baseline_policies.measure_baselines(SMALL)["margin"]

    def verdict(other: list[float]) -> str:
        return equivalence(sound, other, margin=margin, alpha=SMALL.alpha, planned=SMALL.seeds).verdict

    assert verdict(areas(100)) == TOO_FEW  # so small a study can't show that they are equivalent
    assert verdict(areas(100, gamma=0.0)) == DIFFERENT
    assert verdict(areas(100, learning_rate=2e-4)) == DIFFERENT
