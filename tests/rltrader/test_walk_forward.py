"""A walk-forward trains, judges, joins, goes on where it was cut off, and refuses other settings."""

from __future__ import annotations

import json
import shutil
import tomllib
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from foundation.files import write_json
from foundation.report.parts import Verdict
from jax_port.evaluation.walk_forward import joined
from jax_port.evaluation.walk_forward.tried import Tried
from jax_port.evaluation.walk_forward.windows import Window
from jax_port.ppo.train_ppo_jax import make_train
from jax_port.runs import runner
from jax_port.runs.plan import Plan
from jax_port.runs.policies import FINISHED
from jax_port.runs.run_file import RUN
from markets.synthetic.pattern import pattern_bars
from markets.writers import write_bars
from rltrader.walk_forward import _judged, _require_same_bars, walk_forward
from tests.foundation.report.layout import layout_faults, needs_browser
from tests.rltrader.options.plans import assert_made_again
from tests.sentences import check_error, refuses
from tests.snapshots import Snapshot

SMALL = (
    *("--envs", "8", "--n-steps", "32", "--batch-size", "64", "--epochs", "1", "--steps", "256"),
    *("--pi", "8", "--vf", "8", "--ungated"),
)
WINDOWS = ("--train", "3d", "--test", "2d", "--step", "2")


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(
        pattern_bars("ES", days=8, seed=1), tmp_path_factory.mktemp("bars") / "ES.parquet"
    )


def run(bars: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(
        walk_forward,
        ["--data", str(bars), "--symbol", "ES", *WINDOWS, *SMALL, *more, "--out", str(out)],
    )


@pytest.fixture(scope="module")
def made(bars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, compiled = tmp_path_factory.mktemp("walk") / "out", []

    def counted(*arguments: Any) -> Any:
        compiled.append(arguments)
        return make_train(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "make_train", counted)
        result = run(bars, out)
    assert result.exit_code == 0, (result.output, result.exception)
    assert len(compiled) == 1  # for both windows
    return out


@pytest.mark.costly
def test_the_windows_are_joined(made: Path, snapshot: Snapshot) -> None:
    values = json.loads((made / "walk_forward.json").read_text())
    assert [row["test_first"] for row in values["windows"]] == ["2025-01-10", "2025-01-14"]
    assert [row["train_last"] for row in values["windows"]] == ["2025-01-08", "2025-01-10"]
    total = sum(row["performance"]["pnl"] for row in values["windows"])
    assert values["performance"]["account"]["pnl"] == pytest.approx(total)
    assert values["performance"]["account"]["days"] == 4
    episodes = pd.read_parquet(made / "episodes.parquet")
    assert (np.diff(episodes["episode"]) == 1).all()
    assert episodes["start_time"].is_monotonic_increasing
    page = (made / "walk_forward.html").read_text()
    for row in values["windows"]:
        assert (made / row["report"]).is_file()
        assert row["report"] in page
        assert_made_again((made / row["report"]).parents[1] / "run")
    for name in ("walk_forward.json", "walk_forward.html", "episodes.parquet", "window-2/run"):
        snapshot(name, made / name, within=1e-3)


@pytest.mark.costly
def test_what_is_there_is_not_trained_again_and_other_settings_are_refused(
    made: Path, bars: Path
) -> None:
    policies = sorted(made.glob("window-*/run/policy-0.safetensors"))
    before = [path.stat().st_mtime_ns for path in policies]
    (made / "walk_forward.json").unlink()
    assert run(bars, made).exit_code == 0
    assert (made / "walk_forward.json").is_file()
    assert [path.stat().st_mtime_ns for path in policies] == before
    other = run(bars, made, "--learning-rate", "0.5")
    check_error(other.exception)


@pytest.fixture
def begun(bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[bool]]:
    """Return a walk that was stopped in its first window, and whether each training was a new one."""
    begins: list[bool] = []

    def stopped_at_once(plan: Plan, folder: Path, *_: Any, begin: bool, **more: Any) -> bool:
        begins.append(begin)
        write_json(folder / RUN, {"plan": plan.to_dict()})
        return False

    monkeypatch.setattr("jax_port.runs.run.run", stopped_at_once)
    assert isinstance(run(bars, tmp_path / "out").exception, SystemExit)
    assert begins == [True]
    return tmp_path / "out", begins


OTHERWISE: dict[str, tuple[str, ...]] = {
    "a longer training": ("--train", "4d"),
    "a shorter training": ("--train", "2"),
    "another phase": ("--phase", "2"),
    "another rule": ("--set", "max_episode_bars=60"),
    "another reader": ("--tz", "UTC"),
    "another setting": ("--steps", "512"),
    "another network": ("--pi", "16"),
}


@pytest.mark.parametrize("finished", [False, True], ids=["half trained", "trained"])
def test_windows_of_other_bars_dates_or_rules_are_not_taken_for_this_walks(
    begun: tuple[Path, list[bool]], bars: Path, tmp_path: Path, finished: bool
) -> None:
    out, begins = begun
    if finished:
        write_json(out / "window-1" / "run" / FINISHED, {"updates": 1, "policies": 1})
    other = write_bars(pattern_bars("ES", days=8, seed=2), tmp_path / "other.parquet")
    for name, words in {**OTHERWISE, "another file": ()}.items():
        refused = run(other if name == "another file" else bars, out, *words)
        check_error(refused.exception)
    assert begins == [True]
    assert not (out / "walk_forward.json").exists()


@pytest.mark.parametrize("words", [(), ("--test", "1"), ("--step", "4"), ("--trials", "9")], ids=str)
def test_a_walk_of_the_same_training_goes_on(
    begun: tuple[Path, list[bool]], bars: Path, words: tuple[str, ...]
) -> None:
    """How many days are judged, and how far windows lie apart, changes no training of the first."""
    out, begins = begun
    assert isinstance(run(bars, out, *words).exception, SystemExit)
    assert begins == [True, False]


@pytest.mark.costly
def test_a_file_that_holds_other_bars_by_now_is_refused(made: Path, bars: Path, tmp_path: Path) -> None:
    """The same path, the same command: its windows were trained on what is no longer there."""
    out = tmp_path / "out"
    shutil.copytree(made, out)
    before = bars.read_bytes()
    try:
        write_bars(pattern_bars("ES", days=8, seed=2), bars)
        check_error(run(bars, out).exception)
    finally:
        bars.write_bytes(before)
    assert (out / "walk_forward.json").read_bytes() == (made / "walk_forward.json").read_bytes()


@pytest.mark.parametrize(
    ("about", "fits"),
    [
        ({"data": {"sha256": "1" * 64}}, True),
        ({"data": {"sha256": "2" * 64}}, False),
        ({"data": {"sha256": None}}, False),
        ({"data": {"source": "ES.csv"}}, False),
        ({"data": "1" * 64}, False),
        ({"data": None}, False),
        ({}, False),
    ],
    ids=["its own", "others", "none", "left out", "text", "nothing", "not there"],
)
def test_a_trained_window_must_say_that_it_is_of_the_bars_that_are_there(
    about: dict[str, Any], fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []

    def load(path: Path, *, advised: bool) -> SimpleNamespace:
        loaded.append((path, advised))
        return SimpleNamespace(about=about)

    monkeypatch.setattr("jax_port.ppo.policy.load_policy", load)
    facts = [{"sha256": "1" * 64, "source": "ES.csv"}]
    data = SimpleNamespace(prepared=lambda config: ((), facts) if config == "rules" else None)
    plan: Any = SimpleNamespace(data=data, config="rules")
    if fits:
        _require_same_bars(Path("policy"), plan, tmp_path)
    else:
        with refuses():
            _require_same_bars(Path("policy"), plan, tmp_path)
    assert loaded == [(Path("policy"), True)]


@pytest.mark.costly
@needs_browser
def test_its_page_fits_a_screen_and_a_phone(made: Path, tmp_path: Path) -> None:
    page = (made / "walk_forward.html").read_text()
    assert layout_faults(page, tmp_path) == []
    wide = page.replace('<section id="luck">', '<section id="luck"><p>' + "9" * 200 + "</p>", 1)
    assert any(fault.startswith("400: ") for fault in layout_faults(wide, tmp_path))


@pytest.mark.costly
def test_its_own_file_asks_for_the_same_again(made: Path) -> None:
    before = json.loads((made / "walk_forward.json").read_text())
    words = ["--config", str(made / "walk_forward.toml"), "--ungated", "--out", str(made)]
    result = CliRunner().invoke(walk_forward, words)
    assert result.exit_code == 0, result.exception
    assert json.loads((made / "walk_forward.json").read_text())["windows"] == before["windows"]


@pytest.mark.slow
@pytest.mark.costly
def test_settings_that_were_tried_count(made: Path, bars: Path, tmp_path: Path) -> None:
    def luck(*words: str) -> dict[str, Any]:
        assert run(bars, made, *words).exit_code == 0
        values: dict[str, Any] = json.loads((made / "walk_forward.json").read_text())
        return {**values["tear_sheet"]["luck"], "source": values["tried"]["source"]}

    alone, many = luck(), luck("--trials", "1000")
    assert alone["trials"] == 1
    assert alone["deflated_sharpe"] == alone["probabilistic_sharpe"]
    assert many["trials"] == 1000
    assert many["deflated_sharpe"] < 0.9 * alone["deflated_sharpe"]
    assert "the best of 1,000 settings tried" in (made / "walk_forward.html").read_text()
    report = (made / "window-1" / "evaluation" / "report.html").read_text()
    assert '<td class="num">1,000</td>' in report
    (tmp_path / "best").mkdir()
    shutil.copy(made / "window-1" / "run" / "run.toml", tmp_path / "best")
    rows = [{"sharpe_day": ratio} for ratio in (0.1, 0.3, -0.2)]
    (tmp_path / "sweep.json").write_text(json.dumps({"trials": rows}))
    swept = luck("--config", str(tmp_path / "best" / "run.toml"))
    assert (swept["trials"], swept["trials_known"]) == (3, True)
    assert swept["source"] == str(tmp_path / "sweep.json")


def test_its_own_file_names_the_sweep_that_its_settings_are_from(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what goes on by it would count one trial, and write a Sharpe ratio that nothing deflates."""
    told: list[Tried] = []

    def judged(*given: Any) -> None:
        told.append(given[-1])
        raise KeyboardInterrupt

    monkeypatch.setattr("rltrader.walk_forward._trained", lambda *given: tmp_path)
    monkeypatch.setattr("rltrader.walk_forward._judged", judged)
    (tmp_path / "es" / "best").mkdir(parents=True)
    config, out = tmp_path / "es" / "best" / "run.toml", tmp_path / "out"
    config.write_text("gamma = 0.95\n")
    rows = [{"sharpe_day": ratio} for ratio in (0.1, 0.3, -0.2)]
    (tmp_path / "es" / "sweep.json").write_text(json.dumps({"trials": rows}))
    run(bars, out, "--config", str(config))
    words = ["--config", str(out / "walk_forward.toml"), "--ungated", "--out", str(out)]
    CliRunner().invoke(walk_forward, words)
    assert told == [Tried(3, (0.1, 0.3, -0.2), str(tmp_path / "es" / "sweep.json"))] * 2


def test_its_own_file_says_what_its_numbers_were_asked_with(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk that is gone on with for other days and trials; what is refused or cut off leaves it."""
    told: list[Any] = []
    monkeypatch.setattr("rltrader.walk_forward._trained", lambda *given: tmp_path)
    monkeypatch.setattr("rltrader.walk_forward._judged", lambda *given: given[1])
    monkeypatch.setattr(joined, "judge", lambda *given: (told.append(given), given)[1][:2])
    monkeypatch.setattr(joined, "to_values", lambda *_: {})
    monkeypatch.setattr(joined, "write", lambda *_: None)
    monkeypatch.setattr(joined, "verdict", lambda _: Verdict("good", "a", "b"))
    out = tmp_path / "out"
    again = ["--config", str(out / "walk_forward.toml"), "--ungated", "--out", str(out)]
    for words in ((), ("--test", "1", "--step", "3", "--trials", "9"), ("--gap", "2")):
        assert run(bars, out, *words).exit_code == 0
        text = tomllib.loads((out / "walk_forward.toml").read_text())
        assert CliRunner().invoke(walk_forward, again).exit_code == 0
        asked, by_file = told[-2:]
        assert asked[0] == by_file[0]  # the windows
        assert asked[2] == by_file[2]  # the trials
        assert tomllib.loads((out / "walk_forward.toml").read_text()) == text
    monkeypatch.setattr(joined, "to_values", lambda *_: 1 / 0)
    run(bars, out, "--trials", "77")
    assert tomllib.loads((out / "walk_forward.toml").read_text()) == text


def test_windows_of_an_earlier_walk_of_more_are_kept_and_said_to_be_none_of_this_one(
    bars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rltrader.walk_forward._trained", lambda *given: tmp_path)
    monkeypatch.setattr("rltrader.walk_forward._judged", lambda *given: given[1])
    monkeypatch.setattr(joined, "judge", lambda *given: given[:2])
    monkeypatch.setattr(joined, "to_values", lambda *_: {})
    monkeypatch.setattr(joined, "write", lambda *_: None)
    monkeypatch.setattr(joined, "verdict", lambda _: Verdict("good", "a", "b"))
    runs = {"window-1", "window-2", "window-3", "window-12", "window-03", "window-x", "other-3"}
    for name in runs:
        write_json(tmp_path / "out" / name / "run" / RUN, {})
    (tmp_path / "out" / "window-4").mkdir()  # no walk's
    result = run(bars, tmp_path / "out")
    assert result.exit_code == 0, result.exception
    left = {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()}
    assert left == {*runs, "window-4"}
    told = [line for line in result.output.splitlines() if "is kept" in line]
    assert told == [
        f"{tmp_path / 'out' / name} is of an earlier walk of more windows, and not on this page; it is "
        "kept"
        for name in ("window-12", "window-3")
    ]


def test_a_window_is_judged_on_its_own_days_alone_and_by_all_that_was_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, tuple[Any, ...]] = {}

    def tell(place: str, answer: Any) -> None:
        def called(*given: Any, **named: Any) -> Any:
            seen[place.rsplit(".", 1)[1]] = (*given, *named.items())
            return answer

        monkeypatch.setattr(place, called)

    policy = SimpleNamespace(config="rules", about="of its training")
    tell("jax_port.ppo.policy.load_policy", policy)
    tell("jax_port.data.held_out.starts_within", "rows")
    tell("jax_port.data.held_out.relate", "relation")
    tell("jax_port.data.held_out.require_held_out", None)
    tell("jax_port.evaluation.evaluate.evaluate", "result")
    tell("jax_port.evaluation.tasks.finish", SimpleNamespace(values="values", sheet="sheet"))
    tell("jax_port.evaluation.report.write", None)
    window = Window(*(date(2025, 1, day) for day in (2, 8, 10, 13)))
    path, market, file = tmp_path / "window-2" / "run" / "policy-0.safetensors", "bars", Path("ES.csv")
    made = _judged(path, window, file, market, tmp_path, Tried(9, (0.1, 0.2), "sweep.json"))  # type: ignore[arg-type]

    assert seen["load_policy"] == (path,)
    assert seen["starts_within"] == (market, "rules", date(2025, 1, 10), date(2025, 1, 13))
    assert seen["relate"] == (market, "rules", "rows", "of its training")
    assert seen["require_held_out"] == ("relation", market)
    assert seen["evaluate"] == (policy, market, ("rows", "rows"))
    played, rules, trials, sharpes = seen["finish"]
    assert (rules, trials, sharpes) == ([], 9, (0.1, 0.2))
    assert (played.policy, played.policy_path, played.data_path) == (policy, path, file)
    assert (played.market, played.relation, played.result) == (market, "relation", "result")
    assert played.asked == (date(2025, 1, 10), date(2025, 1, 13))
    place = tmp_path / "window-2" / "evaluation"
    assert seen["write"] == (place, "values", "result", market, "sheet")
    assert made.report == Path("window-2/evaluation/report.html")
    assert (made.window, made.policy, made.result) == (window, policy, "result")


def test_too_few_days_is_one_sentence(bars: Path, tmp_path: Path) -> None:
    result = run(bars, tmp_path / "x", "--train", "9")
    check_error(result.exception)
    assert not (tmp_path / "x").exists()
