"""``rltrader replay``: a live strategy's decision log, held against offline on the same bars."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from foundation.command_line.numbers import Number
from foundation.errors import InputError
from foundation.report.format import change, count, difference, dollars
from rltrader.consoles import report_console
from rltrader.options.bars import BarOptions, bar_options

_NAME = re.compile(r"(?<!\d)(\d{8}-\d{6})(?:-(\d+))?$")


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True, type=click.Path(path_type=Path))
@bar_options("required", "none")
@click.option(
    "--bundle",
    type=click.Path(path_type=Path),
    help="The strategy's; by default the folder that the log names.",
)
@click.option(
    "--fill-ticks",
    type=Number(min=0),
    default=0.0,
    show_default=True,
    help="Ticks that a fill may lie from the rules' own price.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for replay.json and the page replay.html."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of sentences.")
def replay(
    logs: tuple[Path, ...],
    bars: BarOptions,
    bundle: Path | None,
    fill_ticks: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Find the first bar, and the stage, at which a live strategy's logs and offline disagree.

    LOG is a decision log, or a folder of logs, such as a week's; several are replayed one by one and
    their fills measured together. Exit code 0 means that they agree, 1 that they don't, 2 bad input.
    """
    from parity.live_replay.decision_log import NothingDecidedError
    from parity.live_replay.together import join_reports

    # A log that is named beside its folder is one log.
    files = list({file.resolve(): file for log in logs for file in _log_files(log)}.values())
    reports = []
    for number, file in enumerate(files, 1):
        try:
            reports.append(_replay_one(file, bars, bundle, fill_ticks))
        except NothingDecidedError as error:
            if number == len(files) and not reports:
                raise
            click.echo(f"left out: {error}", err=True)
    report = join_reports(reports)
    if out is not None:
        from parity.live_replay.page import write_report

        write_report(out, report)
    if as_json:
        click.echo(json.dumps(report, indent=2, allow_nan=False))
    else:
        _show(report)
        if out is not None:
            click.echo(f"page: {out / 'replay.html'}")
    if report["verdict"] != "same":
        raise SystemExit(1)


def _replay_one(file: Path, bars: BarOptions, bundle: Path | None, fill_ticks: float) -> dict[str, Any]:
    from parity.live_replay.decision_log import read_log
    from parity.live_replay.offline import open_bundle
    from parity.live_replay.replay import replay_log

    live = read_log(file)
    folder = bundle if bundle is not None else Path(live.header["bundle"])
    if bundle is None and not folder.is_dir():
        raise InputError(
            f"{file}: its bundle {folder} is not on this machine; say with --bundle where a copy is"
        )
    policy, contract, fusion = open_bundle(folder, live)
    return replay_log(live, bars.read(contract), policy, fill_ticks, fusion)


def _log_files(path: Path) -> list[Path]:
    """Return the log itself, or all logs of a folder in order of the times in their names.

    Raises:
        InputError: the folder holds none.
    """
    if not path.is_dir():
        return [path]
    logs = sorted(path.glob("*.jsonl"), key=_begun)
    if not logs:
        raise InputError(
            f"{path}: no log (.jsonl) here; a strategy begins one each time that it is loaded"
        )
    return logs


def _begun(log: Path) -> tuple[str, int, str]:
    """Return what orders logs: when one was begun, which of that second it is, and its name.

    A strategy names them ``ES-20260105-143000.jsonl``, and the second of one second with ``-2`` behind;
    those of other names come first.
    """
    found = _NAME.search(log.stem)
    return ("", 0, log.name) if found is None else (found[1], int(found[2] or 1), log.name)


def _show(report: dict[str, Any]) -> None:
    from parity.live_replay.quality import assumed_words
    from parity.live_replay.replay import advice_words, words

    console = report_console(soft_wrap=True)

    def say(text: str, style: str = "") -> None:
        console.print(text, style=style)

    compared, fills, first = report["compared"], report["fills"], report["first"]
    largest = report["largest"]
    if report["log"]["last_line_cut_off"]:
        say("the log's last line was cut off and is left out, as after a crash", "yellow")
    say(
        f"compared: {compared['bars']:,} bars, {compared['decisions']:,} decisions, "
        f"{compared['fills']:,} fills; largest distances: feature {largest['feature']:.2g}, "
        f"logit {largest.get('logits', 0.0):.2g}, fill {fills['largest_ticks']:g} ticks"
    )
    if fused := advice_words(report["log"]):
        say(f"decisions are {fused}")
    for one in report.get("logs", ()):
        say(
            f"{one['file']}: {one['verdict']}, {one['decisions']:,} decisions, {one['fills']:,} fills"
            + (f"; first difference: {words(one['first'])}" if one["first"] else "")
        )
    for mode, counts in report["modes"].items():
        say(f"{mode}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
    for row in report["live_fills"]:
        wait = row["latency_ms_median"]
        say(
            f"filled on the account, {row['fill']}, {row['hour']:02d}h New York: {row['count']} with "
            f"{change(row['worse_ticks_mean'], 2)} ticks against the rules on average, "
            f"{difference(row['worse_ticks_most'])} at most"
            + ("" if wait is None else f"; {wait:.0f} ms from order to fill")
        )
    if (costs := report["fill_costs"]) is not None:
        say(
            f"all fills on the account: {change(costs['worse_ticks_mean'], 2)} ticks against the rules "
            f"on average, {dollars(costs['worse_dollars'])} a contract together; the rules assume "
            f"{assumed_words(costs)} of slippage and no delay"
        )
    if first is None:
        say("live and offline agree", "green")
        return
    where = f"in {first['log']}, " if "log" in first else ""
    say(f"first difference: {where}{words(first)}", "red")
    if (first["bar"], first["stage"]) == (0, "bar"):
        say(
            "the very first bar differs: is it a file of the same contract? If its times carry no "
            "zone, say its zone with --tz"
        )
    other = report["first_beside_fills"]
    if report["given_up"]:
        reasons = ", ".join(f"{why} ({count(bars, 'bar')})" for why, bars in report["given_up"].items())
        say(f"bars that live gave up, for reasons of its account's: {reasons}")
        if other is not None and first["stage"] != "fill" and other != first:
            say(f"first difference beside these: {words(other)}", "red")
    if first["stage"] == "fill":
        say(
            f"fills that differ: {fills['differ']} before "
            + ("something else does" if other is not None else "the log ends; all else agrees")
            + (" but for bars that live gave up" if other is None and report["given_up"] else "")
            + "; the position follows the log's fills"
        )
        if other is not None:
            say(f"first difference beside fills: {words(other)}", "red")
