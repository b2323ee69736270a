"""``rltrader advise run``: what it says before it asks, when it stops there, and what it says after."""

from __future__ import annotations

import io
import os
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from foundation.errors import InputError
from foundation.progress import ReportedProgress
from jax_port.data.advisor_view import view_of
from jax_port.data.data_loader import prepare
from markets import EnvConfig
from markets.advice.answers import FAILED, LATE, OK
from markets.advice.chat.estimate import Estimate, Prices
from markets.advice.passes import PassCounts
from markets.advice.store import AdviceStore, Asked, Result, open_store
from markets.advice.table import About, TableKey, load_table
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from rltrader.__main__ import app
from rltrader.advice.advise import _confirm, _show
from rltrader.advice.options import chat_about, chat_settings
from tests.rltrader.test_options_arrive import Reached, run
from tests.sentences import check_error, refuses

BARS = synthetic_bars("ES", days=2, seed=5)
EXPECTED = Estimate(1234, 5_000_000, 60_000, 12.5, 7260.0, measured=True, timed=True)
SAID = (
    "1,234 questions, about 5,000,000 tokens asked and 60,000 answered: $12.50, 2.02 h "
    "(from the answers so far)\n"
)


class Keyboard(io.StringIO):
    """What a user types, on a terminal."""

    def isatty(self) -> bool:
        return True


def confirm(**given: Any) -> None:
    _confirm(EXPECTED, {"most_dollars": 12.5, "most_hours": 2.02, "yes": False, **given})


def test_within_its_limits_a_pass_says_what_it_takes_and_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard("n\n"))
    confirm()
    confirm(most_dollars=0.0, most_hours=0.0, yes=True)
    assert capsys.readouterr().out == SAID * 2


ABOVE = pytest.mark.parametrize("limit", [{"most_dollars": 12.49}, {"most_hours": 2.01}], ids=str)


@ABOVE
def test_above_a_limit_it_asks_whoever_is_there(
    limit: dict[str, float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Keyboard("y\n"))
    confirm(**limit)
    monkeypatch.setattr("sys.stdin", Keyboard("n\n"))
    with pytest.raises(SystemExit) as left:
        confirm(**limit)
    assert left.value.code == 1
    assert capsys.readouterr().out.count("Go on?") == 2


@ABOVE
def test_above_a_limit_it_stops_where_nobody_is_there(
    limit: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    with refuses():
        confirm(**limit)


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """How bars and table are named."""
    path = write_bars(BARS, tmp_path / "ES.csv")
    return ["--data", str(path), "--symbol", "ES", "--out", str(tmp_path / "table")]


def test_what_is_left_is_estimated_at_its_prices(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar that was answered costs nothing more; one that failed, or is in doubt, is asked again."""

    def stop(*given: Any) -> None:
        raise Reached(given, {})

    monkeypatch.setattr("markets.advice.chat.estimate.estimate", stop)
    config = EnvConfig.phase1()
    view = view_of(prepare(BARS, config), config)
    given = {
        "url": "http://127.0.0.1:1/v1",
        "model": "tiny",
        "cutoff": None,
        "context": 7,
        "masked": True,
    }
    store = open_store(
        tmp_path / "table", chat_about(view, chat_settings(given), given), view.timestamps_ns
    )
    with store.claim(0) as journal:
        assert journal is not None
        done = Result(102, OK, 0.2, 0.7, 0.1, 0.5, latency_ms=9.0, prompt_tokens=5)
        journal.write([done, Result(103, FAILED), Asked(104), Asked(106, "batch.jsonl")])
    told = ("--advisor", "chat", "--url", given["url"], "--model", "tiny", "--context", "7", "--masked")
    more = ("--first-bar", "101", "--last-bar", "106", "--concurrency", "3")
    prices = ("--prompt-price", "3", "--answer-price", "15")
    (seen, left, prompt, priced, concurrency, so_far), _ = run(
        "advise", "run", *words, *told, *more, *prices
    )
    assert seen.digest == view.digest
    assert left.tolist() == [101, 103, 104, 105]
    assert (prompt.bars, prompt.masked) == (7, True)
    assert priced == Prices(3.0, 15.0)
    assert concurrency == 3
    assert so_far.frame["status"].tolist() == [OK, FAILED]


@pytest.mark.parametrize("cutoff", [None, "2024-06-30"])
def test_without_a_cutoff_it_says_what_that_means(
    cutoff: str | None, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rltrader.advice.advise._confirm", lambda *_: 1 / 0)
    told = [*words, "--advisor", "chat", "--url", "http://127.0.0.1:1/v1", "--model", "tiny"]
    more = [] if cutoff is None else ["--cutoff", cutoff]
    result = CliRunner().invoke(app, ["advise", "run", *told, *more])
    assert isinstance(result.exception, ZeroDivisionError)
    assert result.output.startswith("no --cutoff") == (cutoff is None)


@pytest.mark.parametrize(
    "more",
    [
        ("--url", "http://127.0.0.1:1/v1"),
        ("--model", "tiny"),
        ("--url", "", "--model", "tiny"),
        ("--url", "http://127.0.0.1:1/v1", "--model", "tiny", "--cutoff", ""),
        ("--url", "http://127.0.0.1:1/v1", "--model", "tiny", "--cutoff", "2024-06-31"),
    ],
)
def test_a_model_needs_a_server_a_name_and_a_date_that_is_one(
    more: tuple[str, ...], words: list[str], tmp_path: Path
) -> None:
    result = CliRunner().invoke(app, ["advise", "run", *words, "--advisor", "chat", *more])
    check_error(result.exception)
    assert not (tmp_path / "table").exists()


def test_no_bar_to_ask_about_is_refused(words: list[str]) -> None:
    for more in (("--first-bar", "5000"), ("--first-bar", "300", "--last-bar", "299")):
        check_error(CliRunner().invoke(app, ["advise", "run", *words, *more]).exception)


def a_store(folder: Path) -> AdviceStore:
    about = About(TableKey("0", "rules", "made", ""), "ES", 300, "never")
    return open_store(folder, about, np.arange(300, dtype=np.int64))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (PassCounts(answered=0), "0 new answers"),
        (
            PassCounts(answered=1234, in_doubt=1),
            "1,234 new answers; 1 were asked again, as an earlier run had been killed meanwhile",
        ),
        (
            PassCounts(answered=2, elsewhere=1000),
            "2 new answers; 1,000 bars are with other processes",
        ),
    ],
)
def test_what_a_pass_did_is_told_and_its_table_written(
    counts: PassCounts, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = a_store(tmp_path / "table")
    with store.claim(200) as journal:
        assert journal is not None
        journal.write([Result(205, OK, 0.2, 0.7, 0.1, 0.5)])
    _show(store, counts)
    first, *table = capsys.readouterr().out.splitlines()
    assert first == said
    assert [re.split(r"\s{2,}", line.strip()) for line in table] == [
        ["advisor", "rules, made"],
        ["market", "ES, 300 bars"],
        ["questions", "1"],
        ["with advice", "1"],
    ]
    assert load_table(tmp_path / "table").rows.tolist() == [205]


def test_a_server_that_refuses_leaves_the_answers_that_came_in_a_table(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(store: AdviceStore, *_: Any) -> None:
        with store.claim(0) as journal:
            assert journal is not None
            journal.write([Result(120, OK, 0.2, 0.7, 0.1, 0.5, latency_ms=1.0)])
        raise InputError("no such model")

    monkeypatch.setattr("markets.advice.passes.run_chat", refused)
    told = [*words, "--advisor", "chat", "--url", "http://127.0.0.1:1/v1", "--model", "tiny", "--yes"]
    result = CliRunner().invoke(app, ["advise", "run", *told])
    assert str(result.exception) == "no such model"
    assert load_table(tmp_path / "table").rows.tolist() == [120]


@pytest.mark.parametrize(("number", "code"), [(None, 0), (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_asked_to_stop_it_ends_with_the_signal_s_code_and_its_answers(
    number: signal.Signals | None,
    code: int,
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While it asks, it counts what questions come to."""
    shown: list[str] = []

    async def answered(store: AdviceStore, *given: Any) -> PassCounts:
        *_, on_result, stop = given
        results = [
            Result(120, OK, 0.2, 0.7, 0.1, 0.5, latency_ms=1.0),
            Result(121, LATE),
            Result(122, LATE),
        ]
        with store.claim(0) as journal:
            assert journal is not None
            journal.write(results)
        for result in results:
            on_result(result)
        if number is not None:
            os.kill(os.getpid(), number)
        assert stop() == (number is not None)
        return PassCounts(sent=3, answered=3)

    def update(bar: ReportedProgress, task: Any, **fields: Any) -> None:
        shown.append(fields["counts"])

    monkeypatch.setattr("markets.advice.passes.run_chat", answered)
    monkeypatch.setattr(ReportedProgress, "update", update)
    told = [*words, "--advisor", "chat", "--url", "http://127.0.0.1:1/v1", "--model", "tiny", "--yes"]
    result = CliRunner().invoke(app, ["advise", "run", *told])
    assert result.exit_code == code, result.output
    assert "3 new answers" in result.output
    assert load_table(tmp_path / "table").rows.tolist() == [120, 121, 122]
    assert shown == ["1 ok", "1 ok, 1 late", "1 ok, 2 late"]


def test_a_server_is_asked_about_the_bars_that_are_left_in_the_words_that_were_asked_for(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    async def asked(store: AdviceStore, *given: Any) -> PassCounts:
        told.append(given)
        return PassCounts(sent=0, answered=0)

    class Session:
        def __init__(self, settings: Any) -> None:
            told.append(settings)

        async def __aenter__(self) -> str:
            return "session"

        async def __aexit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("markets.advice.passes.run_chat", asked)
    monkeypatch.setattr("markets.advice.chat.client.open_session", Session)
    monkeypatch.setattr(AdviceStore, "left", lambda store, rows: rows[1:])
    server = ("--advisor", "chat", "--url", "http://127.0.0.1:1/v1", "--model", "tiny", "--yes")
    more = ("--context", "33", "--masked", "--first-bar", "200", "--last-bar", "208", "--every", "4")
    result = CliRunner().invoke(app, ["advise", "run", *words, *server, *more, "--retries", "3"])
    assert result.exit_code == 0, result.exception
    settings, (view, session, left, prompt, *_) = told
    assert (settings.model, settings.retries) == ("tiny", 3)
    assert (view.symbol, session) == ("ES", "session")
    assert left.tolist() == view.rows(4, 200, 208)[1:].tolist()
    assert (prompt.bars, prompt.masked) == (33, True)
