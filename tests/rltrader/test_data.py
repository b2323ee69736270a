"""``rltrader data`` as it is typed: what it prints, what it writes and how it exits."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from foundation.files import WriteError
from markets import writers
from markets.readers import read_bars
from markets.synthetic.bars import synthetic_bars
from markets.synthetic.pattern import pattern_bars
from markets.synthetic.seconds import second_bars
from rltrader.__main__ import main
from rltrader.data import data
from tests.sentences import check_error, check_sentence

HEADER = "timestamp,open,high,low,close,volume\n"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(data, [str(argument) for argument in arguments])


@pytest.fixture
def good(make_frame, save):
    return save(make_frame(days=3).to_csv(), "good.csv")


@pytest.fixture
def bad(make_frame, save):
    frame = make_frame(days=3)
    frame.iloc[100:110, :4] /= 100
    frame.iloc[200, 1] = None
    return save(frame.to_csv(), "bad.csv")


def test_a_good_file_passes(good, snapshot):
    result = run("check", good, "--symbol", "es")
    assert result.exit_code == 0, result.output
    assert "ES  good.csv" in result.output
    assert "E-mini S&P 500, tick 0.25 = $12.50" in result.output
    assert "1,350, of which 1,350 from 09:30 to 16:59; one a minute" in result.output
    assert "Fit to train on." in result.output
    assert "MEND" not in result.output
    assert "look" not in result.output
    snapshot("shown", result.output)


def test_a_bad_file_is_shown_and_refused_in_one_sentence(bad, snapshot):
    result = run("check", bad, "--symbol", "ES")
    assert "Not fit to train on: 2 problems." in result.output
    assert "prices look divided by 100 in 10 of 1,350 rows" in result.output
    assert result.output.count("MEND") == 2
    check_error(result.exception)
    assert str(result.exception) == (
        "bad.csv: prices look divided by 100 in 10 of 1,350 rows (first 2025-01-06 11:10:00-05:00); "
        "multiply the prices of these rows by 100, or remove the rows (and 1 more in the report)"
    )
    snapshot("shown", result.output)


def test_prices_off_the_grid_only_warn_where_they_will_be_snapped(make_frame, save):
    path = save(make_frame(days=3).assign(high=lambda f: f["high"] + 0.1).to_csv())
    check_error(run("check", path, "--symbol", "ES").exception)
    result = run("check", path, "--symbol", "ES", "--snap")
    assert result.exit_code == 0
    assert "Fit to train on, with 1 warning." in result.output
    assert "they are snapped" in " ".join(result.output.replace("│", " ").split())


def test_warnings_alone_pass(make_frame, save):
    path = save(make_frame(days=3).drop(index=make_frame(days=3).index[5:9]).to_csv())
    result = run("check", path, "--symbol", "ES")
    assert result.exit_code == 0
    assert "Fit to train on, with 1 warning." in result.output
    assert re.search(r"2025-01-06 09:35:00-05:00 +4 +4 ", result.output)


def test_json_is_the_whole_report(good, bad, snapshot):
    result = run("check", good, "--symbol", "ES", "--json")
    values = json.loads(result.stdout)
    assert (values["ok"], values["rows"], values["days"]["full"]) == (True, 1350, 3)
    result = run("check", bad, "--symbol", "ES", "--json")
    assert json.loads(result.stdout)["problems"][1]["kind"] == "missing_values"
    check_error(result.exception)
    for name, file in (("good", good), ("bad", bad)):
        shown = run("check", file, "--symbol", "ES", "--json").stdout
        snapshot(name, json.loads(shown))


def test_the_zone_the_format_and_the_instrument_are_passed_on(make_frame, save):
    frame = make_frame(days=3)
    local = save(frame.tz_convert("America/Chicago").tz_localize(None).to_csv(), "local.csv")
    result = run("check", local, "--symbol", "ES", "--tz", "America/Chicago", "--format", "csv")
    assert result.exit_code == 0
    assert "2025-01-06 09:30:00-05:00  to  2025-01-08 16:59:00-05:00" in result.output
    two = frame.reset_index(names="ts_event").assign(symbol="ESH5")
    two = save(pd.concat([two, two.assign(symbol="ESM5")]).to_csv(index=False), "two.csv")
    check_error(run("check", two, "--symbol", "ES").exception)
    assert run("check", two, "--symbol", "ES", "--instrument", "ESM5").exit_code == 0


def test_what_click_refuses_itself(good):
    assert run("check", good).exit_code == 2
    assert run("check", good, "--symbol", "ES", "--format", "xml").exit_code == 2
    assert run("synthetic", "--symbol", "ES", "--days", 0, "--seed", 1, "--out", "x.csv").exit_code == 2


def test_contracts_are_listed(snapshot):
    result = run("contracts")
    assert result.exit_code == 0
    assert "E-mini Russell 2000" in result.output
    line = next(line for line in result.output.splitlines() if "YM " in line and "MYM" not in line)
    assert [cell.strip() for cell in line.split("│")[1:-1]] == [
        "YM",
        "E-mini Dow",
        "1",
        "$5.00",
        "2 ticks",
        "$2.50 a side",
    ]
    snapshot("shown", result.output)


@pytest.mark.parametrize("name", ["made.csv", "made.parquet"])
def test_synthetic_bars_are_made_checked_and_made_again(tmp_path, name):
    path = tmp_path / name
    arguments = ("synthetic", "--symbol", "NQ", "--days", 2, "--seed", 7, "--out", path)
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    bars = read_bars(path, "NQ")
    assert len(bars) == 900
    assert f"900 one-minute bars, sha256 {bars.digest[:16]}" in result.output
    assert run("check", path, "--symbol", "NQ").exit_code == 0
    first = path.read_bytes()
    run(*arguments)
    assert path.read_bytes() == first


def test_pattern_bars_are_made_with_and_without_an_edge(tmp_path):
    path = tmp_path / "made.csv"
    arguments = ("synthetic", "--symbol", "MES", "--days", 2, "--seed", 7, "--out", path)
    for strength in (1.0, 0.0):
        result = run(*arguments, "--pattern", strength)
        assert result.exit_code == 0, result.output
        made = pattern_bars("MES", days=2, seed=7, strength=strength)
        assert read_bars(path, "MES").digest == made.digest
    assert run("check", path, "--symbol", "MES").exit_code == 0
    check_error(run(*arguments, "--pattern", 1, "--session", "all").exception)
    check_error(run(*arguments, "--pattern", 3).exception)


def test_synthetic_seconds_lie_beside_their_minutes(tmp_path, snapshot):
    arguments = ("--symbol", "MES", "--days", 1, "--seed", 3, "--start", "2025-03-10", "--seconds")
    result = run("synthetic", *arguments, "--out", tmp_path / "made.parquet")
    assert result.exit_code == 0, result.output
    minutes, seconds = (
        read_bars(tmp_path / name, "MES") for name in ("made.parquet", "made_1s.parquet")
    )
    assert str(minutes.frame.index[0]) == "2025-03-10 13:30:00+00:00"
    assert (minutes.bar_seconds, seconds.bar_seconds) == (60, 1)
    joined = seconds.frame.groupby(seconds.frame.index.floor("min"))
    assert (joined["high"].max() == minutes.frame["high"]).all()
    assert (joined["low"].min() == minutes.frame["low"]).all()
    assert (joined["close"].last() == minutes.frame["close"]).all()
    snapshot("made", tmp_path)
    snapshot("shown", result.output)


def test_more_bars_than_memory_are_refused_before_they_are_made(tmp_path):
    asked = ["--symbol", "ES", "--days", "12000000", "--seed", "1", "--session", "all", "--seconds"]
    done = run("synthetic", *asked, "--out", tmp_path / "bars.csv")
    check_error(done.exception, r"there are [\d.,]+ \w+")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seconds", [False, True])
@pytest.mark.parametrize(("session", "minutes"), [("rth", 450), ("all", 1380)])
def test_the_memory_of_all_bars_is_asked_for(tmp_path, monkeypatch, session, minutes, seconds):
    asked = []
    monkeypatch.setattr("rltrader.data.require_memory", lambda *given: asked.append(given))
    arguments = ["--symbol", "ES", "--days", 2, "--seed", 1, "--session", session]
    arguments += ["--seconds"] * seconds
    assert run("synthetic", *arguments, "--out", tmp_path / "bars.parquet").exit_code == 0
    ((what, parts, lower),) = asked
    size = 200 * 2 * minutes
    assert what == "2 days of bars"
    assert parts == {"minutes": size, "seconds": 60 * size * seconds}
    assert lower == {"minutes": "--days", "seconds": "--days, or leave --seconds out"}
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["bars.parquet", *["bars_1s.parquet"] * seconds]
    assert len(pd.read_parquet(tmp_path / "bars.parquet")) == 2 * minutes


@pytest.mark.parametrize("pattern", [None, 0.0, 1.5])
def test_every_option_of_synthetic_bars_arrives(tmp_path, pattern):
    path = tmp_path / "bars.csv"
    kind = [] if pattern is None else ["--pattern", pattern]
    start = "2025-03-06"
    asked = ["--symbol", "mnq", "--days", 3, "--seed", 11, "--start", start, "--seconds", *kind]
    result = run("synthetic", *asked, "--out", path)
    assert result.exit_code == 0, result.output
    if pattern is None:
        made = synthetic_bars("MNQ", days=3, seed=11, start=start)
    else:
        made = pattern_bars("MNQ", days=3, seed=11, start=start, strength=pattern)
    assert read_bars(path, "MNQ").digest == made.digest
    of_seconds = second_bars(made, seed=11)
    assert read_bars(tmp_path / "bars_1s.csv", "MNQ").digest == of_seconds.digest
    assert result.output.splitlines() == [
        f"{path}: 1,350 one-minute bars, sha256 {made.digest[:16]}",
        f"{tmp_path / 'bars_1s.csv'}: 81,000 one-second bars, sha256 {of_seconds.digest[:16]}",
    ]


def test_the_end_of_a_minute_that_times_are_of_is_passed_on(make_frame, save):
    frame = make_frame(days=3)
    closes = save(frame.set_axis(frame.index + pd.Timedelta(minutes=1)).to_csv(index_label="timestamp"))
    check_error(run("check", closes, "--symbol", "ES").exception)
    result = run("check", closes, "--symbol", "ES", "--stamped", "close")
    assert result.exit_code == 0, result.output
    assert "2025-01-06 09:30:00-05:00  to  2025-01-08 16:59:00-05:00" in result.output


def test_minutes_and_seconds_are_replaced_together_or_not_at_all(tmp_path, monkeypatch):
    def make(seed):
        asked = ["--symbol", "ES", "--days", "1", "--seed", seed, "--seconds"]
        return run("synthetic", *asked, "--out", tmp_path / "bars.csv")

    def contents():
        return {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    assert make(1).exit_code == 0
    before = contents()
    assert set(before) == {"bars.csv", "bars_1s.csv"}

    def full(table, path):
        if "_1s" in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(table, path)

    write = writers._write_csv
    monkeypatch.setattr(writers, "_write_csv", full)
    done = make(2)
    check_error(done.exception, kind=WriteError)
    assert contents() == before


def test_main_prints_one_sentence_and_exits_with_two(monkeypatch, capsys, bad):
    monkeypatch.setattr(sys, "argv", ["rltrader", "data", "check", str(bad), "--symbol", "XX"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    check_sentence(capsys.readouterr().err.removeprefix("error: ").rstrip("\n"))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_real_process(bad, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "60"}
    done = subprocess.run(
        [sys.executable, "-m", "rltrader", "data", "check", str(bad), "--symbol", "ES"],
        capture_output=True,
        env=environment,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    errors = done.stderr.decode().splitlines()
    assert len(errors) == 1
    check_sentence(errors[0].removeprefix("error: "))
    report = done.stdout.decode(encoding)
    assert "Not fit to train on: 2 problems." in report
    assert ("█" * 30 if encoding == "utf-8" else "#" * 30) in report


def test_the_real_file(real_file):
    result = run("check", real_file, "--symbol", "ES")
    assert result.exit_code == 0
    assert "Fit to train on, with 5 warnings." in result.output
