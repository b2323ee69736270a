"""A pass that is killed at any moment: a server that counts sees every question, and none twice."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from foundation.json_reading import read_json
from markets.advice.replay import replay
from markets.advice.rules import RulesAdvisor
from markets.advice.store import ABOUT, ABOUT_FILE, open_store
from markets.advice.table import About, load_table
from markets.advice.view import MarketView
from markets.synthetic.pattern import pattern_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from tests.sentences import check_error
from tests.snapshots import Snapshot

QUESTIONS = 60
LAST_BAR = 100 + QUESTIONS - 1
CONCURRENCY = 3


@pytest.fixture(scope="module")
def bars_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bars(pattern_bars(days=2, seed=1), tmp_path_factory.mktemp("bars") / "ES.csv")


def arguments(bars_file: Path, out: Path, url: str, *more: str) -> list[str]:
    return [
        *("advise", "run", "--data", str(bars_file), "--symbol", "ES", "--out", str(out)),
        *("--advisor", "chat", "--url", url, "--model", "tiny", "--last-bar", str(LAST_BAR)),
        *("--concurrency", str(CONCURRENCY), *more),
    ]


@pytest.fixture(scope="module")
def view_file(view: MarketView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The view as a file, which a small process reads faster than bars."""
    path = tmp_path_factory.mktemp("view") / "view.pickle"
    path.write_bytes(pickle.dumps(view))
    return path


def start(view_file: Path, out: Path, url: str, last: int = LAST_BAR) -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("pass_process.py")
    command = [sys.executable, str(script), str(view_file), str(out), url, str(last)]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())})


def lines(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in out.glob("ranges/*.jsonl"))


@pytest.mark.costly
@pytest.mark.parametrize(
    ("honours", "times"),
    [
        (True, 3),
        (False, 3),
        pytest.param(True, 10, marks=pytest.mark.slow),
        pytest.param(False, 10, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_it_goes_on(
    serve: Callable[..., Any],
    view_file: Path,
    bars_file: Path,
    tmp_path: Path,
    honours: bool,
    times: int,
) -> None:
    pytest.importorskip("httpx")
    server = serve("brief", *(["honours"] if honours else []))
    out, draw, kills = tmp_path / "table", random.Random(1), 0
    for _ in range(times):
        before = lines(out)
        process = start(view_file, out, server.url)
        wanted = before + draw.randrange(2, 60 // times + 5)
        while process.poll() is None and lines(out) < wanted:
            time.sleep(0.002)
        time.sleep(draw.random() * 0.03)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills == times
    done = CliRunner().invoke(app, arguments(bars_file, out, server.url))
    assert done.exit_code == 0, done.output
    counts = server.counts()
    assert len(counts["worked"]) == QUESTIONS  # none lost
    repeated = sum(counts["requests"].values()) - QUESTIONS
    assert 0 <= repeated <= kills * CONCURRENCY
    if honours:
        assert set(counts["worked"].values()) == {1}  # none repeated
    table = load_table(out)
    assert table.rows.tolist() == list(range(100, LAST_BAR + 1))
    assert table.usable.all()
    asked = sum(counts["requests"].values())
    again = CliRunner().invoke(app, arguments(bars_file, out, server.url))
    assert again.exit_code == 0
    assert sum(server.counts()["requests"].values()) == asked  # nothing that it has is asked again


def test_asked_to_stop_it_finishes_what_is_under_way(
    serve: Callable[..., Any], view_file: Path, bars_file: Path, tmp_path: Path
) -> None:
    pytest.importorskip("httpx")
    server, out = serve("brief"), tmp_path / "table"
    process = start(view_file, out, server.url)
    while lines(out) < 20:
        time.sleep(0.002)
    process.terminate()
    assert process.wait() == 128 + signal.SIGTERM
    assert CliRunner().invoke(app, arguments(bars_file, out, server.url)).exit_code == 0
    assert list(server.counts()["requests"].values()) == [1] * QUESTIONS


@pytest.mark.costly
def test_several_processes_share_the_work(
    serve: Callable[..., Any], view_file: Path, tmp_path: Path, view: MarketView
) -> None:
    pytest.importorskip("httpx")
    server, out = serve("brief"), tmp_path / "table"
    running = [start(view_file, out, server.url, 300) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert list(server.counts()["requests"].values()) == [1] * 201  # no bar twice, none left out
    about = read_json(out / ABOUT, About, ABOUT_FILE)
    assert len(open_store(out, about, view.timestamps_ns).collect()) == 201


def test_a_server_that_fails_ends_the_pass_with_a_sentence_and_keeps_answers(
    serve: Callable[..., Any], bars_file: Path, tmp_path: Path
) -> None:
    pytest.importorskip("httpx")
    out = tmp_path / "table"
    result = CliRunner().invoke(app, arguments(bars_file, out, serve("unknown").url))
    check_error(result.exception)
    assert CliRunner().invoke(app, arguments(bars_file, out, serve("good").url)).exit_code == 0
    assert load_table(out).usable.all()


def test_no_advice_is_counted(serve: Callable[..., Any], bars_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("httpx")
    out = tmp_path / "table"
    shown = CliRunner().invoke(app, arguments(bars_file, out, serve("wrong_schema").url))
    assert shown.exit_code == 0
    assert "no advice, malformed" in shown.output
    table = load_table(out)
    assert not table.usable.any()
    assert table.totals()["without advice"] == {"malformed": QUESTIONS}


def test_an_answer_is_shown_escaped(
    serve: Callable[..., Any], bars_file: Path, tmp_path: Path, view: MarketView
) -> None:
    pytest.importorskip("httpx")
    out = tmp_path / "table"
    shown = CliRunner().invoke(app, arguments(bars_file, out, serve("script").url))
    assert "\x1b[2J" not in shown.output
    table = load_table(out)
    assert table.usable.all()
    assert not replay(table, view).differing


def test_a_cost_above_the_limit_is_asked_for(
    serve: Callable[..., Any], bars_file: Path, tmp_path: Path
) -> None:
    server = serve("good")
    limit = ("--prompt-price", "1000", "--most-dollars", "0.5")
    result = CliRunner().invoke(app, arguments(bars_file, tmp_path / "t", server.url, *limit))
    check_error(result.exception)
    assert server.counts()["requests"] == {}


def test_the_rules_advise_on_every_bar_and_can_be_replayed(
    bars_file: Path, tmp_path: Path, view: MarketView, snapshot: Snapshot
) -> None:
    out = tmp_path / "rules"
    command = ["advise", "run", "--data", str(bars_file), "--symbol", "ES", "--out", str(out)]
    assert CliRunner().invoke(app, command).exit_code == 0
    table = load_table(out)
    assert table.rows.tolist() == list(range(100, 900))
    assert table.about.cutoff == "never"
    assert replay(table, view).differing == []
    table.frame.loc[3, "buy"] += 0.01
    assert replay(table, view).differing == [103]
    assert "rules" in CliRunner().invoke(app, ["advise", "show", str(out)]).output
    again = ["advise", "replay", str(out), "--data", str(bars_file), "--symbol", "ES"]
    assert CliRunner().invoke(app, again).exit_code == 0
    snapshot("rules", out)


def test_rules_read_nothing_after_their_bar(view: MarketView) -> None:
    from dataclasses import replace

    rows = view.rows(1)[:200]
    end = int(rows[-1]) + 1
    cut = replace(
        view,
        **{
            name: getattr(view, name)[:end]
            for name in ("timestamps_ns", "high", "low", "close", "features")
        },
    )
    whole, short = (RulesAdvisor().advise(one, rows) for one in (view, cut))
    assert (whole.probabilities == short.probabilities).all()
    assert (whole.confidence == short.confidence).all()
