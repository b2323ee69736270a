"""``rltrader replay``: which logs it takes, what it says of them, and how it ends."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from foundation.errors import InputError
from markets.synthetic.bars import synthetic_bars
from markets.writers import write_bars
from parity.live_replay import decision_log, offline
from parity.live_replay import replay as whole_replay
from parity.live_replay.decision_log import NothingDecidedError
from rltrader.live import replay as module
from rltrader.live.replay import _log_files, _show, replay
from tests.sentences import refuses

FIRST = {
    "bar": 3,
    "time": "2025-01-06 09:33",
    "stage": "fill",
    "name": "price",
    "live": 5.25,
    "offline": 5.0,
    "apart": 0.25,
    "allowed": 0.0,
}
SAID = "bar 2025-01-06 09:33, number 3: fill, price: live has 5.25, offline 5.0 (0.25 apart, 0 allowed)"
REPORT: dict[str, Any] = {
    "verdict": "same",
    "first": None,
    "first_beside_fills": None,
    "compared": {"bars": 1234, "decisions": 1000, "fills": 7},
    "largest": {"feature": 1.5e-7, "logits": 2.5e-6},
    "fills": {"differ": 2, "largest_ticks": 0.5},
    "log": {"last_line_cut_off": False, "fusion": None},
    "modes": {"historical": {"bars": 1200, "decisions": 900}, "realtime": {"bars": 34}},
    "live_fills": [],
    "fill_costs": None,
    "given_up": {},
}
COMPARED = (
    "compared: 1,234 bars, 1,000 decisions, 7 fills; largest distances: feature 1.5e-07, logit 2.5e-06"
    ", fill 0.5 ticks"
)
MODES = ["historical: 1,200 bars, 900 decisions", "realtime: 34 bars"]


def said(capsys: pytest.CaptureFixture[str], **more: Any) -> list[str]:
    _show({**REPORT, **more})
    return capsys.readouterr().out.splitlines()


def test_what_agrees_is_said_with_all_that_was_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == [COMPARED, *MODES, "live and offline agree"]
    without = said(
        capsys, largest={"feature": 0.0}, log={"last_line_cut_off": True, "fusion": None}, modes={}
    )
    assert without == [
        "the log's last line was cut off and is left out, as after a crash",
        COMPARED.replace("1.5e-07", "0").replace("2.5e-06", "0"),
        "live and offline agree",
    ]


def test_what_decisions_are_fused_with_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    log = {"last_line_cut_off": False, "fusion": {"rule": "gated"}, "decisions": 1000, "with_advice": 7}
    assert said(capsys, log=log)[:2] == [
        COMPARED,
        "decisions are fused with advice (rule gated): 7 decisions had an answer of the service, "
        "993 had none",
    ]


def test_fills_of_the_account_are_said_by_hour_and_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {
        "fill": "entry",
        "hour": 9,
        "count": 3,
        "worse_ticks_mean": 0.126,
        "worse_ticks_most": 2.5,
        "latency_ms_median": None,
    }
    rows = [row, {**row, "hour": 15, "worse_ticks_mean": -0.5, "latency_ms_median": 123.4}]
    costs = {"worse_ticks_mean": 1.0, "worse_dollars": -12.5, "assumed_slippage_ticks": 1}
    assert said(capsys, live_fills=rows, fill_costs=costs)[3:] == [
        "filled on the account, entry, 09h New York: 3 with +0.13 ticks against the rules on average, "
        "+2.5 at most",
        "filled on the account, entry, 15h New York: 3 with \N{MINUS SIGN}0.50 ticks against the rules "
        "on average, +2.5 at most; 123 ms from order to fill",
        "all fills on the account: +1.00 ticks against the rules on average, \N{MINUS SIGN}$12.50 a "
        "contract together; the rules assume 1 tick of slippage and no delay",
        "live and offline agree",
    ]


def test_where_they_differ_is_said_with_what_may_be_the_matter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = {**FIRST, "bar": 9, "stage": "mask", "apart": None, "live": True, "offline": False}
    told = "bar 2025-01-06 09:33, number 9: mask, price: live has True, offline False"
    assert said(capsys, first=FIRST)[3:] == [
        f"first difference: {SAID}",
        "fills that differ: 2 before the log ends; all else agrees; the position follows the log's "
        "fills",
    ]
    assert said(capsys, first={**FIRST, "log": "a.jsonl"}, first_beside_fills=other)[3:] == [
        f"first difference: in a.jsonl, {SAID}",
        "fills that differ: 2 before something else does; the position follows the log's fills",
        f"first difference beside fills: {told}",
    ]
    for bar, stage, hint in ((0, "bar", True), (1, "bar", False), (0, "feature", False)):
        lines = said(capsys, first={**FIRST, "bar": bar, "stage": stage})[4:]
        assert [line.startswith("the very first bar differs") for line in lines] == [True] * hint


def test_each_of_several_logs_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    good = {"file": "a.jsonl", "verdict": "same", "decisions": 1000, "fills": 2, "first": None}
    bad = {**good, "file": "b.jsonl", "verdict": "different", "first": FIRST}
    assert said(capsys, logs=[good, bad])[1:3] == [
        "a.jsonl: same, 1,000 decisions, 2 fills",
        f"b.jsonl: different, 1,000 decisions, 2 fills; first difference: {SAID}",
    ]


def test_a_folder_stands_for_its_logs_in_order(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a.jsonl", "c.txt"):
        (tmp_path / name).touch()
    assert _log_files(tmp_path) == [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    assert _log_files(tmp_path / "c.txt") == [tmp_path / "c.txt"]
    assert _log_files(tmp_path / "none.jsonl") == [tmp_path / "none.jsonl"]
    (tmp_path / "empty").mkdir()
    with refuses():
        _log_files(tmp_path / "empty")


def test_a_folders_logs_stand_in_order_of_time(tmp_path: Path) -> None:
    """By name the tenth log of a second would stand before its second, and that before its first."""
    second = "20260105-143000"
    wanted = ["by hand", "ES-20251231-235959", *(f"ES-{second}{more}" for more in ("", "-2", "-10"))]
    wanted += ["NQ-20260105-143001", "ES-20260106-090000", "NQ-20260106-090000"]
    for name in reversed(wanted):
        (tmp_path / f"{name}.jsonl").touch()
    assert [file.stem for file in _log_files(tmp_path)] == wanted


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what calls the command on logs of which the first ``quiet`` ones decide nothing."""
    bars = write_bars(synthetic_bars("ES", days=1, seed=1), tmp_path / "ES.csv")

    def run(*logs: str, quiet: tuple[str, ...] = (), verdict: str = "same") -> tuple[Result, list[Any]]:
        asked: list[Any] = []

        def replay_one(file: Path, bars: Any, bundle: Path | None, fill_ticks: float) -> Any:
            asked.append((file.name, bundle, fill_ticks))
            if file.name in quiet:
                raise NothingDecidedError(f"{file.name}: nothing")
            return {**REPORT, "verdict": verdict}

        monkeypatch.setattr(module, "_replay_one", replay_one)
        words = [*logs, "--data", str(bars), "--bundle", "there", "--fill-ticks", "2.5", "--json"]
        monkeypatch.setattr(
            "parity.live_replay.together.join_reports",
            lambda reports: {**reports[0], "of": len(reports)},
        )
        return CliRunner().invoke(replay, words), asked

    return run


def test_every_log_is_replayed_as_asked_and_those_without_a_decision_are_left_out(call: Any) -> None:
    result, asked = call("a", "b", "c", quiet=("a", "c"))
    assert asked == [(name, Path("there"), 2.5) for name in "abc"]
    assert result.stderr == "left out: a: nothing\nleft out: c: nothing\n"
    assert (result.exit_code, json.loads(result.stdout)) == (0, {**REPORT, "of": 1})


def test_a_log_that_is_named_twice_or_beside_its_folder_is_replayed_once(
    call: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).touch()
    (tmp_path / "link.jsonl").symlink_to(folder / "a.jsonl")
    named = (folder / "b.jsonl", folder, folder / ".." / "logs" / "b.jsonl", tmp_path / "link.jsonl")
    result, asked = call(*map(str, named))
    assert sorted(one[0] for one in asked) == ["b.jsonl", "link.jsonl"]
    assert json.loads(result.stdout)["of"] == 2


def test_a_log_that_is_broken_at_its_beginning_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing says what a log without a whole first line is of, and a crash leaves such."""
    for name, text in (("a", ""), ("b", '{"kind": "rl'), ("c", "whole")):
        (tmp_path / f"{name}.jsonl").write_text(text)
    read = decision_log.read_log

    def replay_one(file: Path, *more: Any) -> Any:
        return REPORT if file.name == "c.jsonl" else read(file)

    monkeypatch.setattr(module, "_replay_one", replay_one)
    monkeypatch.setattr("parity.live_replay.together.join_reports", lambda reports: reports[0])
    result = CliRunner().invoke(replay, [str(tmp_path), "--data", "ES.csv", "--json"])
    assert result.exit_code == 0, result.exception
    assert [line.rpartition("/")[2] for line in result.stderr.splitlines()] == [
        f"{name}.jsonl: {what}, so nothing says what made it; give another log"
        for name, what in (("a", "it is empty"), ("b", "its first line is cut off"))
    ]


def test_how_it_ends(call: Any) -> None:
    assert call("a", verdict="different")[0].exit_code == 1
    result, _ = call("a", "b", quiet=("a", "b"))
    assert isinstance(result.exception, InputError)
    assert str(result.exception) == "b: nothing"


def test_all_that_was_asked_for_reaches_the_replay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a bundle that is given, and of the one that the log names."""
    named, given = tmp_path / "named", tmp_path / "given"
    named.mkdir()
    live: Any = SimpleNamespace(header={"bundle": str(named)})
    bars: Any = SimpleNamespace(read=lambda contract: ("bars of", contract))
    reached: list[dict[str, Any]] = []
    takes = inspect.signature(whole_replay.replay_log)

    def replay_log(*values: Any, **more: Any) -> dict[str, Any]:
        reached.append(takes.bind(*values, **more).arguments)
        return {}

    monkeypatch.setattr(decision_log, "read_log", lambda file: live)
    monkeypatch.setattr(offline, "open_bundle", lambda folder, live: (folder, "contract", "fusion"))
    monkeypatch.setattr(whole_replay, "replay_log", replay_log)
    for bundle in (None, given):
        module._replay_one(tmp_path / "a.jsonl", bars, bundle, 2.5)
    assert [list(one.values()) for one in reached] == [
        [live, ("bars of", "contract"), folder, 2.5, "fusion"] for folder in (named, given)
    ]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("out", [True, False])
def test_a_report_of_all_logs_is_written_shown_and_its_page_named(
    as_json: bool, out: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []

    def replay_one(file: Path, bars: Any, *more: Any) -> Any:
        told.append((file.name, bars.files, bars.timezone, *more))
        return {"of": file.name}

    joined = {**REPORT, "verdict": "different"}
    monkeypatch.setattr(module, "_replay_one", replay_one)
    monkeypatch.setattr(module, "_show", lambda report: told.append(("shown", report)))
    monkeypatch.setattr(
        "parity.live_replay.together.join_reports", lambda reports: told.append(reports) or joined
    )
    monkeypatch.setattr(
        "parity.live_replay.page.write_report", lambda *given: told.append(("written", *given))
    )
    words = ["a", "b", "--data", "ES.csv", "--tz", "Asia/Tokyo"]
    more = [*(["--out", str(tmp_path)] if out else []), *(["--json"] if as_json else [])]
    result = CliRunner().invoke(replay, [*words, *more])
    assert result.exit_code == 1
    assert told == [
        *((name, (Path("ES.csv"),), "Asia/Tokyo", None, 0.0) for name in "ab"),
        [{"of": "a"}, {"of": "b"}],
        *([("written", tmp_path, joined)] if out else []),
        *([] if as_json else [("shown", joined)]),
    ]
    page = f"page: {tmp_path / 'replay.html'}\n" if out and not as_json else ""
    if as_json:
        assert json.loads(result.stdout) == joined
    else:
        assert result.stdout == page
