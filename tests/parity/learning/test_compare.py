"""Two tables of results: equivalent, different, not enough seeds; the command; bad tables."""

from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy import stats
from scipy.stats import trim_mean

from parity.command.main import app
from parity.learning.compare import compare, margin_of
from parity.learning.figures import decimals
from parity.learning.page import MEANS, exact_percent, reason, render
from parity.learning.statistics import (
    DIFFERENT,
    EQUIVALENT,
    TOO_FEW,
    bootstrap_iqm,
    equivalence,
    power,
    seeds_needed,
)
from parity.learning.tables import Results, read_results
from tests.sentences import check_error, refuses
from tests.snapshots import Snapshot


def write(path: Path, values: np.ndarray, names: tuple[str, ...] = ("score",)) -> Path:
    rows = values.reshape(len(values), -1)
    lines = [",".join(("seed", *names))]
    lines += [f"{seed}," + ",".join(map(str, row)) for seed, row in enumerate(rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_share_is_said_with_all_of_its_digits_and_a_margin_with_three_figures() -> None:
    first, second = table("a", 10.0, 60), table("b", 10.0, 60, seed=1)
    report = compare(first, second, margin=1.0, alpha=0.0125, wanted_power=0.975)
    assert reason(report).startswith("The 97.5% interval of the difference, ")
    page = render(report)
    assert "as large as the margin or larger, numbers like these would come up in at most 1.25%" in page
    assert "the 97.5% interval of the difference lies within the margin" in page
    assert "its 95% interval" in page
    assert "For a chance of 97.5% it takes " in page
    assert "0.01%" in MEANS[EQUIVALENT].format(alpha=exact_percent(1e-4))
    assert exact_percent(1 - 2 * 0.0005) == "99.9%"
    small = Results("a", first.seeds, first.columns, first.values / 10_000)
    other = Results("b", first.seeds, first.columns, second.values / 10_000)
    less = compare(small, other, margin=0.0001)
    shown = re.findall(r"[+−]0\.\d+", reason(less).replace("−0.000000", "0.000000"))
    assert [len(one) for one in shown] == [9, 9]
    assert shown[0] != shown[1]
    assert "the margin of ±0.000100." in reason(less)
    middle = f"{less['test']['difference']:+.6f}".replace("-", "−")
    assert f"{middle}" in render(less)
    assert re.search(r"difference [+−]0\.\d{7}, interval .*, margin 0\.0001000", render(less))
    assert re.search(r"margin −0\.000100.*margin \+0\.000100", render(less), re.DOTALL)
    assert decimals(50_000.0) == decimals(0.155) == decimals(0.1) == 3
    assert (decimals(0.099), decimals(0.0021)) == (4, 5)


def test_a_number_of_seeds_up_to_a_hundred_thousand_is_told() -> None:
    def normal(wanted: float, sd: float) -> float:
        # Many seeds: t is normal, and the true difference none.
        z = stats.norm.ppf(0.95) + stats.norm.ppf((1 + wanted) / 2)
        return float(2 * (z * sd) ** 2)

    for sd in (61.8, 65.0, 70.0, 76.0):
        needed = seeds_needed(sd, 1.0, 0.05, 0.8)
        assert needed == pytest.approx(normal(0.8, sd), rel=1e-3)
        assert power(needed - 1, sd, 1.0, 0.05) < 0.8 <= power(needed, sd, 1.0, 0.05)
        assert 65_000 < needed < 100_000
    most = 76.0
    while power(100_000, most, 1.0, 0.05) >= 0.8:
        last, most = most, most + 1e-3
    assert seeds_needed(last, 1.0, 0.05, 0.8) in (99_998, 99_999, 100_000)
    with refuses(kind=ValueError):
        seeds_needed(most, 1.0, 0.05, 0.8)


def test_resamples_are_drawn_in_parts_and_are_the_same_as_at_once() -> None:
    sample = np.random.default_rng(0).standard_normal((40, 130))
    draws = np.random.default_rng(5).integers(40, size=(4_000, 40))
    for columns in (sample[:, 0], sample[:, :9]):
        expected = np.quantile(trim_mean(columns[draws], 0.25, axis=1), [0.1, 0.9], axis=0)
        np.testing.assert_allclose(bootstrap_iqm(columns, 0.8, seed=5), expected, rtol=1e-12)
    tracemalloc.start()
    try:
        bootstrap_iqm(sample)
        assert tracemalloc.get_traced_memory()[1] < 80e6  # all at once are 166 MB and more
    finally:
        tracemalloc.stop()


def table(name: str, mean: float, seeds: int, sd: float = 1.0, seed: int = 0) -> Results:
    scores = mean + sd * np.random.default_rng([seed, seeds]).standard_normal(seeds)
    return Results(name, tuple(map(str, range(seeds))), ("score",), scores[:, None])


@pytest.mark.parametrize(
    ("shift", "seeds", "planned", "verdict"),
    [
        (0.0, 60, 60, EQUIVALENT),
        (3.0, 60, 60, DIFFERENT),
        (0.0, 5, 2, TOO_FEW),
        (0.0, 60, 61, TOO_FEW),
    ],
)
def test_a_verdict_needs_seeds_and_a_margin(
    shift: float, seeds: int, planned: int, verdict: str
) -> None:
    first, second = table("a", 10.0, seeds), table("b", 10.0 + shift, seeds, seed=1)
    report = compare(first, second, margin=1.0, planned=planned)
    assert report["verdict"] == verdict
    page = render(report)
    assert reason(report) in page.replace("&#39;", "'")
    assert ("it takes" in reason(report)) == (verdict == TOO_FEW)


def test_what_is_no_number_shows_no_equivalence() -> None:
    found = equivalence([1.0, 2.0], [1.0, 2.0], margin=100.0, alpha=0.05)
    assert found.verdict == EQUIVALENT
    for name in ("p_below", "p_above"):
        assert replace(found, **{name: float("nan")}).verdict == TOO_FEW
    for margin in (float("inf"), float("nan"), 0.0):
        with refuses(kind=ValueError):
            equivalence([1.0, 2.0], [1.0, 2.0], margin=margin, alpha=0.05)


def test_seeds_needed_give_the_wanted_power() -> None:
    report = compare(table("a", 0.0, 20), table("b", 0.0, 20, seed=1), margin=0.5, wanted_power=0.9)
    planning = report["planning"]
    needed = planning["seeds_if_none"]
    assert (
        power(needed, planning["sd"], 0.5, 0.05) >= 0.9 > power(needed - 1, planning["sd"], 0.5, 0.05)
    )
    assert planning["seeds_if_half"] > needed
    hopeless = compare(table("a", 0.0, 3), table("b", 0.0, 3, seed=1), margin=1e-6)
    assert "no sensible number of seeds" in reason(hopeless)


def test_equal_trainers_are_rarely_called_different_and_unequal_ones_rarely_equal() -> None:
    rng = np.random.default_rng(0)
    verdicts = [
        equivalence(
            rng.normal(0.0, 1.0, 12), rng.normal(shift, 1.0, 12), margin=1.0, alpha=0.05
        ).verdict
        for shift in (0.0, 1.0)
        for _ in range(40)
    ]
    assert verdicts[:40].count(DIFFERENT) == 0
    assert verdicts[40:].count(EQUIVALENT) <= 8  # 2 are to be expected, more than 8 once in 5,000 times


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["learning", *map(str, words)])


def test_the_command_reads_curves_and_writes_a_page(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    curve = np.linspace(0.0, 10.0, 8)
    names = tuple(f"at {n}" for n in range(8))
    paths = [
        write(tmp_path / f"{name}.csv", curve + 0.3 * rng.standard_normal((20, 1)), names)
        for name in ("torch", "jax")
    ]
    result = run(*paths, "--margin", "10%", "--seeds", "20", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("torch and jax: equivalent\n")
    numbers = json.loads((tmp_path / "learning.json").read_text())
    assert numbers["test"]["margin"] == pytest.approx(0.5, rel=0.1)
    assert len(numbers["arms"][0]["curve"]) == 8
    assert "Learning curves" in (tmp_path / "learning.html").read_text()
    last = run(*paths, "--margin", "0.001", "--column", "at 7", "--out", tmp_path)
    assert last.exit_code == 1
    assert "not enough seeds" in last.output


def test_all_that_the_command_writes_is_the_tables(tmp_path: Path, snapshot: Snapshot) -> None:
    """Every number of the report that is not random by its formula, and all that is written."""
    rng = np.random.default_rng(4)
    names = ("early", "late")
    values = {"one": -9 - rng.random((8, 2)), "a trainer of a long name": -9 - rng.random((11, 2))}
    paths = [write(tmp_path / f"{name}.csv", scores, names) for name, scores in values.items()]
    flags = ("--margin", "3.5%", "--alpha", "0.025", "--seeds", "9", "--power", "0.9")
    out = tmp_path / "out"
    result = run(*paths, *flags, "--out", out)
    assert result.exit_code == 1
    report = json.loads((out / "learning.json").read_text())
    first, second = (scores.mean(axis=1) for scores in values.values())
    margin = 0.035 * -first.mean()
    sd = ((first.var(ddof=1) + second.var(ddof=1)) / 2) ** 0.5
    assert report["verdict"] == TOO_FEW
    assert report["test"]["margin"] == pytest.approx(margin)
    assert (report["test"]["alpha"], report["test"]["planned"]) == (0.025, 9)
    assert report["test"]["iqm_difference"] == pytest.approx(
        trim_mean(second, 0.25) - trim_mean(first, 0.25)
    )
    assert report["planning"] == {
        "sd": pytest.approx(sd),
        "wanted_power": 0.9,
        "seeds_if_none": seeds_needed(sd, margin, 0.025, 0.9),
        "seeds_if_half": seeds_needed(sd, margin, 0.025, 0.9, margin / 2),
        "power_if_none": pytest.approx(power(8, sd, margin, 0.025)),
    }
    for arm, (name, scores) in zip(report["arms"], values.items(), strict=True):
        assert (arm["name"], arm["seeds"]) == (name, len(scores))
        assert arm["scores"] == pytest.approx(scores.mean(axis=1).tolist())
        assert arm["mean"] == pytest.approx(scores.mean())
        assert arm["sd"] == pytest.approx(np.std(scores.mean(axis=1), ddof=1))
        assert arm["curve"] == pytest.approx(trim_mean(scores, 0.25, axis=0).tolist())
        low, high = np.array(arm["band"])
        assert (low < arm["curve"]).all()
        assert (high > arm["curve"]).all()
    snapshot("out", out)
    snapshot("said", result.output)


@pytest.mark.parametrize(
    "text",
    [
        "seed,score\n0,1\n1,fast\n",
        "seed,score\n0,1\n1,nan\n",
        "seed,score\n0,1\n0,2\n",
        "seed,score\n0,1\n",
        "1,2\n3,4\n5,6\n",
        "seed\n1\n2\n",
        "seed,score\n0,1\n1,2,3\n",
        "seed,score,score\n0,1,1\n1,2,2\n",
        "seed,score\n0,1\n1\n",
        "seed,score\n0,1\n1,-inf\n",
        "seed,4\n0,1\n0,2\n",
        "\n\nseed,score\n0,1\n\n,\n1,fast\n",
        'seed,score\n"0\n",1\n1\n',
        "seed,score\n" + "".join(f"{n % 70_000},1\n" for n in range(70_001)),
    ],
    ids=[
        *("a word", "no number", "a seed twice", "one seed", "no header", "no score", "three cells"),
        *("a name twice", "one cell", "not finite", "a number for a name"),
        *("empty lines", "a cell of two lines", "many rows"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with refuses():
        read_results(path)


@pytest.mark.parametrize("again", ["1.0", "01", " 1", "1e0"])
def test_a_seed_that_is_written_in_two_ways_comes_twice(tmp_path: Path, again: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"seed,score\n1,5\n2,6\n{again},7\n")
    with refuses():
        read_results(path)


@pytest.mark.parametrize("name", ["seed", "Seed"])
def test_the_seeds_are_no_score(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{name},score\n1,5\n2,6\n")
    with refuses():
        read_results(path, column=name)
    assert read_results(path, column="score").scores.tolist() == [5.0, 6.0]


def test_tables_that_are_called_alike_are_told_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    paths = [tmp_path / name for name in ("a/results.csv", "b/results.csv", "a/results.txt", "c.csv")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        write(path, rng.random(6))
    first, other, text, third = paths
    flags = ("--margin", "5", "--out", tmp_path)
    assert run(first, third, *flags).output.startswith("results and c: equivalent\n")
    said = run(first, other, *flags).output
    assert said.startswith(f"{tmp_path}/a/results and {tmp_path}/b/results: equivalent\n")
    assert run(first, text, *flags).output.startswith(f"{first} and {text}: equivalent\n")
    (tmp_path / "link.csv").symlink_to(first)
    for again in (first, tmp_path / "b" / ".." / "a" / "results.csv", tmp_path / "link.csv"):
        check_error(run(first, again, *flags).exception)


def test_other_bad_input_is_refused_too(tmp_path: Path) -> None:
    with refuses():
        read_results(tmp_path / "none.csv")
    one = table("a", 1.0, 3)
    for text in ("x", "-1", "0%", "nan"):
        with refuses():
            margin_of(text, one)
    with refuses():
        read_results(write(tmp_path / "a.csv", np.ones(3)), column="return")
    with refuses():
        compare(one, replace(one, columns=("return",)), margin=1.0)
    curve = Results("c", ("0", "1"), tuple("abcd"), np.arange(8.0).reshape(2, 4))
    with refuses():
        compare(curve, one, margin=1.0)
    other = Results("b", ("0", "1"), ("return",), np.ones((2, 1)))
    with refuses():
        compare(one, other, margin=1.0)
    with refuses():
        compare(other, other, margin=1.0)


@pytest.mark.parametrize("value", [0.1, 0.3, -7.7, 0.0, 1e9 + 0.1])
def test_scores_that_never_vary_are_refused_whatever_rounding_makes_of_their_spread(
    value: float,
) -> None:
    def still(name: str, other: float = 0.0) -> Results:
        scores = np.array([[value], [value], [value + other]])
        return Results(name, ("0", "1", "2"), ("score",), scores)

    with refuses():
        compare(still("a"), still("b"), margin=1.0)
    for first, second in ((0.5, 0.0), (0.0, 0.5)):
        assert compare(still("a", first), still("b", second), margin=1.0)["verdict"]


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("sizes", [(5, 5), (12, 4)])
def test_both_tests_reject_exactly_where_the_interval_lies_within_the_margin(
    sizes: tuple[int, int], alpha: float
) -> None:
    rng = np.random.default_rng(0)
    for shift in (-0.7, 0.0, 0.4):
        a, b = rng.normal(0, 1, sizes[0]), rng.normal(shift, 2, sizes[1])
        wide = equivalence(a, b, margin=1.0, alpha=alpha)
        reach = max(abs(wide.low), abs(wide.high))
        assert wide.low < wide.difference < wide.high
        assert wide.high - wide.difference == pytest.approx(wide.difference - wide.low)
        assert equivalence(a, b, margin=reach * 1.001, alpha=alpha).verdict == EQUIVALENT
        assert equivalence(a, b, margin=reach * 0.999, alpha=alpha).verdict == TOO_FEW


@pytest.mark.parametrize("seed", ["seed", "Seed", "SEED", " Seed "])
@pytest.mark.parametrize("first", [True, False])
def test_the_column_of_seeds_is_no_score_however_it_is_written(
    seed: str, first: bool, tmp_path: Path
) -> None:
    path = tmp_path / "results.csv"
    rows = [(seed, "at 1", "at 2"), ("17", "1", "2"), ("4", "3", "6")]
    path.write_text("".join(",".join(row if first else row[1:] + row[:1]) + "\n" for row in rows))
    results = read_results(path)
    assert results.columns == ("at 1", "at 2")
    assert results.seeds == ("17", "4")
    assert results.scores.tolist() == [1.5, 4.5]
    path.write_text("\ufeff" + path.read_text(), "utf-8")  # as spreadsheets write it
    assert read_results(path, "one").columns == ("at 1", "at 2")
    assert (read_results(path, "one").name, results.name) == ("one", "results")
