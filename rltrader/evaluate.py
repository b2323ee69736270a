"""``rltrader evaluate``: what a trained policy makes on bars that it has not seen."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.table import Table

from foundation.errors import InputError
from foundation.files import file_digest
from foundation.progress import progress_bar
from foundation.report.format import dollars, number, percent
from rltrader.advice.comparing import advice_options, compare, read_advised, read_others, refuse_unused
from rltrader.consoles import report_console
from rltrader.options.bars import BarOptions, bar_options
from rltrader.options.config_file import config_option

if TYPE_CHECKING:
    from jax_port.data.seconds_loader import PreparedSeconds
    from jax_port.evaluation.tasks import Played
    from markets import Contract, EnvConfig


@click.command()
@config_option
@click.argument(
    "policies", nargs=-1, required=True, metavar="POLICY...", type=click.Path(path_type=Path)
)
@bar_options("required", "required")
@click.option(
    "--seconds",
    type=click.Path(path_type=Path),
    help="One-second bars of the same days: also judge the account in every second.",
)
@click.option("--from", "first", metavar="DATE", help="First New York date to trade; 2025-10-01.")
@click.option("--to", "last", metavar="DATE", help="Last New York date to trade.")
@click.option(
    "--starts",
    type=click.Choice(["daily", "all"]),
    default="daily",
    show_default=True,
    help="List the trades of one episode a day, or of the episodes from every start.",
)
@click.option(
    "--rules",
    multiple=True,
    metavar="NAME|FILE",
    help="Would it pass? A prop firm's rules, by name or TOML file; as often as you like.",
)
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    help="Policies this one was chosen from, itself included; by default those of its run or sweep.",
)
@click.option("--allow-overlap", is_flag=True, help="Go on where training has seen these dates.")
@advice_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write to.")
def evaluate(policies: tuple[Path, ...], bars: BarOptions, out: Path, **options: Any) -> None:
    """Let POLICY trade every start of a range of dates; write tables, numbers and a page.

    POLICY is a policy's file, or the folder of a run or a bundle that holds one. Both are always
    played: an episode from every start, for the mean, and one a day, for the equity curve. With
    --seconds both are played a second time, with the drawdown looked at in every second instead of at
    every minute's close. With --advice the policy is fused with a table of advice, and a second page
    holds the fusion against the bare policy, the advisor alone and its nulls; a policy that was trained
    with advice plays with it. Several policies get a folder each and a page that compares them. Exit
    code 2 means bad input, or a range that a policy was trained on.
    """
    from jax_port.evaluation import comparison
    from jax_port.evaluation.prop_firm.rules import load_rules
    from jax_port.evaluation.report import write
    from jax_port.evaluation.sheet.ratios import sharpe
    from jax_port.evaluation.tasks import choice_of, choices_together, finish
    from jax_port.runs.find_policy import find_policy

    refuse_unused(options)
    policies = tuple(find_policy(path) for path in policies)
    options["also"] = [find_policy(path) for path in options["also"]]
    _require_each_once(policies)
    rules = [load_rules(name) for name in options["rules"]]
    played = [_play(path, bars, options) for path in policies]
    choices = [choice_of(one.policy_path, one.policy.about) for one in played]
    tried, known = choices_together(choices, [sharpe(one.pnl) for one in played])
    trials = options["trials"] or tried
    reports = [finish(one, rules, trials, known) for one in played]
    names = comparison.unique_names(policies)
    for name, one, report in zip(names, played, reports, strict=True):
        place = out if len(policies) == 1 else out / name
        write(place, report.values, one.result, one.market, report.sheet, one.both, report.chances)
        _show(report.values, place)
        if one.laid is not None:
            compare(one, options, place)
    if len(policies) > 1:
        compared = [
            comparison.Compared(name, report.values, report.sheet)
            for name, report in zip(names, reports, strict=True)
        ]
        values = comparison.compare_policies(compared)
        comparison.write(out, values, compared)
        _show_comparison(values, out)


def _require_each_once(policies: tuple[Path, ...]) -> None:
    """Refuse a policy that is there twice, also as a link or a copy: it would count as two tried."""
    first: dict[object, Path] = {}
    for path in policies:
        key = file_digest(path) if path.is_file() else path.resolve()
        if key in first:
            raise InputError(f"{path}: the same policy as {first[key]}; give each policy once")
        first[key] = path


def _play(policy: Path, bars: BarOptions, options: dict[str, Any]) -> Played:
    """Load a policy and the bars, and play every start of the dates that were asked for."""
    from jax_port.data import held_out
    from jax_port.data.advised_market import with_advice
    from jax_port.data.data_loader import load
    from jax_port.data.own_features import require_computed_features
    from jax_port.data.trained_contract import require_same_contract
    from jax_port.evaluation.evaluate import check_policy
    from jax_port.evaluation.evaluate import evaluate as play
    from jax_port.evaluation.intrabar import evaluate_both
    from jax_port.evaluation.tasks import Played
    from jax_port.ppo.policy import load_policy
    from markets.spacing import require_minutes

    first, last = (_date(name, options[key]) for name, key in (("--from", "first"), ("--to", "last")))
    contract, (data,) = bars.contract(), bars.files
    seconds = options["seconds"]
    loaded = load_policy(policy, advised=options["advice"] is not None)
    check_policy(loaded)
    require_same_contract(loaded.about, contract)
    require_computed_features(loaded.about, "evaluate it from Python, on bars that bring them along")
    market = load(data, contract, loaded.config, **bars.reader)
    require_minutes(market.timestamps_ns, market.source)
    rows = held_out.starts_within(market, loaded.config, first, last)
    relation = held_out.relate(market, loaded.config, rows, loaded.about)
    if not options["allow_overlap"]:
        held_out.require_held_out(relation, market)
    laid, advised = read_advised(market, loaded, options)
    others = read_others(options["also"], loaded, market, rows, options["allow_overlap"])
    seen = market if laid is None or loaded.advice is None else with_advice(market, laid, loaded.advice)
    fine = None if seconds is None else _load_seconds(seconds, bars, contract, loaded.config)
    asked: dict[str, Any] = {"rows": rows, "trades_of": options["starts"], "advice": advised}
    began = time.perf_counter()
    with progress_bar("evaluating", "episodes") as bar:
        task = bar.add_task("", total=len(rows) * (1 if fine is None else 2))
        asked["on_batch"] = lambda count: bar.update(task, advance=count)
        both = None if fine is None else evaluate_both(loaded, seen, fine, **asked)
        result = play(loaded, seen, **asked) if both is None else both.minute
    return Played(
        policy=loaded,
        policy_path=policy,
        market=market,
        data_path=data,
        relation=relation,
        asked=(first, last),
        took=round(time.perf_counter() - began, 1),
        result=result,
        both=both,
        rows=rows,
        seconds_path=seconds,
        advised=advised,
        advice_path=options["advice"],
        laid=laid,
        others=others,
    )


def _load_seconds(
    path: Path, bars: BarOptions, contract: Contract, config: EnvConfig
) -> PreparedSeconds:
    """Read one-second bars as the minutes were read, and lay them beside these."""
    from jax_port.data.seconds_loader import prepare_seconds
    from markets.readers import read_bars

    if not path.is_file():
        raise InputError(f"{path}: no such file; give a file of one-second bars as --seconds")
    return prepare_seconds(bars.read(contract), read_bars(path, contract, **bars.reader), config)


def _date(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"{name} {text!r} is no date; write it as 2025-10-01") from None


def _show(values: dict[str, Any], out: Path) -> None:
    from jax_port.evaluation.page import pills, tiles

    console = report_console()
    data = values["data"]
    table = Table(
        title=f"{data['symbol']}, {data['first']} to {data['last']}",
        show_header=False,
        box=None,
        title_justify="left",
        title_style="bold",
    )
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim")
    for tile in tiles(values["performance"]):
        table.add_row(tile.label, tile.value, tile.below)
    console.print(table)
    if values["seconds"]:
        console.print(_both_verdicts(values["seconds"]))
    styles = {"good": "green", "warn": "yellow", "bad": "red"}
    for tone, words in pills(values):
        console.print(words, style=styles[tone])
    for one in values["evaluation_accounts"]:
        low, high = one["passes_between"]
        console.print(
            f"{one['rules']['name']}: passes {percent(one['passes'])} of the time, "
            f"95% interval {percent(low)} to {percent(high)}"
        )
    console.print(f"page and tables: {out}", soft_wrap=True)


def _show_comparison(values: dict[str, Any], out: Path) -> None:
    from jax_port.evaluation.comparison import verdict

    console = report_console()
    table = Table(box=None, header_style="dim")
    table.add_column("policy", overflow="fold")
    for name in ("PnL", "mean day", "Sharpe of a day", "max drawdown"):
        table.add_column(name, justify="right")
    for row in values["policies"]:
        table.add_row(
            row["name"],
            dollars(row["pnl"]),
            dollars(row["mean_day"]),
            number(row["sharpe_day"], 3),
            dollars(row["max_drawdown"]),
        )
    console.print(table)
    words = verdict(values)
    console.print(f"{words.headline} {words.reason}")
    console.print(f"comparison: {out / 'comparison.html'}", soft_wrap=True)


def _both_verdicts(seconds: dict[str, Any]) -> Table:
    from jax_port.evaluation.verdicts import coverage, verdict_rows

    table = Table(
        title=f"every second: {coverage(seconds)}",
        box=None,
        title_justify="left",
        title_style="bold",
        header_style="dim",
    )
    table.add_column("")
    for name in ("at the close", "every second", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in verdict_rows(seconds):
        table.add_row(row["label"], row["minute"], row["second"], row["difference"])
    return table
