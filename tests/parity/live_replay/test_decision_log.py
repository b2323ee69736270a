"""Logs that are cut off, of something else, or no logs at all: one sentence says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundation.errors import InputError
from parity.export_chain.csharp import MISSING, available
from parity.live_replay.decision_log import NothingDecidedError, read_log
from tests.ninjatrader.hosting import live_bars, live_bundle, live_files, live_log
from tests.parity.live_replay.replayed_logs import Lines, lines_of, report, run, written
from tests.sentences import check_error, refuses

pytestmark = pytest.mark.skipif(not available(), reason=MISSING)


@pytest.mark.costly
def test_a_line_cut_off_by_a_crash_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(live_log(1).read_bytes()[:-40])
    done = run(path)
    assert done.exit_code == 0
    assert "last line was cut off" in done.output


def spoil_nothing(lines: Lines) -> None:
    del lines[1:]


def spoil_header(**values: object) -> Callable[[Lines], None]:
    return lambda lines: lines[0].update(values)


def drop_header(lines: Lines) -> None:
    del lines[0]


def drop_a_line(lines: Lines) -> None:
    del lines[500]


def drop_a_member(lines: Lines) -> None:
    del lines[500]["ohlcv"]


def only_the_beginning(lines: Lines) -> None:
    del lines[200:]


def another_day(lines: Lines) -> None:
    for line in lines[1:]:
        line["time"] = line["time"].replace("2025", "2035")


@pytest.mark.costly(keep=6)
@pytest.mark.parametrize(
    "spoil",
    [
        spoil_nothing,
        drop_header,
        spoil_header(version=1),
        spoil_header(symbol="NQ"),
        spoil_header(policy_sha256="0" * 64),
        spoil_header(bundle="/nowhere"),
        spoil_header(contracts="one"),
        spoil_header(actions=["hold"]),
        drop_a_line,
        drop_a_member,
        only_the_beginning,
        another_day,
    ],
    ids=[
        "no bar",
        "no header",
        "version",
        "symbol",
        "policy",
        "bundle",
        "contracts",
        "actions",
        "no line",
        "no prices",
        "beginning",
        "another day",
    ],
)
def test_a_log_of_something_else_is_refused(spoil: Callable[[Lines], None], tmp_path: Path) -> None:
    lines = lines_of(1)
    spoil(lines)
    done = run(written(tmp_path, lines))
    kind = NothingDecidedError if spoil in (spoil_nothing, only_the_beginning) else InputError
    # Which bar is dropped, and which days there are, depends on the bars at hand.
    varies = {drop_a_line: (r"(?<=bar )\d+",), another_day: (r"\d{4}-\d\d-\d\dT[\d:]+Z",)}
    check_error(done.exception, *varies.get(spoil, ()), kind=kind)


@pytest.mark.parametrize("text", ["timestamp,open\n1,2\n", "[]\n"])
def test_what_is_no_log_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with refuses():
        read_log(path)


def test_a_missing_file_and_a_broken_line_are_refused(tmp_path: Path) -> None:
    with refuses():
        read_log(tmp_path / "none.jsonl")
    path = tmp_path / "log.jsonl"
    text = live_log(1).read_text(encoding="utf-8").splitlines()
    text[500] = text[500][:50]
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    with refuses():
        read_log(path)


@pytest.mark.parametrize("price", ["nan", "6000", None, "inf"])
def test_a_fill_needs_a_number_for_its_price(price: str | None, tmp_path: Path) -> None:
    lines = lines_of(1)
    entry_line = next(line for line in lines if line.get("event") == "fill")
    entry_line["price"] = price
    with refuses(r"(?<=line )\d+"):
        read_log(written(tmp_path, lines))


@pytest.mark.parametrize("value", [0.5, "1", None, True])
def test_what_is_counted_in_wholes_is_not_cut_to_one(value: object, tmp_path: Path) -> None:
    lines = lines_of(2)[:400]
    decided = next(line for line in lines if line.get("event") == "bar" and line["side"])
    fill = next(line for line in lines if line.get("event") == "fill")
    read_log(written(tmp_path, lines))
    places: list[tuple[dict[str, Any], Any]] = [(fill, name) for name in ("side", "quantity")]
    places += [(decided, name) for name in ("minute", "flat_by", "entry", "stop", "entry_bar", "side")]
    places += [(next(line for line in lines if "action" in line), "action")]
    places += [(decided["distances"], at) for at in range(3)]
    for holder, name in places:
        kept, holder[name] = holder[name], value
        with pytest.raises(InputError, match="not a line of a decision log"):
            read_log(written(tmp_path, lines))
        holder[name] = kept


@pytest.mark.parametrize("value", ["false", 1, 0, None])
def test_a_mask_is_of_flags(value: object, tmp_path: Path) -> None:
    lines = lines_of(2)[:400]
    decided = next(line for line in lines if "mask" in line)
    for place in (0, len(decided["mask"]) - 1):
        kept, decided["mask"][place] = decided["mask"][place], value
        with pytest.raises(InputError, match="is neither true nor false"):
            read_log(written(tmp_path, lines))
        decided["mask"][place] = kept
    read_log(written(tmp_path, lines))


def test_a_file_in_another_zone_is_not_the_logs() -> None:
    done = run(live_log(1), "--tz", "America/New_York", "--accept-problems", data=zoneless())
    assert done.exit_code == 1
    assert "number 0: bar" in done.output
    assert "say its zone with --tz" in done.output


def zoneless() -> Path:
    path = live_files()[0].with_name("zoneless.csv")
    frame = live_bars().frame
    frame.set_axis(frame.index.tz_localize(None)).to_csv(path)
    return path


def test_another_bundle_may_be_named(tmp_path: Path) -> None:
    lines = lines_of(1)
    lines[0]["bundle"] = r"C:\bundles\es"
    assert report(written(tmp_path, lines), 0, "--bundle", str(live_bundle(1)))["verdict"] == "same"
