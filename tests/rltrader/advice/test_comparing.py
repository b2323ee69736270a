"""``rltrader evaluate --advice`` from a file of bars to its pages, and bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from foundation.report.parts import Verdict
from jax_port.data.data_loader import prepare
from jax_port.data.trained_contract import describe_contract
from jax_port.evaluation.advice_comparison.comparison import make_arms, make_own_arms
from jax_port.evaluation.advice_comparison.report import FILES
from jax_port.ppo.policy import load_policy, save_policy
from markets import EnvConfig, InputError
from markets.advice.by_bar import AdviceUse
from markets.advice.fusion import FusionSettings
from markets.advice.table import load_table, save_table
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from rltrader.advice.comparing import _same_network, compare, read_others
from tests.foundation.report.layout import CHROMIUM, layout_faults
from tests.jax_port.made_policy import make_policy
from tests.sentences import check_error
from tests.snapshots import Snapshot

CONFIG = EnvConfig.phase1(max_episode_bars=60)
BARS = synthetic_bars("ES", days=12, seed=5, start="2025-01-02")
OWN = AdviceUse("columns", FusionSettings(), "chat", "m", "1", "", "never")
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars, two policies, and a table of the rules."""
    place = tmp_path_factory.mktemp("advice")
    write_bars(BARS, place / "ES.csv")
    market = prepare(BARS, CONFIG)
    for seed in range(2):
        save_policy(place / f"policy-{seed}.safetensors", make_policy(market, CONFIG, seed=seed))
    save_policy(place / "other.safetensors", make_policy(market, EnvConfig.phase1()))
    made = CliRunner().invoke(app, ["advise", "run", *data(place), "--out", str(place / "rules")])
    assert made.exit_code == 0, made.output
    return place


def data(place: Path) -> list[str]:
    return ["--data", str(place / "ES.csv"), "--symbol", "ES"]


def evaluate(place: Path, table: Path, out: Path, *more: str) -> Result:
    policy = str(place / "policy-0.safetensors")
    return CliRunner().invoke(
        app, ["evaluate", policy, *data(place), "--advice", str(table), "--out", str(out), *more]
    )


@pytest.mark.slow
def test_the_fused_policy_and_the_comparison_are_written(folder: Path, tmp_path: Path) -> None:
    also = ("--also", str(folder / "policy-1.safetensors"), "--fusion-set", "weight=2")
    done = evaluate(folder, folder / "rules", tmp_path, *also)
    assert done.exit_code == 0, done.output
    assert {entry.name for entry in tmp_path.iterdir()} > set(FILES)
    values = json.loads((tmp_path / "advice.json").read_text())
    assert values["settings"]["weight"] == 2
    assert values["data"]["days"] == values["data"]["after_cutoff"] == 12
    days = pd.read_parquet(tmp_path / "advice_days.parquet")
    rows = {row["name"]: row for row in values["arms"]}
    assert rows["weighted"]["changed"] > 0
    for name in ("bare policy", "gated"):
        mean = days.loc[days["arm"] == name, "pnl"].mean()
        assert rows[name]["mean_day"] == pytest.approx(mean)
    evaluation = json.loads((tmp_path / "evaluation.json").read_text())
    assert evaluation["advice"]["fusion"]["rule"] == "gated"
    # The evaluation itself is the fused policy's: the comparison's own days.
    daily = pd.read_parquet(tmp_path / "episodes.parquet").query("daily")
    fused = days[(days["arm"] == "gated") & (days["policy"] == 0)]["pnl"].to_numpy()
    assert (daily["pnl"] + daily["open_pnl"]).to_numpy() == pytest.approx(fused)
    page = (tmp_path / "advice.html").read_text()
    assert "no look-ahead" in page
    assert "fewer than five policies" in page
    if CHROMIUM is not None:
        assert layout_faults(page, tmp_path) == []


@pytest.mark.costly
@pytest.mark.parametrize(
    ("cutoff", "before", "words"),
    [("", 12, "look-ahead"), ("2030-01-01", 12, "look-ahead"), ("2025-01-03", 2, "left out")],
)
def test_days_before_the_cutoff_are_marked_and_left_out_of_the_verdict(
    folder: Path, tmp_path: Path, cutoff: str, before: int, words: str, snapshot: Snapshot
) -> None:
    table = load_table(folder / "rules")
    table.about.cutoff = cutoff
    table.about.key = type(table.about.key)(table.about.key.data, "chat", "<b>tiny</b>", "1")
    table.frame["latency_ms"] = 1.0
    save_table(tmp_path / "other.parquet", table)
    done = evaluate(folder, tmp_path / "other.parquet", tmp_path / "out")
    assert done.exit_code == 0, done.output
    values = json.loads((tmp_path / "out" / "advice.json").read_text())
    assert values["data"]["after_cutoff"] == 12 - before
    page = (tmp_path / "out" / "advice.html").read_text()
    assert words in page
    assert "<b>tiny</b>" not in page  # what a model is called is shown escaped
    if CHROMIUM is not None and before == 2:  # with the table of the days that are left out
        assert layout_faults(page, tmp_path) == []
    if before == 2:
        days = pd.read_parquet(tmp_path / "out" / "advice_days.parquet")
        after = days[(days["arm"] == "bare policy") & (days["day"] > cutoff)]["pnl"].mean()
        assert values["arms"][0]["mean_day"] == pytest.approx(after)
        assert values["before"]
    else:
        assert "This says nothing" in done.output.replace("\n", " ")
    snapshot("out", tmp_path / "out")


def test_answers_of_a_batch_need_a_latency(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = load_table(folder / "rules")
    table.about.key = type(table.about.key)(table.about.key.data, "chat", "tiny", "1")
    save_table(tmp_path / "batch.parquet", table)
    done = evaluate(folder, tmp_path / "batch.parquet", tmp_path / "out")
    told = str(done.exception)
    assert told.startswith(f"{tmp_path / 'batch.parquet'}: 5,300 of 5,300 answers came in a batch")
    assert "give --latency" in told
    assert not (tmp_path / "out").exists()
    reached: list[float] = []

    def laid(table: object, timestamps: object, latency_ms: float) -> None:
        reached.append(latency_ms)
        raise KeyboardInterrupt

    monkeypatch.setattr("markets.advice.schedule.lay", laid)
    evaluate(folder, tmp_path / "batch.parquet", tmp_path / "out", "--latency", "2.5")
    assert reached == [2500.0]


@pytest.mark.costly(keep=4)
@pytest.mark.parametrize(
    "more",
    [
        ["--fusion-set", "weight=lots"],
        ["--fusion-set", "loudness=1"],
        ["--fusion-set", "weight=-1"],
        ["--fusion-set", "at_entries=maybe"],
        ["--also", "other.safetensors"],
        ["--also", "absent.safetensors"],
        ["--seconds", "ES.csv"],
    ],
)
def test_bad_input_ends_in_a_sentence(folder: Path, tmp_path: Path, more: list[str]) -> None:
    given = [str(folder / word) if word.endswith((".safetensors", ".csv")) else word for word in more]
    done = evaluate(folder, folder / "rules", tmp_path, *given)
    assert done.exit_code != 0
    check_error(done.exception)


@pytest.mark.parametrize("also", ["seen", "ticks", "again", "copied", "folder"])
def test_policies_of_other_seeds_are_held_to_what_the_first_is(
    folder: Path, tmp_path: Path, also: str
) -> None:
    """Trained on these dates or on other ticks, or the first one once more: each would count."""
    market, seen = prepare(BARS, CONFIG), {"symbol": "ES", "first": "2025-01-06", "last": "2025-01-08"}
    ticks = {"contract": {**describe_contract(BARS.contract), "tick_size": 0.5}}
    about = {"seen": seen, "ticks": {**seen, "first": "2020-01-06", "last": "2020-01-08", **ticks}}
    seed = 2 if also in about else 0
    made = make_policy(market, CONFIG, seed=seed, data=about.get(also), made="again")
    save_policy(tmp_path / "policy-0.safetensors", made)
    paths = {"again": folder / "policy-0.safetensors", "folder": tmp_path}
    path, out = paths.get(also, tmp_path / "policy-0.safetensors"), tmp_path / "out"
    check_error(evaluate(folder, folder / "rules", out, "--also", str(path)).exception)
    assert not out.exists()


@pytest.mark.parametrize(
    "more",
    [
        ["--fusion", "veto"],
        ["--fusion-set", "weight=1"],
        ["--latency", "0"],
        ["--also", "other.safetensors"],
        ["--tried", "3"],
    ],
)
def test_what_goes_with_advice_is_refused_without(
    folder: Path, tmp_path: Path, more: list[str]
) -> None:
    policy, out = str(folder / "policy-0.safetensors"), tmp_path / "out"
    done = CliRunner().invoke(app, ["evaluate", policy, *data(folder), "--out", str(out), *more])
    check_error(done.exception)
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "milliseconds"), [((), None), (("--latency", "0"), 0), (("--latency", "1.5"), 1500)]
)
def test_how_late_an_answer_comes_is_as_asked(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: tuple[str, ...],
    milliseconds: float | None,
) -> None:
    """Answers at once are a latency, too: what comes of the best case is asked for so."""
    seen: list[float | None] = []

    def lay(table: object, stamps: object, latency: float | None) -> None:
        seen.append(latency)
        raise InputError("enough was seen")

    monkeypatch.setattr("markets.advice.schedule.lay", lay)
    done = evaluate(folder, folder / "rules", tmp_path / "out", *given)
    assert "enough was seen" in str(done.exception)
    assert seen == [milliseconds]


@pytest.mark.parametrize("use", [None, OWN], ids=["fused", "trained with advice"])
def test_every_policy_is_played_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: AdviceUse | None
) -> None:
    """Three seeds on the same rows, with the advice as it was laid for all arms."""
    settings, seen = FusionSettings(weight=2.0), {}

    def tell(place: str, answer: Any) -> None:
        def called(*given: Any) -> Any:
            seen[place.rsplit(".", 1)[1]] = given
            return answer

        monkeypatch.setattr(place, called)

    comparison = "jax_port.evaluation.advice_comparison"
    tell(f"{comparison}.comparison.play_arms", ("made", "days"))
    tell(f"{comparison}.report.to_values", "values")
    tell(f"{comparison}.report.write", None)
    tell(f"{comparison}.report.verdict", Verdict("good", "a", "b"))
    tell("markets.advice.table.load_table", "table")
    policy = SimpleNamespace(advice=use)
    played: Any = SimpleNamespace(
        policy=policy, others=("second", "third"), laid="laid", market="bars", rows="rows",
        advised=None if use else SimpleNamespace(settings=settings), policy_path=Path("first.st"),
    )  # fmt: skip
    options = {"advice": tmp_path, "also": [Path("second.st"), Path("third.st")], "tried": 4}
    compare(played, options, tmp_path / "out")

    arms, policies, *more, _ = seen["play_arms"]
    assert arms == (make_own_arms(use) if use else make_arms(settings))
    assert policies == [policy, "second", "third"]
    assert more == ["bars", "laid", "rows"]
    paths = [Path("first.st"), Path("second.st"), Path("third.st")]
    table, judged = tmp_path / "advice.parquet", use or settings
    assert seen["to_values"] == (arms, "made", "days", "table", table, judged, paths, "bars", 4)
    assert seen["load_table"] == (tmp_path,)
    assert seen["write"] == (tmp_path / "out", "values", "made", "days")


def test_advice_on_other_bars_is_refused(folder: Path, tmp_path: Path) -> None:
    write_bars(synthetic_bars("ES", days=12, seed=6, start="2025-01-02"), tmp_path / "other.csv")
    policy = str(folder / "policy-0.safetensors")
    done = CliRunner().invoke(
        app,
        [
            *("evaluate", policy, "--data", str(tmp_path / "other.csv"), "--symbol", "ES"),
            *("--advice", str(folder / "rules"), "--out", str(tmp_path / "out")),
        ],
    )
    check_error(done.exception)


@pytest.mark.parametrize("damage", ["cut", "no header", "absent"])
def test_a_damaged_table_is_refused(folder: Path, tmp_path: Path, damage: str) -> None:
    whole = (folder / "rules" / "advice.parquet").read_bytes()
    path = tmp_path / "advice.parquet"
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "no header":
        pd.DataFrame({"row": [1]}).to_parquet(path)
    done = evaluate(folder, path, tmp_path / "out")
    check_error(done.exception, *([r"(?<=table of advice \().*(?=\);)"] if damage == "cut" else []))


def test_policies_of_other_seeds_are_all_taken_and_each_is_held_to_those_before_it(
    folder: Path, tmp_path: Path
) -> None:
    market = prepare(BARS, CONFIG)
    seen = {"symbol": "ES", "first": "2025-01-06", "last": "2025-01-08"}
    paths = [tmp_path / f"{number}.safetensors" for number in range(4)]
    for path, seed, data in zip(paths, (3, 4, 5, 4), (None, None, seen, None), strict=True):
        save_policy(path, make_policy(market, CONFIG, seed=seed, data=data))
    first, rows = load_policy(folder / "policy-0.safetensors"), np.arange(900, 1100)
    for allowed, given in ((False, paths[:2]), (True, paths[:3])):
        found = read_others(given, first, market, rows, allow_overlap=allowed)
        assert [one.about for one in found] == [load_policy(path).about for path in given]
        for one, path in zip(found, given, strict=True):
            leaves = jax.tree.leaves(one.params), jax.tree.leaves(load_policy(path).params)
            assert all(map(np.array_equal, *leaves))
    for allowed, given in ((False, paths[1:3]), (True, [paths[1], paths[0], paths[3]])):
        with pytest.raises(InputError) as refused:
            read_others(given, first, market, rows, allow_overlap=allowed)
        assert str(refused.value).startswith(f"{given[-1]}: ")


@pytest.mark.parametrize("differs", ["weights", "statistics", "nothing"])
def test_networks_are_the_same_by_all_their_weights_and_statistics(differs: str) -> None:
    def policy(*numbers: float) -> Any:
        one, other, statistics = numbers
        weights = {"a": np.zeros(3), "b": np.array([1.0, one]), "c": np.array([other])}
        return SimpleNamespace(params=weights, statistics={"mean": np.array([2.0, statistics])})

    numbers = {"weights": (1.0, 2.5, 3.0), "statistics": (1.0, 2.0, 3.5), "nothing": (1.0, 2.0, 3.0)}
    assert _same_network(policy(1.0, 2.0, 3.0), policy(*numbers[differs])) == (differs == "nothing")
